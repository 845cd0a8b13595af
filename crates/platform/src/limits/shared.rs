//! Redis while it answers, else this process.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Decision, InProcess, Limiter, Policy, Redis, Unreachable};

/// Counts for all nodes together. While Redis does not answer each node counts for itself: buyers are not turned away
/// for it, and nobody is let in without limit.
pub struct Shared {
    redis: Redis,
    local: Arc<InProcess>,
}

impl Shared {
    /// A limiter on this Redis, with that one in its place when it fails.
    pub fn new(redis: Redis, local: Arc<InProcess>) -> Self {
        Self { redis, local }
    }
}

#[async_trait]
impl Limiter for Shared {
    async fn take(&self, bucket: &Policy, key: &str, cost: u32) -> Result<Decision, Unreachable> {
        if let Ok(decision) = self.redis.take(bucket, key, cost).await {
            return Ok(decision);
        }
        metrics::counter!("souk_rate_limiter_fallback_total").increment(1);
        Ok(self.local.count(bucket, key, cost))
    }
}
