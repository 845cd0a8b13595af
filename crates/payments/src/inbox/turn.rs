//! One try of one event: the oldest of its subject.

use std::sync::Arc;

use platform::{Tx, fault};
use time::{Duration, OffsetDateTime};

use super::Parts;
use super::process::{PATIENCE, Subject};
use crate::Error;
use crate::payment::Applied;
use crate::provider::{Change, Provider, ProviderError};

/// Errors before an event is given up.
pub(super) const MAX_ATTEMPTS: i32 = 20;
/// How long an effect may take. The database ends a transaction that does nothing for 60 seconds.
const EFFECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);
/// Characters of an error that are kept.
const LONGEST_ERROR: usize = 500;
/// Any number: it keeps locks of subjects apart from other locks.
const LOCKS: i64 = 0x0069_6e62_6f78;

/// What became of a subject's turn.
pub(super) enum Turn {
    /// Its oldest event was tried.
    Tried,
    /// Its oldest event is to be tried later, and those behind it wait as long.
    Parked,
    /// Somebody else works on it.
    Taken,
    /// There is nothing to do.
    Nothing,
}

/// An event that is being tried.
struct Claimed {
    event_id: String,
    body: Vec<u8>,
    /// As it was before.
    state: String,
    attempts: i32,
    opened_at: OffsetDateTime,
    /// Whether it took effect long ago.
    archived: bool,
}

/// How a try ended without effect.
enum Setback {
    /// The event overtook what it is about.
    Waits(String),
    /// Trying again may help.
    Failed(String),
    /// It never will.
    Hopeless(String),
}

pub(super) async fn turn(parts: &Arc<Parts>, subject: &Subject) -> Result<Turn, Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    // The subject, not its oldest event: an older one may come in meanwhile.
    let locked = sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock(hashtextextended($1 || ' ' || $2, $3)) AS "locked!""#,
        subject.provider,
        subject.name,
        LOCKS,
    )
    .fetch_one(&mut *tx)
    .await?;
    if !locked {
        return Ok(Turn::Taken);
    }
    let Some(claimed) = claim(&mut tx, subject, now).await? else {
        let parked = park(&mut tx, subject, now).await?;
        tx.commit(now).await?;
        return Ok(if parked > 0 { Turn::Parked } else { Turn::Nothing });
    };
    if let Err(setback) = attempt(parts, subject, &claimed, tx, now).await {
        put_off(parts, subject, &claimed, setback).await?;
    }
    Ok(Turn::Tried)
}

/// Marks the subject's oldest event as processed, if it is its time: what comes after this within the transaction decides
/// whether that stays. An event that was not tried yet only ever waited for those before it, which are done.
async fn claim(tx: &mut Tx, subject: &Subject, now: OffsetDateTime) -> Result<Option<Claimed>, Error> {
    let claimed = sqlx::query_as!(
        Claimed,
        r#"UPDATE payments.webhook_events e
           SET state = 'processed', attempts = e.attempts + 1, due_at = NULL, processed_at = $3, last_error = NULL
           FROM (SELECT event_id, state, attempts FROM payments.webhook_events
                 WHERE provider = $1 AND subject = $2 AND due_at IS NOT NULL
                 ORDER BY occurred_at, received_at, id LIMIT 1) oldest
           WHERE e.provider = $1 AND e.event_id = oldest.event_id AND (e.due_at <= $3 OR e.attempts = 0)
           RETURNING e.event_id, e.body, oldest.state AS "state!", oldest.attempts AS "attempts!", e.opened_at,
               EXISTS (SELECT FROM payments.webhook_archive a
                       WHERE a.provider = $1 AND a.event_id = e.event_id) AS "archived!""#,
        subject.provider,
        subject.name,
        now,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(claimed)
}

/// Has the events behind one that is tried later wait for it; returns how many.
async fn park(tx: &mut Tx, subject: &Subject, now: OffsetDateTime) -> Result<u64, Error> {
    let parked = sqlx::query!(
        "UPDATE payments.webhook_events e SET due_at = oldest.due_at
         FROM (SELECT due_at FROM payments.webhook_events
               WHERE provider = $1 AND subject = $2 AND due_at IS NOT NULL
               ORDER BY occurred_at, received_at, id LIMIT 1) oldest
         WHERE e.provider = $1 AND e.subject = $2 AND e.due_at <= $3 AND oldest.due_at > $3",
        subject.provider,
        subject.name,
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(parked.rows_affected())
}

/// Applies an event and commits.
async fn attempt(
    parts: &Arc<Parts>,
    subject: &Subject,
    claimed: &Claimed,
    mut tx: Tx,
    now: OffsetDateTime,
) -> Result<(), Setback> {
    let applied = if claimed.archived {
        Applied::Ignored
    } else {
        let provider = parts.providers.get(subject.provider.as_str());
        let provider = provider.ok_or_else(|| Setback::Failed("the provider is unknown".to_owned()))?;
        let (provider, parts, body) = (Arc::clone(provider), Arc::clone(parts), claimed.body.clone());
        // In a task of its own, which may panic.
        let applying = tokio::spawn(async move { apply(&parts, &*provider, &body, tx).await });
        let abort = AbortOnDrop(applying.abort_handle());
        let applied = tokio::time::timeout(EFFECT_TIMEOUT, applying).await;
        drop(abort);
        let (applied, its) = applied
            .map_err(|_| Setback::Failed("its effect took too long".to_owned()))?
            .map_err(|error| Setback::Failed(panic_message(error)))??;
        tx = its;
        applied
    };
    let database = |error: sqlx::Error| Setback::Failed(error.to_string());
    match applied {
        Applied::Done => {}
        Applied::Ignored => ignore(&mut tx, subject, claimed).await.map_err(database)?,
        Applied::Waits(what) => return Err(Setback::Waits(what)),
    }
    fault::point("payments.webhook_applied");
    tx.commit(now).await.map_err(database)
}

/// Reads an event and does what it tells of.
async fn apply(
    parts: &Parts,
    provider: &dyn Provider,
    body: &[u8],
    mut tx: Tx,
) -> Result<(Applied, Tx), Setback> {
    let incoming = provider.read(body).map_err(|error| match error {
        ProviderError::Unavailable(_) | ProviderError::Database(_) => Setback::Failed(error.to_string()),
        _ => Setback::Hopeless(error.to_string()),
    })?;
    if incoming.change == Change::None {
        return Ok((Applied::Ignored, tx));
    }
    let applied = parts.effect.apply(&mut tx, provider.name(), &incoming).await;
    Ok((applied.map_err(|error| Setback::Failed(in_words(&error)))?, tx))
}

async fn ignore(tx: &mut Tx, subject: &Subject, claimed: &Claimed) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE payments.webhook_events SET state = 'ignored' WHERE provider = $1 AND event_id = $2",
        subject.provider,
        claimed.event_id,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes down that a try had no effect, unless another node has tried it since.
async fn put_off(parts: &Parts, subject: &Subject, claimed: &Claimed, setback: Setback) -> Result<(), Error> {
    let now = parts.sources.now();
    let (state, error) = match &setback {
        Setback::Waits(what) => ("waiting", format!("waits: {what}")),
        Setback::Failed(error) | Setback::Hopeless(error) => ("received", error.clone()),
    };
    let attempts = if claimed.state == state { claimed.attempts + 1 } else { 1 };
    let given_up = match setback {
        Setback::Waits(_) => now - claimed.opened_at >= PATIENCE,
        Setback::Failed(_) => attempts >= MAX_ATTEMPTS,
        Setback::Hopeless(_) => true,
    };
    let error: String = error.replace('\0', "").chars().take(LONGEST_ERROR).collect();
    let (provider, event_id) = (&subject.provider, &claimed.event_id);
    if given_up {
        tracing::error!(provider, event_id, attempts, error, "an event of a provider was given up");
    } else if state == "received" {
        tracing::warn!(provider, event_id, attempts, error, "an event of a provider did not take effect");
    }
    sqlx::query!(
        "UPDATE payments.webhook_events SET state = $3, attempts = $4, due_at = $5, last_error = $6
         WHERE provider = $1 AND event_id = $2 AND due_at IS NOT NULL AND state = $7 AND attempts = $8
             AND opened_at = $9",
        provider,
        event_id,
        if given_up { "failed" } else { state },
        attempts,
        (!given_up).then(|| now + pause(attempts)),
        error,
        claimed.state,
        claimed.attempts,
        claimed.opened_at,
    )
    .execute(parts.database.pool())
    .await?;
    Ok(())
}

/// Two seconds, doubling, at most ten minutes.
fn pause(attempts: i32) -> Duration {
    let exponent = u32::try_from(attempts.clamp(1, 10)).unwrap_or(1);
    Duration::seconds(2_i64.pow(exponent).min(600))
}

/// An error and what caused it.
fn in_words(error: &Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

fn panic_message(error: tokio::task::JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else { return "its effect was called off".to_owned() };
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    format!("its effect panicked: {text}")
}

/// Ends a task whose answer nobody waits for.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_ten_minutes() {
        let pauses: Vec<i64> = (1..=12).map(|attempts| pause(attempts).whole_seconds()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]);
    }
}
