//! The people of the demonstration: a buyer, an operator, and an owner for each store.

use catalog::StoreId;
use identity::{Actor, NewAccount, PlatformRole, UserId};
use platform::{Email, Secret};

use crate::app::App;

/// The password of all of them. It is printed at the start: a demonstration holds nothing worth a lock.
pub(crate) const PASSWORD: &str = "a teapot for everyone";
/// Somebody who buys.
pub(crate) const BUYER: &str = "ada@demo.example";
/// Somebody who runs the marketplace.
pub(crate) const OPERATOR: &str = "operator@demo.example";

/// Opens the accounts of the buyer and the operator, if they are missing.
pub(super) async fn put_people(app: &App) -> anyhow::Result<()> {
    account(app, BUYER, "Ada Lovelace").await?;
    let operator = account(app, OPERATOR, "Olu the operator").await?;
    app.identity.accounts.set_role(&Actor::system(), operator, Some(PlatformRole::Operator)).await?;
    Ok(())
}

/// Gives a store its owner, `SLUG@demo.example`, if it has none.
pub(super) async fn put_owner(app: &App, store: StoreId, slug: &str, name: &str) -> anyhow::Result<()> {
    let owner = account(app, &format!("{slug}@demo.example"), &format!("The owner of {name}")).await?;
    app.identity.teams.found(&Actor::system(), store, owner).await?;
    Ok(())
}

async fn account(app: &App, email: &str, name: &str) -> anyhow::Result<UserId> {
    let email: Email = email.parse()?;
    match app.identity.accounts.user_by_email(&Actor::system(), &email).await {
        Ok(user) => return Ok(user.id),
        Err(identity::Error::UserNotFound) => {}
        Err(error) => return Err(error.into()),
    }
    let account =
        NewAccount { email, password: Secret::presented(PASSWORD), name: name.to_owned(), locale: None };
    Ok(app.identity.accounts.create(&Actor::system(), &account).await?.id)
}
