//! The walk-throughs of the documentation, run as they are printed against a fresh demonstration.
#![expect(clippy::unwrap_used, reason = "helpers outside of tests")]

mod program;

use std::path::Path;
use std::process::Command;

use program::{Server, data_folder};

/// Where the documentation expects Souk.
const PRINTED: &str = "http://127.0.0.1:3000";

/// A piece of shell, and lines that its output has to have; `…` stands for anything.
struct Step {
    shell: String,
    expected: Vec<String>,
}

/// The walk-through behind a mark: its shell blocks, each with the text block that may follow.
fn steps(document: &str, mark: &str) -> Vec<Step> {
    let (_, after) = document.split_once(mark).unwrap_or_else(|| panic!("{mark} is gone"));
    let section = after.split("\n## ").next().unwrap();
    let mut steps: Vec<Step> = Vec::new();
    for block in section.split("```").skip(1).step_by(2) {
        let (kind, text) = block.split_once('\n').unwrap();
        match kind {
            "bash" => steps.push(Step { shell: text.to_owned(), expected: Vec::new() }),
            "text" => steps.last_mut().unwrap().expected = text.lines().map(str::to_owned).collect(),
            other => panic!("a block of {other:?} in a walk-through"),
        }
    }
    assert!(!steps.is_empty(), "{mark} has nothing to run");
    steps
}

fn fits(pattern: &str, line: &str) -> bool {
    let mut rest = line;
    let parts: Vec<&str> = pattern.split('…').collect();
    let last = parts.len() - 1;
    parts.iter().enumerate().all(|(place, part)| {
        let found = match place {
            0 => rest.starts_with(part).then_some(0),
            place if place == last => rest.ends_with(part).then(|| rest.len() - part.len()),
            _ => rest.find(part),
        };
        let fits = found.is_some() && (last > 0 || rest == *part);
        rest = found.map_or("", |at| &rest[at + part.len()..]);
        fits
    })
}

/// Runs all steps in one shell, as a reader would, and compares what each prints.
fn walk(server: &Server, data: &Path, document: &str, mark: &str) {
    let steps = steps(document, mark);
    let mut script = "set -eu\n".to_owned();
    for (place, step) in steps.iter().enumerate() {
        let shell = step
            .shell
            .replace(PRINTED, &server.base)
            .replace("target/release/souk", env!("CARGO_BIN_EXE_souk"));
        script.push_str(&format!("echo '=== {place}'\n{shell}\necho\n"));
    }
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(&script).current_dir(data);
    bash.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", data).env("SOUK_DATA_DIR", data);
    if let Some(programs) = std::env::var_os("SOUK_POSTGRES_BIN") {
        bash.env("SOUK_POSTGRES_BIN", programs);
    }
    let run = bash.output().unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    let complaint = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success(), "{mark}: {complaint}\n{said}");
    for (place, step) in steps.iter().enumerate() {
        let of_step = said.split(&format!("=== {place}\n")).nth(1).unwrap().split("=== ").next().unwrap();
        for expected in &step.expected {
            let there = of_step.lines().any(|line| fits(expected, line));
            assert!(there, "{mark}: {expected:?} is not in what this printed:\n{}\n{of_step}", step.shell);
        }
    }
}

/// What the documentation prints works, for each kind of client and for the README's tour.
#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_works_as_printed() {
    let folder = data_folder();
    let server = Server::start(folder.path()).await;
    let clients = include_str!("../../../docs/clients.md");
    for name in ["browser", "follow", "mobile", "server", "bot"] {
        let mark = &format!("<!-- walk: {name} -->");
        walk(&server, folder.path(), clients, mark);
    }
    walk(&server, folder.path(), include_str!("../../../README.md"), "<!-- tour -->");
    assert!(server.stop());
}

#[test]
fn a_line_fits_its_pattern() {
    for (pattern, line) in
        [("a", "a"), ("a…c", "abc"), ("…", "abc"), ("a…", "abc"), ("…b…", "abc"), ("{\"a\":…}", "{\"a\":1}")]
    {
        assert!(fits(pattern, line), "{pattern} {line}");
    }
    for (pattern, line) in [("a", "ab"), ("a…c", "ab"), ("b…", "abc"), ("…d…", "abc"), ("ab…bc", "abc")]
    {
        assert!(!fits(pattern, line), "{pattern} {line}");
    }
}
