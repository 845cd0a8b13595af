//! Where the cluster, its socket and its log are.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::account::Account;
use super::{Error, PORT};

/// What `sockaddr_un` holds without the final zero.
const LONGEST_SOCKET: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
/// Root's clusters go here when the data folder bars the account that runs them.
const FALLBACK: &str = "/var/lib/souk";

#[derive(Debug)]
pub(super) struct Place {
    /// The folder that holds the cluster; only Souk writes to it.
    home: PathBuf,
    pub(super) cluster: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) log: PathBuf,
}

/// Creates the data folder if missing and names it without links, so that all that use it agree.
pub(super) fn data_dir(path: &Path) -> Result<PathBuf, Error> {
    // Root's has to be passed through by the account that runs the server; not read.
    let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
    DirBuilder::new().recursive(true).mode(mode).create(path).map_err(Error::io("create", path))?;
    fs::canonicalize(path).map_err(Error::io("find", path))
}

/// Decides where the cluster is and whom it runs as. A cluster that is there stays where it is.
pub(super) fn choose(data_dir: &Path) -> Result<(Place, Option<Account>), Error> {
    let elsewhere = Path::new(FALLBACK).join(short_hash(data_dir));
    let homes = [data_dir, &elsewhere];
    let account = Account::choose(&homes.map(|home| home.join("postgres")))?;
    let Some(account) = account else {
        return Ok((Place::in_home(data_dir, data_dir, None), None));
    };
    let barrier = account.barrier(data_dir)?;
    let existing = homes.into_iter().find(|home| home.join("postgres/PG_VERSION").exists());
    let home = match (existing, barrier) {
        // Going elsewhere would look as if all data were lost.
        (Some(home), Some(barrier)) if home == data_dir => {
            let (path, account) = (data_dir.join("postgres"), account.name);
            return Err(Error::Unreachable { path, barrier, account });
        }
        (Some(home), _) => home,
        (None, None) => data_dir,
        (None, Some(barrier)) => {
            let (cluster, barrier) = (elsewhere.display(), barrier.display());
            tracing::info!(%cluster, %barrier, account = account.name, "the cluster goes where its account can reach it");
            &elsewhere
        }
    };
    if home == elsewhere {
        DirBuilder::new().recursive(true).mode(0o711).create(home).map_err(Error::io("create", home))?;
        if let Some(barrier) = account.barrier(home)? {
            return Err(Error::Unreachable { path: home.to_owned(), barrier, account: account.name });
        }
    }
    Ok((Place::in_home(home, data_dir, Some(&account)), Some(account)))
}

impl Place {
    fn in_home(home: &Path, data_dir: &Path, account: Option<&Account>) -> Self {
        Self {
            home: home.to_owned(),
            cluster: home.join("postgres"),
            socket: socket(home, account),
            log: data_dir.join("postgres.log"),
        }
    }

    /// The major version that made the cluster; `None` if there is none yet.
    pub(super) fn version(&self) -> Result<Option<u32>, Error> {
        let path = self.cluster.join("PG_VERSION");
        match fs::read_to_string(&path) {
            Ok(text) => {
                let unknown = |_| Error::io("understand", &path)(io::ErrorKind::InvalidData.into());
                text.trim().parse().map(Some).map_err(unknown)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    /// A name next to the cluster's, for a cluster in the making.
    pub(super) fn draft(&self) -> PathBuf {
        self.home.join(format!("{DRAFT}{}", std::process::id()))
    }

    /// The drafts of those that were interrupted.
    pub(super) fn leftovers(&self) -> Result<Vec<PathBuf>, Error> {
        let entries = fs::read_dir(&self.home).map_err(Error::io("list", &self.home))?;
        let is_draft = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.as_bytes().starts_with(DRAFT.as_bytes()))
        };
        Ok(entries.flatten().map(|entry| entry.path()).filter(is_draft).collect())
    }
}

const DRAFT: &str = "postgres.new-";

/// In the home if the name is short enough, else in a directory named after the home.
fn socket(home: &Path, account: Option<&Account>) -> PathBuf {
    let fits = |directory: &Path| {
        directory.as_os_str().len() + "/.s.PGSQL.".len() + PORT.to_string().len() <= LONGEST_SOCKET
    };
    let near = home.join("socket");
    if fits(&near) {
        return near;
    }
    // XDG's directory is private to the user, so the account of a server started by root is not let in.
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|_| account.is_none()).map(PathBuf::from);
    let runtime = runtime.filter(|path| path.is_absolute() && path.is_dir());
    let name = format!("souk-{}", short_hash(home));
    runtime
        .map(|path| path.join(&name))
        .filter(|path| fits(path))
        .unwrap_or_else(|| Path::new("/tmp").join(name))
}

fn short_hash(path: &Path) -> String {
    Sha256::digest(path.as_os_str().as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Creates a directory that only the server's account can enter, or makes sure that it is one.
///
/// The name may be in a directory where others write, so nothing found there is trusted: a link is
/// not followed, and a directory of somebody else is refused, not repaired.
pub(super) fn private_dir(path: &Path, account: Option<&Account>) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Error::io("create", path)(error));
        }
        _ => {}
    }
    let refuse = |reason| Err(Error::UnsafeDirectory { path: path.to_owned(), reason });
    let own = rustix::process::geteuid().as_raw();
    let found = fs::symlink_metadata(path).map_err(Error::io("look at", path))?;
    if !found.is_dir() {
        return refuse("it is not a directory");
    }
    if found.mode() & 0o7777 != 0o700 {
        return refuse("its mode is not 0700");
    }
    match account {
        Some(account) if found.uid() == account.uid => Ok(()),
        Some(account) if found.uid() == own => account.give(path),
        None if found.uid() == own => Ok(()),
        _ => refuse("it belongs to another user"),
    }
}
