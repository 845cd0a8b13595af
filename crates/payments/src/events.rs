//! The facts that payments publishes.

use platform::outbox::Event;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{DisputeId, PaymentId, RefundId};

/// A payment that nobody waited for came to stand otherwise: its provider told, or was asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PaymentMoved {
    /// The payment.
    pub payment_id: PaymentId,
    /// What it is for: the order.
    pub order_id: Option<Uuid>,
    /// How it stands, such as `succeeded`.
    pub state: String,
}

impl Event for PaymentMoved {
    const TOPIC: &'static str = "payments.payment_moved.v1";
}

/// A refund came to stand otherwise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefundMoved {
    /// The refund.
    pub refund_id: RefundId,
    /// Of which payment.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: Option<Uuid>,
    /// How it stands, such as `succeeded`.
    pub state: String,
}

impl Event for RefundMoved {
    const TOPIC: &'static str = "payments.refund_moved.v1";
}

/// A buyer disputes a payment, or it was decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DisputeMoved {
    /// The dispute.
    pub dispute_id: DisputeId,
    /// Of which payment.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: Option<Uuid>,
    /// How it stands: `open`, `won` or `lost`.
    pub state: String,
}

impl Event for DisputeMoved {
    const TOPIC: &'static str = "payments.dispute_moved.v1";
}
