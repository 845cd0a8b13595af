//! Each order in a transaction of its own, as most shops do it: the stock rows are locked in the order of their ids,
//! and every statement is a round trip.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};

use super::{Outcome, PRICE, Purchase};

pub(super) async fn place(connection: &mut PgConnection, purchase: &Purchase) -> sqlx::Result<Outcome> {
    let id = platform::Sources::system().id::<()>().uuid();
    let products: Vec<i32> = purchase.lines.iter().map(|line| line.product).collect();
    let mut tx = connection.begin().await?;
    let claimed = sqlx::query(
        "INSERT INTO bench.idempotency_keys (key, order_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(&purchase.key)
    .bind(id)
    .execute(&mut *tx)
    .await?;
    if claimed.rows_affected() == 0 {
        return Ok(Outcome::Duplicate);
    }
    let rows = sqlx::query("SELECT id, available FROM bench.stock WHERE id = ANY($1) ORDER BY id FOR UPDATE")
        .bind(&products)
        .fetch_all(&mut *tx)
        .await?;
    for line in &purchase.lines {
        let row = rows.iter().find(|row| row.try_get::<i32, _>(0).ok() == Some(line.product));
        let available: i64 = row.map(|row| row.try_get(1)).transpose()?.unwrap_or(0);
        if available < i64::from(line.quantity) {
            return Ok(Outcome::SoldOut);
        }
    }
    for line in &purchase.lines {
        sqlx::query("UPDATE bench.stock SET available = available - $2 WHERE id = $1")
            .bind(line.product)
            .bind(i64::from(line.quantity))
            .execute(&mut *tx)
            .await?;
    }
    let total: i64 = purchase.lines.iter().map(|line| PRICE * i64::from(line.quantity)).sum();
    sqlx::query("INSERT INTO bench.orders (id, email, state, total) VALUES ($1, $2, 'paid', $3)")
        .bind(id)
        .bind(&purchase.email)
        .bind(total)
        .execute(&mut *tx)
        .await?;
    for (position, line) in (1_i32..).zip(&purchase.lines) {
        sqlx::query("INSERT INTO bench.order_lines (order_id, position, product, quantity, unit_price) VALUES ($1, $2, $3, $4, $5)")
            .bind(id)
            .bind(position)
            .bind(line.product)
            .bind(line.quantity)
            .bind(PRICE)
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query("INSERT INTO bench.payments (order_id, amount, state) VALUES ($1, $2, 'succeeded')")
        .bind(id)
        .bind(total)
        .execute(&mut *tx)
        .await?;
    sqlx::query("INSERT INTO bench.outbox (topic, payload) VALUES ('order_paid', jsonb_build_object('order_id', $1::uuid, 'total', $2::bigint))")
        .bind(id)
        .bind(total)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Outcome::Placed(id))
}
