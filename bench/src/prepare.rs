//! What buyers find, put straight into Souk's tables: products with stock, and carts that are ready to be bought.
//! The one place that follows Souk's schema for `checkout` and `journey`; columns with a default are left to it.

use sqlx::PgPool;

use crate::ids::{PRODUCTS, SCARCE, SCARCE_UNITS};
use crate::traffic::Traffic;

/// Stores that the products are spread over.
const STORES: u32 = 20;
/// Units of each product that is not scarce.
const UNITS: i64 = 1_000_000_000;

const STORES_SQL: &str = "
    INSERT INTO catalog.stores (id, slug, name, description, currency, status, created_at, updated_at)
    SELECT ('019a0000-0002-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'bench-store-' || n, 'Bench store ' || n,
           'A store to be measured.', 'GBP', 'active', now(), now()
    FROM generate_series(0, $1 - 1) n";

const PRODUCTS_SQL: &str = "
    INSERT INTO catalog.products (id, store_id, slug, title, description, tags, status, options, images, currency,
        min_price, in_stock, created_at, updated_at)
    SELECT ('019a0000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
           ('019a0000-0002-7000-8000-' || lpad(to_hex(n % $2), 12, '0'))::uuid, 'bench-product-' || n,
           'Bench product ' || n, 'A product with a description of the usual length, as stores write them. '
               || repeat('It is made with care and sent the same day. ', 5), ARRAY['bench'], 'active', '[]', '[]',
           'GBP', 500 + n % 100 * 50, true, now() - make_interval(secs => n), now()
    FROM generate_series(0, $1 - 1) n";

const VARIANTS_SQL: &str = "
    INSERT INTO catalog.variants (id, product_id, position, sku, options, price, weight_grams, in_stock)
    SELECT ('019a0000-0001-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
           ('019a0000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 1, 'BENCH-' || n, '{}',
           500 + n % 100 * 50, 250, true
    FROM generate_series(0, $1 - 1) n";

const STOCK_SQL: &str = "
    INSERT INTO inventory.stock_levels (variant_id, on_hand, store_id)
    SELECT ('019a0000-0001-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, CASE WHEN n < $3 THEN $4 ELSE $5 END,
           ('019a0000-0002-7000-8000-' || lpad(to_hex(n % $2), 12, '0'))::uuid
    FROM generate_series(0, $1 - 1) n";

const OPENING_SQL: &str = "
    INSERT INTO inventory.stock_adjustments (id, variant_id, quantity, reason, created_at, store_id, on_hand)
    SELECT ('019a0000-0003-7000-8000-' || right(variant_id::text, 12))::uuid, variant_id, on_hand, 'opening', now(),
           store_id, on_hand
    FROM inventory.stock_levels";

const CARTS_SQL: &str = "
    INSERT INTO orders.carts (id, token_hash, currency, created_at, updated_at, expires_at)
    SELECT ('019b' || lpad(to_hex($1), 4, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
           sha256(convert_to('bench-' || $1 || '-' || n, 'UTF8')), 'GBP', now(), now(), now() + interval '30 days'
    FROM generate_series(0, $2 - 1) n";

/// Two lines of one unit each: the first of the product $3 if it is given, else of any; the second of any other.
const LINES_SQL: &str = "
    WITH chosen AS MATERIALIZED (
        SELECT n, coalesce($3, floor(random() * $4)::int) AS first, floor(random() * ($4 - 1))::int AS other
        FROM generate_series(0, $2 - 1) n),
    lines AS (
        SELECT n, 0 AS place, first AS product FROM chosen
        UNION ALL
        SELECT n, 1, CASE WHEN first < $4 THEN (first + 1 + other) % $4 ELSE other END FROM chosen)
    INSERT INTO orders.cart_lines (id, cart_id, variant_id, title, quantity, unit_price, added_at)
    SELECT ('019b' || lpad(to_hex($1), 4, '0') || '-0001-7000-8000-' || lpad(to_hex(n * 2 + place), 12, '0'))::uuid,
           ('019b' || lpad(to_hex($1), 4, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
           ('019a0000-0001-7000-8000-' || lpad(to_hex(product), 12, '0'))::uuid, 'Bench product ' || product, 1,
           500 + product % 100 * 50, now()
    FROM lines ORDER BY n, place";

/// The catalogue, and what is in stock of it.
pub(crate) async fn catalogue(pool: &PgPool) -> anyhow::Result<()> {
    let (all, stores) = (count(PRODUCTS + SCARCE), count(STORES));
    let mut tx = pool.begin().await?;
    sqlx::query(STORES_SQL).bind(stores).execute(&mut *tx).await?;
    sqlx::query(PRODUCTS_SQL).bind(all).bind(stores).execute(&mut *tx).await?;
    sqlx::query(VARIANTS_SQL).bind(all).execute(&mut *tx).await?;
    sqlx::query(STOCK_SQL)
        .bind(all)
        .bind(stores)
        .bind(count(PRODUCTS))
        .bind(UNITS)
        .bind(i64::from(SCARCE_UNITS))
        .execute(&mut *tx)
        .await?;
    sqlx::query(OPENING_SQL).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

/// As many carts of a batch of their own; [`crate::ids::token`] opens them.
pub(crate) async fn carts(pool: &PgPool, batch: u32, carts: u64, traffic: Traffic) -> anyhow::Result<()> {
    let (batch_number, carts) = (count(batch), i32::try_from(carts)?);
    let mut tx = pool.begin().await?;
    sqlx::query(CARTS_SQL).bind(batch_number).bind(carts).execute(&mut *tx).await?;
    sqlx::query(LINES_SQL)
        .bind(batch_number)
        .bind(carts)
        .bind(traffic.first_product(batch).map(count))
        .bind(count(PRODUCTS))
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    sqlx::raw_sql("VACUUM (ANALYZE) orders.carts, orders.cart_lines").execute(pool).await?;
    sqlx::raw_sql("CHECKPOINT").execute(pool).await?;
    Ok(())
}

fn count(number: u32) -> i32 {
    i32::try_from(number).expect("far below two billion")
}
