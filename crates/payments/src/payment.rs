//! A payment's life: created, then succeeded or declined.

use std::collections::HashMap;

use platform::id::uuids;
use platform::{Currency, Database, Money, Sources};

use crate::provider::{PaymentToken, Provider};
use crate::{DeclineCode, Error, PaymentId};

/// Where a payment is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentState {
    /// The provider is being asked.
    Created,
    /// The provider took the money.
    Succeeded,
    /// The provider refused.
    Declined(DeclineCode),
}

/// Money asked of a provider.
#[derive(Clone, Debug)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// Whom it was asked of.
    pub provider: String,
    /// How much.
    pub amount: Money,
    /// What became of it.
    pub state: PaymentState,
    /// The provider's name for it.
    pub reference: Option<String>,
}

pub(crate) async fn charge(
    database: &Database,
    sources: &Sources,
    provider: &dyn Provider,
    id: PaymentId,
    amount: Money,
    token: &PaymentToken,
) -> Result<Payment, Error> {
    sqlx::query!(
        "INSERT INTO payments.payments (id, provider, amount, currency, state, created_at, updated_at)
         VALUES ($1, $2, $3, $4, 'created', $5, $5) ON CONFLICT (id) DO NOTHING",
        id.uuid(),
        provider.name(),
        amount.amount,
        amount.currency.code(),
        sources.now(),
    )
    .execute(database.pool())
    .await?;
    let begun = find(database, &[id]).await?.remove(&id).ok_or(sqlx::Error::RowNotFound)?;
    if begun.amount != amount {
        return Err(Error::AmountChanged);
    }
    if begun.state != PaymentState::Created {
        return Ok(begun);
    }
    let charge = provider.charge(&id.to_string(), amount, token).await?;
    // Somebody else may have asked at the same time; the provider told both of us the same.
    sqlx::query!(
        "UPDATE payments.payments SET state = $2, provider_reference = $3, decline_code = $4, updated_at = $5
         WHERE id = $1 AND state = 'created'",
        id.uuid(),
        if charge.declined.is_some() { "declined" } else { "succeeded" },
        charge.reference,
        charge.declined.map(DeclineCode::as_str),
        sources.now(),
    )
    .execute(database.pool())
    .await?;
    let state = charge.declined.map_or(PaymentState::Succeeded, PaymentState::Declined);
    Ok(Payment { state, reference: Some(charge.reference), ..begun })
}

pub(crate) async fn find(
    database: &Database,
    ids: &[PaymentId],
) -> Result<HashMap<PaymentId, Payment>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: PaymentId", provider, amount, currency, state, provider_reference, decline_code
           FROM payments.payments WHERE id = ANY($1)"#,
        &uuids(ids),
    )
    .fetch_all(database.pool())
    .await?;
    rows.into_iter()
        .map(|row| {
            let currency: Currency =
                row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            let state = match (row.state.as_str(), row.decline_code.as_deref()) {
                ("succeeded", _) => PaymentState::Succeeded,
                ("declined", code) => PaymentState::Declined(DeclineCode::of(code.unwrap_or_default())),
                _ => PaymentState::Created,
            };
            let payment = Payment {
                id: row.id,
                provider: row.provider,
                amount: Money::new(row.amount, currency),
                state,
                reference: row.provider_reference,
            };
            Ok((row.id, payment))
        })
        .collect()
}

pub(crate) async fn succeeded(
    database: &Database,
    after: Option<PaymentId>,
    limit: i64,
) -> Result<Vec<PaymentId>, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: PaymentId" FROM payments.payments
           WHERE state = 'succeeded' AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2"#,
        after.map(PaymentId::uuid),
        limit,
    )
    .fetch_all(database.pool())
    .await?)
}
