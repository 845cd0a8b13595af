//! What is heard of refunds from payments: the order follows.

use payments::{Refund, RefundId, RefundState, Share};
use platform::{Currency, Money, Tx};
use time::OffsetDateTime;

use super::plan::{self, Line, Part};
use super::row::{self, Draft};
use super::{OrderRefund, RefundTo};
use crate::events::{OrderMoved, OrdersMoved, RefundAccepted, Restocked};
use crate::journal::{self, Entry, Facts};
use crate::{Error, OrderEventKind, OrderId, OrderState, Parts};

/// Hears of a refund that its provider told of, or that was made there.
pub(crate) async fn refund_moved(parts: &Parts, id: RefundId) -> Result<(), Error> {
    let refund = parts.payments.find_refund(id).await?;
    if refund.order.is_some() && !refund.shares.is_empty() {
        apply(parts, &refund).await?;
    }
    Ok(())
}

/// Writes down how a refund stands. Idempotent, and bears news in any order.
pub(super) async fn apply(parts: &Parts, news: &Refund) -> Result<OrderRefund, Error> {
    let now = parts.sources.now();
    let order = OrderId::from(news.order.ok_or(Error::OrderNotFound)?);
    let mut tx = parts.database.begin().await?;
    lock(&mut tx, order).await?;
    if row::find(&mut tx, news.id).await?.is_none() {
        insert_external(&mut tx, order, news, now).await?;
    }
    let before = row::find(&mut tx, news.id).await?.ok_or(Error::OrderNotFound)?.refund;
    let moves = matches!(
        (before.status, news.state),
        (RefundState::Created, RefundState::Pending | RefundState::Succeeded | RefundState::Failed)
            | (RefundState::Pending, RefundState::Succeeded | RefundState::Failed)
            | (RefundState::Succeeded, RefundState::Failed)
    );
    if !moves {
        return Ok(before);
    }
    sqlx::query!(
        "UPDATE orders.refunds SET state = $2, failure = $3, due_at = NULL, updated_at = $4 WHERE id = $1",
        news.id.uuid(),
        news.state.as_str(),
        news.failure,
        now,
    )
    .execute(&mut *tx)
    .await?;
    if news.state == RefundState::Failed {
        row::count(&mut tx, news.id, -1).await?;
        sub_orders_follow(&mut tx, order, now).await?;
        if before.status != RefundState::Created {
            happened(&mut tx, order, OrderEventKind::RefundFailed, news.id, now).await?;
        }
    } else if before.status == RefundState::Created {
        accepted(&mut tx, &before, now).await?;
    }
    let refund = row::find(&mut tx, news.id).await?.ok_or(Error::OrderNotFound)?.refund;
    tx.commit(now).await?;
    Ok(refund)
}

/// The money is on its way: the order says so, and the goods are in stock again if they are to be.
async fn accepted(tx: &mut Tx, refund: &OrderRefund, now: OffsetDateTime) -> Result<(), Error> {
    // Of those that were asked for another may be behind: the last one is it that makes the order a refunded one.
    let whole = sqlx::query_scalar!(
        r#"SELECT refunded = total AND NOT EXISTS (
               SELECT FROM orders.refunds r WHERE r.order_id = o.id AND r.state = 'created') AS "whole!"
           FROM orders.orders o WHERE id = $1"#,
        refund.order_id.uuid(),
    )
    .fetch_one(&mut **tx)
    .await?;
    let kind = if whole { OrderEventKind::Refunded } else { OrderEventKind::PartlyRefunded };
    happened(tx, refund.order_id, kind, refund.id, now).await?;
    if refund.restock {
        let lines = refund.lines.iter().filter(|line| line.quantity > 0);
        tx.publish(&RefundAccepted {
            refund_id: refund.id,
            order_id: refund.order_id,
            restocked: lines
                .map(|line| Restocked {
                    position: line.position,
                    variant_id: line.variant_id,
                    quantity: line.quantity,
                })
                .collect(),
        });
    }
    Ok(())
}

/// Writes into the journal that this happened to the order, and moves it. An order that was refunded while it can not be
/// any more by the table of its life stays as it is.
async fn happened(
    tx: &mut Tx,
    order: OrderId,
    kind: OrderEventKind,
    refund: RefundId,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let row = sqlx::query!("SELECT state, version FROM orders.orders WHERE id = $1", order.uuid())
        .fetch_one(&mut **tx)
        .await?;
    let from = OrderState::stored(&row.state)?;
    let to = kind.leads(Some(from)).ok_or(Error::WrongState(from))?;
    sqlx::query!(
        "UPDATE orders.orders SET state = $2, version = $3, updated_at = $4 WHERE id = $1",
        order.uuid(),
        to.as_str(),
        row.version + 1,
        now,
    )
    .execute(&mut **tx)
    .await?;
    sub_orders_follow(tx, order, now).await?;
    let entry = Entry {
        order_id: order,
        version: row.version + 1,
        kind,
        state: to,
        facts: Facts { refund_id: Some(refund), ..Facts::default() },
        occurred_at: now,
    };
    journal::append(tx, std::slice::from_ref(&entry)).await?;
    tx.publish(&OrdersMoved { moves: vec![OrderMoved::of(&entry)] });
    Ok(())
}

/// A store's part of an order is refunded when all of it is.
async fn sub_orders_follow(tx: &mut Tx, order: OrderId, now: OffsetDateTime) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE orders.sub_orders
         SET state = CASE WHEN refunded = total AND total > 0 THEN 'refunded' WHEN state = 'refunded' THEN 'paid' ELSE state END,
             updated_at = $2
         WHERE order_id = $1",
        order.uuid(),
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Payments will never give this.
pub(super) async fn refuse(parts: &Parts, id: RefundId, why: &str) -> Result<(), Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let refused = sqlx::query!(
        "UPDATE orders.refunds SET state = 'failed', failure = $2, due_at = NULL, updated_at = $3
         WHERE id = $1 AND state = 'created'",
        id.uuid(),
        why,
        now,
    )
    .execute(&mut *tx)
    .await?;
    if refused.rows_affected() == 1 {
        row::count(&mut tx, id, -1).await?;
    }
    tx.commit(now).await?;
    Ok(())
}

async fn lock(tx: &mut Tx, order: OrderId) -> Result<(), Error> {
    sqlx::query!("SELECT id FROM orders.orders WHERE id = $1 FOR UPDATE", order.uuid())
        .fetch_optional(&mut **tx)
        .await?
        .ok_or(Error::OrderNotFound)?;
    Ok(())
}

/// A refund that was made at the provider: each store's part goes by what is left of its lines.
async fn insert_external(
    tx: &mut Tx,
    order: OrderId,
    news: &Refund,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let lines = row::lines(tx, order).await?;
    let currency = news.amount.currency;
    let mut parts = Vec::new();
    for share in &news.shares {
        let of_store: Vec<Line> = lines.iter().filter(|line| line.store == share.store).copied().collect();
        parts.extend(of_share(&of_store, share, currency)?);
    }
    let draft = Draft {
        id: news.id,
        order,
        currency,
        reason: "other",
        note: Some("made at the payment provider"),
        to: RefundTo::Original,
        restock: false,
        external: true,
        fingerprint: &[],
        due_at: None,
        parts: &parts,
    };
    row::insert(tx, &draft, now).await
}

/// A store's part over its lines; the commission on it is what payments has posted.
fn of_share(lines: &[Line], share: &Share, currency: Currency) -> Result<Vec<Part>, Error> {
    let mut parts = plan::spread(lines, Money::new(share.amount, currency), currency)?;
    let weights: Vec<u64> = parts.iter().map(|part| part.share.amount.unsigned_abs()).collect();
    let commission = Money::new(share.commission, currency).split(&weights);
    let tax = Money::new(share.commission_tax, currency).split(&weights);
    for ((part, commission), tax) in parts.iter_mut().zip(commission).zip(tax) {
        part.share.commission = commission.amount;
        part.share.commission_tax = tax.amount;
    }
    parts.retain(|part| part.share.amount > 0);
    Ok(parts)
}
