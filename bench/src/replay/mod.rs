//! `bench replay`: the invoices of a real shop's year, bought and given back over the API, and compared with the file to
//! the penny.

mod books;
mod buyer;
mod catalogue;
mod client;
mod expected;
mod lines;
mod play;
mod report;
mod tally;
#[cfg(test)]
mod tests;
mod year;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use self::books::{Books, Lag};
use self::client::Client;
use self::tally::Tally;
use self::year::Year;
use crate::latency::Summary;
use crate::stage::{Place, Server, Stage};
use crate::{audit, checkout, processes};

/// Where the file is if nobody says: beside the project.
const DATA: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/online-retail/online-retail.csv.gz");
/// The longest invoice has 1,114 lines.
const CART_LINES: &str = "cart_lines=2000";
/// So many of what went wrong are printed.
const TOLD: usize = 20;

/// What to replay.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: Place,
    /// The file [default: ../shared/data/online-retail/online-retail.csv.gz beside the project]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Only the first so many invoices
    #[arg(long, value_name = "NUMBER")]
    invoices: Option<usize>,
    /// Customers at a time
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: u32,
    /// Also write all numbers to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// How it went. Times are in milliseconds or, where they say so, seconds; amounts in pennies.
#[derive(Debug, Serialize)]
struct Run {
    connections: u32,
    /// Seconds from the first request to the last answer.
    seconds: f64,
    /// Seconds from then until nothing was under way.
    rest: f64,
    logins: Summary,
    adds: Summary,
    orders: Summary,
    purchases: Summary,
    refunds: Summary,
    late_refunds: u64,
    lines: usize,
    captured: i64,
    refunded: i64,
    /// At the provider and in its fees, by the API.
    kept: i64,
    repeated: u64,
    /// CPU time in seconds.
    server_cpu: f64,
    postgres_cpu: f64,
    generator_cpu: f64,
    books: Books,
    lag: Vec<Lag>,
}

/// Runs the bench; the exit code says whether the books were right.
pub(crate) async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let data = options.data.as_deref().unwrap_or(Path::new(DATA));
    if options.data.is_none() && !data.exists() {
        println!("Nothing is replayed: {} is not there (--data FILE).", data.display());
        return Ok(ExitCode::SUCCESS);
    }
    let lines = lines::open(data)?;
    let most = options.invoices.unwrap_or(usize::MAX);
    let (year, expected) = (Arc::new(Year::of(&lines, most)), expected::of(&lines, most));
    drop(lines);
    let stage = Stage::set_up(&options.place.with(CART_LINES)).await?;
    let facts = checkout::report::facts(&stage).await?;
    report::file(&year, &expected);
    catalogue::wares(&stage.pool, &year).await?;
    catalogue::accounts(&stage, &year.customers()).await?;
    let key = catalogue::key(&stage).await?;
    stage.settle().await?;
    let server = Server::start(&stage).await?;
    let (tally, run) = play(&stage, &server, &year, options.connections, &key).await?;
    server.stop().await?;

    let mut wrong: Vec<String> = tally.wrong;
    if wrong.len() > TOLD {
        let more = format!("and {} more", wrong.len() - TOLD);
        wrong.truncate(TOLD);
        wrong.push(more);
    }
    report::speed(&run);
    wrong.extend(report::books(&year, &expected, &run));
    stage.settle().await?;
    let begun = Instant::now();
    println!("souk ledger verify:");
    if !stage.verify_ledger().await? {
        wrong.push("souk ledger verify found something wrong".to_owned());
    }
    let ledger = begun.elapsed().as_secs_f64();
    audit::verify(&stage, &mut wrong).await?;
    println!(
        "(souk ledger verify took {ledger:.1} s, souk verify {:.1} s)",
        begun.elapsed().as_secs_f64() - ledger
    );
    checkout::report::write(options.json.as_deref(), "replay", &facts, &run, &wrong)?;
    stage.tear_down().await?;
    Ok(checkout::report::verdict(&wrong))
}

async fn play(
    stage: &Stage,
    server: &Server,
    year: &Arc<Year>,
    connections: u32,
    key: &str,
) -> anyhow::Result<(Tally, Run)> {
    let mut shop = Client::new(server.address);
    books::commission(&mut shop, key).await?;
    let used = || (server.cpu(), stage.cpu(), processes::own());
    let (before, begun) = (used(), Instant::now());
    let mut tally = play::play(year, server.address, connections as usize, key).await?;
    let (after, seconds) = (used(), begun.elapsed().as_secs_f64());
    let rest = books::rest(stage, server).await?;
    let summary = |of: &mut crate::latency::Latencies| std::mem::take(of).summary();
    let run = Run {
        connections,
        seconds,
        rest,
        logins: summary(&mut tally.logins),
        adds: summary(&mut tally.adds),
        orders: summary(&mut tally.orders),
        purchases: summary(&mut tally.purchases),
        refunds: summary(&mut tally.refunds),
        late_refunds: tally.late_refunds,
        lines: tally.lines,
        captured: tally.captured,
        refunded: tally.refunded,
        kept: books::kept(&mut shop, key).await?,
        repeated: tally.repeated,
        server_cpu: after.0 - before.0,
        postgres_cpu: after.1 - before.1,
        generator_cpu: after.2 - before.2,
        books: Books::read(&stage.pool).await?,
        lag: books::lag(&stage.pool).await?,
    };
    Ok((tally, run))
}
