//! What the sandbox does with which card: the tokens and numbers that Stripe documents for tests
//! (<https://docs.stripe.com/testing>), and some of its own.

use std::fmt;

use crate::DeclineCode;
use crate::provider::Method;

/// What becomes of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// It succeeds at once.
    Succeeds,
    /// It is declined at once.
    Declines(DeclineCode),
    /// The buyer is challenged (3-D Secure); whoever passes goes on as if with the other token.
    Challenges(&'static str),
    /// It is under way, and succeeds later.
    Processes,
    /// It succeeds, and is disputed later.
    Disputed,
    /// It is authorized, and waits to be captured.
    Authorizes,
    /// The sandbox does not answer the first so many times; then it succeeds.
    Outage(u32),
}

/// How often `tok_sandbox_outage` is not answered: two calls, with their tries.
const OUTAGES: u32 = 6;
/// What a kept method's name begins with; 32 hexadecimal digits follow.
pub(super) const KEPT: &str = "pm_sandbox_";
/// Until when the cards behind tokens are good: the end of this month of this year.
pub(super) const EXPIRES: (u8, u16) = (12, 2034);

/// A card that a token stands for.
pub(super) struct Known {
    pub(super) token: &'static str,
    number: &'static str,
    brand: &'static str,
    pub(super) behaviour: Behaviour,
    /// What the page and the documentation say of it; empty for another brand that does what the first does.
    about: &'static str,
}

const fn known(
    token: &'static str,
    number: &'static str,
    brand: &'static str,
    behaviour: Behaviour,
    about: &'static str,
) -> Known {
    Known { token, number, brand, behaviour, about }
}

/// The cards, most used first.
static CARDS: [Known; 23] = {
    use Behaviour::{Authorizes, Challenges, Declines, Disputed, Processes, Succeeds};
    use DeclineCode as Why;
    [
        known("tok_visa", "4242424242424242", "visa", Succeeds, "succeeds"),
        known("tok_visa_debit", "4000056655665556", "visa", Succeeds, ""),
        known("tok_mastercard", "5555555555554444", "mastercard", Succeeds, ""),
        known("tok_mastercard_debit", "5200828282828210", "mastercard", Succeeds, ""),
        known("tok_amex", "378282246310005", "amex", Succeeds, ""),
        known("tok_discover", "6011111111111117", "discover", Succeeds, ""),
        known("tok_diners", "3056930009020004", "diners", Succeeds, ""),
        known("tok_jcb", "3566002020360505", "jcb", Succeeds, ""),
        known("tok_unionpay", "6200000000000005", "unionpay", Succeeds, ""),
        known("tok_chargeDeclined", "4000000000000002", "visa", Declines(Why::CardDeclined), "declined"),
        known(
            "tok_chargeDeclinedInsufficientFunds",
            "4000000000009995",
            "visa",
            Declines(Why::InsufficientFunds),
            "insufficient funds",
        ),
        known(
            "tok_chargeDeclinedExpiredCard",
            "4000000000000069",
            "visa",
            Declines(Why::ExpiredCard),
            "expired card",
        ),
        known(
            "tok_chargeDeclinedIncorrectCvc",
            "4000000000000127",
            "visa",
            Declines(Why::IncorrectCvc),
            "wrong security code",
        ),
        known(
            "tok_chargeDeclinedProcessingError",
            "4000000000000119",
            "visa",
            Declines(Why::ProcessingError),
            "processing error",
        ),
        known(
            "tok_threeDSecure2Required",
            "4000000000003220",
            "visa",
            Challenges("tok_visa"),
            "3-D Secure challenge",
        ),
        known("tok_threeDSecureRequired", "4000002500003155", "visa", Challenges("tok_visa"), ""),
        known(
            "tok_threeDSecureRequiredChargeDeclined",
            "4000008400001629",
            "visa",
            Challenges("tok_chargeDeclined"),
            "3-D Secure challenge, then declined",
        ),
        known(
            "tok_sandbox_processing",
            "4000000000000606",
            "visa",
            Processes,
            "takes a while, then succeeds",
        ),
        known("tok_createDispute", "4000000000000259", "visa", Disputed, "succeeds, disputed soon after"),
        known("tok_refundFail", "4000000000005126", "visa", Succeeds, "succeeds; a refund of it fails later"),
        known(
            "tok_pendingRefund",
            "4000000000007726",
            "visa",
            Succeeds,
            "succeeds; a refund of it takes a while",
        ),
        known("tok_sandbox_authorize", "", "visa", Authorizes, "authorized, to be captured"),
        known(
            "tok_sandbox_outage",
            "",
            "visa",
            Behaviour::Outage(OUTAGES),
            "not answered twice, then succeeds",
        ),
    ]
};

/// The card behind a token; none if the sandbox does not know it.
pub(super) fn by_token(token: &str) -> Option<&'static Known> {
    let same = match token {
        "tok_visa_chargeDeclined" => "tok_chargeDeclined",
        "tok_visa_chargeDeclinedInsufficientFunds" => "tok_chargeDeclinedInsufficientFunds",
        other => other,
    };
    CARDS.iter().find(|card| card.token == same)
}

/// The card with this number: digits alone. No other is taken.
pub(super) fn by_number(digits: &str) -> Option<&'static Known> {
    CARDS.iter().find(|card| !card.number.is_empty() && card.number == digits)
}

/// Whether this is the form of a kept method's name.
pub(super) fn is_kept(token: &str) -> bool {
    token
        .strip_prefix(KEPT)
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

impl Known {
    /// How many times a charge with it is not answered.
    pub(super) const fn outages(&self) -> u32 {
        match self.behaviour {
            Behaviour::Outage(times) => times,
            _ => 0,
        }
    }

    /// The card, as it may be shown.
    pub(super) fn method(&self, expires: (u8, u16), kept_as: Option<String>) -> Method {
        // Those without a number are the first card by another name.
        let number = if self.number.is_empty() { CARDS[0].number } else { self.number };
        let last4 = number[number.len() - 4..].to_owned();
        Method { brand: self.brand.to_owned(), last4, expires: Some(expires), kept_as }
    }

    /// Digits on its back.
    pub(super) fn cvc_digits(&self) -> usize {
        if self.brand == "amex" { 4 } else { 3 }
    }
}

/// A test case that the page tells of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TestCard {
    /// The number, in groups of four.
    pub number: &'static str,
    /// What happens, such as "insufficient funds".
    pub about: &'static str,
}

/// Well-known numbers are not secrets, but nobody needs them in a log.
impl fmt::Debug for TestCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestCard({})", self.about)
    }
}

/// The numbers that the page takes, one for each case.
pub fn test_cards() -> Vec<TestCard> {
    let told = CARDS.iter().filter(|card| !card.number.is_empty() && !card.about.is_empty());
    told.map(|card| TestCard { number: card.number, about: card.about }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// ISO/IEC 7812-1, annex B.
    fn luhn(number: &str) -> bool {
        let sum: u32 = number
            .bytes()
            .rev()
            .enumerate()
            .map(|(at, digit)| {
                let digit = u32::from(digit - b'0') * if at % 2 == 1 { 2 } else { 1 };
                if digit > 9 { digit - 9 } else { digit }
            })
            .sum();
        sum.is_multiple_of(10)
    }

    #[test]
    fn each_card_is_told_from_the_others() {
        let tokens: HashSet<_> = CARDS.iter().map(|card| card.token).collect();
        assert_eq!(tokens.len(), CARDS.len());
        for card in &CARDS {
            assert_eq!(by_token(card.token).map(|known| known.token), Some(card.token));
            if !card.number.is_empty() {
                assert!(luhn(card.number), "{}", card.token);
                assert_eq!(by_number(card.number).map(|known| known.token), Some(card.token));
            }
            if let Behaviour::Challenges(then) = card.behaviour {
                assert!(by_token(then).is_some(), "{then}");
            }
        }
        assert!(by_number("").is_none() && by_number("4111111111111111").is_none());
    }

    #[test]
    fn knows_the_form_of_kept_methods() {
        assert!(is_kept("pm_sandbox_0123456789abcdef0123456789abcdef"));
        for other in ["pm_sandbox_", "pm_card_visa", "pm_sandbox_0123456789abcdef0123456789abcdeg"] {
            assert!(!is_kept(other), "{other}");
        }
    }
}
