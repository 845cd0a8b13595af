//! Stripe's own books.

use serde::Deserialize;

use super::payment::Named;
use super::{Expandable, Identified, Metadata};

/// <https://docs.stripe.com/api/balance_transactions/object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct BalanceTransaction {
    pub(crate) id: String,
    /// Before the fee; negative for what goes out.
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) fee: i64,
    pub(crate) created: i64,
    /// What it is for an accountant (<https://docs.stripe.com/reports/reporting-categories>).
    pub(crate) reporting_category: String,
    pub(crate) source: Option<Expandable<Source>>,
}

/// What moved the balance: a charge, a refund, a dispute, a transfer, its reversal or a payout.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Source {
    pub(crate) id: String,
    /// Of a charge, a refund or a dispute.
    pub(crate) payment_intent: Option<Expandable<Named>>,
    /// Of a transfer's reversal.
    pub(crate) transfer: Option<Expandable<Named>>,
    #[serde(default)]
    pub(crate) metadata: Metadata,
}

impl Identified for BalanceTransaction {
    fn id(&self) -> &str {
        &self.id
    }
}
impl Identified for Source {
    fn id(&self) -> &str {
        &self.id
    }
}
