//! Working on what was received: subjects side by side, the events of each one after the other.

use std::sync::Arc;

use time::Duration;
use tokio::task::JoinSet;

use super::Parts;
use super::turn::{self, Turn};
use crate::Error;

/// How long an event may wait for what it is about.
pub(super) const PATIENCE: Duration = Duration::days(3);
/// About how many events are tried in a round.
pub(super) const MOST: u64 = 1_000;
/// Subjects that are looked at together.
const LOOK: i64 = 256;
/// Subjects that are worked on at a time: each takes a connection.
const SIDE_BY_SIDE: usize = 4;
/// Events of one subject that are tried before others get their turn.
const IN_A_ROW: usize = 16;
/// How often a round looks again at subjects that are all in other hands: those may let go of one just before an event of
/// it is stored.
const SECOND_LOOKS: u32 = 3;
/// Between two such looks.
const BREATH: std::time::Duration = std::time::Duration::from_millis(20);

/// Whose events are worked on one after the other.
pub(super) struct Subject {
    pub(super) provider: String,
    pub(super) name: String,
}

/// What became of the subjects that were looked at.
#[derive(Default)]
struct Pass {
    /// Events that were tried.
    tried: u64,
    /// Whether fewer are due than before.
    moved: bool,
    /// Whether some are in other hands.
    taken: bool,
}

/// Works on what is due; returns how many events were tried.
pub(super) async fn due(parts: &Arc<Parts>) -> Result<u64, Error> {
    let (mut tried, mut looks) = (0, 0);
    while tried < MOST {
        let subjects = subjects(parts).await?;
        if subjects.is_empty() {
            break;
        }
        let pass = pass(parts, subjects).await?;
        tried += pass.tried;
        if pass.moved {
            looks = 0;
        } else if pass.taken && looks < SECOND_LOOKS {
            looks += 1;
            tokio::time::sleep(BREATH).await;
        } else {
            break;
        }
    }
    Ok(tried)
}

/// Subjects of which an event is due, of the providers that are known here; those that are due longest are among them.
async fn subjects(parts: &Parts) -> Result<Vec<Subject>, Error> {
    let providers: Vec<&str> = parts.providers.keys().copied().collect();
    let mut subjects = sqlx::query_as!(
        Subject,
        r#"SELECT DISTINCT provider AS "provider!", subject AS "name!" FROM (
               SELECT provider, subject FROM payments.webhook_events
               WHERE due_at <= $1 AND provider = ANY($2) ORDER BY due_at LIMIT $3) due"#,
        parts.sources.now(),
        &providers as &[&str],
        LOOK,
    )
    .fetch_all(parts.database.pool())
    .await?;
    // Each node begins elsewhere, so that they meet seldom.
    let start = usize::from(u16::from_le_bytes(parts.sources.random())) % subjects.len().max(1);
    subjects.rotate_left(start);
    Ok(subjects)
}

/// Works on these subjects, a few at a time.
async fn pass(parts: &Arc<Parts>, subjects: Vec<Subject>) -> Result<Pass, Error> {
    let (mut whole, mut failure) = (Pass::default(), None);
    let mut running = JoinSet::new();
    let mut left = subjects.into_iter();
    loop {
        while failure.is_none()
            && running.len() < SIDE_BY_SIDE
            && let Some(subject) = left.next()
        {
            let parts = Arc::clone(parts);
            running.spawn(async move { in_a_row(&parts, &subject).await });
        }
        match running.join_next().await {
            None => break,
            Some(Ok(Ok(part))) => {
                whole.tried += part.tried;
                whole.moved |= part.moved;
                whole.taken |= part.taken;
            }
            Some(Ok(Err(error))) => failure = Some(error),
            Some(Err(_)) => failure = Some(Error::Database(sqlx::Error::WorkerCrashed)),
        }
    }
    failure.map_or(Ok(whole), Err)
}

/// Works on one subject.
async fn in_a_row(parts: &Arc<Parts>, subject: &Subject) -> Result<Pass, Error> {
    let mut pass = Pass::default();
    for _ in 0..IN_A_ROW {
        match turn::turn(parts, subject).await? {
            Turn::Tried => {
                pass.tried += 1;
                pass.moved = true;
            }
            Turn::Parked => {
                pass.moved = true;
                break;
            }
            Turn::Taken => {
                pass.taken = true;
                break;
            }
            Turn::Nothing => break,
        }
    }
    Ok(pass)
}
