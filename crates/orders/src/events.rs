//! The facts that orders publishes.

use platform::Money;
use platform::outbox::Event;
use serde::{Deserialize, Serialize};

use crate::{OrderId, OrderState};

/// An order was written. From here on the purchase can not be lost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrderPlaced {
    /// The order.
    pub order_id: OrderId,
    /// What it comes to.
    pub total: Money,
}

impl Event for OrderPlaced {
    const TOPIC: &'static str = "orders.order_placed.v1";
}

/// An order came out of `pending`: it is paid, awaits payment, was rejected or expired.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrderSettled {
    /// The order.
    pub order_id: OrderId,
    /// What became of it.
    pub state: OrderState,
}

impl Event for OrderSettled {
    const TOPIC: &'static str = "orders.order_settled.v1";
}
