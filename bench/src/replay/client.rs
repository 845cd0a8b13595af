//! Asks Souk over one connection, and again under the same key when an answer is lost or says to come back.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::http::{Answer, Connection};

/// Tries of one request.
const TRIES: u32 = 20;
/// Between them if the server does not say how long.
const PAUSE: Duration = Duration::from_millis(250);

/// A request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    /// Its method.
    pub(super) method: &'a str,
    /// Its path.
    pub(super) path: &'a str,
    /// Further headers, each with its end of line.
    pub(super) headers: &'a str,
    /// For being asked once, however often it is sent.
    pub(super) key: Option<&'a str>,
    /// JSON.
    pub(super) body: &'a str,
}

/// How a request was answered.
#[derive(Debug)]
pub(super) enum Told<T> {
    /// As it was meant.
    Done(T),
    /// 401: who asks has to sign in again.
    SignIn,
}

/// A connection that is opened again when it breaks.
pub(super) struct Client {
    address: SocketAddr,
    connection: Option<Connection>,
    /// Requests that were sent once more.
    pub(super) repeated: u64,
}

impl Client {
    /// Opens none yet.
    pub(super) const fn new(address: SocketAddr) -> Self {
        Self { address, connection: None, repeated: 0 }
    }

    /// Asks until there is an answer, and reads of it what is wanted.
    ///
    /// # Errors
    /// When the answer is a refusal, or there still is none after a while.
    pub(super) async fn ask<T>(
        &mut self,
        request: Request<'_>,
        read: impl Fn(&Answer<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<Told<T>> {
        let Request { method, path, headers, key, body } = request;
        let key = key.map_or_else(String::new, |key| format!("Idempotency-Key: {key}\r\n"));
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}{key}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut last = String::new();
        for number in 0..TRIES {
            self.repeated += u64::from(number > 0);
            let connection = match &mut self.connection {
                Some(connection) => connection,
                none => match Connection::open(self.address).await {
                    Ok(connection) => none.insert(connection),
                    Err(error) => {
                        last = error.to_string();
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                },
            };
            let wait = match connection.send(text.as_bytes()).await {
                Ok(answer) if (200..=299).contains(&answer.status) => {
                    return read(&answer).map(Told::Done).with_context(|| format!("{method} {path}"));
                }
                Ok(answer) if answer.status == 401 => return Ok(Told::SignIn),
                Ok(answer) => {
                    last = format!("{}: {}", answer.status, String::from_utf8_lossy(answer.body));
                    let seconds = answer.header("retry-after").and_then(|seconds| seconds.parse().ok());
                    match (answer.status, seconds) {
                        (409 | 429 | 503, Some(seconds)) => Duration::from_secs(seconds).max(PAUSE),
                        (503, None) => PAUSE,
                        _ => bail!("{method} {path}: {last}"),
                    }
                }
                Err(error) => {
                    last = error.to_string();
                    self.connection = None;
                    PAUSE
                }
            };
            tokio::time::sleep(wait).await;
        }
        bail!("{method} {path}: still after {TRIES} tries {last}")
    }
}
