//! Souk: a multi-vendor marketplace in one program.

use std::process::ExitCode;

use clap::Parser;
use souk::Cli;

/// A busy checkout makes and drops thousands of small things in a millisecond, on all cores: the C library's allocator
/// took a third of the time (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("souk: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(souk::run(cli)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("souk: {error:#}");
            ExitCode::FAILURE
        }
    }
}
