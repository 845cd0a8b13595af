//! Ledger transactions about to be written.

use platform::{Currency, Id};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Account, AccountKind, Rule};
use crate::PaymentId;

/// One movement by a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Move {
    rule: Rule,
    debit: Account,
    credit: Account,
    amount: i64,
}

/// A business event, to be written as one ledger transaction. Its entries sum to zero by construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(super) kind: &'static str,
    pub(super) reference: Uuid,
    pub(super) payment: Option<PaymentId>,
    pub(super) currency: Currency,
    pub(super) memo: Option<String>,
    pub(super) occurred_at: OffsetDateTime,
    moves: Vec<Move>,
}

/// An entry of a draft: debit positive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DraftEntry {
    pub(super) account: Account,
    pub(super) rule: Rule,
    pub(super) amount: i64,
}

impl Draft {
    /// The event of this kind that happened to `reference`: there is one at most.
    pub(crate) fn new<K>(
        kind: &'static str,
        reference: Id<K>,
        currency: Currency,
        occurred_at: OffsetDateTime,
    ) -> Self {
        let reference = reference.uuid();
        Self { kind, reference, payment: None, currency, memo: None, occurred_at, moves: Vec::new() }
    }

    /// Of this payment.
    #[must_use]
    pub(crate) fn of_payment(self, payment: PaymentId) -> Self {
        Self { payment: Some(payment), ..self }
    }

    /// With somebody's reason.
    #[must_use]
    pub(crate) fn with_memo(self, memo: String) -> Self {
        Self { memo: Some(memo), ..self }
    }

    /// Moves so much by this rule; nothing is moved if it is nothing. The owners are those of the accounts that it debits
    /// and credits.
    ///
    /// # Panics
    /// When the amount is below zero: what goes the other way has a rule of its own.
    #[must_use]
    pub(crate) fn moving(mut self, rule: Rule, amount: i64, owners: &Owners<'_>) -> Self {
        assert!(amount >= 0, "{} moves {amount}", rule.as_str());
        if amount > 0 {
            let (debit, credit) = (owners.account(rule.debit()), owners.account(rule.credit()));
            self.moves.push(Move { rule, debit, credit, amount });
        }
        self
    }

    /// Whether it moves nothing; such a one is not written.
    pub(crate) const fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }

    /// Its entries, those of the same rule and account in one.
    pub(super) fn entries(&self) -> Vec<DraftEntry> {
        let mut entries: Vec<DraftEntry> = Vec::with_capacity(2 * self.moves.len());
        for Move { rule, debit, credit, amount } in &self.moves {
            for (account, amount) in [(debit, *amount), (credit, -amount)] {
                match entries.iter_mut().find(|entry| entry.rule == *rule && entry.account == *account) {
                    Some(entry) => entry.amount += amount,
                    None => entries.push(DraftEntry { account: account.clone(), rule: *rule, amount }),
                }
            }
        }
        entries.retain(|entry| entry.amount != 0);
        entries
    }
}

/// Whose accounts an event is about.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Owners<'a> {
    /// The provider's name.
    pub(crate) provider: &'a str,
    /// The store.
    pub(crate) store: Option<identity::StoreId>,
    /// The buyer.
    pub(crate) buyer: Option<identity::UserId>,
}

impl Owners<'_> {
    fn account(&self, kind: AccountKind) -> Account {
        match kind {
            AccountKind::Provider | AccountKind::ProviderDisputes => {
                Account::at_provider(kind, self.provider)
            }
            AccountKind::PayoutTransit
            | AccountKind::StorePayable
            | AccountKind::StoreReserve
            | AccountKind::StoreDisputeHold => {
                Account::of_store(kind, self.store.expect("whoever moves a store's money says whose"))
            }
            AccountKind::BuyerCredit => {
                Account::of_buyer(self.buyer.expect("whoever moves a buyer's credit says whose"))
            }
            AccountKind::Bank
            | AccountKind::Commission
            | AccountKind::CommissionTax
            | AccountKind::ProcessingFees
            | AccountKind::Unallocated
            | AccountKind::Adjustments => Account::own(kind),
        }
    }
}
