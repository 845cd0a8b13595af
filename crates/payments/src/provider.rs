//! What Souk asks of a payment provider.

use std::fmt;

use async_trait::async_trait;
use platform::Money;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{DeclineCode, Error, PaymentId};

/// Stands for a means of payment that the provider keeps, such as Stripe's `tok_visa`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaymentToken(String);

impl PaymentToken {
    /// Takes what a client sent.
    pub fn presented(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The token as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is 12 to 19 digits, as card numbers are (ISO/IEC 7812), with or without gaps.
    pub(crate) fn looks_like_card_number(&self) -> bool {
        let digits = self.0.chars().filter(char::is_ascii_digit).count();
        (12..=19).contains(&digits) && self.0.chars().all(|c| c.is_ascii_digit() || c == ' ' || c == '-')
    }
}

impl fmt::Debug for PaymentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaymentToken(…)")
    }
}

/// What the provider is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The payment's id.
    pub(crate) id: PaymentId,
    /// What it is for: the order's id.
    pub(crate) order: Uuid,
    /// How much.
    pub(crate) amount: Money,
    /// Of which means of payment.
    pub(crate) token: PaymentToken,
    /// When.
    pub(crate) at: OffsetDateTime,
}

/// What the provider said.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// The provider's name for it.
    pub(crate) reference: String,
    /// Why it declined, if it did.
    pub(crate) declined: Option<DeclineCode>,
}

#[async_trait]
pub(crate) trait Provider: Send + Sync + 'static {
    /// Its name in Souk's rows.
    fn name(&self) -> &'static str;

    /// Checks the form of a token, without asking anybody.
    fn check(&self, token: &PaymentToken) -> Result<(), Error>;

    /// Charges each payment once, however often it is asked: the payment's id is its idempotency key. Answers each at its
    /// place. After a failure of them all it is not known which were charged; asking again tells.
    async fn charge(&self, asked: &[Asked]) -> Result<Vec<Result<Said, Error>>, sqlx::Error>;
}
