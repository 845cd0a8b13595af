//! Stripe's objects, as far as Souk reads them (<https://docs.stripe.com/api>). What is not named here is passed over, so
//! that an object with more in it is read too.
mod balance;
mod connect;
mod event;
mod page;
mod payment;
mod refund;

use std::collections::HashMap;
use std::str::FromStr;

use platform::Id;
use serde::Deserialize;

pub(crate) use balance::BalanceTransaction;
pub(crate) use connect::{Account, AccountLink, Payout, Transfer, TransferReversal};
pub(crate) use event::Event;
pub(crate) use page::{Session, SessionStatus};
pub(crate) use payment::{Charge, Intent, IntentStatus, Named};
pub(crate) use refund::{Dispute, Refund};

/// What Souk writes on Stripe's objects, to find its own again: the id of the payment.
pub(crate) const PAYMENT: &str = "souk_payment_id";
/// The id of what is paid for.
pub(crate) const ORDER: &str = "souk_order_id";
/// The id of the refund.
pub(crate) const REFUND: &str = "souk_refund_id";
/// The id of the payout.
pub(crate) const PAYOUT: &str = "souk_payout_id";
/// On a payout: the transfer that brought the money to the account it is paid from.
pub(crate) const TRANSFER: &str = "souk_transfer";
/// On a transfer: the payout that takes the money on.
pub(crate) const ONWARD: &str = "souk_onward_payout";
/// The id of the store.
pub(crate) const STORE: &str = "souk_store_id";
/// On a payment that is made on one of Stripe's pages, where the buyer may try again.
pub(crate) const PAGE: &str = "souk_page";
/// On a payment whose means of payment is kept.
pub(crate) const KEPT: &str = "souk_kept";

/// Another object: its id, or all of it where it was asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Expandable<T> {
    Id(String),
    Object(Box<T>),
}

/// What has an id.
pub(crate) trait Identified {
    fn id(&self) -> &str;
}

impl<T: Identified> Expandable<T> {
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Id(id) => id,
            Self::Object(object) => object.id(),
        }
    }
}

impl<T> Expandable<T> {
    pub(crate) fn object(&self) -> Option<&T> {
        match self {
            Self::Id(_) => None,
            Self::Object(object) => Some(object),
        }
    }
}

/// What somebody wrote on an object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Metadata(Option<HashMap<String, Option<String>>>);

impl Metadata {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.as_ref()?.get(key)?.as_deref().filter(|text| !text.is_empty())
    }

    /// An id of ours.
    pub(crate) fn id<K>(&self, key: &str) -> Option<Id<K>> {
        Id::from_str(self.get(key)?).ok()
    }
}

/// A part of a list, newest first.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct List<T> {
    pub(crate) data: Vec<T>,
    #[serde(default)]
    pub(crate) has_more: bool,
}

/// An answer that is none.
#[derive(Debug, Deserialize)]
pub(crate) struct ErrorBody {
    pub(crate) error: StripeError,
}

/// Why Stripe did not do it (<https://docs.stripe.com/api/errors>).
#[derive(Debug, Default, Deserialize)]
pub(crate) struct StripeError {
    /// Such as `card_error` or `idempotency_error`.
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) code: Option<String>,
    /// The card issuer's reason.
    pub(crate) decline_code: Option<String>,
    pub(crate) message: Option<String>,
    /// The charge that failed.
    pub(crate) charge: Option<String>,
    /// The payment that failed.
    pub(crate) payment_intent: Option<Intent>,
}
