//! Paying an order that awaits payment.

use identity::Actor;
use payments::{Payment, PaymentMeans};
use platform::fault;
use tokio::sync::oneshot;

use crate::checkout::{answer, wait_for_rest};
use crate::completion::complete;
use crate::events::{OrderMoved, OrdersMoved};
use crate::idempotency::{self, Claim, Known, fingerprint};
use crate::journal::{self, Entry, Facts};
use crate::order::{authorize, load};
use crate::{Answer, Error, IdempotencyKey, OrderEventKind, OrderId, OrderState, Service, recovery};

pub(crate) async fn pay(
    service: &Service,
    actor: &Actor,
    id: OrderId,
    key: IdempotencyKey,
    means: PaymentMeans,
) -> Result<Answer, Error> {
    let parts = &service.parts;
    authorize(parts, actor, id).await?;
    let print = fingerprint("pay", &means);
    match idempotency::look(&parts.database, id.uuid(), &key, &print).await? {
        Known::Free => {}
        Known::Order(order, version) => return wait_for_rest(service, order, version).await,
        Known::Done => return Err(Error::KeyReused),
    }
    for usable in parts.payments.check(&[(&means, actor.user_id())]).await? {
        usable?;
    }
    if !begin(service, id, &key, &print, &means).await? {
        // A duplicate that ran at the same time has begun.
        return match idempotency::look(&parts.database, id.uuid(), &key, &print).await? {
            Known::Order(order, version) => wait_for_rest(service, order, version).await,
            _ => Err(Error::KeyInUse),
        };
    }
    let (ended, end) = oneshot::channel();
    let parts = std::sync::Arc::clone(parts);
    service.parts.tasks.spawn(async move {
        let outcome = match recovery::purchase(&parts, id).await {
            Ok(Some(purchase)) => complete(&parts, purchase).await,
            Ok(None) => Err(Error::KeyInUse),
            Err(error) => Err(error),
        };
        fault::point("orders.pay.ended");
        // Whoever waited may have gone away.
        let _ = ended.send(outcome);
    });
    answer(id, end).await
}

/// Writes that the order is being paid; false when somebody else used the key just now.
async fn begin(
    service: &Service,
    id: OrderId,
    key: &IdempotencyKey,
    print: &[u8],
    means: &PaymentMeans,
) -> Result<bool, Error> {
    let parts = &service.parts;
    let (now, payment) = (parts.sources.now(), parts.sources.id::<Payment>());
    let mut tx = parts.database.begin().await?;
    let begun = sqlx::query_scalar!(
        "UPDATE orders.orders
         SET state = 'pending', version = version + 1, payment_means = $2, payment_attempt = payment_attempt + 1,
             payment_id = $3, deadline_at = $4, updated_at = $5, failure = NULL
         WHERE id = $1 AND state = 'awaiting_payment' AND hold_expires_at > $5
         RETURNING version",
        id.uuid(),
        serde_json::to_value(means).map_err(|error| sqlx::Error::Encode(error.into()))?,
        payment.uuid(),
        now + parts.settings.step_deadline,
        now,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(version) = begun else {
        drop(tx);
        if idempotency::look(&parts.database, id.uuid(), key, print).await? != Known::Free {
            return Ok(false);
        }
        let state = load(&parts.database, id).await?.status;
        let state = if state == OrderState::AwaitingPayment { OrderState::Expired } else { state };
        return Err(Error::WrongState(state));
    };
    let claim = Claim::of_order(id.uuid(), key, print, id, version);
    if !idempotency::claim(&mut tx, &claim, now).await? {
        return Ok(false);
    }
    let entry = Entry {
        order_id: id,
        version,
        kind: OrderEventKind::PaymentStarted,
        state: OrderState::Pending,
        facts: Facts { payment_id: Some(payment), ..Facts::default() },
        occurred_at: now,
    };
    journal::append(&mut tx, std::slice::from_ref(&entry)).await?;
    tx.publish(&OrdersMoved { moves: vec![OrderMoved::of(&entry)] });
    fault::point("orders.pay.before_commit");
    tx.commit(now).await?;
    fault::point("orders.pay.begun");
    Ok(true)
}
