//! `bench checkout`: how many purchases a second, how fast, and at what cost; beside what PostgreSQL gives without Souk.

mod floor_runs;
pub(crate) mod report;
mod souk_runs;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::latency::Summary;
use crate::load::{Load, Target};
use crate::metrics::ByQueue;
use crate::stage::{Place, Stage};
use crate::traffic::Traffic;
use crate::{audit, prepare};

use report::facts;
pub(crate) use souk_runs::{Souk, quiet};

/// What to measure.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    times: Times,
    /// Numbers of connections
    #[arg(long, value_delimiter = ',', default_value = "32,256,1000,5000")]
    connections: Vec<usize>,
    /// How the demand is spread
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = [Traffic::Uniform, Traffic::Hot, Traffic::SoldOut])]
    traffic: Vec<Traffic>,
    /// Which checkout of Souk
    #[arg(long, value_enum, default_value_t = Api::V1)]
    api: Api,
    /// Leave the comparison designs out
    #[arg(long)]
    no_floor: bool,
    /// Measure the comparison designs alone
    #[arg(long, conflicts_with = "no_floor")]
    only_floor: bool,
    /// Also write all numbers to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// How long each run takes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Times {
    /// Seconds measured
    #[arg(long, value_name = "SECONDS", default_value_t = 8.0)]
    seconds: f64,
    /// Seconds before that
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    warm_up: f64,
    /// Runs of each kind; the one in the middle is told
    #[arg(long, value_name = "TIMES", default_value_t = 1)]
    repeat: u32,
}

impl Times {
    /// All of a run.
    pub(crate) fn lasts(self) -> Duration {
        Duration::from_secs_f64(self.warm_up + self.seconds)
    }

    /// How many runs a measurement takes, the first glance among them.
    pub(crate) fn runs(self) -> u32 {
        self.repeat + 1
    }

    /// Long enough to see roughly how fast something is.
    pub(crate) fn glance() -> Self {
        Self { seconds: 3.0, warm_up: 1.0, repeat: 1 }
    }
}

/// Which checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
pub(crate) enum Api {
    /// Waits for the end of the purchase
    V1,
    /// Answers when the order is safe
    V2,
}

impl Api {
    pub(crate) fn target(self) -> Target {
        match self {
            Self::V1 => Target::V1,
            Self::V2 => Target::V2,
        }
    }
}

/// What was measured in one run.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Row {
    /// Which design, or Souk.
    pub(crate) what: String,
    pub(crate) traffic: &'static str,
    /// Connections, or callers of what has none.
    pub(crate) connections: usize,
    /// Orders that were accepted each second; when selling out, answers.
    pub(crate) per_second: f64,
    /// Orders that came to an end each second, where that is another number.
    pub(crate) settled_per_second: Option<f64>,
    pub(crate) latency: Summary,
    /// Answers that should not be.
    pub(crate) errors: u64,
    /// Mean batch sizes, and milliseconds waited and served, by queue.
    pub(crate) batch_size: ByQueue,
    pub(crate) batch_wait: ByQueue,
    pub(crate) batch_service: ByQueue,
    /// CPU time for each order, in microseconds.
    pub(crate) server_cpu: f64,
    pub(crate) postgres_cpu: f64,
    pub(crate) generator_cpu: f64,
    /// Seconds until all that the run left behind was done.
    pub(crate) quiet_after: f64,
    pub(crate) notes: Vec<String>,
}

/// Runs the bench; the exit code says whether the books were right.
pub(crate) async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let stage = Stage::set_up(&options.place).await?;
    let facts = facts(&stage).await?;
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    if !options.no_floor {
        rows.extend(floor_runs::run(&stage, options).await?);
        report::floor(&rows);
    }
    if !options.only_floor {
        prepare::catalogue(&stage.pool).await?;
        stage.settle().await?;
        let mut souk = Souk::start(&stage, options.api, 0).await?;
        for traffic in &options.traffic {
            for connections in &options.connections {
                rows.push(souk.measure(*traffic, *connections, options.times).await?);
            }
        }
        wrong = souk.stop().await?;
        report::souk(&rows);
        report::ratios(&rows);
        audit::verify(&stage, &mut wrong).await?;
    }
    report::write(options.json.as_deref(), "checkout", &facts, &rows, &wrong)?;
    stage.tear_down().await?;
    Ok(report::verdict(&wrong))
}

/// What every load of this bench has in common.
fn load(target: Target, traffic: Traffic, connections: usize, times: Times) -> Load {
    Load {
        address: ([127, 0, 0, 1], 0).into(),
        target,
        traffic,
        connections,
        warm_up: times.warm_up,
        measured: times.seconds,
        batch: 0,
        supply: u64::MAX,
    }
}
