//! Writing down what comparing came to: matches, exceptions, and what settled by itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use platform::{Money, Tx};
use time::PrimitiveDateTime;
use uuid::Uuid;

use super::examine::{self, EntryRow, Key, LineRow, Round, Said, Tally};
use super::exception::{self, Difference};
use super::judge::{self, Outcome, Verdict};
use super::movement::Part;
use super::{ExceptionKind, ReconciliationExceptionId};
use crate::Error;
use crate::provider::LineKind;

/// What becomes of rows; those that stay as they are, are not written.
#[derive(Default)]
struct Changes<'a> {
    lines: Vec<(&'a LineRow, &'static str, Option<Uuid>)>,
    entries: Vec<(&'a EntryRow, &'static str, Option<&'a str>, Option<Uuid>)>,
    opened: Vec<(Uuid, Difference)>,
    changed: Vec<(Uuid, Difference)>,
    kept: BTreeSet<Uuid>,
    /// Exceptions that somebody left, and how.
    left: BTreeMap<Uuid, String>,
    matched: u64,
}

/// Judges what is said of these things, and writes down what comes of it.
pub(super) async fn write(
    tx: &mut Tx,
    round: &Round<'_>,
    said: &BTreeMap<Key, Said>,
) -> Result<Tally, Error> {
    let ids: BTreeSet<Uuid> = said
        .values()
        .flat_map(|of| {
            let lines = of.lines.iter().filter_map(|row| row.exception);
            lines.chain(of.entries.iter().filter_map(|row| row.exception))
        })
        .collect();
    let before = exception::open(tx, &ids.into_iter().collect::<Vec<_>>()).await?;
    let mut changes = Changes::default();
    for (key, of) in said {
        let case = of.case(examine::kind(key)?, key.1.is_some());
        // What was told stays told until it is matched: it does not wait again.
        let told = judge::judge(&case, PrimitiveDateTime::MAX.assume_utc());
        for (mut verdict, told) in judge::judge(&case, round.now - round.grace).into_iter().zip(told) {
            if verdict.outcome == Outcome::Waits && of.was_told(&verdict) {
                verdict = told;
            }
            changes.take(round, key, of, &verdict, &before);
        }
    }
    changes.write(tx, round).await
}

impl<'a> Changes<'a> {
    fn take(
        &mut self,
        round: &Round<'_>,
        key: &Key,
        said: &'a Said,
        verdict: &Verdict,
        before: &HashMap<Uuid, Difference>,
    ) {
        let line = verdict.line.map(|at| &said.lines[at]);
        let entries: Vec<&EntryRow> = verdict.entries.iter().map(|at| &said.entries[*at]).collect();
        let mut ids: Vec<Uuid> = line.and_then(|row| row.exception).into_iter().collect();
        ids.extend(entries.iter().filter_map(|row| row.exception));
        ids.sort_unstable();
        ids.dedup();
        let first = ids.iter().copied().find(|id| !self.kept.contains(id));
        let kind = match verdict.outcome {
            Outcome::Matched => {
                self.matched += u64::from(line.is_some());
                let how = settled(line, &entries, &ids, before);
                self.left.extend(ids.into_iter().map(|id| (id, how.clone())));
                return self.set(line, &entries, "matched", None);
            }
            Outcome::Differs(kind) => kind,
            Outcome::Waits => return self.set(line, &entries, "pending", None),
        };
        let difference = difference(kind, key, line, &entries);
        let id = match first {
            Some(id) => {
                if before.get(&id) != Some(&difference) {
                    self.changed.push((id, difference));
                }
                id
            }
            None => {
                let id: ReconciliationExceptionId = round.sources.id();
                tracing::warn!(exception = %id, kind = kind.as_str(), provider = round.provider, "the books differ");
                self.opened.push((id.uuid(), difference));
                id.uuid()
            }
        };
        self.kept.insert(id);
        let told = format!("It is told by exception {id}.");
        self.left.extend(ids.into_iter().filter(|other| *other != id).map(|other| (other, told.clone())));
        self.set(line, &entries, "open", Some(id));
    }

    fn set(
        &mut self,
        line: Option<&'a LineRow>,
        entries: &[&'a EntryRow],
        state: &'static str,
        id: Option<Uuid>,
    ) {
        if let Some(row) = line.filter(|row| row.state != state || row.exception != id) {
            self.lines.push((row, state, id));
        }
        let reference = line.filter(|_| state == "matched").map(|row| row.reference.as_str());
        let moved = entries.iter().filter(|row| row.state != state || row.exception != id);
        self.entries.extend(moved.map(|row| (*row, state, reference, id)));
    }

    async fn write(mut self, tx: &mut Tx, round: &Round<'_>) -> Result<Tally, Error> {
        self.left.retain(|id, _| !self.kept.contains(id));
        exception::insert(tx, round.provider, &self.opened, round.now).await?;
        exception::change(tx, &self.changed).await?;
        self.write_lines(tx, round.provider).await?;
        self.write_entries(tx).await?;
        let left: Vec<(Uuid, String)> = self.left.into_iter().collect();
        exception::settle(tx, &left, round.now).await?;
        Ok(Tally { matched: self.matched, opened: self.opened.len() as u64, settled: left.len() as u64 })
    }

    async fn write_lines(&self, tx: &mut Tx, provider: &str) -> Result<(), Error> {
        let lines = &self.lines;
        if lines.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "UPDATE payments.reconciled_lines r SET state = c.state, exception_id = c.exception_id
             FROM unnest($2::text[], $3::text[], $4::uuid[]) AS c (reference, state, exception_id)
             WHERE r.provider = $1 AND r.reference = c.reference",
            provider,
            &lines.iter().map(|(row, ..)| row.reference.as_str()).collect::<Vec<_>>() as &[&str],
            &lines.iter().map(|(_, state, _)| *state).collect::<Vec<_>>() as &[&str],
            &lines.iter().map(|(.., id)| *id).collect::<Vec<_>>() as &[Option<Uuid>],
        )
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    async fn write_entries(&self, tx: &mut Tx) -> Result<(), Error> {
        let entries = &self.entries;
        if entries.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "UPDATE payments.reconciled_entries e
             SET state = c.state, reference = c.reference, exception_id = c.exception_id
             FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[], $5::uuid[])
                 AS c (seq, line, state, reference, exception_id)
             WHERE e.seq = c.seq AND e.line = c.line",
            &entries.iter().map(|(row, ..)| row.seq).collect::<Vec<_>>(),
            &entries.iter().map(|(row, ..)| row.line).collect::<Vec<_>>(),
            &entries.iter().map(|(_, state, ..)| *state).collect::<Vec<_>>() as &[&str],
            &entries.iter().map(|(_, _, reference, _)| *reference).collect::<Vec<_>>() as &[Option<&str>],
            &entries.iter().map(|(.., id)| *id).collect::<Vec<_>>() as &[Option<Uuid>],
        )
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}

/// How an exception settled whose two sides are equal now.
fn settled(
    line: Option<&LineRow>,
    entries: &[&EntryRow],
    ids: &[Uuid],
    before: &HashMap<Uuid, Difference>,
) -> String {
    let alone = ids.iter().filter_map(|id| before.get(id)).next();
    let posted = entries.iter().map(|row| row.entry.posted_at).max();
    match (alone, line, posted) {
        (Some(Difference { actual: Some(_), expected: None, .. }), _, Some(at)) => {
            format!("It was only late: the ledger has it since {}.", at.date())
        }
        (Some(Difference { actual: None, .. }), Some(row), _) => {
            format!("It was only late: the provider has it since {}, as {}.", row.at.date(), row.reference)
        }
        _ => "Both books say the same now.".to_owned(),
    }
}

fn difference(
    kind: ExceptionKind,
    (movement, subject): &Key,
    line: Option<&LineRow>,
    entries: &[&EntryRow],
) -> Difference {
    let expected = entries.first().map(|first| {
        let sum = entries.iter().fold(0_i64, |sum, row| sum.saturating_add(row.entry.amount.amount));
        Money::new(sum, first.entry.amount.currency)
    });
    let actual = line.map(|LineRow { line, .. }| {
        Money::new(line.amount.amount.saturating_sub(line.fee), line.amount.currency)
    });
    Difference {
        kind,
        movement: movement.clone(),
        subject: *subject,
        line_reference: line.map(|row| row.reference.clone()),
        seq: entries.first().map(|row| row.seq),
        expected,
        actual,
        explanation: explanation(kind, movement, *subject, line, entries),
    }
}

/// What both books say, for people.
fn explanation(
    kind: ExceptionKind,
    movement: &str,
    subject: Option<Uuid>,
    line: Option<&LineRow>,
    entries: &[&EntryRow],
) -> String {
    let what = LineKind::stored(movement).map_or("movement", super::movement::told);
    let what = subject.map_or_else(|| what.to_owned(), |id| format!("{what} {id}"));
    let provider = line.map_or_else(
        || "The provider has no line for it.".to_owned(),
        |LineRow { reference, at, line, .. }| {
            let fee = Money::new(line.fee, line.amount.currency);
            let fee = if line.fee == 0 { String::new() } else { format!(", less a fee of {fee}") };
            format!("The provider has {}{fee} (line {reference} of {}).", line.amount, at.date())
        },
    );
    let parts: Vec<String> = entries
        .iter()
        .map(|EntryRow { seq, entry, .. }| {
            let what = if entry.part == Part::Fee { "as the fee" } else { "for it" };
            format!("{} {what} (transaction {seq} of {})", entry.amount, entry.posted_at.date())
        })
        .collect();
    let ledger = match parts.join(" and ") {
        parts if parts.is_empty() => "The ledger has nothing.".to_owned(),
        parts => format!("The ledger has {parts}."),
    };
    format!("{}: {}. {provider} {ledger}", capital(&what), kind.about())
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
