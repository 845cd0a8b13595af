//! Comparing what was read of both books, a portion of things at a time, each in its own transaction. Whatever was compared
//! before comes to the same again: a crash or a second node costs time and nothing else.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use platform::{Currency, Database, Money, Sources, Tx};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::judge::{Case, Entry, Line, Verdict};
use super::movement::Part;
use super::{fetch, outcome, subject};
use crate::Error;
use crate::provider::LineKind;

/// Things compared in one transaction.
const PORTION: i64 = 500;

/// A line that is not matched yet.
pub(super) struct LineRow {
    pub(super) reference: String,
    pub(super) state: String,
    pub(super) exception: Option<Uuid>,
    pub(super) at: OffsetDateTime,
    pub(super) line: Line,
}

/// An entry that is not matched yet.
pub(super) struct EntryRow {
    pub(super) seq: i64,
    pub(super) line: i16,
    pub(super) state: String,
    pub(super) exception: Option<Uuid>,
    pub(super) entry: Entry,
}

/// Of which thing something is said.
pub(super) type Key = (String, Option<Uuid>);

/// What is said of one thing.
#[derive(Default)]
pub(super) struct Said {
    /// How many of its lines are matched or resolved.
    done: usize,
    pub(super) lines: Vec<LineRow>,
    pub(super) entries: Vec<EntryRow>,
}

impl Said {
    pub(super) fn case(&self, movement: LineKind, known: bool) -> Case {
        Case {
            movement,
            known,
            done: self.done,
            lines: self.lines.iter().map(|row| row.line.clone()).collect(),
            entries: self.entries.iter().map(|row| row.entry.clone()).collect(),
        }
    }

    /// Whether a part of this is in an exception already.
    pub(super) fn was_told(&self, verdict: &Verdict) -> bool {
        let line = verdict.line.and_then(|at| self.lines[at].exception);
        line.is_some() || verdict.entries.iter().any(|at| self.entries[*at].exception.is_some())
    }
}

/// What comparing came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Lines that were matched.
    pub(super) matched: u64,
    /// Exceptions that were opened.
    pub(super) opened: u64,
    /// Exceptions that settled by themselves.
    pub(super) settled: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.matched += more.matched;
        self.opened += more.opened;
        self.settled += more.settled;
    }
}

/// What comparing goes by.
pub(super) struct Round<'a> {
    pub(super) provider: &'a str,
    pub(super) sources: &'a Sources,
    pub(super) grace: Duration,
    pub(super) now: OffsetDateTime,
}

/// Compares all that is not matched.
pub(super) async fn all(database: &Database, round: &Round<'_>) -> Result<Tally, Error> {
    let mut tally = unknown(database, round).await?;
    let mut after: (String, Uuid) = (String::new(), Uuid::nil());
    loop {
        let mut tx = database.begin().await?;
        fetch::lock(&mut tx, round.provider).await?;
        let keys = keys(&mut tx, round.provider, &after).await?;
        let Some(last) = keys.last() else { return Ok(tally) };
        after.clone_from(last);
        let mut said = BTreeMap::new();
        lines(&mut tx, round.provider, &keys, &mut said).await?;
        entries(&mut tx, round.provider, &keys, &mut said).await?;
        tally += outcome::write(&mut tx, round, &said).await?;
        tx.commit(round.now).await?;
    }
}

/// Looks up lines of which nobody knew what they are; those of which nobody knows it now are judged alone.
async fn unknown(database: &Database, round: &Round<'_>) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    let mut after = String::new();
    loop {
        let mut tx = database.begin().await?;
        fetch::lock(&mut tx, round.provider).await?;
        let unknown = subject::unknown(&mut tx, round.provider, &after, PORTION).await?;
        let Some(last) = unknown.last() else { return Ok(tally) };
        after.clone_from(last);
        let found = subject::find(&mut tx, round.provider, &unknown).await?;
        let still: Vec<String> = unknown.into_iter().filter(|name| !found.contains_key(name)).collect();
        // Each is a thing of its own.
        for rows in alone(&mut tx, round.provider, &still).await? {
            tally += outcome::write(&mut tx, round, &rows).await?;
        }
        tx.commit(round.now).await?;
    }
}

/// The next things of which one book says something that is not matched.
async fn keys(tx: &mut Tx, provider: &str, after: &(String, Uuid)) -> Result<Vec<(String, Uuid)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT movement AS "movement!", subject AS "subject!" FROM (
               (SELECT DISTINCT movement, subject FROM payments.reconciled_lines
                WHERE provider = $1 AND state IN ('pending', 'open') AND subject IS NOT NULL
                  AND (movement, subject) > ($2, $3)
                ORDER BY movement, subject LIMIT $4)
               UNION
               (SELECT DISTINCT movement, subject FROM payments.reconciled_entries
                WHERE provider = $1 AND state IN ('pending', 'open') AND (movement, subject) > ($2, $3)
                ORDER BY movement, subject LIMIT $4)
           ) open ORDER BY movement, subject LIMIT $4"#,
        provider,
        after.0,
        after.1,
        PORTION,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.movement, row.subject)).collect())
}

fn columns(keys: &[(String, Uuid)]) -> (Vec<&str>, Vec<Uuid>) {
    keys.iter().map(|(movement, subject)| (movement.as_str(), *subject)).unzip()
}

fn money(amount: i64, currency: &str) -> Result<Money, Error> {
    let currency: Currency = currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Money::new(amount, currency))
}

async fn lines(
    tx: &mut Tx,
    provider: &str,
    keys: &[(String, Uuid)],
    said: &mut BTreeMap<Key, Said>,
) -> Result<(), Error> {
    let (movements, subjects) = columns(keys);
    let rows = sqlx::query!(
        "SELECT r.reference, r.movement, r.subject, r.conflicting, r.state, r.exception_id, b.amount, b.fee, b.currency, b.at,
                b.fetched_at
         FROM unnest($2::text[], $3::uuid[]) AS k (movement, subject)
         JOIN payments.reconciled_lines r
             ON r.provider = $1 AND r.movement = k.movement AND r.subject = k.subject
         JOIN payments.balance_lines b ON b.provider = r.provider AND b.reference = r.reference
         WHERE r.movement = ANY($2) AND r.subject = ANY($3)
         ORDER BY b.place",
        provider,
        &movements as &[&str],
        &subjects,
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in rows {
        let of = said.entry((row.movement, row.subject)).or_default();
        if matches!(row.state.as_str(), "matched" | "resolved") {
            of.done += 1;
            continue;
        }
        of.lines.push(LineRow {
            line: Line {
                amount: money(row.amount, &row.currency)?,
                fee: row.fee,
                conflicting: row.conflicting,
                seen_at: row.fetched_at,
            },
            reference: row.reference,
            state: row.state,
            exception: row.exception_id,
            at: row.at,
        });
    }
    Ok(())
}

async fn entries(
    tx: &mut Tx,
    provider: &str,
    keys: &[(String, Uuid)],
    said: &mut BTreeMap<Key, Said>,
) -> Result<(), Error> {
    let (movements, subjects) = columns(keys);
    let rows = sqlx::query!(
        "SELECT e.seq, e.line, e.movement, e.subject, e.part, e.amount, e.currency, e.posted_at, e.state, e.exception_id
         FROM unnest($2::text[], $3::uuid[]) AS k (movement, subject)
         JOIN payments.reconciled_entries e
             ON e.provider = $1 AND e.movement = k.movement AND e.subject = k.subject
         WHERE e.movement = ANY($2) AND e.subject = ANY($3) AND e.state IN ('pending', 'open')
         ORDER BY e.seq, e.line",
        provider,
        &movements as &[&str],
        &subjects,
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in rows {
        let of = said.entry((row.movement, Some(row.subject))).or_default();
        of.entries.push(EntryRow {
            entry: Entry {
                // What nobody's exception corrects is an amount without a line.
                part: match Part::stored(&row.part)? {
                    Part::Fee => Part::Fee,
                    Part::Amount | Part::Correction => Part::Amount,
                },
                amount: money(row.amount, &row.currency)?,
                posted_at: row.posted_at,
            },
            seq: row.seq,
            line: row.line,
            state: row.state,
            exception: row.exception_id,
        });
    }
    Ok(())
}

/// Lines of which nobody knows what they are, each by itself.
async fn alone(tx: &mut Tx, provider: &str, names: &[String]) -> Result<Vec<BTreeMap<Key, Said>>, Error> {
    let rows = sqlx::query!(
        "SELECT r.reference, r.movement, r.state, r.exception_id, b.amount, b.fee, b.currency, b.at, b.fetched_at
         FROM unnest($2::text[]) AS l (reference)
         JOIN payments.reconciled_lines r ON r.provider = $1 AND r.reference = l.reference
         JOIN payments.balance_lines b ON b.provider = r.provider AND b.reference = r.reference
         ORDER BY b.place",
        provider,
        names,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let line = Line {
                amount: money(row.amount, &row.currency)?,
                fee: row.fee,
                conflicting: false,
                seen_at: row.fetched_at,
            };
            let row_of = LineRow {
                line,
                reference: row.reference,
                state: row.state,
                exception: row.exception_id,
                at: row.at,
            };
            let said = Said { lines: vec![row_of], ..Said::default() };
            Ok(BTreeMap::from([((row.movement, None), said)]))
        })
        .collect()
}

/// The kind of what is said, as it stands in rows.
pub(super) fn kind(key: &Key) -> Result<LineKind, Error> {
    Ok(LineKind::stored(&key.0)?)
}
