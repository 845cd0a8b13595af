//! A crash between any two steps of a purchase: nothing is lost, nothing happens twice, nothing stays stuck.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use catalog::VariantId;
use identity::{Actor, UserId};
use inventory::{Adjustment, Inventory, ReservationId, ReservationState, Reserve, Returned};
use orders::jobs::SettleStock;
use orders::{Checkout, Error, IdempotencyKey, Orders};
use payments::{
    Charge, CommissionBook, PageRequest, Payment, PaymentId, PaymentMeans, PaymentToken, Payments, Refund,
    RefundId, Refunding, Sale, Share,
};
use platform::Violation;
use platform::outbox::{self, Dispatcher};
use testkit::{NewProduct, TestApp, address};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Doors between the steps. The power fails at one of them, and then at all after it.
#[derive(Default)]
struct Doors {
    passed: AtomicUsize,
    broken: usize,
}

impl Doors {
    fn is_open(&self) -> bool {
        self.passed.fetch_add(1, Ordering::SeqCst) < self.broken
    }
}

struct FailingInventory(Arc<dyn Inventory>, Arc<Doors>);
struct FailingPayments(Arc<dyn Payments>, Arc<Doors>);

fn power_failure() -> sqlx::Error {
    sqlx::Error::PoolClosed
}

/// Runs a step between two doors: the power fails before it or after it.
macro_rules! between_doors {
    ($doors:expr, $step:expr) => {{
        if !$doors.is_open() {
            return Err(power_failure().into());
        }
        let outcome = $step.await;
        if !$doors.is_open() {
            return Err(power_failure().into());
        }
        outcome
    }};
}

#[async_trait]
impl Inventory for FailingInventory {
    async fn available(&self, variants: &[VariantId]) -> Result<HashMap<VariantId, i64>, inventory::Error> {
        self.0.available(variants).await
    }
    async fn adjust(&self, actor: &Actor, adjustments: &[Adjustment]) -> Result<u64, inventory::Error> {
        self.0.adjust(actor, adjustments).await
    }
    async fn restock(&self, returned: &[Returned]) -> Result<(), inventory::Error> {
        self.0.restock(returned).await
    }
    async fn reserve(&self, reserve: Reserve) -> Result<(), inventory::Error> {
        between_doors!(self.1, self.0.reserve(reserve))
    }
    async fn extend(
        &self,
        id: ReservationId,
        expires_at: Option<OffsetDateTime>,
    ) -> Result<(), inventory::Error> {
        between_doors!(self.1, self.0.extend(id, expires_at))
    }
    async fn sweep(&self) -> Result<u64, inventory::Error> {
        between_doors!(self.1, self.0.sweep())
    }
    async fn settle(
        &self,
        sold: &[ReservationId],
        released: &[ReservationId],
    ) -> Result<(), inventory::Error> {
        between_doors!(self.1, self.0.settle(sold, released))
    }
    async fn release(&self, id: ReservationId) -> Result<(), inventory::Error> {
        between_doors!(self.1, self.0.release(id))
    }
    async fn states(
        &self,
        ids: &[ReservationId],
    ) -> Result<HashMap<ReservationId, ReservationState>, inventory::Error> {
        self.0.states(ids).await
    }
    async fn held(
        &self,
        after: Option<ReservationId>,
        limit: i64,
    ) -> Result<Vec<ReservationId>, inventory::Error> {
        self.0.held(after, limit).await
    }
    async fn verify(&self) -> Result<Vec<Violation>, inventory::Error> {
        self.0.verify().await
    }
}

#[async_trait]
impl Payments for FailingPayments {
    async fn check(
        &self,
        wanted: &[(&PaymentMeans, Option<UserId>)],
    ) -> Result<Vec<Result<(), payments::Error>>, payments::Error> {
        self.0.check(wanted).await
    }
    async fn forget_methods(&self, owner: UserId) -> Result<(), payments::Error> {
        self.0.forget_methods(owner).await
    }
    async fn charge(&self, charge: Charge<'_>) -> Result<Payment, payments::Error> {
        between_doors!(self.1, self.0.charge(charge))
    }
    async fn open_page(&self, request: PageRequest) -> Result<Payment, payments::Error> {
        self.0.open_page(request).await
    }
    async fn look(&self, id: PaymentId) -> Result<Payment, payments::Error> {
        self.0.look(id).await
    }
    async fn posted_sales(&self, orders: &[Uuid]) -> Result<HashMap<Uuid, Vec<Share>>, payments::Error> {
        self.0.posted_sales(orders).await
    }
    async fn void_open(&self, orders: &[Uuid]) -> Result<(), payments::Error> {
        self.0.void_open(orders).await
    }
    async fn give_back(&self, id: PaymentId) -> Result<(), payments::Error> {
        self.0.give_back(id).await
    }
    async fn refund(&self, refunding: Refunding) -> Result<Refund, payments::Error> {
        between_doors!(self.1, self.0.refund(refunding))
    }
    async fn find_refund(&self, id: RefundId) -> Result<Refund, payments::Error> {
        self.0.find_refund(id).await
    }
    async fn refunds(&self, payment: PaymentId) -> Result<Vec<Refund>, payments::Error> {
        self.0.refunds(payment).await
    }
    async fn post_sales(&self, sales: &[Sale]) -> Result<(), payments::Error> {
        self.0.post_sales(sales).await
    }
    async fn carry_on(&self) -> Result<u64, payments::Error> {
        self.0.carry_on().await
    }
    async fn commission_book(&self) -> Result<Arc<CommissionBook>, payments::Error> {
        self.0.commission_book().await
    }
    async fn payments(&self, ids: &[PaymentId]) -> Result<HashMap<PaymentId, Payment>, payments::Error> {
        self.0.payments(ids).await
    }
    async fn succeeded(
        &self,
        after: Option<PaymentId>,
        limit: i64,
    ) -> Result<Vec<(PaymentId, Option<Uuid>)>, payments::Error> {
        self.0.succeeded(after, limit).await
    }
    async fn verify(&self) -> Result<Vec<Violation>, payments::Error> {
        self.0.verify().await
    }
}

/// The orders of a node whose power fails at door number `broken`.
fn failing_node(test: &TestApp, broken: usize) -> Arc<dyn Orders> {
    let doors = Arc::new(Doors { broken, ..Doors::default() });
    orders::service(
        test.app.database.clone(),
        test.app.sources.clone(),
        Arc::clone(&test.app.catalog),
        Arc::new(FailingInventory(Arc::clone(&test.app.inventory), Arc::clone(&doors))),
        Arc::new(FailingPayments(Arc::clone(&test.app.payments), doors)),
        Arc::clone(&test.app.waiting_room),
        orders::Settings::default(),
    )
}

async fn purchase(test: &TestApp, variant: VariantId, token: Option<&str>) -> (Actor, Checkout) {
    let (cart, secret) = test.app.orders.create_cart(&Actor::stranger(), None).await.unwrap();
    let actor = Actor::holder(secret);
    let one = 1.try_into().unwrap();
    test.app.orders.add_item(&actor, cart.id, variant, one, None).await.unwrap();
    let checkout = Checkout {
        cart_id: Some(cart.id),
        key: IdempotencyKey::parse("k").unwrap(),
        email: "ada@example.com".parse().unwrap(),
        shipping_address: address(),
        billing_address: None,
        means: token.map(|token| PaymentMeans::token(PaymentToken::presented(token))),
    };
    (actor, checkout)
}

/// Whichever step the power fails at, recovery brings a good purchase to `paid`, charged once, and the
/// buyer who asks again gets that order.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_step_is_recovered() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 100, ..NewProduct::default() }).await;
    for door in 0..4 {
        let (actor, checkout) = purchase(&test, variant, Some("tok_visa")).await;
        let failed = failing_node(&test, door).checkout(&actor, checkout.clone()).await;
        assert!(matches!(failed, Err(Error::Unfinished(_))), "door {door}: {failed:?}");
        test.clock.advance(Duration::seconds(11));
        test.run_jobs().await;
        let answer = test.app.orders.checkout(&actor, checkout).await.unwrap();
        assert!(answer.replayed, "door {door}");
        assert_eq!(answer.order.status, orders::OrderState::Paid, "door {door}");
    }
    assert_eq!(test.available(variant).await, 96);
    let charges: i64 = sqlx::query_scalar("SELECT count(*) FROM payments.sandbox_charges")
        .fetch_one(test.app.database.pool())
        .await
        .unwrap();
    assert_eq!(charges, 4);
    test.finish().await;
}

/// The stock of a paid order is sold, and that of a cancelled one given back, also if the power fails around it.
#[tokio::test(flavor = "multi_thread")]
async fn stock_follows_its_order_after_a_crash() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 10, ..NewProduct::default() }).await;
    let state = async |order: orders::OrderId| {
        let hold = ReservationId::from(order.uuid());
        test.app.inventory.states(&[hold]).await.unwrap()[&hold]
    };
    for door in 0..2 {
        let (buyer, checkout) = purchase(&test, variant, Some("tok_visa")).await;
        let paid = test.app.orders.checkout(&buyer, checkout).await.unwrap().order.id;
        let (other, checkout) = purchase(&test, variant, None).await;
        let unpaid = test.app.orders.checkout(&other, checkout).await.unwrap().order.id;
        let doors = Arc::new(Doors { broken: 0, ..Doors::default() });
        let inventory = FailingInventory(Arc::clone(&test.app.inventory), doors);
        let failing = orders::service(
            test.app.database.clone(),
            test.app.sources.clone(),
            Arc::clone(&test.app.catalog),
            Arc::new(inventory),
            Arc::clone(&test.app.payments),
            Arc::clone(&test.app.waiting_room),
            orders::Settings::default(),
        );
        failing.cancel(&other, unpaid).await.expect_err("the power fails before the stock is given back");
        assert_eq!(
            (state(paid).await, state(unpaid).await),
            (ReservationState::Held, ReservationState::Held)
        );

        let doors = Arc::new(Doors { broken: door, ..Doors::default() });
        let handler = SettleStock(Arc::new(FailingInventory(Arc::clone(&test.app.inventory), doors)));
        let (database, sources) = (test.app.database.clone(), test.app.sources.clone());
        Dispatcher::new(database, sources, vec![Arc::new(handler)]).drain().await.unwrap();
        let backlog = outbox::backlog(&test.app.database, test.app.sources.now()).await.unwrap();
        assert_eq!(backlog.failing, 2, "door {door}");
        test.clock.advance(Duration::seconds(11));
        test.run_jobs().await;
        let states = (state(paid).await, state(unpaid).await);
        assert_eq!(states, (ReservationState::Sold, ReservationState::Released), "door {door}");
    }
    assert_eq!(test.available(variant).await, 8);
    test.finish().await;
}

/// Whichever step the power fails at, a declined purchase ends as rejected with its stock given back.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_around_a_decline_is_recovered() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 1, ..NewProduct::default() }).await;
    for door in 0..6 {
        let (actor, checkout) = purchase(&test, variant, Some("tok_chargeDeclined")).await;
        let failed = failing_node(&test, door).checkout(&actor, checkout.clone()).await;
        assert!(matches!(failed, Err(Error::Unfinished(_))), "door {door}: {failed:?}");
        test.clock.advance(Duration::seconds(11));
        test.run_jobs().await;
        let answer = test.app.orders.checkout(&actor, checkout).await;
        let Err(Error::Failed { failure, .. }) = answer else { panic!("door {door}: {answer:?}") };
        assert_eq!(failure.reason, "payments/card_declined", "door {door}");
        assert_eq!(test.available(variant).await, 1, "door {door}");
    }
    test.finish().await;
}

/// Power fails while an unpaid order is being expired: it expires all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_around_an_expiry_is_recovered() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 1, ..NewProduct::default() }).await;
    for door in 0..2 {
        let (actor, checkout) = purchase(&test, variant, None).await;
        let placed = test.app.orders.checkout(&actor, checkout).await.unwrap().order;
        assert_eq!(placed.status, orders::OrderState::AwaitingPayment);
        test.clock.advance(Duration::minutes(16));
        failing_node(&test, door).recover().await.expect_err("the power fails");
        test.clock.advance(Duration::seconds(11));
        test.run_jobs().await;
        let order = test.app.orders.order(&actor, placed.id).await.unwrap();
        assert_eq!(order.status, orders::OrderState::Expired, "door {door}");
        assert_eq!(test.available(variant).await, 1, "door {door}");
    }
    test.finish().await;
}

/// Recovery and the request itself may work on one order at the same time, on several nodes.
#[tokio::test(flavor = "multi_thread")]
async fn many_may_carry_one_order_at_the_same_time() {
    let settings =
        orders::Settings { step_deadline: std::time::Duration::ZERO, ..orders::Settings::default() };
    let test = TestApp::with(settings).await;
    let other = test.other_node().await;
    let variant = test.product(NewProduct { stock: 20, ..NewProduct::default() }).await;
    for _ in 0..10 {
        let (actor, checkout) = purchase(&test, variant, Some("tok_visa")).await;
        let recovering = async {
            for _ in 0..5 {
                other.orders.recover().await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let (answer, ()) = tokio::join!(test.app.orders.checkout(&actor, checkout), recovering);
        assert_eq!(answer.unwrap().order.status, orders::OrderState::Paid);
    }
    assert_eq!(test.available(variant).await, 10);
    test.finish().await;
}

/// Once refused for want of stock an order stays refused, whoever carries it on and whatever comes in: one
/// run must not charge what another has told the buyer is sold out.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_order_is_never_charged() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 1, ..NewProduct::default() }).await;
    let (actor, late) = purchase(&test, variant, Some("tok_visa")).await;
    let (other, quick) = purchase(&test, variant, Some("tok_visa")).await;
    let failed = failing_node(&test, 0).checkout(&actor, late.clone()).await;
    assert!(matches!(failed, Err(Error::Unfinished(_))), "{failed:?}");
    test.app.orders.checkout(&other, quick).await.unwrap();
    test.clock.advance(Duration::seconds(11));
    assert_eq!(failing_node(&test, 1).recover().await.unwrap(), 0, "refused, and the power fails");

    test.adjust(variant, 5, inventory::Reason::Received).await;
    test.clock.advance(Duration::seconds(11));
    test.run_jobs().await;
    let Err(Error::Failed { failure, replayed: true }) = test.app.orders.checkout(&actor, late).await else {
        panic!("it was refused")
    };
    assert_eq!(failure.reason, "inventory/out_of_stock");
    assert_eq!(test.available(variant).await, 5);
    test.finish().await;
}
