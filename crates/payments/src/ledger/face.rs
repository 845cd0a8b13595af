//! What people may ask of the ledger.

use async_trait::async_trait;
use identity::{Actor, Permission, StoreId};
use platform::{Currency, CursorRequest, Database, Slice, Violation};
use time::OffsetDateTime;

use super::{Account, AccountKind, Balance, LedgerHead, Selection, StatementLine, read, verify};
use crate::{Dispute, Error, dispute};

/// The books, to be read and proved. Stores see their own accounts, operators all.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// What stands in these accounts.
    async fn balances(&self, actor: &Actor, selection: &Selection) -> Result<Vec<Balance>, Error>;

    /// What happened in an account, in its only currency or this one, from one moment on and before another, by the time of writing, oldest first.
    async fn statement(
        &self,
        actor: &Actor,
        account: &Account,
        currency: Option<Currency>,
        between: (Option<OffsetDateTime>, Option<OffsetDateTime>),
        slice: &CursorRequest,
    ) -> Result<Slice<StatementLine>, Error>;

    /// What buyers dispute: of a store's sales, or of all; the latest first.
    async fn disputes(
        &self,
        actor: &Actor,
        store: Option<StoreId>,
        slice: &CursorRequest,
    ) -> Result<Slice<Dispute>, Error>;

    /// The end of the chain, to be kept elsewhere.
    async fn head(&self, actor: &Actor) -> Result<LedgerHead, Error>;

    /// Walks the whole chain and adds up every account. With an end of the chain that was kept, it shows besides whether
    /// what was there then is there still.
    async fn verify(&self, known: Option<&LedgerHead>) -> Result<Vec<Violation>, Error>;
}

/// The ledger in this process.
pub(crate) struct Books(pub(crate) Database);

#[async_trait]
impl Ledger for Books {
    async fn balances(&self, actor: &Actor, selection: &Selection) -> Result<Vec<Balance>, Error> {
        match selection.owner.as_deref().map(str::parse::<StoreId>) {
            Some(Ok(store))
                if !selection.kinds.is_empty() && selection.kinds.iter().all(|kind| is_of_store(*kind)) =>
            {
                actor.require(Permission::FinanceRead, store)?;
            }
            _ => actor.require_platform(Permission::FinanceRead)?,
        }
        read::balances(&self.0, selection).await
    }

    async fn statement(
        &self,
        actor: &Actor,
        account: &Account,
        currency: Option<Currency>,
        between: (Option<OffsetDateTime>, Option<OffsetDateTime>),
        slice: &CursorRequest,
    ) -> Result<Slice<StatementLine>, Error> {
        match account.owner.parse::<StoreId>() {
            Ok(store) if is_of_store(account.kind) => actor.require(Permission::FinanceRead, store)?,
            _ => actor.require_platform(Permission::FinanceRead)?,
        }
        let currency = read::currency_of(&self.0, account, currency).await?;
        read::statement(&self.0, account, currency, between, slice).await
    }

    async fn disputes(
        &self,
        actor: &Actor,
        store: Option<StoreId>,
        slice: &CursorRequest,
    ) -> Result<Slice<Dispute>, Error> {
        match store {
            Some(store) => actor.require(Permission::FinanceRead, store)?,
            None => actor.require_platform(Permission::FinanceRead)?,
        }
        dispute::list(&self.0, store, slice).await
    }

    async fn head(&self, actor: &Actor) -> Result<LedgerHead, Error> {
        actor.require_platform(Permission::FinanceRead)?;
        read::head(&self.0).await
    }

    async fn verify(&self, known: Option<&LedgerHead>) -> Result<Vec<Violation>, Error> {
        let known = known.map(|head| (head.transactions, head.hash.as_str()));
        verify::violations(&self.0, known).await
    }
}

/// Whether accounts of this kind are a store's.
const fn is_of_store(kind: AccountKind) -> bool {
    matches!(
        kind,
        AccountKind::StorePayable
            | AccountKind::StoreReserve
            | AccountKind::StoreDisputeHold
            | AccountKind::PayoutTransit
    )
}
