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
    /// As many as a round does at most, if it is bounded: one that did so many left some, and the next comes after a
    /// breath.
    fn most(&self) -> u64 {
        u64::MAX
    }
    /// One round; returns how many things it did.
    async fn round(&self) -> Result<u64, Box<dyn std::error::Error + Send + Sync>>;
}

/// Between two rounds where the first one left some: long enough for others to get at the database.
const BREATH: Duration = Duration::from_millis(100);

/// Runs `work` until `stop`; the first round at once.
pub async fn run(work: Arc<dyn Recurring>, stop: CancellationToken) {
    let name = work.name();
    while !stop.is_cancelled() {
        let mut pause = work.every();
        match work.round().await {
            Ok(0) => {}
            Ok(done) => {
                metrics::counter!("souk_recurring_done_total", "work" => name).increment(done);
                tracing::info!(work = name, done, "recurring work");
                if done >= work.most() {
                    pause = pause.min(BREATH);
                }
            }
            Err(error) => {
                metrics::counter!("souk_recurring_failures_total", "work" => name).increment(1);
                tracing::warn!(work = name, %error, "recurring work failed; it is tried again");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = work.woken() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// So many things to do, at most two in a round, and an hour between rounds.
    struct Backlog(AtomicU64);

    #[async_trait]
    impl Recurring for Backlog {
        fn name(&self) -> &'static str {
            "backlog"
        }
        fn every(&self) -> Duration {
            Duration::from_hours(1)
        }
        fn most(&self) -> u64 {
            2
        }
        async fn round(&self) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
            let left = self.0.load(Ordering::Relaxed);
            let done = left.min(self.most());
            self.0.store(left - done, Ordering::Relaxed);
            Ok(done)
        }
    }

    #[tokio::test]
    async fn a_round_that_left_some_is_followed_soon() {
        let (work, stop) = (Arc::new(Backlog(AtomicU64::new(7))), CancellationToken::new());
        let running = tokio::spawn(run(Arc::clone(&work) as Arc<dyn Recurring>, stop.clone()));
        let done = async {
            while work.0.load(Ordering::Relaxed) > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), done)
            .await
            .expect("four rounds, and no hour between them");
        work.0.store(1, Ordering::Relaxed);
        tokio::time::sleep(BREATH * 3).await;
        assert_eq!(
            work.0.load(Ordering::Relaxed),
            1,
            "the last round left none: the next one waits for its time"
        );
        stop.cancel();
        running.await.unwrap();
    }
}
