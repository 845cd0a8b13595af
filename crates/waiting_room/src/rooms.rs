//! Which products have a waiting room, kept in memory until a room changes: a marketplace without any pays nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration as Patience;

use catalog::ProductId;
use platform::changes::Stamp;
use platform::{Database, Tag};
use time::{Duration, OffsetDateTime};
use tokio::time::Instant;

use crate::{Error, LineId};

/// Touched when a room was made, changed or removed.
pub(crate) const ROOMS: Tag = Tag::topic("waiting_room/rooms");
/// Read again after this time, whatever happens to the connection that tells of changes.
const LONGEST_LIFE: Patience = Patience::from_secs(60);

/// A waiting room that is switched on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) line: LineId,
    pub(crate) rate: i32,
    pub(crate) window: Duration,
    pub(crate) difficulty: u8,
    pub(crate) opens_at: Option<OffsetDateTime>,
}

type Map = HashMap<ProductId, Entry>;

/// What is known of rooms on this node.
pub(crate) struct Rooms {
    database: Database,
    known: Mutex<Option<Known>>,
    /// Held by the one who reads.
    reading: tokio::sync::Mutex<()>,
}

struct Known {
    rooms: Arc<Map>,
    good_at: Stamp,
    read_at: Instant,
}

impl Rooms {
    pub(crate) fn new(database: Database) -> Self {
        Self { database, known: Mutex::new(None), reading: tokio::sync::Mutex::default() }
    }

    /// All rooms that are switched on.
    pub(crate) async fn all(&self) -> Result<Arc<Map>, sqlx::Error> {
        if let Some(rooms) = self.known() {
            return Ok(rooms);
        }
        let _one = self.reading.lock().await;
        if let Some(rooms) = self.known() {
            return Ok(rooms);
        }
        // Older than the read, so that a change on the way makes it out of date.
        let (good_at, read_at) = (self.database.changes().stamp(), Instant::now());
        let rooms = Arc::new(read(&self.database).await?);
        let known = Known { rooms: Arc::clone(&rooms), good_at, read_at };
        *self.known.lock().expect("no holder panics") = Some(known);
        Ok(rooms)
    }

    fn known(&self) -> Option<Arc<Map>> {
        let mut known = self.known.lock().expect("no holder panics");
        let known = known.as_mut().filter(|known| known.read_at.elapsed() < LONGEST_LIFE)?;
        known.good_at = self.database.changes().untouched(known.good_at, &[ROOMS])?;
        Some(Arc::clone(&known.rooms))
    }

    /// The room of this product, if it has one that is switched on.
    pub(crate) async fn find(&self, product: ProductId) -> Result<Option<Entry>, sqlx::Error> {
        Ok(self.all().await?.get(&product).copied())
    }

    /// The room of this product.
    pub(crate) async fn require(&self, product: ProductId) -> Result<Entry, Error> {
        self.find(product).await?.ok_or(Error::RoomNotFound)
    }
}

async fn read(database: &Database) -> Result<Map, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT product_id AS "product_id: ProductId", line_id AS "line_id: LineId", admissions_per_second,
                  window_seconds, challenge_difficulty, opens_at
           FROM waiting_room.rooms WHERE enabled"#
    )
    .fetch_all(database.pool())
    .await?;
    let entry = |line, rate, window: i32, difficulty: i32, opens_at| Entry {
        line,
        rate,
        window: Duration::seconds(window.into()),
        difficulty: u8::try_from(difficulty).unwrap_or(u8::MAX),
        opens_at,
    };
    let rooms = rows.into_iter().map(|row| {
        let room = entry(
            row.line_id,
            row.admissions_per_second,
            row.window_seconds,
            row.challenge_difficulty,
            row.opens_at,
        );
        (row.product_id, room)
    });
    Ok(rooms.collect())
}
