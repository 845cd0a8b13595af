//! The invariants that no constraint holds.

use platform::{Database, Violation};

use crate::Error;

pub(crate) async fn violations(database: &Database) -> Result<Vec<Violation>, Error> {
    let mut violations = Vec::new();
    let rows = sqlx::query!(
        r#"SELECT l.variant_id, l.on_hand, l.reserved, coalesce(a.adjusted, 0) AS "adjusted!",
                  coalesce(r.sold, 0) AS "sold!", coalesce(r.held, 0) AS "held!"
           FROM inventory.stock_levels l
           LEFT JOIN (SELECT variant_id, sum(quantity)::bigint AS adjusted FROM inventory.stock_adjustments GROUP BY 1) a
               USING (variant_id)
           LEFT JOIN (SELECT line.variant_id, (sum(line.quantity) FILTER (WHERE r.state = 'sold'))::bigint AS sold,
                             (sum(line.quantity) FILTER (WHERE r.state = 'held'))::bigint AS held
                      FROM inventory.reservation_lines line
                      JOIN inventory.reservations r ON r.id = line.reservation_id GROUP BY 1) r USING (variant_id)
           WHERE l.on_hand <> coalesce(a.adjusted, 0) - coalesce(r.sold, 0) OR l.reserved <> coalesce(r.held, 0)
              OR l.on_hand < 0 OR l.reserved < 0 OR l.reserved > l.on_hand
           ORDER BY 1"#
    )
    .fetch_all(database.pool())
    .await?;
    for row in rows {
        let (on_hand, adjusted, sold) = (row.on_hand, row.adjusted, row.sold);
        if on_hand != adjusted - sold {
            let message = format!("{on_hand} on hand, but adjustments {adjusted} less {sold} sold");
            violations.push(Violation::new("inventory/stock_adds_up", row.variant_id, message));
        }
        if row.reserved != row.held {
            let message = format!("{} reserved, but {} held by reservations", row.reserved, row.held);
            violations.push(Violation::new("inventory/reserved_adds_up", row.variant_id, message));
        }
        if on_hand < 0 || row.reserved < 0 || row.reserved > on_hand {
            let message = format!("{on_hand} on hand, {} reserved", row.reserved);
            violations.push(Violation::new("inventory/never_oversold", row.variant_id, message));
        }
    }
    let empty = sqlx::query!(
        "SELECT id FROM inventory.reservations r WHERE state IN ('held', 'sold')
             AND NOT EXISTS (SELECT FROM inventory.reservation_lines line WHERE line.reservation_id = r.id) ORDER BY id"
    )
    .fetch_all(database.pool())
    .await?;
    violations.extend(
        empty
            .into_iter()
            .map(|row| Violation::new("inventory/reservation_has_lines", row.id, "it has no lines")),
    );
    let strays = sqlx::query!(
        "SELECT a.id FROM inventory.stock_adjustments a JOIN inventory.stock_levels l USING (variant_id)
         WHERE a.store_id IS DISTINCT FROM l.store_id ORDER BY a.id"
    )
    .fetch_all(database.pool())
    .await?;
    violations.extend(strays.into_iter().map(|row| {
        Violation::new("inventory/history_has_its_store", row.id, "its level is another store's")
    }));
    Ok(violations)
}
