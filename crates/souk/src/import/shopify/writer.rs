//! Writing products, batch by batch.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::Context;
use catalog::{CategoryId, CategoryNode, PutCategory, PutOutcome, StoreId};
use identity::Actor;
use inventory::{Adjustment, Reason};
use platform::Slug;

use super::product::Assembled;
use crate::app::App;

/// What was written: what the file has, and how much of it was new.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) products: u64,
    pub(crate) variants: u64,
    pub(crate) images: u64,
    pub(crate) units: u64,
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) unchanged: u64,
    pub(crate) new_variants: u64,
    pub(crate) stocked: u64,
}

/// Writes to a store.
pub(crate) struct Writer<'a> {
    app: &'a App,
    store: StoreId,
    note: String,
    categories: Option<Categories>,
    pub(crate) totals: Totals,
}

struct Categories {
    by_name: HashMap<String, CategoryId>,
    slugs: HashSet<Slug>,
    top_level: i32,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(app: &'a App, store: StoreId, file: &Path) -> Self {
        let note = format!("imported from {}", file.file_name().unwrap_or_default().to_string_lossy());
        Self { app, store, note, categories: None, totals: Totals::default() }
    }

    pub(crate) async fn write(&mut self, batch: Vec<Assembled>) -> anyhow::Result<()> {
        let mut products = Vec::with_capacity(batch.len());
        let mut stocks = Vec::with_capacity(batch.len());
        for Assembled { mut product, category, stock } in batch {
            if let Some(category) = category {
                product.categories.push(self.category(&category).await?);
            }
            self.totals.images += product.images.len() as u64;
            products.push(product);
            stocks.push(stock);
        }
        let results = self
            .app
            .catalog
            .put_products(&Actor::system(), self.store, &products)
            .await
            .context("writing a batch of products")?;
        let mut opening = Vec::new();
        for (result, stock) in results.iter().zip(stocks) {
            self.totals.products += 1;
            *match result.outcome {
                PutOutcome::Created => &mut self.totals.created,
                PutOutcome::Updated => &mut self.totals.updated,
                PutOutcome::Unchanged => &mut self.totals.unchanged,
            } += 1;
            for ((variant_id, is_new), quantity) in result.variants.iter().zip(stock) {
                self.totals.variants += 1;
                self.totals.new_variants += u64::from(*is_new);
                self.totals.units += quantity.unsigned_abs();
                let note = Some(self.note.clone());
                opening.push(Adjustment { variant_id: *variant_id, quantity, reason: Reason::Opening, note });
            }
        }
        let made =
            self.app.inventory.adjust(&Actor::system(), &opening).await.context("writing opening stock")?;
        self.totals.stocked += made;
        Ok(())
    }

    /// The category of this name, made at the top level if there is none anywhere.
    async fn category(&mut self, name: &str) -> anyhow::Result<CategoryId> {
        let categories = match &mut self.categories {
            Some(categories) => categories,
            none => {
                let trees =
                    self.app.catalog.categories(&Actor::system()).await.context("reading the categories")?;
                let top_level = i32::try_from(trees.len()).unwrap_or(i32::MAX);
                let mut known = Categories { top_level, by_name: HashMap::new(), slugs: HashSet::new() };
                known.collect(&trees);
                none.insert(known)
            }
        };
        let key = folded(name);
        if let Some(id) = categories.by_name.get(&key) {
            return Ok(*id);
        }
        let slug = categories.free_slug(name);
        let put = PutCategory {
            slug: slug.clone(),
            name: name.to_owned(),
            parent_id: None,
            position: categories.top_level,
        };
        let id = self.app.catalog.put_category(&Actor::system(), put).await.context("making a category")?;
        categories.top_level = categories.top_level.saturating_add(1);
        categories.by_name.insert(key, id);
        categories.slugs.insert(slug);
        Ok(id)
    }
}

impl Categories {
    fn collect(&mut self, nodes: &[CategoryNode]) {
        for node in nodes {
            self.by_name.entry(folded(&node.name)).or_insert(node.id);
            self.slugs.insert(node.slug.clone());
        }
        for node in nodes {
            self.collect(&node.children);
        }
    }

    /// The slug of this name, with its hash behind it when another name has that ("C" and "C++").
    fn free_slug(&self, name: &str) -> Slug {
        let mut slug = Slug::from_text(name);
        let mut told_apart = name.to_owned();
        while self.slugs.contains(&slug) {
            slug = Slug::from_text(name).with_hash_of(&told_apart);
            told_apart.push('+');
        }
        slug
    }
}

/// A name as names are compared: whatever its case and spaces.
fn folded(name: &str) -> String {
    name.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_of_other_names_have_other_slugs() {
        let mut known = Categories { by_name: HashMap::new(), slugs: HashSet::new(), top_level: 0 };
        let mut slugs = HashSet::new();
        for name in ["C", "C++", "茶", "水", "Mugs"] {
            let slug = known.free_slug(name);
            known.slugs.insert(slug.clone());
            assert!(slugs.insert(slug), "{name}");
        }
        assert_eq!(folded(" Home  & garden"), folded("Home & Garden"));
        assert_ne!(folded("C"), folded("C++"));
    }
}
