//! A card, as a buyer writes it on the page. Its number is never kept or logged.

use std::fmt;

use time::OffsetDateTime;

use super::token::{self, Known};

/// What a buyer writes on the page.
#[derive(Clone, Default)]
pub struct Card {
    /// The number, with or without gaps.
    pub number: String,
    /// Until when it is good: `MM/YY` or `MM/YYYY`.
    pub expiry: String,
    /// The security code on its back.
    pub cvc: String,
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Card(…)")
    }
}

/// A field of the card form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The number.
    Number,
    /// Until when it is good.
    Expiry,
    /// The security code.
    Cvc,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Which.
    pub field: Field,
    /// What to tell the buyer.
    pub message: &'static str,
}

impl Wrong {
    pub(super) const fn new(field: Field, message: &'static str) -> Self {
        Self { field, message }
    }
}

/// The card that was written, and until when it is good; or all that is wrong with it.
pub(super) fn read(card: &Card, now: OffsetDateTime) -> Result<(&'static Known, (u8, u16)), Vec<Wrong>> {
    let mut wrong = Vec::new();
    let number: String = card.number.chars().filter(|c| !matches!(c, ' ' | '-' | '\u{a0}')).collect();
    let known = token::by_number(&number);
    if number.is_empty() {
        wrong.push(Wrong::new(Field::Number, "Enter a card number."));
    } else if known.is_none() {
        let message =
            "This is not a test number. Use one from the list; never enter the number of a real card here.";
        wrong.push(Wrong::new(Field::Number, message));
    }
    let expires = expiry(&card.expiry);
    match expires {
        None => wrong.push(Wrong::new(Field::Expiry, "Enter month and year, such as 12/34.")),
        Some((month, year)) if (i32::from(year), month) < (now.year(), u8::from(now.month())) => {
            wrong.push(Wrong::new(Field::Expiry, "The card has expired."));
        }
        Some(_) => {}
    }
    let cvc = card.cvc.trim();
    let digits = known.map_or(3, Known::cvc_digits);
    if cvc.len() != digits || !cvc.bytes().all(|byte| byte.is_ascii_digit()) {
        let message = if digits == 4 { "Enter the four digits." } else { "Enter the three digits." };
        wrong.push(Wrong::new(Field::Cvc, message));
    }
    match (known, expires) {
        (Some(known), Some(expires)) if wrong.is_empty() => Ok((known, expires)),
        _ => Err(wrong),
    }
}

/// Month and year, with or without a slash and gaps.
fn expiry(text: &str) -> Option<(u8, u16)> {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '/' | '-')).collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (month, year) = match digits.len() {
        4 | 6 => digits.split_at(2),
        _ => return None,
    };
    let (month, short): (u8, bool) = (month.parse().ok()?, year.len() == 2);
    let year = year.parse::<u16>().ok()? + if short { 2000 } else { 0 };
    ((1..=12).contains(&month) && year >= 2000).then_some((month, year))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-06-30 23:59 UTC);

    fn card(number: &str, expiry: &str, cvc: &str) -> Card {
        Card { number: number.to_owned(), expiry: expiry.to_owned(), cvc: cvc.to_owned() }
    }

    #[test]
    fn reads_cards_however_people_write_them() {
        for (number, expiry) in [
            ("4242424242424242", "12/34"),
            ("4242 4242 4242 4242", "1234"),
            ("4242-4242-4242-4242", "12 / 2034"),
        ] {
            let (known, expires) =
                read(&card(number, expiry, "123"), NOW).unwrap_or_else(|_| panic!("{expiry}"));
            assert_eq!((known.token, expires), ("tok_visa", (12, 2034)));
        }
        assert!(read(&card("4242424242424242", "06/26", "123"), NOW).is_ok(), "good until the month ends");
        assert!(read(&card("378282246310005", "12/34", "1234"), NOW).is_ok());
    }

    #[test]
    fn says_all_that_is_wrong() {
        let fields = |card: &Card| {
            let wrong = read(card, NOW).err().unwrap_or_default();
            wrong.into_iter().map(|wrong| wrong.field).collect::<Vec<_>>()
        };
        assert_eq!(fields(&Card::default()), [Field::Number, Field::Expiry, Field::Cvc]);
        assert_eq!(fields(&card("4111111111111111", "12/34", "123")), [Field::Number], "only test numbers");
        for expiry in ["05/26", "13/34", "00/34", "12/3", "soon", "12/0034"] {
            assert_eq!(fields(&card("4242424242424242", expiry, "123")), [Field::Expiry], "{expiry}");
        }
        assert_eq!(fields(&card("378282246310005", "12/34", "123")), [Field::Cvc]);
        assert_eq!(format!("{:?}", card("4242424242424242", "12/34", "123")), "Card(…)");
    }
}
