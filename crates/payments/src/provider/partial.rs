//! Providers of tests, which do a few things: whatever else they are asked for they do not answer.

use async_trait::async_trait;
use identity::StoreId;
use platform::Money;
use time::OffsetDateTime;

use super::{
    AccountSaid, Asked, BalanceLines, Incoming, Named, Notice, Opened, Page, PaymentToken, PayoutAsked,
    PayoutSaid, Provider, ProviderError, RefundAsked, RefundSaid, Said,
};
use crate::Error;

fn silence() -> ProviderError {
    ProviderError::Unavailable("it was not written for this".to_owned())
}

/// What a provider of a test may do. It is called "fake".
#[async_trait]
pub(crate) trait Partial: Send + Sync + 'static {
    async fn charge(&self, asked: &[Asked]) -> Vec<Result<Said, ProviderError>> {
        asked.iter().map(|_| Err(silence())).collect()
    }
    async fn look(&self, _payment: &Named) -> Result<Said, ProviderError> {
        Err(silence())
    }
    async fn open_account(
        &self,
        _store: StoreId,
        _reference: Option<&str>,
        _return_url: &str,
    ) -> Result<AccountSaid, ProviderError> {
        Err(silence())
    }
    async fn pay_out(&self, _payout: &PayoutAsked) -> Result<PayoutSaid, ProviderError> {
        Err(silence())
    }
    async fn balance_lines(&self, _after: Option<&str>, _limit: u32) -> Result<BalanceLines, ProviderError> {
        Err(silence())
    }
    fn verify(
        &self,
        _headers: &[(String, String)],
        _body: &[u8],
        _now: OffsetDateTime,
    ) -> Result<Notice, Error> {
        Err(Error::BadNotice)
    }
    fn read(&self, _body: &[u8]) -> Result<Incoming, ProviderError> {
        Err(silence())
    }
}

#[async_trait]
impl<T: Partial> Provider for T {
    fn name(&self) -> &'static str {
        "fake"
    }
    fn check(&self, _: &PaymentToken) -> Result<(), Error> {
        Err(Error::UnknownToken)
    }
    async fn charge(&self, asked: &[Asked]) -> Vec<Result<Said, ProviderError>> {
        Partial::charge(self, asked).await
    }
    async fn open_page(&self, _: &Page) -> Result<Opened, ProviderError> {
        Err(silence())
    }
    async fn look(&self, payment: &Named) -> Result<Said, ProviderError> {
        Partial::look(self, payment).await
    }
    async fn capture(&self, _: &Named, _: Money) -> Result<Said, ProviderError> {
        Err(silence())
    }
    async fn void(&self, _: &Named) -> Result<Said, ProviderError> {
        Err(silence())
    }
    async fn forget_method(&self, _: &str) -> Result<(), ProviderError> {
        Err(silence())
    }
    async fn refund(&self, _: &RefundAsked) -> Result<RefundSaid, ProviderError> {
        Err(silence())
    }
    async fn open_account(
        &self,
        store: StoreId,
        reference: Option<&str>,
        return_url: &str,
    ) -> Result<AccountSaid, ProviderError> {
        Partial::open_account(self, store, reference, return_url).await
    }
    async fn pay_out(&self, payout: &PayoutAsked) -> Result<PayoutSaid, ProviderError> {
        Partial::pay_out(self, payout).await
    }
    async fn balance_lines(&self, after: Option<&str>, limit: u32) -> Result<BalanceLines, ProviderError> {
        Partial::balance_lines(self, after, limit).await
    }
    fn verify(
        &self,
        headers: &[(String, String)],
        body: &[u8],
        now: OffsetDateTime,
    ) -> Result<Notice, Error> {
        Partial::verify(self, headers, body, now)
    }
    fn read(&self, body: &[u8]) -> Result<Incoming, ProviderError> {
        Partial::read(self, body)
    }
}
