//! Stock as a store's team sees it and asks for it.

use catalog::VariantId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::adjustment::{Reason, StockAdjustment};

/// How much there is of a variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StockLevel {
    /// The variant.
    pub variant_id: VariantId,
    /// Units in the store's hands, wherever they are.
    #[schema(example = 10)]
    pub on_hand: i64,
    /// Units of these that buyers are about to buy.
    #[schema(example = 2)]
    pub reserved: i64,
    /// Units that can be sold: on hand less reserved, at active locations.
    #[schema(example = 8)]
    pub available: i64,
    /// Counts the changes of what is on hand; the `ETag` of the level.
    #[schema(example = 3)]
    pub version: i64,
    /// The same by location, `main` first. Locations that never had any are left out.
    pub locations: Vec<LevelAt>,
}

/// How much there is of a variant at a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StockLevelAt)]
pub struct LevelAt {
    /// The location's code.
    #[schema(example = "main")]
    pub location: String,
    /// Units in the store's hands.
    #[schema(example = 10)]
    pub on_hand: i64,
    /// Units of these that buyers are about to buy.
    #[schema(example = 2)]
    pub reserved: i64,
    /// Units that can be sold; none where the location is not active.
    #[schema(example = 8)]
    pub available: i64,
}

impl StockLevel {
    /// The level of a variant with these rows, `main` first.
    pub(crate) fn of(variant_id: VariantId, rows: impl Iterator<Item = (LevelAt, i64)>) -> Self {
        let mut level =
            Self { variant_id, on_hand: 0, reserved: 0, available: 0, version: 0, locations: Vec::new() };
        for (at, revision) in rows {
            level.on_hand += at.on_hand;
            level.reserved += at.reserved;
            level.available += at.available;
            level.version += revision;
            level.locations.push(at);
        }
        level
    }
}

/// A change of what is on hand.
#[derive(Clone, Debug)]
pub struct StockChange {
    /// Units, more or fewer.
    pub quantity: i64,
    /// Why.
    pub reason: Reason,
    /// For whoever asks later.
    pub note: Option<String>,
    /// The code of the location; `main` if none is named.
    pub location: Option<String>,
}

/// A number of units that somebody counted.
#[derive(Clone, Debug)]
pub struct Count {
    /// Units in the store's hands.
    pub on_hand: i64,
    /// Why they are not as many as were thought.
    pub reason: Reason,
    /// For whoever asks later.
    pub note: Option<String>,
    /// The code of the location; `main` if none is named.
    pub location: Option<String>,
}

/// What became of a request to adjust.
#[derive(Clone, Debug)]
pub struct Adjusted {
    /// The adjustment.
    pub adjustment: StockAdjustment,
    /// Whether it was made before, by the same key.
    pub replayed: bool,
}
