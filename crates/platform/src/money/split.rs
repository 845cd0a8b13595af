//! The one rule of rounding: a part of an amount is rounded once, for a whole, and the whole is then shared out so that the
//! parts add up to it (the method of largest remainders, also Hamilton's: M. L. Balinski and H. P. Young, Fair
//! Representation, 1982, chapter 2).

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Money;

/// Parts per million in a whole.
const WHOLE: u32 = 1_000_000;

/// A share of a whole in parts per million, from nothing to all of it: 100,000 is 10 %, 88,750 is 8.875 %.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(try_from = "u32", into = "u32")]
#[schema(value_type = u32, minimum = 0, maximum = 1_000_000, example = 100_000)]
pub struct Rate(u32);

impl Rate {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many whole percent; all of it if they are more than 100.
    pub const fn percent(percent: u8) -> Self {
        let ppm = percent as u32 * (WHOLE / 100);
        Self(if ppm > WHOLE { WHOLE } else { ppm })
    }

    /// The rate in parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }
}

/// The number is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a whole number of parts per million, from 0 to {WHOLE}")]
pub struct RateOutOfRange;

impl TryFrom<u32> for Rate {
    type Error = RateOutOfRange;
    fn try_from(ppm: u32) -> Result<Self, Self::Error> {
        if ppm <= WHOLE { Ok(Self(ppm)) } else { Err(RateOutOfRange) }
    }
}
impl From<Rate> for u32 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

/// `8.875 %`: for people.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (percent, rest) = (self.0 / (WHOLE / 100), self.0 % (WHOLE / 100));
        match format!("{rest:04}").trim_end_matches('0') {
            "" => write!(f, "{percent} %"),
            decimals => write!(f, "{percent}.{decimals} %"),
        }
    }
}

impl Money {
    /// This share of the amount, rounded to the nearest minor unit; half a unit goes away from zero, so that what is taken
    /// back is what was taken. Use it once for a whole, and [`Self::split`] the result.
    #[must_use]
    pub fn share(self, rate: Rate) -> Self {
        Self { amount: from_millionths(i128::from(self.amount) * i128::from(rate.0)), ..self }
    }

    /// Shares the amount out in proportion to `weights`, exactly: the parts add up to it. Each part is its proportion
    /// rounded down or up; the units that rounding down leaves go to those with the largest remainders, to the earlier
    /// ones where these are the same. Where no weight is above zero all weigh the same. Negative amounts are shared as
    /// their opposites are. There are as many parts as weights; nobody to share among gets nothing.
    #[must_use]
    pub fn split(self, weights: &[u64]) -> Vec<Self> {
        split(self.amount, weights).into_iter().map(|part| Self::new(part, self.currency)).collect()
    }
}

/// [`Money::split`] where the currency goes without saying.
pub fn split(amount: i64, weights: &[u64]) -> Vec<i64> {
    let all: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let alike = vec![1; if all == 0 { weights.len() } else { 0 }];
    let (weights, all) = if all == 0 { (alike.as_slice(), alike.len() as u128) } else { (weights, all) };
    let whole = amount.unsigned_abs();
    let mut remainders = Vec::with_capacity(weights.len());
    let mut parts = Vec::with_capacity(weights.len());
    for (place, weight) in weights.iter().enumerate() {
        // Two words of 64 bits fit into one of 128.
        let product = u128::from(whole) * u128::from(*weight);
        parts.push(u64::try_from(product / all).unwrap_or(whole));
        remainders.push((product % all, place));
    }
    let left = whole.saturating_sub(parts.iter().sum());
    // What is left are fewer units than there are remainders above zero.
    remainders.sort_unstable_by(|(one, at), (other, behind)| other.cmp(one).then(at.cmp(behind)));
    for ((_, place), _) in remainders.iter().zip(0..left) {
        parts[*place] += 1;
    }
    let signed = |part: u64| {
        if amount < 0 { 0_i64.wrapping_sub_unsigned(part) } else { 0_i64.wrapping_add_unsigned(part) }
    };
    parts.into_iter().map(signed).collect()
}

/// Whole minor units of so many millionths, half a unit away from zero; the nearest that 64 bits hold.
pub fn from_millionths(millionths: i128) -> i64 {
    let half = i128::from(WHOLE / 2) * millionths.signum();
    let units = millionths.saturating_add(half) / i128::from(WHOLE);
    i64::try_from(units).unwrap_or(if units < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Currency;
    use proptest::prelude::*;

    fn share(amount: i64, ppm: u32) -> i64 {
        Money::new(amount, Currency::EUR).share(Rate::try_from(ppm).unwrap()).amount
    }

    #[test]
    fn leftovers_go_to_the_largest_remainders_and_then_to_the_earlier() {
        assert_eq!(split(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(split(101, &[1, 1, 1]), [34, 34, 33]);
        assert_eq!(split(10, &[1, 2, 4]), [1, 3, 6]);
        assert_eq!(split(-100, &[1, 1, 1]), [-34, -33, -33]);
        assert_eq!(split(1, &[0, 5, 5]), [0, 1, 0]);
        assert_eq!(split(5, &[0, 0]), [3, 2]);
        assert_eq!(split(0, &[3, 4]), [0, 0]);
        assert!(split(7, &[]).is_empty());
    }

    #[test]
    fn the_ends_of_the_range_hold() {
        for amount in [i64::MIN, i64::MIN + 1, i64::MAX] {
            let parts = split(amount, &[u64::MAX, u64::MAX, 1]);
            assert_eq!(parts.iter().map(|part| i128::from(*part)).sum::<i128>(), i128::from(amount));
            assert_eq!(split(amount, &[7]), [amount]);
        }
        assert_eq!((share(i64::MAX, WHOLE), share(i64::MIN, WHOLE)), (i64::MAX, i64::MIN));
    }

    #[test]
    fn half_a_unit_goes_away_from_zero() {
        assert_eq!((share(5, 100_000), share(4, 100_000), share(-5, 100_000)), (1, 0, -1));
        assert_eq!(share(1999, 175_000), 350);
        assert_eq!((share(1_000, 0), share(1_000, WHOLE)), (0, 1_000));
        assert!(Rate::try_from(WHOLE + 1).is_err());
    }

    #[test]
    fn rates_are_shown_as_percent() {
        let shown = |ppm| Rate::try_from(ppm).unwrap().to_string();
        assert_eq!(
            [shown(100_000), shown(88_750), shown(1), shown(0)],
            ["10 %", "8.875 %", "0.0001 %", "0 %"]
        );
        assert_eq!((Rate::percent(20), Rate::percent(255)), (Rate(200_000), Rate(WHOLE)));
    }

    proptest! {
        /// The parts add up; none is a unit or more away from its proportion; what weighs nothing gets nothing.
        #[test]
        fn parts_add_up(amount in any::<i64>(), weights in prop::collection::vec(prop_oneof![Just(0), 0..1_000_u64, any::<u64>()], 1..40)) {
            let parts = split(amount, &weights);
            prop_assert_eq!(parts.iter().map(|part| i128::from(*part)).sum::<i128>(), i128::from(amount));
            let all: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
            for (part, weight) in parts.iter().zip(&weights) {
                let product = u128::from(amount.unsigned_abs()) * u128::from(*weight);
                let Some(down) = product.checked_div(all) else { continue };
                let part = u128::from(part.unsigned_abs());
                prop_assert!(part == down || part == down + 1);
                prop_assert!(*weight > 0 || part == 0);
            }
        }

        /// What is given back is shared as it was taken.
        #[test]
        fn opposites_are_shared_alike(amount in 0..i64::MAX, weights in prop::collection::vec(0..1_000_u64, 1..20), ppm in 0..=WHOLE) {
            let (taken, given) = (split(amount, &weights), split(-amount, &weights));
            prop_assert!(taken.iter().zip(&given).all(|(one, other)| *one == -other));
            prop_assert_eq!(share(amount, ppm), -share(-amount, ppm));
        }

        /// A share is no further from the truth than half a unit, grows with its rate, and is never more than the whole.
        #[test]
        fn shares_are_near(amount in 0..i64::MAX, ppm in 0..WHOLE) {
            let taken = share(amount, ppm);
            let off = i128::from(taken) * i128::from(WHOLE) - i128::from(amount) * i128::from(ppm);
            prop_assert!(off.abs() * 2 <= i128::from(WHOLE));
            prop_assert!(taken <= share(amount, ppm + 1) && taken <= amount);
        }
    }
}
