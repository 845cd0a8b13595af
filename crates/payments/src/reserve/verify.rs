//! Proving reserves from the ledger.

use platform::{Database, Violation};

use crate::Error;

/// What is kept back of each store, by the ledger, is the sum of its reserves that were not released.
pub(crate) async fn violations(database: &Database) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        r#"SELECT coalesce(a.owner, r.store) AS "store!", coalesce(a.currency, r.currency) AS "currency!",
                  coalesce(-a.balance, 0) AS "kept!", coalesce(r.sum, 0)::bigint AS "reserves!"
           FROM (SELECT owner, currency, balance FROM payments.ledger_accounts WHERE kind = 'store_reserve') a
           FULL JOIN (SELECT store_id::text AS store, currency, sum(amount) AS sum FROM payments.reserves
                      WHERE released_at IS NULL GROUP BY store_id, currency) r
               ON r.store = a.owner AND r.currency = a.currency
           WHERE coalesce(-a.balance, 0) <> coalesce(r.sum, 0)
           ORDER BY 1, 2"#
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let message = format!("{} is kept back, but its reserves come to {}", row.kept, row.reserves);
            Violation::new("payouts/reserves_add_up", format!("{}:{}", row.store, row.currency), message)
        })
        .collect())
}
