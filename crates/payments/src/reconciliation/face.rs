//! What people may ask of reconciliation.

use async_trait::async_trait;
use identity::{Actor, Permission};
use platform::{CursorRequest, Slice};
use serde::Serialize;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::examine::{self, Round};
use super::{
    Desk, ExceptionFilter, ReconciliationException, ReconciliationExceptionId, ReconciliationSummary,
    exception, fetch, ingest, resolve, summary, withdraw,
};
use crate::Error;
use crate::provider::Provider;

/// How often the books of a provider are compared, unless somebody asks. A marketplace that is new has its first hour for
/// itself.
const EVERY: Duration = Duration::HOUR;

/// What comparing the books of a provider came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReconciliationRun {
    /// The provider.
    #[schema(example = "sandbox")]
    pub provider: String,
    /// How many new lines of its books were read.
    #[schema(example = 12)]
    pub lines: u64,
    /// How many new entries of the ledger.
    #[schema(example = 23)]
    pub entries: u64,
    /// How many lines were matched.
    #[schema(example = 12)]
    pub matched: u64,
    /// How many exceptions were opened.
    #[schema(example = 0)]
    pub opened: u64,
    /// How many settled by themselves.
    #[schema(example = 0)]
    pub settled: u64,
}

impl ReconciliationRun {
    const fn did(&self) -> u64 {
        self.lines + self.entries + self.matched + self.opened + self.settled
    }
}

/// The providers' books against the ledger; for operators.
#[async_trait]
pub trait Reconciliation: Send + Sync + 'static {
    /// Compares the books of all providers now. Any number of nodes may do so at once: each line is matched once.
    ///
    /// # Errors
    /// [`Error::ProviderUnavailable`] if a provider's books can not be read to their end: then nothing is judged.
    async fn run(&self, actor: &Actor) -> Result<Vec<ReconciliationRun>, Error>;

    /// How the books stand to one another, by provider and currency.
    async fn summary(&self, actor: &Actor) -> Result<Vec<ReconciliationSummary>, Error>;

    /// Differences, the latest first.
    async fn exceptions(
        &self,
        actor: &Actor,
        filter: &ExceptionFilter,
        slice: &CursorRequest,
    ) -> Result<Slice<ReconciliationException>, Error>;

    /// A difference.
    async fn exception(
        &self,
        actor: &Actor,
        id: ReconciliationExceptionId,
    ) -> Result<ReconciliationException, Error>;

    /// Says why the books differ. The ledger is corrected by the difference, with the reason.
    ///
    /// # Errors
    /// [`Error::ExceptionEnded`] if it is not open.
    async fn resolve(
        &self,
        actor: &Actor,
        id: ReconciliationExceptionId,
        reason: &str,
    ) -> Result<ReconciliationException, Error>;

    /// Compares the books of those providers whose time has come; gives how many things that moved.
    async fn carry_on(&self) -> Result<u64, Error>;
}

impl Desk {
    /// Begins to follow the books of a provider, if nobody does: from the first payment on that was asked of it.
    async fn begin(&self, provider: &dyn Provider, now: OffsetDateTime) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO payments.reconciliation_cursors (provider, due_at, begun_at)
             SELECT $1, $2, coalesce((SELECT min(created_at) FROM payments.payments WHERE provider = $1), $3)
             WHERE NOT EXISTS (SELECT FROM payments.reconciliation_cursors WHERE provider = $1)
             ON CONFLICT (provider) DO NOTHING",
            provider.name(),
            now + EVERY,
            now,
        )
        .execute(self.database.pool())
        .await?;
        Ok(())
    }

    async fn compare(&self, provider: &dyn Provider) -> Result<ReconciliationRun, Error> {
        let now = self.sources.now();
        let lines = fetch::lines(&self.database, provider, now).await?;
        withdraw::post(&self.database, provider.name(), now).await?;
        let entries = ingest::entries(&self.database, provider.name(), now).await?;
        let round = Round { provider: provider.name(), sources: &self.sources, grace: self.grace, now };
        let tally = examine::all(&self.database, &round).await?;
        sqlx::query!(
            "UPDATE payments.reconciliation_cursors SET ran_at = greatest(ran_at, $2) WHERE provider = $1",
            provider.name(),
            now,
        )
        .execute(self.database.pool())
        .await?;
        Ok(ReconciliationRun {
            provider: provider.name().to_owned(),
            lines,
            entries,
            matched: tally.matched,
            opened: tally.opened,
            settled: tally.settled,
        })
    }
}

#[async_trait]
impl Reconciliation for Desk {
    async fn run(&self, actor: &Actor) -> Result<Vec<ReconciliationRun>, Error> {
        actor.require_platform(Permission::FinanceAdmin)?;
        let mut runs = Vec::with_capacity(self.providers.len());
        for provider in &self.providers {
            self.begin(&**provider, self.sources.now()).await?;
            runs.push(self.compare(&**provider).await?);
        }
        Ok(runs)
    }

    async fn summary(&self, actor: &Actor) -> Result<Vec<ReconciliationSummary>, Error> {
        actor.require_platform(Permission::FinanceRead)?;
        summary::all(&self.database).await
    }

    async fn exceptions(
        &self,
        actor: &Actor,
        filter: &ExceptionFilter,
        slice: &CursorRequest,
    ) -> Result<Slice<ReconciliationException>, Error> {
        actor.require_platform(Permission::FinanceRead)?;
        exception::list(&self.database, filter, slice).await
    }

    async fn exception(
        &self,
        actor: &Actor,
        id: ReconciliationExceptionId,
    ) -> Result<ReconciliationException, Error> {
        actor.require_platform(Permission::FinanceRead)?;
        exception::find(self.database.pool(), id).await
    }

    async fn resolve(
        &self,
        actor: &Actor,
        id: ReconciliationExceptionId,
        reason: &str,
    ) -> Result<ReconciliationException, Error> {
        actor.require_platform(Permission::FinanceAdmin)?;
        resolve::resolve(&self.database, actor, id, reason, self.sources.now()).await
    }

    async fn carry_on(&self) -> Result<u64, Error> {
        let (mut did, mut failed) = (0, None);
        for provider in &self.providers {
            let now = self.sources.now();
            self.begin(&**provider, now).await?;
            let claimed = sqlx::query!(
                "UPDATE payments.reconciliation_cursors SET due_at = $2 WHERE provider = $1 AND due_at <= $3",
                provider.name(),
                now + EVERY,
                now,
            )
            .execute(self.database.pool())
            .await?;
            if claimed.rows_affected() == 0 {
                continue;
            }
            match self.compare(&**provider).await {
                Ok(run) => did += run.did(),
                // One that is away does not keep the others from theirs.
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(did), Err)
    }
}
