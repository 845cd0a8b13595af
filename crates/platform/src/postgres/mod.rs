//! The embedded PostgreSQL: a private cluster that lives and dies with Souk.
//!
//! One process owns a data folder and runs its postmaster; others on the same folder join as guests.
//! Invariants:
//! - never two postmasters on one cluster: whoever starts one holds `souk.lock`, and the lock is
//!   not released before the postmaster has ended;
//! - an owner that stops in order does not pull the cluster from under a guest (`souk.guests`);
//! - the cluster is reached only through a socket in a directory of mode 0700, never over TCP;
//! - a folder named `postgres` in the data folder is a whole cluster: it gets its name last.
//!
//! | need | look at |
//! |---|---|
//! | what happens on start | `owner` |
//! | where cluster and socket are | `place` |
//! | which PostgreSQL runs, as whom | `binaries`, `account` |
//! | who may run it | `lock` |
//! | the running server, and what becomes of it when Souk is killed | `postmaster` |

mod account;
mod binaries;
mod error;
mod initdb;
mod lock;
mod owner;
mod place;
mod postmaster;
mod stale;

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use tokio::time::{Instant, sleep, timeout};

pub use error::Error;
use lock::{Guest, Lock};
use owner::Owner;

/// Superuser and database have one name, which tells whose they are.
const NAME: &str = "souk";
/// Names the socket file only; nothing listens on this port.
const PORT: u16 = 5432;
/// How often a condition that another process brings about is looked at.
const POLL: Duration = Duration::from_millis(50);
/// How long a guest waits for the owner's cluster to accept it.
const JOIN: Duration = Duration::from_secs(30);
/// A server that is there answers on its socket much faster than this.
const CONNECT: Duration = Duration::from_secs(5);

/// What to run and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Souk's data folder, such as `.souk`; created if missing. The cluster goes in `postgres` below.
    pub data_dir: PathBuf,
    /// What this process is, such as `souk serve`; told to others that want the same folder.
    pub command: String,
    /// The folder that holds `postgres` and `initdb`; looked for where systems put it if `None`.
    pub binaries: Option<PathBuf>,
    /// Settings of PostgreSQL that override the cluster's own, such as `("fsync", "off")` in tests.
    pub settings: Vec<(String, String)>,
}

/// A running cluster, owned by this process or joined.
///
/// Dropping an owned one shuts it down too, but nobody waits for it or for guests: prefer
/// [`Cluster::stop`].
#[derive(Debug)]
pub struct Cluster {
    socket: PathBuf,
    role: Role,
}

#[derive(Debug)]
enum Role {
    Owner(Owner),
    Guest(#[expect(dead_code, reason = "held, not read: the owner waits for its end")] Guest),
}

impl Cluster {
    /// Starts the cluster as its owner, creating it if missing.
    ///
    /// # Errors
    /// [`Error::InUse`] if another process owns the data folder; else whatever keeps PostgreSQL
    /// from running, in words that say what to do.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let data_dir = place::data_dir(&options.data_dir)?;
        match Lock::try_take(&data_dir, &options.command)? {
            Some(lock) => Self::own(&options, data_dir, lock).await,
            None => Err(lock::in_use(data_dir).await),
        }
    }

    /// Joins the cluster another process runs on this data folder, else starts it as the owner.
    ///
    /// # Errors
    /// [`Error::NotJoined`] if the owner's cluster can not be reached within 30 seconds, and those
    /// of [`Cluster::start`] without [`Error::InUse`].
    pub async fn join_or_start(options: Options) -> Result<Self, Error> {
        let data_dir = place::data_dir(&options.data_dir)?;
        let deadline = Instant::now() + JOIN;
        let mut refusal = None;
        loop {
            // Tried each time: the owner may have left, in order or not, while we waited for it.
            if let Some(lock) = Lock::try_take(&data_dir, &options.command)? {
                return Self::own(&options, data_dir, lock).await;
            }
            // The guest's lock comes before the connection, so that an owner that begins to stop
            // after we connected waits for us.
            if let Some(guest) = Guest::try_enter(&data_dir)?
                && let Some(socket) = lock::holder(&data_dir).and_then(|holder| holder.socket)
            {
                match connect(&socket, NAME).await {
                    Ok(connection) => {
                        connection.close().await.ok();
                        return Ok(Self { socket, role: Role::Guest(guest) });
                    }
                    Err(error) => refusal = Some(error),
                }
            }
            if Instant::now() >= deadline {
                return Err(Error::NotJoined { data_dir, seconds: JOIN.as_secs(), source: refusal });
            }
            sleep(POLL).await;
        }
    }

    async fn own(options: &Options, data_dir: PathBuf, lock: Lock) -> Result<Self, Error> {
        let (owner, socket) = owner::start(options, data_dir, lock).await?;
        Ok(Self { socket, role: Role::Owner(owner) })
    }

    /// How sqlx connects.
    pub fn connect_options(&self) -> PgConnectOptions {
        connect_options(&self.socket, NAME)
    }

    /// The same as a `DATABASE_URL`, for sqlx's macros, `psql` and other programs.
    pub fn url(&self) -> String {
        let socket = percent_encoded(&self.socket);
        format!("postgres://{NAME}@localhost:{PORT}/{NAME}?host={socket}")
    }

    /// Whether the cluster ends with this process.
    pub fn is_owner(&self) -> bool {
        matches!(self.role, Role::Owner(_))
    }

    /// Ends the owned cluster in order: waits for guests (at most 15 seconds), ends open
    /// transactions, writes a checkpoint and waits until the postmaster is gone. A guest just leaves.
    ///
    /// # Errors
    /// [`Error::NotStopped`] if the postmaster outlives every polite means.
    pub async fn stop(self) -> Result<(), Error> {
        match self.role {
            Role::Owner(owner) => owner.stop().await,
            Role::Guest(_) => Ok(()),
        }
    }

    /// Resolves when the owned postmaster has died without being asked to; never for a guest, which
    /// sees its connections fail.
    pub async fn exited(&self) {
        match &self.role {
            Role::Owner(owner) => owner.exited().await,
            Role::Guest(_) => std::future::pending().await,
        }
    }
}

/// Everything is said here, because sqlx takes what is not from `PGPORT`, `PGSSLMODE` and the like,
/// which mean some other server.
fn connect_options(socket: &Path, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket)
        .port(PORT)
        .username(NAME)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
}

async fn connect(socket: &Path, database: &str) -> Result<PgConnection, sqlx::Error> {
    let options = connect_options(socket, database);
    match timeout(CONNECT, PgConnection::connect_with(&options)).await {
        Ok(result) => result,
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

/// Encoded for the query of a URL; `+` too, which sqlx reads as a space and libpq does not.
fn percent_encoded(path: &Path) -> String {
    let mut encoded = String::new();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String can not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
