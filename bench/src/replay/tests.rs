//! The rules on a few lines, and the facts of the file where it is there.

use std::collections::BTreeMap;
use std::path::Path;

use super::expected::{self, Expected};
use super::lines::Line;
use super::year::{Cancelled, Event, Year};

fn line(invoice: &str, customer: &str, code: &str, quantity: i64, price: i64) -> Line {
    Line {
        invoice: invoice.to_owned(),
        code: code.to_owned(),
        title: format!(" {code} "),
        quantity,
        price,
        customer: Some(customer.to_owned()).filter(|customer| !customer.is_empty()),
    }
}

fn few() -> Vec<Line> {
    vec![
        line("1", "ada", "LAMP", 3, 2_550),
        line("1", "ada", "LAMP", 2, 2_550),
        line("1", "ada", "LAMP", 1, 2_500),
        line("2", "", "LAMP", 4, 2_550),
        line("C3", "ada", "LAMP", -1, 2_550),
        line("4", "ada", "LAMP", 1, 2_550),
        line("5", "bob", "LAMP", 1, 2_550),
        line("5", "bob", "LAMP", -1, 2_550),
        line("6", "bob", "PADS", 7, 1),
        line("C7", "ada", "LAMP", -3, 2_550),
        line("C7", "ada", "LAMP", -5, 2_550),
        line("C8", "", "LAMP", -1, 2_550),
        line("C8", "bob", "LAMP", -1, 2_550),
        line("A9", "ada", "B", 1, -11_062_060),
    ]
}

#[test]
fn an_invoice_is_a_purchase_if_all_of_it_was_sold() {
    let year = Year::of(&few(), usize::MAX);
    let invoices: Vec<_> = year.purchases.iter().map(|purchase| purchase.invoice.as_str()).collect();
    assert_eq!(invoices, ["1", "2", "4", "6"], "neither cancellations nor adjustments nor what was mixed");
    let first = &year.purchases[0];
    assert_eq!(first.pieces.values().copied().collect::<Vec<_>>(), [5, 1], "one line for each price");
    assert_eq!(year.worth(&first.pieces), 5 * 255 + 250);
    assert_eq!(year.purchases[1].customer, None);
    assert_eq!(year.customers(), ["ada", "bob"]);
    assert_eq!(year.titles["LAMP"], "LAMP");
}

#[test]
fn a_cancellation_gives_back_what_its_customer_bought_last() {
    let year = Year::of(&few(), usize::MAX);
    let refunds: Vec<_> = year
        .refunds
        .iter()
        .map(|refund| (refund.invoice.as_str(), refund.purchase, refund.pieces.clone()))
        .collect();
    // Of five lamps one went back before the sixth was bought.
    let pieces = |quantity| BTreeMap::from([(0, quantity)]);
    assert_eq!(refunds, [("C3", 0, pieces(1)), ("C7", 0, pieces(4)), ("C7", 2, pieces(1))]);
    assert_eq!(year.whole, Cancelled { lines: 2, found: 4 * 255, missing: 0 });
    assert_eq!(year.partly, Cancelled { lines: 1, found: 2 * 255, missing: 3 * 255 });
    assert_eq!(
        year.unknown,
        Cancelled { lines: 2, found: 0, missing: 2 * 255 },
        "a guest's, and one of an invoice that was not replayed"
    );
    let expected = [
        Event::Buy(0),
        Event::Buy(1),
        Event::GiveBack(0),
        Event::Buy(2),
        Event::Buy(3),
        Event::GiveBack(1),
        Event::GiveBack(2),
    ];
    assert_eq!(year.events, expected);
}

#[test]
fn the_sum_of_the_lines_is_what_has_to_come_out() {
    let sum = expected::of(&few(), usize::MAX);
    let expected = Expected {
        invoices: 4,
        lines: 6,
        different: 5,
        units: 18,
        gross: 10 * 2_550 + 2_500 + 7,
        captured: 10 * 255 + 250,
        refunded: 6 * 255,
    };
    assert_eq!(sum, expected);
}

#[test]
fn a_part_of_the_year_ends_before_the_next_invoice() {
    for (most, refunded) in [(0, 0), (1, 0), (2, 255), (3, 255), (4, 6 * 255)] {
        let (year, sum) = (Year::of(&few(), most), expected::of(&few(), most));
        assert_eq!((year.purchases.len(), sum.invoices, sum.refunded), (most, most, refunded));
        let back: i64 = year.refunds.iter().map(|refund| year.worth(&refund.pieces)).sum();
        assert_eq!(back, sum.refunded, "two ways to find what goes back");
        let bought: i64 = year.purchases.iter().map(|purchase| year.worth(&purchase.pieces)).sum();
        assert_eq!(bought, sum.captured);
    }
}

/// The facts that whoever reads this file has to reproduce; read off it by other means.
#[test]
fn the_file_is_read_as_it_is() {
    let path = Path::new(super::DATA);
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return;
    }
    let lines = super::lines::open(path).unwrap();
    assert_eq!(lines.len(), 541_909);
    let all: i64 = lines.iter().map(|line| line.quantity * line.price).sum();
    assert_eq!(all, 9_747_747_934);
    let cancelled = lines.iter().filter(|line| line.invoice.starts_with('C'));
    assert_eq!(cancelled.map(|line| line.quantity * line.price).sum::<i64>(), -896_812_490);
    assert_eq!(lines.iter().filter(|line| line.price <= 0).count(), 2_517);
    let finer = lines.iter().filter(|line| line.price % 10 != 0).count();
    assert_eq!(finer, 4, "two prices, of four lines");

    let (sum, year) = (expected::of(&lines, usize::MAX), Year::of(&lines, usize::MAX));
    assert_eq!((sum.invoices, sum.lines, sum.gross), (19_906, 527_381, 10_561_626_354));
    assert_eq!((sum.different, year.wares.len(), year.titles.len()), (517_360, 15_305, 3_919));
    assert_eq!(sum.captured, 1_056_162_635);
    let bought: i64 = year.purchases.iter().map(|purchase| year.worth(&purchase.pieces)).sum();
    let back: i64 = year.refunds.iter().map(|refund| year.worth(&refund.pieces)).sum();
    assert_eq!((year.purchases.len(), bought, back), (sum.invoices, sum.captured, sum.refunded));
    assert_eq!(year.whole.lines + year.partly.lines + year.unknown.lines, 9_288);
    let missing = year.whole.missing + year.partly.missing + year.unknown.missing;
    assert_eq!(back + missing, 89_681_249, "what was cancelled goes back or is said not to");
}
