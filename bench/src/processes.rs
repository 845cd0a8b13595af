//! CPU time of processes, as Linux tells it (proc(5)). Elsewhere it counts as none.

use std::fs;

/// The unit of times in `/proc` (`USER_HZ`), which is 100 on all that Souk runs on.
const TICKS: f64 = 100.0;

/// A process as `/proc/PID/stat` has it.
#[derive(Debug, PartialEq)]
struct Stat {
    pid: u32,
    name: String,
    parent: u32,
    /// Of itself and of its children that have ended, in seconds.
    cpu: f64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name stands in brackets and may hold some itself.
        let (before, after) = text.rsplit_once(')')?;
        let (pid, name) = before.split_once(" (")?;
        let fields: Vec<&str> = after.split_ascii_whitespace().collect();
        let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
        let cpu = (ticks(11)? + ticks(12)? + ticks(13)? + ticks(14)?) / TICKS;
        Some(Self {
            pid: pid.parse().ok()?,
            name: name.to_owned(),
            parent: fields.get(1)?.parse().ok()?,
            cpu,
        })
    }

    fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn all() -> Vec<Self> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(Self::of).collect()
    }
}

/// What this process has used, in seconds.
pub(crate) fn own() -> f64 {
    of(std::process::id())
}

/// What a process has used, in seconds; none if it is gone.
pub(crate) fn of(pid: u32) -> f64 {
    Stat::of(pid).map_or(0.0, |stat| stat.cpu)
}

/// What a process and all below it have used, in seconds.
pub(crate) fn of_tree(pid: u32) -> f64 {
    let all = Stat::all();
    let (mut below, mut sum) = (vec![pid], 0.0);
    while let Some(pid) = below.pop() {
        sum += all.iter().filter(|stat| stat.pid == pid).map(|stat| stat.cpu).sum::<f64>();
        below.extend(all.iter().filter(|stat| stat.parent == pid).map(|stat| stat.pid));
    }
    sum
}

/// The child of this process that has that name.
pub(crate) fn child(name: &str) -> Option<u32> {
    let own = std::process::id();
    Stat::all().into_iter().find(|stat| stat.parent == own && stat.name == name).map(|stat| stat.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_process_whatever_its_name() {
        let text = "42 (post) (gres) S 7 42 42 0 -1 4194560 100 200 0 0 150 50 25 75 20 0 1 0 100 1000 200";
        let stat = Stat::parse(text).unwrap();
        assert_eq!(stat, Stat { pid: 42, name: "post) (gres".to_owned(), parent: 7, cpu: 3.0 });
        assert_eq!(Stat::parse("42 (cut) S 7"), None);
    }

    #[test]
    fn a_process_that_is_not_there_has_used_nothing() {
        assert_eq!(of(u32::MAX), 0.0);
        assert_eq!(of_tree(u32::MAX), 0.0);
    }
}
