//! The facts that orders publishes.

use catalog::VariantId;
use payments::RefundId;
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

/// Money of an order goes back, and goods with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefundAccepted {
    /// The refund.
    pub refund_id: RefundId,
    /// Of which order.
    pub order_id: OrderId,
    /// What is in stock again.
    pub restocked: Vec<Restocked>,
}

impl Event for RefundAccepted {
    const TOPIC: &'static str = "orders.refund_accepted.v1";
}

/// Units of a line that came back.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Restocked {
    /// The line's place in the order.
    pub position: i32,
    /// What.
    pub variant_id: VariantId,
    /// How many.
    pub quantity: i32,
}
