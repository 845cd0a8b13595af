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

/// Something that happens to an order, if it still is at the version before.
pub(crate) struct Settling {
    /// The order after it.
    pub(crate) order: Arc<Order>,
    pub(crate) failure: Option<Failure>,
    kind: OrderEventKind,
    hold: Option<OffsetDateTime>,
    payment: Option<PaymentId>,
    at: OffsetDateTime,
}

impl Settling {
    /// Has this happen to the order.
    ///
    /// # Errors
    /// [`Error::WrongState`] if it may not happen in the order's state.
    pub(crate) fn new(
        order: Order,
        kind: OrderEventKind,
        failure: Option<Failure>,
        hold: Option<OffsetDateTime>,
        payment: Option<PaymentId>,
        at: OffsetDateTime,
    ) -> Result<Self, Error> {
        let order = Arc::new(moved(order, kind, failure.as_ref(), hold, at)?);
        Ok(Self { order, failure, kind, hold, payment, at })
    }

    fn entry(&self) -> Entry {
        Entry {
            order_id: self.order.id,
            version: self.order.version,
            kind: self.kind,
            state: self.order.status,
            facts: Facts {
                failure: self.failure.clone(),
                hold_expires_at: self.hold,
                payment_id: self.payment,
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
        // Two who carried the same order on come to the same end, or the first of them counts.
        let mut seen = HashSet::with_capacity(items.len());
        let mut first: Vec<&Settling> = items.iter().filter(|item| seen.insert(item.order.id)).collect();
        // Everybody in the same order, so that two nodes never wait for each other in a circle.
        first.sort_by_key(|item| item.order.id);
        let mut tx = self.0.begin_batch().await?;
        let moved = write(&mut tx, &first).await?;
        let done: Vec<&Settling> = first.into_iter().filter(|item| moved.contains(&item.order.id)).collect();
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
        // Of several of one order the first has it.
        Ok(items.iter().map(|item| open.remove(&item.order.id)).collect())
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
/// are paid, in one statement. Says which.
async fn write(tx: &mut Tx, items: &[&Settling]) -> Result<HashSet<OrderId>, sqlx::Error> {
    let parts: Vec<(&Order, &SubOrder)> = items
        .iter()
        .filter(|item| item.kind == OrderEventKind::Paid)
        .flat_map(|item| item.order.sub_orders.iter().map(|part| (&*item.order, part)))
        .collect();
    let moved = sqlx::query_scalar!(
        r#"WITH wanted AS (
               SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
                                    $7::timestamptz[], $8::text[])
                   AS s (id, version, kind, state, failure, hold, at, facts)
           ), moved AS (
               UPDATE orders.orders o
               SET state = s.state, version = s.version, failure = s.failure::jsonb, updated_at = s.at, deadline_at = NULL,
                   payment_token = NULL, hold_expires_at = coalesce(s.hold, o.hold_expires_at),
                   paid_at = CASE WHEN s.state = 'paid' THEN s.at ELSE o.paid_at END
               FROM wanted s WHERE o.id = ANY($1) AND o.id = s.id AND o.version = s.version - 1
               RETURNING o.id
           ), events AS (
               INSERT INTO orders.order_events (order_id, version, kind, state, data, occurred_at)
               SELECT s.id, version, kind, state, facts::jsonb, at FROM wanted s JOIN moved USING (id)
           ), parts AS (
               INSERT INTO orders.sub_orders (order_id, store_id, state, currency, total, placed_at, updated_at)
               SELECT id, store_id, 'paid', currency, total, placed_at, at
               FROM unnest($9::uuid[], $10::uuid[], $11::text[], $12::bigint[], $13::timestamptz[], $14::timestamptz[])
                   AS part (id, store_id, currency, total, placed_at, at)
               WHERE id IN (SELECT id FROM moved)
           )
           SELECT id AS "id!: OrderId" FROM moved"#,
        &items.iter().map(|item| item.order.id.uuid()).collect::<Vec<_>>(),
        &items.iter().map(|item| item.order.version).collect::<Vec<_>>(),
        &items.iter().map(|item| item.kind.as_str()).collect::<Vec<_>>() as &[&str],
        &items.iter().map(|item| item.order.status.as_str()).collect::<Vec<_>>() as &[&str],
        &items.iter().map(|item| item.failure.as_ref().map(database::json_text)).collect::<Vec<_>>()
            as &[Option<String>],
        &items.iter().map(|item| item.hold).collect::<Vec<_>>() as &[Option<OffsetDateTime>],
        &items.iter().map(|item| item.at).collect::<Vec<_>>(),
        &items.iter().map(|item| database::json_text(&item.entry().facts)).collect::<Vec<_>>(),
        &parts.iter().map(|(order, _)| order.id.uuid()).collect::<Vec<_>>(),
        &parts.iter().map(|(_, part)| part.store_id.uuid()).collect::<Vec<_>>(),
        &parts.iter().map(|(_, part)| part.total.currency.code()).collect::<Vec<_>>() as &[&str],
        &parts.iter().map(|(_, part)| part.total.amount).collect::<Vec<_>>(),
        &parts.iter().map(|(order, _)| order.placed_at).collect::<Vec<_>>(),
        &parts.iter().map(|(order, _)| order.paid_at.unwrap_or(order.placed_at)).collect::<Vec<_>>(),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(moved.into_iter().collect())
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
         WHERE c.id = gone.cart_id AND c.order_id = gone.order_id",
        &carts,
        &orders,
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
