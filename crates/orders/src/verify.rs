//! The invariants that no constraint holds, and what other modules' books are compared with.

use std::collections::{BTreeMap, HashSet};

use catalog::StoreId;
use payments::PaymentId;
use platform::id::uuids;
use platform::{Currency, Money, Violation, outbox};
use time::OffsetDateTime;

use crate::events::OrdersMoved;
use crate::journal::{self, Rebuilt};
use crate::order::{self, StoredLine};
use crate::sub_order::{self, SubOrder};
use crate::{Error, Failure, OrderId, OrderState, Parts};

/// Orders compared at a time.
const BATCH: i64 = 1_000;

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
    .fetch_all(parts.database.lists())
    .await?;
    rows.into_iter()
        .map(|row| {
            let currency: Currency =
                row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            Ok(Settlement {
                order_id: row.id,
                state: OrderState::stored(&row.state)?,
                total: Money::new(row.total, currency),
                payment_id: row.payment_id,
            })
        })
        .collect()
}

pub(crate) async fn of_payments(
    parts: &Parts,
    payments: &[(PaymentId, Option<OrderId>)],
) -> Result<Vec<PaymentId>, Error> {
    let known: (Vec<_>, Vec<_>) =
        payments.iter().filter_map(|(id, order)| Some((id.uuid(), order.as_ref()?.uuid()))).unzip();
    let unknown: Vec<_> =
        payments.iter().filter(|(_, order)| order.is_none()).map(|(id, _)| id.uuid()).collect();
    let mut found = sqlx::query_scalar!(
        r#"SELECT o.payment_id AS "id!: PaymentId" FROM unnest($1::uuid[], $2::uuid[]) AS p (id, order_id)
           JOIN orders.orders o ON o.id = p.order_id AND o.payment_id = p.id
           WHERE o.state IN ('paid', 'fulfilled', 'completed', 'refunded', 'pending', 'payment_pending')"#,
        &known.0,
        &known.1,
    )
    .fetch_all(parts.database.lists())
    .await?;
    if !unknown.is_empty() {
        found.extend(
            sqlx::query_scalar!(
                r#"SELECT payment_id AS "id!: PaymentId" FROM orders.orders
                   WHERE payment_id = ANY($1) AND state IN ('paid', 'fulfilled', 'completed', 'refunded', 'pending', 'payment_pending')"#,
                &unknown,
            )
            .fetch_all(parts.database.lists())
            .await?,
        );
    }
    Ok(found)
}

pub(crate) async fn open(parts: &Parts, orders: &[OrderId]) -> Result<Vec<OrderId>, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: OrderId" FROM orders.orders
           WHERE id = ANY($1) AND state IN ('pending', 'payment_pending', 'awaiting_payment')"#,
        &uuids(orders),
    )
    .fetch_all(parts.database.lists())
    .await?)
}

pub(crate) async fn settling(parts: &Parts) -> Result<HashSet<OrderId>, Error> {
    let waiting = outbox::waiting::<OrdersMoved>(&parts.database).await?;
    Ok(waiting.into_iter().flat_map(|event| event.moves).map(|moved| moved.order_id).collect())
}

pub(crate) async fn violations(parts: &Parts) -> Result<Vec<Violation>, Error> {
    let mut violations = sums(parts).await?;
    violations.extend(stuck(parts).await?);
    violations.extend(keys_and_carts(parts).await?);
    violations.extend(journals(parts).await?);
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
    .fetch_all(parts.database.lists())
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
    .fetch_all(parts.database.lists())
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
    .fetch_all(parts.database.lists())
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
    .fetch_all(parts.database.lists())
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
             AND (o.id IS NULL OR o.cart_id <> c.id OR o.state IN ('rejected', 'expired', 'cancelled')
                  OR c.completed_at IS NULL)
           UNION ALL
           SELECT o.cart_id, o.state FROM orders.orders o JOIN orders.carts c ON c.id = o.cart_id
           WHERE o.state NOT IN ('rejected', 'expired', 'cancelled') AND c.order_id IS DISTINCT FROM o.id"#
    )
    .fetch_all(parts.database.lists())
    .await?;
    violations.extend(carts.into_iter().map(|row| {
        let state = row.state.unwrap_or_else(|| "missing".to_owned());
        Violation::new("orders/cart_agrees", row.id.unwrap_or_default(), format!("its order is {state}"))
    }));
    let strays = sqlx::query_scalar!(
        r#"SELECT DISTINCT order_id AS "id!: OrderId" FROM (
               SELECT order_id FROM orders.order_lines UNION ALL SELECT order_id FROM orders.order_events
               UNION ALL SELECT order_id FROM orders.sub_orders) AS part
           WHERE NOT EXISTS (SELECT FROM orders.orders o WHERE o.id = part.order_id)"#
    )
    .fetch_all(parts.database.lists())
    .await?;
    violations.extend(strays.into_iter().map(|id| {
        Violation::new(
            "orders/parts_have_order",
            id,
            "lines, events or sub-orders of an order that is not there",
        )
    }));
    let unknown = sqlx::query_scalar!(
        "SELECT o.id FROM orders.orders o WHERE o.customer_id IS NOT NULL
             AND NOT EXISTS (SELECT FROM orders.customers c WHERE c.id = o.customer_id) ORDER BY o.id"
    )
    .fetch_all(parts.database.lists())
    .await?;
    violations.extend(
        unknown
            .into_iter()
            .map(|id| Violation::new("orders/has_its_customer", id, "its customer is not there")),
    );
    Ok(violations)
}

/// Makes every order again from its journal and compares.
async fn journals(parts: &Parts) -> Result<Vec<Violation>, Error> {
    let mut violations = Vec::new();
    let mut after: Option<OrderId> = None;
    loop {
        let mut connection = parts.database.lists().acquire().await?;
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT id AS "id: OrderId", number, currency, total, state, version, hold_expires_at, paid_at,
                      payment_id AS "payment_id: PaymentId", failure AS "failure: sqlx::types::Json<Failure>"
               FROM orders.orders WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2"#,
            after.map(OrderId::uuid),
            BATCH,
        )
        .fetch_all(&mut *connection)
        .await?;
        let Some(last) = rows.last() else { return Ok(violations) };
        after = Some(last.id);
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let events = journal::of_orders(&mut connection, &ids).await?;
        let mut lines = order::lines(&mut connection, &ids).await?;
        let sub_orders = sub_order::of_orders(&mut connection, &ids).await?;
        for row in rows {
            let id = row.id;
            let wrong = Rebuilt::of(events.get(&id).map_or(&[], Vec::as_slice)).and_then(|rebuilt| {
                row.compare(
                    &rebuilt,
                    &lines.remove(&id).unwrap_or_default(),
                    sub_orders.get(&id).map_or(&[], Vec::as_slice),
                )
            });
            if let Err(wrong) = wrong {
                violations.push(Violation::new("orders/journal_agrees", id, wrong));
            }
        }
    }
}

/// An order's row, as far as its journal tells of it.
struct Row {
    id: OrderId,
    number: String,
    currency: String,
    total: i64,
    state: String,
    version: i32,
    hold_expires_at: Option<OffsetDateTime>,
    paid_at: Option<OffsetDateTime>,
    payment_id: Option<PaymentId>,
    failure: Option<sqlx::types::Json<Failure>>,
}

impl Row {
    /// Says what is not as the journal has it.
    fn compare(&self, rebuilt: &Rebuilt, lines: &[StoredLine], parts: &[SubOrder]) -> Result<(), String> {
        let snapshot = &rebuilt.snapshot;
        let mut by_store: BTreeMap<StoreId, i64> = BTreeMap::new();
        for line in snapshot.lines.iter().filter(|_| rebuilt.paid_at.is_some() && Self::is_ours(rebuilt)) {
            *by_store.entry(line.store_id).or_default() += line.total;
        }
        let parts: BTreeMap<StoreId, i64> =
            parts.iter().map(|part| (part.store_id, part.total.amount)).collect();
        let checks = [
            ("state", self.state == rebuilt.state.as_str()),
            ("version", self.version == rebuilt.version),
            ("number", self.number == snapshot.number),
            ("currency", self.currency == snapshot.currency),
            ("total", self.total == snapshot.total),
            ("lines", *lines == snapshot.lines),
            ("hold_expires_at", self.hold_expires_at == rebuilt.hold_expires_at),
            ("paid_at", self.paid_at == rebuilt.paid_at),
            ("payment_id", self.payment_id == rebuilt.payment_id),
            ("failure", self.failure.as_ref().map(|failure| &failure.0) == rebuilt.failure.as_ref()),
            ("sub_orders", parts == by_store),
        ];
        let wrong: Vec<_> = checks.iter().filter(|(_, agrees)| !agrees).map(|(name, _)| *name).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(format!("made again from its journal it differs in {}", wrong.join(", ")))
    }

    /// Whether Souk sold it: what was imported has no sub-orders.
    const fn is_ours(rebuilt: &Rebuilt) -> bool {
        rebuilt.payment_id.is_some()
    }
}
