//! Posting rules: for each business event, which account is debited and which is credited. The whole table is on this
//! page; docs/ledger.md shows it to people, and a test compares the two.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AccountKind;

use AccountKind::{
    Adjustments, Bank, BuyerCredit, Commission, CommissionTax, PayoutTransit, ProcessingFees, Provider,
    ProviderDisputes, StoreDisputeHold, StorePayable, StoreReserve, Unallocated,
};

/// Moves money from the account that it credits to the account that it debits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A buyer paid; the store is owed the price.
    Sale,
    /// The marketplace's share of a sale.
    Commission,
    /// The tax on that share.
    CommissionTax,
    /// What the provider keeps of a payment.
    ProcessingFee,
    /// A buyer paid for an order that could not take it any more.
    Receipt,
    /// That money went back.
    ReceiptRefund,
    /// Money of a sale went back to the buyer.
    Refund,
    /// Money of a sale became the buyer's credit.
    RefundToCredit,
    /// The marketplace gives its share of what was refunded back.
    CommissionRefund,
    /// And the tax on it.
    CommissionTaxRefund,
    /// The provider could not give a refund; the money is there again.
    RefundFailed,
    /// A buyer disputes a payment; the provider takes the money until it is decided.
    Dispute,
    /// Meanwhile the store can not have it.
    DisputeHold,
    /// What the provider keeps for the dispute.
    DisputeFee,
    /// The store won; the provider gives the money back.
    DisputeWon,
    /// And the store can have it.
    DisputeRelease,
    /// The store lost; the money is the buyer's.
    DisputeLost,
    /// Money is set aside to be sent to a store.
    Payout,
    /// It has left the provider.
    PayoutSent,
    /// It was not sent after all.
    PayoutCancelled,
    /// It came back.
    PayoutReturned,
    /// A part of a sale is kept back for a while.
    Reserve,
    /// Its time is over.
    ReserveRelease,
    /// Somebody gave a store money, with a reason.
    AdjustmentToStore,
    /// Somebody took money from a store, with a reason.
    AdjustmentFromStore,
    /// Somebody gave a buyer credit, with a reason.
    AdjustmentToBuyer,
    /// Somebody took a buyer's credit, with a reason.
    AdjustmentFromBuyer,
    /// The provider's books have money that ours had not; somebody said why.
    AdjustmentToProvider,
    /// Our books had money that the provider's have not; somebody said why.
    AdjustmentFromProvider,
    /// The marketplace took money out of the provider.
    Withdrawal,
    /// The marketplace put money into the provider.
    Deposit,
}

/// A line of the table: the rule, its name, the account that it debits, and the one that it credits.
pub type PostingRule = (Rule, &'static str, AccountKind, AccountKind);

/// The table, in the order of [`Rule`].
#[rustfmt::skip]
pub const POSTING_RULES: [PostingRule; 31] = [
    (Rule::Sale,                   "sale",                     Provider,         StorePayable),
    (Rule::Commission,             "commission",               StorePayable,     Commission),
    (Rule::CommissionTax,          "commission_tax",           StorePayable,     CommissionTax),
    (Rule::ProcessingFee,          "processing_fee",           ProcessingFees,   Provider),
    (Rule::Receipt,                "receipt",                  Provider,         Unallocated),
    (Rule::ReceiptRefund,          "receipt_refund",           Unallocated,      Provider),
    (Rule::Refund,                 "refund",                   StorePayable,     Provider),
    (Rule::RefundToCredit,         "refund_to_credit",         StorePayable,     BuyerCredit),
    (Rule::CommissionRefund,       "commission_refund",        Commission,       StorePayable),
    (Rule::CommissionTaxRefund,    "commission_tax_refund",    CommissionTax,    StorePayable),
    (Rule::RefundFailed,           "refund_failed",            Provider,         StorePayable),
    (Rule::Dispute,                "dispute",                  ProviderDisputes, Provider),
    (Rule::DisputeHold,            "dispute_hold",             StorePayable,     StoreDisputeHold),
    (Rule::DisputeFee,             "dispute_fee",              ProcessingFees,   Provider),
    (Rule::DisputeWon,             "dispute_won",              Provider,         ProviderDisputes),
    (Rule::DisputeRelease,         "dispute_release",          StoreDisputeHold, StorePayable),
    (Rule::DisputeLost,            "dispute_lost",             StoreDisputeHold, ProviderDisputes),
    (Rule::Payout,                 "payout",                   StorePayable,     PayoutTransit),
    (Rule::PayoutSent,             "payout_sent",              PayoutTransit,    Provider),
    (Rule::PayoutCancelled,        "payout_cancelled",         PayoutTransit,    StorePayable),
    (Rule::PayoutReturned,         "payout_returned",          Provider,         StorePayable),
    (Rule::Reserve,                "reserve",                  StorePayable,     StoreReserve),
    (Rule::ReserveRelease,         "reserve_release",          StoreReserve,     StorePayable),
    (Rule::AdjustmentToStore,      "adjustment_to_store",      Adjustments,      StorePayable),
    (Rule::AdjustmentFromStore,    "adjustment_from_store",    StorePayable,     Adjustments),
    (Rule::AdjustmentToBuyer,      "adjustment_to_buyer",      Adjustments,      BuyerCredit),
    (Rule::AdjustmentFromBuyer,    "adjustment_from_buyer",    BuyerCredit,      Adjustments),
    (Rule::AdjustmentToProvider,   "adjustment_to_provider",   Provider,         Adjustments),
    (Rule::AdjustmentFromProvider, "adjustment_from_provider", Adjustments,      Provider),
    (Rule::Withdrawal,             "withdrawal",               Bank,             Provider),
    (Rule::Deposit,                "deposit",                  Provider,         Bank),
];

impl Rule {
    const fn line(self) -> &'static PostingRule {
        &POSTING_RULES[self as usize]
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        self.line().1
    }

    /// The account that it debits.
    pub const fn debit(self) -> AccountKind {
        self.line().2
    }

    /// The account that it credits.
    pub const fn credit(self) -> AccountKind {
        self.line().3
    }

    /// The rule that a row holds.
    pub(crate) fn stored(text: &str) -> Result<Self, sqlx::Error> {
        let found = POSTING_RULES.iter().find(|(_, name, ..)| *name == text);
        found
            .map(|(rule, ..)| *rule)
            .ok_or_else(|| sqlx::Error::Decode(format!("{text:?} is no posting rule").into()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_rules() {
        for (place, (rule, name, debit, credit)) in POSTING_RULES.iter().enumerate() {
            assert_eq!(*rule as usize, place, "{name}");
            assert_ne!(debit, credit, "{name}");
            assert_eq!(serde_json::to_value(rule).unwrap(), *name);
        }
    }

    /// What people read is what the program does.
    #[test]
    fn the_documentation_has_the_same_table() {
        let told: Vec<(String, String, String)> = include_str!("../../../../docs/ledger.md")
            .lines()
            .skip_while(|line| !line.starts_with("| rule |"))
            .skip(2)
            .take_while(|line| line.starts_with('|'))
            .map(|line| {
                let mut cells = line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).skip(1);
                let mut next = || cells.next().unwrap();
                (next(), next(), next())
            })
            .collect();
        let done: Vec<_> = POSTING_RULES
            .iter()
            .map(|(_, name, debit, credit)| {
                ((*name).to_owned(), debit.as_str().to_owned(), credit.as_str().to_owned())
            })
            .collect();
        assert_eq!(told, done);
    }
}
