//! Carts: what a buyer means to buy, at the prices they were shown.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::{Offer, ProductId, StoreRef, VariantId};
use identity::{Actor, UserId};
use inventory::Shortage;
use platform::{Currency, Detail, Money, Quantity, Secret, Slug};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::{price_changed, unavailable};
use crate::{CartId, CartLineId, Error, IdempotencyKey, OrderId, OrderState, Parts};

/// What a buyer means to buy.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Cart {
    /// Its id.
    pub id: CartId,
    /// The currency of all its lines; the first one decides.
    pub currency: Option<Currency>,
    /// In the order they were put in.
    pub lines: Vec<CartLine>,
    /// The sum of the lines.
    pub subtotal: Option<Money>,
    /// The order that was made of it.
    pub order_id: Option<OrderId>,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// When it is forgotten if nothing happens.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// Marks ids of cart lines.
pub enum CartLineMark {}

/// Units of a variant in a cart.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CartLine {
    /// Its id.
    pub id: CartLineId,
    /// What.
    pub variant_id: VariantId,
    /// Name of the product.
    pub title: String,
    /// The product; gone when it is no longer on sale.
    pub product: Option<ProductRef>,
    /// Who sells it.
    pub store: Option<StoreRef>,
    /// The variant's options, if there is a choice.
    pub variant_title: Option<String>,
    /// The store's own number for it.
    pub sku: Option<String>,
    /// A picture of it.
    pub image_url: Option<String>,
    /// How many.
    pub quantity: i32,
    /// What one costs, as the buyer was shown.
    pub unit_price: Money,
    /// Price times quantity.
    pub total: Money,
    /// How many can be had now.
    #[schema(example = 10)]
    pub available: i64,
    /// What is not as the buyer was shown: `price_changed`, `out_of_stock`, `unavailable`. Setting the
    /// line's quantity accepts the price of now.
    pub notes: Vec<Detail>,
}

/// The product of a line.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProductRef {
    /// Its id.
    pub id: ProductId,
    /// Its name in addresses.
    pub slug: Slug,
}

/// The row of a cart that the actor may have.
pub(crate) struct CartRow {
    pub(crate) id: CartId,
    pub(crate) currency: Option<String>,
    pub(crate) version: i64,
    pub(crate) order_id: Option<OrderId>,
    pub(crate) completed_at: Option<OffsetDateTime>,
    pub(crate) created_at: OffsetDateTime,
    pub(crate) updated_at: OffsetDateTime,
    pub(crate) expires_at: OffsetDateTime,
    pub(crate) token_hash: Vec<u8>,
    pub(crate) user_id: Option<UserId>,
}

impl CartRow {
    /// Whether it is the actor's account's, or they hold its token.
    pub(crate) fn is_of(&self, actor: &Actor) -> bool {
        actor.is_system()
            || actor.cart_token_hash().is_some_and(|hash| hash[..] == self.token_hash[..])
            || (self.user_id.is_some() && self.user_id == actor.user_id())
    }

    pub(crate) fn currency(&self) -> Option<Currency> {
        self.currency.as_deref().and_then(|code| code.parse().ok())
    }

    /// Refuses a cart that can not be changed or checked out.
    pub(crate) fn check_open(&self, now: OffsetDateTime) -> Result<(), Error> {
        match (self.order_id, self.completed_at) {
            (Some(order), _) => Err(Error::CartCompleted(order)),
            _ if self.expires_at <= now => Err(Error::CartExpired),
            _ => Ok(()),
        }
    }
}

/// A stored line.
pub(crate) struct LineRow {
    pub(crate) id: CartLineId,
    pub(crate) variant_id: VariantId,
    pub(crate) title: String,
    pub(crate) quantity: i32,
    pub(crate) unit_price: i64,
}

pub(crate) async fn create(parts: &Parts, currency: Option<Currency>) -> Result<(Cart, Secret), Error> {
    let (row, secret) = insert(parts, &mut *parts.database.pool().acquire().await?, currency).await?;
    Ok((present(parts, &row, Vec::new()).await?, secret))
}

/// Opens a cart, of whoever holds the secret.
pub(crate) async fn insert(
    parts: &Parts,
    connection: &mut PgConnection,
    currency: Option<Currency>,
) -> Result<(CartRow, Secret), Error> {
    let (id, secret, now) = (parts.sources.id::<Cart>(), parts.sources.secret(), parts.sources.now());
    let row = CartRow {
        id,
        currency: currency.map(|currency| currency.code().to_owned()),
        version: 0,
        order_id: None,
        completed_at: None,
        created_at: now,
        updated_at: now,
        expires_at: now + parts.settings.cart_lifetime,
        token_hash: secret.hash().to_vec(),
        user_id: None,
    };
    sqlx::query!(
        "INSERT INTO orders.carts (id, token_hash, currency, created_at, updated_at, expires_at)
         VALUES ($1, $2, $3, $4, $4, $5)",
        id.uuid(),
        row.token_hash,
        row.currency,
        now,
        row.expires_at,
    )
    .execute(connection)
    .await?;
    Ok((row, secret))
}

/// The cart's row, if the actor may have it.
pub(crate) async fn authorized(parts: &Parts, actor: &Actor, id: CartId) -> Result<CartRow, Error> {
    let row = sqlx::query_as!(
        CartRow,
        r#"SELECT id AS "id: CartId", currency, version, order_id AS "order_id: OrderId", completed_at, created_at,
                  updated_at, expires_at, token_hash, user_id AS "user_id: UserId"
           FROM orders.carts WHERE id = $1 AND (token_hash = $2 OR user_id = $3 OR $4)"#,
        id.uuid(),
        actor.cart_token_hash(),
        actor.user_id().map(UserId::uuid),
        actor.is_system(),
    )
    .fetch_optional(parts.database.pool())
    .await?;
    row.ok_or(Error::CartNotFound)
}

/// Those of these carts that there are: by their ids, and by the hashes of their tokens. Each with its lines, in the
/// order they were put in.
pub(crate) async fn find_all(
    connection: &mut PgConnection,
    ids: &[Uuid],
    token_hashes: &[Vec<u8>],
) -> Result<Vec<(CartRow, Vec<LineRow>)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT c.id AS "id!: CartId", c.currency, c.version AS "version!", c.order_id AS "order_id: OrderId",
                  c.completed_at, c.created_at AS "created_at!", c.updated_at AS "updated_at!",
                  c.expires_at AS "expires_at!", c.token_hash AS "token_hash!", c.user_id AS "user_id: UserId",
                  l.id AS "line_id?: CartLineId", l.variant_id AS "variant_id?: VariantId", l.title AS "title?",
                  l.quantity AS "quantity?", l.unit_price AS "unit_price?"
           FROM (SELECT * FROM orders.carts WHERE id = ANY($1)
                 UNION ALL SELECT * FROM orders.carts WHERE token_hash = ANY($2)) AS c
           LEFT JOIN LATERAL (SELECT * FROM orders.cart_lines line WHERE line.cart_id = c.id OFFSET 0) AS l ON true
           ORDER BY c.id, l.added_at, l.id"#,
        ids,
        token_hashes,
    )
    .fetch_all(connection)
    .await?;
    let mut found: Vec<(CartRow, Vec<LineRow>)> = Vec::with_capacity(ids.len() + token_hashes.len());
    for row in rows {
        if found.last().is_none_or(|(cart, _)| cart.id != row.id) {
            let cart = CartRow {
                id: row.id,
                currency: row.currency,
                version: row.version,
                order_id: row.order_id,
                completed_at: row.completed_at,
                created_at: row.created_at,
                updated_at: row.updated_at,
                expires_at: row.expires_at,
                token_hash: row.token_hash,
                user_id: row.user_id,
            };
            found.push((cart, Vec::new()));
        }
        let line = (row.line_id, row.variant_id, row.title, row.quantity, row.unit_price);
        if let (Some((_, lines)), (Some(id), Some(variant_id), Some(title), Some(quantity), Some(unit_price))) =
            (found.last_mut(), line)
            && lines.iter().all(|line: &LineRow| line.id != id)
        {
            lines.push(LineRow { id, variant_id, title, quantity, unit_price });
        }
    }
    Ok(found)
}

/// Says of a cart that was ordered whether its purchase is still under way.
pub(crate) async fn explain(parts: &Parts, error: Error) -> Error {
    let Error::CartCompleted(order) = error else { return error };
    let state = sqlx::query_scalar!("SELECT state FROM orders.orders WHERE id = $1", order.uuid())
        .fetch_optional(parts.database.pool())
        .await;
    match state {
        Ok(Some(state)) if OrderState::stored(&state).is_ok_and(OrderState::is_under_way) => {
            Error::CheckoutRunning(order)
        }
        _ => error,
    }
}

/// The open cart of an account, opened if there is none. One that has expired is not used again.
pub(crate) async fn of_account(parts: &Parts, user: UserId) -> Result<CartId, Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    sqlx::query!(
        "DELETE FROM orders.carts
         WHERE user_id = $1 AND completed_at IS NULL AND order_id IS NULL AND expires_at <= $2",
        user.uuid(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    // Nobody is told its secret: it is opened by whoever is signed in.
    sqlx::query!(
        "INSERT INTO orders.carts (id, token_hash, user_id, created_at, updated_at, expires_at)
         VALUES ($1, $2, $3, $4, $4, $5) ON CONFLICT (open_for) DO NOTHING",
        parts.sources.id::<Cart>().uuid(),
        parts.sources.secret().hash(),
        user.uuid(),
        now,
        now + parts.settings.cart_lifetime,
    )
    .execute(&mut *tx)
    .await?;
    let open = sqlx::query_scalar!(
        r#"SELECT id AS "id: CartId" FROM orders.carts WHERE user_id = $1 AND completed_at IS NULL"#,
        user.uuid(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit(now).await?;
    // Gone again: a checkout that ran beside this one has just come to its end.
    open.ok_or(Error::CartChanged)
}

/// The cart that the actor uses. A checkout that is sent again has to meet the cart it was first sent for, also when
/// the account has opened another one since.
pub(crate) async fn basket(
    parts: &Parts,
    actor: &Actor,
    checkout: Option<&IdempotencyKey>,
) -> Result<Option<CartId>, Error> {
    let (user, token) = (actor.user_id().map(UserId::uuid), actor.cart_token_hash());
    if user.is_none() && token.is_none() {
        return Ok(None);
    }
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: CartId" FROM orders.carts c
           WHERE (user_id = $1 OR token_hash = $2)
             AND ($3::text IS NOT NULL OR completed_at IS NULL AND expires_at > $4)
           ORDER BY EXISTS (SELECT FROM orders.idempotency_keys k
                            WHERE k.scope = c.id AND k.key = $3 AND k.order_id IS NOT NULL) DESC,
                    completed_at IS NULL DESC, user_id IS NOT NULL DESC, updated_at DESC, id DESC
           LIMIT 1"#,
        user,
        token,
        checkout.map(IdempotencyKey::as_str),
        parts.sources.now(),
    )
    .fetch_optional(parts.database.pool())
    .await?)
}

pub(crate) async fn show(parts: &Parts, actor: &Actor, id: CartId) -> Result<Cart, Error> {
    let row = authorized(parts, actor, id).await?;
    if row.completed_at.is_none() && row.expires_at <= parts.sources.now() {
        return Err(Error::CartExpired);
    }
    let lines = lines(parts, id).await?;
    present(parts, &row, lines).await
}

pub(crate) async fn lines(parts: &Parts, id: CartId) -> Result<Vec<LineRow>, Error> {
    Ok(lines_in(&mut *parts.database.pool().acquire().await?, id).await?)
}

/// The lines as this connection's transaction sees them, in the order they were put in.
pub(crate) async fn lines_in(connection: &mut PgConnection, id: CartId) -> Result<Vec<LineRow>, sqlx::Error> {
    sqlx::query_as!(
        LineRow,
        r#"SELECT id AS "id: CartLineId", variant_id AS "variant_id: VariantId", title, quantity, unit_price
           FROM orders.cart_lines WHERE cart_id = $1 ORDER BY added_at, id"#,
        id.uuid(),
    )
    .fetch_all(connection)
    .await
}

/// What the catalogue and the inventory say of these lines now.
pub(crate) async fn offers(
    parts: &Parts,
    lines: &[LineRow],
) -> Result<(HashMap<VariantId, Arc<Offer>>, Stock), Error> {
    let variants: Vec<VariantId> = lines.iter().map(|line| line.variant_id).collect();
    let offers = parts.catalog.offers(&variants).await?;
    let stock = parts.inventory.available(&variants).await?;
    Ok((offers.into_iter().map(|offer| (offer.variant_id, offer)).collect(), stock))
}

type Stock = HashMap<VariantId, i64>;

/// What of a line is not as the buyer was shown.
pub(crate) fn notes(place: usize, line: &LineRow, offer: Option<&Offer>, available: i64) -> Vec<Detail> {
    let Some(offer) = offer else { return vec![unavailable(place, line.variant_id)] };
    let mut notes = Vec::new();
    if available < i64::from(line.quantity) {
        let requested = i64::from(line.quantity);
        notes.push(Shortage { line: place, variant_id: line.variant_id, requested, available }.detail());
    }
    if offer.price.amount != line.unit_price {
        let shown = Money::new(line.unit_price, offer.price.currency);
        notes.push(price_changed(place, line.variant_id, shown, offer.price));
    }
    notes
}

pub(crate) async fn present(parts: &Parts, row: &CartRow, lines: Vec<LineRow>) -> Result<Cart, Error> {
    let (offers, stock) = offers(parts, &lines).await?;
    let currency = row.currency();
    let open = row.completed_at.is_none();
    let mut subtotal = currency.map(Money::zero);
    let mut shown = Vec::with_capacity(lines.len());
    for (place, line) in lines.into_iter().enumerate() {
        let currency = currency.ok_or(Error::CartEmpty)?;
        let offer = offers.get(&line.variant_id);
        let available = stock.get(&line.variant_id).copied().unwrap_or(0);
        let unit_price = Money::new(line.unit_price, currency);
        let total = unit_price.checked_mul(line.quantity.into()).ok_or(Error::TotalTooLarge)?;
        subtotal = subtotal.and_then(|sum| sum.checked_add(total));
        shown.push(CartLine {
            notes: if open { notes(place, &line, offer.map(Arc::as_ref), available) } else { Vec::new() },
            id: line.id,
            variant_id: line.variant_id,
            title: line.title,
            product: offer.map(|offer| ProductRef { id: offer.product_id, slug: offer.product_slug.clone() }),
            store: offer.map(|offer| offer.store.clone()),
            variant_title: offer.and_then(|offer| offer.variant_title.clone()),
            sku: offer.and_then(|offer| offer.sku.clone()),
            image_url: offer.and_then(|offer| offer.image_url.clone()),
            quantity: line.quantity,
            unit_price,
            total,
            available,
        });
    }
    Ok(Cart {
        id: row.id,
        currency,
        lines: shown,
        subtotal,
        order_id: row.order_id,
        created_at: row.created_at,
        updated_at: row.updated_at,
        expires_at: row.expires_at,
    })
}

/// A line's quantity as it was checked when it was put in.
pub(crate) fn quantity(line: &LineRow) -> Result<Quantity, Error> {
    Quantity::try_from(i64::from(line.quantity)).map_err(|_| Error::TooManyUnits)
}
