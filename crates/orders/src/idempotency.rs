//! Idempotency keys (draft-ietf-httpapi-idempotency-key-header): claimed by INSERT in the transaction that
//! begins the work, answered the same way ever after.
//!
//! Of a purchase the key keeps the order, and its version when the work began: the answer is where the order first came
//! to rest after that, which the journal knows. Any other work keeps its outcome with the key.

use std::collections::HashSet;

use platform::{Database, Tx};
use serde::Serialize;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Error, OrderId};

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

/// What tells two requests apart that came under one key.
pub(crate) fn fingerprint<I: Serialize>(operation: &str, input: &I) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(operation);
    hash.update([0]);
    hash.update(serde_json::to_vec(input).expect("requests are plain data"));
    hash.finalize().to_vec()
}

/// A claim on a key: whose, which, and for what.
pub(crate) struct Claim<'a> {
    pub(crate) scope: Uuid,
    pub(crate) key: &'a IdempotencyKey,
    pub(crate) fingerprint: &'a [u8],
    /// The order that the work is about, and its version once the work has begun.
    pub(crate) order: Option<(OrderId, i32)>,
}

impl<'a> Claim<'a> {
    /// A claim to do something that leaves no order.
    pub(crate) const fn of_work(scope: Uuid, key: &'a IdempotencyKey, fingerprint: &'a [u8]) -> Self {
        Self { scope, key, fingerprint, order: None }
    }

    /// A claim to carry an order on from this version.
    pub(crate) const fn of_order(
        scope: Uuid,
        key: &'a IdempotencyKey,
        fingerprint: &'a [u8],
        order: OrderId,
        version: i32,
    ) -> Self {
        Self { scope, key, fingerprint, order: Some((order, version)) }
    }
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nobody has used it.
    Free,
    /// The work was done, and left no order.
    Done,
    /// The order is carried on from this version under it.
    Order(OrderId, i32),
}

/// What is known of a key that was sent with this request.
///
/// # Errors
/// [`Error::KeyReused`] if it came with another request before.
pub(crate) async fn look(
    database: &Database,
    scope: Uuid,
    key: &IdempotencyKey,
    fingerprint: &[u8],
) -> Result<Known, Error> {
    let row = sqlx::query!(
        r#"SELECT fingerprint, order_id AS "order_id: OrderId", version FROM orders.idempotency_keys
           WHERE scope = $1 AND key = $2"#,
        scope,
        key.as_str(),
    )
    .fetch_optional(database.pool())
    .await?;
    match row {
        None => Ok(Known::Free),
        Some(row) if row.fingerprint != fingerprint => Err(Error::KeyReused),
        Some(row) => Ok(row.order_id.zip(row.version).map_or(Known::Done, |(id, at)| Known::Order(id, at))),
    }
}

/// Which of these keys, each of its scope, have been used.
pub(crate) async fn used(
    database: &Database,
    keys: &[(Uuid, &str)],
) -> Result<HashSet<(Uuid, String)>, sqlx::Error> {
    let (scopes, keys): (Vec<_>, Vec<_>) =
        keys.iter().map(|(scope, key)| (*scope, (*key).to_owned())).unzip();
    let rows = sqlx::query!(
        "SELECT k.scope, k.key FROM unnest($1::uuid[], $2::text[]) AS asked (scope, key)
         JOIN orders.idempotency_keys k ON k.scope = asked.scope AND k.key = asked.key",
        &scopes,
        &keys,
    )
    .fetch_all(database.pool())
    .await?;
    Ok(rows.into_iter().map(|row| (row.scope, row.key)).collect())
}

/// Claims the key with the rest of the transaction; false when somebody else has it. A claim that is
/// being committed by somebody else is waited for.
pub(crate) async fn claim(tx: &mut Tx, claim: &Claim<'_>, now: OffsetDateTime) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query!(
        "INSERT INTO orders.idempotency_keys (scope, key, fingerprint, order_id, version, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        claim.scope,
        claim.key.as_str(),
        claim.fingerprint,
        claim.order.map(|(order, _)| order.uuid()),
        claim.order.map(|(_, version)| version),
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Gives back keys that were claimed in the same transaction for these carts' orders.
pub(crate) async fn unclaim(tx: &mut Tx, scopes: &[Uuid], orders: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM orders.idempotency_keys WHERE scope = ANY($1) AND order_id = ANY($2)",
        scopes,
        orders,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
