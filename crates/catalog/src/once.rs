//! Idempotency keys (draft-ietf-httpapi-idempotency-key-header): claimed by INSERT in the transaction that does the work,
//! which keeps what it came to with the key. They belong to a store: whoever repeats a request may do the same work.

use platform::{Database, Tx, database};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use crate::{Error, StoreId};

/// How long a key is kept.
const LIFETIME: Duration = Duration::hours(24);

/// A client's name for one attempt to do something in a store.
pub(crate) struct Once<'a> {
    store: StoreId,
    key: &'a str,
    fingerprint: Vec<u8>,
}

impl<'a> Once<'a> {
    /// Of this operation with this input.
    pub(crate) fn of<I: Serialize>(store: StoreId, key: &'a str, operation: &str, input: &I) -> Self {
        let mut hash = Sha256::new();
        hash.update(operation);
        hash.update([0]);
        hash.update(database::json_text(input));
        Self { store, key, fingerprint: hash.finalize().to_vec() }
    }

    /// Claims the key with the rest of the transaction. Gives what the work came to, if it was done before; a claim that
    /// is being committed by somebody else is waited for.
    ///
    /// # Errors
    /// [`Error::KeyReused`] if the key came with another request before.
    pub(crate) async fn claim<A: DeserializeOwned>(
        &self,
        tx: &mut Tx,
        now: OffsetDateTime,
    ) -> Result<Option<A>, Error> {
        let claimed = sqlx::query!(
            "INSERT INTO catalog.idempotency_keys (store_id, key, fingerprint, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
            self.store.uuid(),
            self.key,
            self.fingerprint,
            now,
        )
        .execute(&mut **tx)
        .await?;
        if claimed.rows_affected() == 1 {
            return Ok(None);
        }
        let known = sqlx::query!(
            r#"SELECT fingerprint, answer AS "answer!" FROM catalog.idempotency_keys WHERE store_id = $1 AND key = $2"#,
            self.store.uuid(),
            self.key,
        )
        .fetch_one(&mut **tx)
        .await?;
        if known.fingerprint != self.fingerprint {
            return Err(Error::KeyReused);
        }
        let answer = serde_json::from_value(known.answer);
        Ok(Some(answer.map_err(|error| sqlx::Error::Decode(Box::new(error)))?))
    }

    /// Keeps what the work came to.
    pub(crate) async fn keep<A: Serialize>(&self, tx: &mut Tx, answer: &A) -> Result<(), Error> {
        let kept = sqlx::query!(
            "UPDATE catalog.idempotency_keys SET answer = $3 WHERE store_id = $1 AND key = $2",
            self.store.uuid(),
            self.key,
            database::json(answer),
        )
        .execute(&mut **tx)
        .await?;
        if kept.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound.into()) }
    }
}

/// How many are forgotten in a round.
pub(crate) const PORTION: i64 = 5_000;

/// Forgets a bounded number of keys that were kept long enough; returns how many.
pub(crate) async fn clean_up(database: &Database, now: OffsetDateTime) -> Result<u64, Error> {
    let forgotten = sqlx::query!(
        "DELETE FROM catalog.idempotency_keys WHERE (store_id, key) IN (
             SELECT store_id, key FROM catalog.idempotency_keys WHERE created_at < $1
             ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now - LIFETIME,
        PORTION,
    )
    .execute(database.pool())
    .await?;
    Ok(forgotten.rows_affected())
}
