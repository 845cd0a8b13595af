//! Work in the background.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use platform::schedule::Recurring;

use crate::Catalog;

/// Forgets what is no longer needed.
pub struct CleanUp(pub Arc<dyn Catalog>);

#[async_trait]
impl Recurring for CleanUp {
    fn name(&self) -> &'static str {
        "catalog.clean_up"
    }
    fn every(&self) -> Duration {
        Duration::from_secs(10 * 60)
    }
    fn most(&self) -> u64 {
        crate::once::PORTION.unsigned_abs()
    }
    async fn round(&self) -> Result<u64, Box<dyn Error + Send + Sync>> {
        Ok(self.0.clean_up().await?)
    }
}
