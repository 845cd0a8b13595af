//! Configuration: flags over environment over `souk.toml` over defaults.
mod database_url;
mod login_providers;
mod masked;
mod payment_provider;
mod proxies;
mod secret_key;
mod variables;

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use ipnet::IpNet;
use notifications::Smtp;
use payments::{PayoutDefaults, ProviderSettings, StripeSettings};
use platform::telemetry::LogFormat;
use platform::{Sources, Vault};
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use url::Url;

pub(crate) use self::database_url::DatabaseUrl;
use self::login_providers::LoginProvider;
use self::masked::Masked;
use self::variables::Variables;
use crate::app::{MailSettings, Settings};
use crate::cli::{Flags, Serve};

/// A change of a cart is answered with all of its lines.
const MOST_CART_LINES: usize = 5_000;

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
    /// The name of the marketplace.
    pub(crate) name: String,
    /// Seals signing keys and second factors in the database; made in `data_dir` if not set.
    pub(crate) secret_key: Option<Masked>,
    /// Where people can sign in besides.
    pub(crate) login_providers: Vec<LoginProvider>,
    /// Proxies whose word for a client's address is believed.
    #[serde(deserialize_with = "proxies::read")]
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Whether requests are limited in number.
    pub(crate) rate_limits: bool,
    /// Redis that counts requests for all nodes together; each for itself if not set.
    pub(crate) redis_url: Option<Masked>,
    /// PostgreSQL to use instead of the embedded one.
    pub(crate) database_url: Option<DatabaseUrl>,
    /// Mail server; without one, mails are caught.
    pub(crate) smtp_url: Option<Masked>,
    /// Who mails come from; `no-reply` at the host of `public_url` if not set.
    pub(crate) mail_from: Option<String>,
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
    /// How many different items a cart holds.
    pub(crate) cart_lines: usize,
    /// How long an order that awaits payment holds its stock.
    pub(crate) payment_hold_seconds: u64,
    /// After how long in one step an order is taken up by recovery.
    pub(crate) step_deadline_seconds: u64,
    /// Stripe's secret key; without one the sandbox is asked for money.
    pub(crate) stripe_secret_key: Option<Masked>,
    /// What Stripe signs its notices with, one for each endpoint.
    pub(crate) stripe_webhook_secrets: Vec<Masked>,
    /// Where Stripe is, or a stand-in.
    pub(crate) stripe_api_base: Url,
    /// When the money of stores is sent that have said nothing else.
    pub(crate) payout_schedule: String,
    /// For how many days a sale waits before it is paid out.
    pub(crate) payout_hold_days: i16,
    /// How much of each sale is kept back, in hundredths of a percent.
    pub(crate) payout_reserve_basis_points: i16,
    /// For how many days.
    pub(crate) payout_reserve_days: i16,
    /// For how many hours a provider's books and the ledger wait for one another.
    pub(crate) reconciliation_grace_hours: u32,
}

/// Three days: about as long as providers try to deliver a webhook.
const GRACE_HOURS: u32 = 72;
/// A year.
const MOST_GRACE_HOURS: u32 = 8_760;

impl Config {
    fn defaults() -> anyhow::Result<Self> {
        let orders = orders::Settings::default();
        let payouts = PayoutDefaults::default();
        Ok(Self {
            data_dir: platform_data_dir()?,
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            ops_listen: SocketAddr::from(([127, 0, 0, 1], 3001)),
            public_url: None,
            name: "Souk".to_owned(),
            secret_key: None,
            login_providers: Vec::new(),
            trusted_proxies: Vec::new(),
            rate_limits: true,
            redis_url: None,
            database_url: None,
            smtp_url: None,
            mail_from: None,
            database_connections: 20,
            postgres_bin: None,
            log_format: LogFormat::Auto,
            log_filter: "info".to_owned(),
            cache_bytes: 64 * 1024 * 1024,
            cart_lifetime_seconds: orders.cart_lifetime.as_secs(),
            cart_lines: orders.most_cart_lines,
            payment_hold_seconds: orders.payment_hold.as_secs(),
            step_deadline_seconds: orders.step_deadline.as_secs(),
            stripe_secret_key: None,
            stripe_webhook_secrets: Vec::new(),
            stripe_api_base: StripeSettings::API.parse()?,
            payout_schedule: "weekly monday".to_owned(),
            payout_hold_days: payouts.hold_days,
            payout_reserve_basis_points: payouts.reserve_basis_points,
            payout_reserve_days: payouts.reserve_days,
            reconciliation_grace_hours: GRACE_HOURS,
        })
    }

    /// Where buyers reach Souk.
    pub(crate) fn public_url(&self) -> anyhow::Result<Url> {
        match &self.public_url {
            Some(url) => Ok(url.clone()),
            None => Ok(Url::parse(&format!("http://{}", self.listen))?),
        }
    }

    /// What the modules take of it.
    pub(crate) fn modules(&self, sources: &Sources) -> anyhow::Result<Settings> {
        let vault = self.vault(sources)?;
        // Derived, so that what is signed for it is good for nothing else.
        let sandbox_secret = vault.derive("payments.sandbox");
        let identity = identity::Settings {
            name: self.name.clone(),
            providers: login_providers::providers(&self.login_providers),
            ..identity::Settings::new(self.public_url()?, vault)
        };
        let orders = orders::Settings {
            cart_lifetime: Duration::from_secs(self.cart_lifetime_seconds),
            most_cart_lines: self.cart_lines,
            payment_hold: Duration::from_secs(self.payment_hold_seconds),
            step_deadline: Duration::from_secs(self.step_deadline_seconds),
            order_url: Some(format!("{}?order=", self.public_url()?)),
            ..orders::Settings::default()
        };
        let payments = self.payments(sandbox_secret)?;
        Ok(Settings { identity, payments, orders, mail: self.mail()? })
    }

    fn payments(&self, sandbox_secret: [u8; 32]) -> anyhow::Result<payments::Settings> {
        Ok(payments::Settings {
            public_url: self.public_url()?,
            provider: self.payment_provider(sandbox_secret)?,
            payouts: self.payouts()?,
            reconciliation_grace: time::Duration::hours(self.reconciliation_grace_hours.into()),
        })
    }

    fn payment_provider(&self, sandbox_secret: [u8; 32]) -> anyhow::Result<ProviderSettings> {
        let key = self.stripe_secret_key.as_ref();
        payment_provider::provider(key, &self.stripe_webhook_secrets, &self.stripe_api_base, sandbox_secret)
    }

    fn payouts(&self) -> anyhow::Result<PayoutDefaults> {
        let payouts = PayoutDefaults {
            schedule: self.payout_schedule.parse().context("payout_schedule")?,
            hold_days: self.payout_hold_days,
            reserve_basis_points: self.payout_reserve_basis_points,
            reserve_days: self.payout_reserve_days,
        };
        match payouts.wrong() {
            Some(wrong) => bail!("{wrong}"),
            None => Ok(payouts),
        }
    }

    fn mail(&self) -> anyhow::Result<MailSettings> {
        let smtp = self.smtp_url.as_ref().map(|url| Smtp::at(url.expose())).transpose()?;
        let (name, from) = (self.name.clone(), self.mail_from.as_deref());
        Ok(MailSettings::new(self.public_url()?, name, from, smtp)?)
    }

    /// What seals secrets in the database.
    pub(crate) fn vault(&self, sources: &Sources) -> anyhow::Result<Vault> {
        secret_key::vault(self.secret_key.as_ref(), &self.data_dir, sources)
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
        if !(1..=MOST_CART_LINES).contains(&self.cart_lines) {
            bail!("cart_lines is {}; it has to be from 1 to {MOST_CART_LINES}", self.cart_lines);
        }
        if !(6..=1_000).contains(&self.database_connections) {
            bail!("database_connections is {}; it has to be from 6 to 1000", self.database_connections);
        }
        if let Some(url) = &self.database_url {
            url.options()?;
        }
        if let Some(key) = &self.secret_key {
            secret_key::check(key)?;
        }
        login_providers::check(&self.login_providers)?;
        if let Some(url) = &self.redis_url {
            platform::limits::Redis::check(url.expose()).context("redis_url")?;
        }
        if self.smtp_url.is_some() && self.mail_from.is_none() && self.public_url.is_none() {
            bail!("smtp_url is set: say in mail_from who mails come from, or where Souk is in public_url");
        }
        self.mail()?;
        self.payments([0; 32])?;
        if !(1..=MOST_GRACE_HOURS).contains(&self.reconciliation_grace_hours) {
            bail!("reconciliation_grace_hours is from 1 to {MOST_GRACE_HOURS}");
        }
        EnvFilter::builder().parse(&self.log_filter).map_err(|error| anyhow!("log_filter: {error}"))?;
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
    let mut figment = Figment::from(Serialized::defaults(Config::defaults()?));
    if let Some(file) = file(flags)? {
        figment = figment.merge(Toml::file_exact(file));
    }
    figment = figment.merge(Variables::read(&settings()?)?).merge(Serialized::from(flags, "default"));
    if let Some(url) = &flags.database_url {
        figment = figment.merge(("database_url", url.expose()));
    }
    if let Some(serve) = serve {
        figment = figment.merge(Serialized::from(serve, "default"));
    }
    let config: Config = figment.extract().map_err(|error| explain(&error))?;
    config.check().context("the configuration is wrong")?;
    Ok(Loaded { config, figment })
}

/// The configuration file, if there is one and it is TOML.
fn file(flags: &Flags) -> anyhow::Result<Option<&Path>> {
    let named = flags.config.as_deref().filter(|file| !file.is_empty()).map(Path::new);
    let file = match named {
        Some(file) if !file.is_file() => bail!("there is no configuration file {}", file.display()),
        Some(file) => file,
        None if Path::new("souk.toml").is_file() => Path::new("souk.toml"),
        None => return Ok(None),
    };
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    // In words that do not repeat the line, which may hold a password.
    if let Err(error) = text.parse::<toml::Table>() {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        bail!("{}, line {line}: {}", file.display(), error.message());
    }
    Ok(Some(file))
}

/// All settings and their defaults; null where there is none.
fn settings() -> anyhow::Result<serde_json::Map<String, serde_json::Value>> {
    match serde_json::to_value(Config::defaults()?)? {
        serde_json::Value::Object(settings) => Ok(settings),
        _ => bail!("settings are a table"),
    }
}

/// Names the key, its source, and what is wrong with it.
fn explain(error: &figment::Error) -> anyhow::Error {
    let all: Vec<String> = error
        .clone()
        .into_iter()
        .map(|error| {
            let source = error.metadata.as_ref().map(source).unwrap_or_default();
            match error.path.join(".").as_str() {
                "" => format!("{}{source}", error.kind),
                // Without the value, which may be a password.
                key @ ("database_url" | "redis_url" | "secret_key" | "smtp_url" | "stripe_secret_key") => {
                    format!("{key}: it has to be a text{source}")
                }
                key if key.starts_with("login_providers") => {
                    format!("{key}: {}{source}", without_value(&error.kind))
                }
                key if key.starts_with("stripe_webhook_secrets") => {
                    format!("{key}: it has to be a list of texts{source}")
                }
                key => format!("{key}: {}{source}", error.kind),
            }
        })
        .collect();
    anyhow!("the configuration is wrong: {}", all.join("; "))
}

/// What is wrong, without a value that may be a secret.
fn without_value(kind: &figment::error::Kind) -> String {
    use figment::error::Kind;
    match kind {
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
            format!("it has to be {expected}; see docs/login-providers.md")
        }
        other => other.to_string(),
    }
}

fn source(metadata: &figment::Metadata) -> String {
    match &metadata.source {
        Some(figment::Source::File(path)) => format!(" (in {})", path.display()),
        _ if metadata.name == "environment" => " (in the environment)".to_owned(),
        _ => String::new(),
    }
}

impl Loaded {
    /// The configuration in the form of `souk.toml`, secrets masked, with the source of each value.
    pub(crate) fn describe(&self) -> anyhow::Result<String> {
        let table = toml::Table::try_from(&self.config)?;
        let mut text = String::new();
        for key in settings()?.keys() {
            match table.get(key) {
                Some(value) => writeln!(text, "{key} = {value}  # {}", self.origin(key))?,
                None => writeln!(text, "# {key} is not set")?,
            }
        }
        Ok(text)
    }

    fn origin(&self, key: &str) -> String {
        match self.figment.find_metadata(key) {
            Some(metadata) => match &metadata.source {
                Some(figment::Source::File(path)) => relative(path),
                _ if metadata.name == "environment" => "environment".to_owned(),
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
        assert_eq!(keys, settings().unwrap().keys().cloned().collect::<Vec<_>>());
        let table = toml::Table::try_from(&defaults).unwrap();
        for (key, value) in &shown {
            if let Some(default) = table.get(key).filter(|_| key != "data_dir") {
                assert_eq!(value, default, "{key}");
            }
        }
    }
}
