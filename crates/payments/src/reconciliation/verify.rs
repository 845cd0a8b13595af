//! Proving reconciliation from both books.

use platform::{Database, Violation};

use super::summary;
use crate::Error;
use crate::ledger::AccountKind;

/// Looks at whether each line and each entry is followed, what is matched is equal on both sides, what differs stands in an
/// exception, and all of the difference between the balances is accounted for. Exceptions that are open are told too.
pub(crate) async fn violations(database: &Database) -> Result<Vec<Violation>, Error> {
    let mut violations = lines(database).await?;
    violations.extend(entries(database).await?);
    violations.extend(exceptions(database).await?);
    violations.extend(differences(database).await?);
    violations.extend(open(database).await?);
    Ok(violations)
}

/// Each line is followed; a matched one is, to the minor unit, the entries that it is matched with.
async fn lines(database: &Database) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        r#"SELECT b.provider, b.reference, b.amount, b.fee, b.currency, r.state AS "state?",
                  coalesce(e.amount, 0)::bigint AS "told!", coalesce(e.fee, 0)::bigint AS "told_fee!",
                  coalesce(e.currencies, b.currency) AS "currencies!"
           FROM payments.balance_lines b
           LEFT JOIN payments.reconciled_lines r USING (provider, reference)
           LEFT JOIN (SELECT provider, reference, sum(amount) FILTER (WHERE part = 'amount') AS amount,
                             -sum(amount) FILTER (WHERE part = 'fee') AS fee, string_agg(DISTINCT currency, ',') AS currencies
                      FROM payments.reconciled_entries WHERE reference IS NOT NULL
                      GROUP BY provider, reference) e USING (provider, reference)
           WHERE r.state IS NULL OR r.movement <> b.kind
              OR CASE r.state WHEN 'matched' THEN coalesce(e.amount, 0) <> b.amount OR coalesce(e.fee, 0) <> b.fee
                                                  OR coalesce(e.currencies, b.currency) <> b.currency
                              ELSE e.reference IS NOT NULL END
           ORDER BY b.place LIMIT 1000"#
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let message = match row.state.as_deref() {
                None => "nobody follows it".to_owned(),
                Some(state) => format!(
                    "{state}: {} less {} {}, but the entries that name it come to {} less {} {}",
                    row.amount, row.fee, row.currency, row.told, row.told_fee, row.currencies
                ),
            };
            Violation::new(
                "reconciliation/lines_agree",
                format!("{}:{}", row.provider, row.reference),
                message,
            )
        })
        .collect())
}

/// Each entry on a provider's account that was read is followed, as the ledger has it.
async fn entries(database: &Database) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        r#"SELECT coalesce(e.seq, r.seq) AS "seq!", coalesce(e.line, r.line) AS "line!", e.amount AS "has?",
                  r.amount AS "told?"
           FROM (SELECT e.seq, e.line, e.amount, a.owner, a.currency FROM payments.reconciliation_cursors c
                 JOIN payments.ledger_accounts a ON a.owner = c.provider AND a.kind = $1
                 JOIN payments.ledger_entries e ON e.account_id = a.id AND e.seq <= c.after_seq) e
           FULL JOIN (SELECT r.* FROM payments.reconciled_entries r
                      JOIN payments.reconciliation_cursors c ON c.provider = r.provider AND r.seq <= c.after_seq) r
               ON r.seq = e.seq AND r.line = e.line
           WHERE e.seq IS NULL OR r.seq IS NULL OR e.amount <> r.amount OR e.currency <> r.currency OR e.owner <> r.provider
           ORDER BY 1, 2 LIMIT 1000"#,
        AccountKind::Provider.as_str(),
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let text = |amount: Option<i64>| amount.map_or("nothing".to_owned(), |amount| amount.to_string());
            let message =
                format!("the ledger has {}, reconciliation took it for {}", text(row.has), text(row.told));
            Violation::new("reconciliation/entries_agree", format!("{}/{}", row.seq, row.line), message)
        })
        .collect())
}

/// An exception says what its line and its entries come to; once it is resolved, the corrections make up for it.
async fn exceptions(database: &Database) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        r#"SELECT x.id, x.state, x.expected, x.actual, l.sum AS "line?", e.sum AS "entries?",
                  coalesce(e.corrected, 0)::bigint AS "corrected!"
           FROM payments.reconciliation_exceptions x
           LEFT JOIN (SELECT r.exception_id, sum(b.amount - b.fee)::bigint AS sum, bool_and(r.state = x.state) AS stands
                      FROM payments.reconciled_lines r
                      JOIN payments.balance_lines b USING (provider, reference)
                      JOIN payments.reconciliation_exceptions x ON x.id = r.exception_id
                      GROUP BY r.exception_id) l ON l.exception_id = x.id
           LEFT JOIN (SELECT r.exception_id, sum(r.amount) FILTER (WHERE r.part <> 'correction')::bigint AS sum,
                             sum(r.amount) FILTER (WHERE r.part = 'correction')::bigint AS corrected,
                             bool_and(r.state = x.state) AS stands
                      FROM payments.reconciled_entries r
                      JOIN payments.reconciliation_exceptions x ON x.id = r.exception_id
                      GROUP BY r.exception_id) e ON e.exception_id = x.id
           WHERE NOT CASE x.state
               WHEN 'settled' THEN l.exception_id IS NULL AND e.exception_id IS NULL
               ELSE x.actual IS NOT DISTINCT FROM l.sum AND x.expected IS NOT DISTINCT FROM e.sum
                    AND coalesce(l.stands, true) AND coalesce(e.stands, true)
                    AND coalesce(e.corrected, 0) = CASE x.state WHEN 'open' THEN 0
                        ELSE coalesce(x.actual, 0) - coalesce(x.expected, 0) END END
           ORDER BY x.id LIMIT 1000"#
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let message = format!(
                "{}: expects {:?} and has {:?}, but its entries come to {:?}, its line to {:?}, and its corrections to {}",
                row.state, row.expected, row.actual, row.entries, row.line, row.corrected
            );
            Violation::new("reconciliation/exceptions_add_up", row.id, message)
        })
        .collect())
}

/// What the balances differ by is on its way, or told.
async fn differences(database: &Database) -> Result<Vec<Violation>, Error> {
    let summaries = summary::all(database).await?;
    Ok(summaries
        .into_iter()
        .filter(|one| {
            let told = i128::from(one.in_transit.amount) + i128::from(one.in_exceptions.amount);
            i128::from(one.difference.amount) != told
        })
        .map(|one| {
            let message = format!(
                "the balances differ by {}, but {} is on its way and {} in exceptions",
                one.difference, one.in_transit, one.in_exceptions
            );
            let subject = format!("{}:{}", one.provider, one.difference.currency);
            Violation::new("reconciliation/difference_is_explained", subject, message)
        })
        .collect())
}

/// The books differ, and somebody has to say why.
async fn open(database: &Database) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        "SELECT id, kind, explanation FROM payments.reconciliation_exceptions WHERE state = 'open' ORDER BY id LIMIT 1000"
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let message = format!("{}: {}", row.kind, row.explanation);
            Violation::new("reconciliation/books_agree", row.id, message)
        })
        .collect())
}
