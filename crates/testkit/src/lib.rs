//! What tests work with: a database of their own, a clock that stands still, the whole application behind
//! real HTTP, and factories.
//!
//! Tests need `DATABASE_URL`, a PostgreSQL on which databases may be created. `script/test` provides one;
//! by hand: `cargo run -p testkit --bin with-postgres -- cargo nextest run`.
mod app;
mod database;
mod factory;
mod http;
mod logs;
mod mails;
mod people;
mod time_and_chance;

pub use app::{Setup, TestApp};
pub use database::TestDatabase;
pub use factory::{NewProduct, address, product, purchase, variant};
pub use http::Answer;
pub use logs::{Secrets, logged};
pub use mails::TestMail;
pub use people::{PASSWORD, Person};
pub use time_and_chance::{FakeClock, SeededEntropy};
