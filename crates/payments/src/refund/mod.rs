//! Refunds: money that goes back to the buyer, and the commission that goes back with it.
//!
//! A refund is written first, against what is left of its payment (a constraint: never more than was taken, whoever asks
//! at the same time), then asked of the provider under its own id, then posted. A crash in between leaves it `created`
//! and due, for [`carry_on_due`] to take up.
mod news;
mod posting;
mod row;
mod run;

use identity::UserId;
use platform::Money;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::sale::Share;
use crate::{PaymentId, RefundId};

pub(crate) use news::{External, apply, external};
pub(crate) use row::{find, of_order};
pub(crate) use run::{carry_on_due, give_back, refund, shares_before};

/// Where a refund is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// The provider is being asked.
    Created,
    /// The provider has taken it on.
    Pending,
    /// The money is on its way back.
    Succeeded,
    /// It could not be given back; the store has its money again.
    Failed,
}

impl RefundState {
    /// The state as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// The state that a row holds.
    ///
    /// # Errors
    /// When the text is none.
    pub fn stored(text: &str) -> Result<Self, sqlx::Error> {
        [Self::Created, Self::Pending, Self::Succeeded, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| sqlx::Error::Decode(format!("{text:?} is no state of a refund").into()))
    }
}

/// Where a refund goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Back to the means of payment it came from.
    Original,
    /// To the buyer's credit with the marketplace.
    Credit(UserId),
}

/// Money to be given back.
#[derive(Clone, Debug)]
pub struct Refunding {
    /// The refund's id; asking again with the same id is safe.
    pub id: RefundId,
    /// Of which payment.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
    /// Whose money it is; together as much as the amount.
    pub shares: Vec<Share>,
    /// Where it goes.
    pub destination: Destination,
}

/// Money that goes back to the buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Its id.
    pub id: RefundId,
    /// Of which payment.
    pub payment: PaymentId,
    /// Of which order.
    pub order: Option<Uuid>,
    /// How much.
    pub amount: Money,
    /// Where it is in its life.
    pub state: RefundState,
    /// Why it failed.
    pub failure: Option<String>,
    /// Whether somebody made it at the provider, past Souk.
    pub external: bool,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// Whose money it is.
    pub shares: Vec<Share>,
}
