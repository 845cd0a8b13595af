//! Proving payouts from the ledger's entries.

use platform::{Database, Violation};

use super::make::OF_PAYOUTS;
use crate::Error;
use crate::ledger::Rule;

/// Looks at each store's money: what it is owed is the sum of the entries that are in no live payout; each payout is the
/// sum of its items, which are entries of its store's account; and the ledger has of each what its state says.
pub(crate) async fn violations(database: &Database) -> Result<Vec<Violation>, Error> {
    let mut violations = owed(database).await?;
    violations.extend(items(database).await?);
    violations.extend(sums(database).await?);
    violations.extend(postings(database).await?);
    violations.extend(transit(database).await?);
    Ok(violations)
}

/// What a store is owed is the sum of the entries that are in no live payout. In one statement: payouts go on meanwhile.
async fn owed(database: &Database) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        r#"SELECT a.owner, a.currency, -a.balance AS "owed!", coalesce(-open.sum, 0)::bigint AS "open!"
           FROM payments.ledger_accounts a
           LEFT JOIN (SELECT e.account_id, sum(e.amount) AS sum
                      FROM payments.ledger_entries e
                      LEFT JOIN payments.payout_items i ON i.seq = e.seq AND i.line = e.line AND i.live
                      WHERE i.payout_id IS NULL AND e.rule <> ALL($1)
                      GROUP BY e.account_id) open ON open.account_id = a.id
           WHERE a.kind = 'store_payable' AND a.balance <> coalesce(open.sum, 0)
           ORDER BY a.owner, a.currency"#,
        &OF_PAYOUTS.map(Rule::as_str) as &[&str],
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let message = format!("is owed {}, but its entries in no payout come to {}", row.owed, row.open);
            Violation::new("payouts/owed_is_unpaid", format!("{}:{}", row.owner, row.currency), message)
        })
        .collect())
}

/// Every item is an entry of what its payout's store is owed, and not of a payout itself.
async fn items(database: &Database) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        "SELECT i.payout_id, i.seq, i.line FROM payments.payout_items i
         JOIN payments.payouts p ON p.id = i.payout_id
         LEFT JOIN payments.ledger_entries e ON e.seq = i.seq AND e.line = i.line
         LEFT JOIN payments.ledger_accounts a ON a.id = e.account_id
         WHERE e.seq IS NULL OR e.amount <> -i.amount OR a.kind <> 'store_payable' OR a.owner <> p.store_id::text
            OR a.currency <> p.currency OR e.rule = ANY($1)
            OR i.live <> (p.state IN ('created', 'sent', 'paid'))
         ORDER BY i.payout_id, i.seq, i.line LIMIT 100",
        &OF_PAYOUTS.map(Rule::as_str) as &[&str],
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let message = format!("its item {}/{} is no entry of what its store is owed", row.seq, row.line);
            Violation::new("payouts/items_are_entries", row.payout_id, message)
        })
        .collect())
}

/// A payout is the sum of its items.
async fn sums(database: &Database) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        r#"SELECT p.id, p.amount, coalesce(i.sum, 0)::bigint AS "items!"
           FROM payments.payouts p
           LEFT JOIN (SELECT payout_id, sum(amount) AS sum FROM payments.payout_items GROUP BY payout_id) i
               ON i.payout_id = p.id
           WHERE p.amount <> coalesce(i.sum, 0) ORDER BY p.id"#
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let message = format!("is {}, but its items come to {}", row.amount, row.items);
            Violation::new("payouts/is_its_items", row.id, message)
        })
        .collect())
}

/// The ledger has of each payout what its state says.
async fn postings(database: &Database) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        r#"SELECT p.id, p.state, coalesce(t.kinds, '') AS "kinds!"
           FROM payments.payouts p
           LEFT JOIN LATERAL (
               SELECT string_agg(t.kind, ',' ORDER BY t.seq) AS kinds
               FROM payments.ledger_transactions t
               WHERE t.reference = p.id AND t.kind IN ('payout', 'payout_sent', 'payout_cancelled', 'payout_returned')
           ) t ON true
           WHERE NOT CASE p.state
               WHEN 'created' THEN coalesce(t.kinds, '') = 'payout'
               WHEN 'sent' THEN t.kinds = 'payout,payout_sent'
               WHEN 'paid' THEN t.kinds = 'payout,payout_sent'
               WHEN 'cancelled' THEN t.kinds = 'payout,payout_cancelled'
               WHEN 'failed' THEN t.kinds IN ('payout,payout_cancelled', 'payout,payout_sent,payout_returned')
               ELSE t.kinds = 'payout,payout_sent,payout_returned' END
           ORDER BY p.id"#
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let message = format!("{}, but the ledger has of it {:?}", row.state, row.kinds);
            Violation::new("payouts/is_posted", row.id, message)
        })
        .collect())
}

/// What is on its way to a store is the sum of its payouts that have not left.
async fn transit(database: &Database) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        r#"SELECT a.owner, a.currency, -a.balance AS "transit!", coalesce(p.sum, 0)::bigint AS "waiting!"
           FROM payments.ledger_accounts a
           LEFT JOIN (SELECT store_id::text AS store, currency, sum(amount) AS sum FROM payments.payouts
                      WHERE state = 'created' GROUP BY store_id, currency) p
               ON p.store = a.owner AND p.currency = a.currency
           WHERE a.kind = 'payout_transit' AND -a.balance <> coalesce(p.sum, 0)
           ORDER BY a.owner, a.currency"#
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let message =
                format!("{} is on its way, but payouts of {} wait to be sent", row.transit, row.waiting);
            Violation::new("payouts/transit_is_waiting", format!("{}:{}", row.owner, row.currency), message)
        })
        .collect())
}
