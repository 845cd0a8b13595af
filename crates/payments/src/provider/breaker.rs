//! A circuit breaker: a provider that is gone is left alone for a while, instead of letting every buyer wait for it.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// How a provider is left alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breaker {
    /// So many answers in a row that were none open it.
    pub(super) opens_after: u32,
    /// How long nobody asks.
    pub(super) pause: Duration,
    /// How long the one who asks first after the pause may take, before another one tries.
    pub(super) probe: Duration,
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Everybody asks; so many answers in a row were none.
    Closed(u32),
    /// Nobody asks until then.
    Open(Instant),
    /// One asks; until then all others wait for what comes of it.
    HalfOpen(Instant),
}

impl State {
    /// As the metric `souk_payments_provider_breaker` tells it.
    const fn gauge(self) -> f64 {
        match self {
            Self::Closed(_) => 0.0,
            Self::HalfOpen(_) => 1.0,
            Self::Open(_) => 2.0,
        }
    }
}

/// The breaker of one provider.
pub(super) struct Circuit {
    provider: &'static str,
    breaker: Breaker,
    state: Mutex<State>,
}

impl Circuit {
    pub(super) fn closed(provider: &'static str, breaker: Breaker) -> Self {
        let circuit = Self { provider, breaker, state: Mutex::new(State::Closed(0)) };
        circuit.tell(State::Closed(0));
        circuit
    }

    /// Whether the provider may be asked now.
    ///
    /// # Errors
    /// How long it is left alone yet.
    pub(super) fn admit(&self) -> Result<(), Duration> {
        let now = Instant::now();
        let mut state = self.state();
        match *state {
            State::Closed(_) => Ok(()),
            State::Open(until) | State::HalfOpen(until) if now < until => Err(until - now),
            State::Open(_) | State::HalfOpen(_) => {
                self.enter(&mut state, State::HalfOpen(now + self.breaker.probe));
                Ok(())
            }
        }
    }

    /// The provider answered: whatever it said, it is there.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        if matches!(*state, State::Closed(0)) {
            return;
        }
        if !matches!(*state, State::Closed(_)) {
            tracing::info!(provider = self.provider, "the payment provider is back");
        }
        self.enter(&mut state, State::Closed(0));
    }

    /// It did not answer.
    pub(super) fn unanswered(&self) {
        let mut state = self.state();
        let failures = match *state {
            State::Closed(failures) => failures.saturating_add(1),
            State::HalfOpen(_) => self.breaker.opens_after,
            State::Open(_) => return,
        };
        if failures < self.breaker.opens_after {
            *state = State::Closed(failures);
            return;
        }
        if matches!(*state, State::Closed(_)) {
            tracing::warn!(provider = self.provider, failures, "the payment provider is gone: left alone");
        }
        metrics::counter!("souk_payments_provider_outages_total", "provider" => self.provider).increment(1);
        self.enter(&mut state, State::Open(Instant::now() + self.breaker.pause));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }

    fn enter(&self, state: &mut State, next: State) {
        *state = next;
        self.tell(next);
    }

    fn tell(&self, state: State) {
        metrics::gauge!("souk_payments_provider_breaker", "provider" => self.provider).set(state.gauge());
    }
}
