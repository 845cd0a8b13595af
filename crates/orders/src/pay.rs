//! Paying an order that awaits payment.

use identity::Actor;
use payments::PaymentToken;

use crate::checkout::{answer, wait_for_duplicate};
use crate::idempotency::{self, Claim, Known};
use crate::order::{authorize, load};
use crate::{Answer, Error, IdempotencyKey, OrderId, OrderState, Parts};

pub(crate) async fn pay(
    parts: &Parts,
    actor: &Actor,
    id: OrderId,
    key: IdempotencyKey,
    token: PaymentToken,
) -> Result<Answer, Error> {
    authorize(parts, actor, id).await?;
    let claim = Claim::new(id.uuid(), &key, "pay", &token);
    match idempotency::look(&parts.database, &claim).await? {
        Known::Free => {}
        known => return wait_for_duplicate(parts, &claim, known).await,
    }
    parts.payments.check(&token)?;
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    if !idempotency::claim(&mut tx, &claim, Some(id), now).await? {
        drop(tx);
        return wait_for_duplicate(parts, &claim, Known::Running).await;
    }
    let begun = sqlx::query!(
        "UPDATE orders.orders
         SET state = 'pending', payment_token = $2, payment_attempt = payment_attempt + 1, payment_id = $3,
             deadline_at = $4, updated_at = $5, failure = NULL
         WHERE id = $1 AND state = 'awaiting_payment' AND hold_expires_at > $5",
        id.uuid(),
        token.as_str(),
        parts.sources.id::<payments::Payment>().uuid(),
        now + parts.settings.step_deadline,
        now,
    )
    .execute(&mut *tx)
    .await?;
    if begun.rows_affected() == 0 {
        drop(tx);
        let state = load(&parts.database, id).await?.status;
        let state = if state == OrderState::AwaitingPayment { OrderState::Expired } else { state };
        return Err(Error::WrongState(state));
    }
    tx.commit(now).await?;
    answer(parts, id).await
}
