//! Writing what happened to orders, many in one transaction: the queue "orders.settle".

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use payments::PaymentId;
use platform::batch::Work;
use platform::{Database, Tx, database, fault};
use time::OffsetDateTime;

use crate::completion::moved;
use crate::events::{OrderMoved, OrdersMoved};
use crate::journal::{self, Entry, Facts};
use crate::{Error, Failure, Order, OrderEventKind, OrderId, OrderState, SubOrder};

/// How an attempt to carry an order on ends.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) kind: OrderEventKind,
    pub(crate) failure: Option<Failure>,
    /// Until when the stock is held.
    pub(crate) hold: Option<OffsetDateTime>,
    /// When it is carried on again, if it goes on by itself.
    pub(crate) deadline: Option<OffsetDateTime>,
    /// What it was paid with.
    pub(crate) payment: Option<PaymentId>,
}

impl End {
    /// Nothing is to be said but that this happened.
    pub(crate) const fn of(kind: OrderEventKind) -> Self {
        Self { kind, failure: None, hold: None, deadline: None, payment: None }
    }

    pub(crate) const fn paid() -> Self {
        Self::of(OrderEventKind::Paid)
    }

    pub(crate) fn given_up(kind: OrderEventKind, failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::of(kind) }
    }

    pub(crate) fn awaits_payment(hold: OffsetDateTime, failure: Option<Failure>) -> Self {
        Self { hold: Some(hold), failure, ..Self::of(OrderEventKind::AwaitingPayment) }
    }

    /// The provider has not answered, or not decided.
    pub(crate) fn delayed(deadline: OffsetDateTime, failure: Option<Failure>) -> Self {
        Self { deadline: Some(deadline), failure, ..Self::of(OrderEventKind::PaymentDelayed) }
    }
}

/// Something that happens to an order, if it still is at the version before.
pub(crate) struct Settling {
    /// The order after it.
    pub(crate) order: Arc<Order>,
    pub(crate) end: End,
    at: OffsetDateTime,
}

impl Settling {
    /// Has this happen to the order.
    ///
    /// # Errors
    /// [`Error::WrongState`] if it may not happen in the order's state.
    pub(crate) fn new(order: Order, end: End, at: OffsetDateTime) -> Result<Self, Error> {
        Ok(Self { order: Arc::new(moved(order, &end, at)?), end, at })
    }

    /// The order, and the version that this makes of it.
    fn version(&self) -> (OrderId, i32) {
        (self.order.id, self.order.version)
    }

    fn entry(&self) -> Entry {
        Entry {
            order_id: self.order.id,
            version: self.order.version,
            kind: self.end.kind,
            state: self.order.status,
            facts: Facts {
                failure: self.end.failure.clone(),
                hold_expires_at: self.end.hold,
                payment_id: self.end.payment,
                ..Facts::default()
            },
            occurred_at: self.at,
        }
    }
}

/// Writes it.
pub(crate) struct Settle(pub(crate) Database);

#[async_trait]
impl Work for Settle {
    type Item = Settling;
    /// Whether it was written: somebody else may have been first.
    type Answer = bool;

    async fn serve(&self, items: &[Settling]) -> Result<Vec<bool>, sqlx::Error> {
        let Some(now) = items.iter().map(|item| item.at).max() else { return Ok(Vec::new()) };
        // Two who carried the same order on come to the same end, or the first of them counts. Of what would follow
        // different versions of an order, PostgreSQL takes what follows the version that it has.
        let mut seen = HashSet::with_capacity(items.len());
        let mut first: Vec<&Settling> = items.iter().filter(|item| seen.insert(item.version())).collect();
        // Everybody in the same order, so that two nodes never wait for each other in a circle.
        first.sort_by_key(|item| item.version());
        let mut tx = self.0.begin_batch().await?;
        let moved = write(&mut tx, &first).await?;
        let done: Vec<&Settling> = first.into_iter().filter(|item| moved.contains(&item.version())).collect();
        if done.is_empty() {
            return Ok(vec![false; items.len()]);
        }
        reopen_carts(&mut tx, &done, now).await?;
        let entries: Vec<Entry> = done.iter().map(|item| item.entry()).collect();
        journal::announce(&mut tx, entries.iter());
        tx.publish(&OrdersMoved { moves: entries.iter().map(OrderMoved::of).collect() });
        fault::point("orders.settle.before_commit");
        tx.commit(now).await?;
        fault::point("orders.settle.after_commit");
        count(&done);
        let mut open = moved;
        // Of several that did the same the first has it.
        Ok(items.iter().map(|item| open.remove(&item.version())).collect())
    }
}

fn count(done: &[&Settling]) {
    for state in OrderState::ALL {
        let number = done.iter().filter(|item| item.order.status == state).count();
        if number > 0 {
            metrics::counter!("souk_orders_settled_total", "state" => state.as_str())
                .increment(number as u64);
        }
    }
}

/// Moves the orders that still are where they are expected, with what the journal says of it and the parts of those that
/// are paid, in one statement. Says which, and what version they are now.
async fn write(tx: &mut Tx, items: &[&Settling]) -> Result<HashSet<(OrderId, i32)>, sqlx::Error> {
    let parts: Vec<(&Order, &SubOrder)> = items
        .iter()
        .filter(|item| item.end.kind == OrderEventKind::Paid)
        .flat_map(|item| item.order.sub_orders.iter().map(|part| (&*item.order, part)))
        .collect();
    let moved = sqlx::query!(
        r#"WITH wanted AS (
               SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
                                    $7::timestamptz[], $8::text[], $16::timestamptz[])
                   AS s (id, version, kind, state, failure, hold, at, facts, deadline)
           ), moved AS (
               UPDATE orders.orders o
               SET state = s.state, version = s.version, failure = s.failure::jsonb, updated_at = s.at, deadline_at = s.deadline,
                   payment_means = CASE WHEN s.deadline IS NOT NULL THEN o.payment_means END, hold_expires_at = coalesce(s.hold, o.hold_expires_at),
                   paid_at = CASE WHEN s.state = 'paid' THEN s.at ELSE o.paid_at END
               FROM wanted s WHERE o.id = ANY($1) AND o.id = s.id AND o.version = s.version - 1
               RETURNING o.id, o.version
           ), events AS (
               INSERT INTO orders.order_events (order_id, version, kind, state, data, occurred_at)
               SELECT id, version, kind, state, facts::json, at FROM wanted JOIN moved USING (id, version)
           ), parts AS (
               INSERT INTO orders.sub_orders (order_id, store_id, state, currency, total, placed_at, updated_at)
               SELECT id, store_id, 'paid', currency, total, placed_at, at
               FROM unnest($9::uuid[], $10::int[], $11::uuid[], $12::text[], $13::bigint[], $14::timestamptz[],
                           $15::timestamptz[])
                   AS part (id, version, store_id, currency, total, placed_at, at)
               JOIN moved USING (id, version)
           )
           SELECT id AS "id!: OrderId", version AS "version!" FROM moved"#,
        &items.iter().map(|item| item.order.id.uuid()).collect::<Vec<_>>(),
        &items.iter().map(|item| item.order.version).collect::<Vec<_>>(),
        &items.iter().map(|item| item.end.kind.as_str()).collect::<Vec<_>>() as &[&str],
        &items.iter().map(|item| item.order.status.as_str()).collect::<Vec<_>>() as &[&str],
        &items.iter().map(|item| item.end.failure.as_ref().map(database::json_text)).collect::<Vec<_>>()
            as &[Option<String>],
        &items.iter().map(|item| item.end.hold).collect::<Vec<_>>() as &[Option<OffsetDateTime>],
        &items.iter().map(|item| item.at).collect::<Vec<_>>(),
        &items.iter().map(|item| database::json_text(&item.entry().facts)).collect::<Vec<_>>(),
        &parts.iter().map(|(order, _)| order.id.uuid()).collect::<Vec<_>>(),
        &parts.iter().map(|(order, _)| order.version).collect::<Vec<_>>(),
        &parts.iter().map(|(_, part)| part.store_id.uuid()).collect::<Vec<_>>(),
        &parts.iter().map(|(_, part)| part.total.currency.code()).collect::<Vec<_>>() as &[&str],
        &parts.iter().map(|(_, part)| part.total.amount).collect::<Vec<_>>(),
        &parts.iter().map(|(order, _)| order.placed_at).collect::<Vec<_>>(),
        &parts.iter().map(|(order, _)| order.paid_at.unwrap_or(order.placed_at)).collect::<Vec<_>>(),
        &items.iter().map(|item| item.end.deadline).collect::<Vec<_>>() as &[Option<OffsetDateTime>],
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(moved.into_iter().map(|row| (row.id, row.version)).collect())
}

/// A cart whose order came to nothing can be checked out again. If its account has begun another one meanwhile, it is
/// no longer the account's: what was in it can be read in the order.
async fn reopen_carts(tx: &mut Tx, done: &[&Settling], now: OffsetDateTime) -> Result<(), sqlx::Error> {
    let given_up = done.iter().filter(|item| item.order.status.is_given_up());
    let (carts, orders): (Vec<_>, Vec<_>) =
        given_up.filter_map(|item| Some((item.order.cart_id?.uuid(), item.order.id.uuid()))).unzip();
    if carts.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE orders.carts c SET order_id = NULL, completed_at = NULL, updated_at = $3,
             user_id = CASE WHEN NOT EXISTS (
                 SELECT FROM orders.carts other
                 WHERE other.user_id = c.user_id AND other.id <> c.id AND other.completed_at IS NULL) THEN c.user_id END
         FROM unnest($1::uuid[], $2::uuid[]) AS gone (cart_id, order_id)
         WHERE c.id = ANY($1) AND c.id = gone.cart_id AND c.order_id = gone.order_id",
        &carts,
        &orders,
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

    use serde_json::json;
    use testkit::{NewProduct, TestApp, address};

    use super::*;
    use crate::order::load;

    /// A call that comes too late takes nothing from the one that is right, though both are about the same order.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_late_does_not_stop_what_is_right() {
        let test = TestApp::start().await;
        let variant = test.product(NewProduct { stock: 1, ..NewProduct::default() }).await;
        let cart = test.basket(variant, 1).await;
        let shown = test.get("/api/v1/shopping_basket", &[("x-cart-token", &cart)]).await.json;
        let body = json!({"cart_id": shown["id"], "email": "ada@example.com", "shipping": address()});
        let headers = [("x-cart-token", cart.as_str()), ("idempotency-key", "k")];
        let placed = test.post("/api/v1/orders", &headers, &body).await.json;
        let id: OrderId = serde_json::from_value(placed["id"].clone()).unwrap();

        // As whoever gives an order up does first.
        test.app.inventory.release(inventory::ReservationId::from(id.uuid())).await.unwrap();
        let database = &test.app.database;
        let now = test.app.sources.now();
        let settling =
            |order, kind| Settling::new(order, End::given_up(kind, Failure::expired()), now).unwrap();
        let order = load(database, id).await.unwrap();
        let mut before = order.clone();
        before.version -= 1;
        let late = settling(before, OrderEventKind::Cancelled);
        let right = settling(order.clone(), OrderEventKind::Expired);
        let again = settling(order, OrderEventKind::Expired);
        let answers = Settle(database.clone()).serve(&[late, right, again]).await.unwrap();

        assert_eq!(answers, [false, true, false]);
        assert_eq!(load(database, id).await.unwrap().status, OrderState::Expired);
        test.run_jobs().await;
        test.finish().await;
    }
}
