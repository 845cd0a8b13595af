//! The kinds of difference between the two books. The whole table is on this page; docs/reconciliation.md shows it to
//! people, and a test compares the two.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the books of a provider and the ledger differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionKind {
    /// The provider moved money for something that Souk knows, and the ledger has no posting of it.
    MissingInLedger,
    /// The ledger moved money at the provider, and the provider has no line for it.
    MissingAtProvider,
    /// Both moved money, but not as much.
    AmountDiffers,
    /// The provider kept another fee than the ledger says.
    FeeDiffers,
    /// Both moved money, in different currencies.
    CurrencyDiffers,
    /// What came in by the one book went out by the other.
    DirectionDiffers,
    /// The provider has another line for what it has told once.
    DuplicateAtProvider,
    /// The ledger has posted again what it has posted once.
    DuplicateInLedger,
    /// The provider moved money for something that Souk never heard of.
    UnknownToSouk,
    /// The line bears Souk's id of one thing and the provider's name of another.
    ReferenceDiffers,
    /// A refund or a payout came back at the provider, and is gone in the ledger.
    CameBack,
    /// The provider moved money of its own accord.
    OtherMovement,
}

/// A line of the table: the kind, its name, what it is, and what to do about it.
pub type ExceptionRule = (ExceptionKind, &'static str, &'static str, &'static str);

/// The table, in the order of [`ExceptionKind`].
pub const EXCEPTION_KINDS: [ExceptionRule; 12] = [
    (
        ExceptionKind::MissingInLedger,
        "missing_in_ledger",
        "the provider moved money for something that Souk knows, and the ledger has no posting of it",
        "look for a webhook or a job that failed (souk webhooks, souk verify); once it is posted this settles by itself",
    ),
    (
        ExceptionKind::MissingAtProvider,
        "missing_at_provider",
        "the ledger moved money at the provider, and the provider has no line for it",
        "ask the provider; if the money never moved, resolve it: the ledger gives it back",
    ),
    (
        ExceptionKind::AmountDiffers,
        "amount_differs",
        "both moved money, but not as much",
        "compare the order with the payment at the provider; refund or charge the rest, then resolve it",
    ),
    (
        ExceptionKind::FeeDiffers,
        "fee_differs",
        "the provider kept another fee than the ledger says",
        "check the provider's price list, then resolve it: the ledger takes the provider's fee",
    ),
    (
        ExceptionKind::CurrencyDiffers,
        "currency_differs",
        "both moved money, in different currencies",
        "check in which currency the provider settles, then resolve it",
    ),
    (
        ExceptionKind::DirectionDiffers,
        "direction_differs",
        "what came in by the one book went out by the other",
        "ask the provider to mend its line, or resolve it and mend the cause: a posting was made the wrong way round",
    ),
    (
        ExceptionKind::DuplicateAtProvider,
        "duplicate_at_provider",
        "the provider has another line for what it has told once",
        "a buyer was charged, or money was sent, twice: have the provider take it back, then resolve both lines",
    ),
    (
        ExceptionKind::DuplicateInLedger,
        "duplicate_in_ledger",
        "the ledger has posted again what it has posted once",
        "find out which event was posted twice, then resolve it: the ledger gives the second posting back",
    ),
    (
        ExceptionKind::UnknownToSouk,
        "unknown_to_souk",
        "the provider moved money for something that Souk never heard of",
        "somebody used the provider's account past Souk: find out who, then resolve it",
    ),
    (
        ExceptionKind::ReferenceDiffers,
        "reference_differs",
        "the line bears Souk's id of one thing and the provider's name of another",
        "look both up and find out whose money it is, then resolve it",
    ),
    (
        ExceptionKind::CameBack,
        "came_back",
        "a refund or a payout came back at the provider, and is gone in the ledger",
        "mark the payout as failed (POST /api/v1/payouts/{id}/mark), or replay the refund's webhook; this then settles by itself",
    ),
    (
        ExceptionKind::OtherMovement,
        "other_movement",
        "the provider moved money of its own accord",
        "read the provider's line: a bill of its own, a correction, a reserve; then resolve it with what it was for",
    ),
];

impl ExceptionKind {
    const fn line(self) -> &'static ExceptionRule {
        &EXCEPTION_KINDS[self as usize]
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        self.line().1
    }

    /// What it is.
    pub const fn about(self) -> &'static str {
        self.line().2
    }

    /// What to do about it.
    pub const fn advice(self) -> &'static str {
        self.line().3
    }
}

/// No difference has this name.
#[derive(Debug, thiserror::Error)]
#[error("there is no difference called {0:?}")]
pub struct UnknownExceptionKind(String);

impl FromStr for ExceptionKind {
    type Err = UnknownExceptionKind;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = EXCEPTION_KINDS.iter().find(|line| line.1 == name);
        found.map(|line| line.0).ok_or_else(|| UnknownExceptionKind(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_kinds() {
        for (place, (kind, name, ..)) in EXCEPTION_KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, place, "{name}");
            assert_eq!(serde_json::to_value(kind).unwrap(), *name);
            assert_eq!(name.parse::<ExceptionKind>().unwrap(), *kind);
        }
        assert!("late".parse::<ExceptionKind>().is_err());
    }

    /// What people read is what the program says.
    #[test]
    fn the_documentation_has_the_same_table() {
        let told: Vec<Vec<String>> = include_str!("../../../../docs/reconciliation.md")
            .lines()
            .skip_while(|line| !line.starts_with("| difference |"))
            .skip(2)
            .take_while(|line| line.starts_with('|'))
            .map(|line| line.split('|').map(|cell| cell.trim().replace('`', "")).skip(1).take(3).collect())
            .collect();
        let done: Vec<Vec<String>> = EXCEPTION_KINDS
            .iter()
            .map(|(_, name, about, advice)| [name, about, advice].map(|text| (*text).to_owned()).to_vec())
            .collect();
        assert_eq!(told, done);
    }
}
