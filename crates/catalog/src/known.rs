//! Finding a store's products by their names in the system they came from.

use std::collections::HashMap;

use platform::Database;
use platform::id::uuids;

use crate::{Error, ProductId, StoreId, VariantId};

/// A product that is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The product.
    pub product_id: ProductId,
    /// Its variants, in their order.
    pub variants: Vec<VariantId>,
}

pub(crate) async fn products(
    database: &Database,
    store: StoreId,
    refs: &[String],
) -> Result<HashMap<String, Known>, Error> {
    let products = sqlx::query!(
        r#"SELECT id AS "id: ProductId", external_ref AS "external_ref!" FROM catalog.products
           WHERE store_id = $1 AND external_ref = ANY($2)"#,
        store.uuid(),
        refs,
    )
    .fetch_all(database.pool())
    .await?;
    let ids: Vec<ProductId> = products.iter().map(|product| product.id).collect();
    let variants = sqlx::query!(
        r#"SELECT id AS "id: VariantId", product_id AS "product_id: ProductId" FROM catalog.variants
           WHERE product_id = ANY($1) ORDER BY position, id"#,
        &uuids(&ids),
    )
    .fetch_all(database.pool())
    .await?;
    let mut of_product: HashMap<ProductId, Vec<VariantId>> = HashMap::new();
    for variant in variants {
        of_product.entry(variant.product_id).or_default().push(variant.id);
    }
    Ok(products
        .into_iter()
        .map(|product| {
            let variants = of_product.remove(&product.id).unwrap_or_default();
            (product.external_ref, Known { product_id: product.id, variants })
        })
        .collect())
}
