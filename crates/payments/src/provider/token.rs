//! Tokens: what stands for a means of payment.

use std::fmt;

use serde::{Deserialize, Serialize};

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
