//! How kept means of payment go: at once for their owner, and from the provider as soon as it answers.

use identity::UserId;
use platform::Database;
use time::{Duration, OffsetDateTime};

use crate::provider::{Provider, ProviderError};
use crate::{Error, PaymentMethodId};

/// How many a round has forgotten.
const BATCH: i64 = 100;
/// A provider that does not forget is asked again after so long.
const AGAIN: Duration = Duration::minutes(5);
/// Rows of what was removed stay for so long: an order that was placed before may be charged once more, under the same id
/// and so with the same name, to hear what became of it.
const KEPT: Duration = Duration::days(30);

/// Removes one of somebody's.
pub(super) async fn remove(
    database: &Database,
    owner: UserId,
    id: PaymentMethodId,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let removed = sqlx::query!(
        "UPDATE payments.payment_methods SET removed_at = $3, forget_at = $3
         WHERE id = $1 AND user_id = $2 AND removed_at IS NULL",
        id.uuid(),
        owner.uuid(),
        now,
    )
    .execute(database.pool())
    .await?;
    if removed.rows_affected() == 0 { Err(Error::MethodNotFound) } else { Ok(()) }
}

/// Removes all of somebody's, and those that were to come.
pub(crate) async fn remove_all(
    database: &Database,
    owner: UserId,
    now: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE payments.payments SET keep_for = NULL WHERE keep_for = $1", owner.uuid())
        .execute(database.pool())
        .await?;
    sqlx::query!(
        "UPDATE payments.payment_methods SET removed_at = $2, forget_at = $2 WHERE user_id = $1 AND removed_at IS NULL",
        owner.uuid(),
        now,
    )
    .execute(database.pool())
    .await?;
    Ok(())
}

/// Has the provider forget what was removed; returns how many it did.
pub(crate) async fn forget_due(
    database: &Database,
    provider: &dyn Provider,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let due = sqlx::query!(
        r#"UPDATE payments.payment_methods m SET forget_at = $2
           FROM (SELECT id FROM payments.payment_methods WHERE forget_at <= $1 AND provider = $3
                 ORDER BY forget_at LIMIT $4 FOR UPDATE SKIP LOCKED) due
           WHERE m.id = due.id RETURNING m.id AS "id: PaymentMethodId", m.reference"#,
        now,
        now + AGAIN,
        provider.name(),
        BATCH,
    )
    .fetch_all(database.pool())
    .await?;
    let mut forgotten = 0;
    for row in due {
        match provider.forget_method(&row.reference).await {
            // It is not there any more: so much the better.
            Ok(()) | Err(ProviderError::Unknown(_) | ProviderError::Refused { .. }) => {
                sqlx::query!(
                    "UPDATE payments.payment_methods SET forget_at = NULL WHERE id = $1",
                    row.id.uuid()
                )
                .execute(database.pool())
                .await?;
                forgotten += 1;
            }
            Err(error) => {
                tracing::warn!(method = %row.id, %error, "a means of payment can not be forgotten yet");
            }
        }
    }
    Ok(forgotten)
}

/// Deletes what the provider forgot long ago; returns how many.
pub(crate) async fn clean_up(database: &Database, now: OffsetDateTime) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        "DELETE FROM payments.payment_methods WHERE removed_at < $1 AND forget_at IS NULL",
        now - KEPT,
    )
    .execute(database.pool())
    .await?;
    Ok(deleted.rows_affected())
}
