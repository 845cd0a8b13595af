#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use platform::Currency;
use proptest::prelude::*;
use time::Duration;
use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-06-10 12:00 UTC);
const SINCE: OffsetDateTime = datetime!(2026-06-07 12:00 UTC);
const OLD: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

fn line(amount: i64, fee: i64) -> Line {
    Line { amount: Money::new(amount, Currency::GBP), fee, conflicting: false, seen_at: NOW }
}

fn entry(part: Part, amount: i64) -> Entry {
    Entry { part, amount: Money::new(amount, Currency::GBP), posted_at: NOW }
}

fn amount(amount: i64) -> Entry {
    entry(Part::Amount, amount)
}

fn fee(fee: i64) -> Entry {
    entry(Part::Fee, -fee)
}

fn case(lines: Vec<Line>, entries: Vec<Entry>) -> Case {
    Case { movement: LineKind::Charge, known: true, done: 0, lines, entries }
}

/// The same, long ago.
fn aged(mut case: Case) -> Case {
    case.lines.iter_mut().for_each(|line| line.seen_at = OLD);
    case.entries.iter_mut().for_each(|entry| entry.posted_at = OLD);
    case
}

fn outcomes(case: &Case) -> Vec<Outcome> {
    judge(case, SINCE).into_iter().map(|verdict| verdict.outcome).collect()
}

/// What it is at first, and what it is when nothing came for long.
fn twice(case: Case) -> (Vec<Outcome>, Vec<Outcome>) {
    (outcomes(&case), outcomes(&aged(case)))
}

fn now_and_later(first: Outcome, later: ExceptionKind) -> (Vec<Outcome>, Vec<Outcome>) {
    (vec![first], vec![Differs(later)])
}

fn at_once(kind: ExceptionKind) -> (Vec<Outcome>, Vec<Outcome>) {
    now_and_later(Differs(kind), kind)
}

#[test]
fn what_is_equal_is_matched() {
    for case in [
        case(vec![line(1000, 35)], vec![amount(1000), fee(35)]),
        case(vec![line(-1000, 0)], vec![amount(-1000)]),
        case(vec![line(-1000, 1500)], vec![amount(-1000), fee(1500)]),
        case(vec![line(0, 20)], vec![fee(20)]),
        case(vec![line(0, 0)], vec![]),
    ] {
        assert_eq!(twice(case), (vec![Matched], vec![Matched]));
    }
}

#[test]
fn what_may_be_late_waits_for_its_time() {
    assert_eq!(twice(case(vec![line(1000, 35)], vec![])), now_and_later(Waits, MissingInLedger));
    assert_eq!(twice(case(vec![], vec![amount(1000), fee(35)])), now_and_later(Waits, MissingAtProvider));
    assert_eq!(twice(case(vec![line(1000, 35)], vec![amount(1000)])), now_and_later(Waits, FeeDiffers));
    assert_eq!(twice(case(vec![line(1000, 35)], vec![fee(35)])), now_and_later(Waits, MissingInLedger));
    for movement in [LineKind::RefundFailed, LineKind::PayoutFailed] {
        let back = Case { movement, ..case(vec![line(1000, 0)], vec![]) };
        assert_eq!(twice(back), now_and_later(Waits, CameBack));
    }
    let unknown = Case { known: false, ..case(vec![line(1000, 35)], vec![]) };
    assert_eq!(twice(unknown), now_and_later(Waits, UnknownToSouk));
}

#[test]
fn what_can_not_be_late_is_told_at_once() {
    assert_eq!(twice(case(vec![line(1000, 35)], vec![amount(999), fee(35)])), at_once(AmountDiffers));
    assert_eq!(twice(case(vec![line(1000, 35)], vec![amount(1000), fee(36)])), at_once(FeeDiffers));
    assert_eq!(twice(case(vec![line(1000, 35)], vec![amount(-1000), fee(35)])), at_once(DirectionDiffers));
    let mut foreign = amount(1000);
    foreign.amount.currency = "EUR".parse().unwrap();
    assert_eq!(twice(case(vec![line(1000, 0)], vec![foreign])), at_once(CurrencyDiffers));
    let other = Case { movement: LineKind::Other, known: false, ..case(vec![line(-70, 0)], vec![]) };
    assert_eq!(twice(other), at_once(OtherMovement));
    let conflicting = Line { conflicting: true, ..line(1000, 35) };
    assert_eq!(twice(case(vec![conflicting.clone()], vec![])), at_once(ReferenceDiffers));
    let both = case(vec![conflicting], vec![amount(1000), fee(35)]);
    assert_eq!(twice(both), at_once(ReferenceDiffers), "also if the amounts agree");
}

#[test]
fn what_is_told_again_is_told_apart_from_what_is_missing() {
    let again = case(vec![line(1000, 35), line(1000, 35)], vec![amount(1000), fee(35)]);
    assert_eq!(outcomes(&again), [Matched, Differs(DuplicateAtProvider)]);
    let again = case(vec![line(1000, 35)], vec![amount(1000), fee(35), amount(1000)]);
    assert_eq!(outcomes(&again), [Matched, Differs(DuplicateInLedger)]);
    let done = Case { done: 1, ..case(vec![line(1000, 35)], vec![]) };
    assert_eq!(outcomes(&done), [Differs(DuplicateAtProvider)]);
    let done = Case { done: 1, ..case(vec![], vec![amount(1000), fee(35)]) };
    assert_eq!(outcomes(&done), [Differs(DuplicateInLedger)]);
    let done = Case { done: 1, ..case(vec![], vec![fee(35)]) };
    assert_eq!(outcomes(&done), [Differs(FeeDiffers)], "the provider kept nothing");
    let both = case(vec![line(1000, 35), line(1000, 35)], vec![]);
    assert_eq!(outcomes(&both), [Waits, Differs(DuplicateAtProvider)]);
}

/// A line that is a little off does not take the entry away from the one that is equal.
#[test]
fn what_is_equal_is_matched_first() {
    let case = case(vec![line(999, 35), line(1000, 35)], vec![amount(1000), fee(35)]);
    let verdicts = judge(&case, SINCE);
    assert_eq!(verdicts[0], Verdict { line: Some(1), entries: vec![0, 1], outcome: Matched });
    assert_eq!(
        verdicts[1],
        Verdict { line: Some(0), entries: vec![], outcome: Differs(DuplicateAtProvider) }
    );
}

fn any_case() -> impl Strategy<Value = Case> {
    let currency = prop_oneof![Just(Currency::GBP), Just("EUR".parse::<Currency>().unwrap())];
    let money = (prop_oneof![Just(0_i64), Just(1000), Just(-1000), Just(990)], currency)
        .prop_map(|(a, c)| Money::new(a, c));
    let age = prop_oneof![Just(Duration::ZERO), Just(Duration::days(9))];
    let lines = (money.clone(), prop_oneof![Just(0_i64), Just(35)], any::<bool>(), age.clone())
        .prop_map(|(amount, fee, conflicting, age)| Line { amount, fee, conflicting, seen_at: NOW - age });
    let entries = (money, any::<bool>(), age).prop_map(|(amount, is_fee, age)| match is_fee {
        true => Entry { part: Part::Fee, amount: Money::new(-35, amount.currency), posted_at: NOW - age },
        false => Entry { part: Part::Amount, amount, posted_at: NOW - age },
    });
    (prop::collection::vec(lines, 0..5), prop::collection::vec(entries, 0..6), any::<bool>(), 0..2_usize)
        .prop_map(|(lines, entries, known, done)| Case {
            movement: LineKind::Charge,
            known,
            done,
            lines,
            entries,
        })
}

proptest! {
    /// Nothing is left out, nothing is counted twice, and what is matched is equal to the minor unit.
    #[test]
    fn everything_gets_one_verdict(case in any_case()) {
        let verdicts = judge(&case, SINCE);
        let mut lines: Vec<usize> = verdicts.iter().filter_map(|verdict| verdict.line).collect();
        lines.sort_unstable();
        prop_assert_eq!(lines, (0..case.lines.len()).collect::<Vec<_>>());
        let mut entries: Vec<usize> = verdicts.iter().flat_map(|verdict| verdict.entries.clone()).collect();
        entries.sort_unstable();
        prop_assert_eq!(entries, (0..case.entries.len()).collect::<Vec<_>>());
        for verdict in verdicts.iter().filter(|verdict| verdict.outcome == Matched) {
            let line = &case.lines[verdict.line.unwrap()];
            prop_assert!(!line.conflicting);
            let sum = |part| -> i64 {
                let of_it = verdict.entries.iter().map(|at| &case.entries[*at]);
                of_it.filter(|entry| entry.part == part).map(|entry| entry.amount.amount).sum()
            };
            prop_assert_eq!((sum(Part::Amount), sum(Part::Fee)), (line.amount.amount, -line.fee));
            let same = |at: &usize| case.entries[*at].amount.currency == line.amount.currency;
            prop_assert!(verdict.entries.iter().all(same));
        }
    }

    /// After its time nothing waits any more.
    #[test]
    fn nothing_waits_for_ever(case in any_case()) {
        prop_assert!(!outcomes(&aged(case)).contains(&Waits));
    }

    /// Books that say the same agree, in whatever order they say it.
    #[test]
    fn equal_books_agree(lines in prop::collection::vec((1..4_i64, 0..3_i64), 1..6), turn in 0..6_usize) {
        let lines: Vec<Line> = lines.into_iter().map(|(amount, fee)| line(amount, fee)).collect();
        let entries = lines.iter().flat_map(|line| {
            let fee = (line.fee != 0).then(|| fee(line.fee));
            std::iter::once(amount(line.amount.amount)).chain(fee)
        });
        let mut entries: Vec<Entry> = entries.collect();
        let turn = turn % entries.len();
        entries.rotate_left(turn);
        let count = lines.len();
        prop_assert_eq!(outcomes(&case(lines, entries)), vec![Matched; count]);
    }
}
