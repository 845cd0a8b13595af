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
mod settle;
mod state;
mod sub_order;
mod verify;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catalog::{Catalog, VariantId};
use identity::{Actor, UserId};
use inventory::Inventory;
use payments::{PaymentId, Payments, RefundId};
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

/// What may differ from one marketplace to the next.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a cart lives after its last change.
    pub cart_lifetime: Duration,
    /// How long an order that awaits payment holds its stock.
    pub payment_hold: Duration,
    /// After how long in one step an order is taken up by the recovery job.
    pub step_deadline: Duration,
    /// How long a request waits for another one with the same key.
    pub duplicate_wait: Duration,
    /// How many purchases may be under way in this process; one more is told to come again.
    pub most_under_way: usize,
    /// Where buyers see an order, with its id put behind: there they come back to from a challenge of their bank's.
    pub order_url: Option<String>,
}

impl Settings {
    /// Where a buyer sees this order.
    pub(crate) fn return_url(&self, order: OrderId) -> Option<String> {
        self.order_url.as_ref().map(|url| format!("{url}{order}"))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cart_lifetime: Duration::from_secs(30 * 24 * 60 * 60),
            payment_hold: Duration::from_secs(15 * 60),
            step_deadline: Duration::from_secs(10),
            duplicate_wait: Duration::from_secs(10),
            most_under_way: 20_000,
            order_url: None,
        }
    }
}

/// What others may ask of orders.
#[async_trait]
pub trait Orders: Send + Sync + 'static {
    /// Opens a cart; the secret is told once and opens it.
    async fn create_cart(&self, actor: &Actor, currency: Option<Currency>) -> Result<(Cart, Secret), Error>;

    /// Opens a cart with units of a variant in it; none is opened if they can not be had. The cart of a person who has
    /// signed in is their account's and needs no secret.
    async fn start_cart(
        &self,
        actor: &Actor,
        variant: VariantId,
        quantity: Quantity,
        key: Option<IdempotencyKey>,
    ) -> Result<(Cart, Option<Secret>), Error>;

    /// The cart of this id, if it is the actor's account's or they hold its token. Lines whose price or stock is not
    /// what the buyer was shown carry notes.
    async fn cart(&self, actor: &Actor, cart: CartId) -> Result<Cart, Error>;

    /// The id of the cart that the actor uses: their account's, else the one that their token opens. With the key of a
    /// checkout, the one that was checked out under it comes first, and those that are done with count too.
    async fn basket(&self, actor: &Actor, checkout: Option<&IdempotencyKey>)
    -> Result<Option<CartId>, Error>;

    /// Puts what is in a guest's cart into the cart of whoever has just signed in, and says what is not as it was. The
    /// guest's cart is gone then. Nothing happens if there is none, or if one of the two is being checked out.
    async fn merge(&self, actor: &Actor, guest: &Secret) -> Result<Option<Merged>, Error>;

    /// Puts units of a variant into a cart, at the price of now. With a key, repeating it adds them once.
    async fn add_item(
        &self,
        actor: &Actor,
        cart: CartId,
        variant: VariantId,
        quantity: Quantity,
        key: Option<IdempotencyKey>,
    ) -> Result<Added, Error>;

    /// Sets the quantity of a line, and accepts the price of now.
    async fn change_item(
        &self,
        actor: &Actor,
        cart: CartId,
        line: CartLineId,
        quantity: Quantity,
    ) -> Result<Cart, Error>;

    /// Takes a line out of a cart.
    async fn remove_item(&self, actor: &Actor, cart: CartId, line: CartLineId) -> Result<Cart, Error>;

    /// Makes an order of a cart and carries it as far as it goes: paid, awaiting payment, or refused.
    /// Once it is written the purchase goes on even if the caller goes away.
    async fn checkout(&self, actor: &Actor, checkout: Checkout) -> Result<Answer, Error>;

    /// Makes an order of a cart. Comes back as soon as it is written; the purchase goes on by itself.
    async fn accept(&self, actor: &Actor, checkout: Checkout) -> Result<Accepted, Error>;

    /// Calls off an order that awaits payment; its stock is free again.
    async fn cancel(&self, actor: &Actor, order: OrderId) -> Result<Order, Error>;

    /// Pays an order that awaits payment.
    async fn pay(
        &self,
        actor: &Actor,
        order: OrderId,
        key: IdempotencyKey,
        token: payments::PaymentToken,
    ) -> Result<Answer, Error>;

    /// Opens a page at the provider on which an order that awaits payment is paid, or gives the one that is open.
    async fn open_payment_page(
        &self,
        actor: &Actor,
        order: OrderId,
        back: Back,
    ) -> Result<PaymentPage, Error>;

    /// Hears of a payment that its provider told of. Idempotent.
    async fn payment_moved(&self, order: OrderId, payment: PaymentId) -> Result<(), Error>;

    /// Gives money of an order back: the lines of the stores whose money the actor may move. Never more than was paid,
    /// whoever asks at the same time. Sent again with the same key it is answered with the same refund.
    async fn refund(
        &self,
        actor: &Actor,
        order: OrderId,
        key: &IdempotencyKey,
        request: RefundRequest,
    ) -> Result<RefundAnswer, Error>;

    /// The refunds of an order, oldest first: to whoever bought it, and to stores as far as they sold it.
    async fn refunds(&self, actor: &Actor, order: OrderId) -> Result<Vec<OrderRefund>, Error>;

    /// Hears of a refund from payments. Idempotent.
    async fn refund_moved(&self, refund: RefundId) -> Result<(), Error>;

    /// Has the money follow orders: the sales of these that were paid are posted, and nothing can be paid any more for
    /// these, which came to rest. Idempotent.
    async fn settle_money(&self, paid: &[OrderId], at_rest: &[OrderId]) -> Result<(), Error>;

    /// The order of this id, if it is of the actor's account or they hold the token of the cart it came from.
    async fn order(&self, actor: &Actor, order: OrderId) -> Result<Order, Error>;

    /// What happened to an order after this version of it, oldest first. Who may see the order may see this.
    async fn events(&self, actor: &Actor, order: OrderId, after: i32) -> Result<Vec<OrderEvent>, Error>;

    /// The version of an order, which counts what happened to it. Who may see the order may see this.
    async fn version(&self, actor: &Actor, order: OrderId) -> Result<i32, Error>;

    /// The orders of whoever asks, the latest first.
    async fn orders(&self, actor: &Actor, slice: &CursorRequest) -> Result<Slice<Order>, Error>;

    /// The orders of whoever asks, for them to take along (GDPR, Article 15 and 20): the latest 10,000.
    async fn export(&self, actor: &Actor) -> Result<Vec<Order>, Error>;

    /// Forgets who somebody was whose account is gone: their open carts, and what their orders say of them. An order
    /// that is not settled yet stays whole until it is; [`Orders::clean_up`] sees to it.
    async fn forget(&self, actor: &Actor, user: UserId) -> Result<(), Error>;

    /// Writes orders and returns of another system. Those that are there already are left as they are.
    async fn import(&self, actor: &Actor, import: &Import) -> Result<Imported, Error>;

    /// Takes up orders that stand in a step past its deadline; returns how many.
    async fn recover(&self) -> Result<u64, Error>;

    /// Gives up those of these orders that still await payment: their stock was taken back.
    async fn expire(&self, orders: &[OrderId]) -> Result<u64, Error>;

    /// Forgets keys after 24 hours, carts that expired unused a week ago, and buyers whose account is gone; returns how
    /// many.
    async fn clean_up(&self) -> Result<u64, Error>;

    /// Waits until the purchases that run in this process have come to an end.
    async fn drain(&self);

    /// Orders made by checkout, in the order of their ids, for comparison with other modules.
    async fn settlements(&self, after: Option<OrderId>, limit: i64) -> Result<Vec<Settlement>, Error>;

    /// Orders of which others have not heard yet what became of them: their stock may not have followed.
    async fn settling_stock(&self) -> Result<HashSet<OrderId>, Error>;

    /// Which of these payments, each of its order if that is known, belong to an order that is paid, or on the way to it.
    async fn of_payments(&self, payments: &[(PaymentId, Option<OrderId>)]) -> Result<Vec<PaymentId>, Error>;

    /// Which of these orders are still to be settled.
    async fn open(&self, orders: &[OrderId]) -> Result<Vec<OrderId>, Error>;

    /// Looks for broken invariants.
    async fn verify(&self) -> Result<Vec<Violation>, Error>;
}

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
        token: payments::PaymentToken,
    ) -> Result<Answer, Error> {
        pay::pay(self, actor, order, key, token).await
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

    async fn settling_stock(&self) -> Result<HashSet<OrderId>, Error> {
        verify::settling_stock(&self.parts).await
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
