//! Work that repeats. Each round must bear running on several nodes at once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

/// Something to do again and again.
#[async_trait]
pub trait Recurring: Send + Sync + 'static {
    /// Its name in logs and metrics, such as `orders.recover`.
    fn name(&self) -> &'static str;
    /// The pause between two rounds.
    fn every(&self) -> Duration;
    /// Comes back when a round is wanted before the pause is over; never, if nothing is said.
    async fn woken(&self) {
        std::future::pending::<()>().await;
    }
    /// One round; returns how many things it did.
    async fn round(&self) -> Result<u64, Box<dyn std::error::Error + Send + Sync>>;
}

/// Runs `work` until `stop`; the first round at once.
pub async fn run(work: Arc<dyn Recurring>, stop: CancellationToken) {
    let name = work.name();
    while !stop.is_cancelled() {
        match work.round().await {
            Ok(0) => {}
            Ok(done) => {
                metrics::counter!("souk_recurring_done_total", "work" => name).increment(done);
                tracing::info!(work = name, done, "recurring work");
            }
            Err(error) => {
                metrics::counter!("souk_recurring_failures_total", "work" => name).increment(1);
                tracing::warn!(work = name, %error, "recurring work failed; it is tried again");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = work.woken() => {}
            () = tokio::time::sleep(work.every()) => {}
        }
    }
}
