//! Creating a cluster, whole or not at all.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use super::account::Account;
use super::binaries::Binaries;
use super::place::{Place, private_dir};
use super::{Error, NAME};

/// Byte order and Unicode's letters; not every system has the first.
const LOCALES: [&str; 2] = ["C.UTF-8", "C"];

/// Creates the cluster under another name and gives it its own when it is complete.
pub(super) async fn create(
    place: &Place,
    binaries: &Binaries,
    account: Option<&Account>,
    durable: bool,
) -> Result<(), Error> {
    for leftover in place.leftovers()? {
        // An initdb whose Souk was killed may still be writing there; the next start tries again.
        if let Err(error) = remove(&leftover).await {
            tracing::warn!(path = %leftover.display(), %error, "a half made cluster can not be removed");
        }
    }
    let draft = place.draft();
    let mut result = Ok(());
    for locale in LOCALES {
        private_dir(&draft, account)?;
        result = initdb(&draft, binaries, locale, durable).await;
        match &result {
            Err(Error::Helper { output, .. }) if output.contains("locale") => {
                remove(&draft).await.map_err(Error::io("remove", &draft))?;
            }
            _ => break,
        }
    }
    if let Err(error) = result {
        fs::remove_dir_all(&draft).ok();
        return Err(error);
    }
    fs::rename(&draft, &place.cluster).map_err(Error::io("put in place", &place.cluster))?;
    if durable && let Some(home) = place.cluster.parent() {
        File::open(home).and_then(|home| home.sync_all()).map_err(Error::io("sync", home))?;
    }
    tracing::info!(cluster = %place.cluster.display(), "created a PostgreSQL cluster");
    Ok(())
}

async fn initdb(target: &Path, binaries: &Binaries, locale: &str, durable: bool) -> Result<(), Error> {
    binaries
        .helper("initdb", |command| {
            command.args(["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--data-checksums"]);
            command.args(["--username", NAME, "--locale", locale, "--lc-messages=C"]);
            command.args(["--text-search-config=simple", "--no-instructions"]);
            if !durable {
                command.arg("--no-sync");
            }
            command.arg("--pgdata").arg(target);
        })
        .await
}

/// Removes a folder in which an initdb that was killed may still write its last.
async fn remove(folder: &Path) -> std::io::Result<()> {
    const TRIES: u32 = 50;
    for _ in 1..TRIES {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            outcome => return outcome,
        }
    }
    fs::remove_dir_all(folder)
}
