//! Putting things into a cart and taking them out.

use std::sync::Arc;

use catalog::{Offer, VariantId};
use identity::{Actor, UserId};
use inventory::Shortage;
use platform::{Quantity, Secret, Tx};

use crate::cart::{self, Cart, CartRow};
use crate::idempotency::{self, Claim, Known};
use crate::{CartId, CartLineId, Error, IdempotencyKey, OrderId, Parts};

/// The cart after something was put into it.
#[derive(Clone, Debug)]
pub struct Added {
    /// The cart as it is now.
    pub cart: Cart,
    /// Whether this is a repetition, which added nothing.
    pub replayed: bool,
}

/// Different variants in one cart.
pub(crate) const MAX_LINES: i64 = 200;

pub(crate) async fn add(
    parts: &Parts,
    actor: &Actor,
    id: CartId,
    variant: VariantId,
    quantity: Quantity,
    key: Option<IdempotencyKey>,
) -> Result<Added, Error> {
    let row = cart::authorized(parts, actor, id).await?;
    let print = idempotency::fingerprint("add_item", &(variant, quantity));
    if let Some(key) = &key
        && idempotency::look(&parts.database, id.uuid(), key, &print).await? != Known::Free
    {
        return Ok(Added { cart: cart::show(parts, actor, id).await?, replayed: true });
    }
    row.check_open(parts.sources.now())?;
    let offer = offer(parts, variant).await?;
    // Other modules are asked before the transaction: one that waits for a second connection while it
    // holds a first could wait forever. The order's reservation decides in the end.
    let there = cart::lines(parts, id)
        .await?
        .iter()
        .find(|line| line.variant_id == variant)
        .map_or(0, |line| line.quantity);
    check_stock(parts, variant, i64::from(there) + i64::from(quantity)).await?;
    let mut tx = parts.database.begin().await?;
    if let Some(key) = &key {
        let claim = Claim::of_work(id.uuid(), key, &print);
        if !idempotency::claim(&mut tx, &claim, parts.sources.now()).await? {
            // A duplicate that ran at the same time has done it, or something else was done under this key.
            drop(tx);
            idempotency::look(&parts.database, id.uuid(), key, &print).await?;
            return Ok(Added { cart: cart::show(parts, actor, id).await?, replayed: true });
        }
    }
    let row = lock(parts, &mut tx, id).await?;
    match row.currency() {
        Some(currency) if currency != offer.price.currency => {
            return Err(Error::CurrencyMismatch { cart: currency, item: offer.price.currency });
        }
        _ => {}
    }
    let before = sqlx::query!(
        r#"SELECT count(*) AS "lines!", coalesce(sum(quantity) FILTER (WHERE variant_id = $2), 0)::bigint AS "units!"
           FROM orders.cart_lines WHERE cart_id = $1"#,
        id.uuid(),
        variant.uuid(),
    )
    .fetch_one(&mut *tx)
    .await?;
    if before.units == 0 && before.lines >= MAX_LINES {
        return Err(Error::CartFull(MAX_LINES));
    }
    let units = before.units + i64::from(quantity);
    let units = Quantity::try_from(units).map_err(|_| Error::TooManyUnits)?;
    sqlx::query!(
        "INSERT INTO orders.cart_lines (id, cart_id, variant_id, title, quantity, unit_price, added_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (cart_id, variant_id) DO UPDATE SET quantity = $5, unit_price = $6, title = $4",
        parts.sources.id::<crate::CartLineMark>().uuid(),
        id.uuid(),
        variant.uuid(),
        offer.title,
        units.get(),
        offer.price.amount,
        parts.sources.now(),
    )
    .execute(&mut *tx)
    .await?;
    changed(parts, &mut tx, id, Some(offer.price.currency.code())).await?;
    tx.commit(parts.sources.now()).await?;
    Ok(Added { cart: cart::show(parts, actor, id).await?, replayed: false })
}

/// Opens a cart with something in it; none is opened if that can not be had.
pub(crate) async fn start(
    parts: &Parts,
    actor: &Actor,
    variant: VariantId,
    quantity: Quantity,
    key: Option<IdempotencyKey>,
) -> Result<(Cart, Option<Secret>), Error> {
    offer(parts, variant).await?;
    check_stock(parts, variant, i64::from(quantity)).await?;
    if let Some(user) = actor.user_id() {
        let id = cart::of_account(parts, user).await?;
        return Ok((add(parts, actor, id, variant, quantity, key).await?.cart, None));
    }
    let (cart, secret) = cart::create(parts, None).await?;
    let added = add(parts, &Actor::holder(secret.clone()), cart.id, variant, quantity, key).await?;
    Ok((added.cart, Some(secret)))
}

pub(crate) async fn set_quantity(
    parts: &Parts,
    actor: &Actor,
    id: CartId,
    line: CartLineId,
    quantity: Quantity,
) -> Result<Cart, Error> {
    cart::authorized(parts, actor, id).await?.check_open(parts.sources.now())?;
    let lines = cart::lines(parts, id).await?;
    let variant = lines.iter().find(|row| row.id == line).ok_or(Error::LineNotFound)?.variant_id;
    let offer = offer(parts, variant).await?;
    check_stock(parts, variant, quantity.into()).await?;
    let mut tx = parts.database.begin().await?;
    lock(parts, &mut tx, id).await?;
    let updated = sqlx::query!(
        "UPDATE orders.cart_lines SET quantity = $3, unit_price = $4, title = $5 WHERE id = $1 AND cart_id = $2",
        line.uuid(),
        id.uuid(),
        quantity.get(),
        offer.price.amount,
        offer.title,
    )
    .execute(&mut *tx)
    .await?;
    if updated.rows_affected() == 0 {
        return Err(Error::LineNotFound);
    }
    changed(parts, &mut tx, id, None).await?;
    tx.commit(parts.sources.now()).await?;
    cart::show(parts, actor, id).await
}

pub(crate) async fn remove(
    parts: &Parts,
    actor: &Actor,
    id: CartId,
    line: CartLineId,
) -> Result<Cart, Error> {
    cart::authorized(parts, actor, id).await?;
    let mut tx = parts.database.begin().await?;
    lock(parts, &mut tx, id).await?;
    let removed =
        sqlx::query!("DELETE FROM orders.cart_lines WHERE id = $1 AND cart_id = $2", line.uuid(), id.uuid(),)
            .execute(&mut *tx)
            .await?;
    if removed.rows_affected() == 0 {
        return Err(Error::LineNotFound);
    }
    changed(parts, &mut tx, id, None).await?;
    tx.commit(parts.sources.now()).await?;
    cart::show(parts, actor, id).await
}

async fn offer(parts: &Parts, variant: VariantId) -> Result<Arc<Offer>, Error> {
    parts.catalog.offers(&[variant]).await?.pop().ok_or(Error::ItemUnavailable(variant))
}

async fn check_stock(parts: &Parts, variant: VariantId, requested: i64) -> Result<(), Error> {
    let available = parts.inventory.available(&[variant]).await?.get(&variant).copied().unwrap_or(0);
    if available < requested {
        let shortage = Shortage { line: 0, variant_id: variant, requested, available };
        return Err(inventory::Error::OutOfStock(vec![shortage]).into());
    }
    Ok(())
}

/// Locks the cart, so that two changes of it come one after the other, and refuses one that is closed.
async fn lock(parts: &Parts, tx: &mut Tx, id: CartId) -> Result<CartRow, Error> {
    let row = sqlx::query_as!(
        CartRow,
        r#"SELECT id AS "id: CartId", currency, version, order_id AS "order_id: OrderId", completed_at, created_at,
                  updated_at, expires_at, token_hash, user_id AS "user_id: UserId"
           FROM orders.carts WHERE id = $1 FOR UPDATE"#,
        id.uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?
    // Its owner has signed in meanwhile, and what was in it is in their account's.
    .ok_or(Error::CartNotFound)?;
    row.check_open(parts.sources.now())?;
    Ok(row)
}

/// Counts the change, moves the expiry, and lets an emptied cart take any currency again. Refuses a cart
/// whose sum does not fit, so that it can always be shown.
pub(crate) async fn changed(
    parts: &Parts,
    tx: &mut Tx,
    id: CartId,
    currency: Option<&str>,
) -> Result<(), Error> {
    let now = parts.sources.now();
    let fits = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(quantity::numeric * unit_price), 0) <= 9223372036854775807 AS "fits!"
           FROM orders.cart_lines WHERE cart_id = $1"#,
        id.uuid(),
    )
    .fetch_one(&mut **tx)
    .await?;
    if !fits {
        return Err(Error::TotalTooLarge);
    }
    sqlx::query!(
        "UPDATE orders.carts SET version = version + 1, updated_at = $2, expires_at = $3,
             currency = CASE WHEN EXISTS (SELECT FROM orders.cart_lines WHERE cart_id = $1) THEN coalesce($4, currency) END
         WHERE id = $1",
        id.uuid(),
        now,
        now + parts.settings.cart_lifetime,
        currency,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
