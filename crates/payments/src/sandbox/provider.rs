//! The sandbox as Souk asks it.

use async_trait::async_trait;
use identity::StoreId;
use platform::Money;
use time::OffsetDateTime;

use super::{Company, account, books, charge, event, intent, page, payout, refund, token};
use crate::Error;
use crate::provider::{
    AccountSaid, Asked, BalanceLines, Incoming, Named, Notice, Opened, Page, PaymentToken, PayoutAsked,
    PayoutSaid, Provider, ProviderError, RefundAsked, RefundSaid, Said,
};

#[async_trait]
impl Provider for Company {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn check(&self, given: &PaymentToken) -> Result<(), Error> {
        if given.looks_like_card_number() {
            return Err(Error::CardNumber);
        }
        // What is kept for somebody is charged by Souk's name for it alone, and for them.
        if token::by_token(given.as_str()).is_some() { Ok(()) } else { Err(Error::UnknownToken) }
    }

    async fn charge(&self, asked: &[Asked]) -> Vec<Result<Said, ProviderError>> {
        match charge::all(self, asked).await {
            Ok(said) => said,
            Err(error) => asked.iter().map(|_| Err(ProviderError::Unavailable(error.to_string()))).collect(),
        }
    }

    async fn open_page(&self, page: &Page) -> Result<Opened, ProviderError> {
        page::open(self, page).await
    }

    async fn look(&self, payment: &Named) -> Result<Said, ProviderError> {
        self.asked().await?;
        intent::look(self, payment).await
    }

    async fn capture(&self, payment: &Named, amount: Money) -> Result<Said, ProviderError> {
        intent::capture(self, payment, amount).await
    }

    async fn void(&self, payment: &Named) -> Result<Said, ProviderError> {
        intent::void(self, payment).await
    }

    async fn forget_method(&self, reference: &str) -> Result<(), ProviderError> {
        self.asked().await?;
        Ok(charge::forget(self, reference).await?)
    }

    async fn refund(&self, asked: &RefundAsked) -> Result<RefundSaid, ProviderError> {
        refund::ask(self, asked).await
    }

    async fn open_account(
        &self,
        store: StoreId,
        _reference: Option<&str>,
        return_url: &str,
    ) -> Result<AccountSaid, ProviderError> {
        account::open(self, store, return_url).await
    }

    async fn pay_out(&self, asked: &PayoutAsked) -> Result<PayoutSaid, ProviderError> {
        payout::ask(self, asked).await
    }

    async fn balance_lines(&self, after: Option<&str>, limit: u32) -> Result<BalanceLines, ProviderError> {
        books::lines(self, after, limit).await
    }

    fn verify(
        &self,
        headers: &[(String, String)],
        body: &[u8],
        now: OffsetDateTime,
    ) -> Result<Notice, Error> {
        event::verify(&self.secret, headers, body, now)
    }

    fn read(&self, body: &[u8]) -> Result<Incoming, ProviderError> {
        event::read(body)
    }
}
