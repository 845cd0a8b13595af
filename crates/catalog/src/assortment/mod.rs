//! What a store's team does with its products: sees all of them, and changes them.
mod edit;
mod variants;

use async_trait::async_trait;
use identity::{Actor, Permission};
use platform::{Cursor, CursorRequest, Database, Money, Quantity, Slice, Slug, Tx};
use serde::Serialize;
use uuid::Uuid;

use crate::product::{Image, Product, ProductStatus, load};
use crate::put::PutVariant;
use crate::{CategoryId, Error, ProductId, Service, StoreId, VariantId, authorize};

/// The largest purchase limit of a product.
pub(crate) const LARGEST_LIMIT: i32 = 1_000;

/// Variants that a product may have.
pub(crate) const MOST_VARIANTS: usize = 250;

/// A product to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewProduct {
    /// The wanted name in addresses, if not one made of the title. When another product has it, something is put
    /// behind it.
    pub slug: Option<Slug>,
    /// Its name.
    pub title: String,
    /// Plain text or simple HTML.
    pub description: String,
    /// Who made it.
    pub vendor: Option<String>,
    /// Words that the merchant puts on it.
    pub tags: Vec<String>,
    /// Where it is in its life.
    pub status: ProductStatus,
    /// The names of what it comes in, such as `Size`.
    pub options: Vec<String>,
    /// Pictures, the main one first.
    pub images: Vec<Image>,
    /// Where it is found.
    pub categories: Vec<CategoryId>,
    /// Its variants, in their order; at least one.
    pub variants: Vec<PutVariant>,
    /// Units that one buyer may have, over all their orders, from 1 to 1,000.
    pub purchase_limit: Option<Quantity>,
}

/// The answer to a request to make a product, which may have been sent before.
#[derive(Clone, Debug)]
pub struct MadeProduct {
    /// The product as it was made.
    pub product: Product,
    /// Whether this is a repetition.
    pub replayed: bool,
}

/// What is to be changed of a product; what is not named stays.
#[derive(Clone, Debug, Default)]
pub struct ProductChange {
    /// Its name.
    pub title: Option<String>,
    /// Plain text or simple HTML.
    pub description: Option<String>,
    /// Who made it; `Some(None)` takes it away.
    pub vendor: Option<Option<String>>,
    /// Words that the merchant puts on it.
    pub tags: Option<Vec<String>>,
    /// Where it is in its life.
    pub status: Option<ProductStatus>,
    /// Pictures, the main one first.
    pub images: Option<Vec<Image>>,
    /// Where it is found.
    pub categories: Option<Vec<CategoryId>>,
    /// Units that one buyer may have, over all their orders, from 1 to 1,000; `Some(None)` takes the limit away.
    pub purchase_limit: Option<Option<Quantity>>,
}

/// What is to be changed of a variant; what is not named stays.
#[derive(Clone, Debug, Default)]
pub struct VariantChange {
    /// The store's own number for it.
    pub sku: Option<Option<String>>,
    /// GTIN, EAN, UPC or ISBN.
    pub barcode: Option<Option<String>>,
    /// One value per option of the product.
    pub options: Option<Vec<String>>,
    /// What one costs.
    pub price: Option<Money>,
    /// What one cost before.
    pub compare_at_price: Option<Option<Money>>,
    /// With packaging, in grams.
    pub weight_grams: Option<i32>,
    /// Its own picture.
    pub image_url: Option<Option<String>>,
}

/// A store's products as its team works with them: drafts and archived ones too.
#[async_trait]
pub trait Assortment: Send + Sync + 'static {
    /// One product of the store.
    async fn own_product(&self, actor: &Actor, store: StoreId, product: ProductId) -> Result<Product, Error>;

    /// The store's products of this status, or all, the latest first.
    async fn own_products(
        &self,
        actor: &Actor,
        store: StoreId,
        status: Option<ProductStatus>,
        slice: &CursorRequest,
    ) -> Result<Slice<Product>, Error>;

    /// Makes a product. Under a key that the store has used it is made once.
    async fn create_product(
        &self,
        actor: &Actor,
        store: StoreId,
        product: NewProduct,
        key: Option<&str>,
    ) -> Result<MadeProduct, Error>;

    /// Changes a product, on top of the version that was read.
    async fn change_product(
        &self,
        actor: &Actor,
        store: StoreId,
        product: ProductId,
        change: &ProductChange,
        version: Option<i64>,
    ) -> Result<Product, Error>;

    /// Adds a variant to a product.
    async fn add_variant(
        &self,
        actor: &Actor,
        store: StoreId,
        product: ProductId,
        variant: &PutVariant,
        version: Option<i64>,
    ) -> Result<Product, Error>;

    /// Changes a variant, on top of the version of its product that was read.
    async fn change_variant(
        &self,
        actor: &Actor,
        store: StoreId,
        place: (ProductId, VariantId),
        change: &VariantChange,
        version: Option<i64>,
    ) -> Result<Product, Error>;

    /// Whose these variants are; those that are not there are left out.
    async fn stores_of(&self, variants: &[VariantId]) -> Result<Vec<(VariantId, StoreId)>, Error>;

    /// The store's variants in the order of their ids, after `after`.
    async fn own_variants(
        &self,
        actor: &Actor,
        store: StoreId,
        after: Option<VariantId>,
        limit: i64,
    ) -> Result<Vec<VariantId>, Error>;
}

#[async_trait]
impl Assortment for Service {
    async fn own_product(&self, actor: &Actor, store: StoreId, product: ProductId) -> Result<Product, Error> {
        authorize::require(&self.database, actor, Permission::ProductsRead, store).await?;
        let mut tx = self.database.begin_within(store).await?;
        one(&mut tx, store, product).await
    }

    async fn own_products(
        &self,
        actor: &Actor,
        store: StoreId,
        status: Option<ProductStatus>,
        slice: &CursorRequest,
    ) -> Result<Slice<Product>, Error> {
        authorize::require(&self.database, actor, Permission::ProductsRead, store).await?;
        list(&self.database, store, status, slice).await
    }

    async fn create_product(
        &self,
        actor: &Actor,
        store: StoreId,
        product: NewProduct,
        key: Option<&str>,
    ) -> Result<MadeProduct, Error> {
        authorize::require(&self.database, actor, Permission::ProductsWrite, store).await?;
        edit::create(self, actor, store, product, key).await
    }

    async fn change_product(
        &self,
        actor: &Actor,
        store: StoreId,
        product: ProductId,
        change: &ProductChange,
        version: Option<i64>,
    ) -> Result<Product, Error> {
        authorize::require(&self.database, actor, Permission::ProductsWrite, store).await?;
        edit::change(self, actor, store, product, change, version).await
    }

    async fn add_variant(
        &self,
        actor: &Actor,
        store: StoreId,
        product: ProductId,
        variant: &PutVariant,
        version: Option<i64>,
    ) -> Result<Product, Error> {
        authorize::require(&self.database, actor, Permission::ProductsWrite, store).await?;
        variants::add(self, actor, store, product, variant, version).await
    }

    async fn change_variant(
        &self,
        actor: &Actor,
        store: StoreId,
        place: (ProductId, VariantId),
        change: &VariantChange,
        version: Option<i64>,
    ) -> Result<Product, Error> {
        authorize::require(&self.database, actor, Permission::ProductsWrite, store).await?;
        variants::change(self, actor, store, place, change, version).await
    }

    async fn stores_of(&self, variants: &[VariantId]) -> Result<Vec<(VariantId, StoreId)>, Error> {
        let rows = sqlx::query!(
            r#"SELECT v.id AS "id: VariantId", p.store_id AS "store_id: StoreId"
               FROM catalog.variants v JOIN catalog.products p ON p.id = v.product_id WHERE v.id = ANY($1)"#,
            &platform::id::uuids(variants),
        )
        .fetch_all(self.database.pool())
        .await?;
        Ok(rows.into_iter().map(|row| (row.id, row.store_id)).collect())
    }

    async fn own_variants(
        &self,
        actor: &Actor,
        store: StoreId,
        after: Option<VariantId>,
        limit: i64,
    ) -> Result<Vec<VariantId>, Error> {
        authorize::require(&self.database, actor, Permission::ProductsRead, store).await?;
        let mut tx = self.database.begin_within(store).await?;
        Ok(sqlx::query_scalar!(
            r#"SELECT v.id AS "id: VariantId" FROM catalog.variants v JOIN catalog.products p ON p.id = v.product_id
               WHERE p.store_id = $1 AND ($2::uuid IS NULL OR v.id > $2) ORDER BY v.id LIMIT $3"#,
            store.uuid(),
            after.map(VariantId::uuid),
            limit,
        )
        .fetch_all(&mut *tx)
        .await?)
    }
}

/// A product of the store, as it is in this transaction.
async fn one(tx: &mut Tx, store: StoreId, product: ProductId) -> Result<Product, Error> {
    let found = load(tx, &[product]).await?.pop();
    found.filter(|product| product.store.id == store).ok_or(Error::ProductNotFound)
}

async fn list(
    database: &Database,
    store: StoreId,
    status: Option<ProductStatus>,
    slice: &CursorRequest,
) -> Result<Slice<Product>, Error> {
    let after: Option<ProductId> = slice.after.as_ref().map(Cursor::decode).transpose()?;
    let mut tx = database.begin_within(store).await?;
    let ids = sqlx::query_scalar!(
        r#"SELECT id AS "id: ProductId" FROM catalog.products
           WHERE store_id = $1 AND ($2::text IS NULL OR status = $2) AND id < $3
           ORDER BY id DESC LIMIT $4"#,
        store.uuid(),
        status.map(ProductStatus::as_str),
        after.map_or(Uuid::max(), ProductId::uuid),
        i64::from(slice.first) + 1,
    )
    .fetch_all(&mut *tx)
    .await?;
    let ids = Slice::of(ids, slice.first, Cursor::encode);
    Ok(Slice { data: load(&mut tx, &ids.data).await?, page_info: ids.page_info })
}
