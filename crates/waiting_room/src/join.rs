//! Joining: all who come at the same time get their numbers in one transaction, in the order in which they came.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use platform::batch::Work;
use platform::id::uuids;
use platform::{Database, Sources, Tx};
use time::OffsetDateTime;

use crate::board::Board;
use crate::buyer::Buyer;
use crate::challenge::Nonce;
use crate::line::{Line, LineRow, Progress};
use crate::{LineId, admission};

/// Somebody who wants a place.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    pub(crate) line: LineId,
    pub(crate) buyer: Buyer,
    /// The challenge that they solved for it, if they had to.
    pub(crate) challenge: Option<Nonce>,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Joined {
    /// They have this number, and were let in then.
    Place { number: i64, admitted_at: Option<OffsetDateTime>, progress: Progress },
    /// The challenge gave them a place before.
    ChallengeSpent,
    /// The room was taken away or switched off meanwhile.
    NoRoom,
}

/// The work of the queue.
pub(crate) struct Joining {
    pub(crate) database: Database,
    pub(crate) sources: Sources,
    pub(crate) board: Arc<Board>,
}

/// A place that is in the books, or will be when the batch is written.
struct Held {
    number: i64,
    challenge: Option<Vec<u8>>,
    admitted_at: Option<OffsetDateTime>,
    /// Whether it has to be written.
    is_new: bool,
}

type Books<'a> = HashMap<(LineId, &'a Buyer), Held>;

#[async_trait]
impl Work for Joining {
    type Item = Join;
    type Answer = Joined;

    async fn serve(&self, joins: &[Join]) -> Result<Vec<Joined>, sqlx::Error> {
        let now = self.sources.now();
        let mut tx = self.database.begin().await?;
        let mut lines = lock(&mut tx, joins, now).await?;
        let mut books = read(&mut tx, joins).await?;
        let mut outcomes = Vec::with_capacity(joins.len());
        for join in joins {
            outcomes.push(decide(join, lines.get_mut(&join.line), &mut books, now));
        }
        if books.values().any(|held| held.is_new) {
            write(&mut tx, &books, now).await?;
            let mut lines: Vec<&mut Line> = lines.values_mut().collect();
            admission::advance(&mut tx, &mut lines, now).await?;
        }
        tx.commit(now).await?;
        for line in lines.values() {
            self.board.note(line.id, line.progress);
        }
        Ok(joins.iter().zip(outcomes).map(|(join, outcome)| tell(join, outcome, &lines, now)).collect())
    }
}

/// What was decided about one of them, before it is known how far the line comes.
enum Decision {
    Place(i64, Option<OffsetDateTime>),
    ChallengeSpent,
    NoRoom,
}

fn decide<'a>(
    join: &'a Join,
    line: Option<&mut Line>,
    books: &mut Books<'a>,
    now: OffsetDateTime,
) -> Decision {
    let Some(line) = line else { return Decision::NoRoom };
    let key = (line.id, &join.buyer);
    if let Some(held) = books.get(&key) {
        if held.is_new || !is_over(held, line, now) {
            return Decision::Place(held.number, held.admitted_at);
        }
        // The place that a challenge gave remembers it: nobody else could use it, and no other line.
        if join.challenge.is_some()
            && held.challenge.as_deref() == join.challenge.as_ref().map(Nonce::as_slice)
        {
            return Decision::ChallengeSpent;
        }
    }
    let number = line.next();
    let challenge = join.challenge.map(Vec::from);
    books.insert(key, Held { number, challenge, admitted_at: None, is_new: true });
    Decision::Place(number, None)
}

/// Whether the time of whoever holds this place is over.
fn is_over(held: &Held, line: &Line, now: OffsetDateTime) -> bool {
    let Progress { admitted, lapsed, .. } = line.progress;
    held.number <= lapsed
        || (held.number <= admitted
            && held.admitted_at.is_none_or(|admitted_at| line.until(admitted_at) <= now))
}

fn tell(join: &Join, decision: Decision, lines: &HashMap<LineId, Line>, now: OffsetDateTime) -> Joined {
    match (decision, lines.get(&join.line)) {
        (Decision::Place(number, admitted_at), Some(line)) => {
            // Let in by this very transaction, if not before.
            let at_once = (number <= line.progress.admitted).then_some(now);
            Joined::Place { number, admitted_at: admitted_at.or(at_once), progress: line.progress }
        }
        (Decision::ChallengeSpent, _) => Joined::ChallengeSpent,
        (Decision::NoRoom | Decision::Place(..), _) => Joined::NoRoom,
    }
}

/// Locks the lines in the order of their ids. One that nobody has joined yet is opened.
async fn lock(
    tx: &mut Tx,
    joins: &[Join],
    now: OffsetDateTime,
) -> Result<HashMap<LineId, Line>, sqlx::Error> {
    let mut ids: Vec<LineId> = joins.iter().map(|join| join.line).collect();
    ids.sort_unstable();
    ids.dedup();
    let found = lock_existing(tx, &ids).await?;
    if found.len() == ids.len() {
        return Ok(found);
    }
    sqlx::query!(
        "INSERT INTO waiting_room.lines (id, credit, counted_at)
         SELECT line_id, admissions_per_second * 1000000::bigint, $2 FROM waiting_room.rooms
         WHERE line_id = ANY($1) AND enabled ON CONFLICT DO NOTHING",
        &uuids(&ids),
        now,
    )
    .execute(&mut **tx)
    .await?;
    lock_existing(tx, &ids).await
}

async fn lock_existing(tx: &mut Tx, ids: &[LineId]) -> Result<HashMap<LineId, Line>, sqlx::Error> {
    let rows = sqlx::query_as!(
        LineRow,
        r#"SELECT l.id AS "id: LineId", l.issued, l.admitted, l.lapsed, l.credit, l.counted_at,
                  r.admissions_per_second AS rate, r.window_seconds, r.opens_at
           FROM waiting_room.lines l JOIN waiting_room.rooms r ON r.line_id = l.id
           WHERE l.id = ANY($1) AND r.enabled ORDER BY l.id FOR UPDATE OF l"#,
        &uuids(ids),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, Line::from(row))).collect())
}

/// The places that those who join have already.
async fn read<'a>(tx: &mut Tx, joins: &'a [Join]) -> Result<Books<'a>, sqlx::Error> {
    let lines: Vec<LineId> = joins.iter().map(|join| join.line).collect();
    let buyers: Vec<Vec<u8>> = joins.iter().map(|join| join.buyer.as_bytes().to_vec()).collect();
    let rows = sqlx::query!(
        r#"SELECT asked.at AS "at!", p.number, p.challenge,
                  (SELECT w.at FROM waiting_room.waves w WHERE w.line_id = p.line_id AND w.up_to >= p.number
                   ORDER BY w.up_to LIMIT 1) AS admitted_at
           FROM unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY AS asked (line_id, buyer, at)
           JOIN waiting_room.places p ON p.line_id = asked.line_id AND p.buyer = asked.buyer"#,
        &uuids(&lines),
        &buyers,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut books = HashMap::with_capacity(joins.len());
    for row in rows {
        let place = usize::try_from(row.at - 1).unwrap_or(usize::MAX);
        if let Some(join) = joins.get(place) {
            let held = Held {
                number: row.number,
                challenge: row.challenge,
                admitted_at: row.admitted_at,
                is_new: false,
            };
            books.insert((join.line, &join.buyer), held);
        }
    }
    Ok(books)
}

/// Writes the new places. Somebody whose time was over keeps the row and gets another number.
async fn write(tx: &mut Tx, books: &Books<'_>, now: OffsetDateTime) -> Result<(), sqlx::Error> {
    let new: Vec<_> = books.iter().filter(|(_, held)| held.is_new).collect();
    let lines: Vec<LineId> = new.iter().map(|((line, _), _)| *line).collect();
    let buyers: Vec<Vec<u8>> = new.iter().map(|((_, buyer), _)| buyer.as_bytes().to_vec()).collect();
    let numbers: Vec<i64> = new.iter().map(|(_, held)| held.number).collect();
    let challenges: Vec<Option<Vec<u8>>> = new.iter().map(|(_, held)| held.challenge.clone()).collect();
    let written = sqlx::query!(
        "INSERT INTO waiting_room.places (line_id, buyer, number, challenge, joined_at)
         SELECT place.*, $5 FROM unnest($1::uuid[], $2::bytea[], $3::bigint[], $4::bytea[]) AS place
         ON CONFLICT (line_id, buyer)
         DO UPDATE SET number = excluded.number, challenge = excluded.challenge, joined_at = excluded.joined_at",
        &uuids(&lines),
        &buyers,
        &numbers,
        &challenges as &[Option<Vec<u8>>],
        now,
    )
    .execute(&mut **tx)
    .await?;
    metrics::counter!("souk_waiting_room_places_total").increment(written.rows_affected());
    Ok(())
}
