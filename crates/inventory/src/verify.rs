//! The invariants that no constraint holds.

use platform::{Database, Violation};

use crate::Error;

pub(crate) async fn violations(database: &Database) -> Result<Vec<Violation>, Error> {
    let mut violations = levels(database).await?;
    violations.extend(takings(database).await?);
    violations.extend(reservations(database).await?);
    violations.extend(locations(database).await?);
    Ok(violations)
}

/// What is on hand and reserved, recomputed from the adjustments and the reservations. Also finds what was adjusted or
/// reserved without a level: no foreign key does.
async fn levels(database: &Database) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        r#"SELECT coalesce(l.variant_id, a.variant_id, r.variant_id) AS "variant_id!",
                  coalesce(l.location, a.location, r.location) AS "location!",
                  coalesce(l.on_hand, 0) AS "on_hand!", coalesce(l.reserved, 0) AS "reserved!",
                  coalesce(a.adjusted, 0) AS "adjusted!", coalesce(r.sold, 0) AS "sold!", coalesce(r.held, 0) AS "held!"
           FROM inventory.stock_levels l
           FULL JOIN (SELECT variant_id, location, sum(quantity)::bigint AS adjusted FROM inventory.stock_adjustments
                      GROUP BY 1, 2) a
               ON a.variant_id = l.variant_id AND a.location = l.location
           FULL JOIN (SELECT part.variant_id, coalesce(part.location, 'main') AS location,
                             (sum(part.quantity) FILTER (WHERE r.state = 'sold'))::bigint AS sold,
                             (sum(part.quantity) FILTER (WHERE r.state = 'held'))::bigint AS held
                      FROM inventory.reservations r
                      CROSS JOIN unnest(r.variant_ids, r.quantities, r.locations) AS part (variant_id, quantity, location)
                      WHERE r.state IN ('sold', 'held') GROUP BY 1, 2) r
               ON r.variant_id = coalesce(l.variant_id, a.variant_id) AND r.location = coalesce(l.location, a.location)
           WHERE coalesce(l.on_hand, 0) <> coalesce(a.adjusted, 0) - coalesce(r.sold, 0)
              OR coalesce(l.reserved, 0) <> coalesce(r.held, 0)
              OR l.on_hand < 0 OR l.reserved < 0 OR l.reserved > l.on_hand
           ORDER BY 1, 2"#
    )
    .fetch_all(database.lists())
    .await?;
    let mut violations = Vec::new();
    for row in rows {
        let (on_hand, adjusted, sold, at) = (row.on_hand, row.adjusted, row.sold, row.location);
        if on_hand != adjusted - sold {
            let message = format!("{on_hand} on hand at {at}, but adjustments {adjusted} less {sold} sold");
            violations.push(Violation::new("inventory/stock_adds_up", row.variant_id, message));
        }
        if row.reserved != row.held {
            let message = format!("{} reserved at {at}, but {} held by reservations", row.reserved, row.held);
            violations.push(Violation::new("inventory/reserved_adds_up", row.variant_id, message));
        }
        if on_hand < 0 || row.reserved < 0 || row.reserved > on_hand {
            let message = format!("{on_hand} on hand at {at}, {} reserved", row.reserved);
            violations.push(Violation::new("inventory/never_oversold", row.variant_id, message));
        }
    }
    Ok(violations)
}

/// What buyers have of limited products, recomputed from the reservations.
async fn takings(database: &Database) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        r#"SELECT coalesce(t.product_id, r.product_id) AS "product_id!", coalesce(t.quantity, 0) AS "counted!",
                  coalesce(r.quantity, 0) AS "taken!"
           FROM inventory.takings t
           FULL JOIN (SELECT part.product_id, buyer, sum(part.quantity)::bigint AS quantity
                      FROM inventory.reservations r
                      CROSS JOIN unnest(r.limited, r.limited_quantities) AS part (product_id, quantity)
                      CROSS JOIN unnest(r.buyers) AS buyer
                      WHERE r.state IN ('sold', 'held') GROUP BY 1, 2) r USING (product_id, buyer)
           WHERE coalesce(t.quantity, 0) <> coalesce(r.quantity, 0) ORDER BY 1"#
    )
    .fetch_all(database.lists())
    .await?;
    let wrong = |counted: i64, taken: i64| format!("{counted} counted for a buyer who has {taken}");
    Ok(rows
        .into_iter()
        .map(|row| Violation::new("inventory/takings_add_up", row.product_id, wrong(row.counted, row.taken)))
        .collect())
}

async fn reservations(database: &Database) -> Result<Vec<Violation>, Error> {
    let empty = sqlx::query_scalar!(
        "SELECT id FROM inventory.reservations WHERE state IN ('held', 'sold') AND cardinality(variant_ids) = 0 ORDER BY id"
    )
    .fetch_all(database.lists())
    .await?;
    let empty =
        empty.into_iter().map(|id| Violation::new("inventory/reservation_has_lines", id, "it has no lines"));
    Ok(empty.collect())
}

/// What the rows of a variant say of each other and of their locations.
async fn locations(database: &Database) -> Result<Vec<Violation>, Error> {
    let mut violations = Vec::new();
    let strays = sqlx::query_scalar!(
        "SELECT a.id FROM inventory.stock_adjustments a JOIN inventory.stock_levels l USING (variant_id, location)
         WHERE a.store_id IS DISTINCT FROM l.store_id ORDER BY a.id"
    )
    .fetch_all(database.lists())
    .await?;
    violations.extend(
        strays
            .into_iter()
            .map(|id| Violation::new("inventory/history_has_its_store", id, "its level is another store's")),
    );
    let miscounted = sqlx::query_scalar!(
        "SELECT variant_id FROM inventory.stock_levels GROUP BY variant_id
         HAVING coalesce(sum(places) FILTER (WHERE location = 'main'), 0) <> count(*) OR count(DISTINCT store_id) > 1
         ORDER BY 1"
    )
    .fetch_all(database.lists())
    .await?;
    violations.extend(miscounted.into_iter().map(|variant| {
        Violation::new("inventory/places_add_up", variant, "its row of main does not count its rows")
    }));
    let switched = sqlx::query_scalar!(
        "SELECT l.variant_id FROM inventory.stock_levels l
         LEFT JOIN inventory.locations place ON place.store_id = l.store_id AND place.code = l.location
         WHERE l.store_id IS NOT NULL AND (l.active <> coalesce(place.active, true)
               OR (place.code IS NULL AND l.location <> 'main')) ORDER BY 1"
    )
    .fetch_all(database.lists())
    .await?;
    violations.extend(switched.into_iter().map(|variant| {
        Violation::new(
            "inventory/level_has_location",
            variant,
            "its location is not there, or says otherwise",
        )
    }));
    Ok(violations)
}
