//! Adding and changing variants and their prices.

use identity::Actor;
use platform::{Tag, Tx};
use serde_json::json;
use time::OffsetDateTime;

use super::edit::{add_values, check_values, lock};
use super::{MOST_VARIANTS, VariantChange, one};
use crate::product::{Product, ProductOption, Variant};
use crate::put::{self, PutVariant};
use crate::{Error, LISTING, ProductId, Service, StoreId, VariantId};

pub(super) async fn add(
    service: &Service,
    actor: &Actor,
    store: StoreId,
    id: ProductId,
    variant: &PutVariant,
    version: Option<i64>,
) -> Result<Product, Error> {
    let now = service.sources.now();
    let mut tx = service.database.begin_within(store).await?;
    let currency = put::currency_of(&mut tx, store).await?;
    let product = lock(&mut tx, store, id, version).await?;
    put::check_prices("", currency, Some(variant.price), variant.compare_at_price)?;
    check_values("options", product.options.len(), &variant.options)?;
    if product.variants.len() >= MOST_VARIANTS {
        let message = format!("a product has at most {MOST_VARIANTS} variants");
        return Err(Error::invalid("", "count", message));
    }
    check_free(&product, &variant.options, None)?;
    let last = sqlx::query_scalar!(
        r#"SELECT coalesce(max(position), -1) AS "last!" FROM catalog.variants WHERE product_id = $1"#,
        id.uuid(),
    )
    .fetch_one(&mut *tx)
    .await?;
    let position = last.saturating_add(1);
    let (variant_id, ..) = put::put_variant(&mut tx, &service.sources, id, position, variant).await?;
    let facts = json!({"product_id": id, "price": variant.price});
    tx.audit(actor.did("variant.created", "variant", variant_id).in_store(store).with_facts(facts));
    finish(tx, store, product, &variant.options, now).await
}

pub(super) async fn change(
    service: &Service,
    actor: &Actor,
    store: StoreId,
    (id, variant_id): (ProductId, VariantId),
    change: &VariantChange,
    version: Option<i64>,
) -> Result<Product, Error> {
    let now = service.sources.now();
    let mut tx = service.database.begin_within(store).await?;
    let currency = put::currency_of(&mut tx, store).await?;
    let product = lock(&mut tx, store, id, version).await?;
    let before = product
        .variants
        .iter()
        .find(|variant| variant.id == variant_id)
        .cloned()
        .ok_or(Error::VariantNotFound)?;
    put::check_prices("", currency, change.price, change.compare_at_price.flatten())?;
    let options = change.options.clone().unwrap_or_else(|| values(&before));
    check_values("options", product.options.len(), &options)?;
    check_free(&product, &options, Some(variant_id))?;
    let price = change.price.unwrap_or(before.price);
    let compare_at_price = change.compare_at_price.unwrap_or(before.compare_at_price);
    sqlx::query!(
        "UPDATE catalog.variants
         SET sku = $3, barcode = $4, options = $5, price = $6, compare_at_price = $7, weight_grams = $8, image_url = $9
         WHERE id = $1 AND product_id = $2",
        variant_id.uuid(),
        id.uuid(),
        change.sku.clone().unwrap_or(before.sku),
        change.barcode.clone().unwrap_or(before.barcode),
        &options,
        price.amount,
        compare_at_price.map(|price| price.amount),
        change.weight_grams.unwrap_or(before.weight_grams),
        change.image_url.clone().unwrap_or(before.image_url),
    )
    .execute(&mut *tx)
    .await?;
    let facts = json!({"product_id": id, "price": {"before": before.price, "after": price}});
    tx.audit(actor.did("variant.changed", "variant", variant_id).in_store(store).with_facts(facts));
    tx.touch(Tag::id(variant_id));
    finish(tx, store, product, &options, now).await
}

/// The values of a variant, in the order of the product's options.
fn values(variant: &Variant) -> Vec<String> {
    variant.options.iter().map(|option| option.value.clone()).collect()
}

/// No two variants of a product have the same options. The product is locked, so nobody can come in between.
fn check_free(product: &Product, options: &[String], except: Option<VariantId>) -> Result<(), Error> {
    let taken =
        product.variants.iter().any(|variant| Some(variant.id) != except && values(variant) == options);
    if taken { Err(Error::VariantExists) } else { Ok(()) }
}

/// Brings the product in line with its variants.
async fn finish(
    mut tx: Tx,
    store: StoreId,
    product: Product,
    values: &[String],
    now: OffsetDateTime,
) -> Result<Product, Error> {
    let mut options: Vec<ProductOption> = product.options;
    add_values(&mut options, values);
    sqlx::query!(
        "UPDATE catalog.products
         SET options = $2, updated_at = $3, version = version + 1,
             min_price = (SELECT min(price) FROM catalog.variants WHERE product_id = $1)
         WHERE id = $1",
        product.id.uuid(),
        platform::database::json(&options),
        now,
    )
    .execute(&mut *tx)
    .await?;
    let after = one(&mut tx, store, product.id).await?;
    tx.touch(LISTING);
    tx.touch(Tag::id(product.id));
    tx.commit(now).await?;
    Ok(after)
}
