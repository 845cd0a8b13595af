//! Amounts as files write them.

use platform::{Currency, Money};
use rust_decimal::{Decimal, RoundingStrategy};

/// Above this a price is taken for a mistake: a hundred thousand of it still fit an order's total.
const DEAREST: i64 = 1_000_000_000_000;

/// A plain decimal number such as `-12.50`: digits, one point, a sign.
pub(crate) fn decimal(text: &str) -> Option<Decimal> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
    if plain { Decimal::from_str_exact(text).ok() } else { None }
}

/// A whole number such as `-3` or `12`.
pub(crate) fn whole(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// `exact` in minor units of `currency`, halves rounded away from zero.
pub(crate) fn minor_units(exact: Decimal, currency: Currency) -> Option<i64> {
    let unit = Decimal::from(10_i64.pow(currency.exponent()));
    let minor = exact.checked_mul(unit)?.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    i64::try_from(minor).ok()
}

/// `minor` units of `currency` as a decimal number.
pub(crate) fn major_units(minor: i64, currency: Currency) -> Decimal {
    Decimal::from(minor) / Decimal::from(10_i64.pow(currency.exponent()))
}

/// A price, which can be paid in `currency` exactly.
///
/// # Errors
/// Says why it is none.
pub(crate) fn price(text: &str, currency: Currency) -> Result<Money, &'static str> {
    let exact = decimal(text).ok_or("the price is not a number such as 12.50")?;
    if exact.is_sign_negative() && !exact.is_zero() {
        return Err("the price is negative");
    }
    if exact.normalize().scale() > currency.exponent() {
        return Err("the price has more decimals than its currency");
    }
    let minor =
        minor_units(exact, currency).filter(|minor| *minor <= DEAREST).ok_or("the price is too high")?;
    Ok(Money::new(minor, currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_prices_exactly_or_not_at_all() {
        let pence = |text| price(text, Currency::GBP).map(|money| money.amount);
        assert_eq!(pence("19.99"), Ok(1999));
        assert_eq!(pence("50"), Ok(5000));
        assert_eq!(pence("0"), Ok(0));
        assert_eq!(pence("1.500"), Ok(150));
        for (text, reason) in [
            ("1.505", "the price has more decimals than its currency"),
            ("-1", "the price is negative"),
            ("1,50", "the price is not a number such as 12.50"),
            ("1_000", "the price is not a number such as 12.50"),
            ("1e3", "the price is not a number such as 12.50"),
            ("£5", "the price is not a number such as 12.50"),
            ("", "the price is not a number such as 12.50"),
            (".", "the price is not a number such as 12.50"),
            ("99999999999.99", "the price is too high"),
            ("99999999999999999999999999999999999", "the price is not a number such as 12.50"),
        ] {
            assert_eq!(pence(text), Err(reason), "{text}");
        }
        let yen = "JPY".parse().unwrap();
        assert_eq!(price("500", yen).unwrap().amount, 500);
        assert_eq!(price("5.5", yen), Err("the price has more decimals than its currency"));
        assert_eq!(price("1.234", "KWD".parse().unwrap()).unwrap().amount, 1234);
    }

    #[test]
    fn rounds_halves_away_from_zero() {
        let pence = |text| minor_units(decimal(text).unwrap(), Currency::GBP);
        assert_eq!(pence("0.001"), Some(0));
        assert_eq!(pence("0.005"), Some(1));
        assert_eq!(pence("-0.005"), Some(-1));
        assert_eq!(pence("1.0149"), Some(101));
    }

    #[test]
    fn reads_whole_numbers() {
        assert_eq!(whole("-80995"), Some(-80_995));
        for text in ["", "-", "1.0", "+1", "1e3", "99999999999999999999"] {
            assert_eq!(whole(text), None, "{text}");
        }
    }
}
