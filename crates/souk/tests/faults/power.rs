//! The power fails at a point of the code, and comes back.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::program::{Server, data_folder, output};

/// How many runs go on beside each other.
const ABREAST: usize = 3;

/// The names of all fault points, as the code has them.
pub(crate) fn points() -> BTreeSet<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut points = BTreeSet::new();
    let mut folders = vec![crates.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for call in text.split("fault::point(\"").skip(1) {
                    let name = call.split('"').next().unwrap().to_owned();
                    assert!(points.insert(name.clone()), "two points are named {name}");
                }
            }
        }
    }
    points
}

/// A data folder with the demo in it, to be copied.
pub(crate) async fn prepared() -> Arc<TempDir> {
    let data = data_folder();
    let server = Server::start(data.path()).await;
    assert!(server.stop());
    Arc::new(data)
}

pub(crate) fn copy(from: &Path) -> TempDir {
    let to = data_folder();
    let copied = Command::new("cp").arg("-a").arg(format!("{}/.", from.display())).arg(to.path()).status();
    assert!(copied.unwrap().success());
    to
}

/// Has the power fail at each of these points, there at that time of passing it.
pub(crate) async fn each<F>(
    points: impl IntoIterator<Item = (String, usize)>,
    template: &Arc<TempDir>,
    fail_at: impl Fn(String, usize, Arc<TempDir>) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut queue: Vec<_> = points.into_iter().collect();
    println!("{} points: {queue:?}", queue.len());
    let mut runs = JoinSet::new();
    loop {
        while runs.len() < ABREAST {
            let Some((point, time)) = queue.pop() else { break };
            runs.spawn(fail_at(point, time, Arc::clone(template)));
        }
        match runs.join_next().await {
            Some(run) => run.unwrap(),
            None => return,
        }
    }
}

/// How it ended, if it did in time.
pub(crate) fn end(server: Server) -> Option<ExitStatus> {
    let mut child = server.child;
    let patience = Instant::now() + Duration::from_secs(20);
    while Instant::now() < patience {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

pub(crate) fn verify(data: &Path) {
    let patience = Instant::now() + Duration::from_secs(15);
    loop {
        let (ok, report, error) = output(data, &["verify"]);
        if ok {
            return;
        }
        // What nobody asked for again is recovered a second after its deadline.
        assert!(Instant::now() < patience, "{report}{error}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
