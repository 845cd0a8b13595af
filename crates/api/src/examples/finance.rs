//! Examples of the marketplace's money.

use serde_json::{Value, json};

use super::{CATEGORY, VARIANT, money, slice};

const RULE: &str = "01a1fa90-2c11-7d3b-9f58-7a6b5c4d3e21";

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
