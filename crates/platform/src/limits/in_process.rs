//! Buckets in this process's memory.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use time::OffsetDateTime;

use super::{Decision, Limiter, Policy, Unreachable};
use crate::Sources;
use crate::schedule::Recurring;

type Buckets = RateLimiter<Box<str>, DashMapStateStore<Box<str>>, Ticks, StateInformationMiddleware>;

/// Counts for this process alone.
pub struct InProcess {
    ticks: Ticks,
    policies: RwLock<HashMap<Policy, Arc<Buckets>>>,
}

impl InProcess {
    /// A limiter whose buckets are full.
    pub fn new(sources: Sources) -> Self {
        let seen = Seen { at: sources.now(), passed: Duration::ZERO };
        Self { ticks: Ticks(Arc::new((sources, Mutex::new(seen)))), policies: RwLock::default() }
    }

    /// Takes units, without ado: this limiter always answers. See [`Limiter::take`].
    ///
    /// # Panics
    /// Never: nothing panics while it holds the lock.
    pub fn count(&self, bucket: &Policy, key: &str, cost: u32) -> Decision {
        let buckets = self.buckets(bucket);
        let cost = NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN);
        let limit = bucket.quota;
        match buckets.check_key_n(&key.into(), cost) {
            Ok(Ok(state)) => {
                let remaining = state.remaining_burst_capacity();
                let taken = limit.saturating_sub(remaining);
                let (reset_after, retry_after) = (bucket.interval() * taken, Duration::ZERO);
                Decision { allowed: true, limit, remaining, reset_after, retry_after }
            }
            Ok(Err(refused)) => {
                let retry_after = refused.wait_time_from(self.ticks.now());
                // By then so many units are there as were asked for, and all others are still missing.
                let reset_after = retry_after + bucket.interval() * limit.saturating_sub(cost.get());
                Decision { allowed: false, limit, remaining: 0, reset_after, retry_after }
            }
            // More than there ever is.
            Err(_) => {
                let (reset_after, retry_after) = (bucket.window, bucket.window);
                Decision { allowed: false, limit, remaining: 0, reset_after, retry_after }
            }
        }
    }

    fn buckets(&self, policy: &Policy) -> Arc<Buckets> {
        if let Some(buckets) = self.policies.read().expect("no holder panics").get(policy) {
            return Arc::clone(buckets);
        }
        let quota = NonZeroU32::new(policy.quota).unwrap_or(NonZeroU32::MIN);
        // Governor knows no pause of no length; a nanosecond is none worth the name.
        let interval = policy.interval().max(Duration::from_nanos(1));
        let full =
            Quota::with_period(interval).map_or(Quota::per_second(quota), |one| one.allow_burst(quota));
        let mut policies = self.policies.write().expect("no holder panics");
        let buckets = policies.entry(*policy).or_insert_with(|| {
            let limiter = RateLimiter::dashmap_with_clock(full, self.ticks.clone());
            Arc::new(limiter.with_middleware())
        });
        Arc::clone(buckets)
    }

    /// Forgets the buckets that are full again: they are as good as new ones.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the lock.
    pub fn tidy(&self) {
        for buckets in self.policies.read().expect("no holder panics").values() {
            buckets.retain_recent();
            buckets.shrink_to_fit();
        }
    }

    /// How many buckets are remembered.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the lock.
    pub fn remembered(&self) -> usize {
        self.policies.read().expect("no holder panics").values().map(|buckets| buckets.len()).sum()
    }
}

#[async_trait]
impl Limiter for InProcess {
    async fn take(&self, bucket: &Policy, key: &str, cost: u32) -> Result<Decision, Unreachable> {
        Ok(self.count(bucket, key, cost))
    }
}

/// Keeps the memory of a limiter small.
pub struct Tidy(pub Arc<InProcess>);

#[async_trait]
impl Recurring for Tidy {
    fn name(&self) -> &'static str {
        "limits.tidy"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// Tells of nothing done: forgetting full buckets each minute is no news.
    async fn round(&self) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
        self.0.tidy();
        Ok(0)
    }
}

/// The time that has passed. It stands still while the machine's clock is put back, so that nobody waits for the hour
/// that comes twice.
#[derive(Clone)]
struct Ticks(Arc<(Sources, Mutex<Seen>)>);

struct Seen {
    at: OffsetDateTime,
    passed: Duration,
}

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        let (sources, seen) = &*self.0;
        let mut seen = seen.lock().expect("no holder panics");
        let now = sources.now();
        let since = Duration::try_from(now - seen.at).unwrap_or_default();
        seen.passed += since;
        seen.at = now;
        seen.passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock as _, Entropy};
    use time::macros::datetime;

    struct Hand(Mutex<OffsetDateTime>);

    impl crate::Clock for Hand {
        fn now(&self) -> OffsetDateTime {
            *self.0.lock().unwrap()
        }
    }

    struct Zeros;

    impl Entropy for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn limiter() -> (InProcess, Arc<Hand>) {
        let hand = Arc::new(Hand(Mutex::new(datetime!(2026-06-01 12:00 UTC))));
        (InProcess::new(Sources::new(Arc::clone(&hand) as _, Arc::new(Zeros))), hand)
    }

    const SIX: Policy = Policy::per_minute("six", 6);

    #[test]
    fn fills_up_evenly() {
        let (limiter, hand) = limiter();
        let pass = |seconds| *hand.0.lock().unwrap() += time::Duration::seconds(seconds);
        let left: Vec<u32> = (0..6).map(|_| limiter.count(&SIX, "a", 1).remaining).collect();
        assert_eq!(left, [5, 4, 3, 2, 1, 0]);
        let refused = limiter.count(&SIX, "a", 1);
        let seconds = (refused.retry_after.as_secs(), refused.reset_after.as_secs());
        assert_eq!((refused.allowed, refused.remaining, seconds), (false, 0, (10, 60)));
        assert!(limiter.count(&SIX, "b", 1).allowed, "each key has a bucket of its own");
        assert!(limiter.count(&Policy::per_minute("other", 6), "a", 1).allowed, "and each policy");
        pass(9);
        assert!(!limiter.count(&SIX, "a", 1).allowed);
        pass(1);
        let granted = limiter.count(&SIX, "a", 1);
        assert_eq!((granted.allowed, granted.remaining, granted.reset_after.as_secs()), (true, 0, 60));
        pass(20);
        assert!(!limiter.count(&SIX, "a", 3).allowed, "all or none");
        assert_eq!(limiter.count(&SIX, "a", 2).remaining, 0);
        assert!(!limiter.count(&SIX, "c", 7).allowed, "more than there ever is");
    }

    #[test]
    fn a_clock_that_is_put_back_locks_nobody_out() {
        let (limiter, hand) = limiter();
        for _ in 0..6 {
            limiter.count(&SIX, "a", 1);
        }
        *hand.0.lock().unwrap() -= time::Duration::hours(1);
        assert!(!limiter.count(&SIX, "a", 1).allowed);
        *hand.0.lock().unwrap() += time::Duration::seconds(10);
        assert!(limiter.count(&SIX, "a", 1).allowed);
        assert!(hand.now() < datetime!(2026-06-01 12:00 UTC));
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let (limiter, hand) = limiter();
        for key in ["a", "b", "c"] {
            limiter.count(&SIX, key, 1);
        }
        limiter.count(&SIX, "c", 5);
        limiter.tidy();
        assert_eq!(limiter.remembered(), 3);
        *hand.0.lock().unwrap() += time::Duration::seconds(21);
        limiter.tidy();
        assert_eq!(limiter.remembered(), 1, "c is not full yet");
        assert_eq!(limiter.count(&SIX, "c", 1).remaining, 1);
    }
}
