//! Who may do what in a store, and who may know that it is there.

use identity::{Actor, Permission};
use platform::Database;

use crate::{Error, StoreId};

/// Demands a right in a store. Whoever may not even see the store is told that there is none.
pub(crate) async fn require(
    database: &Database,
    actor: &Actor,
    permission: Permission,
    store: StoreId,
) -> Result<(), Error> {
    let Err(denied) = actor.require(permission, store) else { return Ok(()) };
    if works_for(actor, store)
        || actor.may(Permission::StoreRead, store)
        || is_public(database, store).await?
    {
        Err(denied.into())
    } else {
        Err(Error::StoreNotFound)
    }
}

fn works_for(actor: &Actor, store: StoreId) -> bool {
    actor.principal().is_some_and(|who| who.memberships.iter().any(|(of, _)| *of == store))
}

async fn is_public(database: &Database, store: StoreId) -> Result<bool, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM catalog.stores WHERE id = $1 AND status = 'active') AS "public!""#,
        store.uuid(),
    )
    .fetch_one(database.pool())
    .await?)
}
