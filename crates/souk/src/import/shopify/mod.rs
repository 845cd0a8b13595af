//! Products from Shopify's product CSV.
//!
//! Rows of one product follow one another and share its handle. A row has a variant, an image, or both;
//! what is said of the whole product stands in the row with its title.
mod columns;
mod product;
mod reader;
mod variant;
mod writer;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::report::{Outcome, Report};
use super::source::Source;
use super::{ProductsImport, grouped, store};
use crate::app::App;
use columns::Columns;
use product::Reading;

/// Batches that may wait for the writer.
const WAITING: usize = 2;

pub(crate) async fn run(app: &App, import: &ProductsImport) -> anyhow::Result<()> {
    let source = Source::open(&import.file)?;
    let columns =
        Columns::of(source.header()).with_context(|| format!("reading {}", import.file.display()))?;
    let report = Report::new(import.report.as_deref(), &import.file, reader::REPORTED.to_vec())?;
    let store = store(app, &import.store, import.currency).await?;

    let reading = Reading { columns, currency: import.currency, unsaid_stock: import.stock };
    let (to_writer, mut batches) = mpsc::channel(WAITING);
    let reader = spawn_blocking(move || reader::read(source, &reading, report, &to_writer));
    let mut writer = writer::Writer::new(app, store, &import.file);
    while let Some(batch) = batches.recv().await {
        writer.write(batch).await?;
    }
    let read = reader.await.context("the reader of the file")??;
    let written = writer.totals;

    println!("{} into the store {} ({}):", import.file.display(), import.store, import.currency);
    println!("  rows read            {:>9}", grouped(read.rows));
    println!("  products             {:>9}", grouped(written.products));
    println!("  variants             {:>9}", grouped(written.variants));
    println!("  images               {:>9}", grouped(written.images));
    println!("  units in the file    {:>9}", grouped(written.units));
    println!("  rows refused         {:>9}", grouped(read.reported.total(Outcome::Refused)));
    println!("  remarks on others    {:>9}", grouped(read.reported.total(Outcome::Mended)));
    for ((outcome, reason), count) in &read.reported.counts {
        let what = if *outcome == Outcome::Refused { "refused" } else { "mended" };
        println!("    {what}: {reason}: {}", grouped(*count));
    }
    println!(
        "in this run: created {}, updated {}, unchanged {}; new variants {}; variants given opening stock {}",
        written.created, written.updated, written.unchanged, written.new_variants, written.stocked,
    );
    if let Some(path) = read.reported.path {
        println!("the rows above are listed with their lines in {}", path.display());
    }
    Ok(())
}
