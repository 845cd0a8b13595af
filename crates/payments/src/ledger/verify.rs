//! Proving the ledger from its entries.

use std::collections::HashMap;

use platform::{Database, Violation};

use super::chain::{self, Link, LinkEntry};
use super::{POSTING_RULES, Rule};
use crate::Error;

/// Transactions looked at in one go.
const PORTION: i64 = 5_000;

/// Walks the whole chain and adds up every account. With an earlier end of the chain, kept elsewhere, it shows too whether
/// what was there then is there still.
pub(crate) async fn violations(
    database: &Database,
    known: Option<(i64, &str)>,
) -> Result<Vec<Violation>, Error> {
    let mut violations = Vec::new();
    // Read first: what is written meanwhile comes behind it.
    let head = sqlx::query!("SELECT seq, hash FROM payments.ledger_head").fetch_one(database.lists()).await?;
    let (mut seq, mut hash) = (0, vec![0; 32]);
    while seq < head.seq {
        let upto = (seq + PORTION).min(head.seq);
        hash = walk(database, seq, upto, hash, known, &mut violations).await?;
        seq = upto;
    }
    if hash != head.hash {
        violations.push(Violation::new(
            "ledger/chain_holds",
            head.seq,
            "the chain does not end in the hash that is kept",
        ));
    }
    if let Some((known, _)) = known.filter(|(known, _)| *known > head.seq) {
        let message = format!("there were {known} transactions once, now there are {}", head.seq);
        violations.push(Violation::new("ledger/chain_holds", head.seq, message));
    }
    violations.extend(balances(database).await?);
    violations.extend(strays(database).await?);
    Ok(violations)
}

/// Follows the chain over a portion; gives the hash at its end.
async fn walk(
    database: &Database,
    after: i64,
    upto: i64,
    mut hash: Vec<u8>,
    known: Option<(i64, &str)>,
    violations: &mut Vec<Violation>,
) -> Result<Vec<u8>, Error> {
    let transactions = sqlx::query!(
        "SELECT seq, kind, reference, payment_id, currency, memo, occurred_at, posted_at, hash
         FROM payments.ledger_transactions WHERE seq > $1 AND seq <= $2 ORDER BY seq",
        after,
        upto,
    )
    .fetch_all(database.lists())
    .await?;
    let rows = sqlx::query!(
        "SELECT e.seq, e.rule, e.amount, a.kind, a.owner FROM payments.ledger_entries e
         JOIN payments.ledger_accounts a ON a.id = e.account_id
         WHERE e.seq > $1 AND e.seq <= $2 ORDER BY e.seq, e.line",
        after,
        upto,
    )
    .fetch_all(database.lists())
    .await?;
    let mut entries: HashMap<i64, Vec<_>> = HashMap::new();
    for row in rows {
        entries.entry(row.seq).or_default().push(row);
    }
    let mut broken =
        |seq: i64, message: String| violations.push(Violation::new("ledger/chain_holds", seq, message));
    let mut next = after;
    for row in transactions {
        next += 1;
        if row.seq != next {
            broken(next, format!("transactions {next} to {} are not there", row.seq - 1));
            next = row.seq;
        }
        let of_it = entries.remove(&row.seq).unwrap_or_default();
        let link = Link {
            seq: row.seq,
            kind: &row.kind,
            reference: row.reference,
            payment: row.payment_id,
            currency: &row.currency,
            memo: row.memo.as_deref(),
            occurred_at: row.occurred_at,
            posted_at: row.posted_at,
        };
        let linked = of_it.iter().map(|entry| LinkEntry {
            account: &entry.kind,
            owner: &entry.owner,
            rule: &entry.rule,
            amount: entry.amount,
        });
        if chain::hash(&hash, &link, linked).as_slice() != row.hash {
            broken(row.seq, "it, or one before it, is not what was written".to_owned());
        }
        if let Some((_, then)) = known.filter(|(seq, _)| *seq == row.seq) {
            let now: String = row.hash.iter().map(|byte| format!("{byte:02x}")).collect();
            if now != then {
                broken(row.seq, format!("its hash was {then} once, now it is {now}"));
            }
        }
        if of_it.iter().map(|entry| i128::from(entry.amount)).sum::<i128>() != 0 || of_it.is_empty() {
            broken(row.seq, "its entries do not sum to zero".to_owned());
        }
        for entry in &of_it {
            if !allowed(&entry.rule, &entry.kind, entry.amount) {
                broken(
                    row.seq,
                    format!("the rule {} does not move {} to {}", entry.rule, entry.amount, entry.kind),
                );
            }
        }
        // From what is there: one break is told once.
        hash = row.hash;
    }
    if next < upto {
        broken(next + 1, format!("transactions {} to {upto} are not there", next + 1));
    }
    Ok(hash)
}

/// Whether a rule may debit (positive) or credit (negative) an account of this kind.
fn allowed(rule: &str, account: &str, amount: i64) -> bool {
    let rule: Option<Rule> = POSTING_RULES.iter().find(|(_, name, ..)| *name == rule).map(|line| line.0);
    rule.is_some_and(|rule| {
        let kind = if amount > 0 { rule.debit() } else { rule.credit() };
        kind.as_str() == account
    })
}

/// Adds up every account.
async fn balances(database: &Database) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        r#"SELECT a.kind, a.owner, a.currency, a.balance, a.entries, coalesce(e.sum, 0) AS "sum!", coalesce(e.count, 0) AS "count!"
           FROM payments.ledger_accounts a
           LEFT JOIN (SELECT account_id, sum(amount)::bigint AS sum, count(*) AS count
                      FROM payments.ledger_entries GROUP BY account_id) e ON e.account_id = a.id
           WHERE a.balance <> coalesce(e.sum, 0) OR a.entries <> coalesce(e.count, 0)
           ORDER BY a.kind, a.owner, a.currency"#
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let subject = format!("{}:{}:{}", row.kind, row.owner, row.currency);
            let message = format!(
                "says {} in {} entries, the entries say {} in {}",
                row.balance, row.entries, row.sum, row.count
            );
            Violation::new("ledger/balances_add_up", subject, message)
        })
        .collect())
}

/// Entries of no transaction.
async fn strays(database: &Database) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query_scalar!(
        "SELECT DISTINCT e.seq FROM payments.ledger_entries e
         WHERE NOT EXISTS (SELECT FROM payments.ledger_transactions t WHERE t.seq = e.seq) ORDER BY e.seq LIMIT 100"
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rows
        .into_iter()
        .map(|seq| Violation::new("ledger/chain_holds", seq, "entries of no transaction"))
        .collect())
}
