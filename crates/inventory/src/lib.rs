//! Stock levels and reservations: the never-oversell engine.
//!
//! Invariants: `0 <= reserved <= on_hand` (a constraint of the database); what is on hand is the sum of
//! the adjustments less what was sold; what is reserved is the sum of the held reservations.
mod adjustment;
mod error;
pub mod events;
pub mod jobs;
mod level;
mod reservation;
mod verify;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use catalog::VariantId;
use identity::Actor;
use platform::{Database, Id, Quantity, Sources, Violation};

pub use adjustment::{Adjustment, Reason};
pub use error::{Error, Shortage};
pub use reservation::{Line, Reservation, ReservationState};

/// The tables of this module.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// The id of a reservation: its holder picks it, and repeating a command with the same id is safe.
pub type ReservationId = Id<Reservation>;

/// What others may ask of inventory.
#[async_trait]
pub trait Inventory: Send + Sync + 'static {
    /// How many units of each variant can be sold now: on hand less reserved. A variant that inventory
    /// does not know has none.
    async fn available(&self, variants: &[VariantId]) -> Result<HashMap<VariantId, i64>, Error>;

    /// Adds to, or takes from, what is on hand, each with its reason. All or none. An opening adjustment
    /// counts as long as nothing was adjusted or reserved; later it is passed over. Returns how many were made.
    async fn adjust(&self, actor: &Actor, adjustments: &[Adjustment]) -> Result<u64, Error>;

    /// Reserves every line or none, first come first served. Idempotent: the first answer is kept, a
    /// refusal too; one that was released stays so.
    async fn reserve(&self, id: ReservationId, lines: &[Line]) -> Result<(), Error>;

    /// Turns a held reservation into a sale. Idempotent.
    async fn sell(&self, id: ReservationId) -> Result<(), Error>;

    /// Gives a held reservation back; one that is not there can not be made any more. Idempotent.
    async fn release(&self, id: ReservationId) -> Result<(), Error>;

    /// The states of these reservations; those without one are left out.
    async fn states(&self, ids: &[ReservationId]) -> Result<HashMap<ReservationId, ReservationState>, Error>;

    /// Reservations that are held now, oldest first, after `after`, at most `limit`.
    async fn held(&self, after: Option<ReservationId>, limit: i64) -> Result<Vec<ReservationId>, Error>;

    /// Looks for broken invariants.
    async fn verify(&self) -> Result<Vec<Violation>, Error>;
}

/// The inventory in this process.
pub fn service(database: Database, sources: Sources) -> Arc<dyn Inventory> {
    Arc::new(Service { database, sources })
}

struct Service {
    database: Database,
    sources: Sources,
}

#[async_trait]
impl Inventory for Service {
    async fn available(&self, variants: &[VariantId]) -> Result<HashMap<VariantId, i64>, Error> {
        level::available(&self.database, variants).await
    }

    async fn adjust(&self, actor: &Actor, adjustments: &[Adjustment]) -> Result<u64, Error> {
        if !actor.is_system() {
            return Err(Error::Forbidden);
        }
        adjustment::make(&self.database, &self.sources, adjustments).await
    }

    async fn reserve(&self, id: ReservationId, lines: &[Line]) -> Result<(), Error> {
        reservation::reserve(&self.database, &self.sources, id, lines).await
    }

    async fn sell(&self, id: ReservationId) -> Result<(), Error> {
        reservation::settle(&self.database, &self.sources, id, ReservationState::Sold).await
    }

    async fn release(&self, id: ReservationId) -> Result<(), Error> {
        reservation::settle(&self.database, &self.sources, id, ReservationState::Released).await
    }

    async fn states(&self, ids: &[ReservationId]) -> Result<HashMap<ReservationId, ReservationState>, Error> {
        reservation::states(&self.database, ids).await
    }

    async fn held(&self, after: Option<ReservationId>, limit: i64) -> Result<Vec<ReservationId>, Error> {
        reservation::held(&self.database, after, limit).await
    }

    async fn verify(&self) -> Result<Vec<Violation>, Error> {
        verify::violations(&self.database).await
    }
}

impl Line {
    /// `quantity` units of a variant.
    pub const fn new(variant_id: VariantId, quantity: Quantity) -> Self {
        Self { variant_id, quantity }
    }
}
