//! Work in the background: writing mails, sending them, forgetting them.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use platform::outbox::{Delivery, Handler};
use platform::schedule::Recurring;

use crate::Mails;
use crate::message::TOPICS;

/// Writes down what events have to tell.
pub struct QueueMails(pub Arc<dyn Mails>);

#[async_trait]
impl Handler for QueueMails {
    fn topics(&self) -> &'static [&'static str] {
        &TOPICS
    }

    async fn handle(&self, deliveries: &[&Delivery]) -> Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(self.0.tell(deliveries).await?)
    }
}

/// Sends what is due: at once what was queued on this node, a little later what was queued elsewhere.
pub struct SendMails(pub Arc<dyn Mails>);

#[async_trait]
impl Recurring for SendMails {
    fn name(&self) -> &'static str {
        "notifications.send_mails"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn woken(&self) {
        self.0.queued().await;
    }

    async fn round(&self) -> Result<u64, Box<dyn StdError + Send + Sync>> {
        Ok(self.0.send_due().await?)
    }
}

/// Forgets what is no longer needed.
pub struct CleanUp(pub Arc<dyn Mails>);

#[async_trait]
impl Recurring for CleanUp {
    fn name(&self) -> &'static str {
        "notifications.clean_up"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60 * 60)
    }

    async fn round(&self) -> Result<u64, Box<dyn StdError + Send + Sync>> {
        Ok(self.0.clean_up().await?)
    }
}
