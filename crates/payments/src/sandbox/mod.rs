//! The sandbox provider: a payment company in a few tables, for demos, tests and development. It has a payment page of its
//! own, tells Souk what happens by signed notices, and keeps books, so that all of Souk works on it without a network.
//!
//! It stands for a company of its own: nobody but it touches the tables `payments.sandbox_*`, it commits apart from Souk's
//! own state, and it has a clock of its own, by which all happens that it does later. docs/sandbox.md has its tokens, card
//! numbers and what goes wrong on demand.
mod account;
mod books;
mod card;
mod charge;
mod control;
mod deliver;
mod dispute;
mod error;
mod event;
mod face;
mod fee;
mod intent;
mod page;
mod payout;
mod provider;
mod refund;
mod standing;
mod task;
#[cfg(test)]
mod tests;
mod token;
mod trigger;

use platform::{Database, Sources};
use time::{Duration, OffsetDateTime};
use url::Url;

use crate::provider::ProviderError;
use control::Control;

pub use account::AccountPage;
pub use card::{Card, Field, Wrong};
pub use control::Chaos;
pub use error::Error;
pub use face::{Condition, Deliver, Sandbox, Trial};
pub use page::{PaymentPage, Step};
pub use token::{TestCard, test_cards};
pub use trigger::{NoEvent, Target, Trigger};

/// The company.
pub(crate) struct Company {
    database: Database,
    sources: Sources,
    /// Where buyers reach Souk: its pages stand below it, and it sends its notices there.
    public_url: Url,
    /// What it signs its notices with.
    secret: [u8; 32],
    cached: control::Cached,
    http: deliver::Http,
}

impl Company {
    pub(crate) fn new(database: Database, sources: Sources, public_url: Url, secret: [u8; 32]) -> Self {
        let (cached, http) = (control::Cached::default(), deliver::Http::default());
        Self { database, sources, public_url, secret, cached, http }
    }

    /// How it is set, as far as this process knows.
    async fn control(&self) -> Result<Control, sqlx::Error> {
        match self.cached.get() {
            Some(control) => Ok(control),
            None => self.read_control().await,
        }
    }

    /// How it is set now.
    async fn read_control(&self) -> Result<Control, sqlx::Error> {
        control::read(&self.database, &self.cached).await
    }

    /// How it is set, for whoever asks it something; while it is out, nobody is answered.
    async fn asked(&self) -> Result<Control, ProviderError> {
        let control = self.read_control().await?;
        if control.chaos.outage {
            return Err(ProviderError::Unavailable("the sandbox was told not to answer".to_owned()));
        }
        Ok(control)
    }

    /// The time by its own clock.
    fn now(&self, control: &Control) -> OffsetDateTime {
        control.at(self.sources.now())
    }

    /// How long a notice that is written now waits.
    fn delay(&self, control: &Control) -> Duration {
        let delay = control.chaos.delay;
        if !control.chaos.shuffle || delay.is_zero() {
            return delay;
        }
        let chance = u32::from_be_bytes(self.sources.random());
        delay * (f64::from(chance) / f64::from(u32::MAX))
    }

    /// A new name that nobody can guess.
    fn name(&self, prefix: &str) -> String {
        let random: String = self.sources.random::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{prefix}_{random}")
    }

    /// Whether this may be a name of the sandbox's: what somebody wrote into an address need not be.
    fn is_name(text: &str) -> bool {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    }

    /// An address of Souk's, under which the sandbox's pages stand too.
    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }

    /// Where a buyer pays, or passes a challenge.
    fn page(&self, session: &str, challenged: bool) -> String {
        let name = if challenged { "challenge" } else { "pay" };
        self.address(&format!("/sandbox/{name}?session={session}"))
    }

    /// Where the holder of an account says who they are.
    fn account_page(&self, reference: &str) -> String {
        self.address(&format!("/sandbox/account?account={reference}"))
    }
}
