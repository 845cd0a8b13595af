//! The journal: what happened to each order. Written in the transaction that makes it so, never changed; an order can be
//! made again from it ([`Rebuilt`]), and `souk verify` does.

use std::collections::HashMap;

use payments::{PaymentId, RefundId};
use platform::id::uuids;
use platform::{Tag, Tx};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::order::StoredLine;
use crate::{Error, Failure, OrderEventKind, OrderId, OrderState};

/// What is to be known of an event besides its kind; each kind has its part of it. Names no person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Facts {
    /// Of a new order, and of one that was imported in parts.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) snapshot: Option<Snapshot>,
    /// Why it was given up, or why the attempt to pay failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<Failure>,
    /// Until when it holds its stock.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub(crate) hold_expires_at: Option<OffsetDateTime>,
    /// The payment that was begun or came through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payment_id: Option<PaymentId>,
    /// The refund that money went back with, or could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refund_id: Option<RefundId>,
}

/// What was ordered, at the prices of that moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) number: String,
    pub(crate) currency: String,
    pub(crate) total: i64,
    pub(crate) lines: Vec<StoredLine>,
}

/// An event as it stands in the journal.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) order_id: OrderId,
    pub(crate) version: i32,
    pub(crate) kind: OrderEventKind,
    pub(crate) state: OrderState,
    pub(crate) facts: Facts,
    pub(crate) occurred_at: OffsetDateTime,
}

/// Writes events, and has whoever follows these orders told with the commit.
pub(crate) async fn append(tx: &mut Tx, entries: &[Entry]) -> Result<(), sqlx::Error> {
    let ids: Vec<_> = entries.iter().map(|entry| entry.order_id.uuid()).collect();
    let versions: Vec<_> = entries.iter().map(|entry| entry.version).collect();
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind.as_str().to_owned()).collect();
    let states: Vec<_> = entries.iter().map(|entry| entry.state.as_str().to_owned()).collect();
    let facts: Vec<_> = entries.iter().map(|entry| platform::database::json_text(&entry.facts)).collect();
    let times: Vec<_> = entries.iter().map(|entry| entry.occurred_at).collect();
    sqlx::query!(
        "INSERT INTO orders.order_events (order_id, version, kind, state, data, occurred_at)
         SELECT order_id, version, kind, state, data::json, occurred_at
         FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
             AS e (order_id, version, kind, state, data, occurred_at)",
        &ids,
        &versions,
        &kinds,
        &states,
        &facts,
        &times,
    )
    .execute(&mut **tx)
    .await?;
    announce(tx, entries.iter());
    Ok(())
}

/// Has whoever follows these orders told with the commit.
pub(crate) fn announce<'a>(tx: &mut Tx, entries: impl Iterator<Item = &'a Entry>) {
    for entry in entries {
        tx.announce(Tag::id(entry.order_id));
    }
}

/// Writes of imported orders, or of those that grew, what they are now.
pub(crate) async fn append_imported(tx: &mut Tx, orders: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH moved AS (
             UPDATE orders.orders SET version = version + 1 WHERE id = ANY($1)
             RETURNING id, version, number, currency, total, placed_at
         )
         INSERT INTO orders.order_events (order_id, version, kind, state, data, occurred_at)
         SELECT o.id, o.version, 'imported', 'completed',
                jsonb_build_object('number', o.number, 'currency', o.currency, 'total', o.total, 'lines', coalesce((
                    SELECT jsonb_agg(jsonb_build_object(
                        'position', l.position, 'store_id', l.store_id, 'product_id', l.product_id,
                        'variant_id', l.variant_id, 'sku', l.sku, 'title', l.title, 'variant_title', l.variant_title,
                        'quantity', l.quantity, 'unit_price', l.unit_price, 'total', l.total) ORDER BY l.position)
                    FROM orders.order_lines l WHERE l.order_id = o.id), '[]')),
                o.placed_at
         FROM moved o",
        orders,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The events of these orders, each order's in the order in which they happened.
pub(crate) async fn of_orders(
    connection: &mut PgConnection,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, Vec<Entry>>, Error> {
    let rows = sqlx::query!(
        r#"SELECT order_id AS "order_id: OrderId", version, kind, state, data AS "data: sqlx::types::Json<Facts>",
                  occurred_at
           FROM orders.order_events WHERE order_id = ANY($1) ORDER BY order_id, version"#,
        &uuids(orders),
    )
    .fetch_all(connection)
    .await?;
    let mut found: HashMap<OrderId, Vec<Entry>> = HashMap::with_capacity(orders.len());
    for row in rows {
        found.entry(row.order_id).or_default().push(Entry {
            order_id: row.order_id,
            version: row.version,
            kind: OrderEventKind::stored(&row.kind)?,
            state: OrderState::stored(&row.state)?,
            facts: row.data.0,
            occurred_at: row.occurred_at,
        });
    }
    Ok(found)
}

/// An order made again from its journal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rebuilt {
    pub(crate) version: i32,
    pub(crate) state: OrderState,
    pub(crate) snapshot: Snapshot,
    pub(crate) failure: Option<Failure>,
    pub(crate) hold_expires_at: Option<OffsetDateTime>,
    pub(crate) payment_id: Option<PaymentId>,
    pub(crate) paid_at: Option<OffsetDateTime>,
}

impl Rebuilt {
    /// Takes event after event.
    ///
    /// # Errors
    /// Says what is wrong with a journal that can not be: a gap, an event that may not happen in that state, an order
    /// that nobody placed.
    pub(crate) fn of(entries: &[Entry]) -> Result<Self, String> {
        let mut rebuilt: Option<Self> = None;
        for entry in entries {
            rebuilt = Some(Self::next(rebuilt.as_ref(), entry)?);
        }
        rebuilt.ok_or_else(|| "it has no journal".to_owned())
    }

    fn next(before: Option<&Self>, entry: &Entry) -> Result<Self, String> {
        let (version, kind) = (entry.version, entry.kind.as_str());
        let from = before.map(|order| order.state);
        if version != before.map_or(0, |order| order.version) + 1 {
            return Err(format!("event {version} ({kind}) does not follow the one before it"));
        }
        let to = entry.kind.leads(from).ok_or_else(|| {
            format!("event {version} ({kind}) may not happen to an order that is {}", name(from))
        })?;
        if to != entry.state {
            return Err(format!("event {version} ({kind}) leads to {to}, not to {}", entry.state));
        }
        let facts = entry.facts.clone();
        let snapshot = match (facts.snapshot, before) {
            (Some(snapshot), _) => snapshot,
            (None, Some(order)) => order.snapshot.clone(),
            (None, None) => return Err(format!("event {version} ({kind}) does not say what was ordered")),
        };
        let paid_at = match entry.kind {
            OrderEventKind::Paid | OrderEventKind::Imported => Some(entry.occurred_at),
            _ => None,
        };
        Ok(Self {
            version,
            state: to,
            snapshot,
            failure: facts.failure.or_else(|| before.filter(|_| facts.refund_id.is_some())?.failure.clone()),
            hold_expires_at: facts.hold_expires_at.or_else(|| before.and_then(|order| order.hold_expires_at)),
            payment_id: facts.payment_id.or_else(|| before.and_then(|order| order.payment_id)),
            paid_at: before.and_then(|order| order.paid_at).or(paid_at),
        })
    }
}

fn name(state: Option<OrderState>) -> &'static str {
    state.map_or("not there", OrderState::as_str)
}
