//! Money that goes back: refunds and disputes.

use serde::Deserialize;

use super::payment::Named;
use super::{BalanceTransaction, Expandable, Metadata};

/// <https://docs.stripe.com/api/refunds/object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) charge: Option<Expandable<Named>>,
    pub(crate) payment_intent: Option<Expandable<Named>>,
    /// `pending`, `requires_action`, `succeeded`, `failed` or `canceled`.
    pub(crate) status: Option<String>,
    pub(crate) failure_reason: Option<String>,
    #[serde(default)]
    pub(crate) metadata: Metadata,
}

/// <https://docs.stripe.com/api/disputes/object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Dispute {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) charge: Expandable<Named>,
    pub(crate) payment_intent: Option<Expandable<Named>>,
    pub(crate) reason: String,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) balance_transactions: Vec<BalanceTransaction>,
    pub(crate) evidence_details: Option<EvidenceDetails>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct EvidenceDetails {
    pub(crate) due_by: Option<i64>,
}

impl Refund {
    /// Stripe's name of the payment.
    pub(crate) fn payment(&self) -> Option<&str> {
        self.payment_intent.as_ref().or(self.charge.as_ref()).map(Expandable::id)
    }
}

impl Dispute {
    /// Stripe's name of the payment.
    pub(crate) fn payment(&self) -> &str {
        self.payment_intent.as_ref().unwrap_or(&self.charge).id()
    }
}
