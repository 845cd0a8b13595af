//! Offers: what a cart needs to know of a variant.

use platform::id::uuids;
use platform::{Currency, Database, Money, Quantity, Slug};

use crate::error::stored;
use crate::product::variant_title;
use crate::{Error, ProductId, StoreId, StoreRef, VariantId};

/// A variant that can be bought now, with the words and the price of now.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The variant.
    pub variant_id: VariantId,
    /// Its product.
    pub product_id: ProductId,
    /// The product's name in addresses.
    pub product_slug: Slug,
    /// The product's name.
    pub title: String,
    /// The variant's options, if there is a choice.
    pub variant_title: Option<String>,
    /// The store's own number for it.
    pub sku: Option<String>,
    /// Who sells it.
    pub store: StoreRef,
    /// What one costs.
    pub price: Money,
    /// The variant's picture, or the product's first.
    pub image_url: Option<String>,
    /// Units of the product that one buyer may have, over all their orders.
    pub purchase_limit: Option<Quantity>,
}

pub(crate) async fn of_variants(database: &Database, variants: &[VariantId]) -> Result<Vec<Offer>, Error> {
    let rows = sqlx::query!(
        r#"SELECT v.id AS "variant_id: VariantId", v.options, v.sku, v.price, p.currency, p.title, p.slug,
                  p.id AS "product_id: ProductId", p.purchase_limit, coalesce(v.image_url, p.images -> 0 ->> 'url') AS image_url,
                  s.id AS "store_id: StoreId", s.slug AS store_slug, s.name AS store_name
           FROM catalog.variants v
           JOIN catalog.products p ON p.id = v.product_id
           JOIN catalog.stores s ON s.id = p.store_id
           WHERE v.id = ANY($1) AND p.status = 'active' AND s.status = 'active'"#,
        &uuids(variants),
    )
    .fetch_all(database.pool())
    .await?;
    rows.into_iter()
        .map(|row| {
            let currency: Currency = stored(&row.currency)?;
            Ok(Offer {
                variant_id: row.variant_id,
                product_id: row.product_id,
                product_slug: stored(&row.slug)?,
                title: row.title,
                variant_title: (!row.options.is_empty()).then(|| variant_title(&row.options)),
                sku: row.sku,
                store: StoreRef { id: row.store_id, slug: stored(&row.store_slug)?, name: row.store_name },
                price: Money::new(row.price, currency),
                image_url: row.image_url,
                purchase_limit: limit(row.purchase_limit),
            })
        })
        .collect()
}

/// A purchase limit as it is stored: a constraint of the database keeps it within bounds.
pub(crate) fn limit(stored: Option<i32>) -> Option<Quantity> {
    stored.and_then(|most| Quantity::try_from(i64::from(most)).ok())
}
