//! What the sandbox promises to Souk, as a provider: against a real PostgreSQL, and by the sandbox's own clock.
mod books;
mod charges;
mod money_back;
mod payouts;

use std::sync::Arc;

use identity::Actor;
use platform::{Currency, Money, Sources};
use testkit::{FakeClock, SeededEntropy, TestDatabase};
use time::Duration;

use super::{Company, Sandbox, Target, Trigger};
use crate::provider::{
    Asked, Change, Named, PaymentToken, Provider, ProviderError, RefundAsked, RefundSaid, Said, Status,
};
use crate::{PaymentId, RefundId};

pub(super) const PRICE: Money = Money::new(1999, Currency::GBP);
/// What the sandbox keeps of it.
pub(super) const FEE: i64 = 50;

/// A sandbox on a database of its own.
pub(super) struct Bench {
    pub(super) company: Arc<Company>,
    pub(super) sources: Sources,
    pub(super) database: TestDatabase,
}

impl Bench {
    pub(super) async fn new() -> Self {
        let database = TestDatabase::create().await;
        let sources = Sources::new(Arc::new(FakeClock::default()), Arc::new(SeededEntropy::default()));
        let url = "http://127.0.0.1:9".parse().expect("a URL");
        let company = Arc::new(Company::new(database.database.clone(), sources.clone(), url, [7; 32]));
        Self { company, sources, database }
    }

    pub(super) async fn charge(&self, token: &str) -> (Named, Said) {
        let asked = self.asked(token, PRICE);
        let said = self.ask(&asked).await.expect("the sandbox answers");
        (Named { id: asked.id, reference: said.reference.clone() }, said)
    }

    pub(super) fn asked(&self, token: &str, amount: Money) -> Asked {
        let id: PaymentId = self.sources.id();
        Asked {
            id,
            order: id.uuid(),
            amount,
            token: PaymentToken::presented(token),
            keep_for: None,
            return_url: Some("https://shop.example/back".to_owned()),
            at: self.sources.now(),
        }
    }

    pub(super) async fn ask(&self, asked: &Asked) -> Result<Said, ProviderError> {
        self.company.charge(std::slice::from_ref(asked)).await.pop().expect("an answer for each")
    }

    pub(super) async fn refund(&self, payment: &Named, amount: i64) -> Result<RefundSaid, ProviderError> {
        self.company.refund(&self.refund_of(payment, amount)).await
    }

    pub(super) fn refund_of(&self, payment: &Named, amount: i64) -> RefundAsked {
        let id: RefundId = self.sources.id();
        let amount = Money::new(amount, PRICE.currency);
        RefundAsked { id, payment: payment.clone(), amount, at: self.sources.now() }
    }

    pub(super) async fn look(&self, payment: &Named) -> Status {
        self.company.look(payment).await.expect("the sandbox knows it").status
    }

    /// Lets time pass at the sandbox, and does what is due then. Notices do not arrive: nobody listens.
    pub(super) async fn later(&self, by: Duration) {
        self.company.advance(&Actor::system(), by).await.expect("the clock goes on");
        while self.company.deliver_due().await.expect("what is due is done") > 0 {}
    }

    pub(super) async fn trigger(&self, event: Trigger, target: &Target) -> Result<String, super::Error> {
        self.company.trigger(&Actor::system(), event, target).await
    }

    /// All notices so far, in the order they were written: what Souk would read in them.
    pub(super) async fn told(&self) -> Vec<Change> {
        let bodies: Vec<String> = sqlx::query_scalar("SELECT body FROM payments.sandbox_events ORDER BY seq")
            .fetch_all(self.database.database.pool())
            .await
            .expect("notices can be read");
        bodies.iter().map(|body| self.company.read(body.as_bytes()).expect("a notice").change).collect()
    }

    pub(super) async fn finish(self) {
        self.database.drop().await;
    }
}

/// A refusal's word.
pub(super) fn code<T>(answer: Result<T, ProviderError>) -> String {
    match answer {
        Err(ProviderError::Refused { code, .. }) => code,
        Err(other) => format!("{other}"),
        Ok(_) => "done".to_owned(),
    }
}
