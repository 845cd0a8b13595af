//! Commission: what the marketplace takes of sales, by rules that operators make.
//!
//! Of the rules that fit a line the first decides. What it takes is computed and rounded once for all lines of one store
//! that it fits, and shared out over them exactly; orders freeze it, so that a rule that changes later changes no order.
mod book;
mod change;
mod known;
mod read;
mod rule;
mod terms;

use std::sync::Arc;

use async_trait::async_trait;
use identity::{Actor, Permission, StoreId};
use platform::{Currency, CursorRequest, Database, Slice, Sources};
use time::OffsetDateTime;

use crate::{CommissionRuleId, Error};

pub use book::{CommissionBook, CommissionLine, LineCommission};
pub(crate) use known::KnownRules;
pub use rule::{CommissionRule, CommissionRuleChange, MadeCommissionRule, NewCommissionRule};
pub use terms::{CommissionBracket, CommissionTerms};

/// What operators and stores may ask about commission.
#[async_trait]
pub trait Commission: Send + Sync + 'static {
    /// The rules in their order, with or without those that are over.
    async fn rules(
        &self,
        actor: &Actor,
        with_ended: bool,
        slice: &CursorRequest,
    ) -> Result<Slice<CommissionRule>, Error>;

    /// One rule.
    async fn rule(&self, actor: &Actor, id: CommissionRuleId) -> Result<CommissionRule, Error>;

    /// The rules that can fit sales of a store that sells in this currency, in their order.
    async fn rules_of_store(
        &self,
        actor: &Actor,
        store: StoreId,
        currency: Currency,
    ) -> Result<Vec<CommissionRule>, Error>;

    /// Makes a rule. With a key, repeating it makes it once.
    async fn create_rule(
        &self,
        actor: &Actor,
        new: &NewCommissionRule,
        key: Option<&str>,
    ) -> Result<MadeCommissionRule, Error>;

    /// Moves a rule, or sets its end.
    async fn change_rule(
        &self,
        actor: &Actor,
        id: CommissionRuleId,
        change: CommissionRuleChange,
        version: i64,
    ) -> Result<CommissionRule, Error>;

    /// Ends a rule now; one that is over stays as it is.
    async fn end_rule(
        &self,
        actor: &Actor,
        id: CommissionRuleId,
        version: Option<i64>,
    ) -> Result<CommissionRule, Error>;

    /// What would be taken of an order of these lines, placed now or at a later moment.
    async fn preview(
        &self,
        actor: &Actor,
        at: Option<OffsetDateTime>,
        lines: &[CommissionLine],
    ) -> Result<Vec<LineCommission>, Error>;
}

/// Commission in this process.
pub(crate) fn service(database: Database, sources: Sources, known: Arc<KnownRules>) -> Arc<dyn Commission> {
    Arc::new(Service { database, sources, known })
}

struct Service {
    database: Database,
    sources: Sources,
    known: Arc<KnownRules>,
}

#[async_trait]
impl Commission for Service {
    async fn rules(
        &self,
        actor: &Actor,
        with_ended: bool,
        slice: &CursorRequest,
    ) -> Result<Slice<CommissionRule>, Error> {
        actor.require_platform(Permission::FinanceAdmin)?;
        read::list(&self.database, self.sources.now(), with_ended, slice).await
    }

    async fn rule(&self, actor: &Actor, id: CommissionRuleId) -> Result<CommissionRule, Error> {
        actor.require_platform(Permission::FinanceAdmin)?;
        read::find(&mut *self.database.pool().acquire().await?, id).await
    }

    async fn rules_of_store(
        &self,
        actor: &Actor,
        store: StoreId,
        currency: Currency,
    ) -> Result<Vec<CommissionRule>, Error> {
        actor.require(Permission::FinanceRead, store)?;
        read::of_store(&self.database, store, currency, self.sources.now()).await
    }

    async fn create_rule(
        &self,
        actor: &Actor,
        new: &NewCommissionRule,
        key: Option<&str>,
    ) -> Result<MadeCommissionRule, Error> {
        change::create(&self.database, &self.sources, actor, new, key).await
    }

    async fn change_rule(
        &self,
        actor: &Actor,
        id: CommissionRuleId,
        change: CommissionRuleChange,
        version: i64,
    ) -> Result<CommissionRule, Error> {
        change::change(&self.database, &self.sources, actor, id, change, version).await
    }

    async fn end_rule(
        &self,
        actor: &Actor,
        id: CommissionRuleId,
        version: Option<i64>,
    ) -> Result<CommissionRule, Error> {
        change::end(&self.database, &self.sources, actor, id, version).await
    }

    async fn preview(
        &self,
        actor: &Actor,
        at: Option<OffsetDateTime>,
        lines: &[CommissionLine],
    ) -> Result<Vec<LineCommission>, Error> {
        actor.require_platform(Permission::FinanceAdmin)?;
        let now = self.sources.now();
        if at.is_some_and(|at| at < now) {
            return Err(Error::invalid("at", "past", "orders of the past carry what was taken of them"));
        }
        Ok(self.known.book().await?.commission(at.unwrap_or(now), lines))
    }
}
