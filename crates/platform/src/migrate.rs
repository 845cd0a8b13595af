//! Brings the database up to date: one schema and one migrations table per module, one node at a time.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection, PgPool};

/// Any number, as long as nobody else on this database uses it: "souk" and "migr" in ASCII.
const LOCK: i64 = 0x736f_756b_6d69_6772;

/// Runs the migrations of each module in this order, under an advisory lock.
///
/// # Errors
/// When a migration fails, or the database was migrated by a newer Souk.
pub async fn run(pool: &PgPool, modules: &[(&str, &Migrator)]) -> Result<(), MigrateError> {
    let mut connection = pool.acquire().await?.detach();
    // Another node's migrations may take as long as they take.
    sqlx::query("SET lock_timeout = 0").execute(&mut connection).await?;
    sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut connection).await?;
    for (module, migrator) in modules {
        tracing::debug!(module, "migrating");
        migrator.run(&mut connection).await?;
    }
    // The lock goes with the session, also when a migration failed above and the connection is dropped.
    connection.close().await?;
    Ok(())
}

/// Whether the database has every migration of these modules.
///
/// # Errors
/// When the database fails.
pub async fn is_current(pool: &PgPool, modules: &[(&str, &Migrator)]) -> Result<bool, sqlx::Error> {
    for (module, migrator) in modules {
        let newest = migrator.iter().map(|migration| migration.version).max();
        let sql =
            sqlx::AssertSqlSafe(format!("SELECT max(version) FROM {module}._sqlx_migrations WHERE success"));
        let applied: Option<i64> = sqlx::query_scalar(sql).fetch_one(pool).await?;
        if applied < newest {
            return Ok(false);
        }
    }
    Ok(true)
}
