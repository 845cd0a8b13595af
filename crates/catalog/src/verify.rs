//! The invariants that no constraint holds.

use platform::{Database, Violation};

use crate::Error;

pub(crate) async fn violations(database: &Database) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        r#"SELECT p.id, p.min_price, min(v.price) AS least, p.in_stock, coalesce(bool_or(v.in_stock), false) AS "any_in_stock!",
                  p.currency <> s.currency AS "wrong_currency!"
           FROM catalog.products p
           JOIN catalog.stores s ON s.id = p.store_id
           LEFT JOIN catalog.variants v ON v.product_id = p.id
           GROUP BY p.id, s.currency
           HAVING min(v.price) IS DISTINCT FROM p.min_price
               OR coalesce(bool_or(v.in_stock), false) <> p.in_stock
               OR p.currency <> s.currency
           ORDER BY p.id"#
    )
    .fetch_all(database.lists())
    .await?;
    let mut violations = Vec::new();
    for row in rows {
        match row.least {
            None => violations.push(Violation::new("catalog/has_variants", row.id, "no variant")),
            Some(least) if least != row.min_price => violations.push(Violation::new(
                "catalog/least_price",
                row.id,
                format!("says {}, its variants say {least}", row.min_price),
            )),
            Some(_) => {}
        }
        if row.in_stock != row.any_in_stock {
            let message = format!("says {}, its variants say {}", row.in_stock, row.any_in_stock);
            violations.push(Violation::new("catalog/in_stock", row.id, message));
        }
        if row.wrong_currency {
            violations.push(Violation::new("catalog/currency", row.id, "not its store's currency"));
        }
    }
    Ok(violations)
}
