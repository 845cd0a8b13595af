//! Amounts in Stripe's units (<https://docs.stripe.com/currencies>), which are not ISO 4217's in every currency.

use platform::{Currency, Money};

use crate::provider::ProviderError;

/// How Stripe counts a currency.
enum Unit {
    /// As ISO 4217 does.
    Same,
    /// In thousandths of which the last digit is 0, as its partners ask.
    Tens,
    /// In hundredths that are always 00, from the time when the currency had them.
    Hundredfold,
    /// In whole ones, though ISO 4217 has hundredths.
    Whole,
}

/// None for a currency that Stripe does not charge in, as far as its unit tells.
fn unit(currency: Currency) -> Option<Unit> {
    match (currency.code(), currency.exponent()) {
        ("ISK" | "UGX", 0) => Some(Unit::Hundredfold),
        ("MGA", 2) => Some(Unit::Whole),
        ("BHD" | "JOD" | "KWD" | "OMR" | "TND", 3) => Some(Unit::Tens),
        (
            "BIF" | "CLP" | "DJF" | "GNF" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "VND" | "VUV" | "XAF"
            | "XOF" | "XPF",
            0,
        )
        | (_, 2) => Some(Unit::Same),
        _ => None,
    }
}

/// What to ask Stripe for.
///
/// # Errors
/// [`ProviderError::Refused`] for what can not be charged: of a currency it does not know, or with a fraction it does not
/// take. Nothing is rounded.
pub(super) fn to_stripe(money: Money) -> Result<i64, ProviderError> {
    let Money { amount, currency } = money;
    let exact = |divisor: i64, why: &str| {
        (amount % divisor == 0).then_some(()).ok_or_else(|| ProviderError::Refused {
            code: "amount_not_chargeable".to_owned(),
            message: format!("Stripe does not charge {money}: {why}"),
        })
    };
    match unit(currency) {
        Some(Unit::Same) => Ok(amount),
        Some(Unit::Tens) => {
            exact(10, "the last of the three decimals must be 0")?;
            Ok(amount)
        }
        Some(Unit::Whole) => {
            exact(100, "it takes whole units of this currency only")?;
            Ok(amount / 100)
        }
        Some(Unit::Hundredfold) => amount.checked_mul(100).ok_or_else(|| ProviderError::Refused {
            code: "amount_too_large".to_owned(),
            message: format!("Stripe does not charge {money}"),
        }),
        None => Err(ProviderError::Refused {
            code: "currency_not_supported".to_owned(),
            message: format!("Stripe does not charge in {currency}"),
        }),
    }
}

/// What to ask Stripe to pay out: of two currencies it pays out no fractions, though it charges them.
///
/// # Errors
/// As [`to_stripe`].
pub(super) fn payable(money: Money) -> Result<i64, ProviderError> {
    if matches!(money.currency.code(), "HUF" | "TWD") && money.amount % 100 != 0 {
        return Err(ProviderError::Refused {
            code: "amount_not_payable".to_owned(),
            message: format!(
                "Stripe does not pay out {money}: it pays out whole units of this currency only"
            ),
        });
    }
    to_stripe(money)
}

/// What Stripe speaks of. Its codes are in lower case.
///
/// # Errors
/// [`ProviderError::Refused`] for an amount that can not be said in our units.
pub(super) fn from_stripe(amount: i64, code: &str) -> Result<Money, ProviderError> {
    let unreadable = || ProviderError::Refused {
        code: "unreadable_amount".to_owned(),
        message: format!("Stripe speaks of {amount} {code}"),
    };
    let currency: Currency = code.to_ascii_uppercase().parse().map_err(|_| unreadable())?;
    let amount = match unit(currency).ok_or_else(unreadable)? {
        Unit::Same | Unit::Tens => Some(amount),
        Unit::Whole => amount.checked_mul(100),
        Unit::Hundredfold => (amount % 100 == 0).then_some(amount / 100),
    };
    Ok(Money::new(amount.ok_or_else(unreadable)?, currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(amount: i64, code: &str) -> Money {
        Money::new(amount, code.parse().unwrap())
    }

    fn refused(money: Money) -> String {
        match to_stripe(money) {
            Err(ProviderError::Refused { code, .. }) => code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn counts_as_stripe_does_and_back() {
        for (ours, stripes, code) in [
            (1999, 1999, "GBP"),
            (1999, 1999, "EUR"),
            (500, 500, "JPY"),
            (500, 500, "KRW"),
            (5120, 5120, "KWD"),
            (-5120, -5120, "TND"),
            (5, 500, "ISK"),
            (5, 500, "UGX"),
            (700, 7, "MGA"),
            (1050, 1050, "HUF"),
        ] {
            assert_eq!(to_stripe(money(ours, code)).unwrap(), stripes, "{code}");
            assert_eq!(from_stripe(stripes, &code.to_lowercase()).unwrap(), money(ours, code));
        }
    }

    #[test]
    fn refuses_what_can_not_be_charged_instead_of_rounding() {
        assert_eq!(refused(money(5124, "KWD")), "amount_not_chargeable");
        assert_eq!(refused(money(750, "MGA")), "amount_not_chargeable");
        assert_eq!(refused(money(1000, "LYD")), "currency_not_supported");
        assert_eq!(refused(money(1, "CLF")), "currency_not_supported");
        assert_eq!(refused(money(i64::MAX, "ISK")), "amount_too_large");
        assert!(payable(money(1050, "HUF")).is_err() && payable(money(1000, "HUF")).is_ok());
        assert!(from_stripe(550, "isk").is_err() && from_stripe(1, "zzz").is_err());
    }
}
