//! How the two books stand to one another.

use platform::{Database, Money};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::Error;
use crate::ledger::AccountKind;

/// How the books of a provider and the ledger stand to one another, in one currency. At any time `difference` is
/// `in_transit` and `in_exceptions` together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReconciliationSummary {
    /// The provider.
    #[schema(example = "sandbox")]
    pub provider: String,
    /// The marketplace's balance by the provider's books, as far as they were read.
    pub provider_balance: Money,
    /// The same by the ledger.
    pub ledger_balance: Money,
    /// The provider's balance less the ledger's.
    pub difference: Money,
    /// Of that, what the one book has and the other may still get.
    pub in_transit: Money,
    /// Of that, what stands in open exceptions.
    pub in_exceptions: Money,
    /// How many lines of the provider's were read.
    #[schema(example = 1200)]
    pub lines: i64,
    /// How many of them the ledger says the same of.
    #[schema(example = 1198)]
    pub matched: i64,
    /// How many lines and entries wait for the other book.
    #[schema(example = 2)]
    pub waiting: i64,
    /// How many exceptions are open.
    #[schema(example = 0)]
    pub open: i64,
    /// When the books were compared last.
    #[serde(with = "time::serde::rfc3339::option")]
    pub compared_at: Option<OffsetDateTime>,
}

/// By provider and currency.
pub(super) async fn all(database: &Database) -> Result<Vec<ReconciliationSummary>, Error> {
    // One statement: it sees one moment.
    let rows = sqlx::query!(
        r#"WITH lines AS (
               SELECT b.provider, b.currency, count(*) AS lines, sum(b.amount - b.fee) AS balance,
                      count(*) FILTER (WHERE r.state = 'matched') AS matched,
                      count(*) FILTER (WHERE r.state = 'pending') AS waiting,
                      coalesce(sum(b.amount - b.fee) FILTER (WHERE r.state = 'pending'), 0) AS waits
               FROM payments.balance_lines b JOIN payments.reconciled_lines r USING (provider, reference)
               GROUP BY b.provider, b.currency
           ), entries AS (
               SELECT provider, currency, sum(amount) AS balance, count(*) FILTER (WHERE state = 'pending') AS waiting,
                      coalesce(sum(amount) FILTER (WHERE state = 'pending'), 0) AS waits
               FROM payments.reconciled_entries GROUP BY provider, currency
           ), ledger AS (
               SELECT owner AS provider, currency, balance FROM payments.ledger_accounts
               WHERE kind = $1 AND owner IN (SELECT provider FROM payments.reconciliation_cursors)
           ), open AS (
               SELECT provider, currency, sum(amount) AS amount FROM (
                   SELECT provider, actual_currency AS currency, actual AS amount
                   FROM payments.reconciliation_exceptions WHERE state = 'open' AND actual IS NOT NULL
                   UNION ALL
                   SELECT provider, expected_currency, -expected
                   FROM payments.reconciliation_exceptions WHERE state = 'open' AND expected IS NOT NULL
               ) told GROUP BY provider, currency
           ), counted AS (
               SELECT provider, coalesce(actual_currency, expected_currency) AS currency, count(*) AS open
               FROM payments.reconciliation_exceptions WHERE state = 'open' GROUP BY 1, 2
           ), known AS (
               SELECT provider, currency FROM lines UNION SELECT provider, currency FROM ledger
           )
           SELECT k.provider AS "provider!", k.currency AS "currency!", coalesce(l.lines, 0) AS "lines!",
                  coalesce(l.matched, 0) AS "matched!", coalesce(l.waiting, 0) + coalesce(e.waiting, 0) AS "waiting!",
                  coalesce(c.open, 0) AS "open!", coalesce(l.balance, 0)::bigint AS "provider_balance!",
                  coalesce(g.balance, 0)::bigint AS "ledger_balance!",
                  -- What the ledger has, and was not looked at yet, waits too.
                  (coalesce(l.waits, 0) - coalesce(e.waits, 0) - (coalesce(g.balance, 0) - coalesce(e.balance, 0)))::bigint
                      AS "in_transit!",
                  coalesce(o.amount, 0)::bigint AS "in_exceptions!", r.ran_at
           FROM known k
           LEFT JOIN lines l USING (provider, currency)
           LEFT JOIN entries e USING (provider, currency)
           LEFT JOIN ledger g USING (provider, currency)
           LEFT JOIN open o USING (provider, currency)
           LEFT JOIN counted c USING (provider, currency)
           LEFT JOIN payments.reconciliation_cursors r USING (provider)
           ORDER BY k.provider, k.currency"#,
        AccountKind::Provider.as_str(),
    )
    .fetch_all(database.lists())
    .await?;
    rows.into_iter()
        .map(|row| {
            let currency = row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            let money = |amount| Money::new(amount, currency);
            Ok(ReconciliationSummary {
                provider: row.provider,
                provider_balance: money(row.provider_balance),
                ledger_balance: money(row.ledger_balance),
                difference: money(row.provider_balance.saturating_sub(row.ledger_balance)),
                in_transit: money(row.in_transit),
                in_exceptions: money(row.in_exceptions),
                lines: row.lines,
                matched: row.matched,
                waiting: row.waiting,
                open: row.open,
                compared_at: row.ran_at,
            })
        })
        .collect()
}
