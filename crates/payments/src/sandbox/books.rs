//! The sandbox's own books: what moved the marketplace's balance.

use platform::Money;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Company, fee, standing};
use crate::provider::{BalanceLine, BalanceLines, LineKind, ProviderError};

/// Whoever numbers lines holds this lock: "book" in ASCII.
const LOCK: i64 = 0x626f_6f6b;
/// Most lines of one answer.
const MOST: i64 = 1000;

/// Writes down a movement. It gets its number when somebody reads.
pub(super) async fn note(
    tx: &mut PgConnection,
    kind: LineKind,
    source: &str,
    ours: Option<Uuid>,
    amount: Money,
    fee: i64,
    at: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    let word = kind.as_str();
    sqlx::query!(
        "INSERT INTO payments.sandbox_lines (reference, kind, source, ours, amount, currency, fee, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        format!("txn_{word}_{source}"),
        word,
        source,
        ours,
        amount.amount,
        amount.currency.code(),
        fee,
        at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The lines after one of them.
pub(super) async fn lines(
    company: &Company,
    after: Option<&str>,
    limit: u32,
) -> Result<BalanceLines, ProviderError> {
    company.asked().await?;
    let limit = i64::from(limit).clamp(1, MOST);
    let after = match after {
        None => 0,
        Some(reference) => {
            let line = sqlx::query_scalar!(
                "SELECT line FROM payments.sandbox_lines WHERE reference = $1",
                reference
            )
            .fetch_optional(company.database.pool())
            .await?;
            line.flatten().ok_or_else(|| ProviderError::Unknown(format!("line {reference}")))?
        }
    };
    let read = read(company, after, limit).await?;
    if read.more {
        return Ok(read);
    }
    number(company).await?;
    Ok(self::read(company, after, limit).await?)
}

async fn read(company: &Company, after: i64, limit: i64) -> Result<BalanceLines, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT reference, kind, source, ours, amount, currency, fee, at FROM payments.sandbox_lines
         WHERE line > $1 ORDER BY line LIMIT $2",
        after,
        limit + 1,
    )
    .fetch_all(company.database.lists())
    .await?;
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        lines.push(BalanceLine {
            kind: LineKind::stored(&row.kind)?,
            reference: row.reference,
            source: row.source,
            ours: row.ours,
            amount: Money::new(row.amount, standing::currency(&row.currency)?),
            fee: row.fee,
            at: row.at,
        });
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = lines.len() > most;
    lines.truncate(most);
    Ok(BalanceLines { lines, more })
}

/// Writes the lines of charges that have none yet, and numbers what has no number, in the order of time.
async fn number(company: &Company) -> Result<(), sqlx::Error> {
    let mut tx = company.database.begin().await?;
    // All charges are read, from end to end.
    sqlx::query!("SELECT set_config('enable_seqscan', 'on', true) AS seqscan, set_config('work_mem', '64MB', true) AS memory")
        .fetch_one(&mut *tx)
        .await?;
    sqlx::query!("SELECT pg_advisory_xact_lock($1) AS locked", LOCK).fetch_one(&mut *tx).await?;
    let currencies = sqlx::query_scalar!("SELECT DISTINCT currency FROM payments.sandbox_charges")
        .fetch_all(&mut *tx)
        .await?;
    let fixed = currencies.iter().map(|code| Ok(fee::fixed(standing::currency(code)?)));
    let fixed = fixed.collect::<Result<Vec<i64>, sqlx::Error>>()?;
    sqlx::query!(
        "INSERT INTO payments.sandbox_lines (reference, kind, source, ours, amount, currency, fee, at)
         SELECT 'txn_charge_' || p.reference, 'charge', p.reference, p.idempotency_key::uuid, p.captured, p.currency,
                div(p.captured::numeric * 15 + 500, 1000)::bigint + f.fixed, p.settled_at
         FROM payments.sandbox_payments p JOIN unnest($1::text[], $2::bigint[]) AS f (currency, fixed) USING (currency)
         -- Of what was opened for a try Souk knows nothing.
         WHERE p.state = 'succeeded' AND p.idempotency_key NOT LIKE 'trial%'
           AND NOT EXISTS (SELECT FROM payments.sandbox_lines l WHERE l.reference = 'txn_charge_' || p.reference)
         ON CONFLICT (reference) DO NOTHING",
        &currencies,
        &fixed,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE payments.sandbox_lines l SET line = n.line
         FROM (SELECT reference, coalesce((SELECT max(line) FROM payments.sandbox_lines), 0)
                      + row_number() OVER (ORDER BY at, reference) AS line
               FROM payments.sandbox_lines WHERE line IS NULL) n
         WHERE l.reference = n.reference"
    )
    .execute(&mut *tx)
    .await?;
    tx.commit(company.sources.now()).await
}
