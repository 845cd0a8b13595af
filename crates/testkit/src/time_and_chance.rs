//! A clock that stands still and chance that repeats itself.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use platform::{Clock, Entropy};
use sha2::{Digest, Sha256};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// A clock that moves only when it is told to.
#[derive(Debug)]
pub struct FakeClock(Mutex<OffsetDateTime>);

impl Default for FakeClock {
    fn default() -> Self {
        Self(Mutex::new(datetime!(2026-06-01 12:00 UTC)))
    }
}

impl FakeClock {
    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        *self.0.lock().expect("no holder panics") += by;
    }
}

impl Clock for FakeClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().expect("no holder panics")
    }
}

/// Bytes that are different each time and the same in each run.
#[derive(Debug, Default)]
pub struct SeededEntropy(AtomicU64);

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let turn = self.0.fetch_add(1, Ordering::Relaxed);
            let block = Sha256::digest(turn.to_be_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}
