//! The pool and the transaction in which state, events and cache changes go together.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool, Postgres};
use time::OffsetDateTime;

use crate::changes::{CHANNEL, Changes, Tag};
use crate::{Id, audit, outbox};

/// What Souk asks of each of its sessions.
const SESSION: [(&str, &str); 5] = [
    // That a schema exists already is no news.
    ("client_min_messages", "warning"),
    // Whoever holds a row for longer than this has a fault; the rest must not queue up behind it.
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "60s"),
    // The cores are busy with other requests, and starting workers costs more than most of our statements.
    ("max_parallel_workers_per_gather", "0"),
    // Compiling a plan costs more than any of them, and a plan that has a loop despite everything looks worth it.
    ("jit", "off"),
];

/// What it asks besides where rows are read and written by their keys, in a plan that is made once and kept.
const BY_KEY: [(&str, &str); 2] = [
    // PostgreSQL takes `ANY($1)` for ten rows until it sees the one, and so would plan each time anew: for a variant with
    // its product and its store that takes ten times as long as reading them.
    ("plan_cache_mode", "force_generic_plan"),
    // A plan that was made while a table was nearly empty would read all of it, and is kept until the table is analysed:
    // in the first minute of a new shop's first rush.
    ("enable_seqscan", "off"),
];

/// How a batch begins: one round trip.
const BEGIN_BATCH: &str = "BEGIN; SET LOCAL enable_nestloop = off";

/// A node's access to PostgreSQL.
#[derive(Clone)]
pub struct Database {
    pool: PgPool,
    lists: PgPool,
    changes: Arc<Changes>,
}

impl Database {
    /// Connects, with at most `connections` connections at a time: a quarter of them, and two at least, for lists.
    ///
    /// # Errors
    /// When the database does not answer within 15 seconds.
    pub async fn connect(options: PgConnectOptions, connections: u32) -> Result<Self, sqlx::Error> {
        let options = options.application_name("souk").options(SESSION);
        let for_lists = (connections / 4).max(2);
        let by_key = connections.saturating_sub(for_lists).max(2);
        let pool = pool_of(by_key).connect_with(options.clone().options(BY_KEY)).await?;
        let lists = pool_of(for_lists).connect_lazy_with(options);
        Ok(Self { pool, lists, changes: Arc::new(Changes::default()) })
    }

    /// The pool, for what is read by its key and for what is written at once.
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The pool for lists, reports and verification: what reads many rows, or reads them by whatever it was asked
    /// (`$1 IS NULL OR id > $1`), and so is planned by it.
    pub const fn lists(&self) -> &PgPool {
        &self.lists
    }

    /// Closes all connections; whoever has one is waited for.
    pub async fn close(&self) {
        self.lists.close().await;
        self.pool.close().await;
    }

    /// What this node knows of changes to the database.
    pub const fn changes(&self) -> &Arc<Changes> {
        &self.changes
    }

    /// Opens a transaction.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        Ok(self.opened(self.pool.begin().await?))
    }

    fn opened(&self, inner: sqlx::Transaction<'static, Postgres>) -> Tx {
        Tx {
            inner,
            changes: Arc::clone(&self.changes),
            events: Vec::new(),
            touched: Vec::new(),
            announced: Vec::new(),
            audited: Vec::new(),
        }
    }

    /// Opens a transaction that serves a batch. Rows of a batch are joined by hashing, as PostgreSQL takes 256 of them for
    /// ten and would compare each with each. A join of a table with the rows of a batch says `id = ANY($1)` besides: else
    /// that index may be read from end to end. Where a loop is meant, `LATERAL` says so.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin_batch(&self) -> Result<Tx, sqlx::Error> {
        Ok(self.opened(self.pool.begin_with(BEGIN_BATCH).await?))
    }

    /// Opens a transaction that can change the rows of one tenant alone: it runs in the role `souk_tenant`, which
    /// the row-level security of each table holds to the tenant in `souk.tenant`. The second wall behind the
    /// authorization in code; a query that forgets its `WHERE` meets it.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin_within<K>(&self, tenant: Id<K>) -> Result<Tx, sqlx::Error> {
        let mut tx = self.begin().await?;
        sqlx::query!(
            "SELECT set_config('role', 'souk_tenant', true) AS role, set_config('souk.tenant', $1, true) AS tenant",
            tenant.to_string(),
        )
        .fetch_one(&mut *tx)
        .await?;
        Ok(tx)
    }
}

fn pool_of(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(15))
        // A broken connection shows itself in the first statement; asking each time costs a round trip.
        .test_before_acquire(false)
}

/// A transaction. What it publishes and touches becomes known with its commit or not at all.
pub struct Tx {
    inner: sqlx::Transaction<'static, Postgres>,
    changes: Arc<Changes>,
    events: Vec<outbox::Draft>,
    touched: Vec<Tag>,
    announced: Vec<Tag>,
    audited: Vec<audit::Entry>,
}

impl Tx {
    /// Writes to the audit log what this transaction does.
    pub fn audit(&mut self, entry: audit::Entry) {
        self.audited.push(entry);
    }

    /// Publishes a fact: it stands in the outbox once this transaction commits.
    pub fn publish<E: outbox::Event>(&mut self, event: &E) {
        self.events.push(outbox::Draft::of(event));
    }

    /// Says that what carries this tag is not what it was.
    pub fn touch(&mut self, tag: Tag) {
        self.touched.push(tag);
    }

    /// Tells whoever watches this tag, on this node and all others. Caches do not hear of it: that is what
    /// [`Self::touch`] is for.
    pub fn announce(&mut self, tag: Tag) {
        self.announced.push(tag);
    }

    /// Commits state and events, then tells this node and all others what changed. Once begun it goes on
    /// even if the caller goes away: what is committed is always told.
    ///
    /// # Errors
    /// When the commit fails; then nothing was done, or (connection lost on the way) it is unknown.
    pub async fn commit(self, now: OffsetDateTime) -> Result<(), sqlx::Error> {
        match tokio::spawn(self.commit_and_tell(now)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(sqlx::Error::WorkerCrashed),
        }
    }

    async fn commit_and_tell(mut self, now: OffsetDateTime) -> Result<(), sqlx::Error> {
        audit::insert(&mut self.inner, &self.audited, now).await?;
        let events = !self.events.is_empty();
        if events || !self.touched.is_empty() || !self.announced.is_empty() {
            let news = self.changes.news(&self.touched, &self.announced, events);
            outbox::insert_and_notify(&mut self.inner, &self.events, now, CHANNEL, &news).await?;
        }
        let committed = self.inner.commit().await;
        // Also after a failure: the commit may have happened, and forgetting too much is harmless.
        self.changes.apply(&self.touched);
        self.changes.wake_watchers(&self.announced);
        if events {
            self.changes.wake();
        }
        committed
    }
}

impl Deref for Tx {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.inner
    }
}
impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}

/// Encodes plain data as JSON text, to be cast to `jsonb` in SQL: arrays of it cost less than arrays of values.
pub fn json_text<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data")
}

/// Encodes plain data for a `jsonb` argument.
pub fn json<T: Serialize + ?Sized>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).expect("plain data")
}
