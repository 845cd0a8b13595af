//! Work in the background.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use platform::schedule::Recurring;

use super::{Inbox, archive, process};

/// Works on what providers told: at once what was received, and later what has to be tried again.
pub struct ProcessWebhooks(pub Arc<dyn Inbox>);

#[async_trait]
impl Recurring for ProcessWebhooks {
    fn name(&self) -> &'static str {
        "payments.process_webhooks"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(2)
    }

    async fn woken(&self) {
        self.0.news().await;
    }

    fn most(&self) -> u64 {
        process::MOST
    }

    async fn round(&self) -> Result<u64, Box<dyn StdError + Send + Sync>> {
        Ok(self.0.process_due().await?)
    }
}

/// Archives what is old.
pub struct ArchiveWebhooks(pub Arc<dyn Inbox>);

#[async_trait]
impl Recurring for ArchiveWebhooks {
    fn name(&self) -> &'static str {
        "payments.archive_webhooks"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60 * 60)
    }

    fn most(&self) -> u64 {
        archive::PORTION
    }

    async fn round(&self) -> Result<u64, Box<dyn StdError + Send + Sync>> {
        Ok(self.0.archive().await?)
    }
}
