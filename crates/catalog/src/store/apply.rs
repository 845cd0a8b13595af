//! Applying for a store, and entering whoever applied as its owner.
//!
//! Two modules take part, so that it is two steps: the store is written, then its owner is entered. If the second
//! does not happen, `founded_at` stays empty, and the step is taken when the applicant looks at their stores or the
//! operator decides, whatever comes first.

use identity::{Actor, StoreRole, UserId};
use platform::id::uuids;
use serde_json::json;

use super::{NewStore, OwnStore, Row, Store, StoreReview, StoreStatus};
use crate::events::StoreStatusChanged;
use crate::{Error, Service, StoreId};

/// Applications that a person may have open at a time; the table's constraint has the same number.
const MOST_APPLICATIONS: i16 = 3;

pub(super) async fn apply(service: &Service, actor: &Actor, new: &NewStore) -> Result<Store, Error> {
    let (user, now) = (actor.person()?, service.sources.now());
    let taken = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM catalog.stores WHERE slug = $1) AS "taken!""#,
        new.slug.as_str(),
    );
    if taken.fetch_one(service.database.pool()).await? {
        return Err(Error::StoreSlugTaken(new.slug.clone()));
    }
    let store = Store {
        id: service.sources.id(),
        slug: new.slug.clone(),
        name: new.name.clone(),
        description: new.description.clone(),
        currency: new.currency,
        image_url: new.image_url.clone(),
        status: StoreStatus::Pending,
        created_at: now,
        updated_at: now,
        review: Some(StoreReview { reason: None, decided_at: None, applied_by: Some(user) }),
        version: 1,
    };
    let mut tx = service.database.begin_within(store.id).await?;
    let mut place = 1;
    // Each open application takes a place; the constraint counts, also those that come at the same time.
    while !insert(&mut tx, &store, user, place).await? {
        place += 1;
        if place > MOST_APPLICATIONS {
            drop(tx);
            return Err(refusal(service, new).await?);
        }
    }
    tx.publish(&changed(&store));
    let facts = json!({"slug": store.slug, "currency": store.currency});
    tx.audit(actor.did("store.applied", "store", store.id).in_store(store.id).with_facts(facts));
    tx.commit(now).await?;
    found(service, store.id, user).await?;
    Ok(store)
}

async fn insert(
    connection: &mut sqlx::PgConnection,
    store: &Store,
    user: UserId,
    place: i16,
) -> Result<bool, Error> {
    let inserted = sqlx::query!(
        "INSERT INTO catalog.stores (id, slug, name, description, currency, image_url, status, applied_by, application,
                                     created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $8, $9, $9) ON CONFLICT DO NOTHING",
        store.id.uuid(),
        store.slug.as_str(),
        store.name,
        store.description,
        store.currency.code(),
        store.image_url,
        user.uuid(),
        place,
        store.created_at,
    )
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Why no place was free: the slug was taken meanwhile, or all places are.
async fn refusal(service: &Service, new: &NewStore) -> Result<Error, Error> {
    let taken = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM catalog.stores WHERE slug = $1) AS "taken!""#,
        new.slug.as_str(),
    )
    .fetch_one(service.database.pool())
    .await?;
    Ok(match taken {
        true => Error::StoreSlugTaken(new.slug.clone()),
        false => Error::TooManyApplications(MOST_APPLICATIONS),
    })
}

/// The news of a store's status.
pub(super) fn changed(store: &Store) -> StoreStatusChanged {
    let review = store.review.as_ref();
    StoreStatusChanged {
        store_id: store.id,
        slug: store.slug.clone(),
        name: store.name.clone(),
        status: store.status,
        reason: review.and_then(|review| review.reason.clone()),
        applied_by: review.and_then(|review| review.applied_by),
    }
}

/// Enters the owner of a store that waits for it. Repeating it changes nothing.
pub(super) async fn found(service: &Service, store: StoreId, owner: UserId) -> Result<(), Error> {
    service.identity.teams.found(&Actor::system(), store, owner).await?;
    let now = service.sources.now();
    let mut tx = service.database.begin_within(store).await?;
    sqlx::query!(
        "UPDATE catalog.stores SET founded_at = $2 WHERE id = $1 AND founded_at IS NULL",
        store.uuid(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit(now).await?;
    Ok(())
}

/// Enters the owner if that was left undone.
pub(super) async fn found_if_left_undone(service: &Service, store: StoreId) -> Result<(), Error> {
    let undone = sqlx::query_scalar!(
        r#"SELECT applied_by AS "applied_by!: UserId" FROM catalog.stores
           WHERE id = $1 AND applied_by IS NOT NULL AND founded_at IS NULL"#,
        store.uuid(),
    )
    .fetch_optional(service.database.pool())
    .await?;
    match undone {
        Some(owner) => found(service, store, owner).await,
        None => Ok(()),
    }
}

pub(super) async fn own(service: &Service, actor: &Actor) -> Result<Vec<OwnStore>, Error> {
    let user = actor.person()?;
    let undone = sqlx::query_scalar!(
        r#"SELECT id AS "id: StoreId" FROM catalog.stores WHERE applied_by = $1 AND founded_at IS NULL"#,
        user.uuid(),
    )
    .fetch_all(service.database.pool())
    .await?;
    let mut roles: Vec<(StoreId, StoreRole)> =
        actor.principal().map(|who| who.memberships.clone()).unwrap_or_default();
    for store in undone {
        found(service, store, user).await?;
        if !roles.iter().any(|(of, _)| *of == store) {
            roles.push((store, StoreRole::Owner));
        }
    }
    let ids: Vec<StoreId> = roles.iter().map(|(store, _)| *store).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: StoreId", slug, name, description, currency, image_url, status, status_reason, status_at,
                  applied_by AS "applied_by: UserId", created_at, updated_at, version
           FROM catalog.stores WHERE id = ANY($1) ORDER BY lower(name), id"#,
        &uuids(&ids),
    )
    .fetch_all(service.database.pool())
    .await?;
    let own = rows.into_iter().filter_map(|row| {
        let (_, role) = roles.iter().find(|(store, _)| *store == row.id)?;
        Some(row.whole().map(|store| OwnStore { role: *role, store }))
    });
    own.collect()
}
