//! Stores: who sells.
mod apply;
mod change;
mod review;
mod withdraw;

use async_trait::async_trait;
use identity::{Actor, Permission, StoreMark, StoreRole, UserId};
use platform::{Currency, CursorRequest, Database, Page, PageRequest, Slice, Slug, Sources, Tag};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::stored;
use crate::{Error, Key, STORES, Service, StoreId};

/// Where a store is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreStatus {
    /// Somebody applied for it; the operator has to decide.
    Pending,
    /// It trades.
    Active,
    /// The operator has closed it for now.
    Suspended,
    /// The operator did not want it.
    Rejected,
    /// Its owner gave it up before it ever traded.
    Withdrawn,
}

impl StoreStatus {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl std::str::FromStr for StoreStatus {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Pending, Self::Active, Self::Suspended, Self::Rejected, Self::Withdrawn];
        let found = all.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is not pending, active, suspended, rejected or withdrawn"))
    }
}

/// A store of the marketplace.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Store {
    /// Its id.
    pub id: StoreId,
    /// Its name in addresses.
    pub slug: Slug,
    /// Its name.
    #[schema(example = "Kiln & Clay")]
    pub name: String,
    /// What it says of itself.
    pub description: String,
    /// The currency of all its prices.
    pub currency: Currency,
    /// Its picture.
    pub image_url: Option<String>,
    /// Where it is in its life; guests see active stores only.
    pub status: StoreStatus,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// What only its team and the operators are told.
    #[serde(skip)]
    pub review: Option<StoreReview>,
    /// Counts its changes.
    #[serde(skip)]
    pub version: i64,
}

/// How a store came to be what it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StoreReview {
    /// What the operator said of its status.
    pub reason: Option<String>,
    /// When the operator last decided.
    #[serde(with = "time::serde::rfc3339::option")]
    pub decided_at: Option<OffsetDateTime>,
    /// Who asked for it; nobody, if the marketplace opened it itself.
    pub applied_by: Option<UserId>,
}

/// A store to be opened.
#[derive(Clone, Debug)]
pub struct NewStore {
    /// Its name in addresses, unique over the marketplace.
    pub slug: Slug,
    /// Its name.
    pub name: String,
    /// What it says of itself.
    pub description: String,
    /// The currency of all its prices.
    pub currency: Currency,
    /// Its picture.
    pub image_url: Option<String>,
}

/// What is to be changed of a store; what is not named stays.
#[derive(Clone, Debug, Default)]
pub struct StoreChange {
    /// Its name.
    pub name: Option<String>,
    /// What it says of itself.
    pub description: Option<String>,
    /// Its picture; `Some(None)` takes it away.
    pub image_url: Option<Option<String>>,
}

/// What an operator decides about a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may trade. Also one that was rejected before.
    Approve,
    /// It may not, and why.
    Reject(String),
    /// It may not for now, and why.
    Suspend(String),
    /// It may again.
    Reinstate,
}

/// A store that somebody works for.
#[derive(Clone, Debug)]
pub struct OwnStore {
    /// As what.
    pub role: StoreRole,
    /// The store, whatever its status.
    pub store: Store,
}

/// The life of stores: people apply, operators decide, teams look after them.
#[async_trait]
pub trait Stores: Send + Sync + 'static {
    /// Applies for a store. Whoever does becomes its owner and can prepare it; it trades once an operator says so.
    async fn apply(&self, actor: &Actor, store: &NewStore) -> Result<Store, Error>;

    /// The stores that whoever asks works for, by name.
    async fn own_stores(&self, actor: &Actor) -> Result<Vec<OwnStore>, Error>;

    /// Changes a store, on top of the version that was read.
    async fn change_store(
        &self,
        actor: &Actor,
        store: StoreId,
        change: &StoreChange,
        version: i64,
    ) -> Result<Store, Error>;

    /// Decides about a store.
    async fn decide(&self, actor: &Actor, store: StoreId, decision: &Decision) -> Result<Store, Error>;

    /// Gives a store up that never traded, for good. Its team goes, and its slug is free again. Whoever does may do
    /// what an owner may; repeating it changes nothing.
    async fn withdraw(&self, actor: &Actor, store: StoreId) -> Result<(), Error>;

    /// A store that may write to people in its own name: one that trades. Strangers would otherwise have Souk mail what
    /// no operator has looked at.
    async fn sender(&self, actor: &Actor, store: StoreId) -> Result<Store, Error>;

    /// Stores of this status, or all, the latest first. For operators.
    async fn review_queue(
        &self,
        actor: &Actor,
        status: Option<StoreStatus>,
        slice: &CursorRequest,
    ) -> Result<Slice<Store>, Error>;

    /// Demands a right in a store. Whoever may not even see the store is told that there is none.
    async fn require(&self, actor: &Actor, permission: Permission, store: StoreId) -> Result<(), Error>;

    /// Which of these stores there are.
    async fn existing_stores(&self, ids: &[StoreId]) -> Result<Vec<StoreId>, Error>;

    /// Stores that somebody applied for and then became the owner of, in the order of their ids, after `after`.
    async fn founded_stores(&self, after: Option<StoreId>, limit: i64) -> Result<Vec<StoreId>, Error>;
}

#[async_trait]
impl Stores for Service {
    async fn apply(&self, actor: &Actor, store: &NewStore) -> Result<Store, Error> {
        apply::apply(self, actor, store).await
    }

    async fn own_stores(&self, actor: &Actor) -> Result<Vec<OwnStore>, Error> {
        apply::own(self, actor).await
    }

    async fn change_store(
        &self,
        actor: &Actor,
        store: StoreId,
        change: &StoreChange,
        version: i64,
    ) -> Result<Store, Error> {
        change::change(self, actor, store, change, version).await
    }

    async fn decide(&self, actor: &Actor, store: StoreId, decision: &Decision) -> Result<Store, Error> {
        review::decide(self, actor, store, decision).await
    }

    async fn withdraw(&self, actor: &Actor, store: StoreId) -> Result<(), Error> {
        withdraw::withdraw(self, actor, store).await
    }

    async fn sender(&self, actor: &Actor, store: StoreId) -> Result<Store, Error> {
        let store = find(&self.database, actor, &Key::Id(store)).await?;
        if store.status == StoreStatus::Active { Ok(store) } else { Err(Error::WrongState(store.status)) }
    }

    async fn review_queue(
        &self,
        actor: &Actor,
        status: Option<StoreStatus>,
        slice: &CursorRequest,
    ) -> Result<Slice<Store>, Error> {
        review::queue(&self.database, actor, status, slice).await
    }

    async fn require(&self, actor: &Actor, permission: Permission, store: StoreId) -> Result<(), Error> {
        crate::authorize::require(&self.database, actor, permission, store).await
    }

    async fn existing_stores(&self, ids: &[StoreId]) -> Result<Vec<StoreId>, Error> {
        Ok(sqlx::query_scalar!(
            r#"SELECT id AS "id: StoreId" FROM catalog.stores WHERE id = ANY($1)"#,
            &platform::id::uuids(ids),
        )
        .fetch_all(self.database.pool())
        .await?)
    }

    async fn founded_stores(&self, after: Option<StoreId>, limit: i64) -> Result<Vec<StoreId>, Error> {
        Ok(sqlx::query_scalar!(
            r#"SELECT id AS "id: StoreId" FROM catalog.stores
               WHERE founded_at IS NOT NULL AND status <> 'withdrawn' AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2"#,
            after.map(StoreId::uuid),
            limit,
        )
        .fetch_all(self.database.lists())
        .await?)
    }
}

struct Row {
    id: StoreId,
    slug: String,
    name: String,
    description: String,
    currency: String,
    image_url: Option<String>,
    status: String,
    status_reason: Option<String>,
    status_at: Option<OffsetDateTime>,
    applied_by: Option<UserId>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i64,
}

impl Row {
    /// The store as everybody sees it.
    fn public(self) -> Result<Store, Error> {
        Ok(Store { review: None, ..self.whole()? })
    }

    /// The store with what its team and the operators are told.
    fn whole(self) -> Result<Store, Error> {
        Ok(Store {
            id: self.id,
            slug: stored(&self.slug)?,
            name: self.name,
            description: self.description,
            currency: stored(&self.currency)?,
            image_url: self.image_url,
            status: stored(&self.status)?,
            created_at: self.created_at,
            updated_at: self.updated_at,
            review: Some(StoreReview {
                reason: self.status_reason,
                decided_at: self.status_at,
                applied_by: self.applied_by,
            }),
            version: self.version,
        })
    }
}

pub(crate) async fn page(database: &Database, page: PageRequest) -> Result<Page<Store>, Error> {
    let total = sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM catalog.stores WHERE status = 'active'"#)
        .fetch_one(database.lists())
        .await?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: StoreId", slug, name, description, currency, image_url, status, status_reason, status_at,
                  applied_by AS "applied_by: UserId", created_at, updated_at, version
           FROM catalog.stores WHERE status = 'active' ORDER BY lower(name), id OFFSET $1 LIMIT $2"#,
        page.offset(),
        i64::from(page.per_page),
    )
    .fetch_all(database.lists())
    .await?;
    let data = rows.into_iter().map(Row::public).collect::<Result<_, _>>()?;
    Ok(Page { data, page: page.page, per_page: page.per_page, total })
}

/// A store that the actor may see: one that trades, their own, or any for whoever looks after the marketplace.
pub(crate) async fn find(database: &Database, actor: &Actor, key: &Key<StoreMark>) -> Result<Store, Error> {
    let sees_all = actor.require_platform(Permission::StoreRead).is_ok();
    let own: Vec<Uuid> = actor
        .principal()
        .map(|who| who.memberships.iter().map(|(store, _)| store.uuid()).collect())
        .unwrap_or_default();
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: StoreId", slug, name, description, currency, image_url, status, status_reason, status_at,
                  applied_by AS "applied_by: UserId", created_at, updated_at, version
           FROM catalog.stores WHERE (id = $1 OR slug = $2) AND (status = 'active' OR $3 OR id = ANY($4))"#,
        key.id(),
        key.slug(),
        sees_all,
        &own,
    )
    .fetch_optional(database.pool())
    .await?
    .ok_or(Error::StoreNotFound)?;
    if actor.may(Permission::StoreRead, row.id) { row.whole() } else { row.public() }
}

/// One store, whatever its status, kept from being changed by others.
async fn load(connection: &mut PgConnection, store: StoreId) -> Result<Store, Error> {
    sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: StoreId", slug, name, description, currency, image_url, status, status_reason, status_at,
                  applied_by AS "applied_by: UserId", created_at, updated_at, version
           FROM catalog.stores WHERE id = $1 FOR UPDATE"#,
        store.uuid(),
    )
    .fetch_optional(connection)
    .await?
    .ok_or(Error::StoreNotFound)?
    .whole()
}

/// Opens a store that trades at once: the marketplace's own doing.
pub(crate) async fn create(
    database: &Database,
    sources: &Sources,
    actor: &Actor,
    new: NewStore,
) -> Result<Store, Error> {
    actor.require_platform(Permission::StoresReview)?;
    let now = sources.now();
    let store = Store {
        id: sources.id(),
        slug: new.slug,
        name: new.name,
        description: new.description,
        currency: new.currency,
        image_url: new.image_url,
        status: StoreStatus::Active,
        created_at: now,
        updated_at: now,
        review: Some(StoreReview { reason: None, decided_at: Some(now), applied_by: None }),
        version: 1,
    };
    let mut tx = database.begin_within(store.id).await?;
    let inserted = sqlx::query!(
        "INSERT INTO catalog.stores (id, slug, name, description, currency, image_url, status, status_at, created_at,
                                     updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, $7, $7) ON CONFLICT DO NOTHING",
        store.id.uuid(),
        store.slug.as_str(),
        store.name,
        store.description,
        store.currency.code(),
        store.image_url,
        now,
    )
    .execute(&mut *tx)
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(Error::StoreSlugTaken(store.slug));
    }
    tx.touch(STORES);
    tx.touch(Tag::id(store.id));
    tx.audit(actor.did("store.opened", "store", store.id).in_store(store.id));
    tx.commit(now).await?;
    Ok(store)
}
