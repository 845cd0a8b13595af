//! Accounts of stores, to which their money is sent.

use identity::StoreId;
use sqlx::PgConnection;

use super::event::{self, Object};
use super::{Company, Control, Error};
use crate::provider::{AccountSaid, AccountState, ProviderError};

/// What the page of an account shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountPage {
    /// The sandbox's name for it.
    pub reference: String,
    /// Whether money can be sent to it.
    pub active: bool,
    /// Where its holder comes from, and goes back to.
    pub return_url: String,
}

pub(super) async fn open(
    company: &Company,
    store: StoreId,
    return_url: &str,
) -> Result<AccountSaid, ProviderError> {
    let control = company.asked().await?;
    let state = if control.chaos.activate_accounts { "active" } else { "onboarding" };
    // Whoever comes again may come from somewhere else.
    let row = sqlx::query!(
        "INSERT INTO payments.sandbox_accounts (reference, store_id, state, return_url, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (store_id) DO UPDATE SET return_url = excluded.return_url RETURNING reference, state",
        company.name("acct"),
        store.uuid(),
        state,
        return_url,
        company.now(&control),
    )
    .fetch_one(company.database.pool())
    .await?;
    let state = event::account_state(&row.state).unwrap_or(AccountState::Onboarding);
    let onboarding_url = (state == AccountState::Onboarding).then(|| company.account_page(&row.reference));
    Ok(AccountSaid { reference: row.reference, state, onboarding_url })
}

pub(super) async fn show(company: &Company, reference: &str) -> Result<AccountPage, Error> {
    if !Company::is_name(reference) {
        return Err(Error::Unknown("account"));
    }
    let row = sqlx::query!(
        "SELECT reference, state, return_url FROM payments.sandbox_accounts WHERE reference = $1",
        reference,
    )
    .fetch_optional(company.database.pool())
    .await?;
    let row = row.ok_or(Error::Unknown("account"))?;
    Ok(AccountPage { active: row.state == "active", reference: row.reference, return_url: row.return_url })
}

pub(super) async fn activate(company: &Company, reference: &str) -> Result<AccountPage, Error> {
    show(company, reference).await?;
    let control = company.control().await?;
    let mut tx = company.database.begin().await?;
    let changed = sqlx::query!(
        "UPDATE payments.sandbox_accounts SET state = 'active' WHERE reference = $1 AND state = 'onboarding'",
        reference,
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 1 {
        tell(&mut tx, company, &control, reference).await?;
        tx.commit(company.sources.now()).await?;
    }
    show(company, reference).await
}

/// Sets how an account stands, and tells Souk; whether there is such an account.
pub(super) async fn set(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    reference: &str,
    active: Option<bool>,
) -> Result<bool, sqlx::Error> {
    if let Some(active) = active {
        sqlx::query!(
            "UPDATE payments.sandbox_accounts SET state = CASE WHEN $2 THEN 'active' ELSE 'restricted' END WHERE reference = $1",
            reference,
            active,
        )
        .execute(&mut *tx)
        .await?;
    }
    tell(tx, company, control, reference).await
}

async fn tell(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    reference: &str,
) -> Result<bool, sqlx::Error> {
    let status =
        sqlx::query_scalar!("SELECT state FROM payments.sandbox_accounts WHERE reference = $1", reference,)
            .fetch_optional(&mut *tx)
            .await?;
    let Some(status) = status else { return Ok(false) };
    let object = Object::Account { id: reference.to_owned(), status };
    event::write(tx, company, control, "account.updated", object).await?;
    Ok(true)
}

/// The account of a store.
pub(super) async fn of_store(tx: &mut PgConnection, store: StoreId) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!("SELECT reference FROM payments.sandbox_accounts WHERE store_id = $1", store.uuid())
        .fetch_optional(tx)
        .await
}
