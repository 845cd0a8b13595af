//! Checkout: from a cart to a written order ([`crate::place`]), and the answer to whoever asked. What follows is in
//! [`crate::completion`].

use std::sync::{Arc, Mutex};

use identity::Actor;
use payments::PaymentMeans;
use platform::{Email, fault};
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant, sleep};

use crate::completion::Outcome;
use crate::idempotency::{self, Known, fingerprint};
use crate::place::{Placed, Placing};
use crate::settle::{End, Settling};
use crate::{
    Address, CartId, Error, Failure, IdempotencyKey, Order, OrderEventKind, OrderId, OrderState, Parts,
    Service, cart, order,
};

/// What a buyer sends to buy a cart.
#[derive(Clone, Debug)]
pub struct Checkout {
    /// The cart; none: the basket that the actor uses.
    pub cart_id: Option<CartId>,
    /// The client's name for this attempt.
    pub key: IdempotencyKey,
    /// Whom to write to.
    pub email: Email,
    /// Where it goes.
    pub shipping_address: Address,
    /// Who is billed, if not the same.
    pub billing_address: Option<Address>,
    /// How it is paid. Without it the order awaits payment and holds its stock for a while.
    pub means: Option<PaymentMeans>,
}

impl Checkout {
    fn fingerprint(&self) -> Vec<u8> {
        let input = (&self.email, &self.shipping_address, &self.billing_address, &self.means);
        fingerprint("checkout", &input)
    }
}

/// The answer to a request that may have been sent before.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The order as it was when the request was first answered.
    pub order: Order,
    /// Whether this is a repetition.
    pub replayed: bool,
}

/// An order that is written, and goes on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The order.
    pub order_id: OrderId,
    /// Whether this is a repetition.
    pub replayed: bool,
}

/// Buys a cart and waits for what becomes of it.
pub(crate) async fn checkout(service: &Service, actor: &Actor, checkout: Checkout) -> Result<Answer, Error> {
    let (key, print) = (checkout.key.clone(), checkout.fingerprint());
    match place(service, actor, checkout, print.clone()).await? {
        Placed::Written(order, end) => answer(order, end).await,
        Placed::Duplicate(cart) => replay(service, actor, cart, &key, &print).await,
    }
}

/// Buys a cart; comes back as soon as the order is written.
pub(crate) async fn accept(service: &Service, actor: &Actor, checkout: Checkout) -> Result<Accepted, Error> {
    let (key, print) = (checkout.key.clone(), checkout.fingerprint());
    match place(service, actor, checkout, print.clone()).await? {
        Placed::Written(order_id, _) => Ok(Accepted { order_id, replayed: false }),
        Placed::Duplicate(cart) => {
            let (order_id, _) = known(service, actor, cart, &key, &print).await?;
            Ok(Accepted { order_id, replayed: true })
        }
    }
}

async fn place(
    service: &Service,
    actor: &Actor,
    checkout: Checkout,
    fingerprint: Vec<u8>,
) -> Result<Placed, Error> {
    let parts = &service.parts;
    let permit = Arc::clone(&service.under_way).try_acquire_owned().map_err(|_| Error::Busy)?;
    let cart = match checkout.cart_id {
        Some(cart) => Some(cart),
        // A guest has the one cart that their token opens; an account may have several.
        None if actor.user_id().is_some() => {
            Some(cart::basket(parts, actor, Some(&checkout.key)).await?.ok_or(Error::CartNotFound)?)
        }
        None if actor.cart_token_hash().is_none() => return Err(Error::CartNotFound),
        None => None,
    };
    let placing = Placing {
        actor: actor.clone(),
        cart,
        fingerprint,
        order: parts.sources.id(),
        payment: checkout.means.is_some().then(|| parts.sources.id()),
        checkout,
        permit: Mutex::new(Some(permit)),
    };
    match service.placing.call(placing).await? {
        Err(error) => Err(cart::explain(parts, error).await),
        Ok(placed) => Ok(placed),
    }
}

/// The answer to whoever had an order carried to its end.
pub(crate) async fn answer(
    order: OrderId,
    end: oneshot::Receiver<Result<Outcome, Error>>,
) -> Result<Answer, Error> {
    match end.await {
        Ok(Ok(Outcome::Done(order))) => Ok(Answer { order: *order, replayed: false }),
        Ok(Ok(Outcome::Failed(failure))) => Err(Error::Failed { failure, replayed: false }),
        Ok(Err(error)) => {
            tracing::warn!(%order, %error, "a purchase could not be carried to its end; recovery takes it up");
            Err(Error::Unfinished(order))
        }
        // Its task broke down.
        Err(_) => Err(Error::Unfinished(order)),
    }
}

/// The order that is worked on under a key, and its version when that began.
async fn known(
    service: &Service,
    actor: &Actor,
    cart: CartId,
    key: &IdempotencyKey,
    fingerprint: &[u8],
) -> Result<(OrderId, i32), Error> {
    let parts = &service.parts;
    match idempotency::look(&parts.database, cart.uuid(), key, fingerprint).await? {
        Known::Order(order, version) => Ok((order, version)),
        Known::Done => Err(Error::KeyReused),
        Known::Free => {
            // Not a repetition: somebody else bought the cart or changed it at the same moment.
            let row = cart::authorized(parts, actor, cart).await?;
            let error = row.check_open(parts.sources.now()).err().unwrap_or(Error::CartChanged);
            Err(cart::explain(parts, error).await)
        }
    }
}

async fn replay(
    service: &Service,
    actor: &Actor,
    cart: CartId,
    key: &IdempotencyKey,
    fingerprint: &[u8],
) -> Result<Answer, Error> {
    let (order, version) = known(service, actor, cart, key, fingerprint).await?;
    wait_for_rest(service, order, version).await
}

/// Answers like the request that began to carry the order on at this version, once it has come to rest.
pub(crate) async fn wait_for_rest(service: &Service, order: OrderId, version: i32) -> Result<Answer, Error> {
    let parts = &service.parts;
    let give_up = Instant::now() + parts.settings.duplicate_wait;
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some((order, failure)) = order::as_it_rested(&parts.database, order, version).await? {
            return match failure {
                Some(failure) => Err(Error::Failed { failure, replayed: true }),
                None => Ok(Answer { order: order::with_next_action(parts, order).await?, replayed: true }),
            };
        }
        let order_now = order::load(&parts.database, order).await?;
        if order_now.status == OrderState::PaymentPending {
            return match order_now.failure {
                Some(_) => Err(Error::Failed { failure: Failure::unanswered(order), replayed: false }),
                None => Ok(Answer { order: order_now, replayed: true }),
            };
        }
        if Instant::now() >= give_up {
            return Err(Error::KeyInUse);
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// Calls an order off that awaits payment.
pub(crate) async fn cancel(service: &Service, actor: &Actor, id: OrderId) -> Result<Order, Error> {
    let parts = &service.parts;
    order::authorize(parts, actor, id).await?;
    let order = order::load(&parts.database, id).await?;
    let cancelled = match order.status {
        OrderState::Cancelled => order,
        OrderState::AwaitingPayment => settle_cancelled(parts, order).await?,
        other => return Err(Error::WrongState(other)),
    };
    // Should this fail, whoever asks again has it done; and the hold ends by itself at its time.
    fault::point("orders.cancel.settled");
    parts.inventory.release(inventory::ReservationId::from(id.uuid())).await?;
    fault::point("orders.cancel.released");
    Ok(cancelled)
}

async fn settle_cancelled(parts: &Parts, order: Order) -> Result<Order, Error> {
    let id = order.id;
    let settling = Settling::new(order, End::of(OrderEventKind::Cancelled), parts.sources.now())?;
    let cancelled = Arc::clone(&settling.order);
    fault::point("orders.cancel.before_settling");
    if parts.settling.call_in_turn(settling).await? {
        return Ok(Arc::unwrap_or_clone(cancelled));
    }
    // Somebody was first: with the same, or with another thing.
    let order = order::load(&parts.database, id).await?;
    if order.status == OrderState::Cancelled { Ok(order) } else { Err(Error::WrongState(order.status)) }
}
