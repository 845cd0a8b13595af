//! Working on an event once more.

use identity::Actor;
use platform::Tx;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::event::Row;
use super::{NEWS, Parts, WebhookEvent, WebhookEventId};
use crate::Error;

/// How many are opened in one transaction.
const PORTION: i64 = 500;

pub(super) async fn one(
    parts: &Parts,
    actor: &Actor,
    provider: &str,
    event_id: &str,
) -> Result<WebhookEvent, Error> {
    if [provider, event_id].into_iter().any(|name| name.contains('\0')) {
        return Err(Error::WebhookNotFound);
    }
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    bring_back(&mut tx, provider, event_id).await?;
    let row = sqlx::query_as!(
        Row,
        "UPDATE payments.webhook_events
         SET state = 'received', attempts = 0, opened_at = $3, due_at = $3, processed_at = NULL, last_error = NULL
         WHERE provider = $1 AND event_id = $2
         RETURNING id, provider, event_id, kind, subject, occurred_at, received_at, deliveries, state, attempts, due_at,
             processed_at, last_error",
        provider,
        event_id,
        now,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let event = WebhookEvent::try_from(row.ok_or(Error::WebhookNotFound)?)?;
    note(&mut tx, actor, event.id, provider, event_id);
    tx.commit(now).await?;
    Ok(event)
}

/// Takes an event out of the archive, if it is there.
async fn bring_back(tx: &mut Tx, provider: &str, event_id: &str) -> Result<(), Error> {
    let has_body = sqlx::query_scalar!(
        r#"SELECT body IS NOT NULL AS "has_body!" FROM payments.webhook_archive
           WHERE provider = $1 AND event_id = $2 FOR UPDATE"#,
        provider,
        event_id,
    )
    .fetch_optional(&mut **tx)
    .await?;
    match has_body {
        None => return Ok(()),
        Some(false) => return Err(Error::WebhookGone),
        Some(true) => {}
    }
    sqlx::query!(
        "WITH old AS (
             DELETE FROM payments.webhook_archive WHERE provider = $1 AND event_id = $2
             RETURNING provider, event_id, id, kind, subject, occurred_at, received_at, body, deliveries, state,
                 processed_at)
         INSERT INTO payments.webhook_events (provider, event_id, id, kind, subject, occurred_at, received_at, opened_at,
             body, deliveries, state, attempts, processed_at)
         SELECT provider, event_id, id, kind, subject, occurred_at, received_at, received_at, body, deliveries, state, 0,
             processed_at
         FROM old ON CONFLICT (provider, event_id) DO NOTHING",
        provider,
        event_id,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn failed(parts: &Parts, actor: &Actor, since: OffsetDateTime) -> Result<u64, Error> {
    let (mut opened, mut from, mut after) = (0, since, None::<Uuid>);
    loop {
        let now = parts.sources.now();
        let mut tx = parts.database.begin().await?;
        let mut rows = sqlx::query!(
            r#"UPDATE payments.webhook_events
               SET state = 'received', attempts = 0, opened_at = $3, due_at = $3, last_error = NULL
               WHERE (provider, event_id) IN (
                   SELECT provider, event_id FROM payments.webhook_events
                   WHERE state = 'failed' AND received_at >= $1 AND ($2::uuid IS NULL OR (received_at, id) > ($1, $2))
                   ORDER BY received_at, id LIMIT $4 FOR UPDATE)
               RETURNING id AS "id: WebhookEventId", provider, event_id, received_at"#,
            from,
            after,
            now,
            PORTION,
        )
        .fetch_all(&mut *tx)
        .await?;
        rows.sort_by_key(|row| (row.received_at, row.id));
        let Some(last) = rows.last() else { return Ok(opened) };
        (from, after) = (last.received_at, Some(last.id.uuid()));
        opened += rows.len() as u64;
        rows.iter().for_each(|row| note(&mut tx, actor, row.id, &row.provider, &row.event_id));
        tx.commit(now).await?;
    }
}

/// Says who did it, and wakes whoever works on events.
fn note(tx: &mut Tx, actor: &Actor, id: WebhookEventId, provider: &str, event_id: &str) {
    let facts = json!({"provider": provider, "event_id": event_id});
    tx.audit(actor.did("webhook.replayed", "webhook_event", id).with_facts(facts));
    tx.announce(NEWS);
}
