//! What is measured: PostgreSQL with the durability it has by default in a folder that is thrown away, and the
//! release build of `souk serve` on it, as its own process.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use platform::postgres::{Cluster, Options};
use rustix::process::{Pid, Signal};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::http::Connection;
use crate::metrics::Metrics;
use crate::processes;

/// Enough for the row-lock design's callers, Souk's pool and commands beside them.
const CONNECTIONS: &str = "300";
/// How long the server may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// No line for each request; nor the one that says that no mail leaves, which is as it should be.
const LOG_FILTER: &str = "warn,souk::serve=error";
/// Commits that are timed.
const COMMITS: u32 = 200;

/// Where and with what a bench runs.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// Folder on the disk to be measured; what is put there is removed
    #[arg(long, value_name = "DIR", default_value = "/tmp")]
    folder: PathBuf,
    /// The program to measure [default: `souk` beside this one]
    #[arg(long, value_name = "FILE")]
    souk: Option<PathBuf>,
    /// Folder with `postgres` and `initdb`; searched for if not given
    #[arg(long, value_name = "DIR", env = "SOUK_POSTGRES_BIN")]
    postgres_bin: Option<PathBuf>,
    /// Setting of `souk serve`, such as `database_connections=40`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

impl Place {
    /// The same with a setting of `souk serve` that the bench needs; one that was given wins.
    pub(crate) fn with(&self, setting: &str) -> Self {
        let settings = std::iter::once(setting.to_owned()).chain(self.settings.iter().cloned()).collect();
        Self { settings, ..self.clone() }
    }
}

/// A PostgreSQL for one run.
pub(crate) struct Stage {
    cluster: Cluster,
    folder: Folder,
    place: Place,
    postmaster: Option<u32>,
    /// For preparing and checking.
    pub(crate) pool: PgPool,
}

impl Stage {
    /// Starts PostgreSQL and brings Souk's tables into it.
    pub(crate) async fn set_up(place: &Place) -> anyhow::Result<Self> {
        let folder = Folder::create(&place.folder)?;
        let cluster = Cluster::start(Options {
            data_dir: folder.0.clone(),
            command: "bench".to_owned(),
            binaries: place.postgres_bin.clone(),
            settings: vec![("max_connections".to_owned(), CONNECTIONS.to_owned())],
        })
        .await?;
        let postmaster = processes::child("postgres");
        let pool = PgPoolOptions::new().max_connections(4).connect_with(cluster.connect_options()).await?;
        let stage = Self { cluster, folder, place: place.clone(), postmaster, pool };
        let migrated = stage.souk()?.arg("migrate").stdout(Stdio::null()).status().await?;
        anyhow::ensure!(migrated.success(), "souk migrate failed");
        Ok(stage)
    }

    /// The same as a `DATABASE_URL`.
    pub(crate) fn url(&self) -> String {
        self.cluster.url()
    }

    /// The folder that is thrown away.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// CPU time of PostgreSQL, with all its processes, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        self.postmaster.map_or(0.0, processes::of_tree)
    }

    /// What the numbers depend on, for the head of a report.
    pub(crate) async fn describe(&self) -> anyhow::Result<Vec<(String, String)>> {
        let mut facts = Vec::new();
        for setting in ["server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers"]
        {
            let value: String =
                sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(&self.pool).await?;
            facts.push((setting.to_owned(), value));
        }
        sqlx::raw_sql("CREATE TABLE public.commits (n bigint)").execute(&self.pool).await?;
        let begun = Instant::now();
        for _ in 0..COMMITS {
            sqlx::query("INSERT INTO public.commits VALUES (1)").execute(&self.pool).await?;
        }
        let each = begun.elapsed().as_secs_f64() * 1_000.0 / f64::from(COMMITS);
        sqlx::raw_sql("DROP TABLE public.commits").execute(&self.pool).await?;
        facts.push(("one commit".to_owned(), format!("{each:.2} ms")));
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        facts.push(("cores".to_owned(), cores.to_string()));
        Ok(facts)
    }

    /// Writes all to disk and gathers statistics, so that preparing does not go on while something is measured.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        sqlx::raw_sql("VACUUM (ANALYZE)").execute(&self.pool).await?;
        sqlx::raw_sql("CHECKPOINT").execute(&self.pool).await?;
        Ok(())
    }

    /// Runs `souk verify`, which prints what it finds; whether it is content.
    pub(crate) async fn verify(&self) -> anyhow::Result<bool> {
        Ok(self.souk()?.arg("verify").status().await?.success())
    }

    /// Runs `souk ledger verify`, which prints what it finds; whether it is content.
    pub(crate) async fn verify_ledger(&self) -> anyhow::Result<bool> {
        Ok(self.souk()?.args(["ledger", "verify"]).status().await?.success())
    }

    /// Runs a command of `souk` that reads this; what it printed.
    pub(crate) async fn command(&self, arguments: &[&str], input: &str) -> anyhow::Result<String> {
        let mut command = self.souk()?;
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("souk")?;
        child.stdin.take().context("souk has no input")?.write_all(input.as_bytes()).await?;
        let output = child.wait_with_output().await?;
        anyhow::ensure!(output.status.success(), "souk {} ended with {}", arguments.join(" "), output.status);
        Ok(String::from_utf8(output.stdout)?)
    }

    /// `souk` on this database, with nothing of this environment and no file of settings.
    fn souk(&self) -> anyhow::Result<Command> {
        let program = match &self.place.souk {
            Some(program) => program.canonicalize().with_context(|| program.display().to_string())?,
            None => std::env::current_exe()?.with_file_name("souk"),
        };
        let mut command = Command::new(program);
        command.env_clear().env("DATABASE_URL", self.url()).env("SOUK_DATA_DIR", self.folder().join("souk"));
        command.env("SOUK_LOG_FILTER", LOG_FILTER).env("SOUK_RATE_LIMITS", "false");
        for setting in &self.place.settings {
            let (key, value) = setting.split_once('=').context("--set takes KEY=VALUE")?;
            command.env(format!("SOUK_{}", key.to_uppercase()), value);
        }
        command.current_dir(self.folder()).kill_on_drop(true).stdin(Stdio::null());
        Ok(command)
    }

    /// Ends PostgreSQL and removes all.
    pub(crate) async fn tear_down(self) -> anyhow::Result<()> {
        self.pool.close().await;
        self.cluster.stop().await?;
        Ok(())
    }
}

/// A folder that is removed when this is dropped, after the fields of a [`Stage`] above it.
///
/// Not that of a library: its features would make cargo build Souk anew for the benches.
struct Folder(PathBuf);

impl Folder {
    fn create(parent: &Path) -> anyhow::Result<Self> {
        let path = parent.canonicalize()?.join(format!("souk-bench-{}", std::process::id()));
        // The account that runs a root's PostgreSQL has to get in.
        DirBuilder::new().mode(0o711).create(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("bench: {} can not be removed: {error}", self.0.display());
        }
    }
}

/// A running `souk serve`.
pub(crate) struct Server {
    child: Child,
    pid: u32,
    /// Where buyers reach it.
    pub(crate) address: SocketAddr,
    ops: SocketAddr,
    /// Where it writes what went wrong.
    log: PathBuf,
}

impl Server {
    /// Starts it and waits until it is ready.
    pub(crate) async fn start(stage: &Stage) -> anyhow::Result<Self> {
        let (address, ops) = (free_port()?, free_port()?);
        let mut command = stage.souk()?;
        command.arg("serve").arg("--listen").arg(address.to_string());
        command.arg("--ops-listen").arg(ops.to_string()).stdout(Stdio::null());
        let log = stage.folder().join("souk.log");
        command.stderr(File::options().create(true).append(true).open(&log)?);
        let child = command.spawn().context("souk serve")?;
        let pid = child.id().context("souk serve has ended")?;
        let mut server = Self { child, pid, address, ops, log };
        let begun = Instant::now();
        while !is_ready(ops).await {
            if let Some(status) = server.child.try_wait()? {
                bail!("souk serve ended with {status}: {}", fs::read_to_string(&server.log)?);
            }
            anyhow::ensure!(begun.elapsed() < PATIENCE, "souk serve is not ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(server)
    }

    /// CPU time so far, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        processes::of(self.pid)
    }

    /// What it says of itself now.
    pub(crate) async fn metrics(&self) -> anyhow::Result<Metrics> {
        Metrics::of(self.ops).await
    }

    /// Ends it in order, and says whether it complained.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = Pid::from_raw(self.pid.cast_signed()).context("no process")?;
        rustix::process::kill_process(pid, Signal::TERM)?;
        let status =
            tokio::time::timeout(PATIENCE, self.child.wait()).await.context("souk serve does not end")??;
        anyhow::ensure!(status.success(), "souk serve ended with {status}");
        let log = fs::read_to_string(&self.log)?;
        if let Some(first) = log.lines().next() {
            println!("souk serve logged {} lines, the first:\n  {first}\n", log.lines().count());
        }
        Ok(())
    }
}

async fn is_ready(ops: SocketAddr) -> bool {
    let Ok(mut connection) = Connection::open(ops).await else { return false };
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {ops}\r\n\r\n");
    connection.send(request.as_bytes()).await.is_ok_and(|answer| answer.status == 200)
}

/// A port of loopback that nobody uses now.
pub(crate) fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// This program again, as a process of its own that ends with this one's interest in it.
pub(crate) fn again(
    subcommand: &str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(subcommand).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}
