//! Which products buyers want.

use clap::ValueEnum;

use crate::ids::{PRODUCTS, SCARCE};

/// How the demand is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Traffic {
    /// Each order has two products at random.
    Uniform,
    /// Each order has one and the same product, and another at random.
    Hot,
    /// As `hot`, but there are 500 units for all.
    SoldOut,
}

impl Traffic {
    /// Its name in tables and arguments.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Hot => "hot",
            Self::SoldOut => "sold-out",
        }
    }

    /// The product that every order has. Each batch sells out another one.
    pub(crate) fn first_product(self, batch: u32) -> Option<u32> {
        match self {
            Self::Uniform => None,
            Self::Hot => Some(0),
            Self::SoldOut => Some(PRODUCTS + batch % SCARCE),
        }
    }
}
