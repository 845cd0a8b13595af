//! `bench growth`: whether a purchase costs the same when millions of orders are in the tables.

mod fill;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use crate::checkout::{Api, Row, Souk, Times, report};
use crate::load::number;
use crate::stage::{Place, Stage};
use crate::table::{Table, milliseconds, thousands};
use crate::traffic::Traffic;
use crate::{audit, prepare};

/// Below that share of the rate without orders, the target is missed.
const TARGET: f64 = 85.0;

/// What to measure.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    times: Times,
    /// Orders to be put into the tables
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    orders: u64,
    /// Connections
    #[arg(long, default_value_t = 256)]
    connections: usize,
    /// Which checkout of Souk
    #[arg(long, value_enum, default_value_t = Api::V1)]
    api: Api,
    /// Also write all numbers to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the bench; the exit code says whether the books were right.
pub(crate) async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let stage = Stage::set_up(&options.place).await?;
    let facts = report::facts(&stage).await?;
    prepare::catalogue(&stage.pool).await?;
    let mut wrong = Vec::new();
    let without = measure(&stage, options, 0, &mut wrong).await?;
    let begun = Instant::now();
    fill::fill(&stage.pool, options.orders).await?;
    eprintln!("  writing all to disk");
    let with = measure(&stage, options, options.times.runs(), &mut wrong).await?;
    eprintln!("  filled and measured after {:.0} s", begun.elapsed().as_secs_f64());

    let mut table = Table::new(&[
        "orders in the tables",
        "orders/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "errors",
        "server µs",
        "postgres µs",
    ]);
    for (orders, row) in [(0, &without), (options.orders, &with)] {
        table.row([
            thousands(number(orders)),
            thousands(row.per_second),
            milliseconds(row.latency.p50),
            milliseconds(row.latency.p95),
            milliseconds(row.latency.p99),
            row.errors.to_string(),
            thousands(row.server_cpu),
            thousands(row.postgres_cpu),
        ]);
    }
    let share = with.per_second / without.per_second.max(f64::MIN_POSITIVE) * 100.0;
    println!("Uniform traffic at {} connections:\n\n{}", options.connections, table.text());
    println!("With them {share:.0} % of the rate without (the target is {TARGET:.0} %).");
    audit::verify(&stage, &mut wrong).await?;
    report::write(options.json.as_deref(), "growth", &facts, &[without, with], &wrong)?;
    stage.tear_down().await?;
    Ok(report::verdict(&wrong))
}

/// Measures with what is in the tables now, on a server that has just been started.
async fn measure(
    stage: &Stage,
    options: &Options,
    batch: u32,
    wrong: &mut Vec<String>,
) -> anyhow::Result<Row> {
    stage.settle().await?;
    let mut souk = Souk::start(stage, options.api, batch).await?;
    let row = souk.measure(Traffic::Uniform, options.connections, options.times).await?;
    wrong.extend(souk.stop().await?);
    Ok(row)
}
