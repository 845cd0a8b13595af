//! Reading the ledger's entries on a provider's account. The ledger counts its transactions in the order in which they are
//! committed, so that whoever reads on after a number misses none.

use platform::Database;
use time::OffsetDateTime;
use uuid::Uuid;

use super::fetch;
use super::movement::{self, Part};
use crate::Error;
use crate::ledger::{AccountKind, Rule};

/// Transactions of the ledger gone through at a time.
const PORTION: i64 = 2_000;

/// An entry on a provider's account, and what a line would be that is equal to it.
struct Found {
    seq: i64,
    line: i16,
    movement: &'static str,
    subject: Uuid,
    part: Part,
    amount: i64,
    currency: String,
    posted_at: OffsetDateTime,
}

/// Reads all that is new; gives how many entries this call wrote.
pub(super) async fn entries(database: &Database, provider: &str, now: OffsetDateTime) -> Result<u64, Error> {
    let mut written = 0;
    loop {
        let mut tx = database.begin().await?;
        let after = fetch::lock(&mut tx, provider).await?.after_seq;
        // Read first: all up to it is committed, and what comes later is behind it.
        let head = sqlx::query_scalar!("SELECT seq FROM payments.ledger_head").fetch_one(&mut *tx).await?;
        let upto = head.min(after + PORTION);
        let found = read(&mut tx, provider, (after, upto)).await?;
        insert(&mut tx, provider, &found).await?;
        sqlx::query!(
            "UPDATE payments.reconciliation_cursors SET after_seq = $2 WHERE provider = $1",
            provider,
            upto,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit(now).await?;
        written += found.len() as u64;
        if upto == head {
            return Ok(written);
        }
    }
}

async fn read(tx: &mut platform::Tx, provider: &str, (after, upto): (i64, i64)) -> Result<Vec<Found>, Error> {
    let rows = sqlx::query!(
        "SELECT e.seq, e.line, e.rule, e.amount, a.currency, t.kind, t.reference, t.payment_id, t.posted_at
         FROM payments.ledger_accounts a
         JOIN payments.ledger_entries e ON e.account_id = a.id
         JOIN payments.ledger_transactions t ON t.seq = e.seq
         WHERE a.kind = $1 AND a.owner = $2 AND e.seq > $3 AND e.seq <= $4
         ORDER BY e.seq, e.line",
        AccountKind::Provider.as_str(),
        provider,
        after,
        upto,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let rule = Rule::stored(&row.rule)?;
            let (kind, subject, part) = movement::of_entry(&row.kind, row.reference, row.payment_id, rule);
            Ok(Found {
                seq: row.seq,
                line: row.line,
                movement: kind.as_str(),
                subject,
                part,
                amount: row.amount,
                currency: row.currency,
                posted_at: row.posted_at,
            })
        })
        .collect()
}

/// A correction is there already: it was written with whatever it corrects.
async fn insert(tx: &mut platform::Tx, provider: &str, found: &[Found]) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO payments.reconciled_entries (provider, state, seq, line, movement, subject, part, amount, currency, posted_at)
         SELECT $1, 'pending', * FROM unnest($2::bigint[], $3::smallint[], $4::text[], $5::uuid[], $6::text[], $7::bigint[],
                                             $8::text[], $9::timestamptz[])
         ON CONFLICT (seq, line) DO NOTHING",
        provider,
        &found.iter().map(|entry| entry.seq).collect::<Vec<_>>(),
        &found.iter().map(|entry| entry.line).collect::<Vec<_>>(),
        &found.iter().map(|entry| entry.movement).collect::<Vec<_>>() as &[&str],
        &found.iter().map(|entry| entry.subject).collect::<Vec<_>>(),
        &found.iter().map(|entry| entry.part.as_str()).collect::<Vec<_>>() as &[&str],
        &found.iter().map(|entry| entry.amount).collect::<Vec<_>>(),
        &found.iter().map(|entry| entry.currency.as_str()).collect::<Vec<_>>() as &[&str],
        &found.iter().map(|entry| entry.posted_at).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
