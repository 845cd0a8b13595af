//! The wall against a provider that is slow or gone: a deadline, retries and a circuit breaker around each call.
//!
//! Every call carries an id of ours (see [`super`]), so that asking again is safe. Metrics, all with `provider`:
//! `souk_payments_provider_seconds` and `souk_payments_provider_answers_total` (with `call`, the latter with `outcome`),
//! `souk_payments_provider_retries_total`, `souk_payments_provider_outages_total`, and
//! `souk_payments_provider_breaker`: 0 closed, 1 half open, 2 open.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use identity::StoreId;
use platform::{Money, Sources};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout_at};

use super::breaker::{Breaker, Circuit};
use super::{
    AccountSaid, Asked, BalanceLines, Incoming, Named, Notice, Opened, Page, PaymentToken, PayoutAsked,
    PayoutSaid, Provider, ProviderError, RefundAsked, RefundSaid, Said,
};
use crate::Error;

/// How patient Souk is with a provider.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// How long a call may take, with all its tries: a buyer waits for it.
    pub(crate) deadline: Duration,
    /// How often it is asked at most.
    pub(crate) tries: u32,
    /// The pause before the second try; each further one is twice as long. Between half of it and all of it is waited,
    /// by chance, so that those who failed together do not come back together.
    pub(crate) pause: Duration,
    /// So many answers in a row that were none, and the provider is left alone.
    pub(crate) outage_after: u32,
    /// How long it is left alone before one call tries again.
    pub(crate) outage_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            tries: 3,
            pause: Duration::from_millis(200),
            outage_after: 10,
            outage_pause: Duration::from_secs(15),
        }
    }
}

/// A provider behind the wall.
pub(crate) struct Guard {
    provider: Arc<dyn Provider>,
    patience: Patience,
    circuit: Circuit,
    sources: Sources,
}

/// A call on its way.
struct Call<'a> {
    guard: &'a Guard,
    name: &'static str,
    begun: Instant,
    tries: u32,
}

impl Guard {
    pub(crate) fn new(provider: Arc<dyn Provider>, patience: Patience, sources: Sources) -> Self {
        let Patience { outage_after: opens_after, outage_pause: pause, deadline: probe, .. } = patience;
        let circuit = Circuit::closed(provider.name(), Breaker { opens_after, pause, probe });
        Self { provider, patience, circuit, sources }
    }

    fn call(&self, name: &'static str) -> Call<'_> {
        Call { guard: self, name, begun: Instant::now(), tries: 0 }
    }

    /// Asks for one thing, as often as it takes.
    async fn ask<T, F>(&self, name: &'static str, ask: impl Fn() -> F + Send) -> Result<T, ProviderError>
    where
        T: Send,
        F: Future<Output = Result<T, ProviderError>> + Send,
    {
        let mut call = self.call(name);
        let mut answer = Err(call.admit()?);
        loop {
            if let Ok(said) = timeout_at(call.deadline(), ask()).await {
                answer = said;
            }
            call.note(&answer);
            let passes = answer.as_ref().is_err_and(ProviderError::passes);
            if !passes || !call.wait().await {
                return answer;
            }
        }
    }
}

impl Call<'_> {
    fn deadline(&self) -> Instant {
        self.begun + self.guard.patience.deadline
    }

    /// Lets the call through, or fails at once. Gives what is to be answered if the provider does not in time.
    fn admit(&self) -> Result<ProviderError, ProviderError> {
        match self.guard.circuit.admit() {
            Ok(()) => Ok(self.too_late()),
            Err(left) => {
                self.count("left_alone");
                let left = left.as_secs_f64();
                Err(ProviderError::Unavailable(format!("it is asked again in {left:.0} s")))
            }
        }
    }

    fn too_late(&self) -> ProviderError {
        ProviderError::Unavailable(format!("no answer in {:?}", self.guard.patience.deadline))
    }

    /// Takes note of an answer.
    fn note<T>(&self, answer: &Result<T, ProviderError>) {
        let outcome = match answer {
            // Our own database says nothing of the provider.
            Err(ProviderError::Database(_)) => "database",
            Err(ProviderError::Unavailable(_)) => {
                self.guard.circuit.unanswered();
                "unavailable"
            }
            Err(_) => {
                self.guard.circuit.answered();
                "refused"
            }
            Ok(_) => {
                self.guard.circuit.answered();
                "answered"
            }
        };
        self.count(outcome);
    }

    fn count(&self, outcome: &'static str) {
        let provider = self.guard.provider.name();
        metrics::counter!("souk_payments_provider_answers_total", "provider" => provider, "call" => self.name,
            "outcome" => outcome)
        .increment(1);
    }

    /// Waits before the next try; false if there is none: because of the deadline, of how often it was tried, or because
    /// the provider is left alone by now.
    async fn wait(&mut self) -> bool {
        self.tries += 1;
        let Patience { tries, pause, .. } = self.guard.patience;
        if self.tries >= tries {
            return false;
        }
        let whole = pause.saturating_mul(2_u32.saturating_pow(self.tries - 1));
        let chance = f64::from(u16::from_le_bytes(self.guard.sources.random())) / f64::from(u16::MAX);
        let pause = whole.mul_f64(0.5 + chance / 2.0);
        if Instant::now() + pause >= self.deadline() {
            return false;
        }
        sleep(pause).await;
        let provider = self.guard.provider.name();
        metrics::counter!("souk_payments_provider_retries_total", "provider" => provider).increment(1);
        self.guard.circuit.admit().is_ok()
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let provider = self.guard.provider.name();
        metrics::histogram!("souk_payments_provider_seconds", "provider" => provider, "call" => self.name)
            .record(self.begun.elapsed().as_secs_f64());
    }
}

#[async_trait]
impl Provider for Guard {
    fn name(&self) -> &'static str {
        self.provider.name()
    }

    fn check(&self, token: &PaymentToken) -> Result<(), Error> {
        self.provider.check(token)
    }

    /// Asks again for those alone that got no answer. The deadline is for all of them together.
    async fn charge(&self, asked: &[Asked]) -> Vec<Result<Said, ProviderError>> {
        let mut call = self.call("charge");
        if let Err(ProviderError::Unavailable(why)) = call.admit() {
            return asked.iter().map(|_| Err(ProviderError::Unavailable(why.clone()))).collect();
        }
        let mut answers: Vec<_> = asked.iter().map(|_| Err(call.too_late())).collect();
        let mut waiting: Vec<usize> = (0..asked.len()).collect();
        while !waiting.is_empty() {
            let these = match waiting.len() == asked.len() {
                true => Cow::Borrowed(asked),
                false => Cow::Owned(waiting.iter().map(|&at| asked[at].clone()).collect()),
            };
            let said = timeout_at(call.deadline(), self.provider.charge(&these)).await.unwrap_or_default();
            for (&at, said) in waiting.iter().zip(said) {
                answers[at] = said;
            }
            waiting.iter().for_each(|&at| call.note(&answers[at]));
            waiting.retain(|&at| answers[at].as_ref().is_err_and(ProviderError::passes));
            if !waiting.is_empty() && !call.wait().await {
                break;
            }
        }
        answers
    }

    async fn open_page(&self, page: &Page) -> Result<Opened, ProviderError> {
        self.ask("open_page", || self.provider.open_page(page)).await
    }

    async fn look(&self, payment: &Named) -> Result<Said, ProviderError> {
        self.ask("look", || self.provider.look(payment)).await
    }

    async fn capture(&self, payment: &Named, amount: Money) -> Result<Said, ProviderError> {
        self.ask("capture", || self.provider.capture(payment, amount)).await
    }

    async fn void(&self, payment: &Named) -> Result<Said, ProviderError> {
        self.ask("void", || self.provider.void(payment)).await
    }

    async fn forget_method(&self, reference: &str) -> Result<(), ProviderError> {
        self.ask("forget_method", || self.provider.forget_method(reference)).await
    }

    async fn refund(&self, refund: &RefundAsked) -> Result<RefundSaid, ProviderError> {
        self.ask("refund", || self.provider.refund(refund)).await
    }

    async fn open_account(
        &self,
        store: StoreId,
        reference: Option<&str>,
        return_url: &str,
    ) -> Result<AccountSaid, ProviderError> {
        self.ask("open_account", || self.provider.open_account(store, reference, return_url)).await
    }

    async fn pay_out(&self, payout: &PayoutAsked) -> Result<PayoutSaid, ProviderError> {
        self.ask("pay_out", || self.provider.pay_out(payout)).await
    }

    async fn balance_lines(&self, after: Option<&str>, limit: u32) -> Result<BalanceLines, ProviderError> {
        self.ask("balance_lines", || self.provider.balance_lines(after, limit)).await
    }

    fn verify(
        &self,
        headers: &[(String, String)],
        body: &[u8],
        now: OffsetDateTime,
    ) -> Result<Notice, Error> {
        self.provider.verify(headers, body, now)
    }

    fn read(&self, body: &[u8]) -> Result<Incoming, ProviderError> {
        self.provider.read(body)
    }
}

#[cfg(test)]
mod tests;
