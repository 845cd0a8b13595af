//! Counting what a file holds and what was made of it, so that nothing is lost on the way.

use std::collections::{BTreeMap, HashMap, HashSet};

use platform::Currency;
use rust_decimal::Decimal;

use super::line::{Kind, Line, Meaning};
use crate::import::amount;

/// Lines and what they come to, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) lines: u64,
    pub(crate) amount: Decimal,
}

impl Sum {
    fn add(&mut self, amount: Decimal) {
        self.lines += 1;
        self.amount += amount;
    }
}

/// Documents that were imported, their lines, and what these come to in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Booked {
    pub(crate) documents: u64,
    pub(crate) lines: u64,
    pub(crate) minor: i64,
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// All lines that can be read.
    pub(crate) source: Sum,
    /// Lines that can not be read.
    pub(crate) unreadable: u64,
    pub(crate) cancelled: Sum,
    pub(crate) adjusted: Sum,
    /// Lines with a price of zero or less.
    pub(crate) unpriced: u64,
    /// Lines outside cancellations with a quantity of zero or less.
    pub(crate) unmoved: u64,
    pub(crate) sales: Booked,
    pub(crate) returns: Booked,
    pub(crate) rejected: BTreeMap<&'static str, Sum>,
    /// What imported lines come to exactly, less what they were imported at.
    pub(crate) rounding: Decimal,
    invoices: HashMap<Box<str>, Invoice>,
    codes: HashSet<Box<str>>,
    customers: HashSet<Box<str>>,
    countries: HashSet<Box<str>>,
}

#[derive(Debug, Default)]
struct Invoice {
    sum: Sum,
    /// Whether a line was rejected.
    unclean: bool,
    /// Whether a line was imported.
    imported: bool,
}

/// What only the whole of the invoices tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Invoices {
    pub(crate) all: u64,
    pub(crate) cancellations: u64,
    pub(crate) adjustments: u64,
    /// Sales without a rejected line.
    pub(crate) clean: u64,
    pub(crate) clean_sum: Sum,
    pub(crate) longest: u64,
}

impl Tally {
    /// Counts a line. Gives whether its customer is new.
    pub(crate) fn take(&mut self, line: &Line<'_>) -> bool {
        let amount = line.amount();
        self.source.add(amount);
        entry(&mut self.invoices, line.invoice).sum.add(amount);
        let kind = Kind::of(line.invoice);
        match kind {
            Kind::Cancellation => self.cancelled.add(amount),
            Kind::Adjustment => self.adjusted.add(amount),
            Kind::Sale => {}
        }
        self.unpriced += u64::from(line.unit_price <= Decimal::ZERO);
        self.unmoved += u64::from(line.quantity <= 0 && kind != Kind::Cancellation);
        insert(&mut self.codes, line.code);
        insert(&mut self.countries, line.country);
        line.customer.is_some_and(|customer| insert(&mut self.customers, customer))
    }

    /// Counts a line that was imported at `minor` units.
    pub(crate) fn book(&mut self, line: &Line<'_>, meaning: Meaning, minor: i64, currency: Currency) {
        let invoice = entry(&mut self.invoices, line.invoice);
        let (booked, signed) = match meaning {
            Meaning::Return => (&mut self.returns, -minor),
            _ => (&mut self.sales, minor),
        };
        booked.documents += u64::from(!invoice.imported);
        booked.lines += 1;
        booked.minor += minor;
        invoice.imported = true;
        self.rounding += line.amount() - amount::major_units(signed, currency);
    }

    /// Counts a line that was not.
    pub(crate) fn reject(&mut self, line: &Line<'_>, reason: &'static str) {
        entry(&mut self.invoices, line.invoice).unclean = true;
        self.rejected.entry(reason).or_default().add(line.amount());
    }

    /// Counts a line that can not be read; its invoice, if it tells it, is not clean.
    pub(crate) fn reject_unreadable(&mut self, invoice: &str, reason: &'static str) {
        self.unreadable += 1;
        self.rejected.entry(reason).or_default().lines += 1;
        if !invoice.is_empty() {
            entry(&mut self.invoices, invoice).unclean = true;
        }
    }

    /// How many stock codes, customers and countries there are.
    pub(crate) fn names(&self) -> [usize; 3] {
        [self.codes.len(), self.customers.len(), self.countries.len()]
    }

    /// All that was rejected.
    pub(crate) fn rejected_sum(&self) -> Sum {
        self.rejected.values().fold(Sum::default(), |sum, more| Sum {
            lines: sum.lines + more.lines,
            amount: sum.amount + more.amount,
        })
    }

    /// Whether every line was imported or rejected, and their amounts with the rounding are the file's.
    pub(crate) fn adds_up(&self, currency: Currency) -> bool {
        let rejected = self.rejected_sum();
        let imported = amount::major_units(self.sales.minor - self.returns.minor, currency);
        self.source.lines + self.unreadable == self.sales.lines + self.returns.lines + rejected.lines
            && self.source.amount == imported + rejected.amount + self.rounding
    }

    /// What the invoices are.
    pub(crate) fn invoices(&self) -> Invoices {
        let mut invoices = Invoices::default();
        for (number, invoice) in &self.invoices {
            invoices.all += 1;
            invoices.longest = invoices.longest.max(invoice.sum.lines);
            match Kind::of(number) {
                Kind::Cancellation => invoices.cancellations += 1,
                Kind::Adjustment => invoices.adjustments += 1,
                Kind::Sale if !invoice.unclean => {
                    invoices.clean += 1;
                    invoices.clean_sum.lines += invoice.sum.lines;
                    invoices.clean_sum.amount += invoice.sum.amount;
                }
                Kind::Sale => {}
            }
        }
        invoices
    }
}

fn entry<'a>(invoices: &'a mut HashMap<Box<str>, Invoice>, number: &str) -> &'a mut Invoice {
    if !invoices.contains_key(number) {
        invoices.insert(number.into(), Invoice::default());
    }
    invoices.get_mut(number).expect("it is there now")
}

fn insert(set: &mut HashSet<Box<str>>, name: &str) -> bool {
    !set.contains(name) && set.insert(name.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    /// A sub-penny sale, its return, a gift and something unreadable: each is counted, and all add up.
    #[test]
    fn every_line_is_accounted_for() {
        let sale = Line {
            invoice: "1",
            code: "A",
            description: "",
            quantity: 3,
            at: datetime!(2010-12-01 08:26 UTC),
            unit_price: Decimal::new(335, 3),
            customer: Some("7"),
            country: "France",
        };
        let back = Line { invoice: "C1", quantity: -1, ..sale };
        let gift = Line { invoice: "2", unit_price: Decimal::ZERO, ..sale };
        let mut tally = Tally::default();
        assert_eq!([sale, back, gift].map(|line| tally.take(&line)), [true, false, false]);
        assert!(!tally.adds_up(Currency::GBP));
        tally.book(&sale, Meaning::Sale, 101, Currency::GBP);
        tally.book(&back, Meaning::Return, 34, Currency::GBP);
        tally.reject(&gift, "price of zero");
        tally.reject_unreadable("1", "odd");
        assert!(tally.adds_up(Currency::GBP));
        assert_eq!(tally.rounding, Decimal::ZERO);
        assert_eq!(tally.sales, Booked { documents: 1, lines: 1, minor: 101 });
        assert_eq!(tally.names(), [1, 1, 1]);
        let invoices = tally.invoices();
        assert_eq!((invoices.all, invoices.cancellations, invoices.clean), (3, 1, 0));
    }
}
