//! Statements as CSV.

use csv::Writer;

use super::{Statement, decimal};
use crate::Error;
use time::format_description::well_known::Rfc3339;

const HEAD: [&str; 10] =
    ["date", "kind", "rule", "reference", "payment", "transaction", "amount", "balance", "currency", "note"];

/// One row for each line, with the opening balance before and the closing one behind those of each statement.
pub(super) fn render(statements: &[Statement]) -> Result<Vec<u8>, Error> {
    let mut writer = Writer::from_writer(Vec::new());
    let broken = |error: csv::Error| Error::Unprintable(error.to_string());
    writer.write_record(HEAD).map_err(broken)?;
    for statement in statements {
        let currency = statement.opening.currency.code();
        let balance = |kind, at: Option<time::OffsetDateTime>, money| {
            let at = at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default();
            [
                at,
                kind,
                String::new(),
                String::new(),
                String::new(),
                String::new(),
                String::new(),
                decimal(money),
            ]
            .map(|text: String| text)
            .into_iter()
            .chain([currency.to_owned(), String::new()])
            .collect::<Vec<_>>()
        };
        writer
            .write_record(balance("opening_balance".to_owned(), statement.from, statement.opening))
            .map_err(broken)?;
        for line in &statement.lines {
            let row = [
                line.occurred_at.format(&Rfc3339).unwrap_or_default(),
                line.kind.clone(),
                line.rule.as_str().to_owned(),
                line.reference.to_string(),
                line.payment_id.map(|id| id.to_string()).unwrap_or_default(),
                line.transaction.to_string(),
                decimal(line.amount),
                decimal(line.balance),
                currency.to_owned(),
                harmless(line.memo.as_deref().unwrap_or_default()),
            ];
            writer.write_record(row).map_err(broken)?;
        }
        writer
            .write_record(balance("closing_balance".to_owned(), statement.to, statement.closing))
            .map_err(broken)?;
    }
    writer.into_inner().map_err(|error| Error::Unprintable(error.to_string()))
}

/// What somebody wrote, so that no spreadsheet takes it for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::example;
    use super::*;
    use crate::ledger::Rule;

    #[test]
    fn is_read_back() {
        let pounds = example("GBP", &[(Rule::Sale, 1000), (Rule::AdjustmentToStore, 5)]);
        let dinars = example("KWD", &[(Rule::Sale, 1500), (Rule::Refund, -1)]);
        let bytes = render(&[pounds, dinars]).unwrap();
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        assert_eq!(reader.headers().unwrap(), &HEAD[..]);
        let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
        let column = |place: usize| rows.iter().map(|row| row[place].to_owned()).collect::<Vec<_>>();
        assert_eq!(column(6), ["", "10.00", "0.05", "", "", "1.500", "-0.001", ""]);
        assert_eq!(column(7), ["2.50", "12.50", "12.55", "12.55", "0.250", "1.750", "1.749", "1.749"]);
        assert_eq!(column(8)[..4], ["GBP"; 4]);
        assert_eq!(&rows[2][9], "'=goodwill, for \"Łódź\"", "no formula");
        assert_eq!(&rows[1][0], "2026-03-02T11:00:00Z");
    }
}
