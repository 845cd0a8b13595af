//! Whom the server runs as when Souk runs as root: initdb and postgres refuse uid 0.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Error;

/// In the order of preference; `_postgres` is macOS's name. initdb insists on an entry of passwd.
const NAMES: [&str; 3] = ["postgres", "_postgres", "nobody"];

/// An account of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    gid: u32,
}

impl Account {
    /// `None` if this process is not root, so that the server runs as the same user.
    ///
    /// A cluster that already is there keeps its owner: it may have been made without `sudo`.
    pub(super) fn choose(clusters: &[PathBuf]) -> Result<Option<Self>, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let path = Path::new("/etc/passwd");
        let passwd = fs::read_to_string(path).map_err(Error::io("read", path))?;
        let accounts: Vec<Self> = passwd.lines().filter_map(Self::parse).collect();
        let owner = clusters.iter().find_map(|cluster| fs::metadata(cluster).ok()).map(|meta| meta.uid());
        let of_cluster = owner.and_then(|uid| accounts.iter().find(|account| account.uid == uid));
        let by_name = || NAMES.iter().find_map(|name| accounts.iter().find(|account| account.name == *name));
        of_cluster.or_else(by_name).cloned().map(Some).ok_or(Error::NoAccount)
    }

    /// One line of passwd(5), unless it is root's.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let mut id = || fields.nth(1)?.parse().ok();
        let uid = id()?;
        let gid = fields.next()?.parse().ok()?;
        (uid != 0).then_some(Self { name, uid, gid })
    }

    /// Makes the command run as this account, without root's supplementary groups: std drops those
    /// together with the uid.
    pub(super) fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Hands a file or directory over. Does not follow a link, which would give away its target.
    pub(super) fn give(&self, path: &Path) -> Result<(), Error> {
        lchown(path, Some(self.uid), Some(self.gid)).map_err(Error::io("change the owner of", path))
    }

    /// The first ancestor of an absolute path, or the path itself, that the account may not search.
    pub(super) fn barrier(&self, path: &Path) -> Result<Option<PathBuf>, Error> {
        let mut ancestors: Vec<&Path> = path.ancestors().collect();
        ancestors.reverse();
        for directory in ancestors {
            let meta = match fs::metadata(directory) {
                Ok(meta) => meta,
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(Error::io("look at", directory)(error)),
            };
            let search = if meta.uid() == self.uid {
                0o100
            } else if meta.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            if meta.mode() & search == 0 {
                return Ok(Some(directory.to_owned()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::Account;

    #[test]
    fn reads_passwd() {
        let account = Account { name: "postgres".into(), uid: 101, gid: 104 };
        let line = "postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash";
        assert_eq!(Account::parse(line), Some(account));
        assert_eq!(Account::parse("root:x:0:0:root:/root:/bin/bash"), None);
        assert_eq!(Account::parse("# a comment"), None);
    }
}
