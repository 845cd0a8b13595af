//! What a command works with: the database, embedded or not, and the modules on top of it.

use std::time::Duration;

use anyhow::Context;
use platform::postgres::{Cluster, Options};
use platform::{Database, Sources, migrate};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::app::{self, App};
use crate::config::Config;

/// As `server_version_num` tells it.
const OLDEST_POSTGRES: u32 = 150_000;
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// What a cluster takes if nothing is said (PostgreSQL 17 documentation, 19.3).
const USUAL_CONNECTIONS: u32 = 100;
/// Connections of the embedded cluster beyond those of `souk serve`: for commands beside it.
const SPARE_CONNECTIONS: u32 = 20;

/// An open database and the modules.
pub(crate) struct Session {
    pub(crate) app: App,
    cluster: Option<Cluster>,
}

impl Session {
    /// For a command: joins the cluster that a running `souk serve` has, or starts it for a while.
    pub(crate) async fn open(config: &Config, command: &str) -> anyhow::Result<Self> {
        platform::telemetry::init(config.log_format, &quieter(&config.log_filter))?;
        let cluster = match config.database_url {
            Some(_) => None,
            None => Some(Cluster::join_or_start(options(config, command)).await?),
        };
        Self::on(config, cluster).await
    }

    /// For `souk serve`: nobody else may run on this data folder.
    pub(crate) async fn own(config: &Config) -> anyhow::Result<Self> {
        let cluster = match config.database_url {
            Some(_) => None,
            None => Some(Cluster::start(options(config, "souk serve")).await?),
        };
        Self::on(config, cluster).await
    }

    async fn on(config: &Config, cluster: Option<Cluster>) -> anyhow::Result<Self> {
        match Self::connect(config, cluster.as_ref()).await {
            Ok(app) => Ok(Self { app, cluster }),
            Err(error) => {
                if let Some(cluster) = cluster {
                    cluster.stop().await?;
                }
                Err(error)
            }
        }
    }

    async fn connect(config: &Config, cluster: Option<&Cluster>) -> anyhow::Result<App> {
        let options = match (cluster, &config.database_url) {
            (Some(cluster), _) => cluster.connect_options(),
            (None, Some(url)) => url.options()?,
            (None, None) => anyhow::bail!("neither an embedded PostgreSQL nor a database_url"),
        };
        // A pool would try again and in the end say only that its time was up.
        answers(&options).await.context("could not connect to PostgreSQL")?;
        let database = Database::connect(options, config.database_connections)
            .await
            .context("could not connect to PostgreSQL")?;
        check_version(&database).await?;
        migrate::run(database.pool(), &app::migrations())
            .await
            .context("could not bring the database up to date")?;
        let settings = config.modules(&Sources::system())?;
        Ok(App::new(database, Sources::system(), settings)?)
    }

    /// Waits for the end of the embedded PostgreSQL, which should not come before [`Session::close`].
    pub(crate) async fn cluster_exited(&self) {
        match &self.cluster {
            Some(cluster) => cluster.exited().await,
            None => std::future::pending().await,
        }
    }

    /// Ends the purchases under way, closes the connections and stops the cluster if it is ours.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.app.orders.drain().await;
        self.app.database.close().await;
        if let Some(cluster) = self.cluster {
            cluster.stop().await?;
        }
        Ok(())
    }
}

/// Opens a connection and closes it again.
async fn answers(options: &PgConnectOptions) -> anyhow::Result<()> {
    let connection = tokio::time::timeout(PATIENCE, PgConnection::connect_with(options));
    connection.await.context("it does not answer")??.close().await?;
    Ok(())
}

/// Refuses a PostgreSQL that is too old, before anything is done to it.
async fn check_version(database: &Database) -> anyhow::Result<()> {
    let version: String = sqlx::query_scalar("SHOW server_version_num").fetch_one(database.pool()).await?;
    let version: u32 = version.parse().context("server_version_num")?;
    anyhow::ensure!(
        version >= OLDEST_POSTGRES,
        "PostgreSQL {} is too old: Souk needs {} or newer",
        version / 10_000,
        OLDEST_POSTGRES / 10_000
    );
    Ok(())
}

fn options(config: &Config, command: &str) -> Options {
    let connections = config.database_connections + SPARE_CONNECTIONS;
    let more =
        (connections > USUAL_CONNECTIONS).then(|| ("max_connections".to_owned(), connections.to_string()));
    Options {
        data_dir: config.data_dir.clone(),
        command: command.to_owned(),
        binaries: config.postgres_bin.clone(),
        settings: more.into_iter().collect(),
    }
}

/// A command tells its results itself; of the log it shows what went wrong.
fn quieter(filter: &str) -> String {
    if filter == "info" { "warn".to_owned() } else { filter.to_owned() }
}
