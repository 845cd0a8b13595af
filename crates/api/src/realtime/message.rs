//! What is said over a WebSocket: JSON objects with a `type`.

use orders::{OrderEvent, OrderId};
use platform::Secret;
use serde::{Deserialize, Deserializer, Serialize};

use crate::problem::Problem;

/// What a client says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Wish {
    /// Tell me what happens to this order, from after this version on.
    Subscribe {
        order_id: OrderId,
        #[serde(default)]
        after: i32,
        /// For a guest without a cookie.
        #[serde(default, deserialize_with = "secret")]
        cart_token: Option<Secret>,
    },
    /// No more of this order.
    Unsubscribe { order_id: OrderId },
    /// Are you there?
    Ping {},
}

impl Wish {
    /// Reads a message.
    ///
    /// # Errors
    /// When it is not JSON, or no wish.
    pub(super) fn read(text: &str) -> Result<Self, Answer> {
        serde_json::from_str(text).map_err(|error| {
            let code = if error.is_data() { "request/invalid_value" } else { "request/malformed_json" };
            // The position says nothing to people who built the JSON in a program; a value may be a secret.
            let message =
                "send a JSON object whose `type` is subscribe, unsubscribe or ping, with its fields";
            Answer::Error { order_id: None, code: code.to_owned(), message: message.to_owned() }
        })
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    Ok(text.map(|text| Secret::presented(&text)))
}

/// What the server says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Answer {
    /// What has happened to the order comes now, and then whatever happens next.
    Subscribed { order_id: OrderId },
    /// Something happened to an order.
    Event {
        order_id: OrderId,
        #[serde(flatten)]
        event: OrderEvent,
    },
    /// Nothing more comes of this order: it was asked for, or the order has come to its end.
    Unsubscribed { order_id: OrderId },
    /// Something is wrong; `code` is that of docs/errors.md.
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        order_id: Option<OrderId>,
        code: String,
        message: String,
    },
    /// Yes.
    Pong,
}

impl Answer {
    /// What is wrong with a wish about an order.
    pub(super) fn error(order: OrderId, problem: Problem) -> Self {
        Self::Error { order_id: Some(order), code: problem.code, message: problem.message }
    }

    /// The message on the wire.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("an answer is plain data")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        match Wish::read(text) {
            Err(Answer::Error { code, .. }) => code,
            _ => String::new(),
        }
    }

    #[test]
    fn reads_wishes_and_nothing_else() {
        let id = "01a1fa97-51ad-7a33-82e0-aac648a145b8";
        let wish = Wish::read(&format!(r#"{{"type":"subscribe","order_id":"{id}"}}"#));
        assert!(matches!(wish, Ok(Wish::Subscribe { after: 0, cart_token: None, .. })));
        let wish =
            Wish::read(&format!(r#"{{"type":"subscribe","order_id":"{id}","after":2,"cart_token":"x"}}"#));
        assert!(matches!(wish, Ok(Wish::Subscribe { after: 2, cart_token: Some(_), .. })));
        assert!(matches!(Wish::read(r#"{"type":"ping"}"#), Ok(Wish::Ping {})));
        for (text, code) in [
            ("", "request/malformed_json"),
            ("{\"type\"", "request/malformed_json"),
            ("{}", "request/invalid_value"),
            (r#"{"type":"shout"}"#, "request/invalid_value"),
            (r#"{"type":"subscribe"}"#, "request/invalid_value"),
            (r#"{"type":"subscribe","order_id":"1"}"#, "request/invalid_value"),
            (r#"{"type":"ping","loud":true}"#, "request/invalid_value"),
        ] {
            assert_eq!(refusal(text), code, "{text}");
        }
    }
}
