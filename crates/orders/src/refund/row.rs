//! Refunds in rows.

use std::collections::HashMap;

use catalog::{StoreId, VariantId};
use payments::{RefundId, RefundState, Share};
use platform::id::uuids;
use platform::{Currency, Database, Money, Tx};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::plan::{Line, Part};
use super::{OrderRefund, RefundLine, RefundRequest, RefundTo};
use crate::{Error, OrderId, Parts, order};

/// The lines of an order, and what has gone back of each. Its order is locked.
pub(super) async fn lines(tx: &mut Tx, id: OrderId) -> Result<Vec<Line>, Error> {
    let back = sqlx::query!(
        r#"SELECT l.position, sum(l.quantity)::int AS "quantity!", sum(l.amount)::bigint AS "amount!",
                  sum(l.commission)::bigint AS "commission!", sum(l.commission_tax)::bigint AS "commission_tax!"
           FROM orders.refunds r JOIN orders.refund_lines l ON l.refund_id = r.id
           WHERE r.order_id = $1 AND r.state <> 'failed' GROUP BY l.position"#,
        id.uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let back: HashMap<i32, _> = back.into_iter().map(|row| (row.position, row)).collect();
    let stored = order::lines(tx, &[id]).await?.remove(&id).unwrap_or_default();
    Ok(stored
        .iter()
        .map(|line| {
            let of = |amount, commission, commission_tax| Share {
                store: line.store_id,
                amount,
                commission,
                commission_tax,
            };
            let gone = back.get(&line.position);
            Line {
                position: line.position,
                variant: line.variant_id,
                store: line.store_id,
                unit_price: line.unit_price,
                units: line.quantity,
                units_back: gone.map_or(0, |gone| gone.quantity),
                sold: of(line.total, line.commission, line.commission_tax),
                back: gone.map_or_else(
                    || of(0, 0, 0),
                    |gone| of(gone.amount, gone.commission, gone.commission_tax),
                ),
            }
        })
        .collect())
}

/// What a refund is written with.
pub(super) struct Draft<'a> {
    pub(super) id: RefundId,
    pub(super) order: OrderId,
    pub(super) currency: Currency,
    pub(super) reason: &'a str,
    pub(super) note: Option<&'a str>,
    pub(super) to: RefundTo,
    pub(super) restock: bool,
    pub(super) external: bool,
    pub(super) fingerprint: &'a [u8],
    pub(super) due_at: Option<OffsetDateTime>,
    pub(super) parts: &'a [Part],
}

impl<'a> Draft<'a> {
    pub(super) fn asked(
        id: RefundId,
        order: OrderId,
        currency: Currency,
        request: &'a RefundRequest,
        fingerprint: &'a [u8],
        due_at: OffsetDateTime,
        parts: &'a [Part],
    ) -> Self {
        let reason = request.reason.as_str();
        let (note, to, restock) = (request.note.as_deref(), request.to, request.restock);
        let due_at = Some(due_at);
        Self { id, order, currency, reason, note, to, restock, external: false, fingerprint, due_at, parts }
    }

    fn amount(&self) -> i64 {
        self.parts.iter().map(|part| part.share.amount).sum()
    }
}

/// Writes a refund and counts it against its order.
pub(super) async fn insert(tx: &mut Tx, draft: &Draft<'_>, now: OffsetDateTime) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO orders.refunds (id, order_id, state, amount, currency, reason, note, destination, restock, external,
             fingerprint, due_at, created_at, updated_at)
         VALUES ($1, $2, 'created', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)",
        draft.id.uuid(),
        draft.order.uuid(),
        draft.amount(),
        draft.currency.code(),
        draft.reason,
        draft.note,
        match draft.to {
            RefundTo::Original => "original",
            RefundTo::Credit => "credit",
        },
        draft.restock,
        draft.external,
        draft.fingerprint,
        draft.due_at,
        now,
    )
    .execute(&mut **tx)
    .await?;
    let parts = draft.parts;
    sqlx::query!(
        "INSERT INTO orders.refund_lines (refund_id, position, store_id, variant_id, quantity, amount, commission,
             commission_tax)
         SELECT $1, * FROM unnest($2::int[], $3::uuid[], $4::uuid[], $5::int[], $6::bigint[], $7::bigint[],
             $8::bigint[])",
        draft.id.uuid(),
        &parts.iter().map(|part| part.line.position).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.line.store.uuid()).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.line.variant.uuid()).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.quantity).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.share.amount).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.share.commission).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.share.commission_tax).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    count(tx, draft.id, 1).await
}

/// Counts a refund against its order and its stores' parts of it (`1`), or no more (`-1`).
pub(super) async fn count(tx: &mut Tx, id: RefundId, sign: i64) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE orders.orders o SET refunded = refunded + $2 * r.amount
         FROM orders.refunds r WHERE r.id = $1 AND o.id = r.order_id",
        id.uuid(),
        sign,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "UPDATE orders.sub_orders s SET refunded = refunded + $2 * back.amount
         FROM (SELECT r.order_id, l.store_id, sum(l.amount)::bigint AS amount
               FROM orders.refunds r JOIN orders.refund_lines l ON l.refund_id = r.id
               WHERE r.id = $1 GROUP BY r.order_id, l.store_id) back
         WHERE s.order_id = back.order_id AND s.store_id = back.store_id",
        id.uuid(),
        sign,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A refund with what stands in its row besides.
pub(super) struct Stored {
    pub(super) refund: OrderRefund,
    pub(super) fingerprint: Vec<u8>,
    pub(super) to: RefundTo,
}

pub(super) async fn find(connection: &mut PgConnection, id: RefundId) -> Result<Option<Stored>, Error> {
    Ok(load(connection, &[id]).await?.pop())
}

async fn load(connection: &mut PgConnection, ids: &[RefundId]) -> Result<Vec<Stored>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: RefundId", order_id AS "order_id: OrderId", state, amount, currency, reason, note,
                  destination, restock, external, failure, fingerprint, created_at
           FROM orders.refunds WHERE id = ANY($1) ORDER BY created_at, id"#,
        &uuids(ids),
    )
    .fetch_all(&mut *connection)
    .await?;
    let lines = sqlx::query!(
        r#"SELECT refund_id AS "refund_id: RefundId", position, store_id AS "store_id: StoreId",
                  variant_id AS "variant_id: VariantId", quantity, amount, commission, commission_tax
           FROM orders.refund_lines WHERE refund_id = ANY($1) ORDER BY refund_id, position"#,
        &uuids(ids),
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let currency: Currency =
                row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            let of_it = lines.iter().filter(|line| line.refund_id == row.id);
            let lines = of_it.map(|line| RefundLine {
                position: line.position,
                store_id: line.store_id,
                variant_id: line.variant_id,
                quantity: line.quantity,
                amount: Money::new(line.amount, currency),
                commission: Some(Money::new(line.commission, currency)),
                commission_tax: Some(Money::new(line.commission_tax, currency)),
            });
            Ok(Stored {
                refund: OrderRefund {
                    id: row.id,
                    order_id: row.order_id,
                    status: RefundState::stored(&row.state)?,
                    amount: Money::new(row.amount, currency),
                    reason: row.reason,
                    note: row.note,
                    restock: row.restock,
                    external: row.external,
                    failure: row.failure,
                    lines: lines.collect(),
                    created_at: row.created_at,
                },
                fingerprint: row.fingerprint,
                to: if row.destination == "credit" { RefundTo::Credit } else { RefundTo::Original },
            })
        })
        .collect()
}

/// The refunds of an order, oldest first.
pub(super) async fn of_order(database: &Database, order: OrderId) -> Result<Vec<OrderRefund>, Error> {
    let mut connection = database.pool().acquire().await?;
    let ids = sqlx::query_scalar!(
        r#"SELECT id AS "id: RefundId" FROM orders.refunds WHERE order_id = $1"#,
        order.uuid(),
    )
    .fetch_all(&mut *connection)
    .await?;
    Ok(load(&mut connection, &ids).await?.into_iter().map(|stored| stored.refund).collect())
}

/// Refunds that payments has not taken on and that are due; each is due again a while later.
pub(super) async fn due(
    parts: &Parts,
    now: OffsetDateTime,
    again: OffsetDateTime,
) -> Result<Vec<RefundId>, Error> {
    Ok(sqlx::query_scalar!(
        r#"UPDATE orders.refunds SET due_at = $2
           WHERE id IN (SELECT id FROM orders.refunds WHERE due_at <= $1 ORDER BY due_at LIMIT 100
                        FOR UPDATE SKIP LOCKED)
           RETURNING id AS "id: RefundId""#,
        now,
        again,
    )
    .fetch_all(parts.database.pool())
    .await?)
}
