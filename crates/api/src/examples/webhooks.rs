//! Examples of what payment providers tell.

use serde_json::{Value, json};

use super::{ORDER, slice};

/// An example of a schema of this part.
pub(super) fn of(schema: &str) -> Option<Value> {
    let event = json!({
        "id": "01a1fa97-5a10-7c3e-9b42-6d1f0e8a7c25", "provider": "stripe",
        "event_id": "evt_1NG8Du2eZvKYlo2CUI79vXWy", "kind": "payment_intent.succeeded", "subject": ORDER,
        "occurred_at": "2026-11-20T09:31:00Z", "received_at": "2026-11-20T09:31:01Z", "deliveries": 1,
        "state": "processed", "attempts": 1, "due_at": null, "processed_at": "2026-11-20T09:31:01Z",
        "last_error": null
    });
    Some(match schema {
        "ReceivedWebhook" => json!({"received": true}),
        "WebhookEvent" => event,
        "Slice_WebhookEvent" => slice(&event),
        _ => return None,
    })
}
