//! Payouts: money that goes to stores.
//!
//! A payout is made of whole ledger entries of what the marketplace owes a store (a unique index: none is paid twice),
//! and is posted in the transaction that makes it, so that what a store is owed is at any time the sum of the entries that
//! are in no live payout. docs/payouts.md has the arithmetic, and [`violations`] proves it.
mod account;
mod balance;
mod face;
mod make;
mod news;
mod operate;
mod pick;
mod posting;
mod row;
mod schedule;
mod send;
mod settings;
mod statement;
#[cfg(test)]
mod tests;
mod verify;

use identity::StoreId;
use platform::Money;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::PayoutId;
use crate::ledger::Rule;

pub use account::PayoutAccount;
pub use balance::StoreBalance;
pub use face::Payouts;
pub use make::PayoutRun;
pub use operate::PayoutMark;
pub use schedule::{Schedule, UnknownSchedule, Weekday};
pub use settings::{PayoutDefaults, PayoutSettings, PutPayoutSettings};
pub use statement::{Statement, StatementFormat, StatementTotal};

pub(crate) use account::account_moved;
pub(crate) use face::Desk;
pub(crate) use news::apply;
pub(crate) use settings::of as settings_of;
pub(crate) use verify::violations;

/// Where a payout is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PayoutState {
    /// The money is set aside, and the provider is to be asked.
    Created,
    /// It has left the provider.
    Sent,
    /// It arrived.
    Paid,
    /// It could not be sent; the store's money is where it was.
    Failed,
    /// It came back; the store's money is where it was.
    Returned,
    /// Somebody called it off; the store's money is where it was.
    Cancelled,
}

impl PayoutState {
    const ALL: [Self; 6] =
        [Self::Created, Self::Sent, Self::Paid, Self::Failed, Self::Returned, Self::Cancelled];

    /// The state as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Sent => "sent",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Returned => "returned",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the store's money is in it.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Created | Self::Sent | Self::Paid)
    }

    fn stored(text: &str) -> Result<Self, sqlx::Error> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| sqlx::Error::Decode(format!("{text:?} is no state of a payout").into()))
    }
}

/// Who wanted a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PayoutOrigin {
    /// The store's schedule.
    Schedule,
    /// Somebody of the marketplace.
    Manual,
}

impl PayoutOrigin {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Manual => "manual",
        }
    }
}

/// Money that goes to a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Payout {
    /// Its id.
    pub id: PayoutId,
    /// The store.
    pub store_id: StoreId,
    /// How much.
    pub amount: Money,
    /// Where it is in its life.
    pub state: PayoutState,
    /// Who wanted it.
    pub origin: PayoutOrigin,
    /// Which try it is, from 1.
    #[schema(example = 1)]
    pub attempt: i32,
    /// The payout before it, which came to nothing.
    pub retry_of: Option<PayoutId>,
    /// The provider that sends it.
    #[schema(example = "sandbox")]
    pub provider: String,
    /// The provider's name for it.
    pub provider_reference: Option<String>,
    /// Why it failed or came back.
    #[schema(example = "account_closed")]
    pub failure: Option<String>,
    /// What somebody said who made it, ended it or marked it.
    pub note: Option<String>,
    /// When it is to arrive, as the provider says.
    #[serde(with = "time::serde::rfc3339::option")]
    pub arrives_at: Option<OffsetDateTime>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it left the provider.
    #[serde(with = "time::serde::rfc3339::option")]
    pub sent_at: Option<OffsetDateTime>,
    /// When it arrived or came to nothing.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
}

/// A ledger entry that a payout is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PayoutItem {
    /// The ledger transaction.
    #[schema(example = 1234)]
    pub transaction: i64,
    /// Its place in that.
    #[schema(example = 2)]
    pub line: i16,
    /// When it happened.
    #[serde(with = "time::serde::rfc3339")]
    pub occurred_at: OffsetDateTime,
    /// What happened.
    #[schema(example = "sale")]
    pub kind: String,
    /// To what: the id of an order, a refund, a dispute or an adjustment.
    pub reference: Uuid,
    /// The posting rule that moved it.
    pub rule: Rule,
    /// What the store gets for it, or pays for it if it is below zero.
    pub amount: Money,
}

/// A payout with what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ItemisedPayout {
    /// The payout.
    #[serde(flatten)]
    pub payout: Payout,
    /// Its entries, oldest first: together its amount.
    pub items: Vec<PayoutItem>,
}
