//! A payment's life: created, then by way of whatever the buyer and the provider have to do to succeeded, declined or
//! voided.
mod charge;
mod news;
mod page;
mod row;
mod state;

use platform::Money;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{PaymentId, PaymentMeans};

pub use page::PageRequest;
pub use state::PaymentState;

pub(crate) use charge::Charging;
pub(crate) use news::{
    Applied, apply, ask_about_silent, ask_about_untold, give_up_unopened, look, void_open,
};
pub(crate) use page::open;
pub(crate) use row::{find, find_one, succeeded};

/// Money that is to be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Charge<'a> {
    /// The payment's id; asking again with the same id is safe.
    pub id: PaymentId,
    /// What it is for: the order's id.
    pub order: Uuid,
    /// How much.
    pub amount: Money,
    /// Of which means of payment.
    pub means: &'a PaymentMeans,
    /// Where the buyer comes back to after a challenge such as 3-D Secure.
    pub return_url: Option<&'a str>,
}

/// Money asked of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// What it is for: the order's id. Unknown of payments from before it was kept.
    pub order: Option<Uuid>,
    /// Whom it was asked of.
    pub provider: String,
    /// How much.
    pub amount: Money,
    /// What became of it.
    pub state: PaymentState,
    /// The provider's name for it.
    pub reference: Option<String>,
    /// Where the buyer has something to do.
    pub action_url: Option<String>,
    /// Until when they can do it.
    pub expires_at: Option<OffsetDateTime>,
    /// What the provider keeps, in minor units, once that is known.
    pub fee: Option<i64>,
    /// What was given back, or is on its way, in minor units.
    pub refunded: i64,
}
