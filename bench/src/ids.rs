//! The ids of what is prepared, computed alike here and in SQL, so that a generator knows them without asking.

use uuid::Uuid;

/// How many products there are to be bought at random.
pub(crate) const PRODUCTS: u32 = 10_000;
/// Products behind them with few units each, for selling out.
pub(crate) const SCARCE: u32 = 64;
/// Units of each of those.
pub(crate) const SCARCE_UNITS: u32 = 500;

/// The only variant of the product with that number.
pub(crate) fn variant(number: u32) -> Uuid {
    Uuid::from_u128(0x019a_0000_0001_7000_8000_0000_0000_0000 | u128::from(number))
}

/// The product with that number.
pub(crate) fn product(number: u32) -> Uuid {
    Uuid::from_u128(0x019a_0000_0000_7000_8000_0000_0000_0000 | u128::from(number))
}

/// The token of a prepared cart; also the idempotency key of its checkout.
pub(crate) fn token(batch: u32, number: u64) -> String {
    format!("bench-{batch}-{number}")
}

/// A small generator of numbers at random (xorshift*, Marsaglia 2003 and Vigna 2016), the same for the same seed.
pub(crate) struct Chance(u64);

impl Chance {
    /// A sequence of its own for each seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        let scaled = (high * u64::from(bound)) >> 32;
        u32::try_from(scaled).expect("below a bound of 32 bits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_7_and_end_in_their_number() {
        assert_eq!(variant(10).to_string(), "019a0000-0001-7000-8000-00000000000a");
        assert_eq!(product(10).to_string(), "019a0000-0000-7000-8000-00000000000a");
        assert_eq!(variant(10).get_version_num(), 7);
    }

    #[test]
    fn chance_stays_below_its_bound_and_reaches_everything() {
        let mut chance = Chance::new(0);
        let mut seen = [0; 10];
        (0..10_000).for_each(|_| seen[chance.below(10) as usize] += 1);
        assert!(seen.iter().all(|count| (800..1_200).contains(count)), "{seen:?}");
        assert_ne!(Chance::new(1).below(u32::MAX), Chance::new(2).below(u32::MAX));
    }
}
