//! Which PostgreSQL runs.

use std::cmp::Reverse;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Error;
use super::account::Account;

/// The oldest major version Souk's SQL is tested with.
pub(super) const OLDEST: u32 = 15;

/// What a usable folder holds.
const PROGRAMS: [&str; 3] = ["postgres", "initdb", "pg_ctl"];

/// A folder of PostgreSQL's programs, and whom they run as.
#[derive(Debug)]
pub(super) struct Binaries {
    dir: PathBuf,
    major: u32,
    account: Option<Account>,
}

/// Where to look, and for what.
pub(super) struct Search<'a> {
    pub(super) explicit: Option<&'a Path>,
    pub(super) data_dir: &'a Path,
    /// The cluster and the version that made it, if it is there already.
    pub(super) cluster: (&'a Path, Option<u32>),
    pub(super) account: Option<&'a Account>,
}

impl Search<'_> {
    /// The first usable folder, or the first that fits the cluster.
    pub(super) fn run(&self) -> Result<Binaries, Error> {
        let mut usable = Vec::new();
        let mut rejected = Vec::new();
        let (cluster, cluster_version) = self.cluster;
        for dir in self.explicit.map_or_else(|| candidates(self.data_dir), |dir| vec![dir.to_owned()]) {
            match Binaries::probe(&dir, self.account) {
                Ok(found) if cluster_version.is_none_or(|version| version == found.major) => {
                    return Ok(found);
                }
                Ok(found) => usable.push(found.major),
                // Most candidates are places where there might be something.
                Err(_) if self.explicit.is_none() && !dir.join("postgres").exists() => {}
                Err(reason) => rejected.push(format!("{}: {reason}", dir.display())),
            }
        }
        match cluster_version {
            Some(cluster_version) if !usable.is_empty() => {
                usable.sort_unstable();
                usable.dedup();
                let found = usable.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
                Err(Error::VersionMismatch { cluster: cluster.to_owned(), cluster_version, found })
            }
            _ => Err(Error::NotFound { rejected }),
        }
    }
}

impl Binaries {
    fn probe(dir: &Path, account: Option<&Account>) -> Result<Self, String> {
        // Links lead out of PATH's folders to where the libraries are looked for, and the server
        // runs in another working directory.
        let postgres = fs::canonicalize(dir.join("postgres")).map_err(|error| error.to_string())?;
        let dir = postgres.parent().ok_or("not in a folder")?.to_owned();
        if let Some(missing) = PROGRAMS.iter().find(|program| !dir.join(program).exists()) {
            return Err(format!("{missing} is missing"));
        }
        if let Some(account) = account
            && let Some(barrier) = account.barrier(&dir).map_err(|error| error.to_string())?
        {
            let Account { name, .. } = account;
            return Err(format!("the account `{name}` can not search {}", barrier.display()));
        }
        let mut binaries = Self { dir, major: 0, account: account.cloned() };
        let output = binaries.command("postgres").arg("--version").output();
        let output = output.map_err(|error| format!("postgres does not run: {error}"))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            return Err(format!("postgres does not run: {}", complaint.trim()));
        }
        let version = String::from_utf8_lossy(&output.stdout);
        binaries.major = major(&version).ok_or_else(|| format!("unknown version `{}`", version.trim()))?;
        if binaries.major < OLDEST {
            return Err(format!("PostgreSQL {} is too old", binaries.major));
        }
        Ok(binaries)
    }

    /// A command that runs one of the programs as the right account.
    ///
    /// The environment is not handed on: it holds Souk's secrets, `PG*` variables that mean some
    /// other server, and locales that would change what the server and its helpers write.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.dir.join(program));
        command.env_clear();
        for name in ["PATH", "LD_LIBRARY_PATH"] {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        // The account may not be able to stay in the present working directory.
        command.env("LC_ALL", "C").env("TZ", "UTC").current_dir("/").stdin(Stdio::null());
        if let Some(account) = &self.account {
            account.apply(&mut command);
        }
        command
    }

    /// Runs a helper to its end. `Err` holds what it wrote.
    pub(super) async fn helper(
        &self,
        program: &'static str,
        fill: impl FnOnce(&mut Command),
    ) -> Result<(), Error> {
        let mut command = self.command(program);
        fill(&mut command);
        // Ctrl-C in the terminal is for Souk.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let output = tokio::process::Command::from(command).kill_on_drop(true).output().await;
        let output = output.map_err(Error::io("run", &self.dir.join(program)))?;
        if output.status.success() {
            return Ok(());
        }
        let text = [output.stderr, output.stdout].concat();
        Err(Error::Helper { program, output: String::from_utf8_lossy(&text).trim().to_owned() })
    }
}

/// 15 of `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`, 18 of `... 18beta2`.
fn major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number.get(..end)?.parse().ok()
}

/// Packages of the system first, then `PATH`, then what `script/bootstrap` put in place.
fn candidates(data_dir: &Path) -> Vec<PathBuf> {
    let mut found = versions("/usr/lib/postgresql", "");
    found.extend(versions("/usr", "pgsql-"));
    for homebrew in ["/opt/homebrew/opt", "/usr/local/opt"] {
        found.extend(versions(homebrew, "postgresql@"));
        found.push(Path::new(homebrew).join("postgresql/bin"));
    }
    found.extend(env::var_os("PATH").iter().flat_map(env::split_paths).filter(|dir| dir.is_absolute()));
    found.push(data_dir.join("postgres-binaries/bin"));
    found
}

/// `bin` below each folder named by the prefix and a number, the highest first.
fn versions(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let numbered = |name: &str| name.strip_prefix(prefix)?.parse::<u32>().ok();
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| Some((numbered(entry.file_name().to_str()?)?, entry.path().join("bin"))))
        .collect();
    found.sort_by_key(|(version, _)| Reverse(*version));
    found.into_iter().map(|(_, dir)| dir).collect()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn reads_the_major_version() {
        assert_eq!(major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta2\n"), Some(18));
        assert_eq!(major("postgres (EnterpriseDB)"), None);
    }
}
