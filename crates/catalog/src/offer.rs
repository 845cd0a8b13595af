//! Offers: what a cart needs to know of a variant.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache;
use platform::changes::{Stamp, Tag};
use platform::id::uuids;
use platform::{Currency, Database, Money, Quantity, Slug};

use crate::error::stored;
use crate::product::variant_title;
use crate::{CATEGORIES, CategoryId, Error, ProductId, StoreId, StoreRef, VariantId};

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
    /// The product's categories, and all those above them.
    pub categories: Vec<CategoryId>,
}

/// How many offers are kept at hand.
const KEPT: u64 = 200_000;
/// After this long an offer is read again, should nobody have been able to say that it changed.
const LONGEST: Duration = Duration::from_secs(60);

/// Offers at hand: a rush asks for the same ones thousands of times a second, and they change a few times a day. Each is
/// good until its product, its store or the tree of categories is touched, here or on another node ([`platform::changes`]).
pub(crate) struct Offers {
    database: Database,
    kept: Cache<VariantId, Arc<Kept>>,
}

struct Kept {
    offer: Arc<Offer>,
    /// Its product, its store, and the categories.
    tags: [Tag; 3],
    /// Until when nobody had touched them, as a number.
    stamp: AtomicU64,
}

impl Offers {
    pub(crate) fn new(database: Database) -> Self {
        let kept = Cache::builder().max_capacity(KEPT).time_to_live(LONGEST).build();
        Self { database, kept }
    }

    /// The offers of these variants; those that can not be bought are left out.
    pub(crate) async fn of(&self, variants: &[VariantId]) -> Result<Vec<Arc<Offer>>, Error> {
        let changes = self.database.changes();
        // Taken before anything is read: what changes meanwhile makes what was read old, never the reverse.
        let stamp = changes.stamp();
        let mut offers = Vec::with_capacity(variants.len());
        let mut missing = Vec::new();
        for variant in variants {
            let kept = self.kept.get(variant).await;
            let good = kept.and_then(|kept| {
                let since = Stamp::from_u64(kept.stamp.load(Ordering::Relaxed));
                let newer = changes.untouched(since, &kept.tags)?;
                kept.stamp.store(newer.as_u64(), Ordering::Relaxed);
                Some(Arc::clone(&kept.offer))
            });
            match good {
                Some(offer) => offers.push(offer),
                None => missing.push(*variant),
            }
        }
        if missing.is_empty() {
            return Ok(offers);
        }
        for offer in read(&self.database, &missing).await? {
            let offer = Arc::new(offer);
            let tags = [Tag::id(offer.product_id), Tag::id(offer.store.id), CATEGORIES];
            let kept = Kept { offer: Arc::clone(&offer), tags, stamp: AtomicU64::new(stamp.as_u64()) };
            self.kept.insert(offer.variant_id, Arc::new(kept)).await;
            offers.push(offer);
        }
        Ok(offers)
    }
}

async fn read(database: &Database, variants: &[VariantId]) -> Result<Vec<Offer>, Error> {
    let rows = sqlx::query!(
        r#"SELECT v.id AS "variant_id: VariantId", v.options, v.sku, v.price, p.currency, p.title, p.slug,
                  p.id AS "product_id: ProductId", p.purchase_limit, coalesce(v.image_url, p.images -> 0 ->> 'url') AS image_url,
                  s.id AS "store_id: StoreId", s.slug AS store_slug, s.name AS store_name,
                  ARRAY(WITH RECURSIVE above AS (
                            SELECT category_id AS id FROM catalog.product_categories WHERE product_id = p.id
                            UNION SELECT c.parent_id FROM catalog.categories c JOIN above ON c.id = above.id
                                  WHERE c.parent_id IS NOT NULL)
                        SELECT id FROM above ORDER BY id) AS "categories!: Vec<CategoryId>"
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
                categories: row.categories,
            })
        })
        .collect()
}

/// A purchase limit as it is stored: a constraint of the database keeps it within bounds.
pub(crate) fn limit(stored: Option<i32>) -> Option<Quantity> {
    stored.and_then(|most| Quantity::try_from(i64::from(most)).ok())
}
