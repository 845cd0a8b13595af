//! How much there is.

use platform::Database;

use crate::Error;

/// How much there is of everything that guests may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Active stores.
    pub stores: i64,
    /// Categories.
    pub categories: i64,
    /// Active products of active stores.
    pub products: i64,
}

pub(crate) async fn count(database: &Database) -> Result<Counts, Error> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM catalog.stores WHERE status = 'active') AS "stores!",
                  (SELECT count(*) FROM catalog.categories) AS "categories!",
                  (SELECT count(*) FROM catalog.products p JOIN catalog.stores s ON s.id = p.store_id
                   WHERE p.status = 'active' AND s.status = 'active') AS "products!""#
    )
    .fetch_one(database.lists())
    .await?;
    Ok(Counts { stores: row.stores, categories: row.categories, products: row.products })
}
