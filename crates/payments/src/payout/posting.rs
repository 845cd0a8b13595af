//! What a payout moves in the ledger.

use identity::StoreId;
use platform::Money;
use time::OffsetDateTime;

use crate::PayoutId;
use crate::ledger::{Draft, Owners, Rule};

/// What is posted of a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The money is set aside.
    Made,
    /// It has left the provider.
    Sent,
    /// It never left.
    Cancelled,
    /// It came back.
    Returned,
}

impl Step {
    const fn kind_and_rule(self) -> (&'static str, Rule) {
        match self {
            Self::Made => ("payout", Rule::Payout),
            Self::Sent => ("payout_sent", Rule::PayoutSent),
            Self::Cancelled => ("payout_cancelled", Rule::PayoutCancelled),
            Self::Returned => ("payout_returned", Rule::PayoutReturned),
        }
    }
}

/// A step of a payout, to be posted.
pub(super) fn draft(
    step: Step,
    id: PayoutId,
    (store, provider): (StoreId, &str),
    amount: Money,
    at: OffsetDateTime,
) -> Draft {
    let (kind, rule) = step.kind_and_rule();
    let owners = Owners { provider, store: Some(store), ..Owners::default() };
    Draft::new(kind, id, amount.currency, at).moving(rule, amount.amount, &owners)
}
