//! Runs a command with `DATABASE_URL` set: `with-postgres -- cargo nextest run`.
//!
//! If it is set already the command just runs; otherwise it gets a throw-away cluster, which is
//! fast because nothing on it would survive a crash.

use std::ffi::OsString;
use std::fs::Permissions;
use std::io::IsTerminal as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitCode, ExitStatus};

use platform::postgres::{Cluster, Options};
use rustix::process::{Pid, Signal as Stop};
use tokio::signal::unix::{Signal, SignalKind, signal};

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    arguments.next_if(|argument| argument == "--");
    let Some(program) = arguments.next() else {
        eprintln!("usage: with-postgres -- COMMAND [ARGUMENT]...");
        return ExitCode::from(2);
    };
    let mut command = Command::new(&program);
    command.args(arguments);
    if std::env::var_os("DATABASE_URL").is_some_and(|url| !url.is_empty()) {
        return failed(&format!("{}: {}", program.display(), command.exec()));
    }
    match run(&program, command) {
        // As a shell says it.
        Ok(status) => {
            let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
            ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
        }
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(message: &str) -> ExitCode {
    eprintln!("with-postgres: {message}");
    ExitCode::from(127)
}

#[tokio::main]
async fn run(program: &OsString, mut command: Command) -> Result<ExitStatus, Failure> {
    // Caught from the beginning, so that whatever happens the cluster is stopped and removed.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    // Not the user's own temporary folder: the account that runs a root's PostgreSQL has to get in.
    let mut folder = tempfile::Builder::new();
    let folder = folder.prefix("souk-").permissions(Permissions::from_mode(0o711)).tempdir_in("/tmp")?;
    let settings = [
        ("fsync", "off"),
        ("synchronous_commit", "off"),
        ("full_page_writes", "off"),
        ("max_connections", "300"),
    ];
    let starting = Cluster::start(Options {
        data_dir: folder.path().to_owned(),
        command: "with-postgres".to_owned(),
        binaries: std::env::var_os("SOUK_POSTGRES_BIN").map(Into::into),
        settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    });
    let cluster = tokio::select! {
        started = starting => started?,
        _ = interrupt.recv() => return Err("interrupted".into()),
        _ = terminate.recv() => return Err("terminated".into()),
    };
    command.env("DATABASE_URL", cluster.url());
    let status = attend(command, [&mut interrupt, &mut terminate, &mut hang_up]).await;
    cluster.stop().await?;
    folder.close()?;
    status.map_err(|error| format!("{}: {error}", program.display()).into())
}

/// Runs the command and leaves it to decide what a signal means.
async fn attend(command: Command, signals: [&mut Signal; 3]) -> std::io::Result<ExitStatus> {
    let mut child = tokio::process::Command::from(command).spawn()?;
    let [interrupt, terminate, hang_up] = signals;
    loop {
        let signal = tokio::select! {
            status = child.wait() => return status,
            // The terminal sends Ctrl-C to both; passing it on would make it two.
            _ = interrupt.recv() => if std::io::stdin().is_terminal() { continue } else { Stop::INT },
            _ = terminate.recv() => Stop::TERM,
            _ = hang_up.recv() => Stop::HUP,
        };
        // No id once it is reaped.
        if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            rustix::process::kill_process(pid, signal)?;
        }
    }
}
