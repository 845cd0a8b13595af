//! Reading products, row by row.

use std::collections::HashSet;

use csv::StringRecord;
use tokio::sync::mpsc::Sender;

use super::cells;
use super::columns::Column;
use super::product::{Assembled, Reading, assemble};
use crate::import::report::{Outcome, Report, Reported};
use crate::import::source::{Row, Source};

/// Products per batch.
const BATCH: usize = 50;

/// The columns of the report.
pub(crate) const REPORTED: [&str; 7] = ["handle", "title", "option1", "option2", "sku", "price", "quantity"];

/// What was read.
pub(crate) struct Read {
    pub(crate) rows: u64,
    pub(crate) reported: Reported,
}

/// Reads all products and sends them in batches. Ends early when nobody takes them any more.
pub(crate) fn read(
    mut source: Source,
    reading: &Reading,
    report: Report,
    batches: &Sender<Vec<Assembled>>,
) -> anyhow::Result<Read> {
    let mut reader =
        Reader { reading, report, batches, batch: Vec::new(), rows: Vec::new(), handles: HashSet::new() };
    let mut count = 0;
    while let Some(row) = source.next()? {
        count += 1;
        if !reader.take(&row)? {
            break;
        }
    }
    reader.finish_product()?;
    reader.send();
    Ok(Read { rows: count, reported: reader.report.finish()? })
}

struct Reader<'a> {
    reading: &'a Reading,
    report: Report,
    batches: &'a Sender<Vec<Assembled>>,
    batch: Vec<Assembled>,
    /// Of the product that is being read.
    rows: Vec<(u64, StringRecord)>,
    /// Of the products that were read.
    handles: HashSet<String>,
}

impl Reader<'_> {
    /// Takes a row; false when nobody wants more.
    fn take(&mut self, whole: &Row<'_>) -> anyhow::Result<bool> {
        let Row { line, fields: row, is_text, is_swallowed, .. } = *whole;
        let columns = &self.reading.columns;
        if is_swallowed || cells::has_swallowed(columns, row) {
            self.report.add_swallowed(whole, &fields(self.reading, row))?;
            return Ok(true);
        }
        let fault = cells::fault(columns, row).filter(|_| is_text);
        if let Some(reason) = fault.or((!is_text).then_some("the row is not UTF-8 text")) {
            self.refuse(line, row, reason)?;
            return Ok(true);
        }
        let handle = self.reading.columns.get(row, Column::Handle);
        if handle.is_empty() {
            self.refuse(line, row, "there is no handle")?;
            return Ok(true);
        }
        let of_product =
            |(_, first): &(u64, StringRecord)| self.reading.columns.get(first, Column::Handle) == handle;
        if !self.rows.first().is_some_and(of_product) {
            self.finish_product()?;
        }
        if self.handles.contains(handle) {
            self.refuse(line, row, "the handle's other rows stand further up, with other products between")?;
        } else {
            self.rows.push((line, row.clone()));
        }
        Ok(self.batch.len() < BATCH || self.send())
    }

    fn finish_product(&mut self) -> anyhow::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let Some((_, first)) = rows.first() else { return Ok(()) };
        self.handles.insert(self.reading.columns.get(first, Column::Handle).to_owned());
        let records: Vec<&StringRecord> = rows.iter().map(|(_, row)| row).collect();
        let (assembled, remarks) = assemble(self.reading, &records);
        for (at, outcome, reason) in remarks {
            let (line, row) = &rows[at];
            self.report.add(*line, outcome, reason, &fields(self.reading, row))?;
        }
        self.batch.extend(assembled);
        Ok(())
    }

    fn refuse(&mut self, line: u64, row: &StringRecord, reason: &'static str) -> anyhow::Result<()> {
        self.report.add(line, Outcome::Refused, reason, &fields(self.reading, row))
    }

    fn send(&mut self) -> bool {
        self.batch.is_empty() || self.batches.blocking_send(std::mem::take(&mut self.batch)).is_ok()
    }
}

fn fields<'a>(reading: &Reading, row: &'a StringRecord) -> [&'a str; REPORTED.len()] {
    let columns = [
        Column::Handle,
        Column::Title,
        Column::OptionValue(0),
        Column::OptionValue(1),
        Column::Sku,
        Column::Price,
        Column::Quantity,
    ];
    columns.map(|column| reading.columns.get(row, column))
}
