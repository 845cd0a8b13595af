//! Souk itself: `souk serve` as its own process, carts that are ready, a generator.

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{Api, Row, Times, load};
use crate::audit::{self, Books};
use crate::generator;
use crate::ids::SCARCE_UNITS;
use crate::latency::middle;
use crate::load::{Report, number};
use crate::metrics::{ByQueue, Metrics};
use crate::prepare;
use crate::stage::{Server, Stage};
use crate::traffic::Traffic;

/// The name in tables.
pub(crate) const SOUK: &str = "Souk";
/// Carts for the first glance, before anything is known.
const FIRST_CARTS: u64 = 20_000;
/// No run gets more.
const MOST_CARTS: u64 = 3_000_000;
/// A refusal takes less than an order.
const REFUSALS: f64 = 6.0;
/// How much faster than before a run may turn out.
const ROOM: f64 = 1.6;
/// How long what a run left behind may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server to be measured.
pub(crate) struct Souk<'a> {
    stage: &'a Stage,
    server: Server,
    api: Api,
    /// The next batch of carts.
    batch: u32,
    /// Orders each second, at most so far.
    fastest: f64,
    /// Orders from here on are looked at.
    from: Uuid,
    wrong: Vec<String>,
}

impl<'a> Souk<'a> {
    /// Starts it, and looks roughly how fast it is. Its carts are in batches from `batch` on, which nobody else has.
    pub(crate) async fn start(stage: &'a Stage, api: Api, batch: u32) -> anyhow::Result<Self> {
        let server = Server::start(stage).await?;
        let from = platform::Sources::system().id::<()>().uuid();
        let mut souk = Self { stage, server, api, batch, fastest: 0.0, from, wrong: Vec::new() };
        souk.once(Traffic::Uniform, 64, Times::glance(), FIRST_CARTS).await?;
        Ok(souk)
    }

    /// Measures it; repeated, the run in the middle.
    pub(crate) async fn measure(
        &mut self,
        traffic: Traffic,
        connections: usize,
        times: Times,
    ) -> anyhow::Result<Row> {
        let mut runs = Vec::new();
        for _ in 0..times.repeat {
            let more = if traffic == Traffic::SoldOut { REFUSALS } else { ROOM };
            let carts = self.fastest * times.lasts().as_secs_f64() * more;
            let carts = Duration::from_secs_f64(carts).as_secs() + 2 * u64::try_from(connections)? + 1_000;
            runs.push(self.once(traffic, connections, times, carts.min(MOST_CARTS)).await?);
        }
        middle(runs, |row| row.per_second).ok_or_else(|| anyhow::anyhow!("--repeat is at least 1"))
    }

    async fn once(
        &mut self,
        traffic: Traffic,
        connections: usize,
        times: Times,
        carts: u64,
    ) -> anyhow::Result<Row> {
        let (stage, server) = (self.stage, &self.server);
        let batch = self.batch;
        self.batch += 1;
        prepare::carts(&stage.pool, batch, carts, traffic).await?;
        let books = Books::read(&stage.pool, self.from).await?;
        let mut load = load(self.api.target(), traffic, connections, times);
        (load.address, load.batch, load.supply) = (server.address, batch, carts);
        let look = || async { anyhow::Ok((server.cpu(), stage.cpu(), server.metrics().await?)) };
        let (report, before, after): (Report, _, _) =
            generator::run("load", load.arguments(), times.lasts(), look).await?;
        let quiet_after = quiet(stage, server).await?;

        let mut row = row(traffic, connections, &report);
        let orders = row.per_second * report.seconds;
        row.server_cpu = (after.0 - before.0) * 1e6 / orders.max(1.0);
        row.postgres_cpu = (after.1 - before.1) * 1e6 / orders.max(1.0);
        row.quiet_after = quiet_after;
        row.tell_batches(&before.2, &after.2);
        if self.api == Api::V2 {
            let settled = |metrics: &Metrics| metrics.sum("souk_orders_settled_total");
            row.settled_per_second = Some((settled(&after.2) - settled(&before.2)) / report.seconds);
        }
        if traffic != Traffic::SoldOut {
            self.fastest = self.fastest.max(row.per_second);
        }
        self.audit(&books, &report, traffic, batch, connections).await?;
        eprintln!("  {} {connections}: {:.0}/s", traffic.name(), row.per_second);
        Ok(row)
    }

    /// Whether the books say what buyers were told.
    async fn audit(
        &mut self,
        before: &Books,
        report: &Report,
        traffic: Traffic,
        batch: u32,
        connections: usize,
    ) -> anyhow::Result<()> {
        let after = Books::read(&self.stage.pool, self.from).await?;
        let mut wrong = after.check_since(before, &report.all, self.api == Api::V1);
        if let (Traffic::SoldOut, Some(product)) = (traffic, traffic.first_product(batch)) {
            let (paid, left) = (after.paid_since(before), audit::left(&self.stage.pool, product).await?);
            let all_are_sold = left == 0 || (report.all.refused == 0 && self.api == Api::V1);
            if paid + left != i64::from(SCARCE_UNITS) || !all_are_sold {
                let refused = report.all.refused;
                wrong.push(format!(
                    "{paid} of {SCARCE_UNITS} units were bought, {left} are left, {refused} were refused"
                ));
            }
        }
        let named = wrong.into_iter().map(|what| format!("{} at {connections}: {what}", traffic.name()));
        self.wrong.extend(named);
        Ok(())
    }

    /// Ends the server; what was wrong with the books.
    pub(crate) async fn stop(self) -> anyhow::Result<Vec<String>> {
        self.server.stop().await?;
        Ok(self.wrong)
    }
}

fn row(traffic: Traffic, connections: usize, report: &Report) -> Row {
    let sold_out = traffic == Traffic::SoldOut;
    let refused = report.counted.refused;
    let answered = report.counted.accepted + if sold_out { refused } else { 0 };
    let mut notes: Vec<String> = report.first_failure.clone().into_iter().collect();
    if report.exhausted {
        notes.push(format!("ran out of carts after {:.1} s", report.seconds));
    }
    let failed = report.counted.failed.iter().map(|(how, count)| format!("{count} x {how}"));
    notes.extend(failed);
    Row {
        what: SOUK.to_owned(),
        traffic: traffic.name(),
        connections,
        per_second: number(answered) / report.seconds.max(0.001),
        latency: report.latency,
        errors: report.counted.failures() + if sold_out { 0 } else { refused },
        generator_cpu: report.cpu_micros,
        notes,
        ..Row::default()
    }
}

impl Row {
    fn tell_batches(&mut self, before: &Metrics, after: &Metrics) {
        let in_milliseconds =
            |means: ByQueue| means.into_iter().map(|(queue, seconds)| (queue, seconds * 1_000.0)).collect();
        self.batch_size = after.means_since(before, "souk_batch_size");
        self.batch_wait = in_milliseconds(after.means_since(before, "souk_batch_wait_seconds"));
        self.batch_service = in_milliseconds(after.means_since(before, "souk_batch_service_seconds"));
    }
}

/// Waits until no order is under way and no event waits; how long that took, in seconds.
pub(crate) async fn quiet(stage: &Stage, server: &Server) -> anyhow::Result<f64> {
    let begun = Instant::now();
    loop {
        let (orders, events) =
            (audit::under_way(&stage.pool).await?, server.metrics().await?.sum("souk_outbox_events"));
        if orders == 0 && events == 0.0 {
            return Ok(begun.elapsed().as_secs_f64());
        }
        anyhow::ensure!(begun.elapsed() < PATIENCE, "{orders} orders are under way, {events} events wait");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
