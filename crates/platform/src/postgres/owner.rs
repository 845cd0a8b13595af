//! Starting, watching and stopping a cluster as its owner.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep, timeout};

use super::binaries::{Binaries, Search};
use super::lock::{self, Lock};
use super::place::{self, Place};
use super::postmaster::Postmaster;
use super::{Error, NAME, Options, PORT, connect, initdb, stale};

/// How long the server may be silent after its start.
const STARTUP: Duration = Duration::from_secs(60);
/// How long it may recover after a crash, as long as it says that it does.
const RECOVERY: Duration = Duration::from_secs(600);
/// How long `stop` waits for guests.
const GUESTS: Duration = Duration::from_secs(15);
/// How long a fast shutdown may take: it writes what is in the buffers.
const SHUTDOWN: Duration = Duration::from_secs(60);
/// How long an immediate shutdown may take: it writes nothing.
const ABORT: Duration = Duration::from_secs(10);
/// How often the server is asked whether it is ready; a start takes less than 100 ms.
const ASK: Duration = Duration::from_millis(10);
/// A log longer than this is put aside at the next start.
const LONG_LOG: u64 = 16 << 20;

/// SQLSTATE of a server that starts, recovers or shuts down.
const CANNOT_CONNECT_NOW: &str = "57P03";

#[derive(Debug)]
pub(super) struct Owner {
    postmaster: Postmaster,
    data_dir: PathBuf,
    pid_file: PathBuf,
    log: PathBuf,
    lock: Arc<Lock>,
}

/// Brings the cluster up, creating it if missing; returns it with its socket's directory.
pub(super) async fn start(
    options: &Options,
    data_dir: PathBuf,
    lock: Lock,
) -> Result<(Owner, PathBuf), Error> {
    let (place, account) = place::choose(&data_dir)?;
    lock.tell(Some(&place.socket))?;
    let version = place.version()?;
    let search = Search {
        explicit: options.binaries.as_deref(),
        data_dir: &data_dir,
        cluster: (&place.cluster, version),
        account: account.as_ref(),
    };
    let binaries = search.run()?;
    if version.is_some() {
        stale::stop(&place.cluster, &binaries).await?;
    } else {
        let durable = !options.settings.iter().any(|(name, value)| name == "fsync" && value == "off");
        initdb::create(&place, &binaries, account.as_ref(), durable).await?;
    }
    place::private_dir(&place.socket, account.as_ref())?;

    let lock = Arc::new(lock);
    let deadline = Instant::now() + ABORT;
    let (postmaster, connection) = loop {
        let log = Log::open(&place.log)?;
        let command = command(&binaries, &place, &options.settings, &log)?;
        let postmaster = Postmaster::spawn(command, Arc::clone(&lock)).await;
        let postmaster = postmaster.map_err(Error::io("start PostgreSQL on", &place.cluster))?;
        match ready(&postmaster, &place).await {
            Ok(connection) => break (postmaster, connection),
            Err(reason) => {
                postmaster.shut_down();
                let tail = log.tail();
                // Sessions of a postmaster that was killed take a moment to notice.
                let held = tail.contains("pre-existing shared memory block") && Instant::now() < deadline;
                if timeout(ABORT, postmaster.ended()).await.is_err() || !held {
                    return Err(Error::NotStarted { reason, log: place.log, tail });
                }
            }
        }
    };
    create_database(connection).await?;
    let (pid_file, log) = (place.cluster.join("postmaster.pid"), place.log);
    Ok((Owner { postmaster, data_dir, pid_file, log, lock }, place.socket))
}

impl Owner {
    pub(super) async fn stop(self) -> Result<(), Error> {
        // Who comes now waits to be the next owner, or guests might follow each other for ever.
        self.lock.tell(None)?;
        let closed = lock::close_to_guests(&self.data_dir, GUESTS).await?;
        if closed.is_none() {
            tracing::warn!("stopping PostgreSQL although other Souk commands use it");
        }
        self.postmaster.shut_down();
        if timeout(SHUTDOWN, self.postmaster.ended()).await.is_ok() {
            return Ok(());
        }
        tracing::warn!("PostgreSQL takes too long to shut down; the next start will recover");
        self.postmaster.abort();
        let ended = timeout(ABORT, self.postmaster.ended()).await;
        ended.map(|_| ()).map_err(|_| Error::NotStopped { pid_file: self.pid_file.clone() })
    }

    pub(super) async fn exited(&self) {
        let status = self.postmaster.ended().await.map(|status| status.to_string()).unwrap_or_default();
        tracing::error!(status, log = %self.log.display(), "the embedded PostgreSQL ended unexpectedly");
    }
}

/// What has to hold whatever the cluster's own configuration says is on the command line; the rest
/// (128 MB of shared buffers, 100 connections, full durability) is PostgreSQL's default and can be
/// changed with `ALTER SYSTEM`.
fn command(
    binaries: &Binaries,
    place: &Place,
    settings: &[(String, String)],
    log: &Log,
) -> Result<std::process::Command, Error> {
    let mut command = binaries.command("postgres");
    command.arg("-D").arg(&place.cluster);
    // A list of quoted names, so that a comma in the path does not make it two.
    let socket = place.socket.to_string_lossy().replace('"', "\"\"");
    let fixed = [
        ("listen_addresses", String::new()),
        ("port", PORT.to_string()),
        ("unix_socket_directories", format!("\"{socket}\"")),
        ("unix_socket_permissions", "0700".to_owned()),
        ("logging_collector", "off".to_owned()),
        ("log_destination", "stderr".to_owned()),
    ];
    let fixed = fixed.iter().map(|(name, value)| (*name, value.as_str()));
    let settings = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in settings.chain(fixed) {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    let duplicate = || log.file.try_clone().map_err(Error::io("open", &log.path));
    command.stdout(duplicate()?).stderr(duplicate()?);
    Ok(command)
}

/// Waits until the server answers; the error says what it did instead.
async fn ready(postmaster: &Postmaster, place: &Place) -> Result<PgConnection, String> {
    let begun = Instant::now();
    loop {
        let mut patience = STARTUP;
        tokio::select! {
            biased;
            status = postmaster.ended() => {
                let status = status.map(|status| status.to_string()).unwrap_or_default();
                return Err(format!("ended while starting ({status})"));
            }
            attempt = connect(&place.socket, "postgres") => match attempt {
                // One that somebody started by hand may answer there, while ours is about to give up.
                Ok(connection) if postmaster.is(stale::named(&place.cluster)) => return Ok(connection),
                Ok(_) => {}
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(CANNOT_CONNECT_NOW) => {
                    patience = RECOVERY;
                }
                Err(_) => {}
            }
        }
        if begun.elapsed() >= patience {
            return Err(format!("did not become ready within {} s", patience.as_secs()));
        }
        sleep(ASK).await;
    }
}

async fn create_database(mut connection: PgConnection) -> Result<(), Error> {
    let exists = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
    if !sqlx::query_scalar::<_, bool>(exists).bind(NAME).fetch_one(&mut connection).await? {
        sqlx::query("CREATE DATABASE souk").execute(&mut connection).await?;
    }
    connection.close().await?;
    Ok(())
}

/// The server's log, and where this run's part of it begins.
struct Log {
    file: File,
    path: PathBuf,
    begin: u64,
}

impl Log {
    fn open(path: &Path) -> Result<Self, Error> {
        if fs::metadata(path).is_ok_and(|meta| meta.len() > LONG_LOG) {
            fs::rename(path, path.with_extension("log.1")).map_err(Error::io("put aside", path))?;
        }
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path);
        let file = file.map_err(Error::io("open", path))?;
        let begin = file.metadata().map_err(Error::io("look at", path))?.len();
        Ok(Self { file, path: path.to_owned(), begin })
    }

    /// The last lines this run wrote.
    fn tail(&self) -> String {
        const LONGEST: u64 = 4096;
        let mut text = Vec::new();
        let mut read = || {
            let mut file = &self.file;
            let begin = file.metadata()?.len().saturating_sub(LONGEST).max(self.begin);
            file.seek(SeekFrom::Start(begin))?;
            file.read_to_end(&mut text)
        };
        match read() {
            Ok(_) => String::from_utf8_lossy(&text).trim_end().to_owned(),
            Err(error) => format!("(can not be read: {error})"),
        }
    }
}
