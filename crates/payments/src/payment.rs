//! A payment's life: created, then succeeded or declined.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use platform::batch::Work;
use platform::id::uuids;
use platform::{Currency, Database, Money, fault};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::provider::{Asked, PaymentToken, Provider, Said, Status};
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

impl PaymentState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Succeeded => "succeeded",
            Self::Declined(_) => "declined",
        }
    }

    const fn decline_code(self) -> Option<&'static str> {
        match self {
            Self::Declined(code) => Some(code.as_str()),
            _ => None,
        }
    }
}

/// Money that is to be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Charge<'a> {
    /// The payment's id; asking again with the same id is safe.
    pub id: PaymentId,
    /// What it is for: the order's id.
    pub order: Uuid,
    /// How much.
    pub amount: Money,
    /// Of which means of payment.
    pub token: &'a PaymentToken,
}

/// Money asked of a provider.
#[derive(Clone, Debug)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// What it is for: the order's id. Unknown of payments from before it was kept.
    pub order: Option<Uuid>,
    /// Whom it was asked of.
    pub provider: String,
    /// How much.
    pub amount: Money,
    /// What became of it.
    pub state: PaymentState,
    /// The provider's name for it.
    pub reference: Option<String>,
}

/// Asks the provider and writes down what it said, many payments at a time: the queue "payments.charge". A payment's id
/// is its idempotency key and stands in the order before anybody is asked: a crash in between loses nothing, since asking
/// again gives the same answer.
pub(crate) struct Charging {
    pub(crate) database: Database,
    pub(crate) provider: Arc<dyn Provider>,
}

#[async_trait]
impl Work for Charging {
    type Item = Asked;
    type Answer = Result<Payment, Error>;

    async fn serve(&self, asked: &[Asked]) -> Result<Vec<Self::Answer>, sqlx::Error> {
        let said = self.provider.charge(asked).await;
        fault::point("payments.charged");
        let payment = |asked: &Asked, said: Said| Payment {
            id: asked.id,
            order: Some(asked.order),
            provider: self.provider.name().to_owned(),
            amount: asked.amount,
            state: match said.status {
                Status::Succeeded => PaymentState::Succeeded,
                Status::Declined(code) => PaymentState::Declined(code),
                _ => PaymentState::Created,
            },
            reference: Some(said.reference),
        };
        let answers: Vec<Self::Answer> =
            asked.iter().zip(said).map(|(asked, said)| Ok(payment(asked, said?))).collect();
        let told =
            answers.iter().zip(asked).filter_map(|(answer, asked)| Some((answer.as_ref().ok()?, asked.at)));
        record(&self.database, told).await?;
        fault::point("payments.recorded");
        Ok(answers)
    }
}

/// Writes down what the provider said.
async fn record<'a>(
    database: &Database,
    told: impl Iterator<Item = (&'a Payment, OffsetDateTime)>,
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
             created_at, updated_at)
         SELECT id, order_id, provider, amount, currency, state, reference, decline_code, at, at
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
             $9::timestamptz[]) AS p (id, order_id, provider, amount, currency, state, reference, decline_code, at)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, provider_reference = excluded.provider_reference,
             decline_code = excluded.decline_code, updated_at = excluded.updated_at
         WHERE payments.state = 'created'",
        &payments.iter().map(|(payment, _)| payment.id.uuid()).collect::<Vec<_>>(),
        &payments.iter().map(|(payment, _)| payment.order).collect::<Vec<_>>() as &[Option<Uuid>],
        &payments.iter().map(|(payment, _)| payment.provider.as_str()).collect::<Vec<_>>() as &[&str],
        &payments.iter().map(|(payment, _)| payment.amount.amount).collect::<Vec<_>>(),
        &payments.iter().map(|(payment, _)| payment.amount.currency.code()).collect::<Vec<_>>() as &[&str],
        &payments.iter().map(|(payment, _)| payment.state.as_str()).collect::<Vec<_>>() as &[&str],
        &payments.iter().map(|(payment, _)| payment.reference.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
        &payments.iter().map(|(payment, _)| payment.state.decline_code()).collect::<Vec<_>>() as &[Option<&str>],
        &payments.iter().map(|(_, at)| *at).collect::<Vec<_>>(),
    )
    .execute(database.pool())
    .await?;
    Ok(())
}

pub(crate) async fn find(
    database: &Database,
    ids: &[PaymentId],
) -> Result<HashMap<PaymentId, Payment>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: PaymentId", order_id, provider, amount, currency, state, provider_reference, decline_code
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
                order: row.order_id,
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
) -> Result<Vec<(PaymentId, Option<Uuid>)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: PaymentId", order_id FROM payments.payments
           WHERE state = 'succeeded' AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2"#,
        after.map(PaymentId::uuid),
        limit,
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.order_id)).collect())
}
