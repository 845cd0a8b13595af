//! What the catalogue knows of stock: only whether there is any, for the `in_stock` filter.

use platform::{Database, Sources, Tag};

use crate::{Error, LISTING, ProductId, StoreId, VariantId};

/// Inventory's news of one variant.
#[derive(Clone, Copy, Debug)]
pub struct InStock {
    /// The variant.
    pub variant_id: VariantId,
    /// Whether there is any to sell.
    pub in_stock: bool,
    /// Grows with each news of this variant.
    pub version: i64,
}

pub(crate) async fn set(database: &Database, sources: &Sources, news: &[InStock]) -> Result<(), Error> {
    let variants: Vec<_> = news.iter().map(|news| news.variant_id.uuid()).collect();
    let in_stock: Vec<_> = news.iter().map(|news| news.in_stock).collect();
    let versions: Vec<_> = news.iter().map(|news| news.version).collect();
    let mut tx = database.begin().await?;
    // Whoever changes variants of a product holds its row, so that the sum over them is right.
    let products = sqlx::query_scalar!(
        r#"SELECT id AS "id: ProductId" FROM catalog.products
           WHERE id IN (SELECT product_id FROM catalog.variants WHERE id = ANY($1)) ORDER BY id FOR UPDATE"#,
        &variants,
    )
    .fetch_all(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE catalog.variants v SET in_stock = news.in_stock, stock_version = news.version
         FROM (SELECT DISTINCT ON (variant_id) variant_id, in_stock, version
               FROM unnest($1::uuid[], $2::boolean[], $3::bigint[]) AS n (variant_id, in_stock, version)
               ORDER BY variant_id, version DESC) AS news
         WHERE v.id = news.variant_id AND v.stock_version < news.version",
        &variants,
        &in_stock,
        &versions,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE catalog.products p
         SET in_stock = EXISTS (SELECT FROM catalog.variants v WHERE v.product_id = p.id AND v.in_stock)
         WHERE id = ANY($1)",
        &platform::id::uuids(&products),
    )
    .execute(&mut *tx)
    .await?;
    tx.touch(LISTING);
    for product in products {
        tx.touch(Tag::id(product));
    }
    tx.commit(sources.now()).await?;
    Ok(())
}

/// What the catalogue believes of each variant, in the order of their ids.
pub(crate) async fn believed(
    database: &Database,
    after: Option<VariantId>,
    limit: i64,
) -> Result<Vec<(VariantId, bool)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: VariantId", in_stock FROM catalog.variants
           WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2"#,
        after.map(VariantId::uuid),
        limit,
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.in_stock)).collect())
}

/// The variants of a store that carry this SKU.
pub(crate) async fn by_sku(database: &Database, store: StoreId, sku: &str) -> Result<Vec<VariantId>, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT v.id AS "id: VariantId" FROM catalog.variants v JOIN catalog.products p ON p.id = v.product_id
           WHERE p.store_id = $1 AND v.sku = $2 ORDER BY v.id"#,
        store.uuid(),
        sku,
    )
    .fetch_all(database.pool())
    .await?)
}
