//! What a cart comes to, if it can be bought as the buyer was shown it.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::{Offer, ProductId, VariantId};
use inventory::Limit;
use payments::{CommissionBook, CommissionLine};
use platform::id::uuids;
use platform::{Code, Detail, Money};
use time::OffsetDateTime;

use crate::cart::{self, CartRow, LineRow};
use crate::order::StoredLine;
use crate::{Error, Failure, Parts};

/// The lines of a cart that can be bought as they were shown.
pub(crate) struct Priced {
    pub(crate) lines: Vec<StoredLine>,
    pub(crate) total: Money,
    /// How many of a product one buyer may have, where there is a limit.
    pub(crate) limits: HashMap<VariantId, Limit>,
}

impl Priced {
    /// The products, each once.
    pub(crate) fn products(&self) -> Vec<ProductId> {
        let mut products: Vec<_> = self.lines.iter().map(|line| line.product_id).collect();
        products.sort_unstable();
        products.dedup();
        products
    }
}

/// What the catalogue and the inventory say at one moment of all that a batch wants, and what the marketplace takes.
pub(crate) struct Market {
    offers: HashMap<VariantId, Arc<Offer>>,
    available: HashMap<VariantId, i64>,
    commission: Arc<CommissionBook>,
}

impl Market {
    pub(crate) async fn look(parts: &Parts, variants: Vec<VariantId>) -> Result<Self, Error> {
        // From memory, as offers are.
        let commission = parts.payments.commission_book().await?;
        if variants.is_empty() {
            return Ok(Self { offers: HashMap::new(), available: HashMap::new(), commission });
        }
        let offers = parts.catalog.offers(&variants).await?;
        let available = parts.inventory.available(&variants).await?;
        let offers = offers.into_iter().map(|offer| (offer.variant_id, offer)).collect();
        Ok(Self { offers, available, commission })
    }

    /// Refuses unless every line is on sale, in stock, and at the price that the buyer was shown. The commission is that of
    /// this moment.
    pub(crate) fn price(
        &self,
        row: &CartRow,
        lines: &[LineRow],
        now: OffsetDateTime,
    ) -> Result<Priced, Error> {
        let currency = row.currency().ok_or(Error::CartEmpty)?;
        if lines.is_empty() {
            return Err(Error::CartEmpty);
        }
        let mut details = Vec::new();
        for (place, line) in lines.iter().enumerate() {
            let available = self.available.get(&line.variant_id).copied().unwrap_or(0);
            details.extend(cart::notes(
                place,
                line,
                self.offers.get(&line.variant_id).map(Arc::as_ref),
                available,
            ));
        }
        if !details.is_empty() {
            return Err(Error::Changed(changed(details)));
        }
        let mut priced = Priced {
            lines: Vec::with_capacity(lines.len()),
            total: Money::zero(currency),
            limits: HashMap::new(),
        };
        let mut sales = Vec::with_capacity(lines.len());
        for (position, line) in (1..).zip(lines) {
            let offer = self.offers.get(&line.variant_id).ok_or(Error::ItemUnavailable(line.variant_id))?;
            let quantity = cart::quantity(line)?;
            let sum = offer.price.checked_mul(i64::from(quantity)).ok_or(Error::TotalTooLarge)?;
            priced.total = priced.total.checked_add(sum).ok_or(Error::TotalTooLarge)?;
            if let Some(most) = offer.purchase_limit {
                priced.limits.insert(line.variant_id, Limit { product_id: offer.product_id, most });
            }
            sales.push(CommissionLine {
                store_id: offer.store.id,
                categories: uuids(&offer.categories),
                quantity: quantity.into(),
                total: sum,
            });
            priced.lines.push(StoredLine {
                position,
                store_id: offer.store.id,
                product_id: offer.product_id,
                variant_id: line.variant_id,
                sku: offer.sku.clone(),
                title: offer.title.clone(),
                variant_title: offer.variant_title.clone(),
                quantity: line.quantity,
                unit_price: offer.price.amount,
                total: sum.amount,
                commission: 0,
                commission_tax: 0,
                commission_rule: None,
            });
        }
        for (line, taken) in priced.lines.iter_mut().zip(self.commission.commission(now, &sales)) {
            line.commission = taken.amount.amount;
            line.commission_tax = taken.tax.amount;
            line.commission_rule = taken.rule;
        }
        Ok(priced)
    }
}

/// The gravest of the changes names the failure; the details tell of all.
fn changed(details: Vec<Detail>) -> Failure {
    let has = |code: &str| details.iter().any(|detail| detail.code == code);
    let (reason, message) = if has("unavailable") {
        ("orders/item_unavailable", "something in the cart is no longer on sale")
    } else if has("out_of_stock") {
        ("inventory/out_of_stock", "not enough in stock")
    } else {
        (
            "orders/price_changed",
            "a price changed since it was put into the cart; set the line's quantity to accept it",
        )
    };
    Failure { code: Code::Conflict, reason: reason.to_owned(), message: message.to_owned(), details }
}
