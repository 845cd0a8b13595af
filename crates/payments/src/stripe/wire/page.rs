//! Pages: Checkout Sessions.

use serde::Deserialize;

use super::{Expandable, Intent, Metadata};

/// <https://docs.stripe.com/api/checkout/sessions/object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) status: Option<SessionStatus>,
    /// `paid`, `unpaid` or `no_payment_required`.
    pub(crate) payment_status: String,
    /// There is none before the buyer pays.
    pub(crate) payment_intent: Option<Expandable<Intent>>,
    pub(crate) url: Option<String>,
    pub(crate) amount_total: Option<i64>,
    pub(crate) currency: Option<String>,
    pub(crate) expires_at: i64,
    #[serde(default)]
    pub(crate) metadata: Metadata,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionStatus {
    Open,
    Complete,
    Expired,
}
