//! Work in the background.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use identity::Actor;
use identity::events::UserDeleted;
use inventory::events::ReservationsExpired;
use inventory::{Inventory, ReservationId, Returned};
use payments::events::{PaymentMoved, RefundMoved};
use platform::outbox::{Delivery, Event, Handler};
use platform::schedule::Recurring;

use crate::events::{OrdersMoved, RefundAccepted};
use crate::{Error, OrderEventKind, OrderId, Orders, Parts, erase};

/// Takes up orders that stand in a step past its deadline.
pub struct Recover(pub Arc<dyn Orders>);

#[async_trait]
impl Recurring for Recover {
    fn name(&self) -> &'static str {
        "orders.recover"
    }
    fn every(&self) -> Duration {
        Duration::from_secs(1)
    }
    async fn round(&self) -> Result<u64, Box<dyn StdError + Send + Sync>> {
        Ok(self.0.recover().await?)
    }
}

/// Forgets what is no longer needed.
pub struct CleanUp(pub Arc<dyn Orders>);

#[async_trait]
impl Recurring for CleanUp {
    fn name(&self) -> &'static str {
        "orders.clean_up"
    }
    fn every(&self) -> Duration {
        Duration::from_secs(10 * 60)
    }
    fn most(&self) -> u64 {
        PORTION.unsigned_abs()
    }
    async fn round(&self) -> Result<u64, Box<dyn StdError + Send + Sync>> {
        Ok(self.0.clean_up().await?)
    }
}

/// Forgets buyers whose account is gone.
pub struct ForgetBuyers(pub Arc<dyn Orders>);

#[async_trait]
impl Handler for ForgetBuyers {
    fn topics(&self) -> &'static [&'static str] {
        &[UserDeleted::TOPIC]
    }

    async fn handle(&self, deliveries: &[&Delivery]) -> Result<(), Box<dyn StdError + Send + Sync>> {
        for delivery in deliveries {
            if let Some(gone) = delivery.read::<UserDeleted>()? {
                self.0.forget(&Actor::system(), gone.user_id).await?;
            }
        }
        Ok(())
    }
}

/// Gives up orders whose stock was taken back since nobody paid in time.
pub struct ExpireUnpaid(pub Arc<dyn Orders>);

#[async_trait]
impl Handler for ExpireUnpaid {
    fn topics(&self) -> &'static [&'static str] {
        &[ReservationsExpired::TOPIC]
    }

    async fn handle(&self, deliveries: &[&Delivery]) -> Result<(), Box<dyn StdError + Send + Sync>> {
        for delivery in deliveries {
            if let Some(expired) = delivery.read::<ReservationsExpired>()? {
                let orders: Vec<_> = expired.reservations.iter().map(|id| OrderId::from(id.uuid())).collect();
                self.0.expire(&orders).await?;
            }
        }
        Ok(())
    }
}

/// Has the stock follow its orders: sold with those that are paid, given back with those that were cancelled. The event
/// stands in the transaction that moved them, so that no crash parts the two.
pub struct SettleStock(pub Arc<dyn Inventory>);

#[async_trait]
impl Handler for SettleStock {
    fn topics(&self) -> &'static [&'static str] {
        &[OrdersMoved::TOPIC]
    }

    async fn handle(&self, deliveries: &[&Delivery]) -> Result<(), Box<dyn StdError + Send + Sync>> {
        let (mut sold, mut released) = (Vec::new(), Vec::new());
        for delivery in deliveries {
            for moved in delivery.read::<OrdersMoved>()?.into_iter().flat_map(|event| event.moves) {
                let hold = ReservationId::from(moved.order_id.uuid());
                match moved.kind {
                    OrderEventKind::Paid => sold.push(hold),
                    OrderEventKind::Cancelled => released.push(hold),
                    _ => {}
                }
            }
        }
        if !sold.is_empty() || !released.is_empty() {
            self.0.settle(&sold, &released).await?;
        }
        Ok(())
    }
}

/// Has the money follow orders, as [`SettleStock`] has the stock.
pub struct SettleMoney(pub Arc<dyn Orders>);

#[async_trait]
impl Handler for SettleMoney {
    fn topics(&self) -> &'static [&'static str] {
        &[OrdersMoved::TOPIC]
    }

    async fn handle(&self, deliveries: &[&Delivery]) -> Result<(), Box<dyn StdError + Send + Sync>> {
        let (mut paid, mut at_rest) = (Vec::new(), Vec::new());
        for delivery in deliveries {
            for moved in delivery.read::<OrdersMoved>()?.into_iter().flat_map(|event| event.moves) {
                match moved.kind {
                    OrderEventKind::Paid => paid.push(moved.order_id),
                    OrderEventKind::Cancelled | OrderEventKind::Expired | OrderEventKind::Rejected => {}
                    _ => continue,
                }
                at_rest.push(moved.order_id);
            }
        }
        if !at_rest.is_empty() {
            self.0.settle_money(&paid, &at_rest).await?;
        }
        Ok(())
    }
}

/// Carries orders on whose payment its provider told of.
pub struct FollowPayments(pub Arc<dyn Orders>);

#[async_trait]
impl Handler for FollowPayments {
    fn topics(&self) -> &'static [&'static str] {
        &[PaymentMoved::TOPIC]
    }

    async fn handle(&self, deliveries: &[&Delivery]) -> Result<(), Box<dyn StdError + Send + Sync>> {
        for delivery in deliveries {
            if let Some(moved) = delivery.read::<PaymentMoved>()?
                && let Some(order) = moved.order_id
            {
                self.0.payment_moved(order.into(), moved.payment_id).await?;
            }
        }
        Ok(())
    }
}

/// Has orders follow their refunds.
pub struct FollowRefunds(pub Arc<dyn Orders>);

#[async_trait]
impl Handler for FollowRefunds {
    fn topics(&self) -> &'static [&'static str] {
        &[RefundMoved::TOPIC]
    }

    async fn handle(&self, deliveries: &[&Delivery]) -> Result<(), Box<dyn StdError + Send + Sync>> {
        for delivery in deliveries {
            if let Some(moved) = delivery.read::<RefundMoved>()? {
                self.0.refund_moved(moved.refund_id).await?;
            }
        }
        Ok(())
    }
}

/// Puts goods that came back with a refund into stock again, each line of a refund once.
pub struct Restock(pub Arc<dyn Inventory>);

#[async_trait]
impl Handler for Restock {
    fn topics(&self) -> &'static [&'static str] {
        &[RefundAccepted::TOPIC]
    }

    async fn handle(&self, deliveries: &[&Delivery]) -> Result<(), Box<dyn StdError + Send + Sync>> {
        for delivery in deliveries {
            let Some(refund) = delivery.read::<RefundAccepted>()? else { continue };
            let returned: Vec<Returned> = refund
                .restocked
                .iter()
                .map(|line| Returned {
                    variant_id: line.variant_id,
                    quantity: line.quantity.into(),
                    key: format!("refund:{}:{}", refund.refund_id, line.position),
                })
                .collect();
            self.0.restock(&returned).await?;
        }
        Ok(())
    }
}

const KEY_LIFETIME: time::Duration = time::Duration::hours(24);
const EXPIRED_CART_KEPT: time::Duration = time::Duration::days(7);

/// How many of a kind are deleted in a round: a few at a time do not hold up whoever writes.
const PORTION: i64 = 5_000;

/// Forgets a portion of what is no longer needed; returns how many.
pub(crate) async fn clean_up(parts: &Parts) -> Result<u64, Error> {
    let now = parts.sources.now();
    let keys = sqlx::query!(
        "DELETE FROM orders.idempotency_keys WHERE (scope, key) IN (
             SELECT scope, key FROM orders.idempotency_keys WHERE created_at < $1
             ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now - KEY_LIFETIME,
        PORTION,
    )
    .execute(parts.database.pool())
    .await?;
    let carts = sqlx::query!(
        "DELETE FROM orders.carts WHERE id IN (
             SELECT id FROM orders.carts WHERE expires_at < $1 AND order_id IS NULL
             ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now - EXPIRED_CART_KEPT,
        PORTION,
    )
    .execute(parts.database.pool())
    .await?;
    Ok(keys.rows_affected() + carts.rows_affected() + erase::erase(parts).await?)
}
