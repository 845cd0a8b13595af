//! Means of payment that buyers keep for their next purchase: how they come to be, who may use them, and how they go. What
//! they are made of has the provider alone; Souk has its name for them, and what may be shown.
mod face;
mod keep;
mod remove;

use identity::UserId;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::PaymentMethodId;
use crate::provider::PaymentToken;

pub use face::PaymentMethods;

pub(crate) use face::{Wallet, check};
pub(crate) use keep::{keep, resolve};
pub(crate) use remove::{clean_up, forget_due, remove_all};

/// A means of payment that somebody keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PaymentMethod {
    /// Its id.
    pub id: PaymentMethodId,
    /// Whose it is, such as `visa`.
    #[schema(example = "visa")]
    pub brand: String,
    /// The last four digits.
    #[schema(example = "4242")]
    pub last4: String,
    /// Until the end of which month it is good, 1 to 12.
    #[schema(example = 12)]
    pub exp_month: Option<i16>,
    /// Of which year.
    #[schema(example = 2034)]
    pub exp_year: Option<i16>,
    /// Since when it is kept.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// How a buyer pays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentMeans {
    /// With a token.
    Token {
        /// The token.
        token: PaymentToken,
        /// For whom it is kept once it was good.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keep_for: Option<UserId>,
    },
    /// With what they kept.
    Kept(PaymentMethodId),
}

impl PaymentMeans {
    /// With a token that is not kept.
    pub const fn token(token: PaymentToken) -> Self {
        Self::Token { token, keep_for: None }
    }

    /// The field of a payment that tells of it, as a path.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Token { .. } => "payment.token",
            Self::Kept(_) => "payment.payment_method_id",
        }
    }
}
