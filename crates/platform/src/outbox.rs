//! Events: facts that a module publishes in the transaction that made them true.
//!
//! Delivery is at least once, in the order of the outbox as far as nothing fails; a handler must bear
//! repetition. An event whose handlers keep failing is given up after [`MAX_ATTEMPTS`] and stays in the
//! table, where [`undelivered`] finds it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Database, Sources, Violation};

/// Attempts before an event is given up.
pub const MAX_ATTEMPTS: i32 = 20;
const BATCH: i64 = 200;
/// In a rush, what was published within this time is handed out together. The first after a rest is handed out at once.
const PACE: Duration = Duration::from_millis(100);
const IDLE_POLL: Duration = Duration::from_secs(2);

/// A fact. `TOPIC` carries the module and the version: `inventory.stock_changed.v1`.
pub trait Event: Serialize + DeserializeOwned {
    /// Its kind.
    const TOPIC: &'static str;
}

/// An event that is not written yet.
pub(crate) struct Draft {
    topic: &'static str,
    payload: String,
}

impl Draft {
    pub(crate) fn of<E: Event>(event: &E) -> Self {
        Self { topic: E::TOPIC, payload: crate::database::json_text(event) }
    }
}

/// Writes events, and sends news to the nodes that listen on `channel`, both with the commit.
pub(crate) async fn insert_and_notify(
    connection: &mut PgConnection,
    drafts: &[Draft],
    now: OffsetDateTime,
    channel: &str,
    news: &[String],
) -> Result<(), sqlx::Error> {
    let topics: Vec<&str> = drafts.iter().map(|draft| draft.topic).collect();
    let payloads: Vec<&str> = drafts.iter().map(|draft| draft.payload.as_str()).collect();
    sqlx::query!(
        "WITH published AS (
             INSERT INTO platform.outbox (topic, payload, created_at, due_at)
             SELECT topic, payload::json, $3, $3 FROM unnest($1::text[], $2::text[]) AS draft (topic, payload))
         SELECT pg_notify($4, payload) FROM unnest($5::text[]) AS payload",
        &topics as &[&str],
        &payloads as &[&str],
        now,
        channel,
        news,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Events of this kind that have not been taken yet.
///
/// # Errors
/// When the database fails, or one of them is an `E` by name but not by content.
pub async fn waiting<E: Event>(database: &Database) -> Result<Vec<E>, sqlx::Error> {
    let payloads = sqlx::query_scalar!(
        r#"SELECT payload::text AS "payload!" FROM platform.outbox WHERE topic = $1 ORDER BY id"#,
        E::TOPIC,
    )
    .fetch_all(database.pool())
    .await?;
    let read = |payload: &String| {
        serde_json::from_str(payload).map_err(|error| sqlx::Error::Decode(Box::new(error)))
    };
    payloads.iter().map(read).collect()
}

/// An event on its way to a handler.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The event's number; the same each time it is delivered.
    pub id: i64,
    /// Its kind.
    pub topic: String,
    /// Its content, as JSON.
    pub payload: String,
    /// When it was published.
    pub at: OffsetDateTime,
}

impl Delivery {
    /// The event, if it is an `E`.
    ///
    /// # Errors
    /// When it is one by name but not by content.
    pub fn read<E: Event>(&self) -> Result<Option<E>, serde_json::Error> {
        if self.topic != E::TOPIC {
            return Ok(None);
        }
        serde_json::from_str(&self.payload).map(Some)
    }
}

/// Takes events. All deliveries of one call are taken or none: after an error they come again.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Which topics it takes.
    fn topics(&self) -> &'static [&'static str];
    /// Takes events of these topics, oldest first.
    async fn handle(&self, deliveries: &[&Delivery]) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

/// Carries events from the outbox to the handlers of this node.
pub struct Dispatcher {
    database: Database,
    sources: Sources,
    handlers: Vec<Arc<dyn Handler>>,
}

impl Dispatcher {
    /// A dispatcher to these handlers.
    pub fn new(database: Database, sources: Sources, handlers: Vec<Arc<dyn Handler>>) -> Self {
        Self { database, sources, handlers }
    }

    /// Runs until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let begun = Instant::now();
            let taken = self.drain().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "could not read the outbox");
                0
            });
            if taken > 0 {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep_until(begun + PACE) => {}
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.database.changes().events() => {}
                () = tokio::time::sleep(IDLE_POLL) => {}
            }
        }
    }

    /// Delivers all that is due; returns how many events were taken.
    ///
    /// # Errors
    /// When the database fails. A handler's failure is noted at its event and tried again later.
    pub async fn drain(&self) -> Result<usize, sqlx::Error> {
        let mut taken = 0;
        loop {
            let (seen, done) = self.deliver_batch(BATCH).await?;
            taken += done;
            if seen == 0 {
                return Ok(taken);
            }
        }
    }

    /// Delivers one batch; returns how many events it saw and how many were taken. When a batch fails
    /// as a whole its events are tried one by one, so that a poisoned one fails alone.
    async fn deliver_batch(&self, size: i64) -> Result<(usize, usize), sqlx::Error> {
        let mut tx = self.database.pool().begin().await?;
        let now = self.sources.now();
        let rows = sqlx::query!(
            r#"SELECT id, topic, payload::text AS "payload!", created_at, attempts FROM platform.outbox
               WHERE due_at <= $1 ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED"#,
            now,
            size,
        )
        .fetch_all(&mut *tx)
        .await?;
        let (deliveries, attempts): (Vec<Delivery>, Vec<i32>) = rows
            .into_iter()
            .map(|row| {
                let (id, topic, payload, at) = (row.id, row.topic, row.payload, row.created_at);
                (Delivery { id, topic, payload, at }, row.attempts)
            })
            .unzip();
        let mut done = Vec::with_capacity(deliveries.len());
        if self.hand_out(&deliveries).await.is_ok() {
            done.extend(deliveries.iter().map(|delivery| delivery.id));
        } else {
            for (delivery, attempts) in deliveries.iter().zip(attempts) {
                match self.hand_out(std::slice::from_ref(delivery)).await {
                    Ok(()) => done.push(delivery.id),
                    Err(error) => {
                        let error = error.to_string();
                        let attempts = attempts + 1;
                        let due = (attempts < MAX_ATTEMPTS).then(|| now + backoff(attempts));
                        tracing::warn!(
                            event = delivery.id,
                            topic = delivery.topic,
                            attempts,
                            error,
                            "an event was not taken"
                        );
                        sqlx::query!(
                            "UPDATE platform.outbox SET attempts = $2, due_at = $3, last_error = $4 WHERE id = $1",
                            delivery.id,
                            attempts,
                            due,
                            error,
                        )
                        .execute(&mut *tx)
                        .await?;
                    }
                }
            }
        }
        sqlx::query!("DELETE FROM platform.outbox WHERE id = ANY($1)", &done).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok((deliveries.len(), done.len()))
    }

    async fn hand_out(
        &self,
        deliveries: &[Delivery],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        for handler in &self.handlers {
            let wanted = |delivery: &&Delivery| handler.topics().contains(&delivery.topic.as_str());
            let mine: Vec<&Delivery> = deliveries.iter().filter(wanted).collect();
            if !mine.is_empty() {
                handler.handle(&mine).await?;
            }
        }
        Ok(())
    }
}

/// Two seconds, doubling, at most ten minutes.
fn backoff(attempts: i32) -> Duration {
    let exponent = u32::try_from(attempts.clamp(1, 10)).unwrap_or(1);
    Duration::from_secs(2_u64.pow(exponent).min(600))
}

/// What stands in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Events that nobody has tried to deliver yet.
    pub fresh: i64,
    /// How long the oldest of them has waited.
    pub oldest_fresh: time::Duration,
    /// Events whose handlers failed; they are tried again later.
    pub failing: i64,
}

/// Counts what stands in the outbox.
///
/// # Errors
/// When the database fails.
pub async fn backlog(database: &Database, now: OffsetDateTime) -> Result<Backlog, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE attempts = 0) AS "fresh!", count(*) FILTER (WHERE attempts > 0) AS "failing!",
                  min(created_at) FILTER (WHERE attempts = 0) AS oldest
           FROM platform.outbox WHERE due_at IS NOT NULL"#
    )
    .fetch_one(database.pool())
    .await?;
    let oldest_fresh = row.oldest.map_or(time::Duration::ZERO, |oldest| now - oldest);
    Ok(Backlog { fresh: row.fresh, oldest_fresh, failing: row.failing })
}

/// Events that were given up.
///
/// # Errors
/// When the database fails.
pub async fn undelivered(database: &Database) -> Result<Vec<Violation>, sqlx::Error> {
    let rows =
        sqlx::query!("SELECT id, topic, last_error FROM platform.outbox WHERE due_at IS NULL ORDER BY id")
            .fetch_all(database.pool())
            .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let message = format!("{} was given up: {}", row.topic, row.last_error.unwrap_or_default());
            Violation::new("platform/events_delivered", row.id, message)
        })
        .collect())
}
