//! The facts that inventory publishes.

use catalog::VariantId;
use platform::outbox::Event;
use serde::{Deserialize, Serialize};

use crate::ReservationId;

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

/// Reservations were given back because their time was over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReservationsExpired {
    /// The reservations.
    pub reservations: Vec<ReservationId>,
}

impl Event for ReservationsExpired {
    const TOPIC: &'static str = "inventory.reservations_expired.v1";
}
