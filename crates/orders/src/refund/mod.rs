//! Refunds: which lines of an order go back, how much of them, and whether their goods are in stock again. The money is
//! the business of `payments`.
//!
//! A refund is written under a lock of its order, against what is left of each line, so that whoever asks at the same time
//! never gives back more than was paid. Then `payments` is asked under the refund's id; a crash in between leaves it
//! `created` and due.
mod list;
mod news;
mod plan;
mod request;
mod row;

use catalog::{StoreId, VariantId};
use payments::{RefundId, RefundState};
use platform::Money;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::OrderId;

pub(crate) use list::list;
pub(crate) use news::refund_moved;
pub(crate) use request::{carry_on_due, refund};

/// Why money goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundReason {
    /// The buyer changed their mind, or sent it back.
    RequestedByCustomer,
    /// It was paid twice.
    Duplicate,
    /// Somebody else paid with the buyer's card.
    Fraudulent,
    /// It was broken, or not what was ordered.
    Defective,
    /// It can not be delivered.
    NotDelivered,
    /// Anything else.
    Other,
}

impl RefundReason {
    /// The reason as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestedByCustomer => "requested_by_customer",
            Self::Duplicate => "duplicate",
            Self::Fraudulent => "fraudulent",
            Self::Defective => "defective",
            Self::NotDelivered => "not_delivered",
            Self::Other => "other",
        }
    }
}

/// Where the money goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundTo {
    /// Back to the means of payment it came from.
    #[default]
    Original,
    /// To the buyer's credit with the marketplace; for those who bought with an account.
    Credit,
}

/// A line that goes back, or a part of it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RefundLineRequest {
    /// Its place in the order.
    pub position: i32,
    /// Units that go back; their price goes back with them.
    pub quantity: Option<i32>,
    /// How much goes back instead, in minor units.
    pub amount: Option<i64>,
}

/// What is to go back: these lines; or an amount, spread over the lines by what is left of them; or, if neither is said,
/// all that is left. Of lines in stores whose money the actor may move.
#[derive(Clone, Debug, Serialize)]
pub struct RefundRequest {
    /// Which lines.
    pub lines: Vec<RefundLineRequest>,
    /// How much.
    pub amount: Option<Money>,
    /// Why.
    pub reason: RefundReason,
    /// For whoever asks later.
    pub note: Option<String>,
    /// Whether the goods are in stock again.
    pub restock: bool,
    /// Where it goes.
    pub to: RefundTo,
}

/// Money of an order that goes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OrderRefund {
    /// Its id.
    pub id: RefundId,
    /// Of which order.
    pub order_id: OrderId,
    /// Where it is in its life.
    pub status: RefundState,
    /// How much.
    pub amount: Money,
    /// Why.
    #[schema(example = "requested_by_customer")]
    pub reason: String,
    /// For whoever asks later.
    pub note: Option<String>,
    /// Whether the goods are in stock again.
    pub restock: bool,
    /// Whether somebody made it at the payment provider, past the marketplace.
    pub external: bool,
    /// Why it failed.
    pub failure: Option<String>,
    /// What goes back of which lines.
    pub lines: Vec<RefundLine>,
    /// When it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// What goes back of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefundLine {
    /// The line's place in the order.
    #[schema(example = 1)]
    pub position: i32,
    /// Who sold it.
    pub store_id: StoreId,
    /// What.
    pub variant_id: VariantId,
    /// Units that count as given back.
    #[schema(example = 1)]
    pub quantity: i32,
    /// How much goes back.
    pub amount: Money,
    /// The marketplace's share that goes back to the store. Stores and operators see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commission: Option<Money>,
    /// The tax on that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commission_tax: Option<Money>,
}

/// The answer to a request that may have been sent before.
#[derive(Clone, Debug)]
pub struct RefundAnswer {
    /// The refund, as it stands.
    pub refund: OrderRefund,
    /// Whether this is a repetition.
    pub replayed: bool,
}
