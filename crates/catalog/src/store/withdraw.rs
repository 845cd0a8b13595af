//! Giving up a store that never traded.
//!
//! Two modules take part, so that it is two steps: the store is closed for good, then its team goes. If the second does
//! not happen, whoever asked is still a member, and asking again takes it. The row stays, for what is written of it
//! elsewhere.

use identity::{Actor, StoreRole};
use platform::Tag;
use serde_json::json;

use super::{Store, StoreStatus, apply, load};
use crate::error::stored;
use crate::{Error, Service, StoreId, authorize};

pub(super) async fn withdraw(service: &Service, actor: &Actor, id: StoreId) -> Result<(), Error> {
    // It ends what owners have, and so it takes all that they may.
    for permission in StoreRole::Owner.permissions() {
        authorize::require(&service.database, actor, *permission, id).await?;
    }
    actor.person()?;
    close(service, actor, id).await?;
    service.identity.teams.disband(&Actor::system(), id).await?;
    Ok(())
}

async fn close(service: &Service, actor: &Actor, id: StoreId) -> Result<(), Error> {
    let now = service.sources.now();
    let mut tx = service.database.begin_within(id).await?;
    let before = load(&mut tx, id).await?;
    match before.status {
        StoreStatus::Withdrawn => return Ok(()),
        StoreStatus::Pending | StoreStatus::Rejected => {}
        // It was approved once: others may have bought there.
        StoreStatus::Active | StoreStatus::Suspended => return Err(Error::WrongState(before.status)),
    }
    let was = (before.status, before.slug.clone());
    let store = Store {
        // Somebody else, or the same person with a better application, may have the name.
        slug: stored(&format!("withdrawn-{id}"))?,
        status: StoreStatus::Withdrawn,
        updated_at: now,
        version: before.version + 1,
        ..before
    };
    let closed = sqlx::query!(
        "UPDATE catalog.stores
         SET slug = $2, status = $3, status_at = $4, application = NULL, updated_at = $4, version = $5,
             founded_at = COALESCE(founded_at, $4)
         WHERE id = $1",
        id.uuid(),
        store.slug.as_str(),
        store.status.as_str(),
        now,
        store.version,
    )
    .execute(&mut *tx)
    .await?;
    debug_assert_eq!(closed.rows_affected(), 1, "the row is locked");
    tx.touch(Tag::id(id));
    tx.publish(&apply::changed(&store));
    let facts = json!({"before": was.0, "slug": was.1});
    tx.audit(actor.did("store.withdrawn", "store", id).in_store(id).with_facts(facts));
    tx.commit(now).await?;
    Ok(())
}
