//! Bodies of those who pay: a card number in any of their fields is refused before anything is made of it.
//!
//! Card data belongs on the provider's page; what takes it falls under PCI DSS. Somebody who writes their number into a note,
//! or a client that sends it in place of a token, is told so, and the number is in no row, answer or log.

use axum::extract::{FromRequest, Request};
use garde::Validate;
use platform::Detail;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Json, json_body, parse};
use crate::problem::Problem;

/// A validated JSON body in which no card number stands.
pub(crate) struct PayingJson<T>(pub(crate) T);

impl<T, S> FromRequest<S> for PayingJson<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = json_body(request).await?;
        if has_card_number(&bytes) {
            let field = serde_json::from_slice(&bytes).ok().and_then(|body| place(&body));
            let message = "this looks like a card number; Souk takes tokens only";
            let detail = Detail::new(field.unwrap_or_default(), "invalid", message);
            return Err(Problem::invalid("payments/card_number_refused", vec![detail]));
        }
        let Json(body) = parse(&bytes)?;
        Ok(Self(body))
    }
}

/// Where in a body the first card number stands, as a path.
fn place(body: &Value) -> Option<String> {
    let below = |name: String, inner: &Value| {
        let path = place(inner)?;
        Some(if path.is_empty() || path.starts_with('[') { name + &path } else { format!("{name}.{path}") })
    };
    match body {
        Value::Object(fields) => fields.iter().find_map(|(name, inner)| {
            // A name that is one is not repeated.
            if has_card_number(name.as_bytes()) {
                return Some(String::new());
            }
            below(name.clone(), inner)
        }),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(place, inner)| below(format!("[{place}]"), inner))
        }
        Value::String(text) => has_card_number(text.as_bytes()).then(String::new),
        Value::Number(number) => has_card_number(number.to_string().as_bytes()).then(String::new),
        Value::Null | Value::Bool(_) => None,
    }
}

/// Whether a number that a card may have stands in the text by itself: 13 to 19 digits, with or without a gap or a hyphen
/// between them, of an issuer of payment cards (ISO/IEC 7812: they begin with 2 to 6), and with the right check digit. What
/// stands next to a letter is part of an id, and what follows a plus sign is a telephone number.
fn has_card_number(text: &[u8]) -> bool {
    let mut at = 0;
    while at < text.len() {
        if !text[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let (begin, mut digits) = (at, Vec::with_capacity(19));
        while at < text.len() {
            let gap = matches!(text[at], b' ' | b'-') && text.get(at + 1).is_some_and(u8::is_ascii_digit);
            if text[at].is_ascii_digit() {
                digits.push(text[at] - b'0');
            } else if !gap {
                break;
            }
            at += 1;
        }
        let before = begin.checked_sub(1).map(|place| text[place]);
        let joined = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii();
        let alone = before.is_none_or(|byte| !joined(byte) && !b"+.-".contains(&byte))
            && text.get(at).is_none_or(|byte| !joined(*byte));
        if alone && is_card_number(&digits) {
            return true;
        }
    }
    false
}

fn is_card_number(digits: &[u8]) -> bool {
    (13..=19).contains(&digits.len()) && (2..=6).contains(&digits[0]) && passes_luhn(digits)
}

/// The check digit of ISO/IEC 7812-1, annex B.
fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn knows_card_numbers_by_themselves() {
        for text in [
            "4242424242424242",
            "4242 4242 4242 4242",
            "5555-5555-5555-4444",
            "378282246310005",
            "my card is 4000 0566 5566 5556, thanks",
            "\"6011111111111117\"",
            "4242424242424242@example.com",
        ] {
            assert!(has_card_number(text.as_bytes()), "{text}");
        }
    }

    /// Ids, telephone numbers and sums are none.
    #[test]
    fn knows_what_is_none() {
        for text in [
            "",
            "4242424242424241",
            "+4917612345678901",
            "+44 20 7946 0000",
            "020 7946 0000",
            "tok_4242424242424242",
            "019a4242-4242-4242-4242-42424242a000",
            "42424242424242424242424242424242",
            "1999",
            "1234567890128",
        ] {
            assert!(!has_card_number(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn tells_where_it_stands() {
        for (body, field) in [
            (json!({"email": "a@b.c", "payment": {"token": "4242424242424242"}}), "payment.token"),
            (json!({"lines": [{}, {"note": "4242 4242 4242 4242"}]}), "lines[1].note"),
            (json!({"payment": 4_242_424_242_424_242_u64}), "payment"),
            (json!({"payment": {"4242424242424242": 1}}), "payment"),
        ] {
            assert_eq!(place(&body).as_deref(), Some(field), "{body}");
        }
        assert_eq!(place(&json!({"payment": {"token": "tok_visa"}})), None);
    }
}
