//! Telling people: mail. It hears of the other modules by their events, and nobody names it but the wiring.

/// The tables of this module.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();
