//! What a provider tells unasked: notices, which come to its webhook.

use platform::Money;
use time::OffsetDateTime;

use super::{AccountState, PayoutStatus, RefundStatus, Said};
use crate::{PaymentId, PayoutId, RefundId};

/// The head of a notice: all that is needed to store it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The provider's name for it; the same each time it is sent.
    pub(crate) id: String,
    /// What it is about, in the provider's words, such as `payment_intent.succeeded`.
    pub(crate) kind: String,
    /// When it happened.
    pub(crate) at: OffsetDateTime,
    /// What must be worked on one after the other: our id of the payment if the provider was told, else its own name of
    /// what it is about.
    pub(crate) subject: String,
}

/// A notice, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incoming {
    /// When it happened.
    pub(crate) at: OffsetDateTime,
    /// What.
    pub(crate) change: Change,
}

/// What a notice tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A payment stands like this now. Its id is known if the provider was told.
    Payment { id: Option<PaymentId>, amount: Money, said: Said },
    /// A refund stands like this now. One without an id was made at the provider, not by Souk.
    Refund {
        id: Option<RefundId>,
        /// The provider's name of the payment.
        payment: String,
        reference: String,
        amount: Money,
        status: RefundStatus,
    },
    /// A buyer disputes a payment, or it was decided.
    Dispute {
        reference: String,
        /// The provider's name of the payment.
        payment: String,
        /// What is taken until it is decided.
        amount: Money,
        /// What the provider keeps for it.
        fee: i64,
        /// Its word for why, such as `fraudulent`.
        reason: String,
        /// Until when the store may answer.
        answer_by: Option<OffsetDateTime>,
        /// None while it is not decided; whether it was decided for the store.
        won: Option<bool>,
    },
    /// A payout stands like this now.
    Payout { id: Option<PayoutId>, reference: String, status: PayoutStatus },
    /// A store's account stands like this now.
    Account { reference: String, state: AccountState },
    /// Nothing that Souk uses.
    None,
}
