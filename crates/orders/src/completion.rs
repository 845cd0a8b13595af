//! The one completion path: waiting and asynchronous checkout, a later payment and the recovery job all enter
//! [`complete`]. Each step is an idempotent command, so that whoever comes second changes nothing; a crash
//! between any two leaves an order that is `pending` and past its deadline, for [`crate::recovery`] to take up.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::VariantId;
use identity::UserId;
use inventory::{BuyerKey, Limit, Line, ReservationId, Reserve};
use payments::{Charge, Payment, PaymentId, PaymentMeans, PaymentState};
use platform::{Quantity, fault};
use time::OffsetDateTime;

use crate::settle::{End, Settling};
use crate::{Error, Failure, Order, OrderEventKind, OrderId, OrderState, Parts, order, sub_order};

/// A pending order, with what is needed to carry it on.
pub(crate) struct Purchase {
    /// As it stands.
    pub(crate) order: Order,
    pub(crate) user: Option<UserId>,
    /// The payment of the attempt that runs, and what is charged; the buyer pays elsewhere if there is none.
    /// Without a payment the order will await one.
    pub(crate) payment: Option<(PaymentId, Option<PaymentMeans>)>,
    /// How many of a product one buyer may have, where there is a limit.
    pub(crate) limits: HashMap<VariantId, Limit>,
    /// Until when it holds its stock, if it awaited payment before.
    pub(crate) hold_expires_at: Option<OffsetDateTime>,
}

/// What a purchase came to.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The order is paid, or awaits payment.
    Done(Box<Order>),
    /// It was given up, the attempt to pay failed, or the provider does not answer.
    Failed(Failure),
}

impl Outcome {
    /// Whether the order does not go on by itself.
    pub(crate) fn is_at_rest(&self) -> bool {
        match self {
            Self::Done(order) => !order.status.is_under_way(),
            Self::Failed(failure) => failure.code != platform::Code::Unavailable,
        }
    }
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
    let Some((payment, means)) = &purchase.payment else {
        return Ok(End::awaits_payment(first_hold, None));
    };
    let payment = match take_money(parts, purchase, *payment, means.as_ref()).await {
        Ok(payment) => payment,
        Err(payments::Error::ProviderUnavailable) => return Ok(delayed(parts, Some(unanswered(purchase)))),
        Err(error) => return Err(error.into()),
    };
    let now = parts.sources.now();
    match payment.state {
        // The stock has no end to its hold: it is sold once the order is paid, by whoever hears of that.
        PaymentState::Succeeded => Ok(End::paid()),
        PaymentState::Created | PaymentState::Processing | PaymentState::Authorized => {
            Ok(delayed(parts, None))
        }
        PaymentState::RequiresAction => {
            let until = purchase.hold_expires_at.unwrap_or(first_hold).max(now + TIME_TO_ACT);
            parts.inventory.extend(reservation, Some(until)).await?;
            Ok(End::awaits_payment(until, None))
        }
        PaymentState::Declined(_) | PaymentState::Voided => {
            let failure = Failure::unpaid(payment.state, means.as_ref());
            match purchase.hold_expires_at {
                Some(until) if until > now => {
                    parts.inventory.extend(reservation, Some(until)).await?;
                    Ok(End::awaits_payment(until, Some(failure)))
                }
                _ => {
                    parts.inventory.release(reservation).await?;
                    Ok(End::given_up(OrderEventKind::Rejected, failure))
                }
            }
        }
    }
}

/// However late it is, a buyer has so long for a challenge that their bank asks of them.
const TIME_TO_ACT: time::Duration = time::Duration::minutes(5);

fn delayed(parts: &Parts, failure: Option<Failure>) -> End {
    End::delayed(parts.sources.now() + parts.settings.step_deadline, failure)
}

/// What the buyer is told while the provider does not answer.
fn unanswered(purchase: &Purchase) -> Failure {
    Failure::unanswered(purchase.order.id)
}

/// Charges the means of payment, or asks how the payment stands that the buyer makes elsewhere.
async fn take_money(
    parts: &Parts,
    purchase: &Purchase,
    id: PaymentId,
    means: Option<&PaymentMeans>,
) -> Result<Payment, payments::Error> {
    match means {
        Some(means) => {
            let Order { id: order, total, .. } = &purchase.order;
            let (order, amount) = (order.uuid(), *total);
            let return_url = parts.settings.return_url(purchase.order.id);
            let charge = Charge { id, order, amount, means, return_url: return_url.as_deref() };
            parts.payments.charge(charge).await
        }
        None => parts.payments.look(id).await,
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
    if purchase.hold_expires_at.is_some() || purchase.order.status == OrderState::PaymentPending {
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
        Some(state @ (PaymentState::Declined(_) | PaymentState::Voided)) => {
            let means = purchase.payment.as_ref().and_then(|(_, means)| means.as_ref());
            Ok(End::given_up(OrderEventKind::Rejected, Failure::unpaid(state, means)))
        }
        // They paid on a page or after a challenge, and too late: the stock is gone.
        Some(PaymentState::Succeeded) if let Some((id, None)) = &purchase.payment => {
            parts.payments.give_back(*id).await?;
            Ok(End::given_up(OrderEventKind::Expired, Failure::paid_too_late()))
        }
        None if purchase.hold_expires_at.is_some() || purchase.payment.is_none() => {
            Ok(End::given_up(OrderEventKind::Expired, Failure::expired()))
        }
        None => Ok(End::given_up(OrderEventKind::Rejected, Failure::reservation_lost())),
        Some(_) => {
            tracing::error!(order = %purchase.order.id, "a payment stands although the stock was given back");
            Err(inventory::Error::Released.into())
        }
    }
}

/// Writes how the order came to rest; whoever writes first decides, the others read it.
async fn finish(parts: &Parts, purchase: Purchase, mut end: End) -> Result<Outcome, Error> {
    let id = purchase.order.id;
    if end.kind == OrderEventKind::PaymentDelayed && purchase.order.status == OrderState::PaymentPending {
        // As it was.
        return Ok(end.failure.map_or_else(|| Outcome::Done(Box::new(purchase.order)), Outcome::Failed));
    }
    end.payment = purchase.payment.as_ref().map(|(id, _)| *id).filter(|_| end.kind == OrderEventKind::Paid);
    let settling = Settling::new(purchase.order, end, parts.sources.now())?;
    let (order, failure) = (Arc::clone(&settling.order), settling.end.failure.clone());
    if !parts.settling.call_in_turn(settling).await? {
        return rest(parts, id).await;
    }
    fault::point("orders.settle.answered");
    match failure {
        Some(failure) => Ok(Outcome::Failed(failure)),
        None => {
            let order = Arc::unwrap_or_clone(order);
            Ok(Outcome::Done(Box::new(order::with_next_action(parts, order).await?)))
        }
    }
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
pub(crate) fn moved(mut order: Order, end: &End, now: OffsetDateTime) -> Result<Order, Error> {
    order.status = end.kind.leads(Some(order.status)).ok_or(Error::WrongState(order.status))?;
    order.version += 1;
    order.failure = end.failure.clone().map(Into::into);
    order.hold_expires_at = end.hold;
    if end.kind == OrderEventKind::Paid {
        order.paid_at = Some(now);
        order.sub_orders = sub_order::split(&order);
    }
    Ok(order)
}
