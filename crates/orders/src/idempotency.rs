//! Idempotency keys (draft-ietf-httpapi-idempotency-key-header): claimed by INSERT in the transaction that
//! begins the work, answered with the stored outcome ever after.

use platform::{Database, Tx};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Error, Failure, OrderId};

/// A client's name for one attempt to do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Takes 1 to 255 printable ASCII characters.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=255).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        fits.then(|| Self(text.to_owned()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A claim on a key: whose, which, and for what.
pub(crate) struct Claim<'a> {
    pub(crate) scope: Uuid,
    pub(crate) key: &'a IdempotencyKey,
    fingerprint: Vec<u8>,
}

impl<'a> Claim<'a> {
    /// A claim to do `operation` with `input`.
    pub(crate) fn new<I: Serialize>(
        scope: Uuid,
        key: &'a IdempotencyKey,
        operation: &str,
        input: &I,
    ) -> Self {
        let mut hash = Sha256::new();
        hash.update(operation);
        hash.update([0]);
        hash.update(serde_json::to_vec(input).expect("requests are plain data"));
        Self { scope, key, fingerprint: hash.finalize().to_vec() }
    }
}

/// How the work under a key ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome<T> {
    Done(T),
    Failed(Failure),
}

/// What is known of a key.
pub(crate) enum Known<T> {
    /// Nobody has used it.
    Free,
    /// Somebody is at it.
    Running,
    /// It is done.
    Answered(Outcome<T>),
}

pub(crate) async fn look<T>(database: &Database, claim: &Claim<'_>) -> Result<Known<T>, Error>
where
    T: for<'de> Deserialize<'de>,
{
    let row = sqlx::query!(
        "SELECT fingerprint, outcome FROM orders.idempotency_keys WHERE scope = $1 AND key = $2",
        claim.scope,
        claim.key.as_str(),
    )
    .fetch_optional(database.pool())
    .await?;
    match row {
        None => Ok(Known::Free),
        Some(row) if row.fingerprint != claim.fingerprint => Err(Error::KeyReused),
        Some(row) => match row.outcome {
            None => Ok(Known::Running),
            Some(outcome) => {
                let outcome =
                    serde_json::from_value(outcome).map_err(|error| sqlx::Error::Decode(error.into()))?;
                Ok(Known::Answered(outcome))
            }
        },
    }
}

/// Claims the key with the rest of the transaction; false when somebody else has it. A claim that is
/// being committed by somebody else is waited for.
pub(crate) async fn claim(
    tx: &mut Tx,
    claim: &Claim<'_>,
    order: Option<OrderId>,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let inserted = sqlx::query!(
        "INSERT INTO orders.idempotency_keys (scope, key, fingerprint, order_id, created_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        claim.scope,
        claim.key.as_str(),
        claim.fingerprint,
        order.map(OrderId::uuid),
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Stores the answer of a key claimed in the same transaction.
pub(crate) async fn answer<T: Serialize + Sync>(
    tx: &mut Tx,
    claim: &Claim<'_>,
    done: &T,
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE orders.idempotency_keys SET outcome = $3 WHERE scope = $1 AND key = $2",
        claim.scope,
        claim.key.as_str(),
        platform::database::json(&Outcome::Done(done)),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Stores the answer of the key under which an order is being worked on.
pub(crate) async fn answer_order<T: Serialize + Sync>(
    tx: &mut Tx,
    order: OrderId,
    outcome: &Outcome<T>,
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE orders.idempotency_keys SET outcome = $2 WHERE order_id = $1 AND outcome IS NULL",
        order.uuid(),
        platform::database::json(outcome),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
