//! What a provider says when it is asked.

use platform::Money;
use time::OffsetDateTime;

use crate::DeclineCode;

/// How a payment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The buyer has something to do, such as a 3-D Secure challenge, at this address.
    RequiresAction(String),
    /// The provider is at it and will tell.
    Processing,
    /// The money is set aside, and waits to be captured.
    Authorized,
    /// The money is there.
    Succeeded,
    /// It was refused.
    Declined(DeclineCode),
    /// It was called off before any money moved.
    Voided,
}

/// What a provider says of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// The provider's name for it.
    pub(crate) reference: String,
    /// How it stands.
    pub(crate) status: Status,
    /// What the provider keeps for its work, in minor units of the payment's currency, once that is known.
    pub(crate) fee: Option<i64>,
    /// By which means it was paid, if that is known.
    pub(crate) method: Option<Method>,
}

/// A means of payment, as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Method {
    /// Such as `visa`.
    pub(crate) brand: String,
    /// The last four digits.
    pub(crate) last4: String,
    /// Until the end of this month (1 to 12) of this year.
    pub(crate) expires: Option<(u8, u16)>,
    /// The provider's name for it, if it keeps it for the buyer's next purchase.
    pub(crate) kept_as: Option<String>,
}

/// How a refund stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RefundStatus {
    /// The provider is at it and will tell.
    Pending,
    /// The money is on its way back.
    Succeeded,
    /// It could not be given back; the provider's word for why.
    Failed(String),
}

/// What a provider says of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefundSaid {
    /// Its name for it.
    pub(crate) reference: String,
    /// How it stands.
    pub(crate) status: RefundStatus,
}

/// How a payout stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PayoutStatus {
    /// It is on its way.
    Sent,
    /// It arrived.
    Paid,
    /// It could not be sent; the provider's word for why.
    Failed(String),
    /// It had arrived, and came back; the provider's word for why.
    Returned(String),
}

/// What a provider says of a payout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PayoutSaid {
    /// Its name for it.
    pub(crate) reference: String,
    /// How it stands.
    pub(crate) status: PayoutStatus,
    /// When it is to arrive.
    pub(crate) arrives_at: Option<OffsetDateTime>,
}

/// How a store's account at the provider stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccountState {
    /// Its holder has still to say who they are.
    Onboarding,
    /// Money can be sent to it.
    Active,
    /// The provider holds it back.
    Restricted,
}

/// What a provider says of a store's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountSaid {
    /// Its name for it.
    pub(crate) reference: String,
    /// How it stands.
    pub(crate) state: AccountState,
    /// Where its holder says who they are.
    pub(crate) onboarding_url: Option<String>,
}

/// What moved the marketplace's balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LineKind {
    /// A payment.
    Charge,
    /// A refund.
    Refund,
    /// A refund that came back since it could not be given.
    RefundFailed,
    /// Money taken since a buyer disputes a payment; its fee is the dispute's.
    Dispute,
    /// Money given back since the dispute was won.
    DisputeReversed,
    /// Money sent to a store.
    Payout,
    /// A payout that came back.
    PayoutFailed,
    /// Money that the marketplace took out for itself.
    Withdrawal,
    /// Anything else.
    Other,
}

impl LineKind {
    /// All of them, with their names in rows.
    const NAMES: [(Self, &str); 9] = [
        (Self::Charge, "charge"),
        (Self::Refund, "refund"),
        (Self::RefundFailed, "refund_failed"),
        (Self::Dispute, "dispute"),
        (Self::DisputeReversed, "dispute_reversed"),
        (Self::Payout, "payout"),
        (Self::PayoutFailed, "payout_failed"),
        (Self::Withdrawal, "withdrawal"),
        (Self::Other, "other"),
    ];

    /// Its name in rows.
    pub(crate) fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(kind, _)| *kind == self).map_or("other", |(_, name)| name)
    }

    /// The kind that a row holds.
    pub(crate) fn stored(text: &str) -> Result<Self, sqlx::Error> {
        let found = Self::NAMES.iter().find(|(_, name)| *name == text);
        found
            .map(|(kind, _)| *kind)
            .ok_or_else(|| sqlx::Error::Decode(format!("{text:?} is no kind of line").into()))
    }
}

/// A line of the provider's own books: a movement of the marketplace's balance there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BalanceLine {
    /// Its name.
    pub(crate) reference: String,
    /// What it is of.
    pub(crate) kind: LineKind,
    /// The provider's name for what it is of: a payment's, a refund's, a dispute's or a payout's reference.
    pub(crate) source: String,
    /// Our id of it, if the provider was told.
    pub(crate) ours: Option<uuid::Uuid>,
    /// What came in (positive) or went out (negative), before the fee.
    pub(crate) amount: Money,
    /// What the provider kept, of the same currency: what came in is `amount` less this.
    pub(crate) fee: i64,
    /// When.
    pub(crate) at: OffsetDateTime,
}

/// A part of a provider's books.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BalanceLines {
    /// The lines, oldest first.
    pub(crate) lines: Vec<BalanceLine>,
    /// Whether there are more after these.
    pub(crate) more: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

    use super::*;

    #[test]
    fn kinds_of_line_are_read_as_they_are_written() {
        for (kind, name) in LineKind::NAMES {
            assert_eq!((kind.as_str(), LineKind::stored(name).unwrap()), (name, kind));
        }
        assert!(LineKind::stored("sale").is_err());
    }
}
