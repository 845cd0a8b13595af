//! Products and their variants, as read.

use std::collections::HashMap;

use identity::Actor;
use platform::id::uuids;
use platform::{Currency, Database, Money, Quantity, Slug};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::error::stored;
use crate::offer::limit;
use crate::{CategoryId, Error, Key, ProductId, StoreId, VariantId};

/// Where a product is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProductStatus {
    /// Being prepared; guests do not see it.
    Draft,
    /// On sale.
    Active,
    /// Taken off sale.
    Archived,
}

impl ProductStatus {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Archived => "archived",
        }
    }
}

impl std::str::FromStr for ProductStatus {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "draft" => Ok(Self::Draft),
            "active" => Ok(Self::Active),
            "archived" => Ok(Self::Archived),
            other => Err(format!("{other:?} is not draft, active or archived")),
        }
    }
}

/// What stores sell. It is kept with an idempotency key for a day: what is added needs a default.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// Its name in addresses.
    pub slug: Slug,
    /// Its name.
    pub title: String,
    /// Plain text or simple HTML, as the merchant wrote it.
    pub description: String,
    /// Who made it.
    pub vendor: Option<String>,
    /// Words that the merchant put on it.
    pub tags: Vec<String>,
    /// Where it is in its life.
    pub status: ProductStatus,
    /// Who sells it.
    pub store: StoreRef,
    /// Where it is found.
    pub categories: Vec<CategoryRef>,
    /// Pictures, the main one first.
    pub images: Vec<Image>,
    /// In what it comes: size, colour.
    pub options: Vec<ProductOption>,
    /// Each combination of options that is sold, in the merchant's order.
    pub variants: Vec<Variant>,
    /// Units that one buyer may have, over all their orders.
    pub purchase_limit: Option<Quantity>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Counts its changes and those of its variants. Stock is not counted as a change of the product.
    pub version: i64,
}

/// The store of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoreRef {
    /// Its id.
    pub id: StoreId,
    /// Its name in addresses.
    pub slug: Slug,
    /// Its name.
    pub name: String,
}

/// A category of a product.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CategoryRef {
    /// Its id.
    pub id: CategoryId,
    /// Its name in addresses.
    pub slug: Slug,
    /// Its name.
    pub name: String,
}

/// A picture of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Image {
    /// Where it is. A path is below Souk's own address.
    pub url: String,
    /// What it shows, for those who do not see it.
    pub alt: String,
}

/// A way in which the variants of a product differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductOption {
    /// Such as `Size`.
    #[schema(example = "Size")]
    pub name: String,
    /// Such as `Small`, `Large`.
    pub values: Vec<String>,
}

/// One combination of a product's options: the thing that is sold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Variant {
    /// Its id.
    pub id: VariantId,
    /// The store's own number for it.
    pub sku: Option<String>,
    /// GTIN, EAN, UPC or ISBN.
    pub barcode: Option<String>,
    /// Its options' values, such as `Small / Blue`.
    pub title: String,
    /// Its options.
    pub options: Vec<OptionValue>,
    /// What one costs.
    pub price: Money,
    /// What one cost before, or elsewhere.
    pub compare_at_price: Option<Money>,
    /// With packaging, in grams.
    pub weight_grams: i32,
    /// Its own picture.
    pub image_url: Option<String>,
}

/// The value a variant has for an option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OptionValue {
    /// Such as `Size`.
    #[schema(example = "Size")]
    pub name: String,
    /// Such as `Small`.
    #[schema(example = "Small")]
    pub value: String,
}

/// The title of a variant: its values joined, or nothing where there is nothing to choose.
pub(crate) fn variant_title(values: &[String]) -> String {
    values.join(" / ")
}

pub(crate) async fn find(database: &Database, actor: &Actor, key: &Key<Product>) -> Result<Product, Error> {
    let id = sqlx::query_scalar!(
        r#"SELECT p.id AS "id: ProductId" FROM catalog.products p JOIN catalog.stores s ON s.id = p.store_id
           WHERE (p.id = $1 OR p.slug = $2) AND ((p.status = 'active' AND s.status = 'active') OR $3)"#,
        key.id(),
        key.slug(),
        actor.is_system(),
    )
    .fetch_optional(database.pool())
    .await?
    .ok_or(Error::ProductNotFound)?;
    let mut connection = database.pool().acquire().await?;
    load(&mut connection, &[id]).await?.pop().ok_or(Error::ProductNotFound)
}

/// Loads these products, in this order; those that are gone are left out.
pub(crate) async fn load(connection: &mut PgConnection, ids: &[ProductId]) -> Result<Vec<Product>, Error> {
    let rows = sqlx::query!(
        r#"SELECT p.id AS "id: ProductId", p.slug, p.title, p.description, p.vendor, p.tags, p.status,
                  p.options AS "options: sqlx::types::Json<Vec<ProductOption>>",
                  p.images AS "images: sqlx::types::Json<Vec<Image>>", p.currency, p.created_at, p.updated_at, p.version, p.purchase_limit,
                  s.id AS "store_id: StoreId", s.slug AS store_slug, s.name AS store_name
           FROM catalog.products p JOIN catalog.stores s ON s.id = p.store_id WHERE p.id = ANY($1)"#,
        &uuids(ids),
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut categories = categories_of(connection, ids).await?;
    let mut products = HashMap::with_capacity(rows.len());
    for row in rows {
        let product = Product {
            id: row.id,
            slug: stored(&row.slug)?,
            title: row.title,
            description: row.description,
            vendor: row.vendor,
            tags: row.tags,
            status: stored(&row.status)?,
            store: StoreRef { id: row.store_id, slug: stored(&row.store_slug)?, name: row.store_name },
            categories: categories.remove(&row.id).unwrap_or_default(),
            images: row.images.0,
            options: row.options.0,
            variants: Vec::new(),
            purchase_limit: limit(row.purchase_limit),
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        };
        let currency: Currency = stored(&row.currency)?;
        products.insert(row.id, (product, currency));
    }
    add_variants(connection, ids, &mut products).await?;
    Ok(ids.iter().filter_map(|id| products.remove(id)).map(|(product, _)| product).collect())
}

async fn add_variants(
    connection: &mut PgConnection,
    ids: &[ProductId],
    products: &mut HashMap<ProductId, (Product, Currency)>,
) -> Result<(), Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: VariantId", product_id AS "product_id: ProductId", sku, barcode, options, price,
                  compare_at_price, weight_grams, image_url
           FROM catalog.variants WHERE product_id = ANY($1) ORDER BY product_id, position, id"#,
        &uuids(ids),
    )
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        let Some((product, currency)) = products.get_mut(&row.product_id) else { continue };
        let options = product
            .options
            .iter()
            .zip(&row.options)
            .map(|(option, value)| OptionValue { name: option.name.clone(), value: value.clone() })
            .collect();
        product.variants.push(Variant {
            id: row.id,
            sku: row.sku,
            barcode: row.barcode,
            title: variant_title(&row.options),
            options,
            price: Money::new(row.price, *currency),
            compare_at_price: row.compare_at_price.map(|amount| Money::new(amount, *currency)),
            weight_grams: row.weight_grams,
            image_url: row.image_url,
        });
    }
    Ok(())
}

async fn categories_of(
    connection: &mut PgConnection,
    ids: &[ProductId],
) -> Result<HashMap<ProductId, Vec<CategoryRef>>, Error> {
    let rows = sqlx::query!(
        r#"SELECT pc.product_id AS "product_id: ProductId", c.id AS "id: CategoryId", c.slug, c.name
           FROM catalog.product_categories pc JOIN catalog.categories c ON c.id = pc.category_id
           WHERE pc.product_id = ANY($1) ORDER BY c.position, c.slug"#,
        &uuids(ids),
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut categories: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        let category = CategoryRef { id: row.id, slug: stored(&row.slug)?, name: row.name };
        categories.entry(row.product_id).or_default().push(category);
    }
    Ok(categories)
}
