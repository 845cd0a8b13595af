//! Writing mails down when their event arrives, and forgetting them again.

use platform::Tx;
use platform::outbox::Delivery;
use time::{Duration, OffsetDateTime};

use crate::message::Message;
use crate::{Error, Parts};

/// How long a caught mail is kept, and how many.
const CAUGHT_KEPT: Duration = Duration::days(7);
const MOST_CAUGHT: i64 = 1_000;
/// How long it is remembered that a mail was sent or given up. Longer than an event can come again.
const SENT_KEPT: Duration = Duration::days(30);

pub(crate) async fn tell(parts: &Parts, deliveries: &[&Delivery]) -> Result<(), Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    for delivery in deliveries {
        if let Some(message) = Message::of(delivery)? {
            write(parts, &mut tx, delivery.id, &message, now).await?;
        }
    }
    if parts.sender.is_none() {
        forget_caught(&mut tx, now).await?;
    }
    tx.commit(now).await?;
    parts.queued.notify_one();
    Ok(())
}

async fn write(
    parts: &Parts,
    tx: &mut Tx,
    event: i64,
    message: &Message,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let mail = parts.renderer.render(message)?;
    let message_id = format!("<{}@{}>", parts.sources.id::<Message>(), parts.settings.from.email.domain());
    let sends = parts.sender.is_some();
    sqlx::query!(
        "INSERT INTO notifications.mails (event_id, message_id, recipient, subject, text, html, state, due_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (event_id, recipient) DO NOTHING",
        event,
        message_id,
        message.recipient,
        mail.subject,
        mail.text,
        mail.html,
        if sends { "queued" } else { "caught" },
        sends.then_some(now),
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn forget_caught(tx: &mut Tx, now: OffsetDateTime) -> Result<u64, Error> {
    let forgotten = sqlx::query!(
        "DELETE FROM notifications.mails
         WHERE state = 'caught' AND (created_at < $1 OR id <= (
             SELECT id FROM notifications.mails WHERE state = 'caught' ORDER BY id DESC OFFSET $2 LIMIT 1))",
        now - CAUGHT_KEPT,
        MOST_CAUGHT,
    )
    .execute(&mut **tx)
    .await?;
    Ok(forgotten.rows_affected())
}

pub(crate) async fn clean_up(parts: &Parts) -> Result<u64, Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let caught = forget_caught(&mut tx, now).await?;
    let sent = sqlx::query!(
        "DELETE FROM notifications.mails WHERE state IN ('sent', 'failed') AND created_at < $1",
        now - SENT_KEPT,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit(now).await?;
    Ok(caught + sent.rows_affected())
}
