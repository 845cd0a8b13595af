//! The one small set of error codes. Each module error maps to a [`Code`] and a stable reason; each
//! transport maps the codes once.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What kind of failure it is, as every transport tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The request can not be right, whatever the state of the world.
    Invalid,
    /// Nobody is known to be asking.
    Unauthenticated,
    /// The actor may not do this.
    Forbidden,
    /// There is no such thing, or it is not the actor's.
    NotFound,
    /// There was such a thing; its time is over.
    Gone,
    /// The thing is in a state that does not allow it.
    Conflict,
    /// The actor's picture of the thing is out of date.
    Precondition,
    /// The payment was refused.
    PaymentRequired,
    /// Too often.
    TooMany,
    /// Something that is needed does not answer; trying again later may help.
    Unavailable,
    /// Our fault.
    Internal,
}

/// One thing that is wrong, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Detail {
    /// Path of the field, such as `shipping_address.postal_code` or `lines[0].quantity`.
    #[schema(example = "lines[0]")]
    pub field: String,
    /// Stable code.
    #[schema(example = "out_of_stock")]
    pub code: String,
    /// For people.
    pub message: String,
    /// The facts, for programs: ids, what was asked, what there is.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    #[schema(value_type = Option<Object>)]
    pub facts: serde_json::Value,
}

impl Detail {
    /// A detail without facts.
    pub fn new(field: impl Into<String>, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            code: code.into(),
            message: message.into(),
            facts: serde_json::Value::Null,
        }
    }

    /// Adds the facts.
    #[must_use]
    pub fn with_facts(mut self, facts: serde_json::Value) -> Self {
        self.facts = facts;
        self
    }
}

/// An error of a module's face.
pub trait ServiceError: std::error::Error + Send + Sync + 'static {
    /// Its kind.
    fn code(&self) -> Code;
    /// Its stable name, such as `inventory/out_of_stock`.
    fn reason(&self) -> &str;
    /// What exactly is wrong, where that can be said.
    fn details(&self) -> Vec<Detail> {
        Vec::new()
    }
    /// Whether this answers a repeated request as the first one was answered.
    fn replayed(&self) -> bool {
        false
    }
    /// After how many seconds trying again may help.
    fn retry_after(&self) -> Option<u32> {
        (self.code() == Code::Unavailable).then_some(1)
    }
}

/// Gives the code and reason of a database failure: out of reach, or our fault.
pub fn database_failure(error: &sqlx::Error) -> (Code, &'static str) {
    let unreachable = match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        // Class 57 is operator intervention (a server that stops or starts), 53 is too few resources; a lock that
        // was waited for too long, a deadlock and a conflict of transactions pass.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("57P")
                || code.starts_with("53")
                || ["55P03", "40P01", "40001"].contains(&code.as_ref())
        }),
        _ => false,
    };
    if unreachable { (Code::Unavailable, "database/unavailable") } else { (Code::Internal, "internal") }
}
