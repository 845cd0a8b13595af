//! The generator of checkouts: a process of its own, in which each connection asks again when it is answered.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::http::Connection;
use crate::ids::{self, Chance, PRODUCTS};
use crate::latency::{Latencies, Summary};
use crate::processes;
use crate::traffic::Traffic;
use crate::window::{PATIENCE, Window};

/// Connections opened at a time, so that no listener's queue is full.
const OPENED_AT_ONCE: usize = 64;
/// What every buyer sends.
pub(crate) const BODY: &str = r#"{"email":"buyer@bench.example","shipping_address":{"name":"Bench Buyer","line1":"1 Loopback Road","city":"London","postal_code":"SW1Y 4JH","country":"GB"},"payment":{"token":"tok_visa"}}"#;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// Souk's checkout that waits for the end of the purchase.
    V1,
    /// Souk's checkout that answers when the order is safe.
    V2,
    /// The floor behind HTTP.
    Floor,
}

/// What to generate.
#[derive(Clone, Debug, Args)]
pub(crate) struct Load {
    #[arg(long)]
    pub(crate) address: SocketAddr,
    #[arg(long, value_enum)]
    pub(crate) target: Target,
    #[arg(long, value_enum)]
    pub(crate) traffic: Traffic,
    #[arg(long)]
    pub(crate) connections: usize,
    /// Seconds.
    #[arg(long)]
    pub(crate) warm_up: f64,
    /// Seconds.
    #[arg(long)]
    pub(crate) measured: f64,
    /// Which carts.
    #[arg(long)]
    pub(crate) batch: u32,
    /// How many carts there are.
    #[arg(long)]
    pub(crate) supply: u64,
}

impl Load {
    /// The arguments that say so.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let name = |value: Option<clap::builder::PossibleValue>| {
            value.map(|value| value.get_name().to_owned()).unwrap_or_default()
        };
        [
            ("--address", self.address.to_string()),
            ("--target", name(self.target.to_possible_value())),
            ("--traffic", name(self.traffic.to_possible_value())),
            ("--connections", self.connections.to_string()),
            ("--warm-up", self.warm_up.to_string()),
            ("--measured", self.measured.to_string()),
            ("--batch", self.batch.to_string()),
            ("--supply", self.supply.to_string()),
        ]
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect()
    }

    fn request(&self, number: u64, chance: &mut Chance, into: &mut String) -> std::fmt::Result {
        into.clear();
        let (address, token) = (self.address, ids::token(self.batch, number));
        let path = match self.target {
            Target::V1 => "/api/v1/shopping_basket/checkout",
            Target::V2 => "/api/v2/shopping_basket/checkout",
            Target::Floor => {
                let first = self.traffic.first_product(self.batch).unwrap_or_else(|| chance.below(PRODUCTS));
                let second = (first + 1 + chance.below(PRODUCTS - 1)) % PRODUCTS;
                let body = format!(
                    r#"{{"key":"{token}","email":"buyer@bench.example","lines":[{{"product":{first},"quantity":1}},{{"product":{second},"quantity":1}}]}}"#
                );
                let length = body.len();
                return write!(
                    into,
                    "POST /checkout HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
                );
            }
        };
        let length = BODY.len();
        write!(
            into,
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nX-Cart-Token: {token}\r\nIdempotency-Key: {token}\r\nContent-Length: {length}\r\n\r\n{BODY}"
        )
    }
}

/// How many answers of which kind there were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answers {
    /// 2xx.
    pub(crate) accepted: u64,
    /// 409.
    pub(crate) refused: u64,
    /// All others, by status or what befell the connection.
    pub(crate) failed: BTreeMap<String, u64>,
}

impl Answers {
    /// All that is neither accepted nor refused.
    pub(crate) fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Takes one in.
    pub(crate) fn count(&mut self, status: u16) {
        match status {
            200..=299 => self.accepted += 1,
            409 => self.refused += 1,
            other => self.fail(other.to_string()),
        }
    }

    /// Takes one in that is a failure.
    pub(crate) fn fail(&mut self, how: String) {
        *self.failed.entry(how).or_default() += 1;
    }

    /// Takes in all of another.
    pub(crate) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        for (how, count) in other.failed {
            *self.failed.entry(how).or_default() += count;
        }
    }
}

/// What a generator tells at its end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Seconds that counted.
    pub(crate) seconds: f64,
    /// Answers in that time.
    pub(crate) counted: Answers,
    /// All answers, also of the warm-up and of what was under way at the end.
    pub(crate) all: Answers,
    /// Of the answers in that time that were accepted or refused.
    pub(crate) latency: Summary,
    /// Its own CPU time for each answer, in microseconds.
    pub(crate) cpu_micros: f64,
    /// Whether it ran out of carts.
    pub(crate) exhausted: bool,
    /// The first answer that was a failure.
    pub(crate) first_failure: Option<String>,
}

struct Run {
    load: Load,
    window: Window,
    next: AtomicU64,
}

/// Generates; says `begin` and `end` when the time that counts does, and then the report.
pub(crate) async fn generate(load: Load) -> anyhow::Result<()> {
    let connections = open(&load).await?;
    let seconds = Duration::from_secs_f64;
    let window = Window::open(seconds(load.warm_up), seconds(load.measured));
    let run = Arc::new(Run { load, window, next: AtomicU64::new(0) });
    let mut callers = JoinSet::new();
    for (number, connection) in (0..).zip(connections) {
        callers.spawn(call(Arc::clone(&run), number, connection));
    }
    run.window.warmed_up().await;
    println!("begin");
    let cpu = processes::own();
    run.window.over().await;
    println!("end");
    let cpu = processes::own() - cpu;

    let (mut report, mut latencies) = (Report::default(), Latencies::default());
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while let Ok(Some(caller)) = tokio::time::timeout_at(deadline, callers.join_next()).await {
        let caller = caller?;
        report.counted.add(caller.counted);
        report.all.add(caller.all);
        latencies.merge(caller.latencies);
        report.first_failure = report.first_failure.or(caller.first_failure);
    }
    (0..callers.len()).for_each(|_| report.all.fail("unanswered".to_owned()));
    report.seconds = run.window.seconds();
    report.latency = latencies.summary();
    report.exhausted = run.next.load(Ordering::Relaxed) >= run.load.supply;
    let answered = report.counted.accepted + report.counted.refused + report.counted.failures();
    report.cpu_micros = cpu * 1e6 / per(answered);
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

async fn open(load: &Load) -> anyhow::Result<Vec<Connection>> {
    let mut connections = Vec::with_capacity(load.connections);
    while connections.len() < load.connections {
        let more = OPENED_AT_ONCE.min(load.connections - connections.len());
        let opening: JoinSet<_> = (0..more).map(|_| Connection::open(load.address)).collect();
        connections.extend(opening.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?);
    }
    Ok(connections)
}

/// A count as a number to calculate with.
pub(crate) fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// A count as a number to divide by.
pub(crate) fn per(count: u64) -> f64 {
    number(count).max(1.0)
}

#[derive(Default)]
struct Caller {
    counted: Answers,
    all: Answers,
    latencies: Latencies,
    first_failure: Option<String>,
}

/// One connection, from the first checkout to the last.
async fn call(run: Arc<Run>, seed: u64, mut connection: Connection) -> Caller {
    let (mut caller, mut chance, mut request) = (Caller::default(), Chance::new(seed), String::new());
    while !run.window.is_over() {
        let number = run.next.fetch_add(1, Ordering::Relaxed);
        if number >= run.load.supply {
            run.window.cut();
            break;
        }
        run.load.request(number, &mut chance, &mut request).expect("a text takes all");
        let begun = Instant::now();
        let mut answers = Answers::default();
        let mut is_broken = false;
        match connection.send(request.as_bytes()).await {
            Ok(answer) => {
                answers.count(answer.status);
                if answers.failures() > 0 && caller.first_failure.is_none() {
                    let body = String::from_utf8_lossy(answer.body);
                    caller.first_failure = Some(format!("{}: {body}", answer.status));
                }
            }
            Err(error) => {
                answers.fail(error.kind().to_string());
                is_broken = true;
            }
        }
        if run.window.counts() {
            if answers.failures() == 0 {
                caller.latencies.record(begun.elapsed());
            }
            caller.counted.add(answers.clone());
        }
        caller.all.add(answers);
        if is_broken {
            // Not at once: it would be asked in a circle while it is down.
            tokio::time::sleep(Duration::from_millis(100)).await;
            match Connection::open(run.load.address).await {
                Ok(again) => connection = again,
                Err(_) => break,
            }
        }
    }
    caller
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(target: Target) -> Load {
        let address = "127.0.0.1:80".parse().unwrap();
        let traffic = Traffic::Hot;
        Load { address, target, traffic, connections: 1, warm_up: 0.0, measured: 1.0, batch: 3, supply: 1 }
    }

    #[test]
    fn requests_say_how_long_they_are() {
        for target in [Target::V1, Target::V2, Target::Floor] {
            let mut request = String::new();
            load(target).request(7, &mut Chance::new(0), &mut request).unwrap();
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}", body.len())), "{request}");
            assert!(request.contains("bench-3-7"), "{request}");
            serde_json::from_str::<serde_json::Value>(body).unwrap();
        }
    }

    #[test]
    fn answers_are_of_three_kinds() {
        let mut answers = Answers::default();
        [200, 201, 202, 409, 500, 500, 429].into_iter().for_each(|status| answers.count(status));
        assert_eq!((answers.accepted, answers.refused, answers.failures()), (3, 1, 3));
        assert_eq!(answers.failed["500"], 2);
        let mut sum = answers.clone();
        sum.add(answers);
        assert_eq!((sum.accepted, sum.refused, sum.failed["429"]), (6, 2, 2));
    }

    /// What is said on the command line is understood there.
    #[test]
    fn arguments_come_through() {
        use clap::{Args, FromArgMatches};
        let load = load(Target::Floor);
        let command = Load::augment_args(clap::Command::new("load").no_binary_name(true));
        let read = Load::from_arg_matches(&command.try_get_matches_from(load.arguments()).unwrap()).unwrap();
        assert_eq!(format!("{read:?}"), format!("{load:?}"));
    }
}
