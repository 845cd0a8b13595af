//! A database per test, copied from a migrated template.

use std::str::FromStr;

use platform::{Database, migrate};
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use uuid::Uuid;

/// Any number nobody else locks: "test" in ASCII.
const LOCK: i64 = 0x7465_7374;

/// A database that goes with the test.
pub struct TestDatabase {
    /// Access to it.
    pub database: Database,
    name: String,
    server: PgConnectOptions,
}

impl TestDatabase {
    /// Makes a database with every module's tables.
    ///
    /// # Panics
    /// When `DATABASE_URL` is not set or its server refuses.
    pub async fn create() -> Self {
        let server = server();
        let template = template(&server).await;
        Self::copy_of(server, &template).await
    }

    /// Makes a copy of this database as it is now.
    ///
    /// # Panics
    /// When somebody else is connected to it.
    pub async fn copy(&self) -> Self {
        // A database that is copied may have no connections; the pool opens new ones when it is asked.
        for pool in [self.database.pool(), self.database.lists()] {
            while pool.size() > 0 {
                let connection = pool.acquire().await.expect("the test's database answers");
                connection.close().await.expect("a connection can be closed");
            }
        }
        Self::copy_of(self.server.clone(), &self.name).await
    }

    async fn copy_of(server: PgConnectOptions, template: &str) -> Self {
        let name = format!("souk_test_{}", Uuid::from_bytes(random()).simple());
        let mut connection = PgConnection::connect_with(&server).await.expect("the test server answers");
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy");
        connection.execute(AssertSqlSafe(sql)).await.expect("databases may be created");
        let database =
            Database::connect(server.clone().database(&name), 20).await.expect("the new database answers");
        Self { database, name, server }
    }

    /// How to connect to it from another process.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }

    /// Removes it. One that is left behind by a failed test goes with the server.
    pub async fn drop(self) {
        self.database.close().await;
        let mut connection = PgConnection::connect_with(&self.server).await.expect("the test server answers");
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        connection.execute(AssertSqlSafe(sql)).await.expect("the database can be dropped");
    }
}

#[expect(clippy::disallowed_methods, reason = "tests take their server from the environment")]
fn server() -> PgConnectOptions {
    let url = std::env::var("DATABASE_URL").expect(
        "DATABASE_URL is not set: run script/test, or cargo run -p testkit --bin with-postgres -- cargo nextest run",
    );
    PgConnectOptions::from_str(&url).expect("DATABASE_URL can be read")
}

#[expect(
    clippy::disallowed_methods,
    reason = "databases of tests that run side by side need different names"
)]
fn random() -> [u8; 16] {
    Uuid::new_v4().into_bytes()
}

/// Makes the template of these migrations unless somebody did; its name carries their hash.
async fn template(server: &PgConnectOptions) -> String {
    let mut hash = Sha256::new();
    for (_, migrator) in souk::app::migrations() {
        migrator.iter().for_each(|migration| hash.update(&migration.checksum));
    }
    let hash: String = hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("souk_template_{hash}");
    let mut connection = PgConnection::connect_with(server).await.expect("the test server answers");
    sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut connection).await.expect("can lock");
    let found: Option<(bool,)> = sqlx::query_as("SELECT datistemplate FROM pg_database WHERE datname = $1")
        .bind(&name)
        .fetch_optional(&mut connection)
        .await
        .expect("can look for the template");
    // It becomes a template last: one that is not was begun by somebody who did not finish.
    if found != Some((true,)) {
        let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        connection.execute(AssertSqlSafe(sql)).await.expect("can drop");
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.expect("can create");
        let database = Database::connect(server.clone().database(&name), 4).await.expect("can connect");
        migrate::run(database.pool(), &souk::app::migrations()).await.expect("can migrate");
        database.close().await;
        let sql = format!("ALTER DATABASE {name} WITH is_template true allow_connections false");
        connection.execute(AssertSqlSafe(sql)).await.expect("can mark the template");
    }
    // Closing gives the lock back.
    connection.close().await.expect("can close");
    name
}
