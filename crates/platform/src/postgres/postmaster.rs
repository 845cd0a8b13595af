//! The running server, watched by a thread of its own.
//!
//! On Linux the kernel tells the postmaster when its parent dies, so that not even `kill -9` of Souk
//! leaves one behind. The parent is the *thread* that forked, not the process; a thread of a runtime
//! may end any time. So one thread forks, waits for the end, and does nothing else.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::sync::{oneshot, watch};

/// A child process that is told to shut down when this is dropped.
#[derive(Debug)]
pub(super) struct Postmaster {
    running: Arc<Running>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

/// The process while its number is its own, that is until it is reaped.
#[derive(Debug)]
struct Running(Mutex<Option<Pid>>);

impl Running {
    fn with<T>(&self, deed: impl FnOnce(&mut Option<Pid>) -> T) -> T {
        deed(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Postmaster {
    /// Starts the server. `keep` is dropped when it has ended, whatever becomes of the `Postmaster`,
    /// and before anybody is told.
    pub(super) async fn spawn<K: Send + 'static>(mut command: Command, keep: K) -> io::Result<Self> {
        // Ctrl-C in the terminal goes to Souk alone, which ends its own work before the server's.
        command.process_group(0);
        lifeline::attach(&mut command);
        let (started, answer) = oneshot::channel();
        thread::Builder::new().name("postgres".to_owned()).spawn(move || {
            match command.spawn().and_then(|child| Ok((lifeline::hold(&child)?, child))) {
                Ok((_lifeline, child)) => watch(child, started, keep),
                Err(error) => drop(started.send(Err(error))),
            }
        })?;
        answer.await.unwrap_or_else(|_| Err(io::Error::other("the thread that watches postgres ended")))
    }

    /// Whether this is the process of that number.
    pub(super) fn is(&self, number: Option<u32>) -> bool {
        let pid = self.running.with(|pid| pid.map(Pid::as_raw_nonzero));
        pid.is_some_and(|pid| number == Some(pid.get().cast_unsigned()))
    }

    /// Fast shutdown: ends sessions, writes a checkpoint.
    pub(super) fn shut_down(&self) {
        self.signal(Signal::INT);
    }

    /// Immediate shutdown: the next start recovers from the write-ahead log.
    pub(super) fn abort(&self) {
        self.signal(Signal::QUIT);
    }

    /// Resolves when the process has ended.
    pub(super) async fn ended(&self) -> Option<ExitStatus> {
        let mut exit = self.exit.clone();
        // The sender goes without a word only if its thread panicked; nobody watches any more then.
        exit.wait_for(Option::is_some).await.ok().and_then(|status| *status)
    }

    fn signal(&self, signal: Signal) {
        self.running.with(|pid| {
            if let Some(pid) = *pid
                && let Err(error) = rustix::process::kill_process(pid, signal)
            {
                tracing::warn!(%error, "can not signal PostgreSQL");
            }
        });
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// Waits for the end of the process on the thread that started it.
fn watch<K>(mut child: Child, started: oneshot::Sender<io::Result<Postmaster>>, keep: K) {
    let pid = Pid::from_child(&child);
    let running = Arc::new(Running(Mutex::new(Some(pid))));
    let (told, exit) = watch::channel(None);
    // Nobody there to take it any more: dropped, which shuts the server down.
    drop(started.send(Ok(Postmaster { running: Arc::clone(&running), exit })));
    // First without reaping, so that a signal can not hit a later process of the same number.
    let gone = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(WaitId::Pid(pid), gone) {}
    let status = running.with(|pid| {
        *pid = None;
        child.wait()
    });
    drop(keep);
    told.send_replace(Some(status.unwrap_or_default()));
}

/// What ends the server when Souk is killed: the kernel does.
#[cfg(target_os = "linux")]
mod lifeline {
    use super::{Child, Command, CommandExt, Signal, io};

    pub(super) fn attach(command: &mut Command) {
        let parent = rustix::process::getpid();
        let tell_of_death = move || {
            // After std changed the uid, which would clear it.
            rustix::process::set_parent_process_death_signal(Some(Signal::INT))?;
            // Souk may have died before the kernel was asked to tell.
            if rustix::process::getppid() == Some(parent) {
                Ok(())
            } else {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        };
        #[expect(unsafe_code, reason = "the kernel is to be asked between fork and exec")]
        // SAFETY: two system calls; no memory is allocated and no lock taken in the forked child.
        unsafe {
            command.pre_exec(tell_of_death);
        }
    }

    pub(super) fn hold(_: &Child) -> io::Result<()> {
        Ok(())
    }
}

/// What ends the server when Souk is killed: a shell that waits for the end of a pipe.
#[cfg(not(target_os = "linux"))]
mod lifeline {
    use super::{Child, Command, CommandExt, io};
    use std::process::Stdio;

    pub(super) struct Watchdog(Child);

    pub(super) fn attach(_: &mut Command) {}

    pub(super) fn hold(child: &Child) -> io::Result<Watchdog> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "read _; kill -INT \"$1\"", "watchdog", &child.id().to_string()]);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        shell.current_dir("/").process_group(0).spawn().map(Watchdog)
    }

    impl Drop for Watchdog {
        fn drop(&mut self) {
            // Before the pipe closes: the number it would signal is no longer the server's.
            self.0.kill().ok();
            self.0.wait().ok();
        }
    }
}
