//! Accounts at a provider to which stores' money is sent.

use identity::{Actor, StoreId};
use platform::{Database, Tx};
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::Error;
use crate::payment::Applied;
use crate::provider::{AccountSaid, AccountState, Provider};

/// Where a store's money is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PayoutAccount {
    /// The provider that has it.
    #[schema(example = "sandbox")]
    pub provider: String,
    /// The provider's name for it.
    #[schema(example = "acct_1")]
    pub reference: String,
    /// `onboarding`: its holder has still to say who they are. `active`: money can be sent to it. `restricted`: the
    /// provider holds it back.
    #[schema(example = "active")]
    pub state: String,
    /// Where its holder says who they are.
    pub onboarding_url: Option<String>,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

const fn name(state: AccountState) -> &'static str {
    match state {
        AccountState::Onboarding => "onboarding",
        AccountState::Active => "active",
        AccountState::Restricted => "restricted",
    }
}

/// The account of a store.
pub(super) async fn find(
    database: &Database,
    provider: &str,
    store: StoreId,
) -> Result<Option<PayoutAccount>, Error> {
    Ok(sqlx::query_as!(
        PayoutAccount,
        "SELECT provider, reference, state, onboarding_url, created_at FROM payments.payout_accounts
         WHERE store_id = $1 AND provider = $2",
        store.uuid(),
        provider,
    )
    .fetch_optional(database.pool())
    .await?)
}

/// Opens the account of a store, or asks the provider how the one that is there stands, with a fresh address for whoever
/// has to say more.
pub(super) async fn open(
    database: &Database,
    provider: &dyn Provider,
    actor: &Actor,
    store: StoreId,
    return_url: &str,
    now: OffsetDateTime,
) -> Result<PayoutAccount, Error> {
    let there = find(database, provider.name(), store).await?;
    let known = there.as_ref().map(|account| account.reference.as_str());
    let AccountSaid { reference, state, onboarding_url } =
        provider.open_account(store, known, return_url).await?;
    let mut tx = database.begin().await?;
    let account = sqlx::query_as!(
        PayoutAccount,
        "INSERT INTO payments.payout_accounts (store_id, provider, reference, state, onboarding_url, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)
         ON CONFLICT (store_id, provider) DO UPDATE SET reference = $3, state = $4, onboarding_url = $5, updated_at = $6
         RETURNING provider, reference, state, onboarding_url, created_at",
        store.uuid(),
        provider.name(),
        reference,
        name(state),
        onboarding_url,
        now,
    )
    .fetch_one(&mut *tx)
    .await?;
    if there.is_none() {
        let facts = json!({"provider": provider.name(), "reference": reference});
        tx.audit(actor.did("payout_account.opened", "store", store).in_store(store).with_facts(facts));
    }
    tx.commit(now).await?;
    Ok(account)
}

/// Writes down how an account stands, as part of a transaction. Idempotent.
pub(crate) async fn account_moved(
    tx: &mut Tx,
    provider: &str,
    reference: &str,
    state: AccountState,
    now: OffsetDateTime,
) -> Result<Applied, Error> {
    let before = sqlx::query_scalar!(
        "SELECT state FROM payments.payout_accounts WHERE provider = $1 AND reference = $2 FOR UPDATE",
        provider,
        reference,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(before) = before else {
        return Ok(Applied::Waits(format!("no store has the account {reference} yet")));
    };
    if before == name(state) {
        return Ok(Applied::Ignored);
    }
    sqlx::query!(
        "UPDATE payments.payout_accounts SET state = $3, updated_at = $4,
             onboarding_url = CASE WHEN $3 = 'active' THEN NULL ELSE onboarding_url END
         WHERE provider = $1 AND reference = $2",
        provider,
        reference,
        name(state),
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(Applied::Done)
}
