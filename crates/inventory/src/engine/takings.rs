//! Takings: units of limited products that buyers hold or have bought.

use std::collections::BTreeMap;

use catalog::ProductId;
use platform::Tx;

use crate::BuyerKey;

/// The counts of some buyers for some products, locked, with what is to become of them.
#[derive(Debug, Default)]
pub(crate) struct Takings(BTreeMap<(ProductId, BuyerKey), Count>);

#[derive(Debug, Default)]
struct Count {
    before: i64,
    now: i64,
}

impl Takings {
    /// Locks these counts, everybody in the same order; they are made where they are missing.
    pub(crate) async fn lock(tx: &mut Tx, mut keys: Vec<(ProductId, BuyerKey)>) -> Result<Self, sqlx::Error> {
        if keys.is_empty() {
            return Ok(Self::default());
        }
        keys.sort_unstable();
        keys.dedup();
        let (products, buyers): (Vec<_>, Vec<_>) =
            keys.iter().map(|(product, buyer)| (product.uuid(), buyer.uuid())).unzip();
        let rows = sqlx::query!(
            r#"INSERT INTO inventory.takings AS taking (product_id, buyer, quantity)
               SELECT product_id, buyer, 0 FROM unnest($1::uuid[], $2::uuid[]) AS wanted (product_id, buyer) ORDER BY 1, 2
               ON CONFLICT (product_id, buyer) DO UPDATE SET quantity = taking.quantity
               RETURNING product_id AS "product_id: ProductId", buyer, quantity"#,
            &products,
            &buyers,
        )
        .fetch_all(&mut **tx)
        .await?;
        let count = |number| Count { before: number, now: number };
        Ok(Self(
            rows.into_iter()
                .map(|row| ((row.product_id, BuyerKey::of(row.buyer)), count(row.quantity)))
                .collect(),
        ))
    }

    /// Units of the product that any of these buyers has, at most.
    pub(crate) fn of(&self, product: ProductId, buyers: &[BuyerKey]) -> i64 {
        let counts = buyers.iter().filter_map(|buyer| self.0.get(&(product, *buyer)));
        counts.map(|count| count.now).max().unwrap_or(0)
    }

    /// Counts more units, or fewer, for each of these buyers.
    pub(crate) fn change(&mut self, product: ProductId, buyers: &[BuyerKey], units: i64) {
        for buyer in buyers {
            let count = self.0.get_mut(&(product, *buyer));
            debug_assert!(count.is_some(), "only locked counts are changed");
            if let Some(count) = count {
                count.now += units;
            }
        }
    }

    pub(crate) async fn write(&self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        let changed = || self.0.iter().filter(|(_, count)| count.now != count.before);
        if changed().next().is_none() {
            return Ok(());
        }
        let (products, buyers): (Vec<_>, Vec<_>) =
            changed().map(|((product, buyer), _)| (product.uuid(), buyer.uuid())).unzip();
        let quantities: Vec<i64> = changed().map(|(_, count)| count.now).collect();
        sqlx::query!(
            "UPDATE inventory.takings AS taking SET quantity = now.quantity
             FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS now (product_id, buyer, quantity)
             WHERE taking.product_id = ANY($1) AND taking.buyer = ANY($2)
               AND taking.product_id = now.product_id AND taking.buyer = now.buyer",
            &products,
            &buyers,
            &quantities,
        )
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}
