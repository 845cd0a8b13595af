//! Answers that are none (<https://docs.stripe.com/error-handling>).

use super::wire::{ErrorBody, StripeError};
use crate::DeclineCode;
use crate::provider::ProviderError;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Stripe did not answer, or not in a way that can be read.
    Gone(String),
    /// Stripe says no.
    Said(u16, Box<StripeError>),
}

impl Failure {
    pub(super) fn read(status: u16, body: &[u8]) -> Self {
        match serde_json::from_slice::<ErrorBody>(body) {
            Ok(body) => Self::Said(status, Box::new(body.error)),
            Err(_) if status == 404 => Self::Said(status, Box::default()),
            Err(_) => Self::Gone(format!("it answers with status {status}")),
        }
    }

    /// What the card's issuer says, if it is that who refused.
    pub(super) fn declined(&self) -> Option<&StripeError> {
        match self {
            Self::Said(402, error) => Some(error),
            Self::Said(400, error) if error.kind.as_deref() == Some("card_error") => Some(error),
            _ => None,
        }
    }

    /// Whether it is the means of payment that Stripe does not know. Said of a payment that is made, which names nothing
    /// else that could be missing.
    pub(super) fn is_of_means(&self) -> bool {
        let Self::Said(_, error) = self else { return false };
        matches!(error.code.as_deref(), Some("resource_missing" | "token_already_used"))
    }

    /// Whether it is too late for this: the object has moved on.
    pub(super) fn is_of_state(&self) -> bool {
        matches!(self, Self::Said(400, _))
    }
}

impl StripeError {
    fn says(&self) -> String {
        self.message.as_deref().unwrap_or("it does not say why").chars().take(300).collect()
    }
}

/// The reason of a decline: the issuer's if there is one.
pub(super) fn decline_code(code: Option<&str>, issuers: Option<&str>) -> DeclineCode {
    match code {
        None | Some("card_declined") => DeclineCode::of(issuers.or(code).unwrap_or_default()),
        Some(code) => DeclineCode::of(code),
    }
}

impl From<Failure> for ProviderError {
    fn from(failure: Failure) -> Self {
        let (status, error) = match failure {
            Failure::Gone(why) => return Self::Unavailable(why),
            Failure::Said(status, error) => (status, error),
        };
        let code = error.code.as_deref().or(error.kind.as_deref()).unwrap_or("unknown");
        match status {
            // Another call with the key is under way, too many calls, or Stripe's own trouble.
            409 | 429 | 500.. => Self::Unavailable(format!("status {status}: {}", error.says())),
            // Somebody changed the key, and will mend it; until then nothing is lost.
            401 => Self::Unavailable("the secret key is not accepted".to_owned()),
            403 if code != "account_invalid" => Self::Unavailable(format!("not allowed: {}", error.says())),
            404 => Self::Unknown(error.says()),
            _ if error.kind.as_deref() == Some("idempotency_error") => Self::Changed,
            _ if code == "resource_missing" => Self::Unknown(error.says()),
            _ => Self::Refused {
                code: error.decline_code.as_deref().unwrap_or(code).to_owned(),
                message: error.says(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, body: &str) -> ProviderError {
        Failure::read(status, body.as_bytes()).into()
    }

    #[test]
    fn tells_what_passes_from_what_does_not() {
        let body =
            r#"{"error":{"type":"invalid_request_error","code":"charge_already_refunded","message":"no"}}"#;
        for status in [409, 429, 500, 502, 503, 401, 403] {
            assert!(error(status, body).passes(), "{status}");
            assert!(error(status, "<html>").passes(), "{status}");
        }
        assert!(
            matches!(error(400, body), ProviderError::Refused { code, .. } if code == "charge_already_refunded")
        );
        assert!(matches!(error(404, ""), ProviderError::Unknown(_)));
        let missing = r#"{"error":{"type":"invalid_request_error","code":"resource_missing","param":"payment_method"}}"#;
        assert!(matches!(error(400, missing), ProviderError::Unknown(_)));
        assert!(Failure::read(400, missing.as_bytes()).is_of_means());
        let changed = r#"{"error":{"type":"idempotency_error","message":"Keys for idempotent requests"}}"#;
        assert!(matches!(error(400, changed), ProviderError::Changed));
        assert!(error(409, changed).passes(), "409: the first call with the key is under way");
        let lost = r#"{"error":{"type":"invalid_request_error","code":"account_invalid"}}"#;
        assert!(!error(403, lost).passes());
    }

    #[test]
    fn declines_carry_the_issuers_reason() {
        let body =
            r#"{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds"}}"#;
        let failure = Failure::read(402, body.as_bytes());
        let declined = failure.declined().unwrap();
        let code = decline_code(declined.code.as_deref(), declined.decline_code.as_deref());
        assert_eq!(code, DeclineCode::InsufficientFunds);
        assert_eq!(decline_code(Some("expired_card"), Some("expired_card")), DeclineCode::ExpiredCard);
        assert_eq!(decline_code(Some("incorrect_cvc"), None), DeclineCode::IncorrectCvc);
        assert_eq!(decline_code(Some("card_declined"), Some("do_not_honor")), DeclineCode::CardDeclined);
        assert_eq!(decline_code(None, None), DeclineCode::CardDeclined);
    }
}
