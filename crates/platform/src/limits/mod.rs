//! How often somebody may do something.
//!
//! A bucket holds `quota` units and fills up again evenly within `window` (the generic cell rate algorithm, ITU-T
//! I.371): somebody who has been quiet may spend the whole quota at once, and then one unit each `window / quota`.
//!
//! Counted [`InProcess`], or in Redis for all nodes together ([`Shared`]).
mod in_process;
mod redis;
mod shared;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

pub use self::in_process::{InProcess, Tidy};
pub use self::redis::{BadAddress, Redis};
pub use self::shared::Shared;

/// A bucket's name and size. Each key has a bucket of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// As clients are told it.
    pub name: &'static str,
    /// Units in a full bucket; at least 1.
    pub quota: u32,
    /// How long an empty bucket takes to fill.
    pub window: Duration,
}

impl Policy {
    /// So many units a minute.
    pub const fn per_minute(name: &'static str, quota: u32) -> Self {
        Self { name, quota, window: Duration::from_secs(60) }
    }

    /// So many units an hour.
    pub const fn per_hour(name: &'static str, quota: u32) -> Self {
        Self { name, quota, window: Duration::from_secs(60 * 60) }
    }

    /// After how long one unit is there again.
    fn interval(&self) -> Duration {
        self.window / self.quota.max(1)
    }
}

/// What became of a wish to take units out of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether they were taken.
    pub allowed: bool,
    /// Units in a full bucket.
    pub limit: u32,
    /// Units that are left.
    pub remaining: u32,
    /// After how long the bucket is full, if nothing more is taken.
    pub reset_after: Duration,
    /// After how long the same wish can be granted; nothing if it was.
    pub retry_after: Duration,
}

/// Whoever counts does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rate limiter does not answer")]
pub struct Unreachable;

/// Counts.
#[async_trait]
pub trait Limiter: Send + Sync + 'static {
    /// Takes `cost` units out of the bucket of `key`, or none. A key names whom is counted, such as `user:` and an id.
    ///
    /// # Errors
    /// When whoever counts does not answer. [`InProcess`] and [`Shared`] always do.
    async fn take(&self, bucket: &Policy, key: &str, cost: u32) -> Result<Decision, Unreachable>;
}

impl fmt::Debug for dyn Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limiter(…)")
    }
}
