//! The facts that orders publishes.

use platform::outbox::Event;
use serde::{Deserialize, Serialize};

use crate::journal::Entry;
use crate::{OrderEventKind, OrderId, OrderState};

/// Something happened to orders, all in one transaction. One event for all of them, so that telling of a purchase in a
/// rush costs next to nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrdersMoved {
    /// What happened to which.
    pub moves: Vec<OrderMoved>,
}

impl Event for OrdersMoved {
    const TOPIC: &'static str = "orders.orders_moved.v1";
}

/// Something happened to an order.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct OrderMoved {
    /// The order.
    pub order_id: OrderId,
    /// Counts what happened to it.
    pub version: i32,
    /// What.
    pub kind: OrderEventKind,
    /// Where it is now.
    pub state: OrderState,
}

impl OrderMoved {
    pub(crate) const fn of(entry: &Entry) -> Self {
        Self { order_id: entry.order_id, version: entry.version, kind: entry.kind, state: entry.state }
    }
}
