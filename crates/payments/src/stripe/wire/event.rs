//! Notices.

use serde::Deserialize;
use serde_json::Value;

/// <https://docs.stripe.com/api/events/object>
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) created: i64,
    pub(crate) data: EventData,
}

#[derive(Debug, Deserialize)]
pub(crate) struct EventData {
    /// What it is about, as it was when it happened.
    pub(crate) object: Value,
    /// Of a change: what was different before.
    pub(crate) previous_attributes: Option<Value>,
}
