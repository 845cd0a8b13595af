//! Products from Shopify's product CSV.
//!
//! Rows of one product follow one another and share its handle. A row has a variant, an image, or both;
//! what is said of the whole product stands in the row with its title.
mod cells;
mod columns;
mod product;
mod reader;
mod variant;
mod writer;

use std::fmt::Write;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::report::{Outcome, Report};
use super::source::Source;
use super::{ProductsImport, grouped, store, tell};
use crate::app::App;
use columns::Columns;
use product::Reading;
use reader::Read;
use writer::Totals;

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
    let text = totals(import, &read, &writer.totals)?;
    tell(&text)?;
    read.reported.judge(read.rows, writer.totals.products)
}

fn totals(import: &ProductsImport, read: &Read, written: &Totals) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{} into the store {} ({}):", import.file.display(), import.store, import.currency)?;
    for (what, count) in [
        ("rows read", read.rows),
        ("products", written.products),
        ("variants", written.variants),
        ("images", written.images),
        ("units of stock in the file", written.units),
        ("rows refused", read.reported.total(Outcome::Refused)),
        ("remarks on rows that were taken", read.reported.total(Outcome::Mended)),
    ] {
        writeln!(text, "  {what:<40} {:>9}", grouped(count))?;
    }
    for ((outcome, reason), count) in &read.reported.counts {
        writeln!(text, "    {}: {reason}: {}", outcome.as_str(), grouped(*count))?;
    }
    let Totals { created, updated, unchanged, new_variants, stocked, .. } = written;
    writeln!(
        text,
        "in this run: created {created}, updated {updated}, unchanged {unchanged}; \
         {new_variants} new variants, {stocked} given opening stock"
    )?;
    if let Some(path) = &read.reported.path {
        writeln!(text, "the rows that were refused or remarked on are listed in {}", path.display())?;
    }
    Ok(text)
}
