//! What is told of a replay.

use std::fmt::Write;

use super::Run;
use super::expected::Expected;
use super::year::{Cancelled, Year};
use crate::latency::Summary;
use crate::load::{number, per};
use crate::table::{Table, milliseconds, thousands};

/// Pennies as pounds.
pub(super) fn pounds(pennies: i64) -> String {
    let (whole, rest) = (pennies.unsigned_abs() / 100, pennies.unsigned_abs() % 100);
    let mut digits = whole.to_string();
    let mut place = digits.len();
    while place > 3 {
        place -= 3;
        digits.insert(place, ',');
    }
    format!("{}{digits}.{rest:02}", if pennies < 0 { "-" } else { "" })
}

/// Prints what is in the file.
pub(super) fn file(year: &Year, expected: &Expected) {
    let rounding = expected.captured * 10 - expected.gross;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} clean invoices of {} customers and {} guests: {} lines, {} with those of one stock code and price as one, \
         {} pieces, {} stock codes at {} prices.",
        whole(expected.invoices),
        whole(year.customers().len()),
        whole(year.purchases.iter().filter(|purchase| purchase.customer.is_none()).count()),
        whole(expected.lines),
        whole(expected.different),
        thousands(number(expected.units.unsigned_abs())),
        whole(year.titles.len()),
        whole(year.wares.len()),
    );
    let _ = writeln!(
        text,
        "They come to {}{} GBP, and to {} with prices in pennies: rounding makes {}0.{:03} GBP of difference.\n",
        pounds(expected.gross / 10),
        expected.gross % 10,
        pounds(expected.captured),
        if rounding < 0 { "-" } else { "" },
        rounding.unsigned_abs(),
    );
    let mut table = Table::new(&["lines of cancellations", "lines", "given back GBP", "not given back GBP"]);
    let cancelled = [
        ("whose purchase was found", year.whole),
        ("with fewer pieces left than cancelled", year.partly),
        ("whose purchase was not found", year.unknown),
    ];
    for (what, Cancelled { lines, found, missing }) in cancelled {
        table.row([what.to_owned(), whole(lines), pounds(found), pounds(missing)]);
    }
    println!("{text}{}", table.text());
}

/// Prints how fast it was.
pub(super) fn speed(run: &Run) {
    let mut table = Table::new(&["", "number", "per s", "p50 ms", "p95 ms", "p99 ms", "longest ms"]);
    let row = |what: &str, of: &Summary| {
        let count = number(u64::try_from(of.count).unwrap_or(u64::MAX));
        [
            what.to_owned(),
            thousands(count),
            format!("{:.1}", count / run.seconds),
            milliseconds(of.p50),
            milliseconds(of.p95),
            milliseconds(of.p99),
            milliseconds(of.longest),
        ]
    };
    table.row(row("logins", &run.logins));
    table.row(row("items put into a basket", &run.adds));
    table.row(row("orders, paid", &run.orders));
    table.row(row("purchases, from the first item on", &run.purchases));
    table.row(row("refunds", &run.refunds));
    let orders = u64::try_from(run.orders.count).unwrap_or(u64::MAX);
    println!(
        "Played in {:.1} s at {} connections; at rest {:.1} s later. Lines/s {:.0}. CPU per order: server {:.1} ms, \
         postgres {:.1} ms, generator {:.1} ms. Requests sent again: {}. Refunds that were not at their end when \
         answered: {}.\n\n{}",
        run.seconds,
        run.connections,
        run.rest,
        number(u64::try_from(run.lines).unwrap_or(u64::MAX)) / run.seconds,
        run.server_cpu * 1_000.0 / per(orders),
        run.postgres_cpu * 1_000.0 / per(orders),
        run.generator_cpu * 1_000.0 / per(orders),
        run.repeated,
        run.late_refunds,
        table.text()
    );
    let mut table = Table::new(&["in the ledger after", "number", "p50 s", "p95 s", "longest s"]);
    for lag in &run.lag {
        let seconds = [lag.p50, lag.p95, lag.longest].map(|seconds| format!("{seconds:.2}"));
        let count = thousands(number(lag.count.unsigned_abs()));
        table.row([lag.kind.clone(), count].into_iter().chain(seconds));
    }
    println!("{}", table.text());
}

/// Prints what stands in each of the books beside what has to be there; what differs.
pub(super) fn books(year: &Year, expected: &Expected, run: &Run) -> Vec<String> {
    let books = &run.books;
    let (mut table, mut wrong) = (Table::new(&["", "in the file", "in Souk"]), Vec::new());
    let mut compare = |what: &str, expected: i64, found: i64, shown: fn(i64) -> String| {
        table.row([what.to_owned(), shown(expected), shown(found)]);
        if expected != found {
            wrong.push(format!("{what}: {} in the file, {} in Souk", shown(expected), shown(found)));
        }
    };
    let int = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let count: fn(i64) -> String = |count| {
        let text = thousands(number(count.unsigned_abs()));
        if count < 0 { format!("-{text}") } else { text }
    };
    compare("orders answered as paid", int(expected.invoices), int(run.orders.count), count);
    compare("orders paid", int(expected.invoices), books.orders, count);
    compare("payments captured", int(expected.invoices), books.payments, count);
    compare("lines of orders", int(expected.different), books.lines, count);
    compare("pieces in them", expected.units, books.units, count);
    compare("pieces gone from the stock", expected.units, books.gone, count);
    compare("captured: answers of the API", expected.captured, run.captured, pounds);
    compare("captured: orders", expected.captured, books.orders_total, pounds);
    compare("captured: payments", expected.captured, books.captured, pounds);
    compare("captured: the provider's books", expected.captured, books.provider_captured, pounds);
    compare("captured: sales in the ledger", expected.captured, books.ledger_sales, pounds);
    compare("refunds", int(year.refunds.len()), books.refunds, count);
    compare("refunded: answers of the API", expected.refunded, run.refunded, pounds);
    compare("refunded: orders", expected.refunded, books.orders_refunded, pounds);
    compare("refunded: payments", expected.refunded, books.payments_refunded, pounds);
    compare("refunded: refunds", expected.refunded, books.refunded, pounds);
    compare("refunded: the provider's books", expected.refunded, books.provider_refunded, pounds);
    compare("refunded: the ledger", expected.refunded, books.ledger_refunds, pounds);
    compare(
        "left at the provider, with its fees: the ledger by the API",
        expected.captured - expected.refunded,
        run.kept,
        pounds,
    );
    compare("currencies whose entries do not sum to zero", 0, books.ledger_unbalanced, count);
    println!("{}", table.text());
    println!(
        "{} ledger transactions; the marketplace kept {} GBP of commission after refunds.\n",
        thousands(number(books.ledger_transactions.unsigned_abs())),
        pounds(books.commission)
    );
    wrong
}

fn whole(count: usize) -> String {
    thousands(number(u64::try_from(count).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pounds_have_two_decimals_and_commas() {
        for (pennies, text) in [
            (0, "0.00"),
            (5, "0.05"),
            (-123_456, "-1,234.56"),
            (1_056_162_635, "10,561,626.35"),
            (10_000, "100.00"),
        ] {
            assert_eq!(pounds(pennies), text);
        }
    }
}
