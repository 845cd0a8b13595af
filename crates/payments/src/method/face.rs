//! What people may ask about what they keep.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use identity::{Actor, UserId};
use platform::{Database, Sources};
use uuid::Uuid;

use super::remove::remove;
use super::{PaymentMeans, PaymentMethod};
use crate::provider::Provider;
use crate::{Error, PaymentMethodId};

/// Means of payment that buyers keep. Each sees and uses their own.
#[async_trait]
pub trait PaymentMethods: Send + Sync + 'static {
    /// What the actor keeps, the latest first.
    async fn list(&self, actor: &Actor) -> Result<Vec<PaymentMethod>, Error>;

    /// Removes one of the actor's. The provider forgets it a moment later.
    async fn remove(&self, actor: &Actor, id: PaymentMethodId) -> Result<(), Error>;
}

/// What buyers keep, in this process.
pub(crate) struct Wallet {
    pub(crate) database: Database,
    pub(crate) sources: Sources,
    /// Who keeps them now: what another one kept can not be charged.
    pub(crate) provider: Arc<dyn Provider>,
}

#[async_trait]
impl PaymentMethods for Wallet {
    async fn list(&self, actor: &Actor) -> Result<Vec<PaymentMethod>, Error> {
        let owner = actor.person()?;
        let found = sqlx::query_as!(
            PaymentMethod,
            r#"SELECT id AS "id: PaymentMethodId", brand, last4, exp_month, exp_year, created_at
               FROM payments.payment_methods WHERE user_id = $1 AND provider = $2 AND removed_at IS NULL
               ORDER BY created_at DESC, id DESC"#,
            owner.uuid(),
            self.provider.name(),
        )
        .fetch_all(self.database.pool())
        .await?;
        Ok(found)
    }

    async fn remove(&self, actor: &Actor, id: PaymentMethodId) -> Result<(), Error> {
        remove(&self.database, actor.person()?, id, self.sources.now()).await
    }
}

/// Says of each whether it may be charged, as far as can be told without asking the provider: a token has its form, and
/// what is kept is kept for whoever pays with it.
pub(crate) async fn check(
    database: &Database,
    provider: &dyn Provider,
    wanted: &[(&PaymentMeans, Option<UserId>)],
) -> Result<Vec<Result<(), Error>>, sqlx::Error> {
    let kept: Vec<Uuid> = wanted
        .iter()
        .filter_map(|(means, _)| match means {
            PaymentMeans::Kept(id) => Some(id.uuid()),
            PaymentMeans::Token { .. } => None,
        })
        .collect();
    let owners = owners(database, provider.name(), &kept).await?;
    let check = |(means, payer): &(&PaymentMeans, Option<UserId>)| match means {
        PaymentMeans::Token { token, .. } => provider.check(token),
        PaymentMeans::Kept(id) if payer.is_some() && owners.get(&id.uuid()) == payer.as_ref() => Ok(()),
        PaymentMeans::Kept(_) => Err(Error::UnknownMethod),
    };
    Ok(wanted.iter().map(check).collect())
}

async fn owners(
    database: &Database,
    provider: &str,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, UserId>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"SELECT id, user_id AS "user_id: UserId" FROM payments.payment_methods
           WHERE id = ANY($1) AND provider = $2 AND removed_at IS NULL"#,
        ids,
        provider,
    )
    .fetch_all(database.pool())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.user_id)).collect())
}
