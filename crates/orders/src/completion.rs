//! The one completion path: the waiting endpoint, a later payment and the recovery job all enter
//! [`complete`]. Each step is an idempotent command, so that whoever comes second changes nothing; a crash
//! between any two leaves an order that is `pending` and past its deadline, for [`recover`] to take up.

use catalog::VariantId;
use inventory::{Line, ReservationId};
use payments::{PaymentId, PaymentState, PaymentToken};
use platform::{Currency, Money, Quantity};
use time::OffsetDateTime;

use crate::events::OrderSettled;
use crate::idempotency::{self, Outcome};
use crate::order::load_in;
use crate::{Error, Failure, Order, OrderId, OrderState, Parts};

/// How many orders one round of recovery takes up.
const RECOVERY_BATCH: i64 = 50;

/// What is needed to carry an order on.
struct Work {
    id: OrderId,
    state: OrderState,
    total: Money,
    token: Option<PaymentToken>,
    payment: Option<PaymentId>,
    attempt: i32,
    hold_expires_at: Option<OffsetDateTime>,
    failure: Option<Failure>,
}

/// How an attempt to carry an order on ends.
struct End {
    state: OrderState,
    failure: Option<Failure>,
}

/// Carries a pending order to where it comes to rest, and answers the key it was sent under.
pub(crate) async fn complete(parts: &Parts, id: OrderId) -> Result<Outcome<Order>, Error> {
    let work = load_work(parts, id).await?;
    if work.state != OrderState::Pending {
        return rest(parts, &work).await;
    }
    let end = carry_on(parts, &work).await?;
    finish(parts, &work, end).await
}

async fn carry_on(parts: &Parts, work: &Work) -> Result<End, Error> {
    let reservation = ReservationId::from(work.id.uuid());
    if work.token.is_none() && work.hold_expires_at.is_some_and(|until| until <= parts.sources.now()) {
        parts.inventory.release(reservation).await?;
        return Ok(End { state: OrderState::Expired, failure: Some(Failure::expired()) });
    }
    match parts.inventory.reserve(reservation, &lines(parts, work.id).await?).await {
        Ok(()) => {}
        Err(inventory::Error::OutOfStock(shortages)) => {
            return Ok(End { state: OrderState::Rejected, failure: Some(Failure::out_of_stock(&shortages)) });
        }
        Err(inventory::Error::Released) => return after_release(parts, work).await,
        Err(error) => return Err(error.into()),
    }
    let (Some(token), Some(payment)) = (&work.token, work.payment) else {
        return Ok(End { state: OrderState::AwaitingPayment, failure: None });
    };
    match parts.payments.charge(payment, work.total, token).await?.state {
        PaymentState::Succeeded => {
            parts.inventory.sell(reservation).await?;
            Ok(End { state: OrderState::Paid, failure: None })
        }
        PaymentState::Declined(code)
            if work.hold_expires_at.is_some_and(|until| until > parts.sources.now()) =>
        {
            Ok(End { state: OrderState::AwaitingPayment, failure: Some(Failure::declined(code)) })
        }
        PaymentState::Declined(code) => {
            parts.inventory.release(reservation).await?;
            Ok(End { state: OrderState::Rejected, failure: Some(Failure::declined(code)) })
        }
        PaymentState::Created => Err(payments::Error::ProviderUnavailable.into()),
    }
}

/// An earlier run gave the stock back and crashed before it could say so. It only does that when the
/// payment was declined.
async fn after_release(parts: &Parts, work: &Work) -> Result<End, Error> {
    let payment = match work.payment {
        Some(id) => parts.payments.payments(&[id]).await?.remove(&id),
        None => None,
    };
    match payment.map(|payment| payment.state) {
        Some(PaymentState::Declined(code)) => {
            Ok(End { state: OrderState::Rejected, failure: Some(Failure::declined(code)) })
        }
        None => Ok(End { state: OrderState::Rejected, failure: Some(Failure::reservation_lost()) }),
        Some(PaymentState::Created | PaymentState::Succeeded) => {
            tracing::error!(order = %work.id, "a payment stands although the stock was given back");
            Err(inventory::Error::Released.into())
        }
    }
}

async fn load_work(parts: &Parts, id: OrderId) -> Result<Work, Error> {
    let row = sqlx::query!(
        r#"SELECT state, currency, total, payment_token, payment_id AS "payment_id: PaymentId", payment_attempt,
                  hold_expires_at, failure AS "failure: sqlx::types::Json<Failure>"
           FROM orders.orders WHERE id = $1 AND source = 'checkout'"#,
        id.uuid(),
    )
    .fetch_optional(parts.database.pool())
    .await?
    .ok_or(Error::OrderNotFound)?;
    let currency: Currency = row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Work {
        id,
        state: OrderState::of(&row.state),
        total: Money::new(row.total, currency),
        token: row.payment_token.as_deref().map(PaymentToken::presented),
        payment: row.payment_id,
        attempt: row.payment_attempt,
        hold_expires_at: row.hold_expires_at,
        failure: row.failure.map(|failure| failure.0),
    })
}

async fn lines(parts: &Parts, id: OrderId) -> Result<Vec<Line>, Error> {
    let rows = sqlx::query!(
        r#"SELECT variant_id AS "variant_id: VariantId", quantity FROM orders.order_lines
           WHERE order_id = $1 ORDER BY position"#,
        id.uuid(),
    )
    .fetch_all(parts.database.pool())
    .await?;
    rows.into_iter()
        .map(|row| {
            let quantity = Quantity::try_from(i64::from(row.quantity)).map_err(|_| Error::TooManyUnits)?;
            Ok(Line::new(row.variant_id, quantity))
        })
        .collect()
}

/// Writes how the order came to rest; whoever writes first decides, the others read it.
async fn finish(parts: &Parts, work: &Work, end: End) -> Result<Outcome<Order>, Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let hold = (end.state == OrderState::AwaitingPayment && work.hold_expires_at.is_none())
        .then(|| now + parts.settings.payment_hold);
    let written = sqlx::query!(
        "UPDATE orders.orders
         SET state = $3, failure = $4, updated_at = $5::timestamptz, deadline_at = NULL, payment_token = NULL,
             hold_expires_at = coalesce(hold_expires_at, $6), paid_at = CASE WHEN $3 = 'paid' THEN $5::timestamptz END
         WHERE id = $1 AND state = 'pending' AND payment_attempt = $2",
        work.id.uuid(),
        work.attempt,
        end.state.as_str(),
        end.failure.as_ref().map(platform::database::json),
        now,
        hold,
    )
    .execute(&mut *tx)
    .await?;
    if written.rows_affected() == 0 {
        drop(tx);
        let settled = load_work(parts, work.id).await?;
        if settled.attempt == work.attempt && settled.state != end.state {
            let (found, ours) = (settled.state.as_str(), end.state.as_str());
            tracing::error!(order = %work.id, found, ours, "two runs of one order came to different ends");
        }
        return rest(parts, &settled).await;
    }
    // A cart whose order came to nothing can be checked out again; any other is done with. If its account has begun
    // another one meanwhile, it is no longer the account's: what was in it can be read in the order.
    let open_again = matches!(end.state, OrderState::Rejected | OrderState::Expired);
    sqlx::query!(
        "UPDATE orders.carts c SET order_id = CASE WHEN $2 THEN NULL ELSE c.order_id END,
             completed_at = CASE WHEN $2 THEN NULL ELSE $3::timestamptz END, updated_at = $3,
             user_id = CASE WHEN NOT ($2 AND EXISTS (
                 SELECT FROM orders.carts other
                 WHERE other.user_id = c.user_id AND other.id <> c.id AND other.completed_at IS NULL)) THEN c.user_id END
         FROM orders.orders o WHERE o.id = $1 AND c.id = o.cart_id AND c.order_id = $1",
        work.id.uuid(),
        open_again,
        now,
    )
    .execute(&mut *tx)
    .await?;
    let order = load_in(&mut tx, work.id).await?;
    let outcome = end.failure.map_or(Outcome::Done(order), Outcome::Failed);
    idempotency::answer_order(&mut tx, work.id, &outcome).await?;
    tx.publish(&OrderSettled { order_id: work.id, state: end.state });
    tx.commit(now).await?;
    metrics::counter!("souk_orders_settled_total", "state" => end.state.as_str()).increment(1);
    Ok(outcome)
}

/// The outcome of an order that came to rest.
async fn rest(parts: &Parts, work: &Work) -> Result<Outcome<Order>, Error> {
    match (&work.failure, work.state) {
        (_, OrderState::Pending) => Err(Error::KeyInUse),
        (Some(failure), _) => Ok(Outcome::Failed(failure.clone())),
        (None, _) => Ok(Outcome::Done(crate::order::load(&parts.database, work.id).await?)),
    }
}

/// Takes up orders past their deadline, and those whose buyers did not pay in time.
pub(crate) async fn recover(parts: &Parts) -> Result<u64, Error> {
    let now = parts.sources.now();
    let deadline = now + parts.settings.step_deadline;
    let ids = sqlx::query_scalar!(
        r#"WITH late AS (
               SELECT id FROM orders.orders WHERE state = 'pending' AND deadline_at <= $1
               ORDER BY deadline_at LIMIT $3 FOR UPDATE SKIP LOCKED
           ), unpaid AS (
               SELECT id FROM orders.orders WHERE state = 'awaiting_payment' AND hold_expires_at <= $1
               ORDER BY hold_expires_at LIMIT $3 FOR UPDATE SKIP LOCKED
           )
           UPDATE orders.orders SET state = 'pending', deadline_at = $2
           WHERE id IN (SELECT id FROM late UNION ALL SELECT id FROM unpaid)
           RETURNING id AS "id: OrderId""#,
        now,
        deadline,
        RECOVERY_BATCH,
    )
    .fetch_all(parts.database.pool())
    .await?;
    let mut recovered = 0;
    for id in ids {
        match complete(parts, id).await {
            Ok(_) => recovered += 1,
            Err(error) => {
                metrics::counter!("souk_orders_recovery_failures_total").increment(1);
                tracing::warn!(order = %id, %error, "recovery did not succeed yet");
            }
        }
    }
    Ok(recovered)
}
