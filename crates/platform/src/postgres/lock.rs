//! Who owns the data folder, and who uses it.
//!
//! Both are locks of the operating system: they end with the process that holds them, however it
//! ends, so that there is nothing to clean up. What the file says is only for reading.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{Error, POLL};

const LOCK: &str = "souk.lock";
const GUESTS: &str = "souk.guests";

/// What the owner tells of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Holder {
    pid: u32,
    command: String,
    /// `None` before the server starts, and again when the owner is about to leave.
    pub(super) socket: Option<PathBuf>,
}

/// The ownership of a data folder.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
    command: String,
}

impl Lock {
    /// `None` if another has it.
    pub(super) fn try_take(data_dir: &Path, command: &str) -> Result<Option<Self>, Error> {
        let path = data_dir.join(LOCK);
        let file = open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
        }
        let lock = Self { file, path, command: command.to_owned() };
        lock.tell(None)?;
        Ok(Some(lock))
    }

    /// Tells others who owns the folder and where guests are let in, if they are.
    pub(super) fn tell(&self, socket: Option<&Path>) -> Result<(), Error> {
        let (pid, command) = (std::process::id(), self.command.clone());
        let holder = Holder { pid, command, socket: socket.map(Path::to_owned) };
        let write = || {
            let text = serde_json::to_vec(&holder)?;
            self.file.set_len(0)?;
            (&self.file).rewind()?;
            (&self.file).write_all(&text)
        };
        write().map_err(Error::io("write", &self.path))
    }
}

impl Drop for Lock {
    /// Closing is not enough: a child that is being forked has a copy until it calls exec.
    fn drop(&mut self) {
        self.file.unlock().ok();
    }
}

/// What the present owner says of itself; `None` while it has not said so yet.
pub(super) fn holder(data_dir: &Path) -> Option<Holder> {
    serde_json::from_slice(&fs::read(data_dir.join(LOCK)).ok()?).ok()
}

/// The error that names the owner.
pub(super) async fn in_use(data_dir: PathBuf) -> Error {
    // It writes its name right after taking the lock.
    let deadline = Instant::now() + Duration::from_secs(1);
    while Instant::now() < deadline {
        if let Some(Holder { pid, command, .. }) = holder(&data_dir) {
            return Error::InUse { data_dir, pid, command };
        }
        sleep(POLL).await;
    }
    Error::InUse { data_dir, pid: 0, command: "an unknown process".to_owned() }
}

/// A guest's share of `souk.guests`.
#[derive(Debug)]
pub(super) struct Guest {
    share: File,
}

impl Guest {
    /// `None` while the owner closes the house.
    pub(super) fn try_enter(data_dir: &Path) -> Result<Option<Self>, Error> {
        let path = data_dir.join(GUESTS);
        let file = open(&path)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(Self { share: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::io("lock", &path)(source)),
        }
    }
}

impl Drop for Guest {
    /// As with [`Lock`].
    fn drop(&mut self) {
        self.share.unlock().ok();
    }
}

/// Waits until the last guest has left and keeps new ones out as long as the file is kept; gives up
/// after `patience` and returns `None`.
pub(super) async fn close_to_guests(data_dir: &Path, patience: Duration) -> Result<Option<File>, Error> {
    let path = data_dir.join(GUESTS);
    let file = open(&path)?;
    let deadline = Instant::now() + patience;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
        }
        if !told {
            tracing::info!(data_dir = %data_dir.display(), "waiting for other Souk commands to leave the database");
            told = true;
        }
        sleep(POLL).await;
    }
}

fn open(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(Error::io("open", path))
}
