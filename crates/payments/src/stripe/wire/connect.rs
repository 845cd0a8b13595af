//! Stores' accounts, and how money gets there.

use serde::Deserialize;

use super::payment::Named;
use super::{Expandable, Metadata};

/// <https://docs.stripe.com/api/accounts/object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Account {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) details_submitted: bool,
    #[serde(default)]
    pub(crate) payouts_enabled: bool,
    pub(crate) capabilities: Option<Capabilities>,
    pub(crate) requirements: Option<Requirements>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Capabilities {
    /// `active`, `inactive` or `pending`.
    pub(crate) transfers: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Requirements {
    pub(crate) disabled_reason: Option<String>,
}

/// <https://docs.stripe.com/api/account_links/object>
#[derive(Debug, Deserialize)]
pub(crate) struct AccountLink {
    pub(crate) url: String,
}

/// <https://docs.stripe.com/api/transfers/object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) destination: Option<Expandable<Named>>,
    #[serde(default)]
    pub(crate) reversed: bool,
    #[serde(default)]
    pub(crate) metadata: Metadata,
}

/// <https://docs.stripe.com/api/transfer_reversals/object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TransferReversal {
    pub(crate) transfer: Expandable<Named>,
}

/// <https://docs.stripe.com/api/payouts/object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Payout {
    pub(crate) id: String,
    /// `pending`, `in_transit`, `paid`, `failed` or `canceled`.
    pub(crate) status: String,
    pub(crate) arrival_date: Option<i64>,
    pub(crate) failure_code: Option<String>,
    #[serde(default)]
    pub(crate) metadata: Metadata,
}
