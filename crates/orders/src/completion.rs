//! The one completion path: waiting and asynchronous checkout, a later payment and the recovery job all enter
//! [`complete`]. Each step is an idempotent command, so that whoever comes second changes nothing; a crash
//! between any two leaves an order that is `pending` and past its deadline, for [`crate::recovery`] to take up.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::VariantId;
use identity::UserId;
use inventory::{BuyerKey, Limit, Line, ReservationId, Reserve};
use payments::{Charge, PaymentId, PaymentState, PaymentToken};
use platform::{Quantity, fault};
use time::OffsetDateTime;

use crate::settle::Settling;
use crate::{Error, Failure, Order, OrderEventKind, OrderId, OrderState, Parts, order, sub_order};

/// A pending order, with what is needed to carry it on.
pub(crate) struct Purchase {
    /// As it stands.
    pub(crate) order: Order,
    pub(crate) user: Option<UserId>,
    /// The payment of the attempt that runs. Without one the order will await payment.
    pub(crate) payment: Option<(PaymentId, PaymentToken)>,
    /// How many of a product one buyer may have, where there is a limit.
    pub(crate) limits: HashMap<VariantId, Limit>,
    /// Until when it holds its stock, if it awaited payment before.
    pub(crate) hold_expires_at: Option<OffsetDateTime>,
}

/// How an attempt to carry an order on ends.
struct End {
    kind: OrderEventKind,
    failure: Option<Failure>,
    /// Until when the stock is held.
    hold: Option<OffsetDateTime>,
}

impl End {
    const fn paid() -> Self {
        Self { kind: OrderEventKind::Paid, failure: None, hold: None }
    }

    const fn given_up(kind: OrderEventKind, failure: Failure) -> Self {
        Self { kind, failure: Some(failure), hold: None }
    }

    const fn awaits_payment(hold: OffsetDateTime, failure: Option<Failure>) -> Self {
        Self { kind: OrderEventKind::AwaitingPayment, failure, hold: Some(hold) }
    }
}

/// What a purchase came to.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The order is paid, or awaits payment.
    Done(Box<Order>),
    /// It was given up, or the attempt to pay failed.
    Failed(Failure),
}

/// Carries a pending order to where it comes to rest.
pub(crate) async fn complete(parts: &Parts, purchase: Purchase) -> Result<Outcome, Error> {
    let end = carry_on(parts, &purchase).await?;
    finish(parts, purchase, end).await
}

async fn carry_on(parts: &Parts, purchase: &Purchase) -> Result<End, Error> {
    let reservation = ReservationId::from(purchase.order.id.uuid());
    let first_hold = purchase.order.placed_at + parts.settings.payment_hold;
    match hold_stock(parts, purchase, reservation, first_hold).await {
        Ok(()) => {}
        Err(inventory::Error::OutOfStock(shortages)) => {
            return Ok(End::given_up(OrderEventKind::Rejected, Failure::out_of_stock(&shortages)));
        }
        Err(inventory::Error::PurchaseLimit(excess)) => {
            return Ok(End::given_up(OrderEventKind::Rejected, Failure::over_limit(&excess)));
        }
        Err(inventory::Error::Released) => return after_release(parts, purchase).await,
        Err(error) => return Err(error.into()),
    }
    let Some((payment, token)) = &purchase.payment else {
        return Ok(End::awaits_payment(first_hold, None));
    };
    let charge =
        Charge { id: *payment, order: purchase.order.id.uuid(), amount: purchase.order.total, token };
    match parts.payments.charge(charge).await?.state {
        // The stock has no end to its hold: it is sold once the order is paid, by whoever hears of that.
        PaymentState::Succeeded => Ok(End::paid()),
        PaymentState::Declined(code) => match purchase.hold_expires_at {
            Some(until) if until > parts.sources.now() => {
                parts.inventory.extend(reservation, Some(until)).await?;
                Ok(End::awaits_payment(until, Some(Failure::declined(code))))
            }
            _ => {
                parts.inventory.release(reservation).await?;
                Ok(End::given_up(OrderEventKind::Rejected, Failure::declined(code)))
            }
        },
        PaymentState::Created => Err(payments::Error::ProviderUnavailable.into()),
    }
}

/// Speaks for the stock. While a payment runs the hold has no end, so that nothing is paid that is not there; an order
/// that awaits its payment holds its stock for a while.
async fn hold_stock(
    parts: &Parts,
    purchase: &Purchase,
    id: ReservationId,
    first_hold: OffsetDateTime,
) -> Result<(), inventory::Error> {
    if purchase.hold_expires_at.is_some() {
        return parts.inventory.extend(id, None).await;
    }
    let order = &purchase.order;
    let lines = order.lines.iter().filter_map(|line| {
        let quantity = Quantity::try_from(i64::from(line.quantity)).ok()?;
        Some(Line {
            limit: purchase.limits.get(&line.variant_id).copied(),
            ..Line::new(line.variant_id, quantity)
        })
    });
    let buyers = purchase
        .user
        .map(BuyerKey::of_user)
        .into_iter()
        .chain(order.email.as_ref().map(BuyerKey::of_email))
        .collect();
    parts
        .inventory
        .reserve(Reserve {
            id,
            lines: lines.collect(),
            buyers,
            destination: order.shipping_address.as_ref().map(|address| address.country.clone()),
            expires_at: purchase.payment.is_none().then_some(first_hold),
        })
        .await
}

/// The stock was given back: by an earlier run that crashed before it could say so, which it only does when the payment
/// was declined; or because nobody paid in time.
async fn after_release(parts: &Parts, purchase: &Purchase) -> Result<End, Error> {
    let payment = match &purchase.payment {
        Some((id, _)) => parts.payments.payments(&[*id]).await?.remove(id),
        None => None,
    };
    match payment.map(|payment| payment.state) {
        Some(PaymentState::Declined(code)) => {
            Ok(End::given_up(OrderEventKind::Rejected, Failure::declined(code)))
        }
        None if purchase.hold_expires_at.is_some() || purchase.payment.is_none() => {
            Ok(End::given_up(OrderEventKind::Expired, Failure::expired()))
        }
        None => Ok(End::given_up(OrderEventKind::Rejected, Failure::reservation_lost())),
        Some(PaymentState::Created | PaymentState::Succeeded) => {
            tracing::error!(order = %purchase.order.id, "a payment stands although the stock was given back");
            Err(inventory::Error::Released.into())
        }
    }
}

/// Writes how the order came to rest; whoever writes first decides, the others read it.
async fn finish(parts: &Parts, purchase: Purchase, end: End) -> Result<Outcome, Error> {
    let payment = purchase.payment.as_ref().map(|(id, _)| *id).filter(|_| end.kind == OrderEventKind::Paid);
    let id = purchase.order.id;
    let settling =
        Settling::new(purchase.order, end.kind, end.failure, end.hold, payment, parts.sources.now())?;
    let order = Arc::clone(&settling.order);
    let failure = settling.failure.clone();
    if !parts.settling.call_in_turn(settling).await? {
        return rest(parts, id).await;
    }
    fault::point("orders.settle.answered");
    Ok(failure.map_or_else(|| Outcome::Done(Box::new(Arc::unwrap_or_clone(order))), Outcome::Failed))
}

/// The outcome of an order that came to rest by somebody else's doing.
async fn rest(parts: &Parts, id: OrderId) -> Result<Outcome, Error> {
    let failure = sqlx::query_scalar!(
        r#"SELECT failure AS "failure: sqlx::types::Json<Failure>" FROM orders.orders WHERE id = $1"#,
        id.uuid(),
    )
    .fetch_one(parts.database.pool())
    .await?;
    let order = order::load(&parts.database, id).await?;
    match (failure, order.status) {
        (_, OrderState::Pending) => Err(Error::KeyInUse),
        (Some(failure), _) => Ok(Outcome::Failed(failure.0)),
        (None, _) => Ok(Outcome::Done(Box::new(order))),
    }
}

/// The order as it is after this has happened to it.
pub(crate) fn moved(
    mut order: Order,
    kind: OrderEventKind,
    failure: Option<&Failure>,
    hold: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<Order, Error> {
    order.status = kind.leads(Some(order.status)).ok_or(Error::WrongState(order.status))?;
    order.version += 1;
    order.failure = failure.cloned().map(Into::into);
    order.hold_expires_at = hold;
    if kind == OrderEventKind::Paid {
        order.paid_at = Some(now);
        order.sub_orders = sub_order::split(&order);
    }
    Ok(order)
}
