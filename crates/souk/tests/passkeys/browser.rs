//! A real browser with a virtual authenticator, driven through `browser/passkeys.mjs`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// Names under which Chromium is installed.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// How long the browser may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came back to a script of the page.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u64,
    pub(crate) json: Value,
}

/// A browser on a page of the application.
pub(crate) struct Browser {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _profile: TempDir,
}

impl Browser {
    pub(crate) async fn open(base: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/passkeys/browser");
        assert!(
            folder.join("node_modules/playwright-core").is_dir(),
            "playwright-core is not in {}: run script/bootstrap --tests",
            folder.display()
        );
        let profile = tempfile::tempdir().unwrap();
        let mut process = Command::new("node")
            .arg(folder.join("passkeys.mjs"))
            .args([base.as_ref(), chromium().as_os_str(), profile.path().as_os_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Node.js is here: script/bootstrap installs it");
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, input, output, _profile: profile }
    }

    /// Gives a command; the error is what the browser said.
    pub(crate) async fn tell(&mut self, command: &Value) -> Result<Value, String> {
        self.input.write_all(format!("{command}\n").as_bytes()).await.unwrap();
        let line = timeout(PATIENCE, self.output.next_line()).await.expect("the browser answers in time");
        let line = line.unwrap().expect("the browser lives; what it said is above");
        let mut reply: Value = serde_json::from_str(&line).unwrap();
        match reply["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(reply["answer"].take()),
        }
    }

    /// A request of a script of the page.
    pub(crate) async fn fetch(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let command = json!({"do": "fetch", "method": method, "path": path, "body": body});
        let mut answer = self.tell(&command).await.unwrap();
        Answer { status: answer["status"].as_u64().unwrap(), json: answer["json"].take() }
    }

    /// Makes a passkey.
    pub(crate) async fn create(&mut self, options: &Value) -> Result<Value, String> {
        self.tell(&json!({"do": "create", "options": options})).await
    }

    /// Shows a passkey.
    pub(crate) async fn get(&mut self, options: &Value) -> Result<Value, String> {
        self.tell(&json!({"do": "get", "options": options})).await
    }

    /// A cookie that the browser has.
    pub(crate) async fn cookie(&mut self, name: &str) -> Option<String> {
        let cookies = self.tell(&json!({"do": "cookies"})).await.unwrap();
        let found = cookies.as_array().unwrap().iter().find(|cookie| cookie["name"] == name);
        found.map(|cookie| cookie["value"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn close(mut self) {
        drop(self.input);
        let ended = timeout(PATIENCE, self.process.wait()).await.expect("the browser closes").unwrap();
        assert!(ended.success(), "{ended}");
    }
}

/// The program that `SOUK_CHROMIUM` names, or the first that is installed.
fn chromium() -> PathBuf {
    if let Some(program) = std::env::var_os("SOUK_CHROMIUM") {
        return program.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut candidates =
        PROGRAMS.iter().flat_map(|program| folders.iter().map(move |folder| folder.join(program)));
    candidates.find(|program| program.is_file()).expect(
        "Chromium is here: script/bootstrap --tests installs it where it can, else install your system's package of \
         it or name the program in SOUK_CHROMIUM",
    )
}
