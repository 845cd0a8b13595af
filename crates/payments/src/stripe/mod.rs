//! Stripe (<https://docs.stripe.com/api>): payments, pages, refunds, and with Connect stores' accounts and payouts.
//!
//! Every change is asked for with a key of ours ([idempotent requests](https://docs.stripe.com/api/idempotent_requests));
//! Stripe forgets keys after a day, so that what is older is looked for first. Our ids are written on Stripe's objects as
//! metadata, by which notices and balance transactions find their way home. Card numbers do not pass through here: tokens
//! come from Stripe's own scripts in the buyer's browser.
mod amount;
mod balance;
mod client;
mod connect;
mod failure;
mod form;
mod means;
mod notice;
mod page;
mod payment;
mod refund;
mod wire;

use async_trait::async_trait;
use identity::StoreId;
use platform::{Money, Secret};
use time::OffsetDateTime;
use url::Url;

use crate::Error;
use crate::provider::{
    AccountSaid, Asked, BalanceLines, Incoming, Named, Notice, Opened, Page, PaymentToken, PayoutAsked,
    PayoutSaid, Provider, ProviderError, RefundAsked, RefundSaid, Said,
};
use client::Client;
use means::Means;

/// How Souk is known to Stripe. Its secrets are in no log: `Debug` hides them.
#[derive(Clone, Debug)]
pub struct StripeSettings {
    /// The secret key, `sk_…`, or a restricted one, `rk_…`.
    pub secret_key: Secret,
    /// The signing secrets of the webhook's endpoints, `whsec_…`: one for the marketplace's own notices, one for those of
    /// stores' accounts, and while one of them is replaced the one before. Any of them may have signed.
    pub webhook_secrets: Vec<Secret>,
    /// Where Stripe is: [`StripeSettings::API`], or a stand-in for tests.
    pub api_base: Url,
}

impl StripeSettings {
    /// Stripe's own address.
    pub const API: &str = "https://api.stripe.com/";

    /// Asks nobody.
    ///
    /// # Errors
    /// [`StripeSettingsError`].
    pub fn check(&self) -> Result<(), StripeSettingsError> {
        Stripe::new(self.clone()).map(drop)
    }
}

/// Why Stripe can not be called with these settings.
#[derive(Debug, thiserror::Error)]
pub enum StripeSettingsError {
    /// The address would let the key travel in the clear.
    #[error("{0} is not called without TLS")]
    Insecure(Url),
    /// What should be the secret key is something else.
    #[error("the secret key of Stripe begins with sk_ or rk_")]
    NoKey,
    /// No client can be made, for want of certificates to trust for example.
    #[error("no client can be made")]
    Client(#[source] reqwest::Error),
}

/// Stripe, as a provider.
pub(crate) struct Stripe {
    client: Client,
    webhook_secrets: Vec<Secret>,
}

impl Stripe {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// [`StripeSettingsError`].
    pub(crate) fn new(settings: StripeSettings) -> Result<Self, StripeSettingsError> {
        Ok(Self { webhook_secrets: settings.webhook_secrets.clone(), client: Client::new(settings)? })
    }
}

#[async_trait]
impl Provider for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn check(&self, token: &PaymentToken) -> Result<(), Error> {
        if token.looks_like_card_number() || means::has_card_number(token) {
            return Err(Error::CardNumber);
        }
        match Means::of(token) {
            // What is kept for somebody is charged by Souk's name for it alone, and for them.
            None | Some(Means::Kept { .. }) => Err(Error::UnknownToken),
            Some(Means::Token(_) | Means::Method(_)) => Ok(()),
        }
    }

    async fn charge(&self, asked: &[Asked]) -> Vec<Result<Said, ProviderError>> {
        self.charge_all(asked).await
    }

    async fn open_page(&self, page: &Page) -> Result<Opened, ProviderError> {
        self.open(page).await
    }

    async fn look(&self, payment: &Named) -> Result<Said, ProviderError> {
        self.look_at(payment).await
    }

    async fn capture(&self, payment: &Named, amount: Money) -> Result<Said, ProviderError> {
        self.take(payment, amount).await
    }

    async fn void(&self, payment: &Named) -> Result<Said, ProviderError> {
        self.call_off(payment).await
    }

    async fn forget_method(&self, reference: &str) -> Result<(), ProviderError> {
        self.detach(reference).await
    }

    async fn refund(&self, refund: &RefundAsked) -> Result<RefundSaid, ProviderError> {
        self.give_back(refund).await
    }

    async fn open_account(
        &self,
        store: StoreId,
        reference: Option<&str>,
        return_url: &str,
    ) -> Result<AccountSaid, ProviderError> {
        self.account_of(store, reference, return_url).await
    }

    /// Asked again for the same attempt it tells how the payout stands now, and takes the money back from the account of
    /// one that failed: to be asked when a notice says so.
    async fn pay_out(&self, payout: &PayoutAsked) -> Result<PayoutSaid, ProviderError> {
        self.send_out(payout).await
    }

    async fn balance_lines(&self, after: Option<&str>, limit: u32) -> Result<BalanceLines, ProviderError> {
        self.lines(after, limit).await
    }

    fn verify(
        &self,
        headers: &[(String, String)],
        body: &[u8],
        now: OffsetDateTime,
    ) -> Result<Notice, Error> {
        notice::verify(&self.webhook_secrets, headers, body, now)
    }

    fn read(&self, body: &[u8]) -> Result<Incoming, ProviderError> {
        notice::read(body)
    }
}

#[cfg(test)]
mod tests;
