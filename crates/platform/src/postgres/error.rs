use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::binaries::OLDEST;

/// Why the embedded PostgreSQL does not run. The text is meant for whoever started Souk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process owns the data folder.
    #[error("the data folder {} is in use by `{command}` (pid {pid})", data_dir.display())]
    InUse {
        /// The folder.
        data_dir: PathBuf,
        /// The owner's process.
        pid: u32,
        /// What the owner says it is, such as `souk serve`.
        command: String,
    },
    /// Another process owns the data folder, but its cluster did not let this one in.
    #[error("the PostgreSQL that another Souk runs in {} did not answer within {seconds} s", data_dir.display())]
    NotJoined {
        /// The folder.
        data_dir: PathBuf,
        /// How long this process tried.
        seconds: u64,
        /// The last attempt's failure.
        source: Option<sqlx::Error>,
    },
    /// There is no PostgreSQL that can be used.
    #[error(
        "no usable PostgreSQL {OLDEST} or newer found{}\n\
         Do one of these:\n\
         - Debian, Ubuntu: sudo apt-get install postgresql\n\
         - macOS: brew install postgresql@17\n\
         - run script/bootstrap in the project's folder, which fetches one and needs no root\n\
         - set SOUK_POSTGRES_BIN to the folder that holds `postgres` and `initdb`\n\
         - set DATABASE_URL to use a server of your own", Listed(.rejected)
    )]
    NotFound {
        /// What was found and why it can not be used.
        rejected: Vec<String>,
    },
    /// The cluster needs another major version than those installed.
    #[error(
        "the cluster {} was made by PostgreSQL {cluster_version}, but only PostgreSQL {found} is here: \
         install PostgreSQL {cluster_version}, or move the data over with pg_upgrade or pg_dump", cluster.display()
    )]
    VersionMismatch {
        /// The cluster's folder.
        cluster: PathBuf,
        /// The major version that made it.
        cluster_version: u32,
        /// The major versions found, as a list to read.
        found: String,
    },
    /// Souk runs as root, PostgreSQL may not, and the account it would run as can not get there.
    #[error(
        "PostgreSQL does not run as root, and the account `{account}` that runs it instead can not reach \
         {} (no search permission on {})", path.display(), barrier.display()
    )]
    Unreachable {
        /// What has to be reached.
        path: PathBuf,
        /// The first folder on the way that bars the account.
        barrier: PathBuf,
        /// The account's name.
        account: String,
    },
    /// Souk runs as root, and there is no account PostgreSQL could run as.
    #[error(
        "PostgreSQL does not run as root, and /etc/passwd has neither `postgres` nor `nobody`: \
         run Souk as an ordinary user, or set DATABASE_URL"
    )]
    NoAccount,
    /// A directory that must be private is not.
    #[error("{} can not hold the socket: {reason}", path.display())]
    UnsafeDirectory {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A helper of PostgreSQL (`initdb`, `pg_ctl`) failed.
    #[error("{program} failed: {output}")]
    Helper {
        /// The program's name.
        program: &'static str,
        /// What it wrote.
        output: String,
    },
    /// The server did not come up.
    #[error("PostgreSQL {reason}; the end of {}:\n{tail}", log.display())]
    NotStarted {
        /// What happened instead.
        reason: String,
        /// The server's log.
        log: PathBuf,
        /// What this run wrote to it last.
        tail: String,
    },
    /// The server did not end.
    #[error("PostgreSQL does not stop; look for the process named in {}", pid_file.display())]
    NotStopped {
        /// The file that tells the postmaster's process.
        pid_file: PathBuf,
    },
    /// The operating system refused something.
    #[error("can not {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// The server runs but refuses to be set up.
    #[error("the embedded PostgreSQL refused a statement")]
    Database(#[from] sqlx::Error),
}

impl Error {
    /// For `map_err`: names the deed and its object.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }
}

struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|item| write!(f, "\n  {item}"))
    }
}
