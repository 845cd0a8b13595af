//! How many of something a buyer wants.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A number of units from 1 to [`Quantity::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "i64", into = "i64")]
#[schema(value_type = i64, minimum = 1, maximum = 100_000, example = 1)]
pub struct Quantity(i32);

impl Quantity {
    /// The most units of one variant that one order may ask for.
    pub const MAX: i32 = 100_000;

    /// The number.
    pub const fn get(self) -> i32 {
        self.0
    }
}

/// The number is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a quantity is a whole number from 1 to {max}", max = Quantity::MAX)]
pub struct QuantityOutOfRange;

impl TryFrom<i64> for Quantity {
    type Error = QuantityOutOfRange;
    fn try_from(number: i64) -> Result<Self, Self::Error> {
        match i32::try_from(number) {
            Ok(number @ 1..=Self::MAX) => Ok(Self(number)),
            _ => Err(QuantityOutOfRange),
        }
    }
}
impl From<Quantity> for i64 {
    fn from(quantity: Quantity) -> Self {
        Self::from(quantity.0)
    }
}
