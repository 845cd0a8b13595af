//! What a store is owed, and where that is.

use identity::StoreId;
use platform::{Database, Money};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::row::currency;
use crate::Error;

/// What a store is owed in one currency, and where that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StoreBalance {
    /// What the marketplace owes the store and has not set aside for a payout; below zero, what the store owes.
    pub payable: Money,
    /// Of that, what the next payout can take; below zero, what it has to make good first.
    pub available: Money,
    /// Of that, sales whose time has not come.
    pub on_hold: Money,
    /// What is kept back of sales for a while.
    pub reserve: Money,
    /// What is kept back while buyers dispute payments.
    pub dispute_hold: Money,
    /// Payouts that were made and have not arrived.
    pub in_transit: Money,
}

/// The balances of a store, by currency.
pub(super) async fn of_store(
    database: &Database,
    store: StoreId,
    held_after: OffsetDateTime,
) -> Result<Vec<StoreBalance>, Error> {
    let rows = sqlx::query!(
        r#"SELECT a.currency,
                  coalesce(-sum(a.balance) FILTER (WHERE a.kind = 'store_payable'), 0)::bigint AS "payable!",
                  coalesce(-sum(a.balance) FILTER (WHERE a.kind = 'store_reserve'), 0)::bigint AS "reserve!",
                  coalesce(-sum(a.balance) FILTER (WHERE a.kind = 'store_dispute_hold'), 0)::bigint AS "dispute_hold!",
                  (SELECT coalesce(sum(p.amount), 0) FROM payments.payouts p
                   WHERE p.store_id = $2 AND p.currency = a.currency AND p.state IN ('created', 'sent'))::bigint
                      AS "in_transit!",
                  coalesce(-sum(held.amount), 0)::bigint AS "on_hold!"
           FROM payments.ledger_accounts a
           LEFT JOIN LATERAL (
               SELECT sum(e.amount) AS amount
               FROM payments.ledger_entries e JOIN payments.ledger_transactions t ON t.seq = e.seq
               WHERE e.account_id = a.id AND t.kind IN ('sale', 'reserve') AND t.occurred_at > $3
                 AND NOT EXISTS (SELECT FROM payments.payout_items i
                                 WHERE i.seq = e.seq AND i.line = e.line AND i.live)
           ) held ON a.kind = 'store_payable'
           WHERE a.owner = $1 AND a.kind IN ('store_payable', 'store_reserve', 'store_dispute_hold')
           GROUP BY a.currency ORDER BY a.currency"#,
        store.to_string(),
        store.uuid(),
        held_after,
    )
    .fetch_all(database.lists())
    .await?;
    rows.into_iter()
        .map(|row| {
            let currency = currency(&row.currency)?;
            let money = |amount| Money::new(amount, currency);
            Ok(StoreBalance {
                payable: money(row.payable),
                available: money(row.payable - row.on_hold),
                on_hold: money(row.on_hold),
                reserve: money(row.reserve),
                dispute_hold: money(row.dispute_hold),
                in_transit: money(row.in_transit),
            })
        })
        .collect()
}
