//! What every module of Souk stands on. Knows no module and names nothing of the business.
//!
//! | need | look at |
//! |---|---|
//! | ids, money, e-mail addresses, quantities | [`id`], [`money`], [`email`], [`quantity`] |
//! | errors that reach a client | [`error`] |
//! | time and randomness | [`sources`] |
//! | PostgreSQL: pool, transactions, migrations, the embedded cluster | [`database`], [`migrate`], [`postgres`] |
//! | telling other modules and other nodes | [`outbox`], [`changes`] |
//! | many calls in one transaction | [`batch`] |
//! | places where tests let the power fail | [`fault`] |
//! | work that repeats | [`schedule`] |
//! | how often somebody may do something | [`limits`] |
//! | who did what | [`audit`] |
//! | keys that are kept encrypted | [`vault`] |

pub mod address;
pub mod audit;
pub mod batch;
pub mod changes;
pub mod database;
pub mod email;
pub mod error;
pub mod fault;
pub mod id;
pub mod limits;
pub mod migrate;
pub mod money;
pub mod outbox;
pub mod page;
pub mod postgres;
pub mod quantity;
pub mod schedule;
pub mod secret;
pub mod slug;
pub mod sources;
pub mod telemetry;
pub mod vault;
pub mod verify;

pub use address::Address;
pub use changes::{Changes, Tag};
pub use database::{Database, Tx};
pub use email::Email;
pub use error::{Code, Detail, ServiceError};
pub use id::Id;
pub use money::{Currency, Money, Rate};
pub use page::{Cursor, CursorRequest, Page, PageRequest, Slice};
pub use quantity::Quantity;
pub use secret::Secret;
pub use slug::Slug;
pub use sources::{Clock, Entropy, Sources};
pub use vault::Vault;
pub use verify::Violation;

/// The tables this crate owns: the outbox and the audit log.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();
