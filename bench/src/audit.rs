//! Whether what buyers were told is what the books say: counted apart from `souk verify`, which each bench ends with.

use serde::Serialize;
use sqlx::PgPool;

use crate::load::Answers;
use crate::stage::Stage;

/// The books at one moment.
#[derive(Clone, Copy, Debug, Serialize, sqlx::FromRow)]
pub(crate) struct Books {
    /// Orders that were paid.
    paid: i64,
    /// Orders that came to nothing.
    refused: i64,
    /// Units in the lines of the paid ones.
    sold: i64,
    /// Units that stores put in stock and that are no longer there.
    gone: i64,
    /// Units held for somebody.
    held: i64,
}

/// Orders that wait for something to happen.
const UNDER_WAY: &str = "SELECT count(*) FROM orders.orders WHERE state = 'pending'";

const BOOKS: &str = "
    SELECT count(*) FILTER (WHERE paid) AS paid, count(*) FILTER (WHERE NOT paid) AS refused,
           coalesce(sum(units) FILTER (WHERE paid), 0)::bigint AS sold,
           (SELECT sum(quantity) FROM inventory.stock_adjustments)::bigint
               - (SELECT sum(on_hand) FROM inventory.stock_levels)::bigint AS gone,
           (SELECT sum(reserved) FROM inventory.stock_levels)::bigint AS held
    FROM (SELECT o.state IN ('paid', 'fulfilled', 'completed') AS paid, sum(l.quantity) AS units
          FROM orders.orders o JOIN orders.order_lines l ON l.order_id = o.id
          WHERE o.source = 'checkout' AND o.id >= $1 GROUP BY o.id) orders";

impl Books {
    /// Reads them, of the orders from an id on.
    pub(crate) async fn read(pool: &PgPool, from: uuid::Uuid) -> anyhow::Result<Self> {
        Ok(sqlx::query_as(BOOKS).bind(from).fetch_one(pool).await?)
    }

    /// Compares what happened since an earlier moment with what buyers were told. One who was told of a failure may
    /// have bought all the same.
    pub(crate) fn check_since(&self, before: &Self, answers: &Answers, is_final: bool) -> Vec<String> {
        let (paid, refused) = (self.paid - before.paid, self.refused - before.refused);
        let (sold, gone) = (self.sold - before.sold, self.gone - before.gone);
        let told = i64::try_from(answers.accepted).unwrap_or(i64::MAX);
        let unsure = i64::try_from(answers.failures()).unwrap_or(i64::MAX);
        // An answer before the end may have been followed by a refusal.
        let there = if is_final { paid } else { paid + refused };
        let mut wrong = Vec::new();
        if !(told..=told.saturating_add(unsure)).contains(&there) {
            wrong.push(format!(
                "{told} buyers were told of an order and {unsure} of a failure, but there are {there}"
            ));
        }
        if sold != gone {
            wrong.push(format!("{sold} units were sold, but {gone} are gone from the stock"));
        }
        if self.held != 0 {
            wrong.push(format!("{} units are held for nobody", self.held));
        }
        wrong
    }

    /// Orders paid since an earlier moment.
    pub(crate) fn paid_since(&self, before: &Self) -> i64 {
        self.paid - before.paid
    }
}

/// How many orders are under way.
pub(crate) async fn under_way(pool: &PgPool) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar(UNDER_WAY).fetch_one(pool).await?)
}

/// What is left of the units of a product.
pub(crate) async fn left(pool: &PgPool, product: u32) -> anyhow::Result<i64> {
    let variant = crate::ids::variant(product);
    let query = sqlx::query_scalar("SELECT on_hand FROM inventory.stock_levels WHERE variant_id = $1");
    Ok(query.bind(variant).fetch_one(pool).await?)
}

/// Runs `souk verify` and adds what it says to what is wrong.
pub(crate) async fn verify(stage: &Stage, wrong: &mut Vec<String>) -> anyhow::Result<()> {
    println!("\nsouk verify:");
    if !stage.verify().await? {
        wrong.push("souk verify found broken invariants".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Books = Books { paid: 10, refused: 1, sold: 20, gone: 20, held: 0 };

    fn answers(accepted: u64, failed: u64) -> Answers {
        Answers { accepted, failed: [("503".to_owned(), failed)].into(), ..Answers::default() }
    }

    #[test]
    fn all_that_was_told_has_to_be_there() {
        let after = Books { paid: 15, sold: 30, gone: 30, ..NOTHING };
        assert!(after.check_since(&NOTHING, &answers(5, 0), true).is_empty());
        assert!(
            after.check_since(&NOTHING, &answers(3, 2), true).is_empty(),
            "told of a failure, bought all the same"
        );
        assert_eq!(after.check_since(&NOTHING, &answers(6, 0), true).len(), 1, "acknowledged and lost");
        assert_eq!(after.check_since(&NOTHING, &answers(4, 0), true).len(), 1, "bought and not acknowledged");
        assert_eq!(after.paid_since(&NOTHING), 5);
    }

    #[test]
    fn what_was_accepted_first_may_be_refused_later() {
        let after = Books { paid: 12, refused: 4, sold: 24, gone: 24, ..NOTHING };
        assert!(after.check_since(&NOTHING, &answers(5, 0), false).is_empty());
        assert_eq!(after.check_since(&NOTHING, &answers(5, 0), true).len(), 1);
    }

    #[test]
    fn stock_is_neither_lost_nor_oversold_nor_forgotten() {
        let lost = Books { paid: 11, sold: 22, gone: 23, ..NOTHING };
        assert_eq!(lost.check_since(&NOTHING, &answers(1, 0), true).len(), 1);
        let held = Books { held: 2, ..NOTHING };
        assert_eq!(held.check_since(&NOTHING, &answers(0, 0), true).len(), 1);
    }
}
