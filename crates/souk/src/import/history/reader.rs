//! Reading invoices, line by line.

use std::collections::HashMap;
use std::sync::Arc;

use csv::StringRecord;
use orders::Customer;
use platform::Currency;
use time::OffsetDateTime;
use tokio::sync::mpsc::Sender;

use super::goods::{self, Good, Goods};
use super::line::{Columns, Line, Meaning};
use super::tally::Tally;
use crate::import::report::{Outcome, Report, Reported};
use crate::import::source::Source;

/// A batch is sent with the first invoice that begins after this many of its lines.
const BATCH: usize = 4_000;

/// What one call of the writer takes.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Stock codes that appear for the first time.
    pub(crate) goods: Vec<Good>,
    /// Customers that appear for the first time.
    pub(crate) customers: Vec<Customer>,
    /// Invoices, or parts of them.
    pub(crate) sales: Documents,
    /// Cancellations, or parts of them.
    pub(crate) returns: Documents,
    lines: usize,
}

/// Documents in the order of their first lines.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    pub(crate) list: Vec<Document>,
    by_number: HashMap<String, usize>,
}

/// An invoice, or the part of it that is in a batch.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) number: String,
    pub(crate) at: OffsetDateTime,
    pub(crate) customer: Option<String>,
    pub(crate) lines: Vec<DocumentLine>,
}

/// A line of it.
#[derive(Debug)]
pub(crate) struct DocumentLine {
    pub(crate) position: i32,
    pub(crate) code: Arc<str>,
    pub(crate) title: Arc<str>,
    pub(crate) quantity: i32,
    pub(crate) unit_price: i64,
    pub(crate) total: i64,
}

/// What was read.
pub(crate) struct Read {
    pub(crate) tally: Tally,
    pub(crate) goods: Goods,
    pub(crate) reported: Reported,
}

/// Reads all invoices and sends them in batches. Ends early when nobody takes them any more.
pub(crate) fn read(
    mut source: Source,
    columns: &Columns,
    currency: Currency,
    report: Report,
    batches: &Sender<Batch>,
) -> anyhow::Result<Read> {
    let mut reader = Reader {
        columns,
        currency,
        report,
        tally: Tally::default(),
        goods: Goods::default(),
        batch: Batch::default(),
        last_invoice: String::new(),
    };
    while let Some(row) = source.next()? {
        let line = match columns.read(row.fields) {
            _ if !row.is_text => Err("the row is not UTF-8 text"),
            line => line,
        };
        match line {
            Err(reason) => reader.refuse_unreadable(row.line, row.fields, reason)?,
            Ok(line) => {
                if reader.is_full(line.invoice)
                    && batches.blocking_send(std::mem::take(&mut reader.batch)).is_err()
                {
                    break;
                }
                reader.take(row.line, row.fields, &line)?;
            }
        }
    }
    // Nobody takes it when the writer has failed, and then its error is told.
    let _ = batches.blocking_send(reader.batch);
    Ok(Read { tally: reader.tally, goods: reader.goods, reported: reader.report.finish()? })
}

struct Reader<'a> {
    columns: &'a Columns,
    currency: Currency,
    report: Report,
    tally: Tally,
    goods: Goods,
    batch: Batch,
    last_invoice: String,
}

impl Reader<'_> {
    /// Whether the batch is to be sent before a line of this invoice.
    fn is_full(&self, invoice: &str) -> bool {
        self.batch.lines >= 2 * BATCH || self.batch.lines >= BATCH && self.last_invoice != invoice
    }

    fn take(&mut self, number: u64, row: &StringRecord, line: &Line<'_>) -> anyhow::Result<()> {
        let position = i32::try_from(number)?;
        if self.tally.take(line) {
            self.batch.customers.extend(line.customer.map(|customer| Customer {
                external_ref: customer.to_owned(),
                country: Some(line.country).filter(|country| !country.is_empty()).map(str::to_owned),
                since: line.at,
            }));
        }
        let meaning = line.meaning();
        let (total, unit_price) = match (meaning, goods::amounts(line, self.currency)) {
            (Meaning::Rejected(reason), _) => return self.refuse(number, row, line, reason),
            (_, None) => return self.refuse(number, row, line, "more money than can be counted"),
            (_, Some(amounts)) => amounts,
        };
        self.tally.book(line, meaning, total, self.currency);
        let (good, new) = self.goods.take(line, meaning, unit_price);
        if new {
            self.batch.goods.push(good.clone());
        }
        let documents =
            if meaning == Meaning::Return { &mut self.batch.returns } else { &mut self.batch.sales };
        documents.of(line).lines.push(DocumentLine {
            position,
            code: Arc::clone(&good.code),
            title: Arc::clone(&good.title),
            quantity: line.quantity.abs(),
            unit_price,
            total,
        });
        self.batch.lines += 1;
        if self.last_invoice != line.invoice {
            line.invoice.clone_into(&mut self.last_invoice);
        }
        Ok(())
    }

    fn refuse(
        &mut self,
        number: u64,
        row: &StringRecord,
        line: &Line<'_>,
        reason: &'static str,
    ) -> anyhow::Result<()> {
        self.tally.reject(line, reason);
        self.report.add(number, Outcome::Refused, reason, &self.columns.fields(row))
    }

    fn refuse_unreadable(
        &mut self,
        number: u64,
        row: &StringRecord,
        reason: &'static str,
    ) -> anyhow::Result<()> {
        let fields = self.columns.fields(row);
        self.tally.reject_unreadable(fields[0].trim(), reason);
        self.report.add(number, Outcome::Refused, reason, &fields)
    }
}

impl Documents {
    /// The document that a line belongs to.
    fn of(&mut self, line: &Line<'_>) -> &mut Document {
        let at = match self.by_number.get(line.invoice) {
            Some(at) => *at,
            None => {
                self.by_number.insert(line.invoice.to_owned(), self.list.len());
                self.list.push(Document {
                    number: line.invoice.to_owned(),
                    at: line.at,
                    customer: line.customer.map(str::to_owned),
                    lines: Vec::new(),
                });
                self.list.len() - 1
            }
        };
        &mut self.list[at]
    }
}
