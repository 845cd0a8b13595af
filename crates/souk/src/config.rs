//! Configuration: flags over environment over `souk.toml` over defaults.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use platform::telemetry::LogFormat;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::cli::{Flags, Serve};

/// Variables that begin with `SOUK_` but are no settings: the first names the file, the others steer scripts.
const NO_SETTINGS: [&str; 3] = ["config", "bootstrap_postgres", "install_deny"];

/// The settings. Each is a key of `souk.toml` and, in capitals behind `SOUK_`, a variable.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Folder for the embedded PostgreSQL and for pictures.
    pub(crate) data_dir: PathBuf,
    /// Address for buyers and the API.
    pub(crate) listen: SocketAddr,
    /// Address for health checks and metrics.
    pub(crate) ops_listen: SocketAddr,
    /// Where buyers reach Souk from outside; `http://` and `listen` if not set.
    pub(crate) public_url: Option<Url>,
    /// PostgreSQL to use instead of the embedded one.
    pub(crate) database_url: Option<Url>,
    /// Most connections to PostgreSQL at a time.
    pub(crate) database_connections: u32,
    /// Folder with `postgres` and `initdb` for the embedded PostgreSQL; searched for if not set.
    pub(crate) postgres_bin: Option<PathBuf>,
    /// `auto`, `text` or `json`.
    pub(crate) log_format: LogFormat,
    /// What to log, in the syntax of `RUST_LOG`.
    pub(crate) log_filter: String,
    /// Memory for finished answers of the catalogue, in bytes.
    pub(crate) cache_bytes: u64,
    /// How long a cart lives after its last change.
    pub(crate) cart_lifetime_seconds: u64,
    /// How long an order that awaits payment holds its stock.
    pub(crate) payment_hold_seconds: u64,
    /// After how long in one step an order is taken up by recovery.
    pub(crate) step_deadline_seconds: u64,
}

impl Config {
    fn defaults() -> anyhow::Result<Self> {
        let orders = orders::Settings::default();
        Ok(Self {
            data_dir: platform_data_dir()?,
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            ops_listen: SocketAddr::from(([127, 0, 0, 1], 3001)),
            public_url: None,
            database_url: None,
            database_connections: 20,
            postgres_bin: None,
            log_format: LogFormat::Auto,
            log_filter: "info".to_owned(),
            cache_bytes: 64 * 1024 * 1024,
            cart_lifetime_seconds: orders.cart_lifetime.as_secs(),
            payment_hold_seconds: orders.payment_hold.as_secs(),
            step_deadline_seconds: orders.step_deadline.as_secs(),
        })
    }

    /// Where buyers reach Souk.
    pub(crate) fn public_url(&self) -> anyhow::Result<Url> {
        match &self.public_url {
            Some(url) => Ok(url.clone()),
            None => Ok(Url::parse(&format!("http://{}", self.listen))?),
        }
    }

    /// What the orders module takes of it.
    pub(crate) fn orders(&self) -> orders::Settings {
        orders::Settings {
            cart_lifetime: Duration::from_secs(self.cart_lifetime_seconds),
            payment_hold: Duration::from_secs(self.payment_hold_seconds),
            step_deadline: Duration::from_secs(self.step_deadline_seconds),
            ..orders::Settings::default()
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        let years = 10 * 365 * 24 * 60 * 60;
        for (key, seconds) in [
            ("cart_lifetime_seconds", self.cart_lifetime_seconds),
            ("payment_hold_seconds", self.payment_hold_seconds),
            ("step_deadline_seconds", self.step_deadline_seconds),
        ] {
            if !(1..=years).contains(&seconds) {
                bail!("{key} is {seconds}; it has to be from 1 to {years}");
            }
        }
        if !(4..=1_000).contains(&self.database_connections) {
            bail!("database_connections is {}; it has to be from 4 to 1000", self.database_connections);
        }
        if let Some(url) = &self.database_url
            && !matches!(url.scheme(), "postgres" | "postgresql")
        {
            bail!("database_url has the scheme {:?}; it has to be postgres://", url.scheme());
        }
        if let Some(url) = &self.public_url
            && !matches!(url.scheme(), "http" | "https")
        {
            bail!("public_url has the scheme {:?}; it has to be http:// or https://", url.scheme());
        }
        Ok(())
    }
}

/// A configuration and where its values come from.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    figment: Figment,
}

/// Loads the configuration.
pub(crate) fn load(flags: &Flags, serve: Option<&Serve>) -> anyhow::Result<Loaded> {
    let defaults = Config::defaults()?;
    let mut figment = Figment::from(Serialized::defaults(defaults));
    match &flags.config {
        Some(file) if !file.is_file() => bail!("there is no configuration file {}", file.display()),
        Some(file) => figment = figment.merge(Toml::file_exact(file)),
        None if Path::new("souk.toml").is_file() => figment = figment.merge(Toml::file_exact("souk.toml")),
        None => {}
    }
    figment = figment
        .merge(Env::raw().only(&["DATABASE_URL"]).map(|_| "database_url".into()))
        .merge(Env::prefixed("SOUK_").ignore(&NO_SETTINGS))
        .merge(Serialized::from(flags, "default"));
    if let Some(serve) = serve {
        figment = figment.merge(Serialized::from(serve, "default"));
    }
    let config: Config = figment.extract().map_err(|error| explain(&error))?;
    config.check().context("the configuration is wrong")?;
    Ok(Loaded { config, figment })
}

/// Names the key, its source, and what is wrong with it.
fn explain(error: &figment::Error) -> anyhow::Error {
    let all: Vec<String> = error
        .clone()
        .into_iter()
        .map(|error| {
            let source = error.metadata.as_ref().map(source).unwrap_or_default();
            let key = error.path.join(".");
            let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
            format!("{key}{}{source}", error.kind)
        })
        .collect();
    anyhow!("the configuration is wrong: {}", all.join("; "))
}

fn source(metadata: &figment::Metadata) -> String {
    match &metadata.source {
        Some(figment::Source::File(path)) => format!(" (in {})", path.display()),
        _ if metadata.name.contains("environment") => " (in the environment)".to_owned(),
        _ => String::new(),
    }
}

impl Loaded {
    /// The configuration in the form of `souk.toml`, secrets masked, with the source of each value.
    pub(crate) fn describe(&self) -> anyhow::Result<String> {
        let mut shown = self.config.clone();
        if let Some(url) = &mut shown.database_url {
            mask(url);
        }
        let table = toml::Table::try_from(&shown)?;
        let mut text = String::new();
        for key in Self::keys()? {
            match table.get(&key) {
                Some(value) => writeln!(text, "{key} = {value}  # {}", self.origin(&key))?,
                None => writeln!(text, "# {key} is not set")?,
            }
        }
        Ok(text)
    }

    /// All keys, in the order they are declared.
    fn keys() -> anyhow::Result<Vec<String>> {
        let value = serde_json::to_value(Config::defaults()?)?;
        let mut keys: Vec<String> =
            value.as_object().context("settings are a table")?.keys().cloned().collect();
        keys.sort();
        Ok(keys)
    }

    fn origin(&self, key: &str) -> String {
        match self.figment.find_metadata(key) {
            Some(metadata) => match &metadata.source {
                Some(figment::Source::File(path)) => relative(path),
                Some(figment::Source::Code(_)) | None if metadata.name.contains("environment") => {
                    "environment".to_owned()
                }
                _ if metadata.name.contains("Config") => "default".to_owned(),
                _ => "flag".to_owned(),
            },
            None => "default".to_owned(),
        }
    }
}

fn relative(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Puts asterisks in place of the password, also where it stands in the query.
fn mask(url: &mut Url) {
    if url.password().is_some() && url.set_password(Some("***")).is_err() {
        url.set_query(None);
    }
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| {
            let secret = name.contains("password") || name.contains("key");
            (name.into_owned(), if secret { "***".to_owned() } else { value.into_owned() })
        })
        .collect();
    if !pairs.is_empty() {
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
}

/// Where programs keep their data on this platform (XDG Base Directory Specification on Linux).
fn platform_data_dir() -> anyhow::Result<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(dir) = from("XDG_DATA_HOME").filter(|dir| dir.is_absolute()) {
        return Ok(dir.join("souk"));
    }
    // A service without a home has a place of its own.
    let Some(home) = from("HOME") else { return Ok(PathBuf::from("/var/lib/souk")) };
    Ok(if cfg!(target_os = "macos") {
        home.join("Library/Application Support/souk")
    } else {
        home.join(".local/share/souk")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commented file in the repository shows every key with its default.
    #[test]
    fn the_default_file_is_complete_and_true() {
        let file = include_str!("../../../souk.toml");
        let uncommented: String = file
            .lines()
            .filter_map(|line| {
                line.strip_prefix('#').filter(|line| !line.starts_with(' ') && line.contains(" = "))
            })
            .map(|line| format!("{line}\n"))
            .collect();
        let defaults = Config::defaults().unwrap();
        let shown: toml::Table = uncommented.parse().unwrap();
        let mut keys: Vec<String> = shown.keys().cloned().collect();
        keys.sort();
        assert_eq!(keys, Loaded::keys().unwrap());
        let table = toml::Table::try_from(&defaults).unwrap();
        for (key, value) in &shown {
            if let Some(default) = table.get(key).filter(|_| key != "data_dir") {
                assert_eq!(value, default, "{key}");
            }
        }
    }

    #[test]
    fn masks_passwords_wherever_they_stand() {
        let mut url: Url =
            "postgres://souk:s3cret@db/souk?sslpassword=s3cret&sslmode=require".parse().unwrap();
        mask(&mut url);
        assert!(!url.as_str().contains("s3cret"), "{url}");
        assert!(url.as_str().contains("sslmode=require"));
    }
}
