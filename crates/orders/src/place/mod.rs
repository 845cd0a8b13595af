//! Placing orders, many in one transaction: the queue "orders.place".
//!
//! Nothing that a buyer can send makes such a transaction fail: whoever is refused is told so, and the rest is written.
mod carts;
mod write;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use carts::Carts;
use identity::Actor;
use payments::PaymentId;
use platform::Money;
use platform::batch::Work;
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Instrument;
use write::{Row, write};

use crate::completion::{self, Outcome, Purchase};
use crate::pricing::{self, Priced};
use crate::{CartId, Checkout, Error, Order, OrderId, OrderState, Parts, idempotency};

/// A checkout that waits to be written.
pub(crate) struct Placing {
    pub(crate) actor: Actor,
    pub(crate) checkout: Checkout,
    /// The cart, if it is known by its id; else the one that the actor's token opens.
    pub(crate) cart: Option<CartId>,
    pub(crate) fingerprint: Vec<u8>,
    /// The id that the order will have.
    pub(crate) order: OrderId,
    pub(crate) payment: Option<PaymentId>,
    /// One of the purchases that may be under way at a time; taken along until it is settled.
    pub(crate) permit: std::sync::Mutex<Option<OwnedSemaphorePermit>>,
}

/// What became of a checkout.
pub(crate) enum Placed {
    /// It is written, and goes on by itself. The end is told to whoever listens.
    Written(OrderId, oneshot::Receiver<Result<Outcome, Error>>),
    /// The key was used before, for this cart.
    Duplicate(CartId),
}

/// Writes orders.
pub(crate) struct Place(pub(crate) Arc<Parts>);

#[async_trait]
impl Work for Place {
    type Item = Placing;
    type Answer = Result<Placed, Error>;

    async fn serve(&self, items: &[Placing]) -> Result<Vec<Self::Answer>, sqlx::Error> {
        let parts = &self.0;
        let mut tx = parts.database.begin_batch().await?;
        let carts = Carts::load(&mut tx, items).await?;
        let market = match pricing::Market::look(parts, carts.variants()).await {
            Ok(market) => market,
            Err(Error::Database(error)) => return Err(error),
            // Others' refusals are told to everybody who asked.
            Err(error) => return Ok(told_all(items, &error)),
        };
        let mut usable = match usable(parts, items).await {
            Ok(usable) => usable,
            Err(payments::Error::Database(error)) => return Err(error),
            Err(error) => return Ok(told_all(items, &error.into())),
        };
        let now = parts.sources.now();
        let mut answers: Vec<Option<Self::Answer>> = Vec::with_capacity(items.len());
        let mut drafts = Vec::with_capacity(items.len());
        let mut refused = Vec::new();
        for (place, item) in items.iter().enumerate() {
            answers.push(None);
            let usable = usable.remove(&place).unwrap_or(Ok(()));
            match draft(place, item, usable, &carts, &market, now) {
                Ok(draft) => match parts.waiting_room.check(&item.actor, &draft.priced.products()).await {
                    Ok(()) => drafts.push(draft),
                    Err(error) => refused.push((place, draft.cart, error.into())),
                },
                Err((None, error)) => answers[place] = Some(Err(error)),
                Err((Some(cart), error)) => refused.push((place, cart, error)),
            }
        }
        answer_refused(parts, items, refused, &mut answers).await?;
        let numbers = if drafts.is_empty() {
            HashMap::new()
        } else {
            // Everybody in the same order, so that two nodes never wait for each other in a circle.
            drafts.sort_by_key(|draft| draft.cart);
            let rows: Vec<Row<'_>> = drafts.iter().map(|draft| (draft, &items[draft.place])).collect();
            write(parts, tx, &rows, now).await?
        };
        finish(parts, items, drafts, &numbers, now, &mut answers);
        Ok(answers.into_iter().map(|answer| answer.unwrap_or(Err(Error::CartChanged))).collect())
    }
}

/// Whether what the checkouts at these places are to be paid with can be charged.
async fn usable(
    parts: &Parts,
    items: &[Placing],
) -> Result<HashMap<usize, Result<(), payments::Error>>, payments::Error> {
    let (places, wanted): (Vec<_>, Vec<_>) = items
        .iter()
        .enumerate()
        .filter_map(|(place, item)| Some((place, (item.checkout.means.as_ref()?, item.actor.user_id()))))
        .unzip();
    Ok(places.into_iter().zip(parts.payments.check(&wanted).await?).collect())
}

/// The same refusal for everybody.
fn told_all(items: &[Placing], error: &Error) -> Vec<Result<Placed, Error>> {
    tracing::error!(%error, checkouts = items.len(), "the catalogue, the inventory or the payments refused to be read");
    items.iter().map(|_| Err(Error::Unavailable)).collect()
}

/// An order about to be written.
struct Draft {
    /// Its checkout's place in the batch.
    place: usize,
    cart: CartId,
    cart_version: i64,
    token_hash: Vec<u8>,
    priced: Priced,
}

/// Decides whether a checkout can be written, as far as can be seen without writing.
fn draft(
    place: usize,
    item: &Placing,
    usable: Result<(), payments::Error>,
    carts: &Carts,
    market: &pricing::Market,
    now: OffsetDateTime,
) -> Result<Draft, (Option<CartId>, Error)> {
    let (row, lines) = carts.of(item).ok_or((None, Error::CartNotFound))?;
    let refuse = |error| (Some(row.id), error);
    row.check_open(now).map_err(refuse)?;
    if let Err(error) = usable {
        return Err(refuse(error.into()));
    }
    let priced = market.price(row, lines, now).map_err(refuse)?;
    Ok(Draft { place, cart: row.id, cart_version: row.version, token_hash: row.token_hash.clone(), priced })
}

/// A refusal is given only to a checkout that is new: one that was answered before gets that answer.
async fn answer_refused(
    parts: &Parts,
    items: &[Placing],
    refused: Vec<(usize, CartId, Error)>,
    answers: &mut [Option<Result<Placed, Error>>],
) -> Result<(), sqlx::Error> {
    if refused.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> =
        refused.iter().map(|(place, cart, _)| (cart.uuid(), items[*place].checkout.key.as_str())).collect();
    let used = idempotency::used(&parts.database, &keys).await?;
    for (place, cart, error) in refused {
        let known = used.contains(&(cart.uuid(), items[place].checkout.key.as_str().to_owned()));
        answers[place] = Some(if known { Ok(Placed::Duplicate(cart)) } else { Err(error) });
    }
    Ok(())
}

/// The purchase that goes on from here.
fn purchase(draft: Draft, item: &Placing, number: String, now: OffsetDateTime) -> Purchase {
    let (currency, checkout) = (draft.priced.total.currency, &item.checkout);
    let order = Order {
        id: item.order,
        number,
        status: OrderState::Pending,
        version: 1,
        cart_id: Some(draft.cart),
        email: Some(checkout.email.clone()),
        lines: draft.priced.lines.into_iter().map(|line| line.of(currency)).collect(),
        total: draft.priced.total,
        refunded: Money::zero(currency),
        sub_orders: Vec::new(),
        shipping_address: Some(checkout.shipping_address.clone()),
        billing_address: checkout.billing_address.clone(),
        failure: None,
        next_action: None,
        hold_expires_at: None,
        placed_at: now,
        paid_at: None,
    };
    Purchase {
        user: item.actor.user_id(),
        payment: item.payment.zip(checkout.means.clone()).map(|(id, means)| (id, Some(means))),
        limits: draft.priced.limits,
        order,
        hold_expires_at: None,
    }
}

/// Answers everybody; what was written goes on in a task of its own, whether or not somebody still listens.
fn finish(
    parts: &Arc<Parts>,
    items: &[Placing],
    drafts: Vec<Draft>,
    numbers: &HashMap<OrderId, String>,
    now: OffsetDateTime,
    answers: &mut [Option<Result<Placed, Error>>],
) {
    for draft in drafts {
        let item = &items[draft.place];
        let Some(number) = numbers.get(&item.order) else {
            // Its key or its cart was somebody else's: the caller finds out which.
            answers[draft.place] = Some(Ok(Placed::Duplicate(draft.cart)));
            continue;
        };
        let place = draft.place;
        let purchase = purchase(draft, item, number.clone(), now);
        let (ended, end) = oneshot::channel();
        let (parts_of_it, order) = (Arc::clone(parts), item.order);
        let permit = item.permit.lock().map_or(None, |mut permit| permit.take());
        // Boxed, as it is large and would be moved from hand to hand.
        let run = Box::pin(async move {
            let outcome = completion::complete(&parts_of_it, purchase).await;
            drop(permit);
            // Whoever waited may have gone away.
            let _ = ended.send(outcome);
        });
        parts.tasks.spawn(run.in_current_span());
        answers[place] = Some(Ok(Placed::Written(order, end)));
    }
}
