//! Lists of products: filters, sorts, numbered pages and cursors.

use platform::{Currency, Cursor, CursorRequest, Database, Page, PageRequest, Slice};
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder, Row};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::category::Category;
use crate::product::{Product, load};
use crate::{Error, Key, ProductId};
use identity::StoreMark;

/// Which products a list shows. What is not set does not filter.
#[derive(Clone, Debug, Default)]
pub struct ProductFilter {
    /// Of this store.
    pub store: Option<Key<StoreMark>>,
    /// In this category or one below it.
    pub category: Option<Key<Category>>,
    /// Costing at least this many minor units (the least of the variants' prices).
    pub min_price: Option<i64>,
    /// Costing at most this many minor units.
    pub max_price: Option<i64>,
    /// Sold in this currency.
    pub currency: Option<Currency>,
    /// With at least one variant in stock, or with none.
    pub in_stock: Option<bool>,
}

/// The order of a list. Equal ones stand in the order of their ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum ProductSort {
    /// The newest first.
    #[default]
    #[serde(rename = "newest")]
    Newest,
    /// The cheapest first.
    #[serde(rename = "price")]
    Price,
    /// The dearest first.
    #[serde(rename = "-price")]
    PriceDescending,
    /// By title, A first.
    #[serde(rename = "title")]
    Title,
    /// By title, Z first.
    #[serde(rename = "-title")]
    TitleDescending,
}

impl ProductSort {
    /// The column and whether the greatest come first.
    const fn order(self) -> (&'static str, bool) {
        match self {
            Self::Newest => ("p.created_at", true),
            Self::Price => ("p.min_price", false),
            Self::PriceDescending => ("p.min_price", true),
            Self::Title => ("lower(p.title) COLLATE \"C\"", false),
            Self::TitleDescending => ("lower(p.title) COLLATE \"C\"", true),
        }
    }
}

/// The place of a product in a sorted list.
#[derive(Serialize, Deserialize)]
struct Place {
    sort: ProductSort,
    key: PlaceKey,
    id: ProductId,
}

#[derive(Serialize, Deserialize)]
enum PlaceKey {
    #[serde(rename = "t", with = "time::serde::rfc3339")]
    Time(OffsetDateTime),
    #[serde(rename = "n")]
    Amount(i64),
    #[serde(rename = "s")]
    Text(String),
}

impl PlaceKey {
    /// Whether PostgreSQL can hold it; what it can not hold was not made by us.
    fn is_storable(&self) -> bool {
        match self {
            Self::Time(time) => {
                time.checked_to_offset(time::UtcOffset::UTC).is_some_and(|time| time.year() >= 0)
            }
            Self::Amount(_) => true,
            Self::Text(text) => !text.contains('\0'),
        }
    }
}

pub(crate) async fn page(
    database: &Database,
    filter: &ProductFilter,
    page: PageRequest,
) -> Result<Page<Product>, Error> {
    check_exists(database, filter).await?;
    let mut count = QueryBuilder::new("SELECT count(*)");
    push_filter(&mut count, filter);
    let total: i64 = count.build_query_scalar().fetch_one(database.lists()).await?;
    let mut select = QueryBuilder::new("SELECT p.id");
    push_filter(&mut select, filter);
    select.push(" ORDER BY p.created_at DESC, p.id DESC OFFSET ").push_bind(page.offset());
    select.push(" LIMIT ").push_bind(i64::from(page.per_page));
    let ids: Vec<ProductId> = select.build_query_scalar().fetch_all(database.lists()).await?;
    let data = load(&mut *database.pool().acquire().await?, &ids).await?;
    Ok(Page { data, page: page.page, per_page: page.per_page, total })
}

pub(crate) async fn slice(
    database: &Database,
    filter: &ProductFilter,
    sort: ProductSort,
    request: &CursorRequest,
) -> Result<Slice<Product>, Error> {
    check_exists(database, filter).await?;
    let (column, descending) = sort.order();
    let (compare, direction) = if descending { ("<", "DESC") } else { (">", "ASC") };
    let mut select = QueryBuilder::new("SELECT p.id, ");
    select.push(column).push(" AS key");
    push_filter(&mut select, filter);
    if let Some(cursor) = &request.after {
        let place: Place = cursor.decode()?;
        if place.sort != sort || !place.key.is_storable() {
            return Err(platform::page::BadCursor.into());
        }
        select.push(" AND (").push(column).push(", p.id) ").push(compare).push(" (");
        match (sort, place.key) {
            (ProductSort::Newest, PlaceKey::Time(time)) => select.push_bind(time),
            (ProductSort::Price | ProductSort::PriceDescending, PlaceKey::Amount(amount)) => {
                select.push_bind(amount)
            }
            (ProductSort::Title | ProductSort::TitleDescending, PlaceKey::Text(text)) => {
                select.push_bind(text)
            }
            _ => return Err(platform::page::BadCursor.into()),
        };
        select.push(", ").push_bind(place.id).push(")");
    }
    select.push(" ORDER BY ").push(column).push(" ").push(direction).push(", p.id ").push(direction);
    select.push(" LIMIT ").push_bind(i64::from(request.first) + 1);
    let rows = select.build().fetch_all(database.lists()).await?;
    let mut places = Vec::with_capacity(rows.len());
    for row in &rows {
        let key = match sort {
            ProductSort::Newest => PlaceKey::Time(row.try_get("key")?),
            ProductSort::Price | ProductSort::PriceDescending => PlaceKey::Amount(row.try_get("key")?),
            ProductSort::Title | ProductSort::TitleDescending => PlaceKey::Text(row.try_get("key")?),
        };
        places.push(Place { sort, key, id: row.try_get("id")? });
    }
    // The cursor comes from the ids' list, so that a product deleted in between can not end the list early.
    let places = Slice::of(places, request.first, Cursor::encode);
    let ids: Vec<ProductId> = places.data.iter().map(|place| place.id).collect();
    let data = load(&mut *database.pool().acquire().await?, &ids).await?;
    Ok(Slice { data, page_info: places.page_info })
}

fn push_filter(query: &mut QueryBuilder<Postgres>, filter: &ProductFilter) {
    query.push(
        " FROM catalog.products p JOIN catalog.stores s ON s.id = p.store_id
          WHERE p.status = 'active' AND s.status = 'active'",
    );
    match &filter.store {
        Some(Key::Id(id)) => query.push(" AND p.store_id = ").push_bind(*id),
        Some(Key::Slug(slug)) => query.push(" AND s.slug = ").push_bind(slug.as_str().to_owned()),
        None => query,
    };
    if let Some(category) = &filter.category {
        query.push(
            " AND EXISTS (
                WITH RECURSIVE below AS (SELECT id FROM catalog.categories WHERE ",
        );
        match category {
            Key::Id(id) => query.push("id = ").push_bind(*id),
            Key::Slug(slug) => query.push("slug = ").push_bind(slug.as_str().to_owned()),
        };
        query.push(
            " UNION SELECT c.id FROM catalog.categories c JOIN below ON c.parent_id = below.id)
              SELECT FROM catalog.product_categories pc JOIN below ON below.id = pc.category_id
              WHERE pc.product_id = p.id)",
        );
    }
    if let Some(least) = filter.min_price {
        query.push(" AND p.min_price >= ").push_bind(least);
    }
    if let Some(most) = filter.max_price {
        query.push(" AND p.min_price <= ").push_bind(most);
    }
    if let Some(currency) = filter.currency {
        query.push(" AND p.currency = ").push_bind(currency.code());
    }
    if let Some(in_stock) = filter.in_stock {
        query.push(" AND p.in_stock = ").push_bind(in_stock);
    }
}

/// A list of a store or category that is not there is an error, not an empty list.
async fn check_exists(database: &Database, filter: &ProductFilter) -> Result<(), Error> {
    if let Some(key) = &filter.store {
        let found = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM catalog.stores WHERE (id = $1 OR slug = $2) AND status = 'active') AS "found!""#,
            key.id(),
            key.slug(),
        )
        .fetch_one(database.pool())
        .await?;
        if !found {
            return Err(Error::StoreNotFound);
        }
    }
    if let Some(key) = &filter.category {
        let found = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM catalog.categories WHERE id = $1 OR slug = $2) AS "found!""#,
            key.id(),
            key.slug(),
        )
        .fetch_one(database.pool())
        .await?;
        if !found {
            return Err(Error::CategoryNotFound);
        }
    }
    Ok(())
}
