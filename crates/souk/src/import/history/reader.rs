//! Reading invoices, line by line.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use csv::StringRecord;
use orders::Customer;
use platform::Currency;
use time::OffsetDateTime;
use tokio::sync::mpsc::Sender;

use super::goods::{self, Good, Goods};
use super::line::{Columns, Line, Meaning};
use super::tally::Tally;
use crate::import::report::{Outcome, Report, SWALLOWED};
use crate::import::source::{Row, Source};

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
    /// Its line in the file.
    pub(crate) number: u64,
    /// From 1: which of the document's lines that are alike this one is.
    pub(crate) occurrence: i32,
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
    /// Not yet complete: the writer's remarks are missing.
    pub(crate) report: Report,
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
        alike: HashMap::new(),
        last_invoice: String::new(),
    };
    while let Some(row) = source.next()? {
        if row.is_swallowed || columns.has_swallowed(row.fields) {
            reader.refuse_swallowed(&row)?;
            continue;
        }
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
    Ok(Read { tally: reader.tally, goods: reader.goods, report: reader.report })
}

struct Reader<'a> {
    columns: &'a Columns,
    currency: Currency,
    report: Report,
    tally: Tally,
    goods: Goods,
    batch: Batch,
    /// How many lines were alike so far, by the hash of their document and what they are known by. An
    /// invoice may go on anywhere further down, so this grows with the file: by some 20 bytes a line.
    alike: HashMap<u64, i32>,
    last_invoice: String,
}

impl Reader<'_> {
    /// Whether the batch is to be sent before a line of this invoice.
    fn is_full(&self, invoice: &str) -> bool {
        self.batch.lines >= 2 * BATCH || self.batch.lines >= BATCH && self.last_invoice != invoice
    }

    fn take(&mut self, number: u64, row: &StringRecord, line: &Line<'_>) -> anyhow::Result<()> {
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
        let known_by = (line.invoice, line.code, line.quantity, unit_price, total);
        let alike = self.alike.entry(hash(&known_by)).or_default();
        *alike += 1;
        let documents =
            if meaning == Meaning::Return { &mut self.batch.returns } else { &mut self.batch.sales };
        documents.of(line).lines.push(DocumentLine {
            number,
            occurrence: *alike,
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

    fn refuse_swallowed(&mut self, row: &Row<'_>) -> anyhow::Result<()> {
        self.tally.reject_unreadable("", SWALLOWED);
        self.report.add_swallowed(row, &self.columns.fields(row.fields))
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

/// The same in each run, so that even two that are alike by chance are counted the same way again.
fn hash(facts: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    facts.hash(&mut hasher);
    hasher.finish()
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
