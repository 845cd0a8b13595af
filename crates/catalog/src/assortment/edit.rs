//! Making and changing products, one at a time.

use std::collections::HashSet;

use identity::Actor;
use platform::id::uuids;
use platform::{Quantity, Slug, Tag, Tx};
use serde_json::json;

use super::{LARGEST_LIMIT, MOST_VARIANTS, MadeProduct, NewProduct, ProductChange, one};
use crate::once::Once;
use crate::product::{Product, ProductOption};
use crate::put::{self, PutProduct, PutVariant};
use crate::{CategoryId, Error, LISTING, ProductId, Service, StoreId};

pub(super) async fn create(
    service: &Service,
    actor: &Actor,
    store: StoreId,
    new: NewProduct,
    key: Option<&str>,
) -> Result<MadeProduct, Error> {
    let now = service.sources.now();
    let once = key.map(|key| Once::of(store, key, "create_product", &new));
    let mut tx = service.database.begin_within(store).await?;
    if let Some(once) = &once
        && let Some(product) = once.claim(&mut tx, now).await?
    {
        return Ok(MadeProduct { product, replayed: true });
    }
    let currency = put::currency_of(&mut tx, store).await?;
    check(&new)?;
    let limit = check_limit(new.purchase_limit)?;
    for (place, variant) in new.variants.iter().enumerate() {
        let path = format!("variants[{place}].");
        put::check_prices(&path, currency, Some(variant.price), variant.compare_at_price)?;
    }
    check_categories(&mut tx, &new.categories).await?;
    let product = PutProduct {
        external_ref: String::new(),
        slug: new.slug.unwrap_or_else(|| Slug::from_text(&new.title)),
        options: options(&new.options, &new.variants),
        title: new.title,
        description: new.description,
        vendor: new.vendor,
        tags: new.tags,
        status: new.status,
        images: new.images,
        categories: new.categories,
        variants: new.variants,
        created_at: None,
    };
    let mut slug = product.slug.clone();
    let id = loop {
        // The slug may be taken by any store's product; then chance tells it apart.
        match put::insert(&mut tx, &service.sources, store, currency, &product, None, &slug).await? {
            Some(id) => break id,
            None => slug = product.slug.with_suffix(&service.sources.id::<Product>().to_string()[24..]),
        }
    };
    put::put_categories(&mut tx, id, &product.categories).await?;
    for (position, variant) in (0..).zip(&product.variants) {
        put::put_variant(&mut tx, &service.sources, id, position, variant).await?;
    }
    sqlx::query!(
        "UPDATE catalog.products SET min_price = (SELECT min(price) FROM catalog.variants WHERE product_id = $1),
             purchase_limit = $2
         WHERE id = $1",
        id.uuid(),
        limit,
    )
    .execute(&mut *tx)
    .await?;
    let made = one(&mut tx, store, id).await?;
    if let Some(once) = &once {
        once.keep(&mut tx, &made).await?;
    }
    tx.touch(LISTING);
    tx.touch(Tag::id(id));
    let facts = json!({"slug": made.slug, "status": made.status});
    tx.audit(actor.did("product.created", "product", id).in_store(store).with_facts(facts));
    tx.commit(now).await?;
    Ok(MadeProduct { product: made, replayed: false })
}

/// At least one variant, each with one value per option, and no two with the same.
fn check(new: &NewProduct) -> Result<(), Error> {
    let most = MOST_VARIANTS;
    if new.variants.is_empty() || new.variants.len() > most {
        return Err(Error::invalid("variants", "count", format!("a product has 1 to {most} variants")));
    }
    let mut names = HashSet::new();
    for (place, name) in new.options.iter().enumerate() {
        if !names.insert(name) {
            return Err(Error::invalid(format!("options[{place}]"), "twice", "this option is there twice"));
        }
    }
    let mut seen = HashSet::new();
    for (place, variant) in new.variants.iter().enumerate() {
        let field = format!("variants[{place}].options");
        check_values(&field, new.options.len(), &variant.options)?;
        if !seen.insert(&variant.options) {
            return Err(Error::invalid(field, "twice", "another variant has the same options"));
        }
    }
    Ok(())
}

/// A purchase limit is small: it is for what is rare.
fn check_limit(limit: Option<Quantity>) -> Result<Option<i32>, Error> {
    match limit.map(Quantity::get) {
        Some(most) if most > LARGEST_LIMIT => {
            let message = format!("from 1 to {LARGEST_LIMIT}");
            Err(Error::invalid("purchase_limit", "range", message))
        }
        limit => Ok(limit),
    }
}

/// One value per option of the product.
pub(super) fn check_values(field: &str, options: usize, values: &[String]) -> Result<(), Error> {
    if values.len() == options {
        return Ok(());
    }
    let message = format!("give one value for each of the product's {options} options");
    Err(Error::invalid(field, "count", message))
}

/// The options with the values that the variants have, in the order in which they come.
fn options(names: &[String], variants: &[PutVariant]) -> Vec<ProductOption> {
    let mut options: Vec<ProductOption> =
        names.iter().map(|name| ProductOption { name: name.clone(), values: Vec::new() }).collect();
    variants.iter().for_each(|variant| add_values(&mut options, &variant.options));
    options
}

/// Adds a variant's values to those that the options have.
pub(super) fn add_values(options: &mut [ProductOption], values: &[String]) {
    for (option, value) in options.iter_mut().zip(values) {
        if !option.values.contains(value) {
            option.values.push(value.clone());
        }
    }
}

async fn check_categories(tx: &mut Tx, wanted: &[CategoryId]) -> Result<(), Error> {
    let known = sqlx::query_scalar!(
        r#"SELECT id AS "id: CategoryId" FROM catalog.categories WHERE id = ANY($1)"#,
        &uuids(wanted),
    )
    .fetch_all(&mut **tx)
    .await?;
    match wanted.iter().position(|category| !known.contains(category)) {
        Some(place) => {
            Err(Error::invalid(format!("categories[{place}]"), "unknown", "there is no such category"))
        }
        None => Ok(()),
    }
}

/// The product, kept from being changed by others, at the version that was read.
pub(super) async fn lock(
    tx: &mut Tx,
    store: StoreId,
    product: ProductId,
    version: Option<i64>,
) -> Result<Product, Error> {
    sqlx::query!(
        "SELECT id FROM catalog.products WHERE id = $1 AND store_id = $2 FOR UPDATE",
        product.uuid(),
        store.uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::ProductNotFound)?;
    let found = one(tx, store, product).await?;
    match version {
        Some(version) if version != found.version => Err(Error::Stale),
        _ => Ok(found),
    }
}

pub(super) async fn change(
    service: &Service,
    actor: &Actor,
    store: StoreId,
    id: ProductId,
    change: &ProductChange,
    version: Option<i64>,
) -> Result<Product, Error> {
    let now = service.sources.now();
    let mut tx = service.database.begin_within(store).await?;
    put::currency_of(&mut tx, store).await?;
    let before = lock(&mut tx, store, id, version).await?;
    if let Some(categories) = &change.categories {
        check_categories(&mut tx, categories).await?;
        put::put_categories(&mut tx, id, categories).await?;
    }
    let vendor = change.vendor.clone().unwrap_or_else(|| before.vendor.clone());
    let status = change.status.unwrap_or(before.status);
    let limit = check_limit(change.purchase_limit.unwrap_or(before.purchase_limit))?;
    sqlx::query!(
        "UPDATE catalog.products
         SET title = $2, description = $3, vendor = $4, tags = $5, status = $6, images = $7, updated_at = $8,
             version = version + 1, purchase_limit = $9
         WHERE id = $1",
        id.uuid(),
        change.title.as_ref().unwrap_or(&before.title),
        change.description.as_ref().unwrap_or(&before.description),
        vendor,
        change.tags.as_ref().unwrap_or(&before.tags),
        status.as_str(),
        platform::database::json(change.images.as_ref().unwrap_or(&before.images)),
        now,
        limit,
    )
    .execute(&mut *tx)
    .await?;
    let after = one(&mut tx, store, id).await?;
    tx.touch(LISTING);
    tx.touch(Tag::id(id));
    let named = [
        ("title", change.title.is_some()),
        ("description", change.description.is_some()),
        ("vendor", change.vendor.is_some()),
        ("tags", change.tags.is_some()),
        ("status", change.status.is_some()),
        ("images", change.images.is_some()),
        ("categories", change.categories.is_some()),
        ("purchase_limit", change.purchase_limit.is_some()),
    ];
    let fields: Vec<&str> = named.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
    let facts = json!({"fields": fields, "status": {"before": before.status, "after": status}});
    tx.audit(actor.did("product.changed", "product", id).in_store(store).with_facts(facts));
    tx.commit(now).await?;
    Ok(after)
}
