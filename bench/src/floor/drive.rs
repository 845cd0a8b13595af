//! Callers that drive a design straight through the database driver, in this process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::task::JoinSet;

use super::batched::Committer;
use super::{Line, Outcome, Purchase, locked};
use crate::ids::{self, Chance, PRODUCTS};
use crate::latency::{Latencies, Summary};
use crate::processes;
use crate::traffic::Traffic;
use crate::window::{PATIENCE, Window};

/// Which design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Design {
    /// A of shared experience: row locks, one order per transaction.
    Locked,
    /// D: one committer, batches.
    Batched,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Driven {
    /// Orders in the time that counted.
    pub(crate) placed: u64,
    /// Refusals in that time.
    pub(crate) refused: u64,
    /// All orders.
    pub(crate) all_placed: u64,
    /// Seconds that counted.
    pub(crate) seconds: f64,
    /// Of both.
    pub(crate) latency: Summary,
    /// CPU time of this process in that time, in seconds.
    pub(crate) cpu: f64,
    /// CPU time of PostgreSQL in that time, in seconds.
    pub(crate) postgres: f64,
}

/// The means of one caller.
enum Way {
    Locked(PgConnection),
    Batched(Committer),
}

impl Way {
    async fn place(&mut self, purchase: Purchase) -> anyhow::Result<Outcome> {
        match self {
            Self::Locked(connection) => Ok(locked::place(connection, &purchase).await?),
            Self::Batched(committer) => {
                committer.place(purchase).await.ok_or_else(|| anyhow::anyhow!("the committer is gone"))
            }
        }
    }
}

/// Lets as many callers as that buy for a while. `batch` tells this run's keys from those of others.
pub(crate) async fn drive(
    database: &PgConnectOptions,
    design: Design,
    traffic: Traffic,
    callers: usize,
    batch: u32,
    (warm_up, measured): (Duration, Duration),
    postgres: impl Fn() -> f64,
) -> anyhow::Result<Driven> {
    let mut ways = Vec::with_capacity(callers);
    let committer = Committer::start(database).await?;
    for _ in 0..callers {
        ways.push(match design {
            Design::Locked => Way::Locked(PgConnection::connect_with(database).await?),
            Design::Batched => Way::Batched(committer.clone()),
        });
    }
    let window = Arc::new(Window::open(warm_up, measured));
    let mut running = JoinSet::new();
    for (caller, way) in (0..).zip(ways) {
        running.spawn(call(Arc::clone(&window), way, traffic, batch, caller));
    }
    window.warmed_up().await;
    // While all connections are open: the time of one that ends is nobody's for a moment.
    let before = (processes::own(), postgres());
    window.over().await;
    let (cpu, postgres) = (processes::own() - before.0, postgres() - before.1);
    let (mut driven, mut latencies) =
        (Driven { cpu, postgres, seconds: window.seconds(), ..Driven::default() }, Latencies::default());
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while let Some(caller) = tokio::time::timeout_at(deadline, running.join_next()).await? {
        let (counts, own) = caller??;
        driven.placed += counts.placed;
        driven.refused += counts.refused;
        driven.all_placed += counts.all_placed;
        latencies.merge(own);
    }
    driven.latency = latencies.summary();
    Ok(driven)
}

async fn call(
    window: Arc<Window>,
    mut way: Way,
    traffic: Traffic,
    batch: u32,
    caller: u64,
) -> anyhow::Result<(Driven, Latencies)> {
    let (mut chance, mut driven, mut latencies) =
        (Chance::new(caller), Driven::default(), Latencies::default());
    let mut number = caller << 32;
    while !window.is_over() {
        number += 1;
        let first = traffic.first_product(batch).unwrap_or_else(|| chance.below(PRODUCTS));
        let second = (first + 1 + chance.below(PRODUCTS - 1)) % PRODUCTS;
        let line = |product: u32| Line { product: product.cast_signed(), quantity: 1 };
        let purchase = Purchase {
            key: ids::token(batch, number),
            email: "buyer@bench.example".to_owned(),
            lines: vec![line(first), line(second)],
        };
        let begun = Instant::now();
        let outcome = way.place(purchase).await?;
        let counts = window.counts();
        match outcome {
            Outcome::Placed(_) => {
                driven.all_placed += 1;
                driven.placed += u64::from(counts);
            }
            Outcome::SoldOut => driven.refused += u64::from(counts),
            Outcome::Duplicate => anyhow::bail!("a key was used twice"),
        }
        if counts {
            latencies.record(begun.elapsed());
        }
    }
    Ok((driven, latencies))
}
