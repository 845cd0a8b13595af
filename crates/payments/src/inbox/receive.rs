//! Storing an event before its sender is answered.

use platform::fault;

use super::{NEWS, Parts, Received, WebhookEventId};
use crate::Error;
use crate::provider::Notice;

/// Bytes of the longest name that a provider gives to an event, its kind or its subject.
const LONGEST_NAME: usize = 255;

pub(super) async fn receive(
    parts: &Parts,
    provider: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Received, Error> {
    let provider = parts.providers.get(provider).ok_or(Error::UnknownProvider)?;
    let now = parts.sources.now();
    let Notice { id: event_id, kind, at, subject } = provider.verify(headers, body, now)?;
    let sane = |name: &String| (1..=LONGEST_NAME).contains(&name.len()) && !name.contains('\0');
    if ![&event_id, &kind, &subject].into_iter().all(sane) {
        return Err(Error::BadNotice);
    }
    let id: WebhookEventId = parts.sources.id();
    let mut tx = parts.database.begin().await?;
    // One that was archived is counted there. One that is archived at this very moment may be stored anew: whoever works
    // on it looks into the archive again.
    let is_new = sqlx::query_scalar!(
        r#"WITH archived AS (
               UPDATE payments.webhook_archive SET deliveries = deliveries + 1
               WHERE provider = $1 AND event_id = $2 RETURNING event_id),
           stored AS (
               INSERT INTO payments.webhook_events (provider, event_id, id, kind, subject, occurred_at, received_at,
                   opened_at, body, deliveries, state, attempts, due_at)
               SELECT $1, $2, $3, $4, $5, $6, $7, $7, $8, 1, 'received', 0, $7
               WHERE NOT EXISTS (SELECT FROM archived)
               ON CONFLICT (provider, event_id) DO UPDATE SET deliveries = webhook_events.deliveries + 1
               RETURNING id)
           SELECT EXISTS (SELECT FROM stored WHERE id = $3) AS "is_new!""#,
        provider.name(),
        event_id,
        id.uuid(),
        kind,
        subject,
        at,
        now,
        body,
    )
    .fetch_one(&mut *tx)
    .await?;
    if is_new {
        tx.announce(NEWS);
    }
    fault::point("payments.webhook_stored");
    tx.commit(now).await?;
    Ok(if is_new { Received::New } else { Received::Repeated })
}
