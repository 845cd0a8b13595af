//! What is heard of a payment after it was begun: from a notice, or by asking.

use platform::{Database, Money, Tx};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Payment, PaymentState, row};
use crate::events::PaymentMoved;
use crate::ledger::{self, Draft};
use crate::provider::{Named, Provider, Said, Status};
use crate::sale::processing_fee;
use crate::{Error, PaymentId, method};

/// What a piece of news did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It is written down now.
    Done,
    /// It was known, or is of no use.
    Ignored,
    /// What it is about is not there yet.
    Waits(String),
}

/// Writes down how a payment stands, as part of a transaction, and tells others if that is new.
pub(crate) async fn apply(
    tx: &mut Tx,
    id: PaymentId,
    amount: Option<Money>,
    said: &Said,
    now: OffsetDateTime,
) -> Result<Applied, Error> {
    let Some(row) = sqlx::query!(
        "SELECT order_id, provider, amount, currency, state, method, fee, keep_for FROM payments.payments WHERE id = $1 FOR UPDATE",
        id.uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?
    else {
        return Ok(Applied::Waits(format!("there is no payment {id} yet")));
    };
    let state = PaymentState::from(&said.status);
    if let Some(amount) = amount
        && state == PaymentState::Succeeded
        && (amount.amount, amount.currency.code()) != (row.amount, row.currency.as_str())
    {
        return Err(Error::AmountChanged);
    }
    let before = PaymentState::stored(&row.state, None)?;
    let fee = said.fee.filter(|_| row.fee.is_none());
    let moved = moves(before, state, row.method == "page");
    let after = if moved { state } else { before };
    let kept = said.method.as_ref().filter(|_| row.keep_for.is_some() && after == PaymentState::Succeeded);
    if !moved && fee.is_none() && kept.is_none() {
        return Ok(Applied::Ignored);
    }
    sqlx::query!(
        "UPDATE payments.payments SET state = $2, decline_code = CASE WHEN $7 THEN $3 ELSE decline_code END,
             provider_reference = CASE WHEN $7 THEN coalesce(nullif($4, ''), provider_reference)
                                       ELSE coalesce(provider_reference, nullif($4, '')) END, fee = coalesce(fee, $5),
             captured = CASE WHEN $2 = 'succeeded' THEN amount ELSE 0 END,
             action_url = CASE WHEN $2 = 'requires_action' THEN coalesce($8, action_url) END, updated_at = $6
         WHERE id = $1",
        id.uuid(),
        after.as_str(),
        state.decline_code(),
        said.reference,
        fee,
        now,
        moved,
        action_url(said),
    )
    .execute(&mut **tx)
    .await?;
    if moved {
        tx.publish(&PaymentMoved {
            payment_id: id,
            order_id: row.order_id,
            state: state.as_str().to_owned(),
        });
    }
    if let Some(fee) = fee.filter(|_| after == PaymentState::Succeeded) {
        let currency = row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let draft: Draft = processing_fee(id, &row.provider, Money::new(fee, currency), now);
        ledger::post(tx, vec![draft], now).await?;
    }
    if let Some(kept) = kept {
        method::keep(tx, id, kept, now).await?;
    }
    Ok(Applied::Done)
}

fn action_url(said: &Said) -> Option<&str> {
    match &said.status {
        Status::RequiresAction(url) => Some(url),
        _ => None,
    }
}

/// Whether news moves a payment: what succeeded stays so, and what ended otherwise can only turn out to have succeeded.
/// A page stays open when a card is declined on it: the buyer tries another one there.
fn moves(before: PaymentState, after: PaymentState, page: bool) -> bool {
    match (before, after) {
        (PaymentState::Succeeded, _) => false,
        (_, PaymentState::Succeeded) => true,
        (PaymentState::Declined(_) | PaymentState::Voided, _) => false,
        (_, PaymentState::Declined(_)) => !page,
        (before, after) => before != after,
    }
}

/// Asks the provider how a payment stands, and writes it down.
pub(crate) async fn look(
    database: &Database,
    provider: &dyn Provider,
    id: PaymentId,
    now: OffsetDateTime,
) -> Result<Payment, Error> {
    let payment = row::find_one(database.pool(), id).await?.ok_or(Error::NotFound)?;
    let Some(reference) = payment.reference.clone().filter(|_| !payment.state.is_final()) else {
        return Ok(payment);
    };
    let mut said = provider.look(&Named { id, reference: reference.clone() }).await?;
    if said.status == Status::Authorized {
        said = provider.capture(&Named { id, reference }, payment.amount).await?;
    }
    write(database, id, &said, now).await
}

/// Asks about payments that succeeded what their notice did not say: the fee, and what is kept for the buyer. Returns how
/// many it told of.
pub(crate) async fn ask_about_untold(
    database: &Database,
    provider: &dyn Provider,
    silent_since: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let unknown = sqlx::query!(
        r#"UPDATE payments.payments p SET updated_at = $2
           FROM (SELECT id FROM payments.payments
                 WHERE state = 'succeeded' AND (fee IS NULL OR keep_for IS NOT NULL) AND provider = $3 AND updated_at < $1
                 ORDER BY updated_at LIMIT 100 FOR UPDATE SKIP LOCKED) unknown
           WHERE p.id = unknown.id RETURNING p.id AS "id: PaymentId", p.provider_reference"#,
        silent_since,
        now,
        provider.name(),
    )
    .fetch_all(database.pool())
    .await?;
    let mut told = 0;
    for row in unknown {
        let Some(reference) = row.provider_reference else { continue };
        match provider.look(&Named { id: row.id, reference }).await {
            Ok(said) => told += u64::from(write(database, row.id, &said, now).await?.fee.is_some()),
            Err(error) => tracing::warn!(payment = %row.id, %error, "a payment can not be asked about"),
        }
    }
    Ok(told)
}

/// Gives up pages that closed before Souk knew where they are: nobody was shown them. Returns how many.
pub(crate) async fn give_up_unopened(database: &Database, now: OffsetDateTime) -> Result<u64, Error> {
    let given_up = sqlx::query!(
        "UPDATE payments.payments SET state = 'voided', updated_at = $1
         WHERE id IN (SELECT id FROM payments.payments
                      WHERE state = 'created' AND method = 'page' AND expires_at < $1
                      ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED)",
        now,
    )
    .execute(database.pool())
    .await?;
    Ok(given_up.rows_affected())
}

/// Sees to it that these orders can not be paid any more, on a page or by passing a challenge.
pub(crate) async fn void_open(
    database: &Database,
    provider: &dyn Provider,
    orders: &[Uuid],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let open = sqlx::query!(
        r#"SELECT id AS "id: PaymentId", provider_reference FROM payments.payments
           WHERE order_id = ANY($1) AND state IN ('requires_action', 'processing', 'authorized')"#,
        orders,
    )
    .fetch_all(database.pool())
    .await?;
    for page in open {
        let Some(reference) = page.provider_reference else { continue };
        let said = provider.void(&Named { id: page.id, reference }).await?;
        write(database, page.id, &said, now).await?;
    }
    Ok(())
}

/// Asks about payments of which nothing was heard for a while; returns how many moved. A buyer who is at a page may leave it,
/// and a notice may be lost: it is asked about when the last answer is older than a quarter of what it has been open, and when it
/// has closed.
pub(crate) async fn ask_about_silent(
    database: &Database,
    provider: &dyn Provider,
    silent_since: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let silent = sqlx::query!(
        r#"UPDATE payments.payments p SET updated_at = $2::timestamptz
           FROM (SELECT id FROM payments.payments
                 WHERE state IN ('requires_action', 'processing', 'authorized') AND provider = $3 AND updated_at < $1
                   AND (state <> 'requires_action' OR expires_at < $2::timestamptz
                        OR updated_at < $2::timestamptz - ($2::timestamptz - created_at) / 4)
                 ORDER BY updated_at LIMIT 100 FOR UPDATE SKIP LOCKED) silent
           WHERE p.id = silent.id RETURNING p.id AS "id: PaymentId", p.state"#,
        silent_since,
        now,
        provider.name(),
    )
    .fetch_all(database.pool())
    .await?;
    let mut moved = 0;
    for row in silent {
        let before = row.state;
        match look(database, provider, row.id, now).await {
            Ok(payment) => moved += u64::from(payment.state.as_str() != before),
            Err(error) => tracing::warn!(payment = %row.id, %error, "a payment can not be asked about"),
        }
    }
    Ok(moved)
}

async fn write(
    database: &Database,
    id: PaymentId,
    said: &Said,
    now: OffsetDateTime,
) -> Result<Payment, Error> {
    let mut tx = database.begin().await?;
    apply(&mut tx, id, None, said, now).await?;
    let payment = row::find_one(&mut *tx, id).await?.ok_or(Error::NotFound)?;
    tx.commit(now).await?;
    Ok(payment)
}
