//! The double-entry ledger: where every cent is, and why.
//!
//! Invariants: the entries of a transaction sum to zero (a deferred constraint); nothing in it is ever changed (triggers,
//! and rights that nobody has); a business event is written once (a unique key); an account's balance is the sum of its
//! entries, and each transaction's hash covers all before it (`souk ledger verify`).
mod account;
mod chain;
mod draft;
mod face;
mod post;
mod read;
mod rule;
mod verify;

pub use account::{Account, AccountKind};
pub use face::Ledger;
pub use read::{Balance, LedgerHead, Selection, StatementLine};
pub use rule::{POSTING_RULES, PostingRule, Rule};

pub(crate) use draft::{Draft, Owners};
pub(crate) use face::Books;
pub(crate) use post::post;
pub(crate) use verify::violations;
