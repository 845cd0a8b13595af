//! A year of business: products, customers, orders with the price of their day, and returns.
//!
//! Every line of an invoice is made a line of an order or of a return, or it is reported; the table at
//! the end proves it. Stock is not touched by orders of the past.
mod goods;
mod line;
mod reader;
mod table;
mod tally;
mod titles;
mod writer;

use std::time::Instant;

use anyhow::{Context, ensure};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::report::{Outcome, Report};
use super::source::Source;
use super::{HistoryImport, store, tell};
use crate::app::App;

/// Batches that may wait for the writer.
const WAITING: usize = 2;

/// What is said of a line that came to an invoice which was there without it.
const GREW: &str = "the invoice was imported before with other lines: this one is added to it";

/// Which system wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Preset {
    /// "Online Retail" of the UCI Machine Learning Repository (D. Chen, 2015): a line per item of an invoice.
    OnlineRetail,
}

pub(crate) async fn run(app: &App, import: &HistoryImport) -> anyhow::Result<()> {
    let begun = Instant::now();
    let Preset::OnlineRetail = import.preset;
    let source = Source::open(&import.file)?;
    let columns =
        line::Columns::of(source.header()).with_context(|| format!("reading {}", import.file.display()))?;
    let report = Report::new(import.report.as_deref(), &import.file, line::COLUMNS.to_vec())?;
    let currency = import.currency;
    let store = store(app, &import.store, currency).await?;

    let (to_writer, mut batches) = mpsc::channel(WAITING);
    let reader = spawn_blocking(move || reader::read(source, &columns, currency, report, &to_writer));
    let mut writer = writer::Writer::new(app, store, currency);
    while let Some(batch) = batches.recv().await {
        writer.write(batch).await?;
    }
    let mut read = reader.await.context("the reader of the file")??;
    ensure!(read.tally.adds_up(currency), "lines were lost on the way: this is a mistake in Souk");
    let products = read.goods.into_products(currency);
    let written = writer.finish(&products, import.stock, &import.file).await?;

    let table = table::table(&read.tally, products.len(), &written, currency);
    for (invoice, lines) in &written.new.grown {
        for line in lines {
            read.report.add(*line, Outcome::Mended, GREW, &[invoice])?;
        }
    }
    let reported = read.report.finish()?;
    let report = reported.path.as_ref().map_or_else(String::new, |path| {
        format!("the lines that were not imported, or are remarked on, are listed in {}\n", path.display())
    });
    tell(&format!(
        "{} into the store {}:\n{table}\n{report}in {:.1} s\n",
        import.file.display(),
        import.store,
        begun.elapsed().as_secs_f64()
    ))?;
    let rows = read.tally.source.lines + read.tally.unreadable;
    reported.judge(rows, read.tally.sales.lines + read.tally.returns.lines)
}
