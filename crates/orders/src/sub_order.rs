//! Sub-orders: the part of a paid order that one store sees to.

use std::collections::{BTreeMap, HashMap};

use catalog::StoreId;
use platform::id::uuids;
use platform::{Currency, Money, Tx};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{Error, Order, OrderId, OrderState};

/// The part of an order that one store sees to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubOrder {
    /// The store.
    pub store_id: StoreId,
    /// Where this part is in its life.
    pub status: OrderState,
    /// What the store's lines come to.
    pub total: Money,
}

/// What each store has to see to in a paid order.
pub(crate) fn split(order: &Order) -> Vec<SubOrder> {
    let mut totals: BTreeMap<StoreId, i64> = BTreeMap::new();
    for line in &order.lines {
        *totals.entry(line.store_id).or_default() += line.total.amount;
    }
    totals
        .into_iter()
        .map(|(store_id, total)| SubOrder {
            store_id,
            status: OrderState::Paid,
            total: Money::new(total, order.total.currency),
        })
        .collect()
}

/// Writes the parts of these orders.
pub(crate) async fn insert(tx: &mut Tx, orders: &[&Order], now: OffsetDateTime) -> Result<(), sqlx::Error> {
    let (mut ids, mut stores, mut currencies, mut totals, mut placed) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for order in orders {
        for part in &order.sub_orders {
            ids.push(order.id.uuid());
            stores.push(part.store_id.uuid());
            currencies.push(part.total.currency.code().to_owned());
            totals.push(part.total.amount);
            placed.push(order.placed_at);
        }
    }
    sqlx::query!(
        "INSERT INTO orders.sub_orders (order_id, store_id, state, currency, total, placed_at, updated_at)
         SELECT order_id, store_id, 'paid', currency, total, placed_at, $6
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::timestamptz[])
             AS part (order_id, store_id, currency, total, placed_at)",
        &ids,
        &stores,
        &currencies,
        &totals,
        &placed,
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The parts of these orders.
pub(crate) async fn of_orders(
    connection: &mut PgConnection,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, Vec<SubOrder>>, Error> {
    let rows = sqlx::query!(
        r#"SELECT order_id AS "order_id: OrderId", store_id AS "store_id: StoreId", state, currency, total
           FROM orders.sub_orders WHERE order_id = ANY($1) ORDER BY order_id, store_id"#,
        &uuids(orders),
    )
    .fetch_all(connection)
    .await?;
    let mut found: HashMap<OrderId, Vec<SubOrder>> = HashMap::new();
    for row in rows {
        let currency: Currency =
            row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        found.entry(row.order_id).or_default().push(SubOrder {
            store_id: row.store_id,
            status: OrderState::stored(&row.state)?,
            total: Money::new(row.total, currency),
        });
    }
    Ok(found)
}
