//! Old events make room for new ones.

use time::Duration;

use super::Parts;
use crate::Error;

/// How long an event stays at hand once it was received.
pub(super) const AT_HAND: Duration = Duration::days(30);
/// How long a body is kept once it was received: by then nobody disputes a payment any more. It may hold personal data.
pub(super) const BODY_KEPT: Duration = Duration::days(400);
/// How many are archived in a round: a few at a time do not hold up whoever writes.
pub(super) const PORTION: u64 = 1_000;

pub(super) async fn archive(parts: &Parts) -> Result<u64, Error> {
    let now = parts.sources.now();
    let portion = i64::try_from(PORTION).unwrap_or(i64::MAX);
    let archived = sqlx::query!(
        "WITH old AS (
             DELETE FROM payments.webhook_events WHERE (provider, event_id) IN (
                 SELECT provider, event_id FROM payments.webhook_events
                 WHERE received_at < $1 AND processed_at IS NOT NULL
                 ORDER BY received_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)
             RETURNING provider, event_id, id, kind, subject, occurred_at, received_at, body, deliveries, state,
                 processed_at)
         INSERT INTO payments.webhook_archive (provider, event_id, id, kind, subject, occurred_at, received_at, body,
             deliveries, state, processed_at)
         SELECT provider, event_id, id, kind, subject, occurred_at, received_at, body, deliveries, state, processed_at
         FROM old
         ON CONFLICT (provider, event_id) DO UPDATE SET deliveries = webhook_archive.deliveries + excluded.deliveries",
        now - AT_HAND,
        portion,
    )
    .execute(parts.database.pool())
    .await?;
    let emptied = sqlx::query!(
        "UPDATE payments.webhook_archive SET body = NULL WHERE (provider, event_id) IN (
             SELECT provider, event_id FROM payments.webhook_archive
             WHERE body IS NOT NULL AND received_at < $1 ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now - BODY_KEPT,
        portion,
    )
    .execute(parts.database.pool())
    .await?;
    Ok(archived.rows_affected() + emptied.rows_affected())
}
