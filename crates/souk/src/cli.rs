//! The command line.

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use platform::{Currency, Slug};
use serde::Serialize;
use url::Url;

use crate::config::DatabaseUrl;
use crate::import::{self, HistoryImport, Preset, ProductsImport};
use crate::ledger::LedgerCommand;
use crate::payouts::PayoutsCommand;
use crate::people::{ApiKeyCommand, KeysCommand, UserCommand};
use crate::reconcile::ReconcileCommand;
use crate::sandbox::SandboxCommand;
use crate::session::Session;
use crate::webhooks::WebhooksCommand;
use crate::{config, ledger, payouts, people, reconcile, sandbox, serve, stock, verify, webhooks};

/// Souk, a multi-vendor marketplace engine.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    settings: Flags,
    #[command(subcommand)]
    command: Command,
}

/// Settings given as flags: they win over the environment and the file.
#[derive(Debug, Args, Serialize)]
pub(crate) struct Flags {
    /// Configuration file [default: souk.toml in this folder, if it is there]
    #[arg(long, global = true, value_name = "FILE", env = "SOUK_CONFIG", hide_env_values = true,
        value_parser = clap::value_parser!(OsString))]
    #[serde(skip)]
    pub(crate) config: Option<OsString>,
    /// Folder for the embedded PostgreSQL and for pictures
    #[arg(long, global = true, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<PathBuf>,
    /// PostgreSQL to use instead of the embedded one
    #[arg(long, global = true, value_name = "URL", value_parser = DatabaseUrl::given)]
    #[serde(skip)]
    pub(crate) database_url: Option<DatabaseUrl>,
    /// What to log, in the syntax of RUST_LOG, such as `info` or `warn,orders=debug`
    #[arg(long, global = true, value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    log_filter: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the marketplace
    Serve(Serve),
    /// Bring the database up to date and exit
    Migrate,
    /// Move data in from another system
    #[command(subcommand)]
    Import(Import),
    /// Change what is in stock
    #[command(subcommand)]
    Stock(Stock),
    /// Open accounts, give roles, and help those who have lost their password
    #[command(subcommand)]
    User(UserCommand),
    /// Make and end keys of programs
    #[command(subcommand)]
    Apikey(ApiKeyCommand),
    /// Replace the keys that sign access tokens
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Read and prove the books
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// See what payment providers told, and have it applied once more
    #[command(subcommand)]
    Webhooks(WebhooksCommand),
    /// Have things happen at the sandbox, the payment provider for demos and tests
    #[command(subcommand)]
    Sandbox(SandboxCommand),
    /// Send stores their money
    #[command(subcommand)]
    Payouts(PayoutsCommand),
    /// Compare payment providers' books with the ledger, and end what differs
    #[command(subcommand)]
    Reconcile(ReconcileCommand),
    /// Check every invariant of the database; exits with 1 when one is broken
    Verify {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the configuration in effect, secrets masked, and where each value comes from
    Config,
    /// Print the OpenAPI document
    Openapi,
}

#[derive(Debug, Args, Serialize)]
pub(crate) struct Serve {
    /// Fill an empty database with the demo marketplace
    #[arg(long)]
    #[serde(skip)]
    pub(crate) demo: bool,
    /// Address for buyers and the API, such as 127.0.0.1:3000
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<SocketAddr>,
    /// Address for health checks and metrics, such as 127.0.0.1:3001
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    ops_listen: Option<SocketAddr>,
    /// Where buyers reach Souk from outside, such as https://market.example
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    public_url: Option<Url>,
}

#[derive(Debug, Subcommand)]
enum Stock {
    /// Add to, or take from, what is on hand of a variant, with the reason
    Adjust(stock::Adjust),
}

#[derive(Debug, Subcommand)]
enum Import {
    /// Products from a CSV file in Shopify's format, with old or new headers
    Products {
        /// The CSV file
        file: PathBuf,
        /// Slug of the store they go to; it is made if missing
        #[arg(long)]
        store: Slug,
        /// Currency of the prices
        #[arg(long, default_value = "GBP", value_parser = currency)]
        currency: Currency,
        /// Opening stock of variants for which the file gives no quantity
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..=1_000_000_000))]
        stock: i64,
        /// Where to report rows that could not be taken [default: FILE's name with .report.csv, in this folder]
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
    /// Products, customers, orders and returns from a history of invoices (CSV, may be gzipped)
    History {
        /// The file
        file: PathBuf,
        /// Slug of the store it goes to; it is made if missing
        #[arg(long)]
        store: Slug,
        /// The form of the file
        #[arg(long, value_enum)]
        preset: Preset,
        /// Currency of the prices
        #[arg(long, default_value = "GBP", value_parser = currency)]
        currency: Currency,
        /// Opening stock of each product, so that it can be bought: a history does not tell what is left
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(0..=1_000_000_000))]
        stock: i64,
        /// Where to report rows that could not be taken [default: FILE's name with .report.csv, in this folder]
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
}

pub(crate) fn currency(code: &str) -> Result<Currency, platform::money::UnknownCurrency> {
    code.parse()
}

/// Runs a command; the code tells the shell how it went.
///
/// # Errors
/// When the command could not do its work.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(flags) => {
            let config = config::load(&cli.settings, Some(&flags))?.config;
            serve::serve(config, flags.demo).await?;
        }
        Command::Migrate => {
            Session::open(&config::load(&cli.settings, None)?.config, "souk migrate").await?.close().await?;
            println!("The database is up to date.");
        }
        Command::Import(import) => run_import(&cli.settings, import).await?,
        Command::Stock(Stock::Adjust(adjust)) => {
            let session = Session::open(&config::load(&cli.settings, None)?.config, "souk stock").await?;
            let outcome = stock::adjust(&session.app, adjust).await;
            end(session, outcome).await?;
        }
        Command::User(command) => {
            let config = config::load(&cli.settings, None)?.config;
            let session = Session::open(&config, "souk user").await?;
            let outcome = people::user(&session.app, &config.public_url()?, command).await;
            end(session, outcome).await?;
        }
        Command::Apikey(command) => {
            let session = Session::open(&config::load(&cli.settings, None)?.config, "souk apikey").await?;
            let outcome = people::api_key(&session.app, command).await;
            end(session, outcome).await?;
        }
        Command::Keys(command) => {
            let session = Session::open(&config::load(&cli.settings, None)?.config, "souk keys").await?;
            let outcome = people::keys(&session.app, command).await;
            end(session, outcome).await?;
        }
        Command::Payouts(command) => {
            let session = Session::open(&config::load(&cli.settings, None)?.config, "souk payouts").await?;
            let outcome = payouts::run(&session.app, command).await;
            end(session, outcome).await?;
        }
        Command::Reconcile(command) => {
            let session = Session::open(&config::load(&cli.settings, None)?.config, "souk reconcile").await?;
            let outcome = reconcile::run(&session.app, command).await;
            end(session, outcome).await?;
        }
        Command::Ledger(command) => {
            let session = Session::open(&config::load(&cli.settings, None)?.config, "souk ledger").await?;
            let outcome = ledger::run(&session.app, command).await;
            session.close().await?;
            return outcome;
        }
        Command::Webhooks(command) => {
            let session = Session::open(&config::load(&cli.settings, None)?.config, "souk webhooks").await?;
            let outcome = webhooks::webhooks(&session.app, command).await;
            end(session, outcome).await?;
        }
        Command::Sandbox(command) => {
            let config = config::load(&cli.settings, None)?.config;
            let session = Session::open(&config, "souk sandbox").await?;
            let outcome = sandbox::run(&session.app, &config.public_url()?, command).await;
            end(session, outcome).await?;
        }
        Command::Verify { json } => {
            let session = Session::open(&config::load(&cli.settings, None)?.config, "souk verify").await?;
            let violations = verify::violations(&session.app).await;
            session.close().await?;
            return verify::report(&violations?, json);
        }
        Command::Config => print!("{}", config::load(&cli.settings, None)?.describe()?),
        Command::Openapi => {
            let document = api::document().to_pretty_json()?;
            writeln!(std::io::stdout(), "{document}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_import(flags: &Flags, import: Import) -> anyhow::Result<()> {
    let session = Session::open(&config::load(flags, None)?.config, "souk import").await?;
    let outcome = match import {
        Import::Products { file, store, currency, stock, report } => {
            import::products(&session.app, &ProductsImport { file, store, currency, report, stock }).await
        }
        Import::History { file, store, preset, currency, stock, report } => {
            import::history(&session.app, &HistoryImport { file, store, preset, currency, stock, report })
                .await
        }
    };
    end(session, outcome).await
}

/// Tells the other modules what a command did, and closes the database whatever came of it.
async fn end(session: Session, outcome: anyhow::Result<()>) -> anyhow::Result<()> {
    let told = session.app.dispatcher().drain().await;
    session.close().await?;
    outcome?;
    told?;
    Ok(())
}
