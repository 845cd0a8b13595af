//! The key that seals what is kept in the database.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::{Sources, Vault};

use super::masked::Masked;

/// The file below the data folder that stands in for a setting.
const FILE: &str = "secret.key";

/// Opens the vault: with the key of the settings, else with the one in the data folder, which is made if missing.
pub(crate) fn vault(key: Option<&Masked>, data_dir: &Path, sources: &Sources) -> anyhow::Result<Vault> {
    let key = match key {
        Some(key) => read(key.expose()).context("secret_key")?,
        None => {
            let file = data_dir.join(FILE);
            from_file(&file, sources).with_context(|| file.display().to_string())?
        }
    };
    Ok(Vault::new(&key))
}

/// Checks a key without opening anything.
pub(crate) fn check(key: &Masked) -> anyhow::Result<()> {
    read(key.expose()).map(|_| ()).context("secret_key")
}

fn read(text: &str) -> anyhow::Result<[u8; Vault::KEY_BYTES]> {
    let bytes = STANDARD.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.context("it has to be 32 random bytes in base64, such as `openssl rand -base64 32` prints")
}

fn from_file(file: &Path, sources: &Sources) -> anyhow::Result<[u8; Vault::KEY_BYTES]> {
    match std::fs::read_to_string(file) {
        Ok(text) => read(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder)?;
            }
            make(file, sources)
        }
        Err(error) => bail!(error),
    }
}

/// Makes the file whole or not at all. Another process may be first: then its key is taken.
fn make(file: &Path, sources: &Sources) -> anyhow::Result<[u8; Vault::KEY_BYTES]> {
    let key = sources.random::<{ Vault::KEY_BYTES }>();
    let new = file.with_extension(format!("key.{}", std::process::id()));
    let mut made =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    writeln!(made, "{}", STANDARD.encode(key))?;
    made.sync_all()?;
    let linked = std::fs::hard_link(&new, file);
    std::fs::remove_file(&new)?;
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            read(&std::fs::read_to_string(file)?)
        }
        Err(error) => bail!(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_made_once_and_read_by_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data").join(FILE);
        let first = from_file(&file, &Sources::system()).unwrap();
        assert_eq!(from_file(&file, &Sources::system()).unwrap(), first);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path().join("data")).unwrap().count(), 1);
    }

    #[test]
    fn a_key_has_32_bytes() {
        assert!(read("c2hvcnQ=").is_err());
        assert!(read(&STANDARD.encode([1; 32])).is_ok());
    }
}
