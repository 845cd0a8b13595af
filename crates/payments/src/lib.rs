//! Payments: asks providers for money, and remembers what they said.
//!
//! Invariants: a payment is asked of its provider under its own id as the idempotency key, so that asking
//! again after a crash never charges twice; a payment that succeeded or was declined stays so.
mod error;
mod payment;
mod payout;
mod provider;
mod refund;
mod sandbox;
mod verify;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use platform::batch::{Batch, Settings};
use platform::{Database, Id, Sources, Violation};
use uuid::Uuid;

use payment::Charging;
use provider::{Asked, Provider};

pub use error::{DeclineCode, Error};
pub use payment::{Charge, Payment, PaymentState};
pub use payout::Payout;
pub use provider::PaymentToken;
pub use refund::Refund;

/// The tables of this module.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// The id of a payment: whoever wants the money picks it, and asking again with the same id is safe.
pub type PaymentId = Id<Payment>;
/// The id of a [`Refund`]: whoever gives money back picks it, and asking again with the same id is safe.
pub type RefundId = Id<Refund>;
/// The id of a [`Payout`].
pub type PayoutId = Id<Payout>;

/// What others may ask of payments.
#[async_trait]
pub trait Payments: Send + Sync + 'static {
    /// Checks that a token is one the provider knows how to charge, before anything is done with it.
    fn check(&self, token: &PaymentToken) -> Result<(), Error>;

    /// Takes money. Idempotent per id. A declined payment is an answer, not an error.
    async fn charge(&self, charge: Charge<'_>) -> Result<Payment, Error>;

    /// These payments; those that are not there are left out.
    async fn payments(&self, ids: &[PaymentId]) -> Result<HashMap<PaymentId, Payment>, Error>;

    /// Payments that succeeded, each with the order it is for if that was kept, in the order of their ids, after `after`,
    /// at most `limit`.
    async fn succeeded(
        &self,
        after: Option<PaymentId>,
        limit: i64,
    ) -> Result<Vec<(PaymentId, Option<Uuid>)>, Error>;

    /// Looks for broken invariants.
    async fn verify(&self) -> Result<Vec<Violation>, Error>;
}

/// The payments in this process, by way of the sandbox provider.
pub fn service(database: Database, sources: Sources) -> Arc<dyn Payments> {
    let provider: Arc<dyn Provider> = Arc::new(sandbox::Sandbox(database.clone()));
    let charging = Charging { database: database.clone(), provider: Arc::clone(&provider) };
    let charges = Batch::open(charging, Settings::named("payments.charge"));
    Arc::new(Service { database, sources, provider, charges })
}

struct Service {
    database: Database,
    sources: Sources,
    provider: Arc<dyn Provider>,
    /// Where all whose money is asked for meet.
    charges: Batch<Charging>,
}

#[async_trait]
impl Payments for Service {
    fn check(&self, token: &PaymentToken) -> Result<(), Error> {
        self.provider.check(token)
    }

    async fn charge(&self, charge: Charge<'_>) -> Result<Payment, Error> {
        let Charge { id, order, amount, token } = charge;
        let asked = Asked {
            id,
            order,
            amount,
            token: token.clone(),
            keep: false,
            return_url: None,
            at: self.sources.now(),
        };
        self.charges.call_in_turn(asked).await?
    }

    async fn payments(&self, ids: &[PaymentId]) -> Result<HashMap<PaymentId, Payment>, Error> {
        payment::find(&self.database, ids).await
    }

    async fn succeeded(
        &self,
        after: Option<PaymentId>,
        limit: i64,
    ) -> Result<Vec<(PaymentId, Option<Uuid>)>, Error> {
        payment::succeeded(&self.database, after, limit).await
    }

    async fn verify(&self) -> Result<Vec<Violation>, Error> {
        verify::violations(&self.database).await
    }
}
