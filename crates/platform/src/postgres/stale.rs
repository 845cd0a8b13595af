//! A postmaster that outlived the Souk that started it.

use std::fs;
#[cfg(target_os = "linux")]
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Error;
use super::binaries::Binaries;

/// Ends a postmaster that still runs on the cluster, and waits until it is gone.
///
/// Call only while holding the data folder's lock: then nobody needs that postmaster. Usually it is
/// shutting down already, because it was told of its parent's death. A `postmaster.pid` without a
/// process is left to postgres, which knows best whether the cluster is still in use.
pub(super) async fn stop(cluster: &Path, binaries: &Binaries) -> Result<(), Error> {
    for (mode, patience) in [("fast", 30), ("immediate", 10)] {
        let Some(pid) = running(cluster) else { return Ok(()) };
        tracing::info!(pid, mode, "stopping a PostgreSQL left over by a Souk that was killed");
        let pg_ctl = binaries.helper("pg_ctl", |command| {
            command.args(["stop", "--wait", "--mode", mode, "--timeout", &patience.to_string()]);
            command.arg("--pgdata").arg(cluster);
        });
        // It fails too if the postmaster ended by itself just now, so only what runs then counts.
        if let Err(error) = pg_ctl.await {
            tracing::debug!(%error, "pg_ctl");
        }
    }
    match running(cluster) {
        Some(_) => Err(Error::NotStopped { pid_file: cluster.join("postmaster.pid") }),
        None => Ok(()),
    }
}

/// The live postmaster of this cluster, if any.
fn running(cluster: &Path) -> Option<u32> {
    named(cluster).filter(|pid| is_postmaster(*pid, cluster))
}

/// The process that `postmaster.pid` names, dead or alive.
pub(super) fn named(cluster: &Path) -> Option<u32> {
    let text = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok()
}

/// A number alone proves nothing: after a restart of the machine it may be anybody's, and pg_ctl
/// would signal that process. A postmaster of ours has its cluster on its command line.
#[cfg(target_os = "linux")]
fn is_postmaster(pid: u32, cluster: &Path) -> bool {
    // Not /proc/PID/cwd, which root of a container may not read.
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut arguments = arguments.split(|byte| *byte == 0);
    arguments.next().is_some_and(|program| program.ends_with(b"postgres"))
        && arguments.any(|argument| argument == cluster.as_os_str().as_bytes())
}

/// The same without `/proc`.
#[cfg(not(target_os = "linux"))]
fn is_postmaster(pid: u32, cluster: &Path) -> bool {
    let mut ps = std::process::Command::new("ps");
    let output = ps.args(["-ww", "-o", "args=", "-p", &pid.to_string()]).output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&*cluster.to_string_lossy()))
}
