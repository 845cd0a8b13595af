//! Sub-orders: the part of a paid order that one store sees to.

use std::collections::{BTreeMap, HashMap};

use catalog::StoreId;
use platform::id::uuids;
use platform::{Currency, Money};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
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
    /// What of it went back, or is on its way.
    pub refunded: Money,
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
            refunded: Money::zero(order.total.currency),
        })
        .collect()
}

/// The parts of these orders.
pub(crate) async fn of_orders(
    connection: &mut PgConnection,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, Vec<SubOrder>>, Error> {
    let rows = sqlx::query!(
        r#"SELECT order_id AS "order_id: OrderId", store_id AS "store_id: StoreId", state, currency, total, refunded
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
            refunded: Money::new(row.refunded, currency),
        });
    }
    Ok(found)
}
