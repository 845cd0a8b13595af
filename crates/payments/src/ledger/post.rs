//! Writing the ledger: many transactions at a time, in a row.

use std::collections::{BTreeMap, HashMap, HashSet};

use platform::Tx;
use time::OffsetDateTime;
use uuid::Uuid;

use super::chain::{self, Link, LinkEntry};
use super::draft::DraftEntry;
use super::{Account, AccountKind, Draft};
use crate::PaymentId;

/// Writes these events as part of a transaction, each once: what was written before is passed over. Gives the kinds and
/// references of those that were written now.
///
/// It locks the end of the chain until the transaction ends, so that all writers follow one another: to be called last.
pub(crate) async fn post(
    tx: &mut Tx,
    drafts: Vec<Draft>,
    now: OffsetDateTime,
) -> Result<HashSet<(&'static str, Uuid)>, sqlx::Error> {
    let drafts: Vec<Draft> = drafts.into_iter().filter(|draft| !draft.is_empty()).collect();
    if drafts.is_empty() {
        return Ok(HashSet::new());
    }
    let head =
        sqlx::query!("SELECT seq, hash FROM payments.ledger_head FOR UPDATE").fetch_one(&mut **tx).await?;
    let mut known = written(tx, &drafts).await?;
    let fresh: Vec<Draft> =
        drafts.into_iter().filter(|draft| known.insert((draft.kind.to_owned(), draft.reference))).collect();
    if fresh.is_empty() {
        return Ok(HashSet::new());
    }
    let entries: Vec<Vec<DraftEntry>> = fresh.iter().map(Draft::entries).collect();
    let accounts = accounts(tx, &fresh, &entries).await?;
    let mut rows = Rows::new(head.seq, head.hash);
    for (draft, entries) in fresh.iter().zip(&entries) {
        rows.add(draft, entries, &accounts, now);
    }
    insert(tx, &rows, now).await?;
    Ok(fresh.iter().map(|draft| (draft.kind, draft.reference)).collect())
}

/// Which of these are there already.
async fn written(tx: &mut Tx, drafts: &[Draft]) -> Result<HashSet<(String, Uuid)>, sqlx::Error> {
    let references: Vec<Uuid> = drafts.iter().map(|draft| draft.reference).collect();
    let rows = sqlx::query!(
        "SELECT kind, reference FROM payments.ledger_transactions WHERE reference = ANY($1)",
        &references,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.kind, row.reference)).collect())
}

/// The ids of accounts by kind, owner and currency.
type Accounts = HashMap<(AccountKind, String, &'static str), i64>;

/// The accounts that these entries touch; those that are not there yet are opened.
async fn accounts(
    tx: &mut Tx,
    drafts: &[Draft],
    entries: &[Vec<DraftEntry>],
) -> Result<Accounts, sqlx::Error> {
    let wanted: HashSet<(&Account, &'static str)> = drafts
        .iter()
        .zip(entries)
        .flat_map(|(draft, entries)| entries.iter().map(|entry| (&entry.account, draft.currency.code())))
        .collect();
    let wanted: Vec<_> = wanted.into_iter().collect();
    let kinds: Vec<&str> = wanted.iter().map(|(account, _)| account.kind.as_str()).collect();
    let owners: Vec<&str> = wanted.iter().map(|(account, _)| account.owner.as_str()).collect();
    let currencies: Vec<&str> = wanted.iter().map(|(_, currency)| *currency).collect();
    let find = async |tx: &mut Tx| -> Result<Accounts, sqlx::Error> {
        let rows = sqlx::query!(
            r#"SELECT w.place AS "place!", a.id
               FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS w (kind, owner, currency, place)
               JOIN payments.ledger_accounts a
                   ON a.kind = w.kind AND a.owner = w.owner AND a.currency = w.currency"#,
            &kinds as &[&str],
            &owners as &[&str],
            &currencies as &[&str],
        )
        .fetch_all(&mut **tx)
        .await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                let (account, currency) = wanted.get(usize::try_from(row.place - 1).ok()?)?;
                Some(((account.kind, account.owner.clone(), *currency), row.id))
            })
            .collect())
    };
    let found = find(&mut *tx).await?;
    if found.len() == wanted.len() {
        return Ok(found);
    }
    // Nobody else opens accounts meanwhile: the end of the chain is locked.
    sqlx::query!(
        "INSERT INTO payments.ledger_accounts (kind, owner, currency)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING",
        &kinds as &[&str],
        &owners as &[&str],
        &currencies as &[&str],
    )
    .execute(&mut **tx)
    .await?;
    find(tx).await
}

/// The rows of a posting.
#[derive(Default)]
struct Rows<'a> {
    seq: i64,
    hash: Vec<u8>,
    transactions: Vec<Transaction<'a>>,
    entries: Vec<Entry>,
    /// What is added to the balance of each account, and how many entries.
    changes: BTreeMap<i64, (i64, i64)>,
}

struct Transaction<'a> {
    seq: i64,
    draft: &'a Draft,
    hash: Vec<u8>,
}

struct Entry {
    seq: i64,
    line: i16,
    account: i64,
    rule: &'static str,
    amount: i64,
}

impl<'a> Rows<'a> {
    fn new(seq: i64, hash: Vec<u8>) -> Self {
        Self { seq, hash, ..Self::default() }
    }

    fn add(&mut self, draft: &'a Draft, entries: &[DraftEntry], accounts: &Accounts, now: OffsetDateTime) {
        self.seq += 1;
        let link = Link {
            seq: self.seq,
            kind: draft.kind,
            reference: draft.reference,
            payment: draft.payment.map(PaymentId::uuid),
            currency: draft.currency.code(),
            memo: draft.memo.as_deref(),
            occurred_at: draft.occurred_at,
            posted_at: now,
        };
        let hashed = entries.iter().map(|entry| LinkEntry {
            account: entry.account.kind.as_str(),
            owner: &entry.account.owner,
            rule: entry.rule.as_str(),
            amount: entry.amount,
        });
        self.hash = chain::hash(&self.hash, &link, hashed).to_vec();
        self.transactions.push(Transaction { seq: self.seq, draft, hash: self.hash.clone() });
        for (line, entry) in (1..).zip(entries) {
            let key = (entry.account.kind, entry.account.owner.clone(), draft.currency.code());
            let account = accounts[&key];
            let (balance, count) = self.changes.entry(account).or_default();
            *balance += entry.amount;
            *count += 1;
            let (rule, amount) = (entry.rule.as_str(), entry.amount);
            self.entries.push(Entry { seq: self.seq, line, account, rule, amount });
        }
    }
}

/// One round trip, however many they are.
async fn insert(tx: &mut Tx, rows: &Rows<'_>, now: OffsetDateTime) -> Result<(), sqlx::Error> {
    let (transactions, entries) = (&rows.transactions, &rows.entries);
    sqlx::query!(
        "WITH events AS (
             INSERT INTO payments.ledger_transactions
                 (seq, kind, reference, payment_id, currency, memo, occurred_at, posted_at, hash)
             SELECT seq, kind, reference, payment_id, currency, memo, occurred_at, $19, hash
             FROM unnest($1::bigint[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::timestamptz[],
                         $8::bytea[])
                 AS t (seq, kind, reference, payment_id, currency, memo, occurred_at, hash)
         ), lines AS (
             INSERT INTO payments.ledger_entries (seq, line, account_id, rule, amount)
             SELECT * FROM unnest($9::bigint[], $10::smallint[], $11::bigint[], $12::text[], $13::bigint[])
         ), balances AS (
             UPDATE payments.ledger_accounts a SET balance = a.balance + c.amount, entries = a.entries + c.entries
             FROM unnest($14::bigint[], $15::bigint[], $16::bigint[]) AS c (account_id, amount, entries)
             WHERE a.id = ANY($14) AND a.id = c.account_id
         )
         UPDATE payments.ledger_head SET seq = $17, hash = $18",
        &transactions.iter().map(|row| row.seq).collect::<Vec<_>>(),
        &transactions.iter().map(|row| row.draft.kind).collect::<Vec<_>>() as &[&str],
        &transactions.iter().map(|row| row.draft.reference).collect::<Vec<_>>(),
        &transactions.iter().map(|row| row.draft.payment.map(PaymentId::uuid)).collect::<Vec<_>>() as &[Option<Uuid>],
        &transactions.iter().map(|row| row.draft.currency.code()).collect::<Vec<_>>() as &[&str],
        &transactions.iter().map(|row| row.draft.memo.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
        &transactions.iter().map(|row| row.draft.occurred_at).collect::<Vec<_>>(),
        &transactions.iter().map(|row| row.hash.clone()).collect::<Vec<_>>(),
        &entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(),
        &entries.iter().map(|entry| entry.line).collect::<Vec<_>>(),
        &entries.iter().map(|entry| entry.account).collect::<Vec<_>>(),
        &entries.iter().map(|entry| entry.rule).collect::<Vec<_>>() as &[&str],
        &entries.iter().map(|entry| entry.amount).collect::<Vec<_>>(),
        &rows.changes.keys().copied().collect::<Vec<_>>(),
        &rows.changes.values().map(|(amount, _)| *amount).collect::<Vec<_>>(),
        &rows.changes.values().map(|(_, count)| *count).collect::<Vec<_>>(),
        rows.seq,
        rows.hash,
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
