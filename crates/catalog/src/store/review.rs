//! What operators decide about stores.

use identity::{Actor, Permission, UserId};
use platform::{Cursor, CursorRequest, Database, Slice, Tag};
use serde_json::json;

use super::{Decision, Row, Store, StoreReview, StoreStatus, apply, load};
use crate::{Error, LISTING, STORES, Service, StoreId};

impl Decision {
    /// What the store comes to be, what it has to be before, what the audit log calls it, and why.
    fn parts(&self) -> (StoreStatus, &'static [StoreStatus], &'static str, Option<&str>) {
        use StoreStatus::{Active, Pending, Rejected, Suspended};
        match self {
            Self::Approve => (Active, &[Pending, Rejected], "store.approved", None),
            Self::Reject(why) => (Rejected, &[Pending], "store.rejected", Some(why)),
            Self::Suspend(why) => (Suspended, &[Active], "store.suspended", Some(why)),
            Self::Reinstate => (Active, &[Suspended], "store.reinstated", None),
        }
    }
}

pub(super) async fn decide(
    service: &Service,
    actor: &Actor,
    id: StoreId,
    decision: &Decision,
) -> Result<Store, Error> {
    actor.require_platform(Permission::StoresReview)?;
    match apply::found_if_left_undone(service, id).await {
        // Nobody is left to be its owner: all that can be done is to reject it.
        Err(Error::Identity(identity::Error::UserNotFound)) if matches!(decision, Decision::Reject(_)) => {}
        outcome => outcome?,
    }
    let (status, from, action, reason) = decision.parts();
    let now = service.sources.now();
    let mut tx = service.database.begin_within(id).await?;
    let before = load(&mut tx, id).await?;
    if !from.contains(&before.status) {
        return Err(Error::WrongState(before.status));
    }
    let review = StoreReview {
        reason: reason.map(str::to_owned),
        decided_at: Some(now),
        applied_by: before.review.as_ref().and_then(|review| review.applied_by),
    };
    let was = before.status;
    let store =
        Store { status, review: Some(review), updated_at: now, version: before.version + 1, ..before };
    sqlx::query!(
        "UPDATE catalog.stores
         SET status = $2, status_reason = $3, status_at = $4, application = NULL, updated_at = $4, version = $5
         WHERE id = $1",
        id.uuid(),
        status.as_str(),
        reason,
        now,
        store.version,
    )
    .execute(&mut *tx)
    .await?;
    // With the store its products come into all lists, or go.
    tx.touch(LISTING);
    tx.touch(STORES);
    tx.touch(Tag::id(id));
    tx.publish(&apply::changed(&store));
    let facts = json!({"before": was, "after": status, "reason": reason});
    tx.audit(actor.did(action, "store", id).in_store(id).with_facts(facts));
    tx.commit(now).await?;
    Ok(store)
}

pub(super) async fn queue(
    database: &Database,
    actor: &Actor,
    status: Option<StoreStatus>,
    slice: &CursorRequest,
) -> Result<Slice<Store>, Error> {
    actor.require_platform(Permission::StoresReview)?;
    let after: Option<StoreId> = slice.after.as_ref().map(Cursor::decode).transpose()?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: StoreId", slug, name, description, currency, image_url, status, status_reason, status_at,
                  applied_by AS "applied_by: UserId", created_at, updated_at, version
           FROM catalog.stores WHERE ($1::text IS NULL OR status = $1) AND ($2::uuid IS NULL OR id < $2)
           ORDER BY id DESC LIMIT $3"#,
        status.map(StoreStatus::as_str),
        after.map(StoreId::uuid),
        i64::from(slice.first) + 1,
    )
    .fetch_all(database.lists())
    .await?;
    let stores = rows.into_iter().map(Row::whole).collect::<Result<Vec<_>, _>>()?;
    Ok(Slice::of(stores, slice.first, |store| Cursor::encode(&store.id)))
}
