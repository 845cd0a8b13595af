//! The lines of the file, as they stand there.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;

/// A line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The invoice; one that begins with `C` cancels, one with `A` adjusts.
    pub(super) invoice: String,
    /// The stock code. `m` and `M` are two.
    pub(super) code: String,
    /// What it is; some lines say nothing.
    pub(super) title: String,
    /// Pieces; below zero what went back.
    pub(super) quantity: i64,
    /// What a piece costs, in thousandths of a pound: the file has two prices of a tenth of a penny.
    pub(super) price: i64,
    /// Who bought it; none is a guest.
    pub(super) customer: Option<String>,
}

impl Line {
    /// What a piece costs in pennies: to the nearest, halves away from zero.
    pub(super) const fn pence(&self) -> i64 {
        pence(self.price)
    }
}

/// Thousandths of a pound in pennies: to the nearest, halves away from zero.
pub(super) const fn pence(thousandths: i64) -> i64 {
    (thousandths + if thousandths < 0 { -5 } else { 5 }) / 10
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "InvoiceNo")]
    invoice: String,
    #[serde(rename = "StockCode")]
    code: String,
    #[serde(rename = "Description")]
    title: String,
    #[serde(rename = "Quantity")]
    quantity: i64,
    #[serde(rename = "UnitPrice")]
    price: String,
    #[serde(rename = "CustomerID")]
    customer: String,
}

/// Reads a gzipped file.
pub(super) fn open(path: &Path) -> anyhow::Result<Vec<Line>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    read(MultiGzDecoder::new(file)).with_context(|| path.display().to_string())
}

/// Reads lines, in their order.
///
/// # Errors
/// When it is not such a file, or a price has more than three decimals.
pub(super) fn read(from: impl Read) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (row, number) in csv::Reader::from_reader(from).into_deserialize().zip(2_u32..) {
        let row: Row = row?;
        let price =
            thousandths(&row.price).with_context(|| format!("line {number}: price {:?}", row.price))?;
        lines.push(Line {
            invoice: row.invoice,
            code: row.code,
            title: row.title,
            quantity: row.quantity,
            price,
            customer: Some(row.customer).filter(|customer| !customer.is_empty()),
        });
    }
    Ok(lines)
}

/// A decimal number in thousandths, exactly; none if it is no such number or has more decimals.
fn thousandths(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(decimals) || decimals.len() > 3 {
        return None;
    }
    let decimals: i64 = format!("{decimals:0<3}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(1_000)?.checked_add(decimals)?.checked_mul(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact() {
        for (text, expected) in [
            ("2.55", Some(2_550)),
            ("15.0", Some(15_000)),
            ("7", Some(7_000)),
            ("0.001", Some(1)),
            ("-11062.06", Some(-11_062_060)),
            ("0.0001", None),
            ("1e3", None),
            ("", None),
            (".5", None),
            ("1.-5", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(thousandths(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_price_is_rounded_to_the_nearest_penny() {
        for (price, pennies) in [(2_550, 255), (1, 0), (4, 0), (5, 1), (15, 2), (-5, -1), (-4, 0), (0, 0)] {
            assert_eq!(pence(price), pennies, "{price}");
        }
    }

    #[test]
    fn lines_are_read_with_what_is_missing_in_them() {
        let text = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
                    536365,85123A,\"LANTERN, WHITE\",6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n\
                    C536379,D,,-1,2010-12-01 09:41:00,27.5,,France\n";
        let lines = read(text.as_bytes()).unwrap();
        let first = Line {
            invoice: "536365".to_owned(),
            code: "85123A".to_owned(),
            title: "LANTERN, WHITE".to_owned(),
            quantity: 6,
            price: 2_550,
            customer: Some("17850".to_owned()),
        };
        let second = Line {
            invoice: "C536379".to_owned(),
            code: "D".to_owned(),
            title: String::new(),
            quantity: -1,
            price: 27_500,
            customer: None,
        };
        assert_eq!(lines, [first, second]);
        assert!(read("InvoiceNo,StockCode\n1,2\n".as_bytes()).is_err(), "columns are missing");
        let wrong = text.replace("2.55", "2.5555");
        assert!(format!("{:#}", read(wrong.as_bytes()).unwrap_err()).contains("line 2"));
    }
}
