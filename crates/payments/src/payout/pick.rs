//! Which of a store's entries are paid out now.

use std::collections::HashMap;

use time::OffsetDateTime;
use uuid::Uuid;

/// An entry of what is owed to a store, in no live payout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) seq: i64,
    pub(super) line: i16,
    /// What the store gets for it.
    pub(super) owed: i64,
    /// The kind of its ledger transaction.
    pub(super) kind: String,
    /// What that is of.
    pub(super) reference: Uuid,
    pub(super) occurred_at: OffsetDateTime,
}

impl Open {
    /// Whether it waits for its sale's time: sales do, with their commission, their tax and what is kept back of them.
    fn is_held(&self, held_after: OffsetDateTime) -> bool {
        matches!(self.kind.as_str(), crate::sale::SALE | crate::reserve::KEPT)
            && self.occurred_at > held_after
    }

    /// What is paid together: a sale and what is kept back of it, or all entries of another event.
    fn event(&self) -> (Uuid, &str) {
        let kind = if self.kind == crate::reserve::KEPT { crate::sale::SALE } else { self.kind.as_str() };
        (self.reference, kind)
    }
}

/// Those that do not wait for their time.
pub(super) fn due(open: Vec<Open>, held_after: OffsetDateTime) -> Vec<Open> {
    open.into_iter().filter(|entry| !entry.is_held(held_after)).collect()
}

/// Together what they come to; none if that can not be said.
pub(super) fn sum(entries: &[Open]) -> Option<i64> {
    entries.iter().try_fold(0_i64, |sum, entry| sum.checked_add(entry.owed))
}

/// As many as come to no more than `most`, in whole events: whatever the store owes, then what it is owed, the oldest
/// first.
pub(super) fn within(due: Vec<Open>, most: i64) -> Vec<Open> {
    if sum(&due).is_some_and(|sum| sum <= most) {
        return due;
    }
    let mut events: Vec<Vec<Open>> = Vec::new();
    let mut places: HashMap<(Uuid, String), usize> = HashMap::new();
    for entry in due {
        let (reference, kind) = entry.event();
        let place = *places.entry((reference, kind.to_owned())).or_insert_with(|| {
            events.push(Vec::new());
            events.len() - 1
        });
        events[place].push(entry);
    }
    let (owing, owed): (Vec<_>, Vec<_>) =
        events.into_iter().partition(|event| sum(event).is_none_or(|sum| sum <= 0));
    let mut taken: Vec<Open> = owing.into_iter().flatten().collect();
    let Some(mut whole) = sum(&taken) else { return Vec::new() };
    for event in owed {
        let more = sum(&event).and_then(|sum| whole.checked_add(sum));
        if let Some(more) = more.filter(|more| *more <= most) {
            whole = more;
            taken.extend(event);
        }
    }
    taken.sort_by_key(|entry| (entry.seq, entry.line));
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::Duration;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-03-02 00:00 UTC);

    fn open(seq: i64, kind: &str, owed: i64, days: i64) -> Open {
        let reference = Uuid::from_u128(seq.unsigned_abs().into());
        Open { seq, line: 1, owed, kind: kind.to_owned(), reference, occurred_at: NOW - Duration::days(days) }
    }

    /// A sale waits with all that belongs to it; a debt does not.
    #[test]
    fn sales_wait_and_debts_do_not() {
        let held_after = NOW - Duration::days(7);
        let all = vec![
            open(1, "sale", 100, 7),
            open(2, "sale", 100, 6),
            Open { line: 2, owed: -10, ..open(2, "sale", 0, 6) },
            open(3, "reserve", -9, 6),
            open(4, "refund", -50, 0),
            open(5, "adjustment", 5, 0),
        ];
        let due = due(all, held_after);
        assert_eq!(due.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 4, 5]);
    }

    proptest! {
        /// Whatever is taken comes to no more than the most, unless the debts alone do; and no event is torn.
        #[test]
        fn a_cap_is_kept(amounts in proptest::collection::vec((-500_i64..1000, 0_i64..50), 0..20), most in 0_i64..3000) {
            let all: Vec<Open> = (1..).zip(&amounts).flat_map(|(seq, (owed, fee))| {
                [open(seq, "sale", *owed, 9), Open { line: 2, owed: -fee, ..open(seq, "sale", 0, 9) }]
            }).collect();
            let taken = within(all.clone(), most);
            prop_assert!(sum(&taken).unwrap() <= most);
            for entry in &all {
                let of_it = taken.iter().filter(|taken| taken.seq == entry.seq).count();
                prop_assert!(of_it == 0 || of_it == 2);
                let net: i64 = all.iter().filter(|other| other.seq == entry.seq).map(|other| other.owed).sum();
                prop_assert!(net > 0 || of_it == 2, "debts are always taken");
            }
        }
    }
}
