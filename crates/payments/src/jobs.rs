//! Work in the background.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use identity::Actor;
use identity::events::UserDeleted;
use platform::outbox::{Delivery, Event, Handler};
use platform::schedule::Recurring;

use crate::{Payments, Payouts, Reconciliation};

pub use crate::inbox::{ArchiveWebhooks, ProcessWebhooks};

/// Carries on refunds that came to grief, and asks about payments of which nothing is heard.
pub struct CarryOn(pub Arc<dyn Payments>);

#[async_trait]
impl Recurring for CarryOn {
    fn name(&self) -> &'static str {
        "payments.carry_on"
    }
    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }
    async fn round(&self) -> Result<u64, Box<dyn StdError + Send + Sync>> {
        Ok(self.0.carry_on().await?)
    }
}

/// Removes what was kept to pay with by those whose account is gone.
pub struct ForgetMethods(pub Arc<dyn Payments>);

#[async_trait]
impl Handler for ForgetMethods {
    fn topics(&self) -> &'static [&'static str] {
        &[UserDeleted::TOPIC]
    }

    async fn handle(&self, deliveries: &[&Delivery]) -> Result<(), Box<dyn StdError + Send + Sync>> {
        for delivery in deliveries {
            if let Some(gone) = delivery.read::<UserDeleted>()? {
                self.0.forget_methods(gone.user_id).await?;
            }
        }
        Ok(())
    }
}

/// Sends payouts, makes those whose time has come, and releases what was kept back for long enough.
pub struct PayOut(pub Arc<dyn Payouts>);

#[async_trait]
impl Recurring for PayOut {
    fn name(&self) -> &'static str {
        "payments.pay_out"
    }
    fn every(&self) -> Duration {
        Duration::from_secs(30)
    }
    async fn round(&self) -> Result<u64, Box<dyn StdError + Send + Sync>> {
        Ok(self.0.carry_on(&Actor::system()).await?)
    }
}

/// Compares the books of providers with the ledger, each once an hour.
pub struct Reconcile(pub Arc<dyn Reconciliation>);

#[async_trait]
impl Recurring for Reconcile {
    fn name(&self) -> &'static str {
        "payments.reconcile"
    }
    fn every(&self) -> Duration {
        Duration::from_secs(60)
    }
    async fn round(&self) -> Result<u64, Box<dyn StdError + Send + Sync>> {
        Ok(self.0.carry_on().await?)
    }
}
