//! Asking for a refund.

use std::collections::BTreeMap;

use catalog::StoreId;
use identity::{Actor, Denied, Permission, UserId};
use payments::{Destination, PaymentId, Refund, RefundId, RefundState, Refunding, Share};
use platform::{Id, fault};
use time::{Duration, OffsetDateTime};

use super::row::{self, Draft};
use super::{OrderRefund, RefundAnswer, RefundRequest, RefundTo, news, plan};
use crate::idempotency::fingerprint;
use crate::{Error, IdempotencyKey, Order, OrderId, OrderState, Parts};

/// After this long whoever asked is taken to have come to grief.
const DEADLINE: Duration = Duration::seconds(30);

/// Gives money of an order back. The key names the refund for ever: sent again it is answered with the same refund.
pub(crate) async fn refund(
    parts: &Parts,
    actor: &Actor,
    order: OrderId,
    key: &IdempotencyKey,
    request: &RefundRequest,
) -> Result<RefundAnswer, Error> {
    let print = fingerprint("refund", request);
    let id: RefundId =
        Id::derived(OffsetDateTime::UNIX_EPOCH, &["orders.refund", &order.to_string(), key.as_str()]);
    let replayed = !write(parts, actor, order, id, request, &print).await?;
    fault::point("orders.refund.written");
    let refund = carry_on(parts, id).await?;
    Ok(RefundAnswer { refund, replayed })
}

/// Writes the refund; false if it is there already.
async fn write(
    parts: &Parts,
    actor: &Actor,
    order: OrderId,
    id: RefundId,
    request: &RefundRequest,
    print: &[u8],
) -> Result<bool, Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let row = sqlx::query!(
        r#"SELECT state, currency, user_id AS "user_id: UserId" FROM orders.orders
           WHERE id = $1 AND source = 'checkout' FOR UPDATE"#,
        order.uuid(),
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::OrderNotFound)?;
    let mut lines = row::lines(&mut tx, order).await?;
    let stores = may_refund(actor, lines.iter().map(|line| line.store))?;
    lines.retain(|line| stores.contains(&line.store));
    if let Some(there) = row::find(&mut tx, id).await? {
        return if there.fingerprint == print { Ok(false) } else { Err(Error::KeyReused) };
    }
    let state = OrderState::stored(&row.state)?;
    if !matches!(
        state,
        OrderState::Paid | OrderState::Fulfilled | OrderState::Completed | OrderState::Refunded
    ) {
        return Err(Error::WrongState(state));
    }
    if request.to == RefundTo::Credit && row.user_id.is_none() {
        return Err(Error::NoAccount);
    }
    let currency = row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let planned = plan::plan(&lines, request, currency)?;
    let draft = Draft::asked(id, order, currency, request, print, now + DEADLINE, &planned);
    row::insert(&mut tx, &draft, now).await?;
    let facts = serde_json::json!({"refund_id": id, "reason": request.reason});
    tx.audit(actor.did::<Order>("order.refunded", "order", order).with_facts(facts));
    tx.commit(now).await?;
    Ok(true)
}

/// The stores among these whose money the actor may move.
fn may_refund(actor: &Actor, stores: impl Iterator<Item = StoreId>) -> Result<Vec<StoreId>, Error> {
    let (mut allowed, mut denied) = (Vec::new(), None);
    for store in stores {
        match actor.require(Permission::FinanceWrite, store) {
            Ok(()) => allowed.push(store),
            Err(why) => denied = Some(why),
        }
    }
    match denied {
        _ if !allowed.is_empty() => Ok(allowed),
        // They may, but not like this.
        Some(why @ (Denied::SecondFactor | Denied::Scope(_) | Denied::Unauthenticated)) => Err(why.into()),
        _ => Err(Error::OrderNotFound),
    }
}

/// Has payments give the money back, and writes down how that stands.
async fn carry_on(parts: &Parts, id: RefundId) -> Result<OrderRefund, Error> {
    let mut connection = parts.database.pool().acquire().await?;
    let stored = row::find(&mut connection, id).await?.ok_or(Error::OrderNotFound)?;
    let OrderRefund { order_id, amount, status, .. } = stored.refund;
    if status != RefundState::Created || stored.refund.external {
        return Ok(stored.refund);
    }
    let row = sqlx::query!(
        r#"SELECT payment_id AS "payment_id: PaymentId", user_id AS "user_id: UserId" FROM orders.orders
           WHERE id = $1"#,
        order_id.uuid(),
    )
    .fetch_one(&mut *connection)
    .await?;
    drop(connection);
    let destination = match (stored.to, row.user_id) {
        (RefundTo::Credit, Some(buyer)) => Destination::Credit(buyer),
        _ => Destination::Original,
    };
    let payment = row.payment_id.ok_or(Error::OrderNotFound)?;
    let shares = shares(&stored.refund);
    let refunding = Refunding { id, payment, amount, shares, destination };
    let asked: Result<Refund, payments::Error> = parts.payments.refund(refunding).await;
    fault::point("orders.refund.asked");
    match asked {
        Ok(refund) => news::apply(parts, &refund).await,
        // Its sale is a moment behind: it goes on by itself, as when the provider does not answer.
        Err(payments::Error::NotPosted) => Ok(stored.refund),
        // It can not be, whoever asks again: what a buyer disputes is gone already, for one.
        Err(error @ (payments::Error::RefundTooLarge { .. } | payments::Error::SharesDiffer)) => {
            news::refuse(parts, id, &error.to_string()).await?;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Whose money a refund is of.
fn shares(refund: &OrderRefund) -> Vec<Share> {
    let mut shares: BTreeMap<StoreId, Share> = BTreeMap::new();
    for line in &refund.lines {
        let share = shares.entry(line.store_id).or_insert(Share {
            store: line.store_id,
            amount: 0,
            commission: 0,
            commission_tax: 0,
        });
        share.amount += line.amount.amount;
        share.commission += line.commission.map_or(0, |commission| commission.amount);
        share.commission_tax += line.commission_tax.map_or(0, |tax| tax.amount);
    }
    shares.into_values().collect()
}

/// Takes up refunds that payments has not taken on; returns how many went on.
pub(crate) async fn carry_on_due(parts: &Parts) -> Result<u64, Error> {
    let now = parts.sources.now();
    let mut moved = 0;
    for id in row::due(parts, now, now + DEADLINE).await? {
        match carry_on(parts, id).await {
            Ok(refund) => moved += u64::from(refund.status != RefundState::Created),
            Err(error) => tracing::warn!(refund = %id, %error, "a refund can not be carried on"),
        }
    }
    Ok(moved)
}
