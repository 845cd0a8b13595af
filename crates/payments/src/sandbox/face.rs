//! What the sandbox is besides a provider: pages for people, and what is asked of it for the sake of a test.

use std::sync::Arc;
use std::time::Duration as Pause;

use async_trait::async_trait;
use identity::{Actor, Permission};
use platform::Money;
use platform::schedule::Recurring;
use time::{Duration, OffsetDateTime};

use super::page::Draft;
use super::{
    AccountPage, Card, Chaos, Company, Error, PaymentPage, Target, Trigger, account, control, deliver, page,
    trigger,
};

/// How the sandbox is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The time by its clock.
    pub now: OffsetDateTime,
    /// How far its clock is ahead.
    pub ahead: Duration,
    /// What goes wrong on demand.
    pub chaos: Chaos,
}

/// A page to be opened for a try: Souk knows of no payment with it.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What the page says is paid.
    pub description: String,
    /// How much.
    pub amount: Money,
    /// Where the buyer goes in the end.
    pub return_url: String,
    /// Where they go if they change their mind.
    pub cancel_url: String,
}

/// The sandbox as its own pages and its operator use it; there is one if the sandbox is the provider.
///
/// Whoever knows a page's secret may use the page. What is done for the sake of a test needs `finance:admin`.
#[async_trait]
pub trait Sandbox: Send + Sync + 'static {
    /// What the page of this secret shows.
    async fn page(&self, session: &str) -> Result<PaymentPage, Error>;

    /// Pays with a card. The number is neither kept nor logged.
    async fn submit(&self, session: &str, card: &Card) -> Result<PaymentPage, Error>;

    /// Passes the challenge of a card's bank, or does not.
    async fn answer_challenge(&self, session: &str, approve: bool) -> Result<PaymentPage, Error>;

    /// Closes a page: the buyer does not want to pay.
    async fn cancel(&self, session: &str) -> Result<PaymentPage, Error>;

    /// What the page of an account shows.
    async fn account(&self, reference: &str) -> Result<AccountPage, Error>;

    /// Says that the holder of an account has told who they are.
    async fn activate(&self, reference: &str) -> Result<AccountPage, Error>;

    /// Opens a page for a try; gives its address.
    async fn open(&self, actor: &Actor, trial: &Trial) -> Result<String, Error>;

    /// How the sandbox is.
    async fn condition(&self, actor: &Actor) -> Result<Condition, Error>;

    /// Sets what goes wrong. Other processes know of it within a second.
    async fn set_chaos(&self, actor: &Actor, chaos: &Chaos) -> Result<Condition, Error>;

    /// Moves its clock on. What is due by then happens in the next round.
    async fn advance(&self, actor: &Actor, by: Duration) -> Result<Condition, Error>;

    /// Makes something happen; what is to be said of it.
    async fn trigger(&self, actor: &Actor, event: Trigger, target: &Target) -> Result<String, Error>;

    /// Does some of what is due by the sandbox's clock, and sends some of the notices that are. Returns how many things
    /// it did; 0 when nothing is left that could be done now.
    async fn deliver_due(&self) -> Result<u64, Error>;
}

#[async_trait]
impl Sandbox for Company {
    async fn page(&self, session: &str) -> Result<PaymentPage, Error> {
        page::show(self, session).await
    }

    async fn submit(&self, session: &str, card: &Card) -> Result<PaymentPage, Error> {
        page::submit(self, session, card).await
    }

    async fn answer_challenge(&self, session: &str, approve: bool) -> Result<PaymentPage, Error> {
        page::answer(self, session, approve).await
    }

    async fn cancel(&self, session: &str) -> Result<PaymentPage, Error> {
        page::cancel(self, session).await
    }

    async fn account(&self, reference: &str) -> Result<AccountPage, Error> {
        account::show(self, reference).await
    }

    async fn activate(&self, reference: &str) -> Result<AccountPage, Error> {
        account::activate(self, reference).await
    }

    async fn open(&self, actor: &Actor, trial: &Trial) -> Result<String, Error> {
        actor.require_platform(Permission::FinanceAdmin)?;
        if trial.amount.amount <= 0 {
            return Err(Error::Invalid("a page is for more than nothing"));
        }
        let control = self.control().await?;
        let draft = Draft {
            key: self.name(page::TRIAL),
            reference: self.name("ch"),
            order: None,
            description: &trial.description,
            amount: trial.amount,
            return_url: &trial.return_url,
            cancel_url: &trial.cancel_url,
            expires_at: self.now(&control) + Duration::DAY,
        };
        Ok(page::open_new(self, &control, draft).await?.url)
    }

    async fn condition(&self, actor: &Actor) -> Result<Condition, Error> {
        actor.require_platform(Permission::FinanceAdmin)?;
        let control = self.read_control().await?;
        Ok(Condition { now: self.now(&control), ahead: control.offset, chaos: control.chaos })
    }

    async fn set_chaos(&self, actor: &Actor, chaos: &Chaos) -> Result<Condition, Error> {
        actor.require_platform(Permission::FinanceAdmin)?;
        control::write(&self.database, &self.cached, chaos).await?;
        self.condition(actor).await
    }

    async fn advance(&self, actor: &Actor, by: Duration) -> Result<Condition, Error> {
        actor.require_platform(Permission::FinanceAdmin)?;
        control::advance(&self.database, &self.cached, by).await?;
        self.condition(actor).await
    }

    async fn trigger(&self, actor: &Actor, event: Trigger, target: &Target) -> Result<String, Error> {
        actor.require_platform(Permission::FinanceAdmin)?;
        trigger::pull(self, event, target).await
    }

    async fn deliver_due(&self) -> Result<u64, Error> {
        Ok(deliver::round(self).await?)
    }
}

/// Does what the sandbox does later, and sends its notices, each second.
pub struct Deliver(pub Arc<dyn Sandbox>);

#[async_trait]
impl Recurring for Deliver {
    fn name(&self) -> &'static str {
        "payments.sandbox"
    }

    fn every(&self) -> Pause {
        Pause::from_secs(1)
    }

    fn most(&self) -> u64 {
        deliver::BATCH.unsigned_abs()
    }

    async fn round(&self) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.0.deliver_due().await?)
    }
}
