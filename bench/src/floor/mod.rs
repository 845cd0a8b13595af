//! What PostgreSQL gives on this machine, without Souk: the same order (two lines, stock checked and taken, a payment, an
//! event, an idempotency key) in the design that Souk follows and in the one that most shops have.
//!
//! | design | is |
//! |---|---|
//! | [`batched`] | one committer takes all orders that wait, up to 256, into one transaction of set-based SQL |
//! | [`locked`] | each order in a transaction of its own: locks its stock rows, then a round trip per statement |

mod batched;
mod drive;
mod locked;
mod serve;

use serde::Deserialize;
use sqlx::PgPool;

pub(crate) use drive::{Design, Driven, drive};
pub(crate) use serve::{Floor, Serve, serve};

use crate::ids::{PRODUCTS, SCARCE, SCARCE_UNITS};

/// A purchase to be made.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Purchase {
    /// The idempotency key.
    key: String,
    email: String,
    lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Line {
    product: i32,
    quantity: i32,
}

/// What one unit of anything costs.
const PRICE: i64 = 1_000;

/// How a purchase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Placed(uuid::Uuid),
    SoldOut,
    Duplicate,
}

/// Makes the tables anew, in a schema of their own.
pub(crate) async fn prepare(pool: &PgPool) -> anyhow::Result<()> {
    sqlx::raw_sql(include_str!("schema.sql")).execute(pool).await?;
    sqlx::query("INSERT INTO bench.stock SELECT n, CASE WHEN n < $2 THEN 1000000000 ELSE $3 END FROM generate_series(0, $1 - 1) n")
        .bind(i32::try_from(PRODUCTS + SCARCE)?)
        .bind(i32::try_from(PRODUCTS)?)
        .bind(i32::try_from(SCARCE_UNITS)?)
        .execute(pool)
        .await?;
    sqlx::raw_sql("VACUUM (ANALYZE) bench.stock").execute(pool).await?;
    sqlx::raw_sql("CHECKPOINT").execute(pool).await?;
    Ok(())
}

/// Removes the tables.
pub(crate) async fn clean_up(pool: &PgPool) -> anyhow::Result<()> {
    sqlx::raw_sql("DROP SCHEMA IF EXISTS bench CASCADE").execute(pool).await?;
    Ok(())
}

/// What is wrong with the books: units that were sold are gone from the stock, no more and no less, and every order
/// is whole.
pub(crate) async fn check(pool: &PgPool, placed: u64) -> anyhow::Result<()> {
    let (orders, sold, taken, whole): (i64, i64, i64, bool) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM bench.orders),
                (SELECT coalesce(sum(quantity), 0)::bigint FROM bench.order_lines),
                (SELECT sum(CASE WHEN id < $1 THEN 1000000000 ELSE $2 END - available)::bigint FROM bench.stock),
                (SELECT count(*) FROM bench.orders) = ALL (ARRAY[(SELECT count(*) FROM bench.payments),
                    (SELECT count(*) FROM bench.outbox), (SELECT count(*) / 2 FROM bench.order_lines)])",
    )
    .bind(i32::try_from(PRODUCTS)?)
    .bind(i32::try_from(SCARCE_UNITS)?)
    .fetch_one(pool)
    .await?;
    anyhow::ensure!(
        u64::try_from(orders)? == placed,
        "{placed} orders were acknowledged, {orders} are there"
    );
    anyhow::ensure!(sold == taken, "{sold} units were sold, {taken} are gone from the stock");
    anyhow::ensure!(whole, "an order lacks its lines, its payment or its event");
    Ok(())
}
