//! What people may ask of payouts.

use std::sync::Arc;

use async_trait::async_trait;
use identity::{Actor, Permission, StoreId};
use platform::{CursorRequest, Database, Slice, Sources};
use time::OffsetDateTime;

use super::make::Wanted;
use super::statement::{self, Statement, StatementFormat};
use super::{
    ItemisedPayout, Payout, PayoutAccount, PayoutDefaults, PayoutMark, PayoutRun, PayoutSettings,
    PutPayoutSettings, StoreBalance, account, balance, make, operate, row, send, settings,
};
use crate::adjustment::{self, Adjusting, Adjustment};
use crate::provider::Provider;
use crate::{Error, PayoutId, reserve};

/// Stores' money on its way to them. Stores see and set their own, operators all.
#[async_trait]
pub trait Payouts: Send + Sync + 'static {
    /// How a store's money is paid out.
    async fn settings(&self, actor: &Actor, store: StoreId) -> Result<PayoutSettings, Error>;

    /// Changes that, as it was read at this version. How long sales wait and what is kept back, operators alone change.
    async fn put_settings(
        &self,
        actor: &Actor,
        store: StoreId,
        put: &PutPayoutSettings,
        version: i64,
    ) -> Result<PayoutSettings, Error>;

    /// Holds a store's payouts, or lets them go on; for operators.
    async fn pause(
        &self,
        actor: &Actor,
        store: StoreId,
        paused: bool,
        reason: &str,
    ) -> Result<PayoutSettings, Error>;

    /// Where a store's money is sent.
    async fn account(&self, actor: &Actor, store: StoreId) -> Result<PayoutAccount, Error>;

    /// Opens the account to which a store's money is sent, or asks how it stands. The answer says where its holder says who
    /// they are; from there they come back to `return_url`.
    async fn open_account(
        &self,
        actor: &Actor,
        store: StoreId,
        return_url: &str,
    ) -> Result<PayoutAccount, Error>;

    /// What a store is owed, and where that is, by currency.
    async fn balances(&self, actor: &Actor, store: StoreId) -> Result<Vec<StoreBalance>, Error>;

    /// The payouts of a store, the latest first; of all stores, for operators.
    async fn payouts(
        &self,
        actor: &Actor,
        store: Option<StoreId>,
        slice: &CursorRequest,
    ) -> Result<Slice<Payout>, Error>;

    /// A payout of a store, with what it is made of.
    async fn payout(&self, actor: &Actor, store: StoreId, id: PayoutId) -> Result<ItemisedPayout, Error>;

    /// The statement of a payout of a store.
    async fn payout_statement(&self, actor: &Actor, store: StoreId, id: PayoutId)
    -> Result<Statement, Error>;

    /// What happened to a store's money from one moment on and before another; one statement for each currency.
    async fn statements(
        &self,
        actor: &Actor,
        store: StoreId,
        between: (OffsetDateTime, OffsetDateTime),
    ) -> Result<Vec<Statement>, Error>;

    /// Makes a file of statements, under the store's name.
    fn render(&self, format: StatementFormat, name: &str, statements: &[Statement])
    -> Result<Vec<u8>, Error>;

    /// Makes the payouts of a store now; for operators.
    async fn run(&self, actor: &Actor, run: &PayoutRun) -> Result<Vec<Payout>, Error>;

    /// Calls a payout off that the provider was not asked for; for operators.
    async fn cancel(&self, actor: &Actor, id: PayoutId, reason: &str) -> Result<Payout, Error>;

    /// Tries a payout again that came to nothing, or that the provider was asked for in vain; for operators.
    async fn retry(&self, actor: &Actor, id: PayoutId, reason: &str) -> Result<Payout, Error>;

    /// Writes down what the provider did not tell; for operators.
    async fn mark(
        &self,
        actor: &Actor,
        id: PayoutId,
        mark: PayoutMark,
        reason: &str,
    ) -> Result<Payout, Error>;

    /// Gives a store or a buyer money, or takes it, once per key; for operators. Says whether it was done before.
    async fn adjust(
        &self,
        actor: &Actor,
        adjusting: &Adjusting,
        key: &str,
    ) -> Result<(Adjustment, bool), Error>;

    /// Sends the payouts that wait, makes those of stores whose time has come, and releases what was kept back for long
    /// enough; gives how many of all that. What it makes, the next round sends.
    async fn carry_on(&self, actor: &Actor) -> Result<u64, Error>;
}

/// Payouts in this process.
pub(crate) struct Desk {
    pub(crate) database: Database,
    pub(crate) sources: Sources,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) defaults: PayoutDefaults,
}

/// What moves the marketplace's money takes a right over all of it.
fn operator(actor: &Actor) -> Result<(), Error> {
    Ok(actor.require_platform(Permission::FinanceAdmin)?)
}

#[async_trait]
impl Payouts for Desk {
    async fn settings(&self, actor: &Actor, store: StoreId) -> Result<PayoutSettings, Error> {
        actor.require(Permission::FinanceRead, store)?;
        let mut connection = self.database.pool().acquire().await?;
        settings::one(&mut connection, &self.defaults, store).await
    }

    async fn put_settings(
        &self,
        actor: &Actor,
        store: StoreId,
        put: &PutPayoutSettings,
        version: i64,
    ) -> Result<PayoutSettings, Error> {
        actor.require(Permission::FinanceWrite, store)?;
        let now = self.sources.now();
        settings::put(&self.database, &self.defaults, actor, store, put, version, now).await
    }

    async fn pause(
        &self,
        actor: &Actor,
        store: StoreId,
        paused: bool,
        reason: &str,
    ) -> Result<PayoutSettings, Error> {
        operator(actor)?;
        let now = self.sources.now();
        settings::pause(&self.database, &self.defaults, actor, store, (paused, reason), now).await
    }

    async fn account(&self, actor: &Actor, store: StoreId) -> Result<PayoutAccount, Error> {
        actor.require(Permission::FinanceRead, store)?;
        account::find(&self.database, self.provider.name(), store).await?.ok_or(Error::NotFound)
    }

    async fn open_account(
        &self,
        actor: &Actor,
        store: StoreId,
        return_url: &str,
    ) -> Result<PayoutAccount, Error> {
        actor.require(Permission::FinanceWrite, store)?;
        let now = self.sources.now();
        account::open(&self.database, &*self.provider, actor, store, return_url, now).await
    }

    async fn balances(&self, actor: &Actor, store: StoreId) -> Result<Vec<StoreBalance>, Error> {
        let settings = self.settings(actor, store).await?;
        balance::of_store(&self.database, store, settings.held_after(self.sources.now())).await
    }

    async fn payouts(
        &self,
        actor: &Actor,
        store: Option<StoreId>,
        slice: &CursorRequest,
    ) -> Result<Slice<Payout>, Error> {
        match store {
            Some(store) => actor.require(Permission::FinanceRead, store)?,
            None => actor.require_platform(Permission::FinanceRead)?,
        }
        row::list(&self.database, store, slice).await
    }

    async fn payout(&self, actor: &Actor, store: StoreId, id: PayoutId) -> Result<ItemisedPayout, Error> {
        actor.require(Permission::FinanceRead, store)?;
        let found = row::itemised(&self.database, id).await?;
        if found.payout.store_id == store { Ok(found) } else { Err(Error::NotFound) }
    }

    async fn payout_statement(
        &self,
        actor: &Actor,
        store: StoreId,
        id: PayoutId,
    ) -> Result<Statement, Error> {
        Ok(Statement::of_payout(self.payout(actor, store, id).await?, self.sources.now()))
    }

    async fn statements(
        &self,
        actor: &Actor,
        store: StoreId,
        between: (OffsetDateTime, OffsetDateTime),
    ) -> Result<Vec<Statement>, Error> {
        actor.require(Permission::FinanceRead, store)?;
        if between.0 >= between.1 {
            return Err(Error::invalid("to", "out_of_range", "the end is not behind the beginning"));
        }
        statement::of_period(&self.database, store, between, self.sources.now()).await
    }

    fn render(
        &self,
        format: StatementFormat,
        name: &str,
        statements: &[Statement],
    ) -> Result<Vec<u8>, Error> {
        statement::render(format, name, statements)
    }

    async fn run(&self, actor: &Actor, run: &PayoutRun) -> Result<Vec<Payout>, Error> {
        operator(actor)?;
        if run.most.is_some_and(|most| most.amount <= 0) {
            return Err(Error::invalid("most.amount", "out_of_range", "a payout is more than nothing"));
        }
        let wanted = Wanted::Manual { actor, run, retry: None };
        make::of_store(self, run.store, &wanted, self.sources.now()).await
    }

    async fn cancel(&self, actor: &Actor, id: PayoutId, reason: &str) -> Result<Payout, Error> {
        operator(actor)?;
        operate::cancel(self, actor, id, reason, self.sources.now()).await
    }

    async fn retry(&self, actor: &Actor, id: PayoutId, reason: &str) -> Result<Payout, Error> {
        operator(actor)?;
        operate::retry(self, actor, id, reason, self.sources.now()).await
    }

    async fn mark(
        &self,
        actor: &Actor,
        id: PayoutId,
        mark: PayoutMark,
        reason: &str,
    ) -> Result<Payout, Error> {
        operator(actor)?;
        operate::mark(self, actor, id, (mark, reason), self.sources.now()).await
    }

    async fn adjust(
        &self,
        actor: &Actor,
        adjusting: &Adjusting,
        key: &str,
    ) -> Result<(Adjustment, bool), Error> {
        operator(actor)?;
        adjustment::make(&self.database, &self.sources, actor, adjusting, key).await
    }

    async fn carry_on(&self, actor: &Actor) -> Result<u64, Error> {
        operator(actor)?;
        let now = self.sources.now();
        let sent = send::send_due(self, now).await?;
        let released = reserve::release_due(&self.database, now).await?;
        let made = make::run_due(self, now).await?;
        Ok(sent + released + made)
    }
}
