//! Moving in: another system's products and its history, from CSV files.
//!
//! Both importers stream: one thread reads and judges rows, one task writes them in batches. Everything
//! is keyed by the other system's own names, so running an import again changes nothing, and running one
//! that was interrupted completes it.
mod amount;
mod cell;
mod history;
mod report;
mod shopify;
mod source;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use catalog::{Key, NewStore, StoreId};
use identity::Actor;
use platform::{Currency, Slug};

use crate::app::App;

pub(crate) use history::Preset;

/// Products to be imported from Shopify's product CSV.
#[derive(Clone, Debug)]
pub(crate) struct ProductsImport {
    /// The CSV file, plain or gzip.
    pub(crate) file: PathBuf,
    /// The store, made if missing.
    pub(crate) store: Slug,
    /// What the file's prices are in.
    pub(crate) currency: Currency,
    /// Where rows that were not imported as they are go; `<file stem>.report.csv` here if not said.
    pub(crate) report: Option<PathBuf>,
    /// Opening stock of variants for which the file gives no quantity.
    pub(crate) stock: i64,
}

/// A year of invoices to be imported.
#[derive(Clone, Debug)]
pub(crate) struct HistoryImport {
    /// The CSV file, plain or gzip.
    pub(crate) file: PathBuf,
    /// The store, made if missing.
    pub(crate) store: Slug,
    /// Which system wrote the file.
    pub(crate) preset: Preset,
    /// What the file's prices are in.
    pub(crate) currency: Currency,
    /// Opening stock of each product that is on sale.
    pub(crate) stock: i64,
    /// Where rows that were not imported go; `<file stem>.report.csv` here if not said.
    pub(crate) report: Option<PathBuf>,
}

/// Imports products and prints what became of them.
pub(crate) async fn products(app: &App, import: &ProductsImport) -> anyhow::Result<()> {
    ensure!(import.stock >= 0, "the opening stock can not be less than nothing");
    shopify::run(app, import).await
}

/// Imports a history and prints how it compares with its source.
pub(crate) async fn history(app: &App, import: &HistoryImport) -> anyhow::Result<()> {
    ensure!(import.stock >= 0, "the opening stock can not be less than nothing");
    history::run(app, import).await
}

/// The store of this slug, made if missing.
async fn store(app: &App, slug: &Slug, currency: Currency) -> anyhow::Result<StoreId> {
    let found = match app.catalog.store(&Actor::system(), &Key::Slug(slug.clone())).await {
        Err(catalog::Error::StoreNotFound) => {
            let new = NewStore {
                slug: slug.clone(),
                name: name_of(slug),
                description: String::new(),
                currency,
                image_url: None,
            };
            app.catalog.create_store(&Actor::system(), new).await
        }
        found => found,
    };
    let store = found.with_context(|| format!("opening the store {slug}"))?;
    let sells_in = store.currency;
    ensure!(
        sells_in == currency,
        "the store {slug} sells in {sells_in}, so it takes no prices in {currency}"
    );
    Ok(store.id)
}

/// Prints the totals at the end.
fn tell(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("printing the totals")
}

/// `loom-street` is "Loom Street".
fn name_of(slug: &Slug) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect::<String>())
            .unwrap_or_default()
    };
    slug.as_str().split('-').map(capital).collect::<Vec<_>>().join(" ")
}

/// `541909` is `541,909`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stores_after_their_slugs() {
        assert_eq!(name_of(&"loom-street".parse().unwrap()), "Loom Street");
        assert_eq!(name_of(&"x".parse().unwrap()), "X");
    }

    #[test]
    fn groups_digits_by_three() {
        assert_eq!([0, 12, 123, 1234, 541_909].map(grouped), ["0", "12", "123", "1,234", "541,909"]);
    }
}
