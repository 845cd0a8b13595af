//! `bench journey`: shoppers who look around, fill a basket and buy it, as many at a time as a busy day has.

mod shopper;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use self::shopper::Shopper;
use crate::audit::{self, Books};
use crate::checkout::{quiet, report};
use crate::latency::{Latencies, Summary};
use crate::load::{Answers, number, per};
use crate::stage::{Place, Server, Stage};
use crate::table::{Table, milliseconds, thousands};
use crate::window::{PATIENCE, Window};
use crate::{generator, prepare, processes};

/// After the last shopper has come in.
const WARM_UP: f64 = 2.0;

/// What to measure.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: Place,
    /// Numbers of shoppers
    #[arg(long, value_delimiter = ',', default_value = "200,300,600,1000,5000")]
    users: Vec<u32>,
    /// Seconds measured for each
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    seconds: f64,
    /// Seconds in which the shoppers come in
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    ramp_up: f64,
    /// Also write all numbers to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What to generate.
#[derive(Clone, Debug, Args)]
pub(crate) struct Shop {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    users: u32,
    /// Seconds.
    #[arg(long)]
    ramp_up: f64,
    /// Seconds.
    #[arg(long)]
    measured: f64,
    /// Tells these shoppers from those of other runs.
    #[arg(long)]
    batch: u32,
}

/// What the generator tells.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Report {
    seconds: f64,
    counted: Answers,
    latency: Summary,
    checkout: Summary,
    bought: u64,
    all_checkouts: Answers,
    cpu: f64,
    first_failure: Option<String>,
}

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
struct Row {
    users: u32,
    report: Report,
    /// CPU time for each request, in microseconds.
    server_cpu: f64,
    postgres_cpu: f64,
}

impl Row {
    fn requests(&self) -> u64 {
        let counted = &self.report.counted;
        counted.accepted + counted.refused + counted.failures()
    }

    fn errors(&self) -> u64 {
        self.report.counted.refused + self.report.counted.failures()
    }
}

/// Runs the bench; the exit code says whether the books were right.
pub(crate) async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let stage = Stage::set_up(&options.place).await?;
    let facts = report::facts(&stage).await?;
    prepare::catalogue(&stage.pool).await?;
    stage.settle().await?;
    let server = Server::start(&stage).await?;
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    let from = platform::Sources::system().id::<()>().uuid();
    for (batch, &users) in (0..).zip(&options.users) {
        let books = Books::read(&stage.pool, from).await?;
        let row = once(&stage, &server, options, users, batch).await?;
        quiet(&stage, &server).await?;
        let found =
            Books::read(&stage.pool, from).await?.check_since(&books, &row.report.all_checkouts, true);
        wrong.extend(found.into_iter().map(|what| format!("{users} users: {what}")));
        eprintln!("  {users} users: {:.0} requests/s", number(row.requests()) / row.report.seconds);
        rows.push(row);
    }
    server.stop().await?;
    print(&rows);
    audit::verify(&stage, &mut wrong).await?;
    report::write(options.json.as_deref(), "journey", &facts, &rows, &wrong)?;
    stage.tear_down().await?;
    Ok(report::verdict(&wrong))
}

async fn once(
    stage: &Stage,
    server: &Server,
    options: &Options,
    users: u32,
    batch: u32,
) -> anyhow::Result<Row> {
    let arguments = [
        ("--address", server.address.to_string()),
        ("--users", users.to_string()),
        ("--ramp-up", options.ramp_up.to_string()),
        ("--measured", options.seconds.to_string()),
        ("--batch", batch.to_string()),
    ];
    let arguments = arguments.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect();
    let lasts = Duration::from_secs_f64(options.ramp_up + WARM_UP + options.seconds);
    let look = || async { anyhow::Ok((server.cpu(), stage.cpu())) };
    let (report, before, after): (Report, _, _) = generator::run("shop", arguments, lasts, look).await?;
    let mut row = Row { users, report, server_cpu: 0.0, postgres_cpu: 0.0 };
    row.server_cpu = (after.0 - before.0) * 1e6 / per(row.requests());
    row.postgres_cpu = (after.1 - before.1) * 1e6 / per(row.requests());
    Ok(row)
}

/// Sends the shoppers; says `begin` and `end` when the time that counts does, and then the report.
pub(crate) async fn shop(shop: Shop) -> anyhow::Result<()> {
    let seconds = Duration::from_secs_f64;
    let window = Arc::new(Window::open(seconds(shop.ramp_up + WARM_UP), seconds(shop.measured)));
    let mut shoppers = JoinSet::new();
    for number in 0..shop.users {
        let comes_in = seconds(shop.ramp_up) * number / shop.users.max(1);
        let shopper = Shopper::new(u64::from(shop.batch) << 32 | u64::from(number), shop.address);
        let window = Arc::clone(&window);
        shoppers.spawn(async move {
            tokio::time::sleep(comes_in).await;
            shopper.shop(&window).await
        });
    }
    window.warmed_up().await;
    println!("begin");
    let cpu = processes::own();
    window.over().await;
    println!("end");
    let cpu = processes::own() - cpu;
    let mut report = Report { cpu, seconds: window.seconds(), ..Report::default() };
    let (mut latencies, mut checkouts) = (Latencies::default(), Latencies::default());
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while let Ok(Some(met)) = tokio::time::timeout_at(deadline, shoppers.join_next()).await {
        let met = met?;
        report.counted.add(met.counted);
        report.all_checkouts.add(met.all_checkouts);
        report.bought += met.bought;
        report.first_failure = report.first_failure.or(met.first_failure);
        latencies.merge(met.latencies);
        checkouts.merge(met.checkouts);
    }
    (0..shoppers.len()).for_each(|_| report.counted.fail("unanswered".to_owned()));
    (report.latency, report.checkout) = (latencies.summary(), checkouts.summary());
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn print(rows: &[Row]) {
    println!("Shoppers who think 1-3 s between requests, 80 % reads, 20 % writes (CPU per request):\n");
    let mut table = Table::new(&[
        "users",
        "requests/s",
        "errors",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "checkouts",
        "succeeded",
        "checkout p95 ms",
        "server µs",
        "postgres µs",
    ]);
    for row in rows {
        let report = &row.report;
        let percent = |part: u64, all: u64| format!("{:.1} %", number(part) / per(all) * 100.0);
        let tried = u64::try_from(report.checkout.count).unwrap_or(u64::MAX);
        table.row([
            thousands(f64::from(row.users)),
            thousands(number(row.requests()) / report.seconds),
            percent(row.errors(), row.requests()),
            milliseconds(report.latency.p50),
            milliseconds(report.latency.p95),
            milliseconds(report.latency.p99),
            thousands(number(tried)),
            percent(report.bought, tried),
            milliseconds(report.checkout.p95),
            thousands(row.server_cpu),
            thousands(row.postgres_cpu),
        ]);
    }
    // Nothing else of it was published.
    let published =
        ["1,000: a Rails system, as published", "404", "22.9 %", "-", "3,310", "-", "-", "78.0 %"];
    let unknown = ["-"; 3];
    table.row(published.into_iter().chain(unknown).map(ToOwned::to_owned));
    println!("{}", table.text());
    for row in rows {
        if let Some(failure) = &row.report.first_failure {
            println!("  {} users: {:?}, such as {failure}", row.users, row.report.counted.failed);
        }
    }
}
