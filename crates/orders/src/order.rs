//! Orders as read.

use std::collections::HashMap;

use catalog::{ProductId, StoreId, VariantId};
use identity::{Actor, UserId};
use payments::{CommissionRuleId, PaymentId, PaymentState};
use platform::{Currency, Cursor, CursorRequest, Database, Email, Money, Slice};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::journal::{self, Rebuilt};
use crate::sub_order::{self, SubOrder};
use crate::{Address, CartId, Error, Failure, OrderId, OrderState, Parts};

/// A purchase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Its number, for people.
    #[schema(example = "100001")]
    pub number: String,
    /// Where it is in its life.
    pub status: OrderState,
    /// Counts what happened to it.
    #[schema(example = 2)]
    pub version: i32,
    /// The cart it came from.
    pub cart_id: Option<CartId>,
    /// Whom to write to.
    pub email: Option<Email>,
    /// What was bought, at the prices of that moment.
    pub lines: Vec<OrderLine>,
    /// The sum of the lines.
    pub total: Money,
    /// What of it went back, or is on its way.
    pub refunded: Money,
    /// Once it is paid: what each store has to see to.
    pub sub_orders: Vec<SubOrder>,
    /// Where it goes.
    pub shipping_address: Option<Address>,
    /// Who is billed, if not the same.
    pub billing_address: Option<Address>,
    /// Why it ended without payment, or why the last attempt to pay failed.
    pub failure: Option<OrderFailure>,
    /// What the buyer has to do for the payment to go on.
    pub next_action: Option<NextAction>,
    /// Until when it holds its stock without being paid.
    #[serde(with = "time::serde::rfc3339::option")]
    pub hold_expires_at: Option<OffsetDateTime>,
    /// When it was placed.
    #[serde(with = "time::serde::rfc3339")]
    pub placed_at: OffsetDateTime,
    /// When it was paid.
    #[serde(with = "time::serde::rfc3339::option")]
    pub paid_at: Option<OffsetDateTime>,
}

/// What the buyer has to do for a payment to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum NextAction {
    /// Go to a page of the provider's: a challenge such as 3-D Secure, or the page on which they pay.
    Redirect {
        /// The page.
        #[schema(example = "https://pay.example/3ds/01a1fa97")]
        url: String,
    },
}

/// Why an order was not paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderFailure {
    /// Stable code, such as `payments/card_declined`.
    pub code: String,
    /// For people.
    pub message: String,
}

impl From<Failure> for OrderFailure {
    fn from(failure: Failure) -> Self {
        Self { code: failure.reason, message: failure.message }
    }
}

/// Units of a variant, bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderLine {
    /// Its place in the order; names the line.
    #[schema(example = 1)]
    pub position: i32,
    /// Who sold it.
    pub store_id: StoreId,
    /// Of which product.
    pub product_id: ProductId,
    /// What.
    pub variant_id: VariantId,
    /// The store's own number for it.
    pub sku: Option<String>,
    /// Name of the product.
    pub title: String,
    /// The variant's options, if there was a choice.
    pub variant_title: Option<String>,
    /// How many.
    pub quantity: i32,
    /// What one cost.
    pub unit_price: Money,
    /// What the line came to.
    pub total: Money,
}

pub(crate) async fn show(parts: &Parts, actor: &Actor, id: OrderId) -> Result<Order, Error> {
    authorize(parts, actor, id).await?;
    with_next_action(parts, load(&parts.database, id).await?).await
}

/// Says what the buyer has to do, if the order waits for that.
pub(crate) async fn with_next_action(parts: &Parts, mut order: Order) -> Result<Order, Error> {
    if order.status != OrderState::AwaitingPayment || order.failure.is_some() {
        return Ok(order);
    }
    let payment = sqlx::query_scalar!(
        r#"SELECT payment_id AS "id: PaymentId" FROM orders.orders WHERE id = $1"#,
        order.id.uuid(),
    )
    .fetch_one(parts.database.pool())
    .await?;
    let Some(id) = payment else { return Ok(order) };
    let payment = parts.payments.payments(&[id]).await?.remove(&id);
    order.next_action = payment
        .filter(|payment| payment.state == PaymentState::RequiresAction)
        .and_then(|payment| Some(NextAction::Redirect { url: payment.action_url? }));
    Ok(order)
}

/// Refuses an actor whose order it is not: it is of their account, or they hold the token of its cart.
pub(crate) async fn authorize(parts: &Parts, actor: &Actor, id: OrderId) -> Result<(), Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM orders.orders WHERE id = $1 AND (token_hash = $2 OR user_id = $3 OR $4)) AS "found!""#,
        id.uuid(),
        actor.cart_token_hash(),
        actor.user_id().map(UserId::uuid),
        actor.is_system(),
    )
    .fetch_one(parts.database.pool())
    .await?;
    if found { Ok(()) } else { Err(Error::OrderNotFound) }
}

/// Most orders that are given to somebody to take along.
const MOST_EXPORTED: i64 = 10_000;

pub(crate) async fn list(parts: &Parts, actor: &Actor, slice: &CursorRequest) -> Result<Slice<Order>, Error> {
    let user = actor.person()?;
    let after = slice.after.as_ref().map(Cursor::decode::<OrderId>).transpose()?;
    let found = of_user(parts, user, after, i64::from(slice.first) + 1).await?;
    Ok(Slice::of(found, slice.first, |order| Cursor::encode(&order.id)))
}

pub(crate) async fn export(parts: &Parts, actor: &Actor) -> Result<Vec<Order>, Error> {
    of_user(parts, actor.person()?, None, MOST_EXPORTED).await
}

/// The latest orders of an account; ids sort by the time they were made.
async fn of_user(
    parts: &Parts,
    user: UserId,
    after: Option<OrderId>,
    limit: i64,
) -> Result<Vec<Order>, Error> {
    let ids = sqlx::query_scalar!(
        r#"SELECT id AS "id: OrderId" FROM orders.orders WHERE user_id = $1 AND ($2::uuid IS NULL OR id < $2)
           ORDER BY id DESC LIMIT $3"#,
        user.uuid(),
        after.map(OrderId::uuid),
        limit,
    )
    .fetch_all(parts.database.lists())
    .await?;
    let mut found = load_all(&mut *parts.database.pool().acquire().await?, &ids).await?;
    found.sort_by_key(|order| std::cmp::Reverse(order.id));
    Ok(found)
}

pub(crate) async fn load(database: &Database, id: OrderId) -> Result<Order, Error> {
    let mut connection = database.pool().acquire().await?;
    load_in(&mut connection, id).await
}

/// Loads the order as this connection's transaction sees it.
pub(crate) async fn load_in(connection: &mut sqlx::PgConnection, id: OrderId) -> Result<Order, Error> {
    load_all(connection, &[id]).await?.pop().ok_or(Error::OrderNotFound)
}

/// The order as it first came to rest after this version, and why it failed if it did; none while it has not.
pub(crate) async fn as_it_rested(
    database: &Database,
    id: OrderId,
    version: i32,
) -> Result<Option<(Order, Option<Failure>)>, Error> {
    let mut connection = database.pool().acquire().await?;
    let entries = journal::of_orders(&mut connection, &[id]).await?.remove(&id).unwrap_or_default();
    let rested = |entry: &journal::Entry| entry.version > version && !entry.state.is_under_way();
    let Some(end) = entries.iter().position(rested) else { return Ok(None) };
    let then = Rebuilt::of(&entries[..=end]).map_err(|wrong| sqlx::Error::Decode(wrong.into()))?;
    let mut order = load_in(&mut connection, id).await?;
    order.status = then.state;
    order.version = then.version;
    order.hold_expires_at = then.hold_expires_at.filter(|_| then.state == OrderState::AwaitingPayment);
    order.paid_at = then.paid_at;
    order.failure = then.failure.clone().map(Into::into);
    order.sub_orders = if then.paid_at.is_some() { sub_order::split(&order) } else { Vec::new() };
    Ok(Some((order, then.failure)))
}

/// Loads those of these orders that there are, in no order.
pub(crate) async fn load_all(
    connection: &mut sqlx::PgConnection,
    ids: &[OrderId],
) -> Result<Vec<Order>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: OrderId", number, state, version, currency, total, refunded, cart_id AS "cart_id: CartId", email,
                  shipping_address AS "shipping_address: Json<Address>",
                  billing_address AS "billing_address: Json<Address>", failure AS "failure: Json<Failure>",
                  hold_expires_at, placed_at, paid_at
           FROM orders.orders WHERE id = ANY($1)"#,
        &platform::id::uuids(ids),
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut lines = lines(&mut *connection, ids).await?;
    let mut sub_orders = sub_order::of_orders(connection, ids).await?;
    rows.into_iter()
        .map(|row| {
            let currency: Currency =
                row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            let status = OrderState::stored(&row.state)?;
            let lines = lines.remove(&row.id).unwrap_or_default();
            Ok(Order {
                id: row.id,
                number: row.number,
                status,
                version: row.version,
                cart_id: row.cart_id,
                email: row.email.and_then(|email| email.parse().ok()),
                lines: lines.iter().map(|line| line.of(currency)).collect(),
                total: Money::new(row.total, currency),
                refunded: Money::new(row.refunded, currency),
                sub_orders: sub_orders.remove(&row.id).unwrap_or_default(),
                shipping_address: row.shipping_address.map(|address| address.0),
                billing_address: row.billing_address.map(|address| address.0),
                failure: row.failure.map(|Json(failure)| failure.into()),
                next_action: None,
                hold_expires_at: row.hold_expires_at.filter(|_| status == OrderState::AwaitingPayment),
                placed_at: row.placed_at,
                paid_at: row.paid_at,
            })
        })
        .collect()
}

/// A line as it stands in the table and in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredLine {
    pub(crate) position: i32,
    pub(crate) store_id: StoreId,
    pub(crate) product_id: ProductId,
    pub(crate) variant_id: VariantId,
    pub(crate) sku: Option<String>,
    pub(crate) title: String,
    pub(crate) variant_title: Option<String>,
    pub(crate) quantity: i32,
    pub(crate) unit_price: i64,
    pub(crate) total: i64,
    /// What the marketplace takes of it, and the tax on that. Nothing in journals of before there was commission. Buyers
    /// do not see it.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub(crate) commission: i64,
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub(crate) commission_tax: i64,
    /// By which rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commission_rule: Option<CommissionRuleId>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
const fn is_nothing(amount: &i64) -> bool {
    *amount == 0
}

impl StoredLine {
    /// The line as it is read, of an order in this currency.
    pub(crate) fn of(&self, currency: Currency) -> OrderLine {
        OrderLine {
            position: self.position,
            store_id: self.store_id,
            product_id: self.product_id,
            variant_id: self.variant_id,
            sku: self.sku.clone(),
            title: self.title.clone(),
            variant_title: self.variant_title.clone(),
            quantity: self.quantity,
            unit_price: Money::new(self.unit_price, currency),
            total: Money::new(self.total, currency),
        }
    }
}

/// The lines of these orders, each order's in their places.
pub(crate) async fn lines(
    connection: &mut sqlx::PgConnection,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, Vec<StoredLine>>, Error> {
    let rows = sqlx::query!(
        r#"SELECT order_id AS "order_id: OrderId", position, store_id AS "store_id: StoreId",
                  product_id AS "product_id: ProductId", variant_id AS "variant_id: VariantId", sku, title,
                  variant_title, quantity, unit_price, total, commission, commission_tax,
                  commission_rule AS "commission_rule: CommissionRuleId"
           FROM orders.order_lines WHERE order_id = ANY($1) ORDER BY order_id, position"#,
        &platform::id::uuids(orders),
    )
    .fetch_all(connection)
    .await?;
    let mut lines: HashMap<OrderId, Vec<StoredLine>> = HashMap::with_capacity(orders.len());
    for row in rows {
        lines.entry(row.order_id).or_default().push(StoredLine {
            position: row.position,
            store_id: row.store_id,
            product_id: row.product_id,
            variant_id: row.variant_id,
            sku: row.sku,
            title: row.title,
            variant_title: row.variant_title,
            quantity: row.quantity,
            unit_price: row.unit_price,
            total: row.total,
            commission: row.commission,
            commission_tax: row.commission_tax,
            commission_rule: row.commission_rule,
        });
    }
    Ok(lines)
}
