//! Money that comes by itself: the buyer pays on the provider's page or answers their bank's challenge, and the provider
//! tells. It enters the one completion path ([`crate::completion`]) like any other payment.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::StoreId;
use identity::Actor;
use payments::{PageRequest, PaymentId, PaymentState, Sale, Share};
use platform::fault;
use platform::id::uuids;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::completion::complete;
use crate::events::{OrderMoved, OrdersMoved};
use crate::journal::{self, Entry, Facts};
use crate::{Error, OrderEventKind, OrderId, OrderState, Parts, order, recovery};

/// Where a buyer comes back to from the provider's page.
#[derive(Clone, Debug)]
pub struct Back {
    /// When they have paid.
    pub return_url: String,
    /// When they have changed their mind.
    pub cancel_url: String,
}

/// A page on which an order is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PaymentPage {
    /// The payment that is made on it.
    pub payment_id: PaymentId,
    /// Where the buyer goes.
    #[schema(example = "https://pay.example/c/01a1fa97")]
    pub url: String,
    /// When it closes.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

pub(crate) async fn open_page(
    parts: &Arc<Parts>,
    actor: &Actor,
    id: OrderId,
    back: Back,
) -> Result<PaymentPage, Error> {
    order::authorize(parts, actor, id).await?;
    let order = order::load(&parts.database, id).await?;
    let until = match (order.status, order.hold_expires_at) {
        (OrderState::AwaitingPayment, Some(until)) if until > parts.sources.now() => until,
        (OrderState::AwaitingPayment, _) => return Err(Error::WrongState(OrderState::Expired)),
        (other, _) => return Err(Error::WrongState(other)),
    };
    let payment = parts
        .payments
        .open_page(PageRequest {
            id: parts.sources.id(),
            order: id.uuid(),
            description: order.number,
            amount: order.total,
            email: order.email.map(|email| email.as_str().to_owned()),
            return_url: back.return_url,
            cancel_url: back.cancel_url,
            expires_at: until,
        })
        .await?;
    if payment.state == PaymentState::Succeeded {
        payment_moved(parts, id, payment.id).await?;
        return Err(Error::WrongState(order::load(&parts.database, id).await?.status));
    }
    // They have paid, and their bank takes its time.
    if payment.state != PaymentState::RequiresAction {
        return Err(Error::WrongState(OrderState::PaymentPending));
    }
    let (Some(url), Some(expires_at)) = (payment.action_url, payment.expires_at) else {
        return Err(payments::Error::ProviderUnavailable.into());
    };
    Ok(PaymentPage { payment_id: payment.id, url, expires_at })
}

pub(crate) async fn payment_moved(parts: &Arc<Parts>, id: OrderId, payment: PaymentId) -> Result<(), Error> {
    let Some(row) = sqlx::query!(
        r#"SELECT state, payment_id AS "payment_id: PaymentId" FROM orders.orders WHERE id = $1"#,
        id.uuid(),
    )
    .fetch_optional(parts.database.pool())
    .await?
    else {
        return Ok(());
    };
    let Some(now) = parts.payments.payments(&[payment]).await?.remove(&payment) else { return Ok(()) };
    let (ours, succeeded) = (row.payment_id == Some(payment), now.state == PaymentState::Succeeded);
    match OrderState::stored(&row.state)? {
        OrderState::AwaitingPayment if succeeded || (ours && now.state.is_final()) => {
            begin_and_carry_on(parts, id, payment).await?;
        }
        OrderState::PaymentPending if ours => carry_on(parts, id).await?,
        // Whoever carries it on asks about its own payment. Of another one it is not known yet whether it is needed.
        OrderState::Pending if !ours && succeeded => return Err(Error::KeyInUse),
        OrderState::Pending | OrderState::AwaitingPayment | OrderState::PaymentPending => {}
        // It came too late, or twice.
        _ if succeeded && !ours => parts.payments.give_back(payment).await?,
        OrderState::Rejected | OrderState::Expired | OrderState::Cancelled if succeeded => {
            parts.payments.give_back(payment).await?;
        }
        _ => {}
    }
    Ok(())
}

async fn begin_and_carry_on(parts: &Arc<Parts>, id: OrderId, payment: PaymentId) -> Result<(), Error> {
    if begin(parts, id, payment).await? {
        carry_on(parts, id).await?;
    }
    Ok(())
}

async fn carry_on(parts: &Arc<Parts>, id: OrderId) -> Result<(), Error> {
    if let Some(purchase) = recovery::purchase(parts, id).await? {
        complete(parts, purchase).await?;
    }
    Ok(())
}

/// Writes that the order is being paid by this payment; false if it does not await payment any more. Its hold may be over:
/// inventory decides.
async fn begin(parts: &Parts, id: OrderId, payment: PaymentId) -> Result<bool, Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let begun = sqlx::query_scalar!(
        "UPDATE orders.orders
         SET state = 'pending', version = version + 1, payment_means = NULL, payment_attempt = payment_attempt + 1,
             payment_id = $2, deadline_at = $3, updated_at = $4, failure = NULL
         WHERE id = $1 AND state = 'awaiting_payment'
         RETURNING version",
        id.uuid(),
        payment.uuid(),
        now + parts.settings.step_deadline,
        now,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(version) = begun else { return Ok(false) };
    let entry = Entry {
        order_id: id,
        version,
        kind: OrderEventKind::PaymentStarted,
        state: OrderState::Pending,
        facts: Facts { payment_id: Some(payment), ..Facts::default() },
        occurred_at: now,
    };
    journal::append(&mut tx, std::slice::from_ref(&entry)).await?;
    tx.publish(&OrdersMoved { moves: vec![OrderMoved::of(&entry)] });
    fault::point("orders.by_itself.before_commit");
    tx.commit(now).await?;
    fault::point("orders.by_itself.begun");
    Ok(true)
}

pub(crate) async fn settle_money(parts: &Parts, paid: &[OrderId], at_rest: &[OrderId]) -> Result<(), Error> {
    if !paid.is_empty() {
        parts.payments.post_sales(&sales(parts, paid).await?).await?;
        fault::point("orders.settle_money.posted");
    }
    Ok(parts.payments.void_open(&uuids(at_rest)).await?)
}

/// What each store sold in those of these orders that were paid.
pub(crate) async fn sales(parts: &Parts, ids: &[OrderId]) -> Result<Vec<Sale>, Error> {
    let mut connection = parts.database.pool().acquire().await?;
    let rows = sqlx::query!(
        r#"SELECT id AS "id: OrderId", currency, payment_id AS "payment_id: PaymentId", paid_at
           FROM orders.orders WHERE id = ANY($1)"#,
        &uuids(ids),
    )
    .fetch_all(&mut *connection)
    .await?;
    let shares = sqlx::query!(
        r#"SELECT order_id AS "order_id: OrderId", store_id AS "store_id: StoreId", sum(total)::bigint AS "amount!",
                  sum(commission)::bigint AS "commission!", sum(commission_tax)::bigint AS "commission_tax!"
           FROM orders.order_lines WHERE order_id = ANY($1) GROUP BY order_id, store_id ORDER BY order_id, store_id"#,
        &uuids(ids),
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut of_orders: HashMap<OrderId, Vec<Share>> = HashMap::with_capacity(ids.len());
    for row in shares {
        let (store, amount) = (row.store_id, row.amount);
        let share = Share { store, amount, commission: row.commission, commission_tax: row.commission_tax };
        of_orders.entry(row.order_id).or_default().push(share);
    }
    rows.into_iter()
        .filter_map(|row| {
            let (payment, at) = row.payment_id.zip(row.paid_at)?;
            let shares = of_orders.remove(&row.id)?;
            let currency = match row.currency.parse() {
                Ok(currency) => currency,
                Err(error) => return Some(Err(sqlx::Error::Decode(Box::new(error)).into())),
            };
            Some(Ok(Sale { order: row.id.uuid(), payment, currency, at, shares }))
        })
        .collect()
}
