//! Waiting rooms: beyond a rate, buyers of a product stand in line and are let in by turns.
//!
//! Invariants: a buyer has one place in a line, and a number has one buyer; numbers are given in the order of joining and
//! let in in the order of numbers (`0 <= lapsed <= admitted <= issued`, a constraint of the database); in any time no more
//! are let in than the rate allows and one second's worth besides.
//!
//! Nothing is kept in memory for somebody who waits: a place is a row, and its position is the difference of its number,
//! which the buyer's ticket carries, and a number that all share.
mod admission;
mod board;
mod buyer;
mod challenge;
mod check;
mod error;
pub mod jobs;
mod join;
mod line;
mod listen;
mod place;
mod room;
mod rooms;
mod seal;
mod ticket;
mod verify;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use catalog::{Catalog, ProductId, StoreId};
use identity::Actor;
use platform::batch::{self, Batch};
use platform::{Database, Id, Secret, Sources, Violation};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use board::Board;
use join::Joining;
use rooms::Rooms;
use seal::Seal;

pub use challenge::{Challenge, Solution};
pub use error::{Error, Refusal};
pub use listen::Listener;
pub use place::{Place, Standing, Status};
pub use room::{PutRoom, Room};

/// The tables of this module.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Marks ids of lines.
pub(crate) enum LineMark {}
/// The id of a line: of one opening of a product's waiting room.
pub(crate) type LineId = Id<LineMark>;

/// What may differ from one marketplace to the next.
#[derive(Clone)]
pub struct Settings {
    /// What tickets and challenges are signed with; the same on all nodes.
    pub secret: [u8; 32],
    /// How many may listen on one node at a time.
    pub listeners: usize,
}

impl Settings {
    /// The usual settings, with this secret.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self { secret, listeners: 10_000 }
    }
}

/// What others may ask of waiting rooms.
#[async_trait]
pub trait WaitingRoom: Send + Sync + 'static {
    /// Makes the waiting room of a product of this store, or changes it.
    async fn put_room(
        &self,
        actor: &Actor,
        store: StoreId,
        product: ProductId,
        room: &PutRoom,
    ) -> Result<Room, Error>;

    /// The waiting room of a product of this store.
    async fn room(&self, actor: &Actor, store: StoreId, product: ProductId) -> Result<Room, Error>;

    /// Takes the waiting room away, and the line with it. Nothing happens if there is none.
    async fn remove_room(&self, actor: &Actor, store: StoreId, product: ProductId) -> Result<(), Error>;

    /// Which of these products have a waiting room. Costs no query as a rule.
    async fn guarded(&self, products: &[ProductId]) -> Result<HashSet<ProductId>, Error>;

    /// Something for a guest to solve, to be let into the line.
    async fn challenge(&self, actor: &Actor, product: ProductId) -> Result<Challenge, Error>;

    /// Gives the actor a place, or tells the one they have. Whose time is over gets a new one at the end.
    async fn join(
        &self,
        actor: &Actor,
        product: ProductId,
        solution: Option<&Solution>,
    ) -> Result<Place, Error>;

    /// How it stands with the place that this ticket is for. Costs no query while the buyer waits.
    async fn standing(&self, actor: &Actor, product: ProductId, ticket: &str) -> Result<Standing, Error>;

    /// The same, again and again until the buyer is let in.
    async fn listen(&self, actor: &Actor, product: ProductId, ticket: &str) -> Result<Listener, Error>;

    /// Demands that the actor may buy these products now: that each either has no waiting room or has let them in.
    /// Costs no query if none has one.
    async fn check(&self, actor: &Actor, products: &[ProductId]) -> Result<(), Error>;

    /// Gives whoever has just signed in the places that they took as a guest.
    async fn carry_over(&self, actor: &Actor, guest: &Secret) -> Result<(), Error>;

    /// Lets in whose turn it is, in all lines; returns how many.
    async fn admit(&self) -> Result<u64, Error>;

    /// Forgets lines that are over, and places whose time is; returns how many.
    async fn clean_up(&self) -> Result<u64, Error>;

    /// Ends all listening on this node: it is about to stop.
    fn close(&self);

    /// Looks for broken invariants.
    async fn verify(&self) -> Result<Vec<Violation>, Error>;
}

/// The waiting rooms in this process. Has to be called within a Tokio runtime.
pub fn service(
    database: Database,
    sources: Sources,
    catalog: Arc<dyn Catalog>,
    settings: &Settings,
) -> Arc<dyn WaitingRoom> {
    let board = Arc::new(Board::new(database.clone()));
    let joining = Joining { database: database.clone(), sources: sources.clone(), board: Arc::clone(&board) };
    Arc::new(Service(Arc::new(Parts {
        rooms: Rooms::new(database.clone()),
        joins: Batch::open(joining, batch::Settings::named("waiting_room.join")),
        seal: Seal::new(&settings.secret),
        listeners: Arc::new(Semaphore::new(settings.listeners)),
        closed: CancellationToken::new(),
        database,
        sources,
        catalog,
        board,
    })))
}

pub(crate) struct Parts {
    pub(crate) database: Database,
    pub(crate) sources: Sources,
    pub(crate) catalog: Arc<dyn Catalog>,
    /// Which products have a waiting room.
    pub(crate) rooms: Rooms,
    /// How far the lines have come.
    pub(crate) board: Arc<Board>,
    pub(crate) joins: Batch<Joining>,
    pub(crate) seal: Seal,
    /// A permit for each that may listen.
    pub(crate) listeners: Arc<Semaphore>,
    pub(crate) closed: CancellationToken,
}

pub(crate) struct Service(Arc<Parts>);

#[async_trait]
impl WaitingRoom for Service {
    async fn put_room(
        &self,
        actor: &Actor,
        store: StoreId,
        product: ProductId,
        room: &PutRoom,
    ) -> Result<Room, Error> {
        room::put(&self.0, actor, store, product, room).await
    }

    async fn room(&self, actor: &Actor, store: StoreId, product: ProductId) -> Result<Room, Error> {
        room::show(&self.0, actor, store, product).await
    }

    async fn remove_room(&self, actor: &Actor, store: StoreId, product: ProductId) -> Result<(), Error> {
        room::remove(&self.0, actor, store, product).await
    }

    async fn guarded(&self, products: &[ProductId]) -> Result<HashSet<ProductId>, Error> {
        let rooms = self.0.rooms.all().await?;
        Ok(products.iter().copied().filter(|product| rooms.contains_key(product)).collect())
    }

    async fn challenge(&self, actor: &Actor, product: ProductId) -> Result<Challenge, Error> {
        challenge::issue(&self.0, actor, product).await
    }

    async fn join(
        &self,
        actor: &Actor,
        product: ProductId,
        solution: Option<&Solution>,
    ) -> Result<Place, Error> {
        place::join(&self.0, actor, product, solution).await
    }

    async fn standing(&self, actor: &Actor, product: ProductId, ticket: &str) -> Result<Standing, Error> {
        place::standing(&self.0, actor, product, ticket).await
    }

    async fn listen(&self, actor: &Actor, product: ProductId, ticket: &str) -> Result<Listener, Error> {
        Listener::open(Arc::clone(&self.0), actor, product, ticket).await
    }

    async fn check(&self, actor: &Actor, products: &[ProductId]) -> Result<(), Error> {
        check::check(&self.0, actor, products).await
    }

    async fn carry_over(&self, actor: &Actor, guest: &Secret) -> Result<(), Error> {
        buyer::carry_over(&self.0, actor, guest).await
    }

    async fn admit(&self) -> Result<u64, Error> {
        admission::admit(&self.0).await
    }

    async fn clean_up(&self) -> Result<u64, Error> {
        jobs::clean_up(&self.0).await
    }

    fn close(&self) {
        self.0.closed.cancel();
    }

    async fn verify(&self) -> Result<Vec<Violation>, Error> {
        verify::violations(&self.0.database).await
    }
}
