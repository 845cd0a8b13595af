//! Buckets in Redis, for all nodes together.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, Script};
use sha2::{Digest, Sha256};

use super::{Decision, Limiter, Policy, Unreachable};

/// Longest that a request waits for Redis. A node in the same network answers in less than one.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long opening a connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
/// The pause between two attempts to open one.
const PAUSE: Duration = Duration::from_secs(1);

/// Counts in Redis 5 or newer (or what speaks like it), by one script in one round trip.
///
/// The time is Redis' own: nodes whose clocks differ would fill each other's buckets too early. Keys are kept as
/// hashes under a secret, since a plain hash of an address is found by trying them all, and go when their bucket is
/// full.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    client: Client,
    script: Script,
    secret: [u8; 32],
    patience: Duration,
    link: Mutex<Link>,
}

enum Link {
    Up(MultiplexedConnection),
    /// Somebody tries to open one.
    Down,
}

/// The address of the Redis can not be read. It is not repeated, for it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has to be like redis://localhost:6379, rediss:// for TLS, or unix:// with the path of a socket")]
pub struct BadAddress;

impl Redis {
    /// Whether an address can be read.
    ///
    /// # Errors
    /// When it can not.
    pub fn check(address: &str) -> Result<(), BadAddress> {
        address.into_connection_info().map(|_| ()).map_err(|_| BadAddress)
    }

    /// Opens a connection; one that can not be had now is sought in the background. Nodes that count together need
    /// the same `secret`.
    ///
    /// # Errors
    /// When the address can not be read.
    pub async fn open(address: &str, secret: [u8; 32]) -> Result<Self, BadAddress> {
        Self::with_patience(address, secret, PATIENCE).await
    }

    /// The same, for whoever waits longer for an answer.
    ///
    /// # Errors
    /// When the address can not be read.
    pub async fn with_patience(
        address: &str,
        secret: [u8; 32],
        patience: Duration,
    ) -> Result<Self, BadAddress> {
        let client = Client::open(address).map_err(|_| BadAddress)?;
        let script = Script::new(include_str!("gcra.lua"));
        let inner = Inner { client, script, secret, patience, link: Mutex::new(Link::Down) };
        let inner = Arc::new(inner);
        match inner.connect().await {
            Ok(connection) => inner.set(Link::Up(connection)),
            Err(error) => lost(&inner, &error),
        }
        Ok(Self(inner))
    }

    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        self.0.connection().is_some()
    }
}

#[async_trait]
impl Limiter for Redis {
    async fn take(&self, bucket: &Policy, key: &str, cost: u32) -> Result<Decision, Unreachable> {
        let inner = &self.0;
        let mut connection = inner.connection().ok_or(Unreachable)?;
        let mut script = inner.script.key(inner.name(bucket, key));
        let window = u64::try_from(bucket.window.as_micros()).unwrap_or(u64::MAX);
        script.arg(bucket.quota.max(1)).arg(window).arg(cost.max(1));
        let asked = script.invoke_async::<(bool, u32, u64, u64)>(&mut connection);
        let error = match tokio::time::timeout(inner.patience, asked).await {
            Ok(Ok((allowed, remaining, reset, retry))) => {
                return Ok(Decision {
                    allowed,
                    limit: bucket.quota,
                    remaining,
                    reset_after: Duration::from_micros(reset),
                    retry_after: Duration::from_micros(retry),
                });
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        // Of many requests that meet the failure one tells of it.
        if inner.drop_link() {
            lost(inner, &error);
        }
        Err(Unreachable)
    }
}

impl Inner {
    /// The key of a bucket in Redis.
    fn name(&self, bucket: &Policy, key: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(self.secret);
        hash.update(key.as_bytes());
        let hash: String = hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("souk:limits:{}:{hash}", bucket.name)
    }

    fn connection(&self) -> Option<MultiplexedConnection> {
        match &*self.link.lock().expect("no holder panics") {
            Link::Up(connection) => Some(connection.clone()),
            Link::Down => None,
        }
    }

    fn set(&self, link: Link) {
        *self.link.lock().expect("no holder panics") = link;
    }

    /// Gives the connection up; says whether it was this call that did.
    fn drop_link(&self) -> bool {
        let mut link = self.link.lock().expect("no holder panics");
        matches!(std::mem::replace(&mut *link, Link::Down), Link::Up(_))
    }

    /// Opens a connection on which Redis counts.
    async fn connect(&self) -> Result<MultiplexedConnection, String> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_PATIENCE));
        let opened = async {
            let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            // A replica, say, answers and can not count.
            let mut probe = self.script.key("souk:limits:probe");
            probe.arg(1).arg(1_000).arg(1).invoke_async::<redis::Value>(&mut connection).await?;
            Ok::<_, redis::RedisError>(connection)
        };
        match tokio::time::timeout(CONNECT_PATIENCE, opened).await {
            Ok(opened) => opened.map_err(|error| error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }
}

/// Tells of an outage, once, and seeks a new connection until there is one.
fn lost(inner: &Arc<Inner>, error: &str) {
    tracing::warn!(error, "Redis does not answer: rates are limited by each node for itself");
    tokio::spawn(seek(Arc::downgrade(inner)));
}

async fn seek(inner: Weak<Inner>) {
    // Ends also when nobody has use for the limiter any more.
    while let Some(inner) = inner.upgrade() {
        if let Ok(connection) = inner.connect().await {
            inner.set(Link::Up(connection));
            tracing::info!("Redis answers again: rates are limited for all nodes together");
            return;
        }
        drop(inner);
        tokio::time::sleep(PAUSE).await;
    }
}
