//! The facts that inventory publishes.

use catalog::VariantId;
use platform::outbox::Event;
use serde::{Deserialize, Serialize};

/// A variant came into stock, or sold out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AvailabilityChanged {
    /// The variant.
    pub variant_id: VariantId,
    /// Whether there is any to sell now.
    pub in_stock: bool,
    /// Grows with each such event of the variant.
    pub version: i64,
}

impl Event for AvailabilityChanged {
    const TOPIC: &'static str = "inventory.availability_changed.v1";
}
