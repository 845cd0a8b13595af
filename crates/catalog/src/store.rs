//! Stores: who sells.

use identity::{Actor, StoreMark};
use platform::{Currency, Database, Page, PageRequest, Slug, Sources, Tag};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::error::stored;
use crate::{Error, Key, STORES, StoreId};

/// Whether a store trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreStatus {
    /// It trades.
    Active,
    /// The operator has closed it.
    Suspended,
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
    /// Whether it trades.
    pub status: StoreStatus,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
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

struct Row {
    id: StoreId,
    slug: String,
    name: String,
    description: String,
    currency: String,
    image_url: Option<String>,
    status: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl TryFrom<Row> for Store {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            slug: stored(&row.slug)?,
            name: row.name,
            description: row.description,
            currency: stored(&row.currency)?,
            image_url: row.image_url,
            status: if row.status == "active" { StoreStatus::Active } else { StoreStatus::Suspended },
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

pub(crate) async fn page(database: &Database, page: PageRequest) -> Result<Page<Store>, Error> {
    let total = sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM catalog.stores WHERE status = 'active'"#)
        .fetch_one(database.pool())
        .await?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: StoreId", slug, name, description, currency, image_url, status, created_at, updated_at
           FROM catalog.stores WHERE status = 'active' ORDER BY lower(name), id OFFSET $1 LIMIT $2"#,
        page.offset(),
        i64::from(page.per_page),
    )
    .fetch_all(database.pool())
    .await?;
    let data = rows.into_iter().map(Store::try_from).collect::<Result<_, _>>()?;
    Ok(Page { data, page: page.page, per_page: page.per_page, total })
}

pub(crate) async fn find(database: &Database, actor: &Actor, key: &Key<StoreMark>) -> Result<Store, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: StoreId", slug, name, description, currency, image_url, status, created_at, updated_at
           FROM catalog.stores WHERE (id = $1 OR slug = $2) AND (status = 'active' OR $3)"#,
        key.id(),
        key.slug(),
        actor.is_system(),
    )
    .fetch_optional(database.pool())
    .await?;
    row.ok_or(Error::StoreNotFound)?.try_into()
}

pub(crate) async fn create(database: &Database, sources: &Sources, new: NewStore) -> Result<Store, Error> {
    let now = sources.now();
    let mut tx = database.begin().await?;
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
    };
    let inserted = sqlx::query!(
        "INSERT INTO catalog.stores (id, slug, name, description, currency, image_url, status, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, $7) ON CONFLICT (slug) DO NOTHING",
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
    tx.commit(now).await?;
    Ok(store)
}
