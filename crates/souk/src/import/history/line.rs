//! One line of an invoice: what stands in it and what it means.

use csv::StringRecord;
use rust_decimal::Decimal;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::import::amount;
use crate::import::cell::{LONGEST, has_control, has_line_break, is_longer};

/// The columns of the Online Retail data set, in its order.
pub(crate) const COLUMNS: [&str; 8] = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
];
/// Above this, or with more decimals than six, a unit price is taken for a mistake; sums of others are exact.
const DEAREST: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);
const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// Where the columns of a file are.
#[derive(Debug)]
pub(crate) struct Columns {
    at: [usize; COLUMNS.len()],
    count: usize,
}

/// A line that can be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) invoice: &'a str,
    pub(crate) code: &'a str,
    pub(crate) description: &'a str,
    pub(crate) quantity: i32,
    pub(crate) at: OffsetDateTime,
    pub(crate) unit_price: Decimal,
    pub(crate) customer: Option<&'a str>,
    pub(crate) country: &'a str,
}

/// What an invoice is, by the letter before its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No letter: a sale.
    Sale,
    /// `C`: goods came back, or a sale was undone.
    Cancellation,
    /// `A`: the books were adjusted.
    Adjustment,
}

/// What is made of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A line of an order.
    Sale,
    /// A line of a return.
    Return,
    /// Nothing, and why.
    Rejected(&'static str),
}

impl Columns {
    /// Finds them in the header, in any order.
    pub(crate) fn of(header: &StringRecord) -> anyhow::Result<Self> {
        let mut at = [0; COLUMNS.len()];
        for (at, name) in at.iter_mut().zip(COLUMNS) {
            let found = header.iter().position(|header| header.trim().eq_ignore_ascii_case(name));
            *at = found.ok_or_else(|| anyhow::anyhow!("the file has no column {name:?}"))?;
        }
        Ok(Self { at, count: header.len() })
    }

    /// The fields of a row in the order of [`COLUMNS`].
    pub(crate) fn fields<'a>(&self, row: &'a StringRecord) -> [&'a str; COLUMNS.len()] {
        self.at.map(|at| row.get(at).unwrap_or_default())
    }

    /// Whether a cell goes over several lines: none does when all quotes are closed.
    pub(crate) fn has_swallowed(&self, row: &StringRecord) -> bool {
        self.fields(row).iter().any(|text| has_line_break(text.trim()))
    }

    /// Reads a row.
    ///
    /// # Errors
    /// Says why it can not be read.
    pub(crate) fn read<'a>(&self, row: &'a StringRecord) -> Result<Line<'a>, &'static str> {
        if row.len() != self.count {
            return Err("the row has more or fewer fields than the header");
        }
        let [invoice, code, description, quantity, at, unit_price, customer, country] =
            self.fields(row).map(str::trim);
        if invoice.is_empty() {
            return Err("there is no invoice number");
        }
        if code.is_empty() {
            return Err("there is no stock code");
        }
        for (text, too_long) in [
            (invoice, "the invoice number is longer than 255 characters"),
            (code, "the stock code is longer than 255 characters"),
            (description, "the description is longer than 255 characters"),
            (customer, "the customer's number is longer than 255 characters"),
            (country, "the country is longer than 255 characters"),
        ] {
            if is_longer(text, LONGEST) {
                return Err(too_long);
            }
            if has_control(text) {
                return Err("a number or a name has a control character");
            }
        }
        let quantity = amount::whole(quantity).and_then(|quantity| i32::try_from(quantity).ok());
        // The least number has no positive counterpart.
        let quantity =
            quantity.filter(|quantity| *quantity != i32::MIN).ok_or("the quantity is not a whole number")?;
        let at = PrimitiveDateTime::parse(at, DATE)
            .map_err(|_| "the date is not one such as 2010-12-01 08:26:00")?
            .assume_utc();
        let unit_price = amount::decimal(unit_price).ok_or("the unit price is not a number such as 2.55")?;
        if unit_price.abs() > DEAREST || unit_price.normalize().scale() > 6 {
            return Err("the unit price is above a billion or has more than six decimals");
        }
        let customer = (!customer.is_empty()).then_some(customer);
        Ok(Line { invoice, code, description, quantity, at, unit_price, customer, country })
    }
}

impl Kind {
    /// The kind of an invoice of this number.
    pub(crate) fn of(invoice: &str) -> Self {
        match invoice.as_bytes().first() {
            Some(b'C' | b'c') => Self::Cancellation,
            Some(b'A' | b'a') => Self::Adjustment,
            _ => Self::Sale,
        }
    }
}

impl Line<'_> {
    /// What the line means.
    pub(crate) fn meaning(&self) -> Meaning {
        let (quantity, price) = (self.quantity.signum(), self.unit_price.cmp(&Decimal::ZERO) as i8);
        match (Kind::of(self.invoice), quantity, price) {
            (Kind::Adjustment, ..) => Meaning::Rejected("adjustment"),
            (Kind::Cancellation, -1, 1) => Meaning::Return,
            (Kind::Cancellation, 0 | 1, _) => {
                Meaning::Rejected("cancellation of a quantity that is not negative")
            }
            (Kind::Cancellation, ..) => Meaning::Rejected("cancellation at a price of zero or less"),
            (Kind::Sale, 1, 1) => Meaning::Sale,
            (Kind::Sale, -1, 0) => Meaning::Rejected("stock write-off: negative quantity at no price"),
            (Kind::Sale, -1, _) => Meaning::Rejected("negative quantity outside a cancellation"),
            (Kind::Sale, 0, _) => Meaning::Rejected("quantity of zero"),
            (Kind::Sale, _, 0) => Meaning::Rejected("price of zero"),
            (Kind::Sale, ..) => Meaning::Rejected("negative price"),
        }
    }

    /// Quantity times unit price, exactly.
    pub(crate) fn amount(&self) -> Decimal {
        Decimal::from(self.quantity) * self.unit_price
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Columns {
        Columns::of(&COLUMNS.to_vec().into()).unwrap()
    }

    fn row(invoice: &str, quantity: &str, price: &str) -> StringRecord {
        vec![invoice, "85123A", "HEART ", quantity, "2010-12-01 08:26:00", price, "", "France"].into()
    }

    #[test]
    fn reads_a_line() {
        let row = row("536365", "6", "2.55");
        let line = columns().read(&row).unwrap();
        assert_eq!((line.description, line.customer, line.country), ("HEART", None, "France"));
        assert_eq!(line.at, time::macros::datetime!(2010-12-01 08:26 UTC));
        assert_eq!(line.amount(), Decimal::new(1530, 2));
    }

    #[test]
    fn tells_what_a_line_means() {
        for (invoice, quantity, price, meaning) in [
            ("536365", "6", "2.55", Meaning::Sale),
            ("536365", "6", "0.001", Meaning::Sale),
            ("C536379", "-1", "27.50", Meaning::Return),
            ("C536379", "1", "27.50", Meaning::Rejected("cancellation of a quantity that is not negative")),
            ("C536379", "-1", "0", Meaning::Rejected("cancellation at a price of zero or less")),
            ("A563185", "1", "11062.06", Meaning::Rejected("adjustment")),
            ("A563186", "1", "-11062.06", Meaning::Rejected("adjustment")),
            ("536414", "56", "0.0", Meaning::Rejected("price of zero")),
            ("536589", "-10", "0", Meaning::Rejected("stock write-off: negative quantity at no price")),
            ("536589", "-10", "1", Meaning::Rejected("negative quantity outside a cancellation")),
            ("536589", "0", "1", Meaning::Rejected("quantity of zero")),
            ("536589", "1", "-1", Meaning::Rejected("negative price")),
        ] {
            let row = row(invoice, quantity, price);
            assert_eq!(columns().read(&row).unwrap().meaning(), meaning, "{invoice} {quantity} {price}");
        }
    }

    #[test]
    fn says_why_a_line_can_not_be_read() {
        for (row, reason) in [
            (row("", "1", "1"), "there is no invoice number"),
            (row("1", "1.5", "1"), "the quantity is not a whole number"),
            (row("1", "-2147483648", "1"), "the quantity is not a whole number"),
            (row("1", "1", "1,5"), "the unit price is not a number such as 2.55"),
            (
                row("1", "1", "1000000000.01"),
                "the unit price is above a billion or has more than six decimals",
            ),
            (row("1", "1", "0.0000001"), "the unit price is above a billion or has more than six decimals"),
            (row(&"1".repeat(256), "1", "1"), "the invoice number is longer than 255 characters"),
            (row("1\u{7}", "1", "1"), "a number or a name has a control character"),
            (vec!["1", "2"].into(), "the row has more or fewer fields than the header"),
            (
                vec!["1", "2", "", "1", "01/12/2010 08:26", "1", "", ""].into(),
                "the date is not one such as 2010-12-01 08:26:00",
            ),
        ] {
            assert_eq!(columns().read(&row).unwrap_err(), reason);
        }
    }
}
