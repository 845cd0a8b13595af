//! Making and changing products.

use std::collections::HashSet;

use platform::{Currency, Database, Money, Slug, Sources, Tag, Tx};
use serde::Serialize;
use time::OffsetDateTime;

use crate::error::stored;
use crate::product::{Image, Product, ProductOption, ProductStatus, Variant};
use crate::{CategoryId, Error, LISTING, ProductId, StoreId, StoreStatus, VariantId};

/// A product as it shall be.
#[derive(Clone, Debug)]
pub struct PutProduct {
    /// Its name in the system it comes from; the store's products are told apart by it.
    pub external_ref: String,
    /// The wanted name in addresses. When another product has it, something is put behind it.
    pub slug: Slug,
    /// Its name.
    pub title: String,
    /// Plain text or simple HTML.
    pub description: String,
    /// Who made it.
    pub vendor: Option<String>,
    /// Words that the merchant put on it.
    pub tags: Vec<String>,
    /// Where it is in its life.
    pub status: ProductStatus,
    /// In what it comes.
    pub options: Vec<ProductOption>,
    /// Pictures, the main one first.
    pub images: Vec<Image>,
    /// Where it is found.
    pub categories: Vec<CategoryId>,
    /// Its variants, in their order.
    pub variants: Vec<PutVariant>,
    /// When it was made, if not now. Only heeded when it is new.
    pub created_at: Option<OffsetDateTime>,
}

/// A variant as it shall be. Told apart by its options.
#[derive(Clone, Debug, Serialize)]
pub struct PutVariant {
    /// The store's own number for it.
    pub sku: Option<String>,
    /// GTIN, EAN, UPC or ISBN.
    pub barcode: Option<String>,
    /// One value per option of the product; empty when there is nothing to choose.
    pub options: Vec<String>,
    /// What one costs.
    pub price: Money,
    /// What one cost before.
    pub compare_at_price: Option<Money>,
    /// With packaging, in grams.
    pub weight_grams: i32,
    /// Its own picture.
    pub image_url: Option<String>,
}

/// What became of a product.
#[derive(Clone, Debug)]
pub struct PutResult {
    /// The product.
    pub product_id: ProductId,
    /// Its variants in the order they were put, and whether they are new.
    pub variants: Vec<(VariantId, bool)>,
    /// What happened.
    pub outcome: PutOutcome,
}

/// Whether putting changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// It is new.
    Created,
    /// Something was different.
    Updated,
    /// All was so already.
    Unchanged,
}

pub(crate) async fn products(
    database: &Database,
    sources: &Sources,
    store: StoreId,
    products: &[PutProduct],
) -> Result<Vec<PutResult>, Error> {
    let mut tx = database.begin_within(store).await?;
    let currency = currency_of(&mut tx, store).await?;
    lock(&mut tx, store, products).await?;
    let mut results = Vec::with_capacity(products.len());
    for product in products {
        check(product, currency)?;
        results.push(put(&mut tx, sources, store, currency, product).await?);
    }
    for result in results.iter().filter(|result| result.outcome != PutOutcome::Unchanged) {
        tx.touch(Tag::id(result.product_id));
    }
    if results.iter().any(|result| result.outcome != PutOutcome::Unchanged) {
        tx.touch(LISTING);
    }
    tx.commit(sources.now()).await?;
    Ok(results)
}

/// The currency of a store that may change what it sells.
pub(crate) async fn currency_of(tx: &mut Tx, store: StoreId) -> Result<Currency, Error> {
    let row = sqlx::query!("SELECT currency, status FROM catalog.stores WHERE id = $1", store.uuid())
        .fetch_optional(&mut **tx)
        .await?
        .ok_or(Error::StoreNotFound)?;
    match stored(&row.status)? {
        status @ (StoreStatus::Rejected | StoreStatus::Withdrawn) => Err(Error::WrongState(status)),
        StoreStatus::Pending | StoreStatus::Active | StoreStatus::Suspended => stored(&row.currency),
    }
}

/// Holds the products that are there, in the order in which news of stock holds them: whoever held them in
/// another order and waited would be waited for.
async fn lock(tx: &mut Tx, store: StoreId, products: &[PutProduct]) -> Result<(), Error> {
    let refs: Vec<String> = products.iter().map(|product| product.external_ref.clone()).collect();
    sqlx::query!(
        "SELECT id FROM catalog.products WHERE store_id = $1 AND external_ref = ANY($2) ORDER BY id FOR UPDATE",
        store.uuid(),
        &refs,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(())
}

fn check(product: &PutProduct, currency: Currency) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for (place, variant) in product.variants.iter().enumerate() {
        check_prices(
            &format!("variants[{place}]."),
            currency,
            Some(variant.price),
            variant.compare_at_price,
        )?;
        if variant.options.len() != product.options.len() || !seen.insert(&variant.options) {
            return Err(Error::BadVariants(product.external_ref.clone()));
        }
    }
    if seen.is_empty() { Err(Error::BadVariants(product.external_ref.clone())) } else { Ok(()) }
}

/// Prices are in the store's currency.
pub(crate) fn check_prices(
    path: &str,
    store: Currency,
    price: Option<Money>,
    compare_at_price: Option<Money>,
) -> Result<(), Error> {
    for (name, price) in [("price", price), ("compare_at_price", compare_at_price)] {
        if let Some(given) = price.map(|price| price.currency).filter(|given| *given != store) {
            return Err(Error::WrongCurrency { field: format!("{path}{name}"), store, given });
        }
    }
    Ok(())
}

async fn put(
    tx: &mut Tx,
    sources: &Sources,
    store: StoreId,
    currency: Currency,
    product: &PutProduct,
) -> Result<PutResult, Error> {
    let now = sources.now();
    let (product_id, created) = find_or_insert(tx, sources, store, currency, product).await?;
    let mut changed = if created { false } else { update(tx, product_id, product, now).await? };
    changed |= put_categories(tx, product_id, &product.categories).await?;
    let mut variants = Vec::with_capacity(product.variants.len());
    for (position, variant) in (0..).zip(&product.variants) {
        let (variant_id, new, different) = put_variant(tx, sources, product_id, position, variant).await?;
        variants.push((variant_id, new));
        changed |= different;
    }
    if changed || created {
        sqlx::query!(
            "UPDATE catalog.products SET updated_at = $2, version = version + 1,
                 min_price = (SELECT min(price) FROM catalog.variants WHERE product_id = $1) WHERE id = $1",
            product_id.uuid(),
            now,
        )
        .execute(&mut **tx)
        .await?;
    }
    let outcome = match (created, changed) {
        (true, _) => PutOutcome::Created,
        (false, true) => PutOutcome::Updated,
        (false, false) => PutOutcome::Unchanged,
    };
    Ok(PutResult { product_id, variants, outcome })
}

async fn find_or_insert(
    tx: &mut Tx,
    sources: &Sources,
    store: StoreId,
    currency: Currency,
    product: &PutProduct,
) -> Result<(ProductId, bool), Error> {
    let mut slug = product.slug.clone();
    for attempt in 0..4 {
        let found = sqlx::query_scalar!(
            r#"SELECT id AS "id: ProductId" FROM catalog.products WHERE store_id = $1 AND external_ref = $2 FOR UPDATE"#,
            store.uuid(),
            product.external_ref,
        )
        .fetch_optional(&mut **tx)
        .await?;
        if let Some(id) = found {
            return Ok((id, false));
        }
        if let Some(id) =
            insert(tx, sources, store, currency, product, Some(&product.external_ref), &slug).await?
        {
            return Ok((id, true));
        }
        // The slug is taken: first the product's own reference tells it apart, then chance.
        slug = match attempt {
            0 => product.slug.with_suffix(&product.external_ref),
            _ => product.slug.with_suffix(&sources.id::<Product>().to_string()[24..]),
        };
    }
    Err(Error::Database(sqlx::Error::RowNotFound))
}

/// Writes a new product without its variants, unless its slug or reference is taken.
pub(crate) async fn insert(
    tx: &mut Tx,
    sources: &Sources,
    store: StoreId,
    currency: Currency,
    product: &PutProduct,
    external_ref: Option<&str>,
    slug: &Slug,
) -> Result<Option<ProductId>, Error> {
    let now = sources.now();
    let id: ProductId = sources.id::<Product>();
    let inserted = sqlx::query!(
        "INSERT INTO catalog.products (id, store_id, external_ref, slug, title, description, vendor, tags, status,
             options, images, currency, min_price, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, $14) ON CONFLICT DO NOTHING",
        id.uuid(),
        store.uuid(),
        external_ref,
        slug.as_str(),
        product.title,
        product.description,
        product.vendor,
        &product.tags,
        product.status.as_str(),
        platform::database::json(&product.options),
        platform::database::json(&product.images),
        currency.code(),
        product.created_at.unwrap_or(now),
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok((inserted.rows_affected() == 1).then_some(id))
}

async fn update(
    tx: &mut Tx,
    id: ProductId,
    product: &PutProduct,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let updated = sqlx::query!(
        "UPDATE catalog.products
         SET title = $2, description = $3, vendor = $4, tags = $5, status = $6, options = $7, images = $8, updated_at = $9
         WHERE id = $1 AND (title, description, vendor, tags, status, options, images)
             IS DISTINCT FROM ($2, $3, $4, $5::text[], $6, $7::jsonb, $8::jsonb)",
        id.uuid(),
        product.title,
        product.description,
        product.vendor,
        &product.tags,
        product.status.as_str(),
        platform::database::json(&product.options),
        platform::database::json(&product.images),
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(updated.rows_affected() == 1)
}

pub(crate) async fn put_categories(
    tx: &mut Tx,
    id: ProductId,
    categories: &[CategoryId],
) -> Result<bool, Error> {
    let wanted = platform::id::uuids(categories);
    let removed = sqlx::query!(
        "DELETE FROM catalog.product_categories WHERE product_id = $1 AND category_id <> ALL($2)",
        id.uuid(),
        &wanted,
    )
    .execute(&mut **tx)
    .await?;
    let added = sqlx::query!(
        "INSERT INTO catalog.product_categories (product_id, category_id)
         SELECT $1, category_id FROM unnest($2::uuid[]) AS wanted (category_id) ON CONFLICT DO NOTHING",
        id.uuid(),
        &wanted,
    )
    .execute(&mut **tx)
    .await
    .map_err(|error| match error.as_database_error() {
        Some(refused) if refused.is_foreign_key_violation() => Error::CategoryNotFound,
        _ => error.into(),
    })?;
    Ok(removed.rows_affected() + added.rows_affected() > 0)
}

/// Gives the variant's id, whether it is new, and whether anything was different.
pub(crate) async fn put_variant(
    tx: &mut Tx,
    sources: &Sources,
    product: ProductId,
    position: i32,
    variant: &PutVariant,
) -> Result<(VariantId, bool, bool), Error> {
    let wanted: VariantId = sources.id::<Variant>();
    let row = sqlx::query!(
        r#"INSERT INTO catalog.variants AS v (id, product_id, position, sku, barcode, options, price, compare_at_price,
               weight_grams, image_url)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
           ON CONFLICT (product_id, options) DO UPDATE
           SET position = $3, sku = $4, barcode = $5, price = $7, compare_at_price = $8, weight_grams = $9, image_url = $10
           WHERE (v.position, v.sku, v.barcode, v.price, v.compare_at_price, v.weight_grams, v.image_url)
               IS DISTINCT FROM ($3, $4, $5, $7, $8, $9, $10)
           RETURNING id AS "id: VariantId""#,
        wanted.uuid(),
        product.uuid(),
        position,
        variant.sku,
        variant.barcode,
        &variant.options,
        variant.price.amount,
        variant.compare_at_price.map(|price| price.amount),
        variant.weight_grams,
        variant.image_url,
    )
    .fetch_optional(&mut **tx)
    .await?;
    match row {
        Some(row) => Ok((row.id, row.id == wanted, true)),
        None => {
            let id = sqlx::query_scalar!(
                r#"SELECT id AS "id: VariantId" FROM catalog.variants WHERE product_id = $1 AND options = $2"#,
                product.uuid(),
                &variant.options,
            )
            .fetch_one(&mut **tx)
            .await?;
            Ok((id, false, false))
        }
    }
}
