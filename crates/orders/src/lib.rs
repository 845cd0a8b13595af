//! Carts, checkout and the life of an order.
//!
//! Invariants: an order's total is the sum of its lines; what it charges is what the buyer was shown; a
//! cart becomes at most one order that is not rejected or expired; a key is answered once, the same way
//! each time; no order stays in a step past its deadline while a worker runs; an account has one open cart at most.

mod by_itself;
mod cart;
mod cart_change;
mod checkout;
mod completion;
mod erase;
mod error;
pub mod events;
mod face;
mod idempotency;
mod import;
pub mod jobs;
mod journal;
mod merge;
mod order;
mod pay;
mod place;
mod pricing;
mod progress;
mod recovery;
mod refund;
mod settings;
mod settle;
mod state;
mod sub_order;
mod verify;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use catalog::{Catalog, VariantId};
use identity::{Actor, UserId};
use inventory::Inventory;
use payments::{PaymentId, Payments, RefundId, Sale};
use platform::batch::{self, Batch};
use platform::{Currency, CursorRequest, Database, Id, Quantity, Secret, Slice, Sources, Violation};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use waiting_room::WaitingRoom;

use place::Place;
use settle::Settle;

pub use by_itself::{Back, PaymentPage};
pub use cart::{Cart, CartLine, CartLineMark, ProductRef};
pub use cart_change::Added;
pub use checkout::{Accepted, Answer, Checkout};
pub use error::{Error, Failure};
pub use face::Orders;
pub use idempotency::IdempotencyKey;
pub use import::{
    Customer, Grown, Import, Imported, ImportedDocuments, ImportedLine, ImportedOrder, ImportedReturn,
};
pub use merge::Merged;
pub use order::{NextAction, Order, OrderFailure, OrderLine};
pub use platform::Address;
pub use progress::OrderEvent;
pub use refund::{
    OrderRefund, RefundAnswer, RefundLine, RefundLineRequest, RefundReason, RefundRequest, RefundTo,
};
pub use settings::Settings;
pub use state::{MOVES, OrderEventKind, OrderState};
pub use sub_order::SubOrder;
pub use verify::Settlement;

/// The tables of this module.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// The id of a [`Cart`].
pub type CartId = Id<Cart>;
/// The id of a [`CartLine`].
pub type CartLineId = Id<CartLineMark>;
/// The id of an [`Order`].
pub type OrderId = Id<Order>;

/// Two batches at a time: while PostgreSQL writes one, the other is read and priced.
const PLACING: batch::Settings = batch::Settings { lanes: 2, ..batch::Settings::named("orders.place") };

/// The orders in this process.
pub fn service(
    database: Database,
    sources: Sources,
    catalog: Arc<dyn Catalog>,
    inventory: Arc<dyn Inventory>,
    payments: Arc<dyn Payments>,
    waiting_room: Arc<dyn WaitingRoom>,
    settings: Settings,
) -> Arc<dyn Orders> {
    let tasks = TaskTracker::new();
    tasks.close();
    let under_way = Arc::new(Semaphore::new(settings.most_under_way));
    let settling = Batch::open(Settle(database.clone()), batch::Settings::named("orders.settle"));
    let reads = progress::reads(database.pool().clone());
    let parts = Arc::new(Parts {
        database,
        sources,
        catalog,
        inventory,
        payments,
        waiting_room,
        settings,
        tasks,
        settling,
        reads,
    });
    let placing = Batch::open(Place(Arc::clone(&parts)), PLACING);
    Arc::new(Service { parts, placing, under_way })
}

pub(crate) struct Parts {
    pub(crate) database: Database,
    pub(crate) sources: Sources,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) inventory: Arc<dyn Inventory>,
    pub(crate) payments: Arc<dyn Payments>,
    pub(crate) waiting_room: Arc<dyn WaitingRoom>,
    pub(crate) settings: Settings,
    /// Purchases under way; they outlive the request that began them.
    pub(crate) tasks: TaskTracker,
    pub(crate) settling: Batch<Settle>,
    /// Reads of journals, for those who follow orders.
    pub(crate) reads: progress::Reads,
}

pub(crate) struct Service {
    pub(crate) parts: Arc<Parts>,
    pub(crate) placing: Batch<Place>,
    /// One permit for each purchase that may be under way.
    pub(crate) under_way: Arc<Semaphore>,
}

impl Service {
    /// Tells a cart that is just being bought from one that was.
    async fn explained<T: Send>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        match outcome {
            Ok(done) => Ok(done),
            Err(error) => Err(cart::explain(&self.parts, error).await),
        }
    }
}

#[async_trait]
impl Orders for Service {
    async fn create_cart(&self, _: &Actor, currency: Option<Currency>) -> Result<(Cart, Secret), Error> {
        cart::create(&self.parts, currency).await
    }

    async fn start_cart(
        &self,
        actor: &Actor,
        variant: VariantId,
        quantity: Quantity,
        key: Option<IdempotencyKey>,
    ) -> Result<(Cart, Option<Secret>), Error> {
        self.explained(cart_change::start(&self.parts, actor, variant, quantity, key).await).await
    }

    async fn cart(&self, actor: &Actor, cart: CartId) -> Result<Cart, Error> {
        cart::show(&self.parts, actor, cart).await
    }

    async fn basket(
        &self,
        actor: &Actor,
        checkout: Option<&IdempotencyKey>,
    ) -> Result<Option<CartId>, Error> {
        cart::basket(&self.parts, actor, checkout).await
    }

    async fn merge(&self, actor: &Actor, guest: &Secret) -> Result<Option<Merged>, Error> {
        merge::merge(&self.parts, actor, guest).await
    }

    async fn add_item(
        &self,
        actor: &Actor,
        cart: CartId,
        variant: VariantId,
        quantity: Quantity,
        key: Option<IdempotencyKey>,
    ) -> Result<Added, Error> {
        self.explained(cart_change::add(&self.parts, actor, cart, variant, quantity, key).await).await
    }

    async fn change_item(
        &self,
        actor: &Actor,
        cart: CartId,
        line: CartLineId,
        quantity: Quantity,
    ) -> Result<Cart, Error> {
        self.explained(cart_change::set_quantity(&self.parts, actor, cart, line, quantity).await).await
    }

    async fn remove_item(&self, actor: &Actor, cart: CartId, line: CartLineId) -> Result<Cart, Error> {
        self.explained(cart_change::remove(&self.parts, actor, cart, line).await).await
    }

    async fn checkout(&self, actor: &Actor, checkout: Checkout) -> Result<Answer, Error> {
        checkout::checkout(self, actor, checkout).await
    }

    async fn accept(&self, actor: &Actor, checkout: Checkout) -> Result<Accepted, Error> {
        checkout::accept(self, actor, checkout).await
    }

    async fn cancel(&self, actor: &Actor, order: OrderId) -> Result<Order, Error> {
        checkout::cancel(self, actor, order).await
    }

    async fn pay(
        &self,
        actor: &Actor,
        order: OrderId,
        key: IdempotencyKey,
        means: payments::PaymentMeans,
    ) -> Result<Answer, Error> {
        pay::pay(self, actor, order, key, means).await
    }

    async fn open_payment_page(
        &self,
        actor: &Actor,
        order: OrderId,
        back: Back,
    ) -> Result<PaymentPage, Error> {
        by_itself::open_page(&self.parts, actor, order, back).await
    }

    async fn payment_moved(&self, order: OrderId, payment: PaymentId) -> Result<(), Error> {
        by_itself::payment_moved(&self.parts, order, payment).await
    }

    async fn refund(
        &self,
        actor: &Actor,
        order: OrderId,
        key: &IdempotencyKey,
        request: RefundRequest,
    ) -> Result<RefundAnswer, Error> {
        refund::refund(&self.parts, actor, order, key, &request).await
    }

    async fn refunds(&self, actor: &Actor, order: OrderId) -> Result<Vec<OrderRefund>, Error> {
        refund::list(&self.parts, actor, order).await
    }

    async fn refund_moved(&self, refund: RefundId) -> Result<(), Error> {
        refund::refund_moved(&self.parts, refund).await
    }

    async fn settle_money(&self, paid: &[OrderId], at_rest: &[OrderId]) -> Result<(), Error> {
        by_itself::settle_money(&self.parts, paid, at_rest).await
    }

    async fn order(&self, actor: &Actor, order: OrderId) -> Result<Order, Error> {
        order::show(&self.parts, actor, order).await
    }

    async fn events(&self, actor: &Actor, order: OrderId, after: i32) -> Result<Vec<OrderEvent>, Error> {
        progress::events(&self.parts, actor, order, after).await
    }

    async fn version(&self, actor: &Actor, order: OrderId) -> Result<i32, Error> {
        progress::version(&self.parts, actor, order).await
    }

    async fn orders(&self, actor: &Actor, slice: &CursorRequest) -> Result<Slice<Order>, Error> {
        order::list(&self.parts, actor, slice).await
    }

    async fn export(&self, actor: &Actor) -> Result<Vec<Order>, Error> {
        order::export(&self.parts, actor).await
    }

    async fn forget(&self, actor: &Actor, user: UserId) -> Result<(), Error> {
        erase::forget(&self.parts, actor, user).await
    }

    async fn import(&self, actor: &Actor, import: &Import) -> Result<Imported, Error> {
        if !actor.is_system() {
            return Err(Error::Forbidden);
        }
        import::write(&self.parts, import).await
    }

    async fn recover(&self) -> Result<u64, Error> {
        Ok(recovery::recover(&self.parts).await? + refund::carry_on_due(&self.parts).await?)
    }

    async fn expire(&self, orders: &[OrderId]) -> Result<u64, Error> {
        recovery::expire(&self.parts, orders).await
    }

    async fn clean_up(&self) -> Result<u64, Error> {
        jobs::clean_up(&self.parts).await
    }

    async fn drain(&self) {
        self.parts.tasks.wait().await;
    }

    async fn sales(&self, orders: &[OrderId]) -> Result<Vec<Sale>, Error> {
        by_itself::sales(&self.parts, orders).await
    }

    async fn settling(&self) -> Result<HashSet<OrderId>, Error> {
        verify::settling(&self.parts).await
    }

    async fn settlements(&self, after: Option<OrderId>, limit: i64) -> Result<Vec<Settlement>, Error> {
        verify::settlements(&self.parts, after, limit).await
    }

    async fn of_payments(&self, payments: &[(PaymentId, Option<OrderId>)]) -> Result<Vec<PaymentId>, Error> {
        verify::of_payments(&self.parts, payments).await
    }

    async fn open(&self, orders: &[OrderId]) -> Result<Vec<OrderId>, Error> {
        verify::open(&self.parts, orders).await
    }

    async fn verify(&self) -> Result<Vec<Violation>, Error> {
        verify::violations(&self.parts).await
    }
}
