//! The board: how far each line has come, read once per tick for all who ask on this node.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use platform::Database;
use tokio::time::Instant;

use crate::LineId;
use crate::line::Progress;

/// How old what the board says may be.
const TICK: Duration = Duration::from_millis(250);

/// How far the lines have come, as far as this node knows. As large as there are rooms, however many wait.
pub(crate) struct Board {
    database: Database,
    known: Mutex<Known>,
    /// Held by the one who reads.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    lines: HashMap<LineId, Progress>,
    read_at: Option<Instant>,
}

impl Board {
    pub(crate) fn new(database: Database) -> Self {
        Self { database, known: Mutex::default(), reading: tokio::sync::Mutex::default() }
    }

    /// How far this line has come, at most a tick ago.
    pub(crate) async fn look(&self, line: LineId) -> Result<Progress, sqlx::Error> {
        if let Some(progress) = self.known(line) {
            return Ok(progress);
        }
        let _one = self.reading.lock().await;
        if let Some(progress) = self.known(line) {
            return Ok(progress);
        }
        let read_at = Instant::now();
        let lines = self.read().await?;
        let mut known = self.known.lock().expect("no holder panics");
        // What this node did itself meanwhile may be newer than what it read.
        let newer = |(id, read): (LineId, Progress)| {
            (id, known.lines.get(&id).map_or(read, |known| read.max(*known)))
        };
        known.lines = lines.into_iter().map(newer).collect();
        known.read_at = Some(read_at);
        Ok(known.lines.get(&line).copied().unwrap_or_default())
    }

    /// Takes note of what this node did itself.
    pub(crate) fn note(&self, line: LineId, progress: Progress) {
        let mut known = self.known.lock().expect("no holder panics");
        let entry = known.lines.entry(line).or_default();
        *entry = entry.max(progress);
    }

    fn known(&self, line: LineId) -> Option<Progress> {
        let known = self.known.lock().expect("no holder panics");
        known.read_at.filter(|read_at| read_at.elapsed() < TICK)?;
        Some(known.lines.get(&line).copied().unwrap_or_default())
    }

    async fn read(&self) -> Result<HashMap<LineId, Progress>, sqlx::Error> {
        let rows = sqlx::query!(
            r#"SELECT l.id AS "id: LineId", l.issued, l.admitted, l.lapsed
               FROM waiting_room.lines l JOIN waiting_room.rooms r ON r.line_id = l.id WHERE r.enabled"#
        )
        .fetch_all(self.database.pool())
        .await?;
        let progress = |issued, admitted, lapsed| Progress { issued, admitted, lapsed };
        Ok(rows.into_iter().map(|row| (row.id, progress(row.issued, row.admitted, row.lapsed))).collect())
    }
}
