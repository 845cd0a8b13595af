//! What the sandbox keeps for its work.

use platform::{Currency, Money};

/// For a charge, in thousandths of it.
const SHARE: i128 = 15;
/// For a charge besides, in minor units of a currency with two decimals, or without any.
const FIXED: i64 = 20;
/// For a dispute, in minor units. It stays with the sandbox however the dispute is decided.
pub(super) const DISPUTE_FEE: i64 = 1500;

/// The fixed part of a charge's fee, in minor units of this currency: 20, and 200 of those that have a thousand to the unit.
pub(super) fn fixed(currency: Currency) -> i64 {
    FIXED * 10_i64.pow(currency.exponent().saturating_sub(2))
}

/// The fee of a charge, in minor units of its currency: 1.5 %, halves rounded up, and the fixed part.
pub(super) fn of_charge(amount: Money) -> i64 {
    let share = (i128::from(amount.amount) * SHARE + 500).div_euclid(1000);
    i64::try_from(share).unwrap_or(i64::MAX).saturating_add(fixed(amount.currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_halves_up_and_scales_the_fixed_part() {
        for (amount, currency, fee) in [
            (1000, "GBP", 35),
            (1999, "GBP", 50),
            (100, "GBP", 22),
            (33, "GBP", 20),
            (34, "GBP", 21),
            (0, "EUR", 20),
            (1000, "JPY", 35),
            (10_000, "KWD", 350),
        ] {
            assert_eq!(of_charge(Money::new(amount, currency.parse().unwrap())), fee, "{amount} {currency}");
        }
        assert!(of_charge(Money::new(i64::MAX, Currency::GBP)) > 0);
    }
}
