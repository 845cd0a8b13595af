//! Hosted pages: the provider's own page, on which the buyer pays.

use platform::Money;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::PaymentId;

/// A page to be opened.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// The payment's id.
    pub(crate) id: PaymentId,
    /// What it is for: the order's id.
    pub(crate) order: Uuid,
    /// The order's number, to be shown.
    pub(crate) description: String,
    /// How much.
    pub(crate) amount: Money,
    /// Where the provider sends its receipt.
    pub(crate) email: Option<String>,
    /// Where the buyer comes back to.
    pub(crate) return_url: String,
    /// Where they come back to if they change their mind.
    pub(crate) cancel_url: String,
    /// When it closes.
    pub(crate) expires_at: OffsetDateTime,
    /// When it is opened.
    pub(crate) at: OffsetDateTime,
}

/// A page that is open.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    /// The provider's name for the payment.
    pub(crate) reference: String,
    /// Where the buyer goes.
    pub(crate) url: String,
    /// When it closes, which may be later than was asked.
    pub(crate) expires_at: OffsetDateTime,
}
