//! When a run counts: after a warm-up, for a while, in a closed loop where each caller asks again when it is answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long callers may take to end once time is up; a run that hangs ends with it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The time that counts.
#[derive(Debug)]
pub(crate) struct Window {
    origin: Instant,
    warm_up: Duration,
    /// Microseconds from the origin to the end; it comes nearer when there is no more work.
    end: AtomicU64,
}

impl Window {
    /// Begins now with the warm-up.
    pub(crate) fn open(warm_up: Duration, measured: Duration) -> Self {
        Self { origin: Instant::now(), warm_up, end: AtomicU64::new(micros(warm_up + measured)) }
    }

    /// Ends it: there is no more work.
    pub(crate) fn cut(&self) {
        self.end.fetch_min(micros(self.origin.elapsed()), Ordering::Relaxed);
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self) -> bool {
        micros(self.origin.elapsed()) >= self.end.load(Ordering::Relaxed)
    }

    /// Whether what is answered now counts.
    pub(crate) fn counts(&self) -> bool {
        let now = self.origin.elapsed();
        now >= self.warm_up && micros(now) < self.end.load(Ordering::Relaxed)
    }

    /// How many seconds were counted.
    pub(crate) fn seconds(&self) -> f64 {
        let end = Duration::from_micros(self.end.load(Ordering::Relaxed));
        end.saturating_sub(self.warm_up).as_secs_f64()
    }

    /// Waits for the end of the warm-up.
    pub(crate) async fn warmed_up(&self) {
        tokio::time::sleep_until((self.origin + self.warm_up).into()).await;
    }

    /// Waits for the end.
    pub(crate) async fn over(&self) {
        while !self.is_over() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn counts_between_warm_up_and_end() {
        let window = Window::open(Duration::from_millis(20), Duration::from_secs(60));
        assert!(!window.counts() && !window.is_over());
        window.warmed_up().await;
        assert!(window.counts() && !window.is_over());
        tokio::time::sleep(Duration::from_millis(20)).await;
        window.cut();
        window.over().await;
        assert!(!window.counts() && window.is_over());
        assert!((0.02..30.0).contains(&window.seconds()), "{}", window.seconds());
    }
}
