//! Reading the provider's books: a page at a time, each in its own transaction together with how far it goes. A crash loses
//! nothing, and of two nodes that read the same page one writes it.

use platform::{Database, Tx};
use time::OffsetDateTime;
use uuid::Uuid;

use super::movement;
use crate::Error;
use crate::provider::{BalanceLine, LineKind, Provider, ProviderError};

/// Lines asked for at a time; a provider may give fewer.
const PAGE: u32 = 500;

/// Reads all that is new; gives how many lines this call wrote.
pub(super) async fn lines(
    database: &Database,
    provider: &dyn Provider,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let mut written = 0;
    loop {
        let after = cursor(database, provider.name()).await?;
        let page = provider.balance_lines(after.as_deref(), PAGE).await?;
        let Some(last) = page.lines.last() else { return Ok(written) };
        if after.as_deref() == Some(last.reference.as_str()) {
            let message = format!("the lines after {} end where they begin", last.reference);
            return Err(ProviderError::Unavailable(message).into());
        }
        written += write(database, provider.name(), after.as_deref(), &page.lines, now).await?;
        if !page.more {
            return Ok(written);
        }
    }
}

async fn cursor(database: &Database, provider: &str) -> Result<Option<String>, Error> {
    let found = sqlx::query_scalar!(
        "SELECT after_line FROM payments.reconciliation_cursors WHERE provider = $1",
        provider,
    )
    .fetch_optional(database.pool())
    .await?;
    Ok(found.flatten())
}

/// Writes a page that was read after this line; nothing if somebody else did so meanwhile.
async fn write(
    database: &Database,
    provider: &str,
    after: Option<&str>,
    lines: &[BalanceLine],
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let mut tx = database.begin().await?;
    if lock(&mut tx, provider).await?.after_line.as_deref() != after {
        return Ok(0);
    }
    let kinds: Vec<&str> = lines.iter().map(|line| line.kind.as_str()).collect();
    let subjects: Vec<Option<Uuid>> = lines.iter().map(|line| known_by_itself(provider, line)).collect();
    let written = sqlx::query!(
        r#"WITH page AS (
               SELECT p.* FROM unnest($2::text[], $3::text[], $4::text[], $5::uuid[], $6::bigint[], $7::bigint[], $8::text[],
                                      $9::timestamptz[], $10::uuid[])
                   WITH ORDINALITY
                   AS p (reference, kind, source, ours, amount, fee, currency, at, subject, place),
                   payments.reconciliation_cursors c
               -- What somebody did with the account before Souk did is not compared.
               WHERE c.provider = $1 AND (p.ours IS NOT NULL OR c.begun_at IS NULL OR p.at >= c.begun_at)
           ), lines AS (
               INSERT INTO payments.balance_lines
                   (provider, reference, kind, source, ours, amount, fee, currency, at, fetched_at)
               SELECT $1, reference, kind, source, ours, amount, fee, currency, at, $11 FROM page ORDER BY place
               ON CONFLICT (provider, reference) DO NOTHING RETURNING reference
           ), followed AS (
               INSERT INTO payments.reconciled_lines (provider, reference, movement, subject, state)
               SELECT DISTINCT ON (p.reference) $1, p.reference, p.kind, p.subject, 'pending'
               FROM lines JOIN page p USING (reference) ORDER BY p.reference, p.place
           )
           SELECT count(*) AS "count!" FROM lines"#,
        provider,
        &lines.iter().map(|line| line.reference.as_str()).collect::<Vec<_>>() as &[&str],
        &kinds as &[&str],
        &lines.iter().map(|line| line.source.as_str()).collect::<Vec<_>>() as &[&str],
        &lines.iter().map(|line| line.ours).collect::<Vec<_>>() as &[Option<Uuid>],
        &lines.iter().map(|line| line.amount.amount).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.fee).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.amount.currency.code()).collect::<Vec<_>>() as &[&str],
        &lines.iter().map(|line| line.at).collect::<Vec<_>>(),
        &subjects as &[Option<Uuid>],
        now,
    )
    .fetch_one(&mut *tx)
    .await?
    .count;
    sqlx::query!(
        "UPDATE payments.reconciliation_cursors SET after_line = $2 WHERE provider = $1",
        provider,
        lines.last().map(|line| line.reference.as_str()),
    )
    .execute(&mut *tx)
    .await?;
    tx.commit(now).await?;
    Ok(u64::try_from(written).unwrap_or(0))
}

/// A withdrawal is of nothing but itself.
fn known_by_itself(provider: &str, line: &BalanceLine) -> Option<Uuid> {
    (line.kind == LineKind::Withdrawal).then(|| movement::withdrawal(provider, &line.reference).uuid())
}

/// How far both books were read.
pub(super) struct Cursor {
    pub(super) after_line: Option<String>,
    pub(super) after_seq: i64,
}

/// Locks a provider's books until the transaction ends: whoever compares them, or says something of a difference, does so
/// one at a time. Before all other locks.
pub(super) async fn lock(tx: &mut Tx, provider: &str) -> Result<Cursor, Error> {
    let cursor = sqlx::query_as!(
        Cursor,
        "SELECT after_line, after_seq FROM payments.reconciliation_cursors WHERE provider = $1 FOR UPDATE",
        provider,
    )
    .fetch_optional(&mut **tx)
    .await?;
    cursor.ok_or(Error::NotFound)
}
