//! One committer: takes all purchases that wait into one transaction and never waits for more.

use std::collections::{HashMap, HashSet};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Row};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{Outcome, PRICE, Purchase};

/// Purchases in one transaction.
const LARGEST: usize = 256;
/// Purchases that may wait; more callers than that wait to be let in.
const WAITING: usize = 8_192;

struct Waiting {
    purchase: Purchase,
    answer: oneshot::Sender<Outcome>,
}

/// The way to the committer.
#[derive(Clone)]
pub(super) struct Committer(mpsc::Sender<Waiting>);

impl Committer {
    /// Starts it on a connection of its own.
    pub(super) async fn start(database: &PgConnectOptions) -> anyhow::Result<Self> {
        let mut connection = PgConnection::connect_with(database).await?;
        let (queue, mut waiting) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while waiting.recv_many(&mut batch, LARGEST).await > 0 {
                if let Err(error) = commit(&mut connection, std::mem::take(&mut batch)).await {
                    eprintln!("the floor's committer failed: {error}");
                    return;
                }
            }
        });
        Ok(Self(queue))
    }

    /// Makes a purchase; none if the committer is gone.
    pub(super) async fn place(&self, purchase: Purchase) -> Option<Outcome> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Waiting { purchase, answer }).await.ok()?;
        answered.await.ok()
    }
}

async fn commit(connection: &mut PgConnection, batch: Vec<Waiting>) -> sqlx::Result<()> {
    let sources = platform::Sources::system();
    let ids: Vec<Uuid> = batch.iter().map(|_| sources.id::<()>().uuid()).collect();
    let mut tx = connection.begin().await?;
    let claimed = claim(&mut tx, &batch, &ids).await?;
    let mut available = lock(&mut tx, &batch).await?;

    let mut taken: HashMap<i32, i64> = HashMap::new();
    let mut placed = Vec::with_capacity(batch.len());
    let mut outcomes = Vec::with_capacity(batch.len());
    for (waiting, id) in batch.iter().zip(&ids) {
        let lines = &waiting.purchase.lines;
        let left = |product| available.get(&product).copied().unwrap_or(0);
        if !claimed.contains(id) {
            outcomes.push(Outcome::Duplicate);
        } else if lines.iter().any(|line| left(line.product) < i64::from(line.quantity)) {
            outcomes.push(Outcome::SoldOut);
        } else {
            for line in lines {
                *available.entry(line.product).or_default() -= i64::from(line.quantity);
                *taken.entry(line.product).or_default() += i64::from(line.quantity);
            }
            placed.push((*id, &waiting.purchase));
            outcomes.push(Outcome::Placed(*id));
        }
    }
    if !placed.is_empty() {
        take(&mut tx, &taken).await?;
        write(&mut tx, &placed).await?;
    }
    tx.commit().await?;
    for (waiting, outcome) in batch.into_iter().zip(outcomes) {
        // Whoever has gone away is not told.
        waiting.answer.send(outcome).ok();
    }
    Ok(())
}

/// The orders whose keys nobody had before.
async fn claim(tx: &mut PgConnection, batch: &[Waiting], ids: &[Uuid]) -> sqlx::Result<HashSet<Uuid>> {
    let keys: Vec<&str> = batch.iter().map(|waiting| waiting.purchase.key.as_str()).collect();
    let rows = sqlx::query(
        "INSERT INTO bench.idempotency_keys (key, order_id) SELECT * FROM unnest($1::text[], $2::uuid[])
         ON CONFLICT DO NOTHING RETURNING order_id",
    )
    .bind(keys)
    .bind(ids)
    .fetch_all(tx)
    .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// What there is of all that is wanted, locked in the order of ids.
async fn lock(tx: &mut PgConnection, batch: &[Waiting]) -> sqlx::Result<HashMap<i32, i64>> {
    let products: HashSet<i32> =
        batch.iter().flat_map(|waiting| waiting.purchase.lines.iter().map(|line| line.product)).collect();
    let rows = sqlx::query("SELECT id, available FROM bench.stock WHERE id = ANY($1) ORDER BY id FOR UPDATE")
        .bind(Vec::from_iter(products))
        .fetch_all(tx)
        .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn take(tx: &mut PgConnection, taken: &HashMap<i32, i64>) -> sqlx::Result<()> {
    let (products, units): (Vec<i32>, Vec<i64>) = taken.iter().unzip();
    sqlx::query(
        "UPDATE bench.stock s SET available = s.available - t.units
         FROM unnest($1::int[], $2::bigint[]) t (id, units) WHERE s.id = t.id",
    )
    .bind(products)
    .bind(units)
    .execute(tx)
    .await?;
    Ok(())
}

/// Orders, lines, payments and events: a statement for each kind.
async fn write(tx: &mut PgConnection, placed: &[(Uuid, &Purchase)]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = placed.iter().map(|(id, _)| *id).collect();
    let emails: Vec<&str> = placed.iter().map(|(_, purchase)| purchase.email.as_str()).collect();
    let totals: Vec<i64> = placed
        .iter()
        .map(|(_, purchase)| purchase.lines.iter().map(|line| PRICE * i64::from(line.quantity)).sum())
        .collect();
    sqlx::query(
        "INSERT INTO bench.orders (id, email, state, total)
         SELECT id, email, 'paid', total FROM unnest($1::uuid[], $2::text[], $3::bigint[]) o (id, email, total)",
    )
    .bind(&ids)
    .bind(emails)
    .bind(&totals)
    .execute(&mut *tx)
    .await?;
    let lines =
        || placed.iter().flat_map(|(id, purchase)| (1..).zip(&purchase.lines).map(move |line| (id, line)));
    sqlx::query(
        "INSERT INTO bench.order_lines (order_id, position, product, quantity, unit_price)
         SELECT *, $5 FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[])",
    )
    .bind(lines().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(lines().map(|(_, (position, _))| position).collect::<Vec<i32>>())
    .bind(lines().map(|(_, (_, line))| line.product).collect::<Vec<_>>())
    .bind(lines().map(|(_, (_, line))| line.quantity).collect::<Vec<_>>())
    .bind(PRICE)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO bench.payments (order_id, amount, state)
         SELECT *, 'succeeded' FROM unnest($1::uuid[], $2::bigint[])",
    )
    .bind(&ids)
    .bind(&totals)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO bench.outbox (topic, payload)
         SELECT 'order_paid', jsonb_build_object('order_id', id, 'total', total)
         FROM unnest($1::uuid[], $2::bigint[]) o (id, total)",
    )
    .bind(&ids)
    .bind(&totals)
    .execute(&mut *tx)
    .await?;
    Ok(())
}
