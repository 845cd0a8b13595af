//! Writing invoices, batch by batch, and at the end the products as they came out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use anyhow::Context;
use catalog::{ProductId, ProductStatus, PutOutcome, PutProduct, StoreId, VariantId};
use identity::Actor;
use inventory::{Adjustment, Reason};
use orders::{Import, ImportedDocuments, ImportedLine, ImportedOrder, ImportedReturn};
use platform::Currency;

use super::goods::Good;
use super::reader::{Batch, Document};
use crate::app::App;

/// Products per call.
const BATCH: usize = 100;

/// Writes to a store.
pub(crate) struct Writer<'a> {
    app: &'a App,
    store: StoreId,
    currency: Currency,
    /// What the stock codes are sold as.
    variants: HashMap<String, (ProductId, VariantId)>,
    /// Made by this run.
    created: HashSet<ProductId>,
    /// Invoices made by this run, which may go on further down.
    made: HashSet<String>,
    new: New,
}

/// What a run added to customers, orders and returns.
#[derive(Debug, Default)]
pub(crate) struct New {
    pub(crate) customers: u64,
    pub(crate) orders: u64,
    pub(crate) order_lines: u64,
    pub(crate) returns: u64,
    pub(crate) return_lines: u64,
    /// Invoices that earlier runs made, with the lines of the file that this run added to them.
    pub(crate) grown: BTreeMap<String, Vec<u64>>,
}

/// What a run wrote.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Customers, orders and returns that are new.
    pub(crate) new: New,
    /// Products that are new.
    pub(crate) created: u64,
    /// Products that were there and became different.
    pub(crate) updated: u64,
    /// Products that were so already.
    pub(crate) unchanged: u64,
    /// Products that are on sale.
    pub(crate) active: u64,
    /// Products that were given opening stock.
    pub(crate) stocked: u64,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(app: &'a App, store: StoreId, currency: Currency) -> Self {
        let (variants, created, made, new) = Default::default();
        Self { app, store, currency, variants, created, made, new }
    }

    /// Writes a batch. What is there already stays as it is.
    pub(crate) async fn write(&mut self, batch: Batch) -> anyhow::Result<()> {
        self.make_products(&batch.goods).await.context("writing products")?;
        let import = Import {
            store_id: self.store,
            currency: self.currency,
            customers: batch.customers,
            orders: batch
                .sales
                .list
                .into_iter()
                .map(|sale| ImportedOrder {
                    lines: self.lines(&sale),
                    external_ref: sale.number,
                    placed_at: sale.at,
                    customer_ref: sale.customer,
                })
                .collect(),
            returns: batch
                .returns
                .list
                .into_iter()
                .map(|back| ImportedReturn {
                    lines: self.lines(&back),
                    external_ref: back.number,
                    returned_at: back.at,
                    customer_ref: back.customer,
                })
                .collect(),
        };
        let new =
            self.app.orders.import(&Actor::system(), &import).await.context("writing a batch of invoices")?;
        self.new.customers += new.customers;
        self.new.orders += new.orders.made.len() as u64;
        self.new.order_lines += new.orders.lines;
        self.new.returns += new.returns.made.len() as u64;
        self.new.return_lines += new.returns.lines;
        self.note(new.orders);
        self.note(new.returns);
        Ok(())
    }

    fn note(&mut self, documents: ImportedDocuments) {
        for grown in documents.grown {
            if !self.made.contains(&grown.external_ref) {
                self.new.grown.entry(grown.external_ref).or_default().extend(grown.file_lines);
            }
        }
        self.made.extend(documents.made);
    }

    fn lines(&self, document: &Document) -> Vec<ImportedLine> {
        let lines = document.lines.iter().map(|line| {
            let (product_id, variant_id) = self.variants[line.code.as_ref()];
            ImportedLine {
                file_line: line.number,
                occurrence: line.occurrence,
                product_id,
                variant_id,
                sku: line.code.as_ref().to_owned(),
                title: line.title.as_ref().to_owned(),
                quantity: line.quantity,
                unit_price: line.unit_price,
                total: line.total,
            }
        });
        lines.collect()
    }

    /// Finds the products of these codes, or makes them for the time being.
    async fn make_products(&mut self, goods: &[Good]) -> anyhow::Result<()> {
        let (catalog, actor) = (&self.app.catalog, Actor::system());
        for goods in goods.chunks(BATCH) {
            let refs: Vec<String> = goods.iter().map(|good| good.code.as_ref().to_owned()).collect();
            for (code, known) in catalog.known_products(&actor, self.store, &refs).await? {
                let variant = known.variants.first().context("a product has no variant")?;
                self.variants.insert(code, (known.product_id, *variant));
            }
            let missing: Vec<PutProduct> = goods
                .iter()
                .filter(|good| !self.variants.contains_key(good.code.as_ref()))
                .map(|good| good.provisional(self.currency))
                .collect();
            if missing.is_empty() {
                continue;
            }
            for (product, put) in
                missing.iter().zip(catalog.put_products(&actor, self.store, &missing).await?)
            {
                let (variant, _) = put.variants.first().context("a product has no variant")?;
                self.variants.insert(product.external_ref.clone(), (put.product_id, *variant));
                self.created.insert(put.product_id);
            }
        }
        Ok(())
    }

    /// Writes the products as they came out, and gives those on sale their opening stock.
    pub(crate) async fn finish(
        self,
        products: &[PutProduct],
        stock: i64,
        file: &Path,
    ) -> anyhow::Result<Written> {
        let mut written = Written { new: self.new, ..Written::default() };
        let note = format!("imported from {}", file.file_name().unwrap_or_default().to_string_lossy());
        for products in products.chunks(BATCH) {
            let results = self
                .app
                .catalog
                .put_products(&Actor::system(), self.store, products)
                .await
                .context("writing products")?;
            let mut opening = Vec::new();
            for (product, result) in products.iter().zip(results) {
                *match result.outcome {
                    _ if self.created.contains(&result.product_id) => &mut written.created,
                    PutOutcome::Created => &mut written.created,
                    PutOutcome::Updated => &mut written.updated,
                    PutOutcome::Unchanged => &mut written.unchanged,
                } += 1;
                if product.status == ProductStatus::Active {
                    written.active += 1;
                    opening.extend(result.variants.iter().map(|(variant_id, _)| Adjustment {
                        variant_id: *variant_id,
                        quantity: stock,
                        reason: Reason::Opening,
                        note: Some(note.clone()),
                    }));
                }
            }
            written.stocked += self
                .app
                .inventory
                .adjust(&Actor::system(), &opening)
                .await
                .context("writing opening stock")?;
        }
        Ok(written)
    }
}
