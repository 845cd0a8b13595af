//! `souk stock`: counting and adjusting from the server's own shell.

use anyhow::{Context, bail};
use catalog::{Key, VariantId};
use clap::{Args, ValueEnum};
use identity::Actor;
use inventory::{Adjustment, Reason};
use platform::Slug;

use crate::app::App;

/// A change of what is on hand.
#[derive(Debug, Args)]
pub(crate) struct Adjust {
    /// Slug of the store
    #[arg(long)]
    store: Slug,
    /// The variant's SKU
    #[arg(long)]
    sku: String,
    /// Units that came (7) or went (-2)
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1_000_000_000..=1_000_000_000))]
    by: i64,
    /// Why
    #[arg(long, value_enum)]
    reason: Why,
    /// For whoever asks later
    #[arg(long)]
    note: Option<String>,
}

/// Why stock changes.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Why {
    /// Goods came in
    Received,
    /// Somebody counted
    Counted,
    /// Broken
    Damaged,
    /// Not to be found
    Lost,
    /// A buyer sent it back
    Returned,
}

impl From<Why> for Reason {
    fn from(why: Why) -> Self {
        match why {
            Why::Received => Self::Received,
            Why::Counted => Self::Counted,
            Why::Damaged => Self::Damaged,
            Why::Lost => Self::Lost,
            Why::Returned => Self::Returned,
        }
    }
}

/// Adjusts the stock of one variant and says what there is now.
pub(crate) async fn adjust(app: &App, adjust: Adjust) -> anyhow::Result<()> {
    let variant = find(app, &adjust.store, &adjust.sku).await?;
    let adjustment = Adjustment {
        variant_id: variant,
        quantity: adjust.by,
        reason: adjust.reason.into(),
        note: adjust.note,
    };
    app.inventory.adjust(&Actor::system(), &[adjustment]).await?;
    let available = app.inventory.available(&[variant]).await?.get(&variant).copied().unwrap_or(0);
    println!("{} of {}: {available} available", adjust.sku, adjust.store);
    Ok(())
}

async fn find(app: &App, store: &Slug, sku: &str) -> anyhow::Result<VariantId> {
    let store = app
        .catalog
        .store(&Actor::system(), &Key::Slug(store.clone()))
        .await
        .with_context(|| format!("the store {store}"))?;
    match app.catalog.variants_by_sku(&Actor::system(), store.id, sku).await?.as_slice() {
        [one] => Ok(*one),
        [] => bail!("{} has nothing with the SKU {sku}", store.name),
        many => bail!("{} uses the SKU {sku} for {} variants", store.name, many.len()),
    }
}
