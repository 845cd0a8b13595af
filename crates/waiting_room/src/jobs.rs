//! Work in the background: letting buyers in, and forgetting what is over.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use platform::schedule::Recurring;

use crate::{Error, Parts, WaitingRoom, challenge};

/// Places and waves that are forgotten in one go, so that joins are not held up.
const PORTION: i64 = 5_000;
/// Portions in one round.
const PORTIONS: usize = 40;

/// Lets in whose turn it is. It may run on several nodes: what was let in is counted in the line's row.
pub struct Admit(pub Arc<dyn WaitingRoom>);

#[async_trait]
impl Recurring for Admit {
    fn name(&self) -> &'static str {
        "waiting_room.admit"
    }
    fn every(&self) -> Duration {
        Duration::from_millis(200)
    }
    async fn round(&self) -> Result<u64, Box<dyn StdError + Send + Sync>> {
        self.0.admit().await?;
        // Counted in a metric of its own: a line in the log five times a second would be too much.
        Ok(0)
    }
}

/// Forgets lines that are over, and places whose time is.
pub struct CleanUp(pub Arc<dyn WaitingRoom>);

#[async_trait]
impl Recurring for CleanUp {
    fn name(&self) -> &'static str {
        "waiting_room.clean_up"
    }
    fn every(&self) -> Duration {
        Duration::from_secs(30)
    }
    async fn round(&self) -> Result<u64, Box<dyn StdError + Send + Sync>> {
        Ok(self.0.clean_up().await?)
    }
}

pub(crate) async fn clean_up(parts: &Parts) -> Result<u64, Error> {
    lapse(parts).await?;
    let mut forgotten = sqlx::query!(
        "DELETE FROM waiting_room.lines l
         WHERE NOT EXISTS (SELECT FROM waiting_room.rooms r WHERE r.line_id = l.id)"
    )
    .execute(parts.database.pool())
    .await?
    .rows_affected();
    // A challenge is remembered by the place it gave for as long as it could be used again.
    let solved_before = parts.sources.now() - challenge::LIFETIME;
    for _ in 0..PORTIONS {
        let portion = sqlx::query!(
            "DELETE FROM waiting_room.places WHERE (line_id, number) IN (
                 SELECT p.line_id, p.number FROM waiting_room.places p LEFT JOIN waiting_room.lines l ON l.id = p.line_id
                 WHERE l.id IS NULL OR (p.number <= l.lapsed AND p.joined_at < $1)
                 LIMIT $2 FOR UPDATE OF p SKIP LOCKED)",
            solved_before,
            PORTION,
        )
        .execute(parts.database.pool())
        .await?
        .rows_affected();
        forgotten += portion;
        if portion < PORTION.unsigned_abs() {
            break;
        }
    }
    Ok(forgotten)
}

/// Writes down up to which number the time of each line's buyers is over, and forgets when those were let in.
async fn lapse(parts: &Parts) -> Result<(), Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    // The lines first, as everybody who locks them does.
    sqlx::query!(
        "WITH over AS (
             SELECT w.line_id, max(w.up_to) AS up_to
             FROM waiting_room.waves w JOIN waiting_room.rooms r ON r.line_id = w.line_id
             WHERE w.at + make_interval(secs => r.window_seconds) <= $1 GROUP BY w.line_id),
         locked AS (SELECT l.id FROM waiting_room.lines l JOIN over ON over.line_id = l.id ORDER BY l.id FOR UPDATE OF l)
         UPDATE waiting_room.lines l SET lapsed = greatest(l.lapsed, over.up_to)
         FROM over, locked WHERE l.id = over.line_id AND l.id = locked.id",
        now,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "DELETE FROM waiting_room.waves w USING waiting_room.lines l WHERE w.line_id = l.id AND w.up_to <= l.lapsed"
    )
    .execute(&mut *tx)
    .await?;
    tx.commit(now).await?;
    Ok(())
}
