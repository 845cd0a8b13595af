//! Stock levels and reservations: the never-oversell engine.
//!
//! Invariants: `0 <= reserved <= on_hand` at each location (a constraint of the database); what is on hand is the sum of
//! the adjustments less what was sold; what is reserved is the sum of the held reservations; what counts against a
//! buyer's limit is the sum of what the buyer holds and has bought of the product.
//!
//! The face is in two parts: [`Inventory`] (selling, and what Souk itself writes) and [`StockKeeping`] (what a store's
//! team does).
mod adjustment;
mod engine;
mod error;
pub mod events;
pub mod jobs;
mod level;
mod location;
mod reservation;
mod reserve;
mod stock;
mod stock_keeping;
mod verify;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use catalog::{Catalog, StoreId, VariantId};
use identity::Actor;
use platform::batch::{Batch, Settings};
use platform::{Database, Id, Sources, Violation};
use time::OffsetDateTime;

use adjustment::Origin;
use engine::{Command, Engine};

pub use adjustment::{Adjustment, Reason, Returned, StockAdjustment};
pub use error::{Error, Excess, Shortage};
pub use location::{Location, LocationChange, NewLocation};
pub use reservation::{Reservation, ReservationState};
pub use reserve::{BuyerKey, Limit, Line, Reserve};
pub use stock::{Adjusted, Count, LevelAt, StockChange, StockLevel};
pub use stock_keeping::StockKeeping;

/// The tables of this module.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// The id of a reservation: its holder picks it, and repeating a command with the same id is safe.
pub type ReservationId = Id<Reservation>;
/// The id of a [`StockAdjustment`].
pub type AdjustmentId = Id<Adjustment>;

/// What others may ask of inventory.
#[async_trait]
pub trait Inventory: Send + Sync + 'static {
    /// How many units of each variant can be sold now: on hand less reserved, at all active locations. A variant that
    /// inventory does not know has none.
    async fn available(&self, variants: &[VariantId]) -> Result<HashMap<VariantId, i64>, Error>;

    /// Adds to, or takes from, what is on hand at `main`, each with its reason. All or none. An opening adjustment
    /// counts as long as nothing was adjusted or reserved; later it is passed over. Returns how many were made.
    async fn adjust(&self, actor: &Actor, adjustments: &[Adjustment]) -> Result<u64, Error>;

    /// Adds to what is on hand at `main` what buyers sent back, each key's once.
    async fn restock(&self, returned: &[Returned]) -> Result<(), Error>;

    /// Reserves every line or none, first come first served. Idempotent: the first answer is kept, a
    /// refusal too; one that was released stays so. Callers who find the queue full wait.
    async fn reserve(&self, reserve: Reserve) -> Result<(), Error>;

    /// Turns a held reservation into a sale. Idempotent.
    async fn sell(&self, id: ReservationId) -> Result<(), Error> {
        self.settle(&[id], &[]).await
    }

    /// Gives a held reservation back; one that is not there can not be made any more. Idempotent.
    async fn release(&self, id: ReservationId) -> Result<(), Error>;

    /// Turns these held reservations into sales and gives those back, as [`Self::sell`] and [`Self::release`] do, so many
    /// in one transaction. Should one of them not be there to be sold, the others are settled all the same.
    async fn settle(&self, sold: &[ReservationId], released: &[ReservationId]) -> Result<(), Error>;

    /// Keeps a held reservation until then, or, without a time, until it is settled. One that was sold stays so.
    /// [`Error::Released`] if it is gone.
    async fn extend(&self, id: ReservationId, expires_at: Option<OffsetDateTime>) -> Result<(), Error>;

    /// Releases held reservations past their time, a bounded number a round; returns how many. Publishes
    /// [`events::ReservationsExpired`] in the same transaction.
    async fn sweep(&self) -> Result<u64, Error>;

    /// The states of these reservations; those without one are left out.
    async fn states(&self, ids: &[ReservationId]) -> Result<HashMap<ReservationId, ReservationState>, Error>;

    /// Reservations that are held now, oldest first, after `after`, at most `limit`.
    async fn held(&self, after: Option<ReservationId>, limit: i64) -> Result<Vec<ReservationId>, Error>;

    /// Looks for broken invariants.
    async fn verify(&self) -> Result<Vec<Violation>, Error>;
}

/// The inventory in this process: both parts of its face. Has to be called within a Tokio runtime.
pub fn service(
    database: Database,
    sources: Sources,
    catalog: Arc<dyn Catalog>,
) -> (Arc<dyn Inventory>, Arc<dyn StockKeeping>) {
    let engine = Engine { database: database.clone(), sources: sources.clone() };
    let queue = Batch::open(engine.clone(), Settings::named("reservations"));
    let service = Arc::new(Service { database, sources, catalog, engine, queue });
    (Arc::clone(&service) as _, service)
}

pub(crate) struct Service {
    pub(crate) database: Database,
    pub(crate) sources: Sources,
    /// Knows whose a variant is.
    pub(crate) catalog: Arc<dyn Catalog>,
    engine: Engine,
    /// Where all who reserve and settle meet.
    queue: Batch<Engine>,
}

impl Service {
    async fn carry_out(&self, command: Command) -> Result<(), Error> {
        Ok(self.queue.call_in_turn(command).await??)
    }

    /// Whose these variants are, as far as the catalogue knows them.
    pub(crate) async fn stores_of(
        &self,
        variants: &[VariantId],
    ) -> Result<HashMap<VariantId, StoreId>, Error> {
        Ok(self.catalog.stores_of(variants).await?.into_iter().collect())
    }
}

#[async_trait]
impl Inventory for Service {
    async fn available(&self, variants: &[VariantId]) -> Result<HashMap<VariantId, i64>, Error> {
        Ok(level::available(&self.database, variants).await?)
    }

    async fn adjust(&self, actor: &Actor, adjustments: &[Adjustment]) -> Result<u64, Error> {
        if !actor.is_system() {
            return Err(Error::Forbidden);
        }
        let variants: Vec<VariantId> = adjustments.iter().map(|adjustment| adjustment.variant_id).collect();
        let stores = self.stores_of(&variants).await?;
        let mut tx = self.database.begin().await?;
        level::claim(&mut tx, &stores).await?;
        let origin = Origin { actor, stores: &stores, key: None, location: level::MAIN };
        let made = adjustment::make(&mut tx, &self.sources, &origin, adjustments).await?;
        tx.commit(self.sources.now()).await?;
        Ok(made.len() as u64)
    }

    async fn restock(&self, returned: &[Returned]) -> Result<(), Error> {
        let variants: Vec<VariantId> = returned.iter().map(|returned| returned.variant_id).collect();
        let stores = self.stores_of(&variants).await?;
        let mut tx = self.database.begin().await?;
        level::claim(&mut tx, &stores).await?;
        // Everybody in the same order, so that nobody waits for another in a circle.
        let mut returned: Vec<&Returned> = returned.iter().collect();
        returned.sort_by_key(|returned| returned.variant_id);
        let actor = Actor::system();
        for one in returned {
            let key = Some(one.key.as_str());
            let origin = Origin { actor: &actor, stores: &stores, key, location: level::MAIN };
            adjustment::make(&mut tx, &self.sources, &origin, &[one.adjustment()]).await?;
        }
        tx.commit(self.sources.now()).await?;
        Ok(())
    }

    async fn reserve(&self, reserve: Reserve) -> Result<(), Error> {
        self.carry_out(Command::Reserve(reserve)).await
    }

    async fn sell(&self, id: ReservationId) -> Result<(), Error> {
        self.carry_out(Command::Sell(id)).await
    }

    async fn release(&self, id: ReservationId) -> Result<(), Error> {
        self.carry_out(Command::Release(id)).await
    }

    async fn settle(&self, sold: &[ReservationId], released: &[ReservationId]) -> Result<(), Error> {
        self.engine.settle(sold, released).await
    }

    async fn extend(&self, id: ReservationId, expires_at: Option<OffsetDateTime>) -> Result<(), Error> {
        self.carry_out(Command::Extend(id, expires_at)).await
    }

    async fn sweep(&self) -> Result<u64, Error> {
        self.engine.sweep().await
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
