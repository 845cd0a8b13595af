//! `souk serve`: everything in one process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use api::ops::{Check, Operations};
use api::{Api, Settings};
use async_trait::async_trait;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use platform::limits::{self, InProcess, Limiter, Redis, Shared};
use platform::schedule::Recurring;
use platform::{migrate, outbox, schedule};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::app::{self, App};
use crate::config::Config;
use crate::demo::{self, people};
use crate::session::Session;

/// How long requests in flight may take once Souk is told to stop.
const GRACE: Duration = Duration::from_secs(30);
/// How long WebSockets may take to say goodbye.
const SOCKET_GRACE: Duration = Duration::from_secs(3);
/// How long requests to the operations port may take at the very end.
const OPS_GRACE: Duration = Duration::from_secs(1);
/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

pub(crate) async fn serve(config: Config, demo: bool) -> anyhow::Result<()> {
    platform::telemetry::init(config.log_format, &config.log_filter)?;
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?
        .install_recorder()?;
    describe_metrics();
    // Taken first: a port that is in use is told before anything is started.
    let listener = bind(config.listen, "listen").await?;
    let ops_listener = bind(config.ops_listen, "ops_listen").await?;

    let session = Session::own(&config).await?;
    let outcome = run(&session, &config, demo, listener, ops_listener, metrics).await;
    session.close().await?;
    outcome
}

async fn bind(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("can not listen on {address} ({key})"))
}

async fn run(
    session: &Session,
    config: &Config,
    demo: bool,
    listener: TcpListener,
    ops_listener: TcpListener,
    metrics: PrometheusHandle,
) -> anyhow::Result<()> {
    let app = &session.app;
    let media = config.data_dir.join("media");
    if demo {
        demo::fill_if_empty(app, &media).await.context("could not fill in the demo data")?;
    }
    if config.smtp_url.is_none() && !demo {
        tracing::warn!("there is no smtp_url: mails are kept for a while and go nowhere");
    }
    let (stop, stop_ops) = (CancellationToken::new(), CancellationToken::new());
    let (limiter, tidy) = limiter(config, app).await?;
    let background = start_background(app, tidy, &stop);
    let settings = Settings {
        public_url: config.public_url()?,
        ops_url: Url::parse(&format!("http://{}", ops_listener.local_addr()?))?,
        demo,
        cache_bytes: config.cache_bytes,
        media,
        trusted_proxies: config.trusted_proxies.clone(),
        limiter,
    };
    let api = Api::new(app.modules(), settings.clone()).ending_with(stop.clone());
    let router = api::router(api.clone());
    let operations = Arc::new(Node { app: app.clone(), metrics, stop: stop.clone() });
    let ops = api::ops::router(operations);
    let mut public = tokio::spawn(api::serve(listener, router, stop.clone().cancelled_owned()));
    // It goes on to tell how Souk is while the public port finishes what it has.
    let mut ops = tokio::spawn(api::serve(ops_listener, ops, stop_ops.clone().cancelled_owned()));
    greet(&settings);

    let ended = tokio::select! {
        served = &mut public => served?.context("the server failed"),
        served = &mut ops => served?.context("the server of the operations port failed"),
        () = asked_to_stop() => Ok(()),
        () = session.cluster_exited() => Err(anyhow::anyhow!("the embedded PostgreSQL ended unexpectedly")),
    };
    tracing::info!("stopping: no new requests are taken, those in flight are finished");
    stop.cancel();
    app.waiting_room.close();
    if ended.is_ok() {
        tokio::select! {
            finished = tokio::time::timeout(GRACE, &mut public) => {
                if finished.is_err() {
                    tracing::warn!("some requests did not finish in time");
                }
            }
            () = asked_to_stop() => tracing::warn!("stopping at once"),
        }
    }
    public.abort();
    if tokio::time::timeout(SOCKET_GRACE, api.sockets_closed()).await.is_err() {
        tracing::warn!("some WebSockets did not close in time");
    }
    background.wait().await;
    app.orders.drain().await;
    stop_ops.cancel();
    if tokio::time::timeout(OPS_GRACE, &mut ops).await.is_err() {
        ops.abort();
    }
    tracing::info!("stopped");
    ended
}

/// What counts requests, if anything does, and the work that keeps it small.
async fn limiter(
    config: &Config,
    app: &App,
) -> anyhow::Result<(Option<Arc<dyn Limiter>>, Option<Arc<dyn Recurring>>)> {
    if !config.rate_limits {
        return Ok((None, None));
    }
    let local = Arc::new(InProcess::new(app.sources.clone()));
    let tidy = Arc::new(limits::Tidy(Arc::clone(&local)));
    let limiter: Arc<dyn Limiter> = match &config.redis_url {
        Some(url) => {
            let secret = config.vault(&app.sources)?.derive("limits");
            let redis = Redis::open(url.expose(), secret).await.context("redis_url")?;
            Arc::new(Shared::new(redis, local))
        }
        None => local,
    };
    Ok((Some(limiter), Some(tidy)))
}

/// Starts what runs beside the requests; all of it ends with `stop`.
fn start_background(app: &App, tidy: Option<Arc<dyn Recurring>>, stop: &CancellationToken) -> TaskTracker {
    let tasks = TaskTracker::new();
    let (changes, pool) = (Arc::clone(app.database.changes()), app.database.lists().clone());
    let listening = stop.clone();
    tasks.spawn(async move { changes.listen(pool, listening).await });
    let (dispatcher, dispatching) = (app.dispatcher(), stop.clone());
    tasks.spawn(async move { dispatcher.run(dispatching).await });
    for work in app.recurring().into_iter().chain(tidy) {
        tasks.spawn(schedule::run(work, stop.clone()));
    }
    tasks.close();
    tasks
}

/// Waits for Ctrl-C or a polite kill.
async fn asked_to_stop() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Says in `/metrics` what each metric is.
fn describe_metrics() {
    use metrics::Unit::{Count, Seconds};
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!("souk_http_requests_total", Count, "Requests answered");
    describe_histogram!(
        "souk_http_request_seconds",
        Seconds,
        "Time from a request's head to its answer's head"
    );
    describe_counter!(
        "souk_answer_cache_total",
        Count,
        "Catalogue reads by whether a finished answer was there"
    );
    describe_counter!("souk_rate_limited_total", Count, "Requests refused for their number, by bucket");
    describe_counter!(
        "souk_rate_limiter_fallback_total",
        Count,
        "Requests that this node counted alone since Redis did not answer"
    );
    describe_gauge!("souk_realtime_connections", Count, "Open streams and WebSockets, by kind");
    describe_counter!("souk_waiting_room_places_total", Count, "Places in line that were given");
    describe_counter!("souk_waiting_room_admitted_total", Count, "Buyers who were let in from a line");
    describe_counter!("souk_orders_placed_total", Count, "Orders written");
    describe_counter!("souk_orders_settled_total", Count, "Orders that came out of pending, by state");
    describe_counter!(
        "souk_orders_recovery_failures_total",
        Count,
        "Orders that recovery could not carry on yet"
    );
    describe_counter!("souk_recurring_done_total", Count, "Things that recurring work has done");
    describe_counter!("souk_recurring_failures_total", Count, "Rounds of recurring work that failed");
    describe_counter!("souk_mails_total", Count, "Attempts to send a mail, by outcome");
    describe_gauge!("souk_database_connections", Count, "Open connections to PostgreSQL");
    describe_gauge!("souk_database_connections_idle", Count, "Open connections that nobody uses");
    describe_gauge!("souk_outbox_events", Count, "Events that wait in the outbox");
    describe_gauge!("souk_outbox_failing_events", Count, "Those of them whose handlers failed");
    describe_gauge!(
        "souk_outbox_oldest_seconds",
        Seconds,
        "Age of the oldest event that nobody has tried yet"
    );
}

/// Says where everything is.
fn greet(settings: &Settings) {
    let (base, ops) =
        (settings.public_url.as_str().trim_end_matches('/'), settings.ops_url.as_str().trim_end_matches('/'));
    let mails = if settings.demo { format!("\n    Caught mails     {base}/dev/mail") } else { String::new() };
    println!(
        "
  Souk is open.

    Front page       {base}/
    API reference    {base}/docs
    Products         {base}/api/v1/products
    Health           {ops}/readyz
    Metrics          {ops}/metrics{mails}

  Try:  curl -s '{base}/api/v1/products?per_page=1'
        the README's tour buys something; `souk verify` checks the books.
  Stop: Ctrl-C
"
    );
    if settings.demo {
        println!(
            "  Sign in as {} (buys), kiln-and-kin@demo.example (sells) or {} (runs the
  marketplace), all with the password: {}
",
            people::BUYER,
            people::OPERATOR,
            people::PASSWORD
        );
    }
}

fn amount(count: i64) -> f64 {
    f64::from(i32::try_from(count).unwrap_or(i32::MAX))
}

/// What the operations port tells of this node.
struct Node {
    app: App,
    metrics: PrometheusHandle,
    stop: CancellationToken,
}

#[async_trait]
impl Operations for Node {
    async fn checks(&self) -> Vec<Check> {
        let pool = self.app.database.pool();
        let current = migrate::is_current(pool, &app::migrations()).await;
        let database = Check {
            name: "database",
            ok: current.is_ok(),
            message: current.as_ref().map_or_else(ToString::to_string, |_| "answers".to_owned()),
        };
        let current = current.unwrap_or(false);
        let migrations = Check {
            name: "migrations",
            ok: current,
            message: if current { "all applied" } else { "not all applied" }.to_owned(),
        };
        let queue = match outbox::backlog(&self.app.database, self.app.sources.now()).await {
            // One that no handler takes is tried again for hours: an alert's matter, not a reason to turn buyers away.
            Ok(backlog) => Check {
                name: "queue",
                ok: backlog.oldest_fresh < time::Duration::minutes(5),
                message: format!(
                    "{} events wait, the oldest for {} s; {} failed and are tried again",
                    backlog.fresh,
                    backlog.oldest_fresh.whole_seconds(),
                    backlog.failing
                ),
            },
            Err(error) => Check { name: "queue", ok: false, message: error.to_string() },
        };
        let stopping = self.stop.is_cancelled();
        let process = Check {
            name: "process",
            ok: !stopping,
            message: if stopping { "stopping" } else { "serving" }.to_owned(),
        };
        vec![database, migrations, queue, process]
    }

    async fn metrics(&self) -> String {
        let database = &self.app.database;
        for (name, pool) in [("keys", database.pool()), ("lists", database.lists())] {
            metrics::gauge!("souk_database_connections", "pool" => name).set(f64::from(pool.size()));
            metrics::gauge!("souk_database_connections_idle", "pool" => name)
                .set(f64::from(u32::try_from(pool.num_idle()).unwrap_or(u32::MAX)));
        }
        if let Ok(backlog) = outbox::backlog(&self.app.database, self.app.sources.now()).await {
            metrics::gauge!("souk_outbox_events").set(amount(backlog.fresh + backlog.failing));
            metrics::gauge!("souk_outbox_failing_events").set(amount(backlog.failing));
            metrics::gauge!("souk_outbox_oldest_seconds").set(backlog.oldest_fresh.as_seconds_f64());
        }
        self.metrics.render()
    }
}
