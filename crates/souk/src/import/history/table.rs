//! The table at the end: what the file holds, what was imported, and that the two agree.

use std::fmt::Write;

use platform::Currency;
use rust_decimal::Decimal;

use super::tally::Tally;
use super::writer::Written;
use crate::import::{amount, grouped};

/// The table as text.
pub(crate) fn table(tally: &Tally, products: usize, written: &Written, currency: Currency) -> String {
    let mut table = Table::default();
    source(&mut table, tally, currency);
    imported(&mut table, tally, products, written, currency);
    rejected(&mut table, tally);
    reconciled(&mut table, tally, currency);
    let new = &written.new;
    table.head("new in this run");
    let counts = [
        ("customers", new.customers),
        ("products", written.created),
        ("orders", new.orders),
        ("order lines", new.order_lines),
        ("returns", new.returns),
        ("return lines", new.return_lines),
        ("invoices that were there with other lines, and grew", new.grown.len() as u64),
        ("variants given opening stock", written.stocked),
        ("products that were there and changed", written.updated),
        ("products that were there and did not", written.unchanged),
    ];
    for (what, count) in counts {
        table.count(what, count);
    }
    table.0
}

fn source(table: &mut Table, tally: &Tally, currency: Currency) {
    let invoices = tally.invoices();
    let [codes, customers, countries] = tally.names().map(|count| count as u64);
    table.head(&format!("in the file (dates taken as UTC, amounts in {currency})"));
    table.count("lines", tally.source.lines + tally.unreadable);
    table.count("invoices", invoices.all);
    table.count("  of which cancellations (C)", invoices.cancellations);
    table.count("  of which adjustments (A)", invoices.adjustments);
    table.count("longest invoice, lines", invoices.longest);
    table.count("stock codes", codes);
    table.count("customers", customers);
    table.count("countries", countries);
    table.count("lines with a price of zero or less", tally.unpriced);
    table.count("lines outside cancellations with a quantity of zero or less", tally.unmoved);
    table.count("clean sales invoices", invoices.clean);
    table.amount("  their lines", invoices.clean_sum.lines, invoices.clean_sum.amount);
    table.amount("cancellations' lines", tally.cancelled.lines, tally.cancelled.amount);
    table.amount("adjustments' lines", tally.adjusted.lines, tally.adjusted.amount);
    table.amount("gross: all quantities times unit prices", tally.source.lines, tally.source.amount);
}

fn imported(table: &mut Table, tally: &Tally, products: usize, written: &Written, currency: Currency) {
    let [_, customers, _] = tally.names();
    table.head("imported");
    table.count("customers", customers as u64);
    table.count("products (stock codes that were sold or came back)", products as u64);
    table.count("  of which on sale", written.active);
    for (documents, lines, booked) in
        [("orders", "  their lines", tally.sales), ("returns", "  their lines", tally.returns)]
    {
        table.count(documents, booked.documents);
        table.amount(lines, booked.lines, amount::major_units(booked.minor, currency));
    }
}

fn rejected(table: &mut Table, tally: &Tally) {
    table.head("not imported, each in the report");
    for (reason, sum) in &tally.rejected {
        table.amount(reason, sum.lines, sum.amount);
    }
    let all = tally.rejected_sum();
    table.amount("all", all.lines, all.amount);
}

fn reconciled(table: &mut Table, tally: &Tally, currency: Currency) {
    let [sales, returns] =
        [tally.sales, tally.returns].map(|booked| amount::major_units(booked.minor, currency));
    let (rejected, rounding) = (tally.rejected_sum(), tally.rounding);
    let lines = tally.sales.lines + tally.returns.lines + rejected.lines;
    table.head("reconciled: each line is rounded by itself, halves away from zero");
    let amounts = [sales, -returns, rejected.amount, rounding].map(|amount| exact(amount, currency));
    let [sales, returns, rejected, rounding] = amounts;
    let gross = exact(tally.source.amount, currency);
    table.line(&format!("orders {sales}, returns {returns}, not imported {rejected}, rounding {rounding}"));
    table.line(&format!(
        "  together {gross}, the file's gross, and {} lines, all of the file's",
        grouped(lines)
    ));
}

#[derive(Default)]
struct Table(String);

impl Table {
    fn line(&mut self, text: &str) {
        writeln!(self.0, "{text}").expect("a string takes all text");
    }

    fn head(&mut self, text: &str) {
        self.line(&format!("\n{text}"));
    }

    fn count(&mut self, what: &str, count: u64) {
        self.line(&format!("  {what:<60} {:>9}", grouped(count)));
    }

    fn amount(&mut self, what: &str, lines: u64, amount: Decimal) {
        self.line(&format!("  {what:<60} {:>9} {:>16}", grouped(lines), thousands(amount)));
    }
}

/// With at least the currency's decimals.
fn exact(amount: Decimal, currency: Currency) -> String {
    let mut amount = amount.normalize();
    if amount.scale() < currency.exponent() {
        amount.rescale(currency.exponent());
    }
    thousands(amount)
}

/// `-896812.490` is `-896,812.49`.
fn thousands(amount: Decimal) -> String {
    let text = amount.normalize().abs().to_string();
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    let sign = if amount.is_sign_negative() && !amount.is_zero() { "-" } else { "" };
    format!("{sign}{whole}.{decimals:0<2}")
}
