//! Putting things into a cart and taking them out.

use std::sync::Arc;

use catalog::{Offer, VariantId};
use identity::{Actor, UserId};
use inventory::Shortage;
use platform::{Currency, Quantity, Secret, Tx};
use time::OffsetDateTime;

use crate::cart::{self, Cart, CartRow, LineRow};
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
    // Other modules are asked before the transaction: one that waits for a second connection while it
    // holds a first could wait forever. The order's reservation decides in the end.
    let offer = offer(parts, variant).await?;
    let available = available(parts, variant).await?;
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
    let held = Held::lock(parts, &mut tx, actor, id).await?;
    let cart = held.add(parts, tx, &offer, quantity, available).await?;
    Ok(Added { cart, replayed: false })
}

/// Opens a cart with something in it; none is opened if that can not be had.
pub(crate) async fn start(
    parts: &Parts,
    actor: &Actor,
    variant: VariantId,
    quantity: Quantity,
    key: Option<IdempotencyKey>,
) -> Result<(Cart, Option<Secret>), Error> {
    let offer = offer(parts, variant).await?;
    let available = available(parts, variant).await?;
    check_stock(variant, quantity.into(), available)?;
    if let Some(user) = actor.user_id() {
        let id = cart::of_account(parts, user).await?;
        return Ok((add(parts, actor, id, variant, quantity, key).await?.cart, None));
    }
    let mut tx = parts.database.begin().await?;
    let (row, secret) = cart::insert(parts, &mut tx, None).await?;
    if let Some(key) = &key {
        let print = idempotency::fingerprint("add_item", &(variant, quantity));
        let claim = Claim::of_work(row.id.uuid(), key, &print);
        idempotency::claim(&mut tx, &claim, parts.sources.now()).await?;
    }
    let cart = Held { row, lines: Vec::new() }.add(parts, tx, &offer, quantity, available).await?;
    Ok((cart, Some(secret)))
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
    check_stock(variant, quantity.into(), available(parts, variant).await?)?;
    let mut tx = parts.database.begin().await?;
    let mut held = Held::lock(parts, &mut tx, actor, id).await?;
    let row = held.lines.iter_mut().find(|row| row.id == line).ok_or(Error::LineNotFound)?;
    (row.quantity, row.unit_price) = (quantity.get(), offer.price.amount);
    row.title.clone_from(&offer.title);
    put(&mut tx, id, row, parts.sources.now()).await?;
    held.save(parts, tx, None).await
}

pub(crate) async fn remove(
    parts: &Parts,
    actor: &Actor,
    id: CartId,
    line: CartLineId,
) -> Result<Cart, Error> {
    cart::authorized(parts, actor, id).await?;
    let mut tx = parts.database.begin().await?;
    let mut held = Held::lock(parts, &mut tx, actor, id).await?;
    let place = held.lines.iter().position(|row| row.id == line).ok_or(Error::LineNotFound)?;
    sqlx::query!("DELETE FROM orders.cart_lines WHERE id = $1", line.uuid()).execute(&mut *tx).await?;
    held.lines.remove(place);
    held.save(parts, tx, None).await
}

async fn offer(parts: &Parts, variant: VariantId) -> Result<Arc<Offer>, Error> {
    parts.catalog.offers(&[variant]).await?.pop().ok_or(Error::ItemUnavailable(variant))
}

async fn available(parts: &Parts, variant: VariantId) -> Result<i64, Error> {
    Ok(parts.inventory.available(&[variant]).await?.get(&variant).copied().unwrap_or(0))
}

fn check_stock(variant: VariantId, requested: i64, available: i64) -> Result<(), Error> {
    if available < requested {
        let shortage = Shortage { line: 0, variant_id: variant, requested, available };
        return Err(inventory::Error::OutOfStock(vec![shortage]).into());
    }
    Ok(())
}

/// A cart that a transaction has locked, so that two changes of it come one after the other.
struct Held {
    row: CartRow,
    lines: Vec<LineRow>,
}

impl Held {
    /// Locks it, and refuses one that is closed.
    async fn lock(parts: &Parts, tx: &mut Tx, actor: &Actor, id: CartId) -> Result<Self, Error> {
        let row = sqlx::query_as!(
            CartRow,
            r#"SELECT id AS "id: CartId", currency, version, order_id AS "order_id: OrderId", completed_at, created_at,
                      updated_at, expires_at, token_hash, user_id AS "user_id: UserId"
               FROM orders.carts WHERE id = $1 FOR UPDATE"#,
            id.uuid(),
        )
        .fetch_optional(&mut **tx)
        .await?
        // Its owner has signed in meanwhile: it is their account's now, or what was in it is.
        .filter(|row| row.is_of(actor))
        .ok_or(Error::CartNotFound)?;
        row.check_open(parts.sources.now())?;
        Ok(Self { row, lines: cart::lines_in(tx, id).await? })
    }

    /// Puts so many more of something in.
    async fn add(
        mut self,
        parts: &Parts,
        mut tx: Tx,
        offer: &Offer,
        quantity: Quantity,
        available: i64,
    ) -> Result<Cart, Error> {
        let (variant, price) = (offer.variant_id, offer.price);
        let place = self.lines.iter().position(|line| line.variant_id == variant);
        let units = place.map_or(0, |place| i64::from(self.lines[place].quantity)) + i64::from(quantity);
        check_stock(variant, units, available)?;
        if let Some(currency) = self.row.currency().filter(|currency| *currency != price.currency) {
            return Err(Error::CurrencyMismatch { cart: currency, item: price.currency });
        }
        let most = parts.settings.most_cart_lines;
        if place.is_none() && self.lines.len() >= most {
            return Err(Error::CartFull(most));
        }
        let units = Quantity::try_from(units).map_err(|_| Error::TooManyUnits)?;
        let line = LineRow {
            id: place.map_or_else(|| parts.sources.id(), |place| self.lines[place].id),
            variant_id: variant,
            title: offer.title.clone(),
            quantity: units.get(),
            unit_price: price.amount,
        };
        put(&mut tx, self.row.id, &line, parts.sources.now()).await?;
        match place {
            Some(place) => self.lines[place] = line,
            None => self.lines.push(line),
        }
        self.save(parts, tx, Some(price.currency)).await
    }

    /// Commits the change; the cart as it is then.
    async fn save(mut self, parts: &Parts, mut tx: Tx, currency: Option<Currency>) -> Result<Cart, Error> {
        changed(parts, &mut tx, &mut self.row, &self.lines, currency).await?;
        tx.commit(parts.sources.now()).await?;
        cart::present(parts, &self.row, self.lines).await
    }
}

/// Writes a line as it shall be.
pub(crate) async fn put(
    tx: &mut Tx,
    cart: CartId,
    line: &LineRow,
    added_at: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO orders.cart_lines (id, cart_id, variant_id, title, quantity, unit_price, added_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (cart_id, variant_id) DO UPDATE SET quantity = $5, unit_price = $6, title = $4",
        line.id.uuid(),
        cart.uuid(),
        line.variant_id.uuid(),
        line.title,
        line.quantity,
        line.unit_price,
        added_at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Counts the change, moves the expiry, and lets an emptied cart take any currency again. Refuses a cart
/// whose sum does not fit, so that it can always be shown.
pub(crate) async fn changed(
    parts: &Parts,
    tx: &mut Tx,
    row: &mut CartRow,
    lines: &[LineRow],
    currency: Option<Currency>,
) -> Result<(), Error> {
    let total: i128 = lines.iter().map(|line| i128::from(line.quantity) * i128::from(line.unit_price)).sum();
    if total > i128::from(i64::MAX) {
        return Err(Error::TotalTooLarge);
    }
    row.version += 1;
    row.updated_at = parts.sources.now();
    row.expires_at = row.updated_at + parts.settings.cart_lifetime;
    row.currency = currency.or(row.currency()).filter(|_| !lines.is_empty()).map(|it| it.code().to_owned());
    sqlx::query!(
        "UPDATE orders.carts SET version = version + 1, updated_at = $2, expires_at = $3, currency = $4 WHERE id = $1",
        row.id.uuid(),
        row.updated_at,
        row.expires_at,
        row.currency,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
