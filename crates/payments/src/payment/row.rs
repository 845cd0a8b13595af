//! Payments in rows.

use std::collections::HashMap;

use identity::UserId;
use platform::id::uuids;
use platform::{Currency, Database, Money};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{Payment, PaymentState};
use crate::provider::Asked;
use crate::{Error, PaymentId};

/// Writes down what the provider said. One that has come to its end stays as it is.
pub(super) async fn record<'a>(
    database: &Database,
    told: impl Iterator<Item = (&'a Payment, &'a Asked)>,
) -> Result<(), sqlx::Error> {
    let mut payments: Vec<_> = told.collect();
    // Two who asked for the same payment were told the same.
    payments.sort_by_key(|(payment, _)| payment.id);
    payments.dedup_by_key(|(payment, _)| payment.id);
    if payments.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO payments.payments (id, order_id, provider, amount, currency, state, provider_reference, decline_code,
             action_url, fee, captured, keep_for, created_at, updated_at)
         SELECT id, order_id, provider, amount, currency, state, reference, decline_code, action_url, fee,
                CASE state WHEN 'succeeded' THEN amount ELSE 0 END, keep_for, at, at
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
             $9::text[], $10::bigint[], $11::uuid[], $12::timestamptz[])
             AS p (id, order_id, provider, amount, currency, state, reference, decline_code, action_url, fee, keep_for, at)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, provider_reference = excluded.provider_reference,
             decline_code = excluded.decline_code, action_url = excluded.action_url, fee = excluded.fee,
             captured = excluded.captured, updated_at = excluded.updated_at
         WHERE payments.state NOT IN ('succeeded', 'declined', 'voided')",
        &payments.iter().map(|(payment, _)| payment.id.uuid()).collect::<Vec<_>>(),
        &payments.iter().map(|(payment, _)| payment.order).collect::<Vec<_>>() as &[Option<Uuid>],
        &payments.iter().map(|(payment, _)| payment.provider.as_str()).collect::<Vec<_>>() as &[&str],
        &payments.iter().map(|(payment, _)| payment.amount.amount).collect::<Vec<_>>(),
        &payments.iter().map(|(payment, _)| payment.amount.currency.code()).collect::<Vec<_>>() as &[&str],
        &payments.iter().map(|(payment, _)| payment.state.as_str()).collect::<Vec<_>>() as &[&str],
        &payments.iter().map(|(payment, _)| payment.reference.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
        &payments.iter().map(|(payment, _)| payment.state.decline_code()).collect::<Vec<_>>() as &[Option<&str>],
        &payments.iter().map(|(payment, _)| payment.action_url.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
        &payments.iter().map(|(payment, _)| payment.fee).collect::<Vec<_>>() as &[Option<i64>],
        &payments.iter().map(|(_, asked)| asked.keep_for.map(UserId::uuid)).collect::<Vec<_>>() as &[Option<Uuid>],
        &payments.iter().map(|(_, asked)| asked.at).collect::<Vec<_>>(),
    )
    .execute(database.pool())
    .await?;
    Ok(())
}

/// One payment, as this transaction or connection sees it.
pub(crate) async fn find_one(executor: impl PgExecutor<'_>, id: PaymentId) -> Result<Option<Payment>, Error> {
    Ok(find_in(executor, &[id]).await?.remove(&id))
}

/// These payments; those that are not there are left out.
pub(crate) async fn find(
    database: &Database,
    ids: &[PaymentId],
) -> Result<HashMap<PaymentId, Payment>, Error> {
    find_in(database.pool(), ids).await
}

pub(crate) async fn find_in(
    executor: impl PgExecutor<'_>,
    ids: &[PaymentId],
) -> Result<HashMap<PaymentId, Payment>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: PaymentId", order_id, provider, amount, currency, state, provider_reference, decline_code,
                  action_url, expires_at, fee, refunded
           FROM payments.payments WHERE id = ANY($1)"#,
        &uuids(ids),
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            let currency: Currency =
                row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            let payment = Payment {
                id: row.id,
                order: row.order_id,
                provider: row.provider,
                amount: Money::new(row.amount, currency),
                state: PaymentState::stored(&row.state, row.decline_code.as_deref())?,
                reference: row.provider_reference,
                action_url: row.action_url,
                expires_at: row.expires_at,
                fee: row.fee,
                refunded: row.refunded,
            };
            Ok((row.id, payment))
        })
        .collect()
}

/// Payments that succeeded and were not given back, in the order of their ids.
pub(crate) async fn succeeded(
    database: &Database,
    after: Option<PaymentId>,
    limit: i64,
) -> Result<Vec<(PaymentId, Option<Uuid>)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: PaymentId", order_id FROM payments.payments
           WHERE state = 'succeeded' AND (captured = 0 OR refunded < captured)
             AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2"#,
        after.map(PaymentId::uuid),
        limit,
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.order_id)).collect())
}
