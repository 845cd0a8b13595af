//! What Souk asks of a payment provider, in the terms that Stripe, Adyen and their like share.
//!
//! Each call carries an id of ours, which is its idempotency key at the provider: asking again after a crash, a time-out
//! or an outage never does a thing twice. A provider is a company of its own: it may be slow, be gone, or say things late,
//! twice and in any order. `guard` is the wall against that; nobody calls a provider but through it.
mod breaker;
mod guard;
mod incoming;
mod page;
#[cfg(test)]
mod partial;
mod said;
pub(crate) mod signature;
mod token;

use async_trait::async_trait;
use identity::{StoreId, UserId};
use platform::Money;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Error, PaymentId, PayoutId, RefundId};

pub(crate) use guard::{Guard, Patience};
pub(crate) use incoming::{Change, Incoming, Notice};
pub(crate) use page::{Opened, Page};
#[cfg(test)]
pub(crate) use partial::Partial;
pub(crate) use said::{
    AccountSaid, AccountState, BalanceLine, BalanceLines, LineKind, Method, PayoutSaid, PayoutStatus,
    RefundSaid, RefundStatus, Said, Status,
};
pub use token::PaymentToken;

/// Why a provider did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    /// It does not answer, or says that it can not now. Whether it did what it was asked is unknown: ask again, with the
    /// same id.
    #[error("the provider does not answer: {0}")]
    Unavailable(String),
    /// It will never do this.
    #[error("the provider refuses: {code}: {message}")]
    Refused {
        /// Its word for why, such as `charge_already_refunded`.
        code: String,
        /// For people.
        message: String,
    },
    /// It does not know what it was asked about.
    #[error("the provider does not know {0}")]
    Unknown(String),
    /// The token names no means of payment.
    #[error("the provider does not know this token")]
    UnknownToken,
    /// The id was used before, for something else.
    #[error("this was asked before with another amount")]
    Changed,
    /// Our own database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl ProviderError {
    /// Whether asking again may help.
    pub(crate) const fn passes(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Database(_))
    }
}

impl From<ProviderError> for Error {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Unavailable(_) => Self::ProviderUnavailable,
            ProviderError::Refused { code, message } => Self::ProviderRefused { code, message },
            ProviderError::Unknown(what) => {
                Self::ProviderRefused { code: "unknown".to_owned(), message: format!("no {what}") }
            }
            ProviderError::UnknownToken => Self::UnknownToken,
            ProviderError::Changed => Self::AmountChanged,
            ProviderError::Database(error) => Self::Database(error),
        }
    }
}

/// Money to be taken now.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The payment's id.
    pub(crate) id: PaymentId,
    /// What it is for: the order's id.
    pub(crate) order: Uuid,
    /// How much.
    pub(crate) amount: Money,
    /// Of which means of payment: a token, or the reference of a method that the provider keeps for the buyer.
    pub(crate) token: PaymentToken,
    /// For whom the provider is to keep the method, for their next purchase.
    pub(crate) keep_for: Option<UserId>,
    /// Where the buyer comes back to after a challenge such as 3-D Secure.
    pub(crate) return_url: Option<String>,
    /// When.
    pub(crate) at: OffsetDateTime,
}

/// A payment, as the provider knows it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// Our id.
    pub(crate) id: PaymentId,
    /// Its name for it.
    pub(crate) reference: String,
}

/// Money to be given back.
#[derive(Clone, Debug)]
pub(crate) struct RefundAsked {
    /// The refund's id.
    pub(crate) id: RefundId,
    /// Of which payment.
    pub(crate) payment: Named,
    /// How much of it.
    pub(crate) amount: Money,
    /// When.
    pub(crate) at: OffsetDateTime,
}

/// Money to be sent to a store.
#[derive(Clone, Debug)]
pub(crate) struct PayoutAsked {
    /// The payout's id.
    pub(crate) id: PayoutId,
    /// Which try it is, from 1: another try is another transfer.
    pub(crate) attempt: i32,
    /// The store's account at the provider.
    pub(crate) account: String,
    /// How much.
    pub(crate) amount: Money,
}

/// A payment company.
#[async_trait]
pub(crate) trait Provider: Send + Sync + 'static {
    /// Its name in Souk's rows, addresses and ledger accounts: `sandbox`, `stripe`.
    fn name(&self) -> &'static str;

    /// Checks the form of a token, without asking anybody.
    fn check(&self, token: &PaymentToken) -> Result<(), Error>;

    /// Charges each payment once, however often it is asked: the payment's id is its idempotency key. Answers each at its
    /// place. A failure of one says nothing of the others.
    async fn charge(&self, asked: &[Asked]) -> Vec<Result<Said, ProviderError>>;

    /// Opens a page at the provider on which the buyer pays. The payment's id is its idempotency key.
    async fn open_page(&self, page: &Page) -> Result<Opened, ProviderError>;

    /// How a payment stands.
    async fn look(&self, payment: &Named) -> Result<Said, ProviderError>;

    /// Takes money that was authorized, all of it or less; the rest is free again.
    async fn capture(&self, payment: &Named, amount: Money) -> Result<Said, ProviderError>;

    /// Makes sure that a payment that has not succeeded never does: closes its page, gives an authorization back. One that
    /// has succeeded stays, and the answer says so.
    async fn void(&self, payment: &Named) -> Result<Said, ProviderError>;

    /// Forgets a method that it keeps, of this name. One that it does not know is forgotten.
    async fn forget_method(&self, reference: &str) -> Result<(), ProviderError>;

    /// Gives money back, once per id.
    async fn refund(&self, refund: &RefundAsked) -> Result<RefundSaid, ProviderError>;

    /// Opens an account to which a store's money is sent, once per store, or looks at the one that is there. Whoever
    /// runs the store gives their particulars to the provider, at the address in the answer.
    async fn open_account(
        &self,
        store: StoreId,
        reference: Option<&str>,
        return_url: &str,
    ) -> Result<AccountSaid, ProviderError>;

    /// Sends money to a store's account, once per id and attempt.
    async fn pay_out(&self, payout: &PayoutAsked) -> Result<PayoutSaid, ProviderError>;

    /// What moved the marketplace's balance at the provider, oldest first, after the line named `after`.
    async fn balance_lines(&self, after: Option<&str>, limit: u32) -> Result<BalanceLines, ProviderError>;

    /// Checks the signature of a notice over its raw body, and that it is not older than the time window. Reads no more
    /// than it takes to store it.
    fn verify(&self, headers: &[(String, String)], body: &[u8], now: OffsetDateTime)
    -> Result<Notice, Error>;

    /// What a stored notice says. One of a kind that Souk does not use is [`Change::None`].
    fn read(&self, body: &[u8]) -> Result<Incoming, ProviderError>;
}
