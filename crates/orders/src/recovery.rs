//! Recovery: takes up what stands in a step past its deadline, and what was not paid in time.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::VariantId;
use identity::UserId;
use inventory::{Limit, ReservationId, ReservationState};
use payments::{PaymentId, PaymentMeans};
use platform::fault;
use platform::id::uuids;
use time::OffsetDateTime;
use tokio::task::JoinSet;

use crate::completion::{Purchase, complete};
use crate::order::load_all;
use crate::settle::{End, Settling};
use crate::{Error, Failure, OrderEventKind, OrderId, OrderState, Parts};

/// How many orders are taken up at a time.
const BATCH: i64 = 500;

/// Takes up orders past their deadline, and those whose buyers did not pay in time; returns how many.
pub(crate) async fn recover(parts: &Arc<Parts>) -> Result<u64, Error> {
    // One of the two failing does not hold up the other.
    let expired = expire_overdue(parts).await;
    let mut recovered = 0;
    loop {
        let (taken, done) = carry_on_late(parts).await?;
        recovered += done;
        if taken < usize::try_from(BATCH).unwrap_or(usize::MAX) || done == 0 {
            return Ok(recovered + expired?);
        }
    }
}

/// Carries on some orders that are late; says how many were taken up and how many came to rest.
async fn carry_on_late(parts: &Arc<Parts>) -> Result<(usize, u64), Error> {
    let now = parts.sources.now();
    let ids = sqlx::query_scalar!(
        r#"UPDATE orders.orders
           -- The longer a provider does not answer, the more rarely it is asked: after half as long again, ten minutes at
           -- most.
           SET deadline_at = CASE state WHEN 'pending' THEN $2
                   ELSE greatest($2, least($1 + ($1 - updated_at) / 2, $1 + interval '10 minutes')) END
           WHERE id IN (SELECT id FROM orders.orders WHERE deadline_at <= $1
                        ORDER BY deadline_at LIMIT $3 FOR UPDATE SKIP LOCKED)
           RETURNING id AS "id: OrderId""#,
        now,
        now + parts.settings.step_deadline,
        BATCH,
    )
    .fetch_all(parts.database.pool())
    .await?;
    let mut runs = JoinSet::new();
    for purchase in purchases(parts, &ids).await? {
        let parts = Arc::clone(parts);
        runs.spawn(async move { (purchase.order.id, complete(&parts, purchase).await) });
    }
    let mut recovered = 0;
    while let Some(run) = runs.join_next().await {
        match run {
            Ok((_, Ok(outcome))) => recovered += u64::from(outcome.is_at_rest()),
            Ok((order, Err(error))) => {
                metrics::counter!("souk_orders_recovery_failures_total").increment(1);
                tracing::warn!(%order, %error, "recovery did not succeed yet");
            }
            Err(error) => tracing::error!(%error, "recovery broke down"),
        }
    }
    Ok((ids.len(), recovered))
}

/// What is needed to carry these orders on, of those that are pending.
async fn purchases(parts: &Parts, ids: &[OrderId]) -> Result<Vec<Purchase>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut connection = parts.database.pool().acquire().await?;
    let rows = sqlx::query!(
        r#"SELECT id AS "id: OrderId", user_id AS "user_id: UserId", payment_id AS "payment_id: PaymentId", 
                  payment_means AS "payment_means: sqlx::types::Json<PaymentMeans>", hold_expires_at
           FROM orders.orders WHERE id = ANY($1) AND deadline_at IS NOT NULL AND source = 'checkout'"#,
        &uuids(ids),
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut orders: HashMap<_, _> =
        load_all(&mut connection, ids).await?.into_iter().map(|order| (order.id, order)).collect();
    drop(connection);
    let variants: Vec<VariantId> =
        orders.values().flat_map(|order| &order.lines).map(|line| line.variant_id).collect();
    let limits: HashMap<VariantId, Limit> = parts
        .catalog
        .offers(&variants)
        .await?
        .into_iter()
        .filter_map(|offer| {
            Some((offer.variant_id, Limit { product_id: offer.product_id, most: offer.purchase_limit? }))
        })
        .collect();
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let order = orders.remove(&row.id).filter(|order| order.status.is_under_way())?;
            let limits = order
                .lines
                .iter()
                .filter_map(|line| limits.get(&line.variant_id).map(|limit| (line.variant_id, *limit)));
            Some(Purchase {
                user: row.user_id,
                payment: row.payment_id.map(|id| (id, row.payment_means.map(|means| means.0))),
                limits: limits.collect(),
                hold_expires_at: row.hold_expires_at,
                order,
            })
        })
        .collect())
}

/// One order, to be carried on.
pub(crate) async fn purchase(parts: &Parts, id: OrderId) -> Result<Option<Purchase>, Error> {
    Ok(purchases(parts, &[id]).await?.pop())
}

/// Gives up orders that held their stock long enough. Inventory decides: it takes the stock back.
async fn expire_overdue(parts: &Parts) -> Result<u64, Error> {
    let overdue = sqlx::query_scalar!(
        r#"SELECT id AS "id: OrderId" FROM orders.orders
           WHERE state = 'awaiting_payment' AND hold_expires_at <= $1 ORDER BY hold_expires_at LIMIT $2"#,
        parts.sources.now(),
        BATCH,
    )
    .fetch_all(parts.database.pool())
    .await?;
    if overdue.is_empty() {
        return Ok(0);
    }
    fault::point("orders.expire.overdue");
    parts.inventory.sweep().await?;
    fault::point("orders.expire.swept");
    let reservations: Vec<_> = overdue.iter().map(|id| ReservationId::from(id.uuid())).collect();
    let states = parts.inventory.states(&reservations).await?;
    let released: Vec<OrderId> = overdue
        .into_iter()
        .filter(|id| states.get(&ReservationId::from(id.uuid())) == Some(&ReservationState::Released))
        .collect();
    expire(parts, &released).await
}

/// Gives up those of these orders that still await payment; their stock was taken back.
pub(crate) async fn expire(parts: &Parts, ids: &[OrderId]) -> Result<u64, Error> {
    let mut connection = parts.database.pool().acquire().await?;
    let orders = load_all(&mut connection, ids).await?;
    drop(connection);
    let now: OffsetDateTime = parts.sources.now();
    let mut expired = 0;
    for order in orders.into_iter().filter(|order| order.status == OrderState::AwaitingPayment) {
        let end = End::given_up(OrderEventKind::Expired, Failure::expired());
        let settling = Settling::new(order, end, now)?;
        fault::point("orders.expire.before_settling");
        expired += u64::from(parts.settling.call_in_turn(settling).await?);
        fault::point("orders.expire.settled");
    }
    Ok(expired)
}
