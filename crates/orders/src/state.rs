//! The life of an order: its states, and the one table of what may happen in each.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Written; its stock and payment are being seen to.
    Pending,
    /// Its stock is held until it is paid or `hold_expires_at` comes.
    AwaitingPayment,
    /// The provider has been asked for the money and has not answered, or is still at it; goes on by itself.
    PaymentPending,
    /// Paid; its stock is sold.
    Paid,
    /// Ended without payment: no stock, or the payment was declined.
    Rejected,
    /// Ended because nobody paid in time.
    Expired,
    /// Ended because whoever ordered it changed their mind before paying.
    Cancelled,
    /// Everything in it has left the stores.
    Fulfilled,
    /// Paid and delivered, and nothing more is to be done.
    Completed,
    /// The money went back.
    Refunded,
}

impl OrderState {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Pending,
        Self::AwaitingPayment,
        Self::PaymentPending,
        Self::Paid,
        Self::Rejected,
        Self::Expired,
        Self::Cancelled,
        Self::Fulfilled,
        Self::Completed,
        Self::Refunded,
    ];

    /// The state as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::AwaitingPayment => "awaiting_payment",
            Self::PaymentPending => "payment_pending",
            Self::Paid => "paid",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Fulfilled => "fulfilled",
            Self::Completed => "completed",
            Self::Refunded => "refunded",
        }
    }

    /// The state that a row holds.
    pub(crate) fn stored(text: &str) -> Result<Self, sqlx::Error> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| sqlx::Error::Decode(format!("{text:?} is no state of an order").into()))
    }

    /// Whether the order ended without a purchase: its cart can be bought again.
    pub const fn is_given_up(self) -> bool {
        matches!(self, Self::Rejected | Self::Expired | Self::Cancelled)
    }

    /// Whether it is being carried on, without anybody having to do anything.
    pub const fn is_under_way(self) -> bool {
        matches!(self, Self::Pending | Self::PaymentPending)
    }

    /// Whether nothing can happen to the order any more.
    pub fn is_final(self) -> bool {
        !MOVES.iter().any(|(from, ..)| *from == Some(self))
    }
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What can happen to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderEventKind {
    /// It was written.
    Placed,
    /// It was taken over from another system, where it had come to its end; or more of it was.
    Imported,
    /// Its stock is held, and it waits to be paid; or a payment was declined, and it waits for another one.
    AwaitingPayment,
    /// Somebody pays for it.
    PaymentStarted,
    /// The provider has not answered, or not decided.
    PaymentDelayed,
    /// It was paid.
    Paid,
    /// There was no stock, or the payment was declined.
    Rejected,
    /// Nobody paid in time.
    Expired,
    /// Whoever ordered it changed their mind.
    Cancelled,
    /// Everything in it has left the stores.
    Fulfilled,
    /// Nothing more is to be done.
    Completed,
    /// Some of the money went back.
    PartlyRefunded,
    /// The money went back.
    Refunded,
    /// Money that was to go back could not: the provider gave it to us again.
    RefundFailed,
}

use OrderEventKind as Kind;
use OrderState::{
    AwaitingPayment, Cancelled, Completed, Expired, Fulfilled, Paid, PaymentPending, Pending, Refunded,
    Rejected,
};

/// What may happen in which state, and where it leads. Whatever is not here is refused.
pub const MOVES: [(Option<OrderState>, OrderEventKind, OrderState); 28] = [
    (None, Kind::Placed, Pending),
    (None, Kind::Imported, Completed),
    (Some(Completed), Kind::Imported, Completed),
    (Some(Pending), Kind::AwaitingPayment, AwaitingPayment),
    (Some(Pending), Kind::Paid, Paid),
    (Some(Pending), Kind::Rejected, Rejected),
    (Some(AwaitingPayment), Kind::PaymentStarted, Pending),
    (Some(AwaitingPayment), Kind::Expired, Expired),
    (Some(AwaitingPayment), Kind::Cancelled, Cancelled),
    // A payment that was begun in time and declined after it.
    (Some(Pending), Kind::Expired, Expired),
    (Some(Pending), Kind::PaymentDelayed, PaymentPending),
    (Some(PaymentPending), Kind::Paid, Paid),
    (Some(PaymentPending), Kind::AwaitingPayment, AwaitingPayment),
    (Some(PaymentPending), Kind::Rejected, Rejected),
    (Some(PaymentPending), Kind::Expired, Expired),
    (Some(Paid), Kind::Fulfilled, Fulfilled),
    (Some(Paid), Kind::Completed, Completed),
    (Some(Fulfilled), Kind::Completed, Completed),
    (Some(Paid), Kind::Refunded, Refunded),
    (Some(Fulfilled), Kind::Refunded, Refunded),
    (Some(Completed), Kind::Refunded, Refunded),
    (Some(Paid), Kind::PartlyRefunded, Paid),
    (Some(Fulfilled), Kind::PartlyRefunded, Fulfilled),
    (Some(Completed), Kind::PartlyRefunded, Completed),
    (Some(Paid), Kind::RefundFailed, Paid),
    (Some(Fulfilled), Kind::RefundFailed, Fulfilled),
    (Some(Completed), Kind::RefundFailed, Completed),
    (Some(Refunded), Kind::RefundFailed, Paid),
];

impl OrderEventKind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Placed,
        Self::Imported,
        Self::AwaitingPayment,
        Self::PaymentStarted,
        Self::PaymentDelayed,
        Self::Paid,
        Self::Rejected,
        Self::Expired,
        Self::Cancelled,
        Self::Fulfilled,
        Self::Completed,
        Self::PartlyRefunded,
        Self::Refunded,
        Self::RefundFailed,
    ];

    /// The kind as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Imported => "imported",
            Self::AwaitingPayment => "awaiting_payment",
            Self::PaymentStarted => "payment_started",
            Self::PaymentDelayed => "payment_delayed",
            Self::Paid => "paid",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Fulfilled => "fulfilled",
            Self::Completed => "completed",
            Self::PartlyRefunded => "partly_refunded",
            Self::Refunded => "refunded",
            Self::RefundFailed => "refund_failed",
        }
    }

    /// The kind that a row holds.
    pub(crate) fn stored(text: &str) -> Result<Self, sqlx::Error> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| {
            sqlx::Error::Decode(format!("{text:?} is nothing that happens to an order").into())
        })
    }

    /// Where this leads an order that is in `from` (in none: that is not there yet); `None` if it may not happen then.
    pub fn leads(self, from: Option<OrderState>) -> Option<OrderState> {
        MOVES.iter().find(|(state, kind, _)| *state == from && *kind == self).map(|(.., to)| *to)
    }
}
