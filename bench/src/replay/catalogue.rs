//! The shop and its customers, put straight into Souk's tables before anybody buys.

use std::collections::HashMap;

use serde_json::json;
use sqlx::PgPool;

use super::year::{Ware, Year};
use crate::ids;
use crate::stage::Stage;

/// The one store.
const STORE: uuid::Uuid = uuid::Uuid::from_u128(0x019a_0000_0002_7000_8000_0000_0000_0000);
/// The password of all customers.
pub(super) const PASSWORD: &str = "lanterns-and-cake-stands-1865";
/// Whose password the others have.
const FIRST: &str = "first@replay.example";
/// Units of each ware. More than are sold.
const UNITS: i64 = 1_000_000_000;

const STORE_SQL: &str = "
    INSERT INTO catalog.stores (id, slug, name, description, currency, status, created_at, updated_at)
    VALUES ($1, 'online-retail', 'Online Retail', 'Gifts for all occasions.', 'GBP', 'active', now(), now())";

const PRODUCTS_SQL: &str = "
    INSERT INTO catalog.products (id, store_id, external_ref, slug, title, description, tags, status, options, images,
        currency, min_price, in_stock, created_at, updated_at)
    SELECT id, $1, code, 'replay-' || n, title, '', '{}', 'active', options, '[]', 'GBP', price, true, now(), now()
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::bigint[]) WITH ORDINALITY
        AS p (id, code, title, options, price, n)";

const VARIANTS_SQL: &str = "
    INSERT INTO catalog.variants (id, product_id, position, sku, options, price, weight_grams, in_stock)
    SELECT id, product, position, code, ARRAY[shown], price, 250, true
    FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::bigint[])
        AS v (id, product, position, code, shown, price)";

const STOCK_SQL: &str = "
    INSERT INTO inventory.stock_levels (variant_id, on_hand, store_id) SELECT id, $2, $3 FROM unnest($1::uuid[]) id";

const OPENING_SQL: &str = "
    INSERT INTO inventory.stock_adjustments (id, variant_id, quantity, reason, created_at, store_id, on_hand)
    SELECT ('019a0000-0003-7000-8000-' || right(variant_id::text, 12))::uuid, variant_id, on_hand, 'opening', now(),
           store_id, on_hand
    FROM inventory.stock_levels";

/// Hashing a password takes its time on purpose: all have the hash of one that Souk made.
const ACCOUNTS_SQL: &str = "
    INSERT INTO identity.users (id, email, email_key, email_verified_at, password_hash, name, locale, currency,
        preferences, created_at, updated_at)
    SELECT ('019a0000-0004-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, c.email, c.email, u.email_verified_at,
           u.password_hash, c.name, u.locale, u.currency, u.preferences, now(), now()
    FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS c (email, name, n), identity.users u WHERE u.email_key = $1";

/// The address of a customer's account.
pub(super) fn email(customer: &str) -> String {
    format!("customer-{customer}@replay.example")
}

/// A product for each stock code, with a variant for each of its prices: a price that has changed would hold up whoever
/// buys at the one before, and here all buy at once.
pub(super) async fn wares(pool: &PgPool, year: &Year) -> anyhow::Result<()> {
    let places: HashMap<&str, u32> = year.titles.keys().map(String::as_str).zip(0..).collect();
    let mut prices = vec![Vec::new(); places.len()];
    let (mut ids, mut products, mut positions) = (Vec::new(), Vec::new(), Vec::new());
    for (ware, number) in year.wares.iter().zip(0..) {
        let product = places[ware.code.as_str()];
        let of_product = &mut prices[product as usize];
        of_product.push((ware.pence(), ware.shown()));
        ids.push(ids::variant(number));
        products.push(ids::product(product));
        positions.push(i32::try_from(of_product.len())?);
    }
    let titles = year.titles.iter().map(|(code, title)| if title.is_empty() { code } else { title });
    let options = prices.iter().map(|prices| {
        let values: Vec<&str> = prices.iter().map(|(_, shown)| shown.as_str()).collect();
        json!([{"name": "Price", "values": values}])
    });
    let least = prices.iter().map(|prices| prices.iter().map(|(pence, _)| *pence).min().unwrap_or_default());
    let mut tx = pool.begin().await?;
    sqlx::query(STORE_SQL).bind(STORE).execute(&mut *tx).await?;
    sqlx::query(PRODUCTS_SQL)
        .bind(STORE)
        .bind((0..u32::try_from(places.len())?).map(ids::product).collect::<Vec<_>>())
        .bind(year.titles.keys().collect::<Vec<_>>())
        .bind(titles.collect::<Vec<_>>())
        .bind(options.collect::<Vec<_>>())
        .bind(least.collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
    sqlx::query(VARIANTS_SQL)
        .bind(&ids)
        .bind(products)
        .bind(positions)
        .bind(year.wares.iter().map(|ware| &ware.code).collect::<Vec<_>>())
        .bind(year.wares.iter().map(Ware::shown).collect::<Vec<_>>())
        .bind(year.wares.iter().map(Ware::pence).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
    sqlx::query(STOCK_SQL).bind(&ids).bind(UNITS).bind(STORE).execute(&mut *tx).await?;
    sqlx::query(OPENING_SQL).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

/// An account for each customer.
pub(super) async fn accounts(stage: &Stage, customers: &[&str]) -> anyhow::Result<()> {
    stage.command(&["user", "create", FIRST, "--name", "First", "--password-stdin"], PASSWORD).await?;
    sqlx::query(ACCOUNTS_SQL)
        .bind(FIRST)
        .bind(customers.iter().map(|customer| email(customer)).collect::<Vec<_>>())
        .bind(customers.iter().map(|customer| format!("Customer {customer}")).collect::<Vec<_>>())
        .execute(&stage.pool)
        .await?;
    Ok(())
}

/// A key of the marketplace that may see and move money.
pub(super) async fn key(stage: &Stage) -> anyhow::Result<String> {
    let scopes = ["--scope", "finance:read", "--scope", "finance:write", "--scope", "finance:admin"];
    let arguments: Vec<&str> = ["apikey", "create", "--name", "replay"].into_iter().chain(scopes).collect();
    let printed = stage.command(&arguments, "").await?;
    let key = printed.lines().find_map(|line| line.strip_prefix("Key "));
    Ok(key.ok_or_else(|| anyhow::anyhow!("souk apikey create prints no key"))?.trim().to_owned())
}
