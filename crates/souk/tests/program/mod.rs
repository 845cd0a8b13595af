//! The program itself, as a test starts it: with a data folder of its own and nothing from the environment.
#![allow(dead_code, reason = "each test takes what it needs")]
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

/// A data folder that the account which runs a root's PostgreSQL can reach.
pub(crate) fn data_folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("souk-test-")
        .permissions(Permissions::from_mode(0o711))
        .tempdir_in("/tmp")
        .unwrap()
}

/// A command of the program on this data folder, with nothing taken from the environment.
pub(crate) fn souk(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", data)
        .env("SOUK_DATA_DIR", data)
        .current_dir(data);
    if let Some(programs) = std::env::var_os("SOUK_POSTGRES_BIN") {
        command.env("SOUK_POSTGRES_BIN", programs);
    }
    command
}

pub(crate) fn output(data: &Path, arguments: &[&str]) -> (bool, String, String) {
    let Output { status, stdout, stderr } = souk(data, arguments).output().unwrap();
    (status.success(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Runs a command that reads `input`: whether it went well, and all it said.
pub(crate) fn told(data: &Path, arguments: &[&str], input: &str) -> (bool, String) {
    let mut command = souk(data, arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.success(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

/// A running `souk serve`.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) base: String,
    pub(crate) ops: String,
    pub(crate) client: Client,
}

impl Server {
    pub(crate) async fn start(data: &Path) -> Self {
        Self::start_with(data, &[]).await
    }

    /// Starts it without waiting until it serves.
    pub(crate) fn launch(data: &Path, variables: &[(&str, &str)]) -> Self {
        let (port, ops_port) = (free_port(), free_port());
        let child = souk(data, &["serve", "--demo"])
            .envs(variables.iter().copied())
            .env("SOUK_LISTEN", format!("127.0.0.1:{port}"))
            .env("SOUK_OPS_LISTEN", format!("127.0.0.1:{ops_port}"))
            .env("SOUK_STEP_DEADLINE_SECONDS", "1")
            // A rush from one address.
            .env("SOUK_RATE_LIMITS", "false")
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(data.join("serve.log")).unwrap())
            .spawn()
            .unwrap();
        let base = format!("http://127.0.0.1:{port}");
        Self { child, base, ops: format!("http://127.0.0.1:{ops_port}"), client: Client::new() }
    }

    /// With these variables in its environment.
    pub(crate) async fn start_with(data: &Path, variables: &[(&str, &str)]) -> Self {
        let mut server = Self::launch(data, variables);
        let patience = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok(answer) = server.client.get(format!("{}/readyz", server.ops)).send().await
                && answer.status() == StatusCode::OK
            {
                return server;
            }
            let log = || std::fs::read_to_string(data.join("serve.log")).unwrap_or_default();
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < patience, "souk serve did not come up: {}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.client.get(format!("{}{path}", self.base)).send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        cart: &str,
        key: &str,
        body: &Value,
    ) -> reqwest::Result<(StatusCode, String, Value)> {
        let mut request = self.client.post(format!("{}{path}", self.base)).json(body);
        if !cart.is_empty() {
            request = request.header("x-cart-token", cart).header("idempotency-key", key);
        }
        let response = request.send().await?;
        let status = response.status();
        let token =
            response.headers().get("x-cart-token").map_or("", |token| token.to_str().unwrap()).to_owned();
        Ok((status, token, response.json().await?))
    }

    /// Variant and stock of the product that has ten.
    pub(crate) async fn teapot(&self) -> (String, i64) {
        let product = self.get("/api/v1/products/last-ten-teapot").await;
        let variant = &product["variants"][0];
        (variant["id"].as_str().unwrap().to_owned(), variant["available"].as_i64().unwrap())
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Stops it as a service manager would; gives whether it ended well.
    pub(crate) fn stop(mut self) -> bool {
        self.signal("-TERM");
        self.child.wait().unwrap().success()
    }

    /// Takes the power away.
    pub(crate) fn kill(mut self) {
        self.signal("-KILL");
        self.child.wait().unwrap();
    }
}

pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
