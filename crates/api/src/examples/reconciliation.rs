//! Examples of a provider's books against the ledger.

use serde_json::{Value, json};

use super::{money, slice};

const PAYMENT: &str = "01a1fa97-6210-7b1f-8c35-9d8e7f6a5b41";

/// An example of a schema of this part.
pub(super) fn of(schema: &str) -> Option<Value> {
    let exception = json!({
        "id": "01a1fc10-7b22-7e05-9c41-2f6a8d0b3e17", "provider": "stripe", "kind": "fee_differs", "state": "open",
        "movement": "charge", "subject_id": PAYMENT,
        "line": {
            "reference": "txn_1", "source": "ch_1", "amount": money(3998), "fee": money(82), "at": "2026-11-20T09:31:00Z"
        },
        "transaction": 1234, "expected": money(3918), "actual": money(3916),
        "explanation": "Payment: the provider kept another fee than the ledger says.",
        "advice": "check the provider's price list, then resolve it: the ledger takes the provider's fee",
        "opened_at": "2026-11-20T10:00:00Z", "ended_at": null, "outcome": null, "resolved_by": null
    });
    Some(match schema {
        "ReconciliationSummaries" => json!({"data": [{
            "provider": "stripe", "provider_balance": money(351_822), "ledger_balance": money(351_824),
            "difference": money(-2), "in_transit": money(0), "in_exceptions": money(-2), "lines": 1200, "matched": 1199,
            "waiting": 0, "open": 1, "compared_at": "2026-11-20T10:00:00Z"
        }]}),
        "ReconciliationRuns" => json!({"data": [{
            "provider": "stripe", "lines": 12, "entries": 23, "matched": 11, "opened": 1, "settled": 0
        }]}),
        "Slice_ReconciliationException" => slice(&exception),
        "ReconciliationException" => exception,
        "ResolveException" => json!({"reason": "the provider's prices went up this month"}),
        _ => return None,
    })
}
