//! Forgetting buyers whose account is gone (GDPR, Article 17).
//!
//! The books keep what was bought, by what kind of order and where it went by country, region and postal code, which
//! taxes go by. The account, the e-mail address, names, streets, towns and telephone numbers go. An order that is not
//! settled needs them, so that it stays whole until it is; until then the account's id is remembered.

use identity::{Actor, UserId};
use time::Duration;

use crate::{Error, Order, OrderId, Parts};

/// Orders that one round forgets the buyers of.
const BATCH: i64 = 500;
/// How long an account's id is remembered once nothing is left. A purchase that began before the account went, and was
/// written after, ends long before.
const REMEMBERED: Duration = Duration::days(30);

pub(crate) async fn forget(parts: &Parts, actor: &Actor, user: UserId) -> Result<(), Error> {
    if !actor.is_system() {
        return Err(Error::Forbidden);
    }
    sqlx::query!(
        "INSERT INTO orders.erasures (user_id, requested_at) VALUES ($1, $2) ON CONFLICT (user_id) DO NOTHING",
        user.uuid(),
        parts.sources.now(),
    )
    .execute(parts.database.pool())
    .await?;
    while erase(parts).await? > 0 {}
    Ok(())
}

/// Takes what says who they were from some orders and carts; returns how many.
pub(crate) async fn erase(parts: &Parts) -> Result<u64, Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let orders = sqlx::query_scalar!(
        r#"WITH settled AS (
               SELECT o.id FROM orders.orders o JOIN orders.erasures e ON e.user_id = o.user_id
               WHERE o.state NOT IN ('pending', 'payment_pending', 'awaiting_payment')
               ORDER BY o.id LIMIT $2 FOR UPDATE OF o SKIP LOCKED
           )
           UPDATE orders.orders o
           SET user_id = NULL, email = NULL, token_hash = NULL, erased_at = $1,
               shipping_address = CASE WHEN shipping_address IS NOT NULL THEN jsonb_strip_nulls(jsonb_build_object(
                   'name', '', 'line1', '', 'city', '', 'region', shipping_address -> 'region',
                   'postal_code', shipping_address -> 'postal_code', 'country', shipping_address -> 'country')) END,
               billing_address = CASE WHEN billing_address IS NOT NULL THEN jsonb_strip_nulls(jsonb_build_object(
                   'name', '', 'line1', '', 'city', '', 'region', billing_address -> 'region',
                   'postal_code', billing_address -> 'postal_code', 'country', billing_address -> 'country')) END
           FROM settled WHERE o.id = settled.id
           RETURNING o.id AS "id: OrderId""#,
        now,
        BATCH,
    )
    .fetch_all(&mut *tx)
    .await?;
    let carts = sqlx::query!(
        "DELETE FROM orders.carts c USING orders.erasures e
         WHERE c.user_id = e.user_id AND c.completed_at IS NULL AND c.order_id IS NULL"
    )
    .execute(&mut *tx)
    .await?;
    let done_with = sqlx::query!(
        "UPDATE orders.carts c SET user_id = NULL
         FROM orders.erasures e, orders.orders o
         WHERE c.user_id = e.user_id AND c.completed_at IS NOT NULL AND o.id = c.order_id
           AND o.state NOT IN ('pending', 'payment_pending', 'awaiting_payment')"
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "DELETE FROM orders.erasures e
         WHERE requested_at < $1 AND NOT EXISTS (SELECT FROM orders.orders o WHERE o.user_id = e.user_id)
           AND NOT EXISTS (SELECT FROM orders.carts c WHERE c.user_id = e.user_id)",
        now - REMEMBERED,
    )
    .execute(&mut *tx)
    .await?;
    for order in &orders {
        tx.audit(Actor::system().did::<Order>("order.buyer_erased", "order", *order));
    }
    let orders = u64::try_from(orders.len()).unwrap_or(u64::MAX);
    tx.commit(now).await?;
    Ok(orders + carts.rows_affected() + done_with.rows_affected())
}
