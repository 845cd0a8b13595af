//! The facts that payments publishes.

use platform::outbox::Event;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{DisputeId, PaymentId, Payout, PayoutId, RefundId};

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

/// A payout was made, or came to stand otherwise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PayoutMoved {
    /// The payout.
    pub payout_id: PayoutId,
    /// Of which store.
    pub store_id: identity::StoreId,
    /// How much.
    pub amount: platform::Money,
    /// How it stands, such as `paid`.
    pub state: String,
}

impl PayoutMoved {
    pub(crate) fn of(payout: &Payout) -> Self {
        let state = payout.state.as_str().to_owned();
        Self { payout_id: payout.id, store_id: payout.store_id, amount: payout.amount, state }
    }
}

impl Event for PayoutMoved {
    const TOPIC: &'static str = "payments.payout_moved.v1";
}
