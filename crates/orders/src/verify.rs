//! The invariants that no constraint holds, and what other modules' books are compared with.

use payments::PaymentId;
use platform::id::uuids;
use platform::{Currency, Money, Violation};

use crate::{Error, OrderId, OrderState, Parts};

/// How far past its deadline an order counts as stuck.
const GRACE: time::Duration = time::Duration::seconds(60);
/// How long an order may be pending, however often recovery takes it up and gives it a new deadline.
const LONGEST_PENDING: time::Duration = time::Duration::minutes(5);

/// What an order made by checkout claims of other modules.
#[derive(Clone, Copy, Debug)]
pub struct Settlement {
    /// The order.
    pub order_id: OrderId,
    /// Where it is in its life.
    pub state: OrderState,
    /// What it comes to.
    pub total: Money,
    /// Its last payment.
    pub payment_id: Option<PaymentId>,
}

pub(crate) async fn settlements(
    parts: &Parts,
    after: Option<OrderId>,
    limit: i64,
) -> Result<Vec<Settlement>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: OrderId", state, currency, total, payment_id AS "payment_id: PaymentId"
           FROM orders.orders WHERE source = 'checkout' AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2"#,
        after.map(OrderId::uuid),
        limit,
    )
    .fetch_all(parts.database.pool())
    .await?;
    rows.into_iter()
        .map(|row| {
            let currency: Currency =
                row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            Ok(Settlement {
                order_id: row.id,
                state: OrderState::of(&row.state),
                total: Money::new(row.total, currency),
                payment_id: row.payment_id,
            })
        })
        .collect()
}

pub(crate) async fn of_payments(parts: &Parts, payments: &[PaymentId]) -> Result<Vec<PaymentId>, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT payment_id AS "id!: PaymentId" FROM orders.orders
           WHERE payment_id = ANY($1) AND state IN ('paid', 'completed', 'pending')"#,
        &uuids(payments),
    )
    .fetch_all(parts.database.pool())
    .await?)
}

pub(crate) async fn open(parts: &Parts, orders: &[OrderId]) -> Result<Vec<OrderId>, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: OrderId" FROM orders.orders
           WHERE id = ANY($1) AND state IN ('pending', 'awaiting_payment')"#,
        &uuids(orders),
    )
    .fetch_all(parts.database.pool())
    .await?)
}

pub(crate) async fn violations(parts: &Parts) -> Result<Vec<Violation>, Error> {
    let mut violations = sums(parts).await?;
    violations.extend(stuck(parts).await?);
    violations.extend(keys_and_carts(parts).await?);
    Ok(violations)
}

async fn sums(parts: &Parts) -> Result<Vec<Violation>, Error> {
    let orders = sqlx::query!(
        r#"SELECT o.id, o.total, coalesce(sum(l.total), 0)::bigint AS "lines!",
                  coalesce(bool_or(o.source = 'checkout' AND l.total <> l.unit_price * l.quantity), false) AS "wrong_line!"
           FROM orders.orders o LEFT JOIN orders.order_lines l ON l.order_id = o.id
           GROUP BY o.id
           HAVING o.total <> coalesce(sum(l.total), 0) OR count(l.order_id) = 0
               OR bool_or(o.source = 'checkout' AND l.total <> l.unit_price * l.quantity)
           ORDER BY o.id"#
    )
    .fetch_all(parts.database.pool())
    .await?;
    let mut violations = Vec::new();
    for row in orders {
        if row.total != row.lines {
            let message = format!("total {}, lines {}", row.total, row.lines);
            violations.push(Violation::new("orders/lines_add_up", row.id, message));
        }
        if row.wrong_line {
            violations.push(Violation::new(
                "orders/line_is_price_times_quantity",
                row.id,
                "a line does not multiply",
            ));
        }
        if row.total == row.lines && !row.wrong_line {
            violations.push(Violation::new("orders/has_lines", row.id, "no lines"));
        }
    }
    let returns = sqlx::query!(
        r#"SELECT r.id, r.total, coalesce(sum(l.total), 0)::bigint AS "lines!"
           FROM orders.returns r LEFT JOIN orders.return_lines l ON l.return_id = r.id
           GROUP BY r.id HAVING r.total <> coalesce(sum(l.total), 0) ORDER BY r.id"#
    )
    .fetch_all(parts.database.pool())
    .await?;
    violations.extend(returns.into_iter().map(|row| {
        Violation::new(
            "orders/return_lines_add_up",
            row.id,
            format!("total {}, lines {}", row.total, row.lines),
        )
    }));
    Ok(violations)
}

async fn stuck(parts: &Parts) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id, state, coalesce(deadline_at, hold_expires_at) AS "deadline!" FROM orders.orders
           WHERE (state = 'pending' AND (deadline_at < $1 OR updated_at < $2))
              OR (state = 'awaiting_payment' AND hold_expires_at < $1)
           ORDER BY id"#,
        parts.sources.now() - GRACE,
        parts.sources.now() - LONGEST_PENDING,
    )
    .fetch_all(parts.database.pool())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            Violation::new(
                "orders/not_stuck",
                row.id,
                format!("{} past its deadline {}", row.state, row.deadline),
            )
        })
        .collect())
}

async fn keys_and_carts(parts: &Parts) -> Result<Vec<Violation>, Error> {
    let keys = sqlx::query!(
        r#"SELECT k.order_id AS "order_id!", count(*) AS "keys!" FROM orders.idempotency_keys k
           JOIN orders.orders o ON o.id = k.order_id AND o.cart_id = k.scope
           GROUP BY 1 HAVING count(*) > 1
           UNION ALL
           SELECT k.order_id, 0 FROM orders.idempotency_keys k
           WHERE k.order_id IS NOT NULL AND NOT EXISTS (SELECT FROM orders.orders o WHERE o.id = k.order_id)"#
    )
    .fetch_all(parts.database.pool())
    .await?;
    let mut violations: Vec<Violation> = keys
        .into_iter()
        .map(|row| {
            let message = format!("placed under {} keys", row.keys);
            Violation::new("orders/one_key_one_order", row.order_id, message)
        })
        .collect();
    let carts = sqlx::query!(
        r#"SELECT c.id, o.state FROM orders.carts c LEFT JOIN orders.orders o ON o.id = c.order_id
           WHERE c.order_id IS NOT NULL
             AND (o.id IS NULL OR o.cart_id <> c.id OR o.state IN ('rejected', 'expired')
                  OR (c.completed_at IS NULL) <> (o.state = 'pending' AND o.hold_expires_at IS NULL))
           UNION ALL
           SELECT o.cart_id, o.state FROM orders.orders o JOIN orders.carts c ON c.id = o.cart_id
           WHERE o.state NOT IN ('rejected', 'expired') AND c.order_id IS DISTINCT FROM o.id"#
    )
    .fetch_all(parts.database.pool())
    .await?;
    violations.extend(carts.into_iter().map(|row| {
        let state = row.state.unwrap_or_else(|| "missing".to_owned());
        Violation::new("orders/cart_agrees", row.id.unwrap_or_default(), format!("its order is {state}"))
    }));
    Ok(violations)
}
