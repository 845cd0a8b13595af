//! Measures reserving and selling: so many callers at a time, on one hot variant or on many; and beside it the plain
//! road, which is one call of a function in the database for each, as a shop without batches would have it. What the
//! queue would win by a road of its own for a single caller is at most the difference.
//!
//! `cargo run --release -p inventory --example roads -- postgres://...` on a migrated database that is used for nothing
//! else. Each line is one run of four seconds: reservations a second, and the 50th and 95th percentile of a call.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::VariantId;
use identity::Actor;
use inventory::{Adjustment, Inventory, Line, Reason, Reserve};
use platform::{Database, Quantity, Sources, Vault};
use tokio::task::JoinSet;

const RUN: Duration = Duration::from_secs(4);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("give the URL of a migrated database")?;
    let database = Database::connect(url.parse()?, 16).await?;
    let sources = Sources::system();
    let base = "https://market.example".parse()?;
    let settings = identity::Settings::new(base, Vault::new(&[7; Vault::KEY_BYTES]));
    let identity = identity::service(database.clone(), sources.clone(), settings);
    let catalog = catalog::service(database.clone(), sources.clone(), identity);
    let (inventory, _) = inventory::service(database.clone(), sources.clone(), catalog);
    let many = stock(&*inventory, &sources, 10_000, 1_000_000).await?;
    let none = stock(&*inventory, &sources, 1, 500).await?;
    sqlx::raw_sql(PLAIN).execute(database.pool()).await?;
    for callers in [1, 2, 4, 8, 64, 512] {
        run_plain("plain, one variant", &database, &sources, &many[..1], callers).await?;
        run_plain("plain, 10,000", &database, &sources, &many, callers).await?;
        run("one variant", &inventory, &sources, &many[..1], callers, false).await?;
        run("10,000 variants", &inventory, &sources, &many, callers, false).await?;
        run("reserve and sell", &inventory, &sources, &many, callers, true).await?;
        run("sold out", &inventory, &sources, &none, callers, false).await?;
    }
    let violations = inventory.verify().await?;
    println!("{} violations", violations.len());
    Ok(())
}

/// New variants with so many units each.
async fn stock(
    inventory: &dyn Inventory,
    sources: &Sources,
    count: usize,
    units: i64,
) -> Result<Vec<VariantId>, inventory::Error> {
    let variants: Vec<VariantId> = (0..count).map(|_| sources.id()).collect();
    for some in variants.chunks(500) {
        let received = |variant_id: &VariantId| Adjustment {
            variant_id: *variant_id,
            quantity: units,
            reason: Reason::Received,
            note: None,
        };
        inventory.adjust(&Actor::system(), &some.iter().map(received).collect::<Vec<_>>()).await?;
    }
    Ok(variants)
}

async fn run(
    name: &str,
    inventory: &Arc<dyn Inventory>,
    sources: &Sources,
    variants: &[VariantId],
    callers: usize,
    sell: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let (begun, mut running) = (Instant::now(), JoinSet::new());
    for caller in 0..callers {
        let (inventory, sources) = (Arc::clone(inventory), sources.clone());
        let variants = variants.to_vec();
        running.spawn(async move {
            let (mut times, mut turn) = (Vec::new(), caller * 7919);
            while begun.elapsed() < RUN {
                let (id, called) = (sources.id(), Instant::now());
                let line = |offset| Line::new(variants[(turn + offset) % variants.len()], quantity());
                let lines = if variants.len() > 1 { vec![line(0), line(4999)] } else { vec![line(0)] };
                let (buyers, destination, expires_at) = (Vec::new(), None, None);
                match inventory.reserve(Reserve { id, lines, buyers, destination, expires_at }).await {
                    Ok(()) if sell => inventory.sell(id).await?,
                    Ok(()) | Err(inventory::Error::OutOfStock(_)) => {}
                    Err(error) => return Err(error),
                }
                times.push(called.elapsed());
                turn += 104_729;
            }
            Ok::<_, inventory::Error>(times)
        });
    }
    report(name, callers, begun, running).await
}

/// Reserves by one call of the database each.
async fn run_plain(
    name: &str,
    database: &Database,
    sources: &Sources,
    variants: &[VariantId],
    callers: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let (begun, mut running) = (Instant::now(), JoinSet::new());
    for caller in 0..callers {
        let (database, sources) = (database.clone(), sources.clone());
        let variants = variants.to_vec();
        running.spawn(async move {
            let (mut times, mut turn) = (Vec::new(), caller * 7919);
            while begun.elapsed() < RUN {
                let called = Instant::now();
                let line = |offset: usize| variants[(turn + offset) % variants.len()].uuid();
                let lines = if variants.len() > 1 { vec![line(0), line(4999)] } else { vec![line(0)] };
                let quantities = vec![1_i64; lines.len()];
                let id = sources.id::<Reserve>().uuid();
                let reserve = sqlx::query("SELECT inventory.plainly_reserve($1, $2, $3)");
                reserve.bind(id).bind(lines).bind(quantities).execute(database.pool()).await?;
                times.push(called.elapsed());
                turn += 104_729;
            }
            Ok::<_, sqlx::Error>(times)
        });
    }
    report(name, callers, begun, running).await
}

/// What one reservation is to a shop without batches: its rows locked in order, looked at, changed, and written down.
const PLAIN: &str = "
    CREATE OR REPLACE FUNCTION inventory.plainly_reserve(reservation uuid, variants uuid[], units bigint[])
    RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM FROM inventory.stock_levels WHERE variant_id = ANY(variants) ORDER BY variant_id FOR UPDATE;
        IF EXISTS (SELECT FROM unnest(variants, units) AS line (variant_id, quantity)
                   JOIN inventory.stock_levels level USING (variant_id) WHERE on_hand - reserved < quantity) THEN
            RETURN false;
        END IF;
        UPDATE inventory.stock_levels level SET reserved = reserved + quantity
        FROM unnest(variants, units) AS line (variant_id, quantity) WHERE level.variant_id = line.variant_id;
        INSERT INTO inventory.reservations (id, state, variant_ids, quantities, created_at, updated_at)
        VALUES (reservation, 'held', variants, units, now(), now());
        RETURN true;
    END $$";

/// Prints a run's line.
async fn report<E: std::error::Error + 'static>(
    name: &str,
    callers: usize,
    begun: Instant,
    mut running: JoinSet<Result<Vec<Duration>, E>>,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut times = Vec::new();
    while let Some(done) = running.join_next().await {
        times.extend(done??);
    }
    times.sort_unstable();
    let took = begun.elapsed().as_millis();
    let rate = times.len() as u128 * 1000 / took.max(1);
    let (half, most) = (times[times.len() / 2], times[times.len() * 95 / 100]);
    println!("{name:18} {callers:4} callers {rate:8}/s  p50 {half:8.2?}  p95 {most:8.2?}");
    Ok(())
}

fn quantity() -> Quantity {
    Quantity::try_from(1).expect("one is a quantity")
}
