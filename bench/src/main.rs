//! Load benches of Souk: docs/benchmarks.md says what each measures and how to read it. Started by `bench/run`.

mod audit;
mod checkout;
mod floor;
mod generator;
mod growth;
mod http;
mod ids;
mod journey;
mod latency;
mod load;
mod metrics;
mod prepare;
mod processes;
mod replay;
mod stage;
mod table;
mod traffic;
mod window;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Load benches of Souk. All traffic stays on this machine's loopback.
#[derive(Debug, Parser)]
#[command(name = "bench/run", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Purchases a second on prepared carts, beside what PostgreSQL gives without Souk
    Checkout(checkout::Options),
    /// Shoppers who look around, fill a basket and buy it
    Journey(journey::Options),
    /// Purchases a second with many orders in the tables, beside those with none
    Growth(growth::Options),
    /// A year of a real shop's invoices, bought and given back over the API, to the penny
    Replay(replay::Options),
    /// A generator of checkouts, in a process of its own
    #[command(hide = true)]
    Load(load::Load),
    /// A generator of shoppers, in a process of its own
    #[command(hide = true)]
    Shop(journey::Shop),
    /// The batched design behind HTTP, in a process of its own
    #[command(hide = true)]
    Floor(floor::Serve),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    // A generator shares the machine with what it measures: one thread costs the least.
    let mut runtime = match command {
        Command::Load(_) | Command::Shop(_) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let outcome = match runtime.enable_all().build() {
        Ok(runtime) => runtime.block_on(run(command)),
        Err(error) => Err(error.into()),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("bench: {error:#}");
        ExitCode::FAILURE
    })
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Checkout(options) => return checkout::run(&options).await,
        Command::Journey(options) => return journey::run(&options).await,
        Command::Growth(options) => return growth::run(&options).await,
        Command::Replay(options) => return replay::run(&options).await,
        Command::Shop(shop) => journey::shop(shop).await?,
        Command::Load(load) => load::generate(load).await?,
        Command::Floor(serve) => floor::serve(serve).await?,
    }
    Ok(ExitCode::SUCCESS)
}
