//! Comparing what both books say of one thing. Pure: the same rows always give the same verdicts, whoever asks and however
//! often. There is no tolerance: what is not equal to the minor unit differs.

use platform::Money;
use time::OffsetDateTime;

use super::ExceptionKind;
use super::movement::Part;
use crate::provider::LineKind;

/// A line of the provider's, that no entry was matched with yet.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Before the fee.
    pub(super) amount: Money,
    pub(super) fee: i64,
    /// Whether it bears the names of different things.
    pub(super) conflicting: bool,
    /// When Souk read it.
    pub(super) seen_at: OffsetDateTime,
}

/// An entry on the provider's account, that was matched with no line yet.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) part: Part,
    pub(super) amount: Money,
    pub(super) posted_at: OffsetDateTime,
}

/// All that is said of one thing and not matched yet, each in the order in which it was said.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) movement: LineKind,
    /// Whether Souk knows what it is.
    pub(super) known: bool,
    /// How many of its lines are matched, or were resolved by somebody.
    pub(super) done: usize,
    pub(super) lines: Vec<Line>,
    pub(super) entries: Vec<Entry>,
}

/// What is to be made of a line, of entries, or of both together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Its place among the lines.
    pub(super) line: Option<usize>,
    /// Their places among the entries: the amount first, then the fee.
    pub(super) entries: Vec<usize>,
    pub(super) outcome: Outcome,
}

/// What a verdict says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Both books say the same.
    Matched,
    /// The other book may still say so.
    Waits,
    /// They differ.
    Differs(ExceptionKind),
}

use ExceptionKind::{
    AmountDiffers, CameBack, CurrencyDiffers, DirectionDiffers, DuplicateAtProvider, DuplicateInLedger,
    FeeDiffers, MissingAtProvider, MissingInLedger, OtherMovement, ReferenceDiffers, UnknownToSouk,
};
use Outcome::{Differs, Matched, Waits};

/// Judges a case: what is equal is matched first, the rest is told in pairs, and what is left over alone. What was said
/// after `since` may still be joined by the other book.
pub(super) fn judge(case: &Case, since: OffsetDateTime) -> Vec<Verdict> {
    let of_part = |part| (0..case.entries.len()).filter(move |at| case.entries[*at].part == part).collect();
    let mut left = Left { case, amounts: of_part(Part::Amount), fees: of_part(Part::Fee) };
    let mut verdicts = Vec::with_capacity(case.lines.len().max(case.entries.len()));
    let mut unequal = Vec::new();
    for (at, line) in case.lines.iter().enumerate() {
        match left.take_equal(line) {
            Some(entries) => verdicts.push(Verdict { line: Some(at), entries, outcome: Matched }),
            None => unequal.push(at),
        }
    }
    let mut told = case.done + verdicts.len();
    for at in unequal {
        let line = &case.lines[at];
        let waits = line.seen_at > since;
        let (amount, fee) = left.take_next(Some(line));
        let outcome = match (amount, fee) {
            (None, None) => alone(case, line, told > 0, waits),
            _ => compare(line, amount.map(|at| &case.entries[at]), fee.map(|at| &case.entries[at]), waits),
        };
        verdicts.push(Verdict { line: Some(at), entries: amount.into_iter().chain(fee).collect(), outcome });
        told += 1;
    }
    loop {
        let (amount, fee) = left.take_next(None);
        let Some(first) = amount.or(fee) else { return verdicts };
        let outcome = match (amount, told > 0) {
            (Some(_), true) => Differs(DuplicateInLedger),
            (None, true) => Differs(FeeDiffers),
            _ if case.entries[first].posted_at > since => Waits,
            _ => Differs(MissingAtProvider),
        };
        told += usize::from(amount.is_some());
        verdicts.push(Verdict { line: None, entries: amount.into_iter().chain(fee).collect(), outcome });
    }
}

/// Entries that have no line yet, by their places.
struct Left<'a> {
    case: &'a Case,
    amounts: Vec<usize>,
    fees: Vec<usize>,
}

impl Left<'_> {
    fn money(&self, at: usize) -> Money {
        self.case.entries[at].amount
    }

    /// Takes the entries that are equal to a line, if they are all there.
    fn take_equal(&mut self, line: &Line) -> Option<Vec<usize>> {
        if line.conflicting {
            return None;
        }
        let currency = line.amount.currency;
        let find = |places: &[usize], wanted: i64| match wanted {
            0 => Some(None),
            _ => places.iter().position(|at| self.money(*at) == Money::new(wanted, currency)).map(Some),
        };
        let amount = find(&self.amounts, line.amount.amount)?;
        let fee = find(&self.fees, -line.fee)?;
        let amount = amount.map(|place| self.amounts.remove(place));
        let fee = fee.map(|place| self.fees.remove(place));
        Some(amount.into_iter().chain(fee).collect())
    }

    /// Takes the next amount, of the line's currency if there is one, and the next fee in the currency of that.
    fn take_next(&mut self, line: Option<&Line>) -> (Option<usize>, Option<usize>) {
        let wanted = line.map(|line| line.amount.currency);
        let place = self.amounts.iter().position(|at| Some(self.money(*at).currency) == wanted);
        let amount = match place {
            Some(place) => Some(self.amounts.remove(place)),
            None if self.amounts.is_empty() => None,
            None => Some(self.amounts.remove(0)),
        };
        let currency = amount.map(|at| self.money(at).currency);
        let place =
            self.fees.iter().position(|at| currency.is_none_or(|code| self.money(*at).currency == code));
        (amount, place.map(|place| self.fees.remove(place)))
    }
}

/// A line of which the ledger says nothing.
const fn alone(case: &Case, line: &Line, told: bool, waits: bool) -> Outcome {
    match case.movement {
        LineKind::Other => Differs(OtherMovement),
        _ if told => Differs(DuplicateAtProvider),
        _ if line.conflicting => Differs(ReferenceDiffers),
        _ if waits => Waits,
        _ if !case.known => Differs(UnknownToSouk),
        LineKind::RefundFailed | LineKind::PayoutFailed => Differs(CameBack),
        _ => Differs(MissingInLedger),
    }
}

/// A line and entries that are not equal. Only what is missing may still come.
fn compare(line: &Line, amount: Option<&Entry>, fee: Option<&Entry>, waits: bool) -> Outcome {
    let expected = amount.map_or(0, |entry| entry.amount.amount);
    let told = line.amount.amount;
    if line.conflicting {
        Differs(ReferenceDiffers)
    } else if [amount, fee].into_iter().flatten().any(|entry| entry.amount.currency != line.amount.currency) {
        Differs(CurrencyDiffers)
    } else if expected.signum() * told.signum() < 0 {
        Differs(DirectionDiffers)
    } else if amount.is_none() && told != 0 {
        if waits { Waits } else { Differs(MissingInLedger) }
    } else if expected != told {
        Differs(AmountDiffers)
    } else if fee.is_none() && waits {
        Waits
    } else {
        Differs(FeeDiffers)
    }
}

#[cfg(test)]
#[path = "tests/judge.rs"]
mod tests;
