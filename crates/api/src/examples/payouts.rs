//! Examples of stores' money on its way to them.

use serde_json::{Value, json};

use super::{ORDER, STORE, money, slice};

const PAYOUT: &str = "01a1fb02-6e10-7a44-8f21-5c3d9b0e7a61";

/// An example of a schema of this part.
pub(super) fn of(schema: &str) -> Option<Value> {
    let payout = json!({
        "id": PAYOUT, "store_id": STORE, "amount": money(3518), "state": "paid", "origin": "schedule", "attempt": 1,
        "retry_of": null, "provider": "sandbox", "provider_reference": "po_1", "failure": null, "note": null,
        "arrives_at": "2026-12-01T00:00:30Z", "created_at": "2026-11-30T00:00:00Z", "sent_at": "2026-11-30T00:00:30Z",
        "ended_at": "2026-12-01T00:00:30Z"
    });
    let item = |rule: &str, line: i16, amount: i64| {
        json!({
            "transaction": 1234, "line": line, "occurred_at": "2026-11-20T09:31:01Z", "kind": "sale", "reference": ORDER,
            "rule": rule, "amount": money(amount)
        })
    };
    let mut itemised = payout.clone();
    itemised["items"] =
        json!([item("sale", 2, 3998), item("commission", 3, -400), item("commission_tax", 5, -80)]);
    let settings = json!({
        "store_id": STORE, "schedule": {"interval": "weekly", "weekday": "monday"}, "minimum": [money(1000)],
        "hold_days": 7, "reserve_basis_points": 0, "reserve_days": 90, "paused": null, "version": 2
    });
    let balance = json!({
        "payable": money(3518), "available": money(0), "on_hold": money(3518), "reserve": money(0),
        "dispute_hold": money(0), "in_transit": money(0)
    });
    Some(match schema {
        "Payout" => payout,
        "Slice_Payout" => slice(&payout),
        "MadePayouts" => json!({"data": [payout]}),
        "ItemisedPayout" => itemised,
        "PayoutSettings" => settings,
        "PutPayouts" => json!({
            "schedule": {"interval": "weekly", "weekday": "monday"}, "minimum": [money(1000)]
        }),
        "StoreBalances" => json!({"data": [balance]}),
        "MoneyAdjustment" => json!({
            "id": "01a1fb44-2c11-7d3b-9f58-7a6b5c4d3e21", "store_id": STORE, "buyer_id": null, "amount": money(1200),
            "reason": "the courier lost the parcel", "created_at": "2026-11-24T09:30:00Z"
        }),
        "PayoutStatement" => statement(),
        "Statements" => json!({"data": [statement()]}),
        "PayoutAccount" => json!({
            "provider": "sandbox", "reference": "acct_1", "state": "active", "onboarding_url": null,
            "created_at": "2026-11-20T09:00:00Z"
        }),
        "RunPayouts" => {
            json!({"store_id": STORE, "most": money(100_000), "reason": "asked for by telephone"})
        }
        "PayoutReason" => json!({"reason": "the bank account is being changed"}),
        "MarkPayout" => json!({"state": "paid", "reason": "the bank says that it arrived"}),
        "AdjustMoney" => json!({
            "store_id": STORE, "amount": money(-250), "reason": "the courier lost the parcel"
        }),
        _ => return None,
    })
}

fn statement() -> Value {
    json!({
        "store_id": STORE, "payout": null, "from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z",
        "opening": money(0), "lines": [], "totals": [{"rule": "sale", "lines": 12, "amount": money(47_976)}],
        "closing": money(47_976), "made_at": "2026-12-01T06:00:00Z"
    })
}
