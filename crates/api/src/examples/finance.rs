//! Examples of the marketplace's money.

use serde_json::{Value, json};

use super::{CATEGORY, ORDER, STORE, VARIANT, money, slice};

const RULE: &str = "01a1fa90-2c11-7d3b-9f58-7a6b5c4d3e21";

const PAYMENT: &str = "01a1fa97-6210-7b1f-8c35-9d8e7f6a5b41";

fn refund() -> Value {
    json!({
        "id": "01a1fb21-2c11-7d3b-9f58-7a6b5c4d3e21", "order_id": ORDER, "status": "succeeded", "amount": money(1999),
        "reason": "defective", "note": "arrived broken", "restock": false, "external": false, "failure": null,
        "lines": [{
            "position": 1, "store_id": STORE, "variant_id": VARIANT, "quantity": 1, "amount": money(1999),
            "commission": money(160), "commission_tax": money(32)
        }],
        "created_at": "2026-11-24T09:30:00Z"
    })
}

/// An example of a schema of this part.
pub(super) fn of(schema: &str) -> Option<Value> {
    let terms = json!({
        "kind": "percentage", "rate_ppm": 80_000, "per_unit": null, "minimum": 50, "maximum": null
    });
    let rule = json!({
        "id": RULE, "position": 10, "name": "Teapots", "store_id": null, "category_id": CATEGORY, "currency": "GBP",
        "terms": terms, "tax_rate_ppm": 200_000, "valid_from": "2026-11-20T09:00:00Z", "valid_to": null,
        "ended_at": null, "created_at": "2026-11-20T09:00:00Z"
    });
    Some(match schema {
        "CommissionRule" => rule,
        "CommissionRules" => json!({"data": [rule]}),
        "Slice_CommissionRule" => slice(&rule),
        "CreateCommissionRule" => json!({
            "name": "Teapots", "category_id": CATEGORY, "currency": "GBP", "terms": terms, "tax_rate_ppm": 200_000
        }),
        "OpenPaymentPage" => json!({"return_url": "https://shop.example/thanks"}),
        "PaymentPage" => json!({
            "payment_id": PAYMENT, "url": "https://market.example/sandbox/pay?session=q7Yt", "expires_at": "2026-11-20T09:45:00Z"
        }),
        "CreateRefund" => json!({
            "lines": [{"position": 1, "quantity": 1}], "reason": "defective", "note": "arrived broken", "restock": false
        }),
        "OrderRefund" => refund(),
        "Refunds" => json!({"data": [refund()]}),
        "Accounts" => json!({"data": [
            {"account": "store_payable", "owner": STORE, "balance": money(351_824), "entries": 1284}
        ]}),
        "Slice_StatementLine" => slice(&json!({
            "transaction": 1234, "line": 2, "occurred_at": "2026-11-20T09:30:00Z", "kind": "sale", "reference": ORDER,
            "payment_id": PAYMENT, "rule": "sale", "amount": money(3998), "balance": money(351_824), "memo": null
        })),
        "LedgerHead" => json!({
            "transactions": 1234, "hash": "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
        }),
        "Slice_Dispute" => slice(&json!({
            "id": "01a1fb30-5d10-7c6e-9a41-0f4b8a2d7c11", "payment_id": PAYMENT, "order_id": ORDER,
            "amount": money(3998), "fee": money(1500), "reason": "fraudulent", "state": "open",
            "answer_by": "2026-12-01T09:30:00Z", "opened_at": "2026-11-24T09:30:00Z", "decided_at": null
        })),
        "ChangeCommissionRule" => json!({"position": 20, "valid_to": "2027-01-01T00:00:00Z"}),
        "PreviewCommission" => json!({"lines": [{"variant_id": VARIANT, "quantity": 2}]}),
        "CommissionPreview" => json!({
            "lines": [{
                "variant_id": VARIANT, "rule_id": RULE, "total": money(3998), "commission": money(320),
                "commission_tax": money(64)
            }],
            "total": money(3998), "commission": money(320), "commission_tax": money(64)
        }),
        _ => return None,
    })
}
