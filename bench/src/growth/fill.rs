//! Orders of the past, put straight into the tables as checkout would have left them, so that `souk verify` still
//! holds. The one place that follows Souk's schema for `growth`; columns with a default are left to it.
//!
//! Order `n` has one unit each of two products and was placed `n` milliseconds after the beginning of 2025 or so; its
//! ids follow from `n`. Carts and idempotency keys of such orders are long gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::ids::PRODUCTS;
use crate::load::number;
use crate::table::thousands;

/// Orders in one transaction.
const CHUNK: u64 = 100_000;
/// Transactions at a time.
const WRITERS: usize = 2;

/// What can be lost while filling: it is all thrown away if the machine fails.
const RELAX: [&str; 6] = [
    "ALTER SYSTEM SET fsync = off",
    "ALTER SYSTEM SET full_page_writes = off",
    "ALTER SYSTEM SET synchronous_commit = off",
    "ALTER SYSTEM SET max_wal_size = '2GB'",
    "ALTER SYSTEM SET autovacuum = off",
    "SELECT pg_reload_conf()",
];
const RESTORE: [&str; 2] = ["ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()"];

/// Numbers, ids, products and prices of the orders from $1 up to $2.
const PAST: &str = "
    CREATE TEMPORARY TABLE past ON COMMIT DROP AS
    SELECT n, ('0196' || lpad(to_hex(n), 8, '0') || '70008000' || repeat('0', 12))::uuid AS id,
           ('0196' || lpad(to_hex(n), 8, '0') || '70008001' || repeat('0', 12))::uuid AS payment,
           ('0196' || lpad(to_hex(n), 8, '0') || '70008002' || repeat('0', 12))::uuid AS cart,
           timestamptz '2025-01-01' + make_interval(secs => n / 1000.0) AS at,
           one, other, 500 + one % 100 * 50 AS price_of_one, 500 + other % 100 * 50 AS price_of_other
    FROM (SELECT n, (n * 7919 % $3)::int AS one, ((n * 7919 + 1 + n % ($3 - 1)) % $3)::int AS other
          FROM generate_series($1::bigint, $2 - 1) n) numbers";

/// One statement for each table.
const TABLES: [&str; 8] = [
    "INSERT INTO orders.orders (id, number, source, state, version, currency, total, placed_at, updated_at, cart_id, token_hash,
         email, shipping_address, payment_attempt, payment_id, paid_at)
     SELECT id, 'past-' || n, 'checkout', 'paid', 2, 'GBP', price_of_one + price_of_other, at, at, cart,
         sha256(convert_to('past-' || n, 'UTF8')), 'buyer@bench.example',
         '{\"name\": \"Bench Buyer\", \"line1\": \"1 Loopback Road\", \"city\": \"London\", \"postal_code\": \"SW1Y 4JH\", \"country\": \"GB\"}',
         1, payment, at
     FROM past ORDER BY n",
    "INSERT INTO orders.order_lines (order_id, position, store_id, product_id, variant_id, sku, title, quantity,
         unit_price, total)
     SELECT id, position, ('019a0000-0002-7000-8000-' || lpad(to_hex(product % 20), 12, '0'))::uuid,
         ('019a0000-0000-7000-8000-' || lpad(to_hex(product), 12, '0'))::uuid,
         ('019a0000-0001-7000-8000-' || lpad(to_hex(product), 12, '0'))::uuid, 'BENCH-' || product,
         'Bench product ' || product, 1, price, price
     FROM (SELECT n, id, 1 AS position, one AS product, price_of_one AS price FROM past
           UNION ALL SELECT n, id, 2, other, price_of_other FROM past) lines ORDER BY n, position",
    "INSERT INTO inventory.reservations (id, state, variant_ids, quantities, created_at, updated_at)
     SELECT id, 'sold', ARRAY[('019a0000-0001-7000-8000-' || lpad(to_hex(one), 12, '0'))::uuid,
                              ('019a0000-0001-7000-8000-' || lpad(to_hex(other), 12, '0'))::uuid], '{1,1}', at, at
     FROM past ORDER BY n",
    "INSERT INTO orders.order_events (order_id, version, kind, state, data, occurred_at)
     SELECT o.id, 1, 'placed', 'pending', jsonb_build_object('number', o.number, 'currency', 'GBP', 'total', o.total,
         'payment_id', o.payment_id, 'lines', jsonb_agg(to_jsonb(l) - 'order_id' - 'occurrence' ORDER BY l.position)), past.at
     FROM past JOIN orders.orders o ON o.id = past.id JOIN orders.order_lines l ON l.order_id = past.id
     GROUP BY o.id, past.n, past.at ORDER BY past.n",
    "INSERT INTO orders.order_events (order_id, version, kind, state, data, occurred_at)
     SELECT id, 2, 'paid', 'paid', jsonb_build_object('payment_id', payment), at FROM past ORDER BY n",
    "INSERT INTO orders.sub_orders (order_id, store_id, state, currency, total, placed_at, updated_at)
     SELECT id, ('019a0000-0002-7000-8000-' || lpad(to_hex(product % 20), 12, '0'))::uuid, 'paid', 'GBP', sum(price), at, at
     FROM (SELECT n, id, at, one AS product, price_of_one AS price FROM past
           UNION ALL SELECT n, id, at, other, price_of_other FROM past) parts
     GROUP BY n, id, at, product % 20 ORDER BY n",
    "INSERT INTO payments.payments (id, order_id, provider, amount, currency, state, provider_reference, created_at, updated_at)
     SELECT payment, id, 'sandbox', price_of_one + price_of_other, 'GBP', 'succeeded', 'ch_past_' || n, at, at
     FROM past ORDER BY n",
    "INSERT INTO payments.sandbox_charges (idempotency_key, reference, amount, currency, token, created_at)
     SELECT payment::text, 'ch_past_' || n, price_of_one + price_of_other, 'GBP', 'tok_visa', at FROM past ORDER BY n",
];

/// Takes from the stock what the orders of one transaction sold.
const STOCK: &str = "
    UPDATE inventory.stock_levels level SET on_hand = on_hand - units
    FROM (SELECT ('019a0000-0001-7000-8000-' || lpad(to_hex(product), 12, '0'))::uuid AS variant_id, count(*) AS units
          FROM (SELECT one AS product FROM past UNION ALL SELECT other FROM past) lines GROUP BY product) sold
    WHERE level.variant_id = sold.variant_id";

/// Puts as many orders there, and leaves the settings of PostgreSQL as they were.
pub(super) async fn fill(pool: &PgPool, orders: u64) -> anyhow::Result<()> {
    for setting in RELAX {
        sqlx::raw_sql(setting).execute(pool).await?;
    }
    let begun = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (pool, next) = (pool.clone(), Arc::clone(&next));
        writers.spawn(async move {
            loop {
                let from = next.fetch_add(CHUNK, Ordering::Relaxed);
                if from >= orders {
                    return anyhow::Ok(());
                }
                let to = (from + CHUNK).min(orders);
                chunk(&pool, from, to).await?;
                if to.is_multiple_of(CHUNK * 10) || to == orders {
                    eprintln!(
                        "  {} orders after {:.0} s",
                        thousands(number(to)),
                        begun.elapsed().as_secs_f64()
                    );
                }
            }
        });
    }
    while let Some(written) = writers.join_next().await {
        written??;
    }
    for setting in RESTORE {
        sqlx::raw_sql(setting).execute(pool).await?;
    }
    Ok(())
}

async fn chunk(pool: &PgPool, from: u64, to: u64) -> anyhow::Result<()> {
    let mut tx = pool.begin().await?;
    sqlx::query(PAST)
        .bind(i64::try_from(from)?)
        .bind(i64::try_from(to)?)
        .bind(i64::from(PRODUCTS))
        .execute(&mut *tx)
        .await?;
    for table in TABLES {
        let written = sqlx::query(table).execute(&mut *tx).await?.rows_affected();
        anyhow::ensure!(written >= to - from, "{written} rows for {} orders", to - from);
    }
    // Of all products, in no order: one after the other.
    sqlx::query("SELECT pg_advisory_xact_lock(1)").execute(&mut *tx).await?;
    sqlx::query(STOCK).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}
