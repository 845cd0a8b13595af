//! Reconciliation: the provider's books, line by line, against the ledger.
//!
//! Both books are streams that are only ever appended to: the provider's balance lines, and the ledger's entries on the
//! provider's account. Each is read once, from where it was read to ([`fetch`], [`ingest`]); what both say of one thing is
//! compared by a rule without memory ([`judge`]); and what comes of it is written in the same transaction. Invariants: each
//! line and each entry is matched once or is waiting or is in an exception; what is matched is equal to the minor unit; and
//! the difference of the two balances is, at any time, what is waiting and what stands in open exceptions ([`verify`]).
mod examine;
mod exception;
mod face;
mod fetch;
mod ingest;
mod judge;
mod kind;
mod movement;
mod outcome;
mod resolve;
mod subject;
mod summary;
#[cfg(test)]
mod tests;
mod verify;
mod withdraw;

use std::sync::Arc;

use platform::{Database, Id, Sources};
use time::Duration;

use crate::provider::Provider;

pub use exception::{
    ExceptionFilter, ExceptionState, ProviderLine, ReconciliationException, UnknownExceptionState,
};
pub use face::{Reconciliation, ReconciliationRun};
pub use kind::{EXCEPTION_KINDS, ExceptionKind, ExceptionRule, UnknownExceptionKind};
pub use summary::ReconciliationSummary;

pub(crate) use verify::violations;

/// The id of a [`ReconciliationException`].
pub type ReconciliationExceptionId = Id<ReconciliationException>;

/// How long one book waits for the other, if nobody says otherwise: about as long as providers try to deliver a webhook.
pub const RECONCILIATION_GRACE: Duration = Duration::days(3);

/// Reconciliation in this process.
pub(crate) struct Desk {
    pub(crate) database: Database,
    pub(crate) sources: Sources,
    pub(crate) providers: Vec<Arc<dyn Provider>>,
    /// What is in one book only for longer than this is an exception.
    pub(crate) grace: Duration,
}
