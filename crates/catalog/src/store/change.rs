//! Changing a store: its team's business.

use identity::{Actor, Permission};
use platform::Tag;
use serde_json::json;

use super::{Store, StoreChange, StoreStatus, load};
use crate::{Error, STORES, Service, StoreId, authorize};

pub(super) async fn change(
    service: &Service,
    actor: &Actor,
    id: StoreId,
    change: &StoreChange,
    version: i64,
) -> Result<Store, Error> {
    authorize::require(&service.database, actor, Permission::StoreWrite, id).await?;
    let now = service.sources.now();
    let mut tx = service.database.begin_within(id).await?;
    let before = load(&mut tx, id).await?;
    if before.version != version {
        return Err(Error::Stale);
    }
    if matches!(before.status, StoreStatus::Rejected | StoreStatus::Withdrawn) {
        return Err(Error::WrongState(before.status));
    }
    let store = Store {
        name: change.name.clone().unwrap_or(before.name),
        description: change.description.clone().unwrap_or(before.description),
        image_url: change.image_url.clone().unwrap_or(before.image_url),
        updated_at: now,
        version: version + 1,
        ..before
    };
    let changed = sqlx::query!(
        "UPDATE catalog.stores SET name = $2, description = $3, image_url = $4, updated_at = $5, version = $6
         WHERE id = $1",
        id.uuid(),
        store.name,
        store.description,
        store.image_url,
        now,
        store.version,
    )
    .execute(&mut *tx)
    .await?;
    debug_assert_eq!(changed.rows_affected(), 1, "the row is locked");
    tx.touch(STORES);
    tx.touch(Tag::id(id));
    let named = [
        ("name", change.name.is_some()),
        ("description", change.description.is_some()),
        ("image_url", change.image_url.is_some()),
    ];
    let fields: Vec<&str> = named.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
    tx.audit(actor.did("store.changed", "store", id).in_store(id).with_facts(json!({"fields": fields})));
    tx.commit(now).await?;
    Ok(store)
}
