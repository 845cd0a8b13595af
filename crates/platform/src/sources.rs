//! Time and randomness as parameters, so that tests can hold the first still and repeat the second.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::{Id, Secret};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The present, in UTC, in whole microseconds (what PostgreSQL keeps).
    fn now(&self) -> OffsetDateTime;
}

/// Gives bytes that nobody can guess.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The machine's clock and its random number generator.
pub struct System;

impl Clock for System {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    fn now(&self) -> OffsetDateTime {
        let now = OffsetDateTime::now_utc();
        now.replace_microsecond(now.microsecond()).unwrap_or(now)
    }
}

impl Entropy for System {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for randomness")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system has a random number generator");
    }
}

/// What a service takes instead of asking the machine.
#[derive(Clone)]
pub struct Sources {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Sources {
    /// Sources made of these two.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy }
    }

    /// The machine's own.
    pub fn system() -> Self {
        Self::new(Arc::new(System), Arc::new(System))
    }

    /// The present, in UTC, in whole microseconds.
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// A new id.
    pub fn id<K>(&self) -> Id<K> {
        Id::new(self.now(), &self.random())
    }

    /// A new secret of 256 bits.
    pub fn secret(&self) -> Secret {
        Secret::from_bytes(&self.random::<32>())
    }

    /// `N` random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }
}
