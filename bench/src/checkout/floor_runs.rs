//! The comparison designs, in the same PostgreSQL.

use std::time::Duration;

use super::{Options, Row, Times, load};
use crate::floor::{self, Design, Driven, Floor};
use crate::generator;
use crate::latency::middle;
use crate::load::{Report, Target, number, per};
use crate::stage::Stage;
use crate::traffic::Traffic;

/// Design and callers that drive it straight through the database driver.
const DIRECT: [(Design, usize); 3] = [(Design::Locked, 32), (Design::Batched, 32), (Design::Batched, 512)];

/// The names of the designs in tables.
pub(super) const LOCKED: &str = "A: row locks, driver";
const BATCHED: &str = "D: batches, driver";
pub(super) const BEHIND_HTTP: &str = "D: batches, axum";

pub(super) async fn run(stage: &Stage, options: &Options) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for &traffic in &options.traffic {
        for (design, callers) in DIRECT {
            let mut runs = Vec::new();
            for run in 0..options.times.repeat {
                runs.push(direct(stage, design, traffic, callers, run, options.times).await?);
            }
            rows.extend(middle(runs, |row| row.per_second));
        }
        for &connections in &options.connections {
            let mut runs = Vec::new();
            for run in 0..options.times.repeat {
                runs.push(behind_http(stage, traffic, connections, run, options.times).await?);
            }
            rows.extend(middle(runs, |row| row.per_second));
        }
    }
    floor::clean_up(&stage.pool).await?;
    Ok(rows)
}

async fn direct(
    stage: &Stage,
    design: Design,
    traffic: Traffic,
    callers: usize,
    run: u32,
    times: Times,
) -> anyhow::Result<Row> {
    floor::prepare(&stage.pool).await?;
    let seconds = Duration::from_secs_f64;
    let window = (seconds(times.warm_up), seconds(times.seconds));
    let driven =
        floor::drive(&stage.url().parse()?, design, traffic, callers, run, window, || stage.cpu()).await?;
    floor::check(&stage.pool, driven.all_placed).await?;
    let Driven { placed, refused, seconds, latency, cpu, postgres, .. } = driven;
    let answered = placed + refused;
    Ok(Row {
        what: if design == Design::Locked { LOCKED } else { BATCHED }.to_owned(),
        traffic: traffic.name(),
        connections: callers,
        per_second: number(answered) / seconds,
        latency,
        server_cpu: cpu * 1e6 / per(answered),
        postgres_cpu: postgres * 1e6 / per(answered),
        ..Row::default()
    })
}

async fn behind_http(
    stage: &Stage,
    traffic: Traffic,
    connections: usize,
    run: u32,
    times: Times,
) -> anyhow::Result<Row> {
    floor::prepare(&stage.pool).await?;
    let server = Floor::start(&stage.url()).await?;
    let mut load = load(Target::Floor, traffic, connections, times);
    load.address = server.address;
    load.batch = run;
    let look = || async { anyhow::Ok((server.cpu(), stage.cpu())) };
    let (report, before, after): (Report, _, _) =
        generator::run("load", load.arguments(), times.lasts(), look).await?;
    server.stop().await?;
    floor::check(&stage.pool, report.all.accepted).await?;
    let sold_out = traffic == Traffic::SoldOut;
    let answered = report.counted.accepted + if sold_out { report.counted.refused } else { 0 };
    Ok(Row {
        what: BEHIND_HTTP.to_owned(),
        traffic: traffic.name(),
        connections,
        per_second: number(answered) / report.seconds,
        latency: report.latency,
        errors: report.counted.failures() + if sold_out { 0 } else { report.counted.refused },
        server_cpu: (after.0 - before.0) * 1e6 / per(answered),
        postgres_cpu: (after.1 - before.1) * 1e6 / per(answered),
        generator_cpu: report.cpu_micros,
        notes: report.first_failure.into_iter().collect(),
        ..Row::default()
    })
}
