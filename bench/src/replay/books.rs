//! What stands in the books afterwards: orders, payments, the provider's own, and the ledger.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::buyer::json;
use super::client::{Client, Request, Told};
use crate::metrics::Metrics;
use crate::stage::{Server, Stage};

/// How long the background may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The books. Amounts are in pennies.
#[derive(Clone, Debug, Default, Serialize, sqlx::FromRow)]
pub(super) struct Books {
    pub(super) orders: i64,
    pub(super) orders_total: i64,
    pub(super) orders_refunded: i64,
    pub(super) lines: i64,
    pub(super) units: i64,
    /// Units that are gone from the stock.
    pub(super) gone: i64,
    pub(super) payments: i64,
    pub(super) captured: i64,
    pub(super) payments_refunded: i64,
    pub(super) refunds: i64,
    pub(super) refunded: i64,
    /// Units that came back.
    pub(super) units_back: i64,
    /// What the provider took, and gave back.
    pub(super) provider_captured: i64,
    pub(super) provider_refunded: i64,
    /// What stores sold, and what of it went back.
    pub(super) ledger_sales: i64,
    pub(super) ledger_refunds: i64,
    /// Currencies whose entries do not sum to zero.
    pub(super) ledger_unbalanced: i64,
    pub(super) ledger_transactions: i64,
    pub(super) commission: i64,
}

const BOOKS: &str = "
    SELECT o.*, l.*, p.*, r.*, c.*, b.*, e.*,
           (SELECT count(*) FROM payments.ledger_transactions) AS ledger_transactions,
           (SELECT sum(quantity) FROM inventory.stock_adjustments)::bigint
               - (SELECT sum(on_hand) FROM inventory.stock_levels)::bigint AS gone,
           coalesce((SELECT sum(quantity) FROM orders.refund_lines), 0)::bigint AS units_back,
           (SELECT count(*) FROM (SELECT t.currency FROM payments.ledger_entries e
                JOIN payments.ledger_transactions t ON t.seq = e.seq GROUP BY t.currency HAVING sum(e.amount) <> 0) u)
               AS ledger_unbalanced
    FROM (SELECT count(*) AS orders, coalesce(sum(total), 0)::bigint AS orders_total,
                 coalesce(sum(refunded), 0)::bigint AS orders_refunded
          FROM orders.orders WHERE paid_at IS NOT NULL) o,
         (SELECT count(*) AS lines, coalesce(sum(quantity), 0)::bigint AS units FROM orders.order_lines) l,
         (SELECT count(*) AS payments, coalesce(sum(captured), 0)::bigint AS captured,
                 coalesce(sum(refunded), 0)::bigint AS payments_refunded
          FROM payments.payments WHERE state = 'succeeded') p,
         (SELECT count(*) AS refunds, coalesce(sum(amount), 0)::bigint AS refunded
          FROM payments.refunds WHERE state = 'succeeded') r,
         (SELECT coalesce(sum(captured), 0)::bigint AS provider_captured
          FROM payments.sandbox_payments WHERE state = 'succeeded') c,
         (SELECT coalesce(sum(amount), 0)::bigint AS provider_refunded
          FROM payments.sandbox_refunds WHERE status = 'succeeded') b,
         (SELECT coalesce(-sum(amount) FILTER (WHERE rule = 'sale' AND kind = 'store_payable'), 0)::bigint AS ledger_sales,
                 coalesce(sum(amount) FILTER (WHERE rule = 'refund' AND kind = 'store_payable'), 0)::bigint
                     AS ledger_refunds,
                 coalesce(-sum(amount) FILTER (WHERE kind = 'commission'), 0)::bigint AS commission
          FROM payments.ledger_entries e JOIN payments.ledger_accounts a ON a.id = e.account_id) e";

impl Books {
    /// Reads them.
    pub(super) async fn read(pool: &PgPool) -> anyhow::Result<Self> {
        Ok(sqlx::query_as(BOOKS).fetch_one(pool).await?)
    }
}

/// What is under way: orders, refunds, and what was paid and is not in the ledger.
const UNDER_WAY: &str = "
    SELECT (SELECT count(*) FROM orders.orders WHERE state IN ('pending', 'payment_pending')),
           (SELECT count(*) FROM orders.refunds WHERE state IN ('created', 'pending')),
           (SELECT count(*) FROM orders.orders WHERE paid_at IS NOT NULL)
               - (SELECT count(*) FROM payments.ledger_transactions WHERE kind = 'sale')";

/// Waits until nothing is under way; how long that took, in seconds.
pub(super) async fn rest(stage: &Stage, server: &Server) -> anyhow::Result<f64> {
    let begun = Instant::now();
    loop {
        let (orders, refunds, sales): (i64, i64, i64) =
            sqlx::query_as(UNDER_WAY).fetch_one(&stage.pool).await?;
        let events = Metrics::sum(&server.metrics().await?, "souk_outbox_events");
        if (orders, refunds, sales) == (0, 0, 0) && events == 0.0 {
            return Ok(begun.elapsed().as_secs_f64());
        }
        anyhow::ensure!(
            begun.elapsed() < PATIENCE,
            "{orders} orders and {refunds} refunds are under way, {sales} sales are not in the ledger, {events} events wait"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How long after they happened things were in the ledger, in seconds.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub(super) struct Lag {
    pub(super) kind: String,
    pub(super) count: i64,
    pub(super) p50: f64,
    pub(super) p95: f64,
    pub(super) longest: f64,
}

const LAG: &str = "
    SELECT kind, count(*) AS count, percentile_disc(0.5) WITHIN GROUP (ORDER BY late)::float8 AS p50,
           percentile_disc(0.95) WITHIN GROUP (ORDER BY late)::float8 AS p95, max(late)::float8 AS longest
    FROM (SELECT kind, extract(epoch FROM posted_at - occurred_at) AS late FROM payments.ledger_transactions) t
    GROUP BY kind ORDER BY kind";

/// The lag of each kind of ledger transaction.
pub(super) async fn lag(pool: &PgPool) -> anyhow::Result<Vec<Lag>> {
    Ok(sqlx::query_as(LAG).fetch_all(pool).await?)
}

#[derive(Deserialize)]
struct Accounts {
    data: Vec<Account>,
}

#[derive(Deserialize)]
struct Account {
    account: String,
    balance: Money,
}

#[derive(Deserialize)]
struct Money {
    amount: i64,
}

/// What the marketplace has at the provider, and what the provider kept for its work, as the API tells: together that
/// is what was captured and not given back.
pub(super) async fn kept(client: &mut Client, key: &str) -> anyhow::Result<i64> {
    let headers = format!("Authorization: Bearer {key}\r\n");
    let path = "/api/v1/ledger/accounts";
    let request = Request { method: "GET", path, headers: &headers, key: None, body: "" };
    let Told::Done(accounts) = client.ask(request, json::<Accounts>).await? else {
        anyhow::bail!("the shop's key is not believed");
    };
    let ours =
        accounts.data.iter().filter(|it| matches!(it.account.as_str(), "provider" | "processing_fees"));
    Ok(ours.map(|account| account.balance.amount).sum())
}

/// Has the marketplace take a tenth of all sales, and tax on that, so that the ledger has something to do.
pub(super) async fn commission(client: &mut Client, key: &str) -> anyhow::Result<()> {
    let headers = format!("Authorization: Bearer {key}\r\n");
    let body =
        r#"{"name":"All sales","terms":{"kind":"percentage","rate_ppm":100000},"tax_rate_ppm":200000}"#;
    let path = "/api/v1/commission_rules";
    let request = Request { method: "POST", path, headers: &headers, key: Some("commission"), body };
    match client.ask(request, |_| Ok(())).await? {
        Told::Done(()) => Ok(()),
        Told::SignIn => anyhow::bail!("the shop's key is not believed"),
    }
}
