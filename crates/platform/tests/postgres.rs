//! The embedded PostgreSQL against the real binaries. As root they run as another account.

use std::error::Error as _;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use platform::postgres::{Cluster, Error, Options};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

type Tested = Result<(), Box<dyn std::error::Error>>;

/// A folder the server's account can reach.
fn folder() -> Result<TempDir, std::io::Error> {
    tempfile::Builder::new()
        .prefix("souk-test-")
        .permissions(Permissions::from_mode(0o711))
        .tempdir_in("/tmp")
}

fn options(data_dir: impl Into<PathBuf>) -> Options {
    Options {
        data_dir: data_dir.into(),
        command: "a test".to_owned(),
        binaries: std::env::var_os("SOUK_POSTGRES_BIN").map(Into::into),
        settings: vec![("fsync".to_owned(), "off".to_owned())],
    }
}

async fn connection(cluster: &Cluster) -> Result<PgConnection, sqlx::Error> {
    PgConnection::connect_with(&cluster.connect_options()).await
}

async fn ask(cluster: &Cluster, query: &str) -> Result<String, sqlx::Error> {
    sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut connection(cluster).await?).await
}

async fn run(cluster: &Cluster, statement: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection(cluster).await?).await?;
    Ok(())
}

/// The cluster's folder.
async fn home(cluster: &Cluster) -> Result<PathBuf, sqlx::Error> {
    Ok(ask(cluster, "SELECT current_setting('data_directory')").await?.into())
}

fn postmaster(home: &Path) -> Option<Pid> {
    let text = fs::read_to_string(home.join("postmaster.pid")).ok()?;
    Pid::from_raw(text.lines().next()?.parse().ok()?)
}

/// A process that has ended stays a zombie until init takes notice.
fn is_alive(pid: Pid) -> bool {
    let ps = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output();
    ps.is_ok_and(|ps| !ps.stdout.is_empty() && !ps.stdout.starts_with(b"Z"))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test]
async fn starts_serves_and_stops() -> Tested {
    let folder = folder()?;
    let data_dir = folder.path().join("new, with a comma and + and \"quotes\"");
    let cluster = Cluster::start(options(&data_dir)).await?;
    assert!(cluster.is_owner());
    let settings = "SELECT concat_ws(' ', current_user, current_database(), pg_encoding_to_char(encoding), \
        current_setting('data_checksums'), current_setting('unix_socket_permissions'), \
        current_setting('max_connections'), current_setting('shared_buffers'), current_setting('fsync'), \
        '[' || current_setting('listen_addresses') || ']', current_setting('TimeZone')) \
        FROM pg_database WHERE datname = 'souk'";
    assert_eq!(ask(&cluster, settings).await?, "souk souk UTF8 on 0700 100 128MB off [] UTC");

    let by_url: PgConnectOptions = cluster.url().parse()?;
    PgConnection::connect_with(&by_url).await?.close().await?;

    let home = home(&cluster).await?;
    let socket = home.with_file_name("socket");
    for private in [&home, &socket] {
        let meta = fs::metadata(private)?;
        assert_eq!(meta.mode() & 0o777, 0o700, "{}", private.display());
        assert_ne!(meta.uid(), 0, "{}", private.display());
    }
    assert!(fs::read_to_string(data_dir.join("postgres.log"))?.contains("ready to accept connections"));
    let pid = postmaster(&home).ok_or("no postmaster.pid")?;
    cluster.stop().await?;
    assert!(!is_alive(pid));
    assert!(!home.join("postmaster.pid").exists());
    assert!(fs::read_to_string(data_dir.join("postgres.log"))?.contains("database system is shut down"));
    Ok(())
}

/// Nothing of root's reaches the server, and the terminal's Ctrl-C does not either.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn server_is_apart() -> Tested {
    let folder = folder()?;
    let cluster = Cluster::start(options(folder.path())).await?;
    let pid = postmaster(&home(&cluster).await?).ok_or("no postmaster.pid")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim();
    if is_root() {
        assert_eq!(field("Groups:"), "");
        assert!(!field("Uid:").split_whitespace().any(|uid| uid == "0"), "{status}");
        assert!(!field("Gid:").split_whitespace().any(|gid| gid == "0"), "{status}");
    }
    assert_eq!(rustix::process::getpgid(Some(pid))?, pid);
    let names = fs::read(format!("/proc/{pid}/environ"))?;
    assert!(!String::from_utf8_lossy(&names).contains("CARGO"));
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))?.flatten() {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        assert!(!target.ends_with("souk.lock"), "the lock is inherited");
    }
    Ok(cluster.stop().await?)
}

#[tokio::test]
async fn restart_keeps_data() -> Tested {
    let folder = folder()?;
    let cluster = Cluster::start(options(folder.path())).await?;
    run(&cluster, "CREATE TABLE kept AS SELECT 'here'::text AS word").await?;
    cluster.stop().await?;
    let cluster = Cluster::start(options(folder.path())).await?;
    assert_eq!(ask(&cluster, "SELECT word FROM kept").await?, "here");
    Ok(cluster.stop().await?)
}

#[tokio::test]
async fn second_owner_learns_who_is_first() -> Tested {
    let folder = folder()?;
    let first = Cluster::start(options(folder.path())).await?;
    let second = Cluster::start(options(folder.path())).await.err().ok_or("started twice")?;
    let pid = std::process::id();
    let text = format!("the data folder {} is in use by `a test` (pid {pid})", folder.path().display());
    assert_eq!(second.to_string(), text);
    first.stop().await?;
    Cluster::start(options(folder.path())).await?.stop().await?;
    Ok(())
}

/// A short command that happens to own the cluster does not pull it from under another.
#[tokio::test]
async fn owner_waits_for_guests() -> Tested {
    let folder = folder()?;
    let owner = Cluster::start(options(folder.path())).await?;
    let guest = Cluster::join_or_start(options(folder.path())).await?;
    assert!(!guest.is_owner());
    assert_eq!(guest.url(), owner.url());
    assert!(timeout(Duration::from_millis(50), guest.exited()).await.is_err());

    let stopping = tokio::spawn(owner.stop());
    sleep(Duration::from_millis(300)).await;
    assert_eq!(ask(&guest, "SELECT 'still here'").await?, "still here");
    assert!(!stopping.is_finished());
    // One that comes now waits for its turn to be the owner.
    let next = tokio::spawn(Cluster::join_or_start(options(folder.path())));
    guest.stop().await?;
    stopping.await??;
    let next = next.await??;
    assert!(next.is_owner());
    ask(&next, "SELECT 'here again'").await?;
    Ok(next.stop().await?)
}

#[tokio::test]
async fn many_at_once_share_one_cluster() -> Tested {
    let folder = folder()?;
    let all: Vec<_> = (0..8).map(|_| tokio::spawn(Cluster::join_or_start(options(folder.path())))).collect();
    let (mut owners, mut guests) = (Vec::new(), Vec::new());
    for one in all {
        let cluster = one.await??;
        ask(&cluster, "SELECT 'in'").await?;
        if cluster.is_owner() { owners.push(cluster) } else { guests.push(cluster) }
    }
    assert_eq!((owners.len(), guests.len()), (1, 7));
    drop(guests);
    for owner in owners {
        owner.stop().await?;
    }
    Ok(())
}

/// The example in a process of its own. `cargo test -p platform` builds it; with `--test postgres`
/// it is the one that was built last.
struct Other {
    child: Child,
    /// `owner` or `guest`, and the URL.
    greeting: String,
}

impl Other {
    fn start(data_dir: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let test = std::env::current_exe()?;
        let program = test.ancestors().nth(2).ok_or("no target folder")?.join("examples/cluster");
        let mut command = Command::new(&program);
        let child = command.arg(data_dir).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| {
            format!("{}: {error}; run cargo build -p platform --example cluster", program.display())
        })?;
        let mut greeting = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut greeting)?;
        Ok(Self { child, greeting: greeting.trim().to_owned() })
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// No orphan, no second postmaster beside the first, and nothing committed is lost.
#[tokio::test]
async fn kill_9_loses_nothing() -> Tested {
    let folder = folder()?;
    let mut committed: i64 = 0;
    for round in 0..5 {
        let mut other = Other::start(folder.path())?;
        assert!(other.greeting.starts_with("owner "), "round {round}: {}", other.greeting);
        let guest = Cluster::join_or_start(options(folder.path())).await?;
        assert!(!guest.is_owner());
        let home = home(&guest).await?;
        let old = postmaster(&home).ok_or("no postmaster.pid")?;
        run(&guest, "CREATE TABLE IF NOT EXISTS kept (number bigint)").await?;
        let mut writer = connection(&guest).await?;
        let killing = Instant::now() + Duration::from_millis(50 + 30 * round);
        let mut killed = false;
        // Writes on until the server goes.
        while sqlx::query("INSERT INTO kept VALUES ($1)")
            .bind(committed + 1)
            .execute(&mut writer)
            .await
            .is_ok()
        {
            committed += 1;
            assert!(killing.elapsed() < Duration::from_secs(20), "the postmaster is an orphan");
            if !killed && Instant::now() > killing {
                killed = true;
                kill_process(other.pid(), Signal::KILL)?;
            }
        }
        other.child.wait()?;
        drop(guest);
        if round % 2 == 0 {
            // At once, while the old server may still be shutting down.
            let cluster = Cluster::start(options(folder.path())).await?;
            assert!(!is_alive(old), "the old postmaster is still there");
            let counted = ask(&cluster, "SELECT concat(count(*), ' ', max(number)) FROM kept").await?;
            assert_eq!(counted, format!("{committed} {committed}"));
            cluster.stop().await?;
        } else {
            // By itself, without anybody's help.
            let deadline = Instant::now() + Duration::from_secs(10);
            while is_alive(old) {
                assert!(Instant::now() < deadline, "the postmaster is an orphan");
                sleep(Duration::from_millis(10)).await;
            }
        }
    }
    assert!(committed > 0);
    Ok(())
}

/// A postmaster that nobody told of its Souk's death, as here one that has another parent.
#[tokio::test]
async fn leftover_postmaster_is_stopped_first() -> Tested {
    let folder = folder()?;
    let cluster = Cluster::start(options(folder.path())).await?;
    let home = home(&cluster).await?;
    let program = fs::read_to_string(home.join("postmaster.opts"))?;
    cluster.stop().await?;
    let mut leftover = Command::new(program.split(' ').next().ok_or("empty")?);
    leftover.arg("-D").arg(&home).args(["-c", "listen_addresses=", "-k"]).arg(home.with_file_name("socket"));
    if is_root() {
        let account = fs::metadata(&home)?;
        leftover.uid(account.uid()).gid(account.gid());
    }
    let log = fs::File::create(folder.path().join("leftover.log"))?;
    let mut leftover = leftover.current_dir("/").stderr(log).spawn()?;
    let pid = Pid::from_child(&leftover);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !fs::read_to_string(home.join("postmaster.pid")).is_ok_and(|text| text.contains("ready")) {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(10)).await;
    }
    let cluster = Cluster::start(options(folder.path())).await?;
    assert!(!is_alive(pid));
    assert!(leftover.wait()?.success());
    assert_ne!(postmaster(&home), Some(pid));
    Ok(cluster.stop().await?)
}

/// The number in a stale pid file may be anybody's by now: here it is this test's.
#[tokio::test]
async fn spares_who_has_the_number_now() -> Tested {
    let folder = folder()?;
    let cluster = Cluster::start(options(folder.path())).await?;
    let home = home(&cluster).await?;
    cluster.stop().await?;
    let text = format!("{}\n{}\n", std::process::id(), home.display());
    fs::write(home.join("postmaster.pid"), text)?;
    let cluster = Cluster::start(options(folder.path())).await?;
    Ok(cluster.stop().await?)
}

#[tokio::test]
async fn tells_of_an_unexpected_end_and_recovers() -> Tested {
    let folder = folder()?;
    let cluster = Cluster::start(options(folder.path())).await?;
    run(&cluster, "CREATE TABLE kept AS SELECT 'here'::text AS word").await?;
    let mut busy = connection(&cluster).await?;
    let busy = tokio::spawn(async move { sqlx::query("SELECT pg_sleep(60)").execute(&mut busy).await });
    assert!(timeout(Duration::from_millis(100), cluster.exited()).await.is_err());
    kill_process(postmaster(&home(&cluster).await?).ok_or("no postmaster.pid")?, Signal::KILL)?;
    timeout(Duration::from_secs(5), cluster.exited()).await?;
    cluster.stop().await?;
    let cluster = Cluster::start(options(folder.path())).await?;
    assert_eq!(ask(&cluster, "SELECT word FROM kept").await?, "here");
    assert!(busy.await?.is_err());
    Ok(cluster.stop().await?)
}

#[tokio::test]
async fn dropping_shuts_down_too() -> Tested {
    let folder = folder()?;
    let cluster = Cluster::start(options(folder.path())).await?;
    run(&cluster, "CREATE TABLE kept AS SELECT 'here'::text AS word").await?;
    drop(cluster);
    // Its lock lasts until the postmaster is gone, so this one waits.
    let cluster = Cluster::join_or_start(options(folder.path())).await?;
    assert!(cluster.is_owner());
    assert_eq!(ask(&cluster, "SELECT word FROM kept").await?, "here");
    Ok(cluster.stop().await?)
}

#[tokio::test]
async fn half_made_cluster_is_made_anew() -> Tested {
    let folder = folder()?;
    fs::create_dir(folder.path().join("postgres.new-1"))?;
    fs::write(folder.path().join("postgres.new-1/PG_VERSION"), "15\n")?;
    // Interrupted at different moments of initdb and of the first start.
    for millis in [20, 100, 200, 300, 400] {
        drop(timeout(Duration::from_millis(millis), Cluster::join_or_start(options(folder.path()))).await);
    }
    let cluster = Cluster::join_or_start(options(folder.path())).await?;
    assert_eq!(ask(&cluster, "SELECT 'whole'").await?, "whole");
    let left = fs::read_dir(folder.path())?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("postgres.new-"));
    assert_eq!(left.count(), 0);
    Ok(cluster.stop().await?)
}

#[tokio::test]
async fn long_path_gets_a_short_socket() -> Tested {
    let folder = folder()?;
    let data_dir = folder.path().join("a-name-of-thirty-characters-xx/".repeat(4));
    let cluster = Cluster::start(options(&data_dir)).await?;
    let guest = Cluster::join_or_start(options(&data_dir)).await?;
    ask(&guest, "SELECT 'in'").await?;
    guest.stop().await?;
    let socket = PathBuf::from(
        ask(&cluster, "SELECT current_setting('unix_socket_directories')").await?.trim_matches('"'),
    );
    assert!(socket.as_os_str().len() < 94 && !socket.starts_with(folder.path()));
    assert_eq!(fs::metadata(&socket)?.mode() & 0o777, 0o700);
    cluster.stop().await?;

    // Where everybody may write, somebody may have been there first.
    fs::remove_dir(&socket)?;
    let trap = folder.path().join("trap");
    fs::create_dir(&trap)?;
    symlink(&trap, &socket)?;
    let refused = Cluster::start(options(&data_dir)).await.err().ok_or("followed a link")?;
    assert!(matches!(refused, Error::UnsafeDirectory { .. }), "{refused}");
    fs::remove_file(&socket)?;
    fs::create_dir(&socket)?;
    fs::set_permissions(&socket, Permissions::from_mode(0o755))?;
    let refused = Cluster::start(options(&data_dir)).await.err().ok_or("used an open folder")?;
    assert!(matches!(refused, Error::UnsafeDirectory { .. }), "{refused}");
    fs::remove_dir(&socket)?;
    Ok(())
}

/// A folder that goes with the test, passed or not.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[tokio::test]
async fn root_may_keep_its_data_folder_to_itself() -> Tested {
    if !is_root() {
        return Ok(());
    }
    let folder = folder()?;
    let closed = folder.path().join("closed");
    fs::create_dir(&closed)?;
    fs::set_permissions(&closed, Permissions::from_mode(0o700))?;
    let data_dir = closed.join("data");
    let cluster = Cluster::start(options(&data_dir)).await?;
    let home = home(&cluster).await?;
    assert!(home.starts_with("/var/lib/souk"), "{}", home.display());
    let elsewhere = Removed(home.parent().ok_or("no parent")?.to_owned());
    run(&cluster, "CREATE TABLE kept AS SELECT 'here'::text AS word").await?;
    cluster.stop().await?;
    // Opened later, the cluster still is where it was.
    fs::set_permissions(&closed, Permissions::from_mode(0o711))?;
    let cluster = Cluster::start(options(&data_dir)).await?;
    assert_eq!(ask(&cluster, "SELECT word FROM kept").await?, "here");
    cluster.stop().await?;
    drop(elsewhere);

    // And one that was reachable is not replaced by an empty one elsewhere.
    Cluster::start(options(&data_dir)).await?.stop().await?;
    assert!(data_dir.join("postgres/PG_VERSION").exists());
    fs::set_permissions(&closed, Permissions::from_mode(0o700))?;
    let refused = Cluster::start(options(&data_dir)).await.err().ok_or("started elsewhere")?;
    assert!(matches!(refused, Error::Unreachable { .. }), "{refused}");
    Ok(())
}

#[tokio::test]
async fn says_what_is_missing() -> Tested {
    let folder = folder()?;
    let mut options = options(folder.path());
    fs::create_dir_all(folder.path().join("postgres"))?;
    fs::write(folder.path().join("postgres/PG_VERSION"), "99\n")?;
    let refused = Cluster::start(options.clone()).await.err().ok_or("started")?.to_string();
    assert!(refused.contains("made by PostgreSQL 99, but only PostgreSQL 1"), "{refused}");

    fs::remove_dir_all(folder.path().join("postgres"))?;
    let empty = folder.path().join("bin");
    fs::create_dir(&empty)?;
    let usual = options.binaries.replace(empty.clone());
    let refused = Cluster::start(options.clone()).await.err().ok_or("started")?.to_string();
    assert!(refused.contains("sudo apt-get install postgresql"), "{refused}");
    assert!(refused.contains(&*empty.to_string_lossy()), "{refused}");

    options.binaries = usual;
    options.settings.push(("shared_buffers".to_owned(), "nonsense".to_owned()));
    let refused = Cluster::start(options).await.err().ok_or("started")?;
    assert!(refused.to_string().contains("invalid value for parameter \"shared_buffers\""), "{refused}");
    assert!(refused.source().is_none());
    Ok(())
}
