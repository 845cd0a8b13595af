//! Input that programs trip over, from those who run stores and the marketplace, who may do everything.

use identity::PlatformRole;
use platform::Currency;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{NewProduct, TestApp};

use crate::hostile::{assert_harmless, places, values_at};
use crate::scene::{text, with};

/// Every operation of selling that takes a body.
pub(crate) const OPERATIONS: [(Method, &str); 27] = [
    (Method::POST, "/api/v1/stores"),
    (Method::PATCH, "/api/v1/stores/{id}"),
    (Method::POST, "/api/v1/stores/{id}/reject"),
    (Method::POST, "/api/v1/stores/{id}/suspend"),
    (Method::POST, "/api/v1/stores/{id}/products"),
    (Method::PATCH, "/api/v1/stores/{id}/products/{product_id}"),
    (Method::POST, "/api/v1/stores/{id}/products/{product_id}/variants"),
    (Method::PATCH, "/api/v1/stores/{id}/products/{product_id}/variants/{variant_id}"),
    (Method::POST, "/api/v1/stores/{id}/stock/{variant_id}/adjustments"),
    (Method::PUT, "/api/v1/stores/{id}/stock/{variant_id}"),
    (Method::POST, "/api/v1/stores/{id}/locations"),
    (Method::PATCH, "/api/v1/stores/{id}/locations/{code}"),
    (Method::PUT, "/api/v1/stores/{id}/products/{product_id}/waiting_room"),
    (Method::POST, "/api/v1/categories"),
    (Method::PATCH, "/api/v1/categories/{id}"),
    (Method::PUT, "/api/v1/stores/{id}/payout_settings"),
    (Method::POST, "/api/v1/stores/{id}/payout_settings/pause"),
    (Method::POST, "/api/v1/stores/{id}/payout_settings/resume"),
    (Method::POST, "/api/v1/payouts"),
    (Method::POST, "/api/v1/payouts/{id}/mark"),
    (Method::POST, "/api/v1/payouts/{id}/cancel"),
    (Method::POST, "/api/v1/payouts/{id}/retry"),
    (Method::POST, "/api/v1/adjustments"),
    (Method::POST, "/api/v1/reconciliation/exceptions/{id}/resolve"),
    (Method::POST, "/api/v1/commission_rules"),
    (Method::POST, "/api/v1/commission_rules/preview"),
    (Method::PATCH, "/api/v1/commission_rules/{id}"),
];

/// A body with every field, for each of them.
fn body(template: &str, category: &str, above: &str, variant_id: &str) -> Value {
    let pounds = json!({"amount": 500, "currency": "GBP"});
    let image = json!({"url": "/media/a.svg", "alt": "A"});
    let variant = json!({
        "sku": "S", "barcode": "B", "options": [], "price": pounds, "compare_at_price": pounds, "weight_grams": 1,
        "image_url": "/media/a.svg"
    });
    let product = json!({
        "title": "T", "description": "D", "vendor": "V", "tags": ["t"], "status": "active", "images": [image],
        "categories": [category], "purchase_limit": 2
    });
    match template.trim_start_matches("/api/v1") {
        "/stores" => json!({
            "slug": "new", "name": "N", "description": "D", "currency": "GBP", "image_url": "https://a.example/b.jpg"
        }),
        "/stores/{id}" => json!({"name": "N", "description": "D", "image_url": "/media/a.svg"}),
        "/stores/{id}/products" => {
            let new = with(product, "/variants", json!([variant]));
            with(with(new, "/options", json!([])), "/slug", json!("t"))
        }
        "/stores/{id}/products/{product_id}" => product,
        "/stores/{id}/products/{product_id}/variants"
        | "/stores/{id}/products/{product_id}/variants/{variant_id}" => variant,
        "/stores/{id}/stock/{variant_id}/adjustments" => {
            json!({"quantity": 1, "reason": "received", "note": "N", "location": "main"})
        }
        "/stores/{id}/stock/{variant_id}" => {
            json!({"on_hand": 5, "reason": "counted", "note": "N", "location": "main"})
        }
        "/stores/{id}/locations" => json!({"code": "york", "name": "N", "country": "GB"}),
        "/stores/{id}/locations/{code}" => {
            json!({"name": "N", "country": "GB", "position": 1, "active": true})
        }
        "/stores/{id}/products/{product_id}/waiting_room" => json!({
            "enabled": true, "admissions_per_second": 50, "window_seconds": 600, "challenge_difficulty": 18,
            "opens_at": "2027-01-01T00:00:00Z"
        }),
        "/categories" | "/categories/{id}" => {
            json!({"slug": "c", "name": "C", "parent_id": above, "position": 1})
        }
        "/stores/{id}/payout_settings" => json!({
            "schedule": {"interval": "monthly", "day": 1}, "minimum": [pounds], "hold_days": 1,
            "reserve_basis_points": 1, "reserve_days": 1
        }),
        "/payouts" => json!({"store_id": above, "most": pounds, "reason": "R"}),
        "/payouts/{id}/mark" => json!({"state": "paid", "reason": "R"}),
        "/adjustments" => json!({"store_id": above, "buyer_id": null, "amount": pounds, "reason": "R"}),
        "/commission_rules" => json!({
            "position": 1, "name": "N", "category_id": category, "currency": "GBP", "tax_rate_ppm": 1,
            "valid_from": "2027-01-01T00:00:00Z", "valid_to": "2028-01-01T00:00:00Z",
            "terms": {"kind": "tiered", "brackets": [
                {"up_to": 5, "rate_ppm": 1, "fixed": 1}, {"up_to": null, "rate_ppm": 1, "fixed": 1}
            ]}
        }),
        "/commission_rules/preview" => {
            json!({"lines": [{"variant_id": variant_id, "quantity": 1}], "at": "2027-01-01T00:00:00Z"})
        }
        "/commission_rules/{id}" => json!({"position": 1, "valid_to": "2028-01-01T00:00:00Z"}),
        _ => json!({"reason": "R"}),
    }
}

/// Lists are places, too.
fn with_lists(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(name, inner)| with_lists(inner, &format!("{at}/{name}"), found));
        }
        Value::Array(list) => list.iter().enumerate().for_each(|(place, inner)| {
            let mut inside = Vec::new();
            places(inner, &format!("{at}/{place}"), &mut inside);
            found.append(&mut inside);
        }),
        _ => {}
    }
}

/// Nothing that stands in a body, in any of its places, brings the server down or breaks a book.
#[tokio::test(flavor = "multi_thread")]
async fn no_body_of_a_seller_is_our_fault() {
    let test = TestApp::start().await;
    let operator = test.trusted("operator", PlatformRole::Operator).await;
    let shop = test.store("shop", Currency::GBP).await;
    let variant = test.product(NewProduct::default()).await;
    let category = test.category("pots", None).await.to_string();
    let above = test.category("kitchen", None).await.to_string();
    let shown = test.get("/api/v1/products/teapot", &[]).await;
    let product = text(&shown.json["id"]);
    let rule = json!({"name": "Standard", "terms": {"kind": "percentage", "rate_ppm": 100_000}});
    let rule = test.post("/api/v1/commission_rules", &[operator.header()], &rule).await;
    let rule = text(&rule.json["id"]);
    for (method, template) in OPERATIONS {
        let path = template
            .replace("/categories/{id}", &format!("/categories/{category}"))
            .replace("/commission_rules/{id}", &format!("/commission_rules/{rule}"))
            .replace("{id}", &shop.to_string())
            .replace("{product_id}", &product)
            .replace("{variant_id}", &variant.to_string())
            .replace("{code}", "main");
        let readable = path.split("/variants").next().unwrap();
        let readable = test.ask(Some(&operator), Method::GET, readable, &[], None).await;
        let (mut etag, mut through) = (readable.header("etag").to_owned(), false);
        let whole = body(template, &category, &above, &variant.to_string());
        let mut found = Vec::new();
        places(&whole, "", &mut found);
        with_lists(&whole, "", &mut found);
        for (turn, place) in found.into_iter().enumerate() {
            let mut marked = whole.clone();
            *marked.pointer_mut(&place).unwrap() = json!("@@");
            let marked = marked.to_string();
            let (before, after) = marked.split_once("\"@@\"").unwrap();
            for (number, nasty) in values_at(turn).into_iter().enumerate() {
                let bytes = [before.as_bytes(), &nasty, after.as_bytes()].concat();
                // On top of what is there now, so that what is no nonsense is done.
                let mut headers = vec![
                    ("authorization", operator.authorization.as_str()),
                    ("content-type", "application/json"),
                ];
                let key = format!("{template}{place}{number}");
                headers.push(("idempotency-key", key.as_str()));
                headers.extend((!etag.is_empty()).then_some(("if-match", etag.as_str())));
                let answer = test.send_raw(method.clone(), &path, &headers, Some(bytes)).await;
                let nasty = String::from_utf8_lossy(&nasty[..nasty.len().min(60)]).into_owned();
                assert_harmless(&answer, &format!("{method} {template} {place} = {nasty}"));
                if answer.status == 200 {
                    through = true;
                    answer.header("etag").clone_into(&mut etag);
                }
            }
        }
        if method == Method::PATCH || method == Method::PUT {
            assert!(through, "{template}: something came through");
            // Waiting rooms and locations count no versions.
            let versioned = !template.ends_with("/waiting_room") && !template.ends_with("/{code}");
            assert!(!versioned || etag != readable.header("etag"), "{template}: its version counts");
        }
    }
    test.finish().await;
}
