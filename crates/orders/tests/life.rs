//! The life of an order: what may happen when, that nobody rewrites what happened, and that an answer stays the answer.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::BTreeSet;

use identity::Actor;
use orders::OrderEventKind::{
    AwaitingPayment, Cancelled, Completed, Expired, Fulfilled, Imported, Paid, PartlyRefunded,
    PaymentDelayed, PaymentStarted, Placed, RefundFailed, Refunded, Rejected,
};
use orders::{Answer, CartId, Checkout, Error, IdempotencyKey, MOVES, OrderEventKind, OrderId, OrderState};
use payments::{PaymentMeans, PaymentToken};
use testkit::{NewProduct, TestApp, address};
use time::Duration;

/// What may happen in a state. All else is refused.
fn allowed(state: Option<OrderState>) -> &'static [(OrderEventKind, OrderState)] {
    use OrderState as To;
    match state {
        None => &[(Placed, To::Pending), (Imported, To::Completed)],
        Some(To::Pending) => &[
            (AwaitingPayment, To::AwaitingPayment),
            (PaymentDelayed, To::PaymentPending),
            (Paid, To::Paid),
            (Rejected, To::Rejected),
            (Expired, To::Expired),
        ],
        Some(To::PaymentPending) => &[
            (AwaitingPayment, To::AwaitingPayment),
            (Paid, To::Paid),
            (Rejected, To::Rejected),
            (Expired, To::Expired),
        ],
        Some(To::AwaitingPayment) => {
            &[(PaymentStarted, To::Pending), (Expired, To::Expired), (Cancelled, To::Cancelled)]
        }
        Some(To::Paid) => &[
            (Fulfilled, To::Fulfilled),
            (Completed, To::Completed),
            (PartlyRefunded, To::Paid),
            (Refunded, To::Refunded),
            (RefundFailed, To::Paid),
        ],
        Some(To::Fulfilled) => &[
            (Completed, To::Completed),
            (PartlyRefunded, To::Fulfilled),
            (Refunded, To::Refunded),
            (RefundFailed, To::Fulfilled),
        ],
        Some(To::Completed) => &[
            (Imported, To::Completed),
            (PartlyRefunded, To::Completed),
            (Refunded, To::Refunded),
            (RefundFailed, To::Completed),
        ],
        Some(To::Refunded) => &[(RefundFailed, To::Paid)],
        Some(To::Rejected | To::Expired | To::Cancelled) => &[],
    }
}

/// Of all pairs of a state and what may happen to an order, those that are meant are allowed and no others.
#[test]
fn nothing_else_may_happen() {
    let states = || std::iter::once(None).chain(OrderState::ALL.map(Some));
    for state in states() {
        for kind in OrderEventKind::ALL {
            let meant = allowed(state).iter().find(|(allowed, _)| *allowed == kind).map(|(_, to)| *to);
            assert_eq!(kind.leads(state), meant, "{kind:?} of an order that is {state:?}");
        }
    }
    assert_eq!(MOVES.len(), states().map(|state| allowed(state).len()).sum::<usize>(), "none is there twice");
    for state in OrderState::ALL {
        assert!(MOVES.iter().any(|(.., to)| *to == state), "nothing leads to {state}");
        assert_eq!(state.is_final(), allowed(Some(state)).is_empty(), "{state}");
    }
}

/// The table knows the states that the program knows.
#[tokio::test(flavor = "multi_thread")]
async fn the_table_has_the_same_states() {
    let test = TestApp::start().await;
    let constraint: String = sqlx::query_scalar(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'orders_state'",
    )
    .fetch_one(test.app.database.pool())
    .await
    .unwrap();
    let stored: BTreeSet<_> = constraint.split('\'').skip(1).step_by(2).collect();
    assert_eq!(stored, OrderState::ALL.iter().map(|state| state.as_str()).collect());
    test.finish().await;
}

/// A buyer with a full cart.
struct Buyer {
    actor: Actor,
    cart: CartId,
}

impl Buyer {
    async fn new(test: &TestApp) -> Self {
        let variant = test.product(NewProduct { stock: 10, ..NewProduct::default() }).await;
        let (cart, secret) = test.app.orders.create_cart(&Actor::stranger(), None).await.unwrap();
        let actor = Actor::holder(secret);
        test.app.orders.add_item(&actor, cart.id, variant, 2.try_into().unwrap(), None).await.unwrap();
        Self { actor, cart: cart.id }
    }

    async fn check_out(&self, test: &TestApp, token: Option<&str>) -> Result<Answer, Error> {
        let checkout = Checkout {
            cart_id: Some(self.cart),
            key: IdempotencyKey::parse("checkout").unwrap(),
            email: "ada@example.com".parse().unwrap(),
            shipping_address: address(),
            billing_address: None,
            means: token.map(|token| PaymentMeans::token(PaymentToken::presented(token))),
        };
        test.app.orders.checkout(&self.actor, checkout).await
    }

    async fn pay(&self, test: &TestApp, order: OrderId, key: &str, token: &str) -> Result<Answer, Error> {
        let key = IdempotencyKey::parse(key).unwrap();
        test.app
            .orders
            .pay(&self.actor, order, key, PaymentMeans::token(PaymentToken::presented(token)))
            .await
    }

    async fn journal(&self, test: &TestApp, order: OrderId) -> Vec<OrderEventKind> {
        let events = test.app.orders.events(&self.actor, order, 0).await.unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }
}

/// Not even who owns the journal changes what is in it.
#[tokio::test(flavor = "multi_thread")]
async fn the_journal_is_never_rewritten() {
    let test = TestApp::start().await;
    let buyer = Buyer::new(&test).await;
    let order = buyer.check_out(&test, Some("tok_visa")).await.unwrap().order.id;
    for sql in [
        "UPDATE orders.order_events SET state = 'refunded'",
        "DELETE FROM orders.order_events",
        "DELETE FROM orders.order_events WHERE false",
        "TRUNCATE orders.order_events",
    ] {
        let refused = sqlx::raw_sql(sql).execute(test.app.database.pool()).await.unwrap_err();
        let code = refused
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .unwrap_or_default()
            .into_owned();
        assert_eq!(code, "42501", "{sql}: {refused}");
    }
    assert_eq!(buyer.journal(&test, order).await, [Placed, Paid]);
    test.finish().await;
}

/// A checkout that is sent again is answered as it was first, whatever became of the order meanwhile; so is a payment.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_stays_the_answer() {
    let test = TestApp::start().await;
    let buyer = Buyer::new(&test).await;
    let first = buyer.check_out(&test, None).await.unwrap();
    assert_eq!((first.order.status, first.replayed), (OrderState::AwaitingPayment, false));
    let id = first.order.id;
    let declined = buyer.pay(&test, id, "first card", "tok_chargeDeclined").await.unwrap_err();
    let paid = buyer.pay(&test, id, "second card", "tok_visa").await.unwrap();
    assert_eq!((paid.order.status, paid.replayed), (OrderState::Paid, false));
    let journal = [Placed, AwaitingPayment, PaymentStarted, AwaitingPayment, PaymentStarted, Paid];
    assert_eq!(buyer.journal(&test, id).await, journal);

    let again = buyer.check_out(&test, None).await.unwrap();
    assert_eq!((again.order, again.replayed), (first.order, true));
    let again = buyer.pay(&test, id, "first card", "tok_chargeDeclined").await.unwrap_err();
    assert!(matches!(&again, Error::Failed { replayed: true, .. }), "{again:?}");
    assert_eq!(again.to_string(), declined.to_string());
    let again = buyer.pay(&test, id, "second card", "tok_visa").await.unwrap();
    assert_eq!((again.order, again.replayed), (paid.order, true));
    assert_eq!(buyer.journal(&test, id).await, journal, "asking again changes nothing");
    test.finish().await;
}

/// Keys are good for 24 hours. After that the cart and the order still say what became of them.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_forgotten_after_a_day() {
    let test = TestApp::start().await;
    let buyer = Buyer::new(&test).await;
    let bought = buyer.check_out(&test, Some("tok_visa")).await.unwrap();
    test.clock.advance(Duration::hours(24));
    test.app.orders.clean_up().await.unwrap();
    let again = buyer.check_out(&test, Some("tok_visa")).await.unwrap();
    assert_eq!((again.order, again.replayed), (bought.order.clone(), true));

    test.clock.advance(Duration::seconds(1));
    assert_eq!(test.app.orders.clean_up().await.unwrap(), 1, "the one key");
    let anew = buyer.check_out(&test, Some("tok_visa")).await.unwrap_err();
    assert!(matches!(anew, Error::CartCompleted(id) if id == bought.order.id), "{anew:?}");
    test.finish().await;
}
