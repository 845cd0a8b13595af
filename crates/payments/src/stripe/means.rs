//! Means of payment: which forms of token Stripe's may have.

use crate::provider::PaymentToken;

/// What stands for a means of payment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Means<'a> {
    /// `tok_…`: made once from a card, and good once.
    Token(&'a str),
    /// `pm_…` or `card_…`: a payment method.
    Method(&'a str),
    /// `cus_…/pm_…`: a method that Stripe keeps. It does so for a customer, and charges it for that customer alone; Souk
    /// makes a customer for each method that is kept, and names both.
    Kept { customer: &'a str, method: &'a str },
}

impl<'a> Means<'a> {
    /// None for what has no such form.
    pub(super) fn of(token: &'a PaymentToken) -> Option<Self> {
        let text = token.as_str();
        if let Some((customer, method)) = text.split_once('/') {
            let is_kept = is_id(customer, "cus_") && is_method(method);
            return is_kept.then_some(Self::Kept { customer, method });
        }
        if is_id(text, "tok_") {
            return Some(Self::Token(text));
        }
        is_method(text).then_some(Self::Method(text))
    }
}

/// The name of a kept method.
pub(super) fn kept(customer: &str, method: &str) -> String {
    format!("{customer}/{method}")
}

/// Whether there is a card number in the text: 12 to 19 digits in a row, with or without gaps, in what should be a token.
pub(super) fn has_card_number(token: &PaymentToken) -> bool {
    let mut run = 0;
    for byte in token.as_str().bytes() {
        match byte {
            b'0'..=b'9' => run += 1,
            b' ' | b'-' => {}
            _ if (12..=19).contains(&run) => return true,
            _ => run = 0,
        }
    }
    (12..=19).contains(&run)
}

fn is_method(text: &str) -> bool {
    is_id(text, "pm_") || is_id(text, "card_")
}

/// Stripe's ids are below 255 characters (<https://docs.stripe.com/upgrades#what-changes-does-stripe-consider-to-be-backwards-compatible>).
fn is_id(text: &str, prefix: &str) -> bool {
    text.len() <= 255
        && text.strip_prefix(prefix).is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> PaymentToken {
        PaymentToken::presented(text)
    }

    #[test]
    fn knows_the_forms_of_stripes_ids() {
        for text in [
            "tok_visa",
            "tok_1PgaftB7WZ01zgkW",
            "pm_card_visa",
            "card_1PgaftB7WZ01zgkWm3waTcFp",
            "cus_A1/pm_B2",
        ] {
            assert!(Means::of(&token(text)).is_some(), "{text}");
        }
        assert_eq!(
            Means::of(&token("cus_A1/card_B2")),
            Some(Means::Kept { customer: "cus_A1", method: "card_B2" })
        );
        let long = format!("pm_{}", "a".repeat(300));
        for text in [
            "",
            "visa",
            "tok_",
            "pm_a b",
            "pm_../refunds",
            "sk_test_1",
            "cus_A1",
            "cus_A1/tok_1",
            "cus_A1/",
            "pm_é",
            "src_1",
            long.as_str(),
        ] {
            assert_eq!(Means::of(&token(text)), None, "{text}");
        }
    }

    #[test]
    fn finds_card_numbers_wherever_they_hide() {
        for text in [
            "4242424242424242",
            "4242 4242 4242 4242",
            "4242-4242-4242-4242",
            "tok_4242424242424242",
            "378282246310005x",
            "pm_4242424242424242_1",
            "cus_1/pm_6304000000000000",
        ] {
            assert!(has_card_number(&token(text)), "{text}");
        }
        for text in ["tok_visa", "pm_1Pgc75B7WZ01zgkWlHVgdEGJ", "12345678901"] {
            assert!(!has_card_number(&token(text)), "{text}");
        }
    }
}
