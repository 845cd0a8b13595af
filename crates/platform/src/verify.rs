//! What `souk verify` finds.

use std::fmt::Display;

use serde::Serialize;

/// One broken promise of the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which promise, such as `inventory/stock_adds_up`.
    pub invariant: &'static str,
    /// What breaks it: an id or a key.
    pub subject: String,
    /// Expected and found, for people.
    pub message: String,
}

impl Violation {
    /// A violation of `invariant` by `subject`.
    pub fn new(invariant: &'static str, subject: impl Display, message: impl Into<String>) -> Self {
        Self { invariant, subject: subject.to_string(), message: message.into() }
    }
}
