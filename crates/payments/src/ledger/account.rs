//! The chart of accounts.

use std::fmt;

use identity::{StoreId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// The marketplace's balance at a payment provider.
    Provider,
    /// What a provider holds while buyers dispute payments.
    ProviderDisputes,
    /// What the marketplace took out of a provider to its own bank.
    Bank,
    /// What is on its way to a store.
    PayoutTransit,
    /// What the marketplace owes a store; below zero, what the store owes.
    StorePayable,
    /// What is kept back of a store's sales for a while.
    StoreReserve,
    /// What is kept back of a store's sales while buyers dispute them.
    StoreDisputeHold,
    /// What a buyer may still spend.
    BuyerCredit,
    /// What the marketplace earned.
    Commission,
    /// The tax on it, which it owes to the state.
    CommissionTax,
    /// What providers kept for their work.
    ProcessingFees,
    /// Money that came in and belongs to no order.
    Unallocated,
    /// What people moved by hand, each with a reason.
    Adjustments,
}

impl AccountKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Provider,
        Self::ProviderDisputes,
        Self::Bank,
        Self::PayoutTransit,
        Self::StorePayable,
        Self::StoreReserve,
        Self::StoreDisputeHold,
        Self::BuyerCredit,
        Self::Commission,
        Self::CommissionTax,
        Self::ProcessingFees,
        Self::Unallocated,
        Self::Adjustments,
    ];

    /// The kind as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::ProviderDisputes => "provider_disputes",
            Self::Bank => "bank",
            Self::PayoutTransit => "payout_transit",
            Self::StorePayable => "store_payable",
            Self::StoreReserve => "store_reserve",
            Self::StoreDisputeHold => "store_dispute_hold",
            Self::BuyerCredit => "buyer_credit",
            Self::Commission => "commission",
            Self::CommissionTax => "commission_tax",
            Self::ProcessingFees => "processing_fees",
            Self::Unallocated => "unallocated",
            Self::Adjustments => "adjustments",
        }
    }

    /// The kind that a row holds.
    pub(crate) fn stored(text: &str) -> Result<Self, sqlx::Error> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| sqlx::Error::Decode(format!("{text:?} is no kind of account").into()))
    }

    /// Whether its balance is told as debits less credits, as of what one has and spends; of what one owes and earns it is
    /// told the other way round.
    pub const fn is_debit(self) -> bool {
        matches!(self, Self::Provider | Self::ProviderDisputes | Self::Bank | Self::ProcessingFees)
    }

    /// A balance or an entry (debit positive) as it is told.
    pub const fn told(self, amount: i64) -> i64 {
        if self.is_debit() { amount } else { -amount }
    }
}

/// An account, apart from its currency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// What it is for.
    pub kind: AccountKind,
    /// Whose it is: a provider's name, a store's id, a buyer's id. Empty: the marketplace's own.
    pub owner: String,
}

impl Account {
    /// An account of the marketplace's own.
    pub const fn own(kind: AccountKind) -> Self {
        Self { kind, owner: String::new() }
    }

    /// An account of a store.
    pub fn of_store(kind: AccountKind, store: StoreId) -> Self {
        Self { kind, owner: store.to_string() }
    }

    /// An account at a provider.
    pub fn at_provider(kind: AccountKind, provider: &str) -> Self {
        Self { kind, owner: provider.to_owned() }
    }

    /// What a buyer may still spend.
    pub fn of_buyer(buyer: UserId) -> Self {
        Self { kind: AccountKind::BuyerCredit, owner: buyer.to_string() }
    }
}

/// `store_payable:019a…`, or `commission` alone.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        if self.owner.is_empty() { Ok(()) } else { write!(f, ":{}", self.owner) }
    }
}
