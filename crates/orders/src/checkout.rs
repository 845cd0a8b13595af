//! Checkout: from a cart to a written order. What follows is in [`crate::completion`].

use catalog::{Offer, VariantId};
use identity::{Actor, UserId};
use payments::PaymentToken;
use platform::{Code, Email, Money};
use tokio::time::{Duration, Instant, sleep};

use crate::cart::{self, CartRow, LineRow};
use crate::completion::complete;
use crate::events::OrderPlaced;
use crate::idempotency::{self, Claim, Known, Outcome};
use crate::{Address, CartId, Error, Failure, IdempotencyKey, Order, OrderId, Parts};

/// What a buyer sends to buy a cart.
#[derive(Clone, Debug)]
pub struct Checkout {
    /// The cart.
    pub cart_id: CartId,
    /// The client's name for this attempt.
    pub key: IdempotencyKey,
    /// Whom to write to.
    pub email: Email,
    /// Where it goes.
    pub shipping_address: Address,
    /// Who is billed, if not the same.
    pub billing_address: Option<Address>,
    /// How it is paid. Without it the order awaits payment and holds its stock for a while.
    pub token: Option<PaymentToken>,
}

/// The answer to a request that may have been sent before.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The order as it was when the request was first answered.
    pub order: Order,
    /// Whether this is a repetition.
    pub replayed: bool,
}

pub(crate) async fn checkout(parts: &Parts, actor: &Actor, checkout: Checkout) -> Result<Answer, Error> {
    let row = cart::authorized(parts, actor, checkout.cart_id).await?;
    let input = (&checkout.email, &checkout.shipping_address, &checkout.billing_address, &checkout.token);
    let claim = Claim::new(checkout.cart_id.uuid(), &checkout.key, "checkout", &input);
    match idempotency::look(&parts.database, &claim).await? {
        Known::Free => {}
        known => return wait_for_duplicate(parts, &claim, known).await,
    }
    row.check_open(parts.sources.now())?;
    if let Some(token) = &checkout.token {
        parts.payments.check(token)?;
    }
    let lines = cart::lines(parts, row.id).await?;
    let priced = price(parts, &row, &lines).await?;
    match place(parts, actor, &row, &checkout, &claim, &priced).await? {
        Some(order) => answer(parts, order).await,
        None => wait_for_duplicate(parts, &claim, Known::Running).await,
    }
}

/// Carries a written order to its end and answers with it.
pub(crate) async fn answer(parts: &Parts, order: OrderId) -> Result<Answer, Error> {
    match complete(parts, order).await {
        Ok(Outcome::Done(order)) => Ok(Answer { order, replayed: false }),
        Ok(Outcome::Failed(failure)) => Err(Error::Failed { failure, replayed: false }),
        Err(error) => {
            tracing::warn!(%order, %error, "a purchase could not be carried to its end; recovery takes it up");
            Err(Error::Unfinished(order))
        }
    }
}

/// Answers like the request that had the key first, once that is answered.
pub(crate) async fn wait_for_duplicate(
    parts: &Parts,
    claim: &Claim<'_>,
    mut known: Known<Order>,
) -> Result<Answer, Error> {
    let give_up = Instant::now() + parts.settings.duplicate_wait;
    let mut pause = Duration::from_millis(5);
    loop {
        match known {
            Known::Answered(Outcome::Done(order)) => return Ok(Answer { order, replayed: true }),
            Known::Answered(Outcome::Failed(failure)) => {
                return Err(Error::Failed { failure, replayed: true });
            }
            Known::Running | Known::Free if Instant::now() >= give_up => return Err(Error::KeyInUse),
            Known::Running | Known::Free => {}
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
        known = idempotency::look(&parts.database, claim).await?;
    }
}

/// The lines of a cart that can be bought as they were shown.
struct Priced {
    lines: Vec<(Offer, LineRow, i64)>,
    total: Money,
}

/// Refuses unless every line is on sale, in stock, and at the price that the buyer was shown.
async fn price(parts: &Parts, row: &CartRow, lines: &[LineRow]) -> Result<Priced, Error> {
    let currency = row.currency().ok_or(Error::CartEmpty)?;
    if lines.is_empty() {
        return Err(Error::CartEmpty);
    }
    let (mut offers, stock) = cart::offers(parts, lines).await?;
    let mut details = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let available = stock.get(&line.variant_id).copied().unwrap_or(0);
        details.extend(cart::notes(place, line, offers.get(&line.variant_id), available));
    }
    if !details.is_empty() {
        return Err(Error::Changed(changed(details)));
    }
    let mut total = Money::zero(currency);
    let mut priced = Vec::with_capacity(lines.len());
    for line in lines {
        let offer = offers.remove(&line.variant_id).ok_or(Error::ItemUnavailable(line.variant_id))?;
        let quantity = cart::quantity(line)?;
        let sum = offer.price.checked_mul(i64::from(quantity)).ok_or(Error::TotalTooLarge)?;
        total = total.checked_add(sum).ok_or(Error::TotalTooLarge)?;
        priced.push((offer, LineRow { title: line.title.clone(), ..*line }, sum.amount));
    }
    Ok(Priced { lines: priced, total })
}

/// The gravest of the changes names the failure; the details tell of all.
fn changed(details: Vec<platform::Detail>) -> Failure {
    let has = |code: &str| details.iter().any(|detail| detail.code == code);
    let (reason, message) = if has("unavailable") {
        ("orders/item_unavailable", "something in the cart is no longer on sale")
    } else if has("out_of_stock") {
        ("inventory/out_of_stock", "not enough in stock")
    } else {
        (
            "orders/price_changed",
            "a price changed since it was put into the cart; set the line's quantity to accept it",
        )
    };
    Failure { code: Code::Conflict, reason: reason.to_owned(), message: message.to_owned(), details }
}

/// Writes the order as pending. `None` when a duplicate of this request did so.
async fn place(
    parts: &Parts,
    actor: &Actor,
    row: &CartRow,
    checkout: &Checkout,
    claim: &Claim<'_>,
    priced: &Priced,
) -> Result<Option<OrderId>, Error> {
    let (id, now) = (parts.sources.id::<Order>(), parts.sources.now());
    let mut tx = parts.database.begin().await?;
    if !idempotency::claim(&mut tx, claim, Some(id), now).await? {
        return Ok(None);
    }
    let taken = sqlx::query!(
        "UPDATE orders.carts SET order_id = $2, updated_at = $4
         WHERE id = $1 AND version = $3 AND order_id IS NULL",
        row.id.uuid(),
        id.uuid(),
        row.version,
        now,
    )
    .execute(&mut *tx)
    .await?;
    if taken.rows_affected() == 0 {
        drop(tx);
        let row = cart::authorized(parts, &Actor::system(), row.id).await?;
        return Err(row.check_open(now).err().unwrap_or(Error::CartChanged));
    }
    sqlx::query!(
        "INSERT INTO orders.orders (id, number, source, state, currency, total, placed_at, updated_at, cart_id,
             token_hash, email, shipping_address, billing_address, payment_token, payment_attempt, payment_id,
             deadline_at, user_id)
         VALUES ($1, nextval('orders.order_number')::text, 'checkout', 'pending', $2, $3, $4, $4, $5, $6, $7, $8, $9,
             $10, $11, $12, $13, $14)",
        id.uuid(),
        priced.total.currency.code(),
        priced.total.amount,
        now,
        row.id.uuid(),
        row.token_hash,
        checkout.email.as_str(),
        platform::database::json(&checkout.shipping_address),
        checkout.billing_address.as_ref().map(platform::database::json),
        checkout.token.as_ref().map(PaymentToken::as_str),
        i32::from(checkout.token.is_some()),
        checkout.token.is_some().then(|| parts.sources.id::<payments::Payment>().uuid()),
        now + parts.settings.step_deadline,
        actor.user_id().map(UserId::uuid),
    )
    .execute(&mut *tx)
    .await?;
    insert_lines(&mut tx, id, priced).await?;
    tx.publish(&OrderPlaced { order_id: id, total: priced.total });
    tx.commit(now).await?;
    metrics::counter!("souk_orders_placed_total").increment(1);
    Ok(Some(id))
}

async fn insert_lines(tx: &mut platform::Tx, id: OrderId, priced: &Priced) -> Result<(), Error> {
    let lines = &priced.lines;
    let variants: Vec<VariantId> = lines.iter().map(|(offer, ..)| offer.variant_id).collect();
    sqlx::query!(
        "INSERT INTO orders.order_lines (order_id, position, store_id, product_id, variant_id, sku, title, variant_title,
             quantity, unit_price, total)
         SELECT $1, line.* FROM unnest($2::int[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[],
             $9::int[], $10::bigint[], $11::bigint[]) AS line",
        id.uuid(),
        &(1..).take(lines.len()).collect::<Vec<i32>>(),
        &lines.iter().map(|(offer, ..)| offer.store.id.uuid()).collect::<Vec<_>>(),
        &lines.iter().map(|(offer, ..)| offer.product_id.uuid()).collect::<Vec<_>>(),
        &platform::id::uuids(&variants),
        &lines.iter().map(|(offer, ..)| offer.sku.clone()).collect::<Vec<_>>() as &[Option<String>],
        &lines.iter().map(|(offer, ..)| offer.title.clone()).collect::<Vec<_>>(),
        &lines.iter().map(|(offer, ..)| offer.variant_title.clone()).collect::<Vec<_>>() as &[Option<String>],
        &lines.iter().map(|(_, line, _)| line.quantity).collect::<Vec<_>>(),
        &lines.iter().map(|(offer, ..)| offer.price.amount).collect::<Vec<_>>(),
        &lines.iter().map(|(.., sum)| *sum).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
