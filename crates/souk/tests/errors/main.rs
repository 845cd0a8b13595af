//! What clients get for what can not be right: a problem with a stable code and the place of what is wrong.
//! Never a 500.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod cards;
mod edges;
mod hostile;
mod people;
mod scene;
mod selling;

use platform::{Currency, Money};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{TestApp, address, product, purchase};

use crate::scene::{Scene, assert_field, assert_problem, text, with};

const UNKNOWN: &str = "019a9c2e-5d10-7c6e-9a41-0f4b8a2d7c11";

/// A body that can not be read at all is refused in the same words by every operation that takes one.
#[tokio::test(flavor = "multi_thread")]
async fn unreadable_bodies_are_refused() {
    let scene = Scene::open().await;
    let deep = "[".repeat(200_000);
    let nested = format!(r#"{{"email":{}"#, r#"{"a":"#.repeat(20_000));
    let huge = format!(r#"{{"email":"{}"}}"#, "x".repeat(300 * 1024));
    let enormous = vec![b' '; 10 * 1024 * 1024];
    for (method, _, path, token, body) in scene.operations() {
        let whole = body.to_string();
        let cases: Vec<(Vec<u8>, u16, &str)> = vec![
            (b"".to_vec(), 400, "request/malformed_json"),
            (b"{".to_vec(), 400, "request/malformed_json"),
            (b"}".to_vec(), 400, "request/malformed_json"),
            (whole.as_bytes()[..whole.len() - 1].to_vec(), 400, "request/malformed_json"),
            (format!("{whole}x").into_bytes(), 400, "request/malformed_json"),
            (format!("{whole}{whole}").into_bytes(), 400, "request/malformed_json"),
            (whole.replace('"', "'").into_bytes(), 400, "request/malformed_json"),
            (whole.replace(':', "=").into_bytes(), 400, "request/malformed_json"),
            (b"{\"\xff\xfe\": 1}".to_vec(), 400, "request/malformed_json"),
            (b"\xef\xbb\xbf{}".to_vec(), 400, "request/malformed_json"),
            (b"\0".to_vec(), 400, "request/malformed_json"),
            (b"[]".to_vec(), 422, "request/invalid_type"),
            (format!("[{whole}]").into_bytes(), 422, "request/invalid_type"),
            (b"null".to_vec(), 422, "request/invalid_type"),
            (b"true".to_vec(), 422, "request/invalid_type"),
            (b" 42".to_vec(), 422, "request/invalid_type"),
            (b"\"{}\"".to_vec(), 422, "request/invalid_type"),
            (deep.clone().into_bytes(), 422, "request/invalid_type"),
            (huge.clone().into_bytes(), 413, "request/body_too_large"),
            (enormous.clone(), 413, "request/body_too_large"),
        ];
        for (bytes, status, code) in cases {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
            let answer = scene.raw(method.clone(), &path, token, bytes).await;
            assert_problem(&answer, status, code, &format!("{path} {shown}"));
        }
        let answer = scene.raw(method.clone(), &path, token, nested.clone().into_bytes()).await;
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{path}: {answer:?}");
        answer.code();
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/jsonx",
            "json",
        ] {
            let headers = [("x-cart-token", token), ("idempotency-key", "k"), ("content-type", kind)];
            let answer =
                scene.test.send_raw(method.clone(), &path, &headers, Some(whole.clone().into_bytes())).await;
            assert_problem(&answer, 415, "request/unsupported_media_type", &format!("{path} {kind}"));
        }
        let bare = [("x-cart-token", token), ("idempotency-key", "k")];
        let answer = scene.test.send_raw(method.clone(), &path, &bare, None).await;
        assert_problem(&answer, 415, "request/unsupported_media_type", &path);
    }
    // Parameters and the +json suffix are fine (RFC 6839).
    for kind in ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.souk+json"] {
        let answer = scene
            .test
            .send_raw(Method::POST, "/api/v1/carts", &[("content-type", kind)], Some(b" {} \n".to_vec()))
            .await;
        assert_eq!(answer.status, 201, "{kind}: {answer:?}");
    }
    scene.test.finish().await;
}

/// Whatever is wrong with a field, the answer names it by its path.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_fields_are_named_by_their_path() {
    let scene = Scene::open().await;
    let (unknown, missing) = ("request/unknown_field", "request/missing_field");
    let (kind, value) = ("request/invalid_type", "request/invalid_value");
    let checkout = "/api/v1/shopping_basket/checkout";
    let started = "/api/v2/shopping_basket/checkout";
    let add = "/api/v1/shopping_basket/products";
    let cases: Vec<(&str, &str, Value, &str, &str)> = vec![
        ("/api/v1/carts", "/surprise", json!(1), unknown, "surprise"),
        ("/api/v1/carts", "/currency", json!(1), kind, "currency"),
        ("/api/v1/carts", "/currency", json!("XYZ"), value, "currency"),
        ("/api/v1/carts", "/currency", json!("gbp"), value, "currency"),
        ("/api/v1/carts", "/currency", json!("XAU"), value, "currency"),
        ("/api/v1/carts", "/currency", json!(""), value, "currency"),
        (add, "/colour", json!("blue"), unknown, "colour"),
        (add, "/variant_id", Value::Null, missing, "variant_id"),
        (add, "/variant_id", json!(7), kind, "variant_id"),
        (add, "/variant_id", json!("teapot"), value, "variant_id"),
        (add, "/quantity", json!("2"), kind, "quantity"),
        (add, "/quantity", json!(1.5), kind, "quantity"),
        (add, "/quantity", json!(true), kind, "quantity"),
        (add, "/quantity", json!([1]), kind, "quantity"),
        (add, "/quantity", json!({}), kind, "quantity"),
        (add, "/quantity", json!(0), value, "quantity"),
        (add, "/quantity", json!(-1), value, "quantity"),
        (add, "/quantity", json!(100_001), value, "quantity"),
        (add, "/quantity", json!(i64::MIN), value, "quantity"),
        (add, "/quantity", json!(i64::MAX), value, "quantity"),
        (add, "/quantity", json!(u64::MAX), value, "quantity"),
        (add, "/quantity", json!(1e30), kind, "quantity"),
        ("/api/v1/carts/{id}/items", "/quantity", json!(0), value, "quantity"),
        ("/api/v1/carts/{id}/items/{line_id}", "/quantity", json!(0), value, "quantity"),
        ("/api/v1/carts/{id}/items/{line_id}", "/quantity", json!(-5), value, "quantity"),
        ("/api/v1/carts/{id}/items/{line_id}", "/quantity", Value::Null, missing, "quantity"),
        ("/api/v1/carts/{id}/items/{line_id}", "/variant_id", json!(UNKNOWN), unknown, "variant_id"),
        (checkout, "/email", Value::Null, missing, "email"),
        (checkout, "/email", json!("ada"), value, "email"),
        (checkout, "/email", json!("ada@example.com\u{0}"), value, "email"),
        (checkout, "/email", json!(["ada@example.com"]), kind, "email"),
        (checkout, "/shipping_address", Value::Null, missing, "shipping_address"),
        (checkout, "/shipping_address", json!("12 St James's Square"), kind, "shipping_address"),
        (checkout, "/shipping_address/zip", json!("SW1Y"), unknown, "shipping_address.zip"),
        (checkout, "/shipping_address/name", Value::Null, missing, "shipping_address.name"),
        (checkout, "/shipping_address/name", json!(""), value, "shipping_address.name"),
        (checkout, "/shipping_address/name", json!("   "), value, "shipping_address.name"),
        (checkout, "/shipping_address/name", json!("x".repeat(201)), value, "shipping_address.name"),
        (checkout, "/shipping_address/line1", json!(12), kind, "shipping_address.line1"),
        (checkout, "/shipping_address/line2", json!("a\u{0}b"), value, "shipping_address.line2"),
        (checkout, "/shipping_address/city", json!("Lon\ndon"), value, "shipping_address.city"),
        (
            checkout,
            "/shipping_address/postal_code",
            json!("x".repeat(21)),
            value,
            "shipping_address.postal_code",
        ),
        (checkout, "/shipping_address/country", json!("gb"), value, "shipping_address.country"),
        (checkout, "/shipping_address/country", json!("GBR"), value, "shipping_address.country"),
        (checkout, "/shipping_address/country", json!("ÄÖ"), value, "shipping_address.country"),
        (checkout, "/billing_address/vat", json!("GB123"), unknown, "billing_address.vat"),
        (checkout, "/billing_address/city", Value::Null, missing, "billing_address.city"),
        (checkout, "/billing_address/phone", json!("\u{7}"), value, "billing_address.phone"),
        (checkout, "/payment", Value::Null, missing, "payment"),
        (checkout, "/payment", json!("tok_visa"), kind, "payment"),
        (checkout, "/payment/token", Value::Null, missing, "payment.token"),
        (checkout, "/payment/token", json!({"id": "tok_visa"}), kind, "payment.token"),
        (checkout, "/payment/cvc", json!("123"), unknown, "payment.cvc"),
        (started, "/email", Value::Null, missing, "email"),
        (started, "/shipping_address/zip", json!("SW1Y"), unknown, "shipping_address.zip"),
        (started, "/payment/token", Value::Null, missing, "payment.token"),
        (started, "/cart_id", json!(UNKNOWN), unknown, "cart_id"),
        ("/api/v1/orders", "/cart_id", Value::Null, missing, "cart_id"),
        ("/api/v1/orders", "/cart_id", json!("x"), value, "cart_id"),
        ("/api/v1/orders", "/shipping", Value::Null, missing, "shipping"),
        ("/api/v1/orders", "/shipping/zip", json!("SW1Y"), unknown, "shipping.zip"),
        ("/api/v1/orders", "/billing/country", json!("Great Britain"), value, "billing.country"),
        ("/api/v1/orders", "/shipping_address", json!({}), unknown, "shipping_address"),
        ("/api/v1/orders/{id}/payment", "/token", Value::Null, missing, "token"),
        ("/api/v1/orders/{id}/payment", "/token", json!(42), kind, "token"),
        ("/api/v1/orders/{id}/payment", "/amount", json!(1), unknown, "amount"),
    ];
    for (template, pointer, wrong, code, field) in cases {
        let operations = scene.operations();
        let (method, _, path, token, body) =
            operations.iter().find(|operation| operation.1 == template).unwrap();
        let body = with(body.clone(), pointer, wrong.clone());
        let answer = scene.raw(method.clone(), path, token, body.to_string().into_bytes()).await;
        let context = format!("{template} {pointer} {wrong}");
        assert_problem(&answer, 422, code, &context);
        assert_field(&answer, field, &context);
        assert_eq!(answer.json["details"][0]["code"], code.split('/').nth(1).unwrap(), "{context}");
        let message = answer.json["detail"].as_str().unwrap();
        for internal in ["struct ", "i64", "AddItem", "PaymentBody", "Address "] {
            assert!(!message.contains(internal), "{message:?} speaks Rust");
        }
    }
    scene.test.finish().await;
}

/// A field that is said twice is refused: which one is meant?
#[tokio::test(flavor = "multi_thread")]
async fn a_field_is_said_once() {
    let scene = Scene::open().await;
    let body = format!(r#"{{"variant_id": "{}", "quantity": 1, "quantity": 2}}"#, scene.variant);
    let answer =
        scene.raw(Method::POST, "/api/v1/shopping_basket/products", &scene.token, body.into_bytes()).await;
    assert_problem(&answer, 422, "request/invalid_value", "twice");
    assert_field(&answer, "quantity", "twice");
    let whole = purchase("tok_visa").to_string();
    let body = whole.replace(r#""city":"London""#, r#""city":"London","city":"Paris""#);
    assert_ne!(body, whole);
    let answer =
        scene.raw(Method::POST, "/api/v1/shopping_basket/checkout", &scene.token, body.into_bytes()).await;
    assert_problem(&answer, 422, "request/invalid_value", "twice");
    assert_field(&answer, "shipping_address.city", "twice");
    scene.test.finish().await;
}

/// All that is wrong with an address is told at once.
#[tokio::test(flavor = "multi_thread")]
async fn everything_wrong_is_told_at_once() {
    let scene = Scene::open().await;
    let mut body = purchase("tok_visa");
    body["shipping_address"]["name"] = json!("");
    body["shipping_address"]["country"] = json!("England");
    body["shipping_address"]["postal_code"] = json!("x".repeat(50));
    body["billing_address"] = json!(address());
    body["billing_address"]["city"] = json!("x".repeat(500));
    let headers = [("x-cart-token", scene.token.as_str()), ("idempotency-key", "k")];
    let answer = scene.test.post("/api/v1/shopping_basket/checkout", &headers, &body).await;
    assert_problem(&answer, 422, "request/invalid_value", "four things");
    let mut fields: Vec<_> =
        answer.json["details"].as_array().unwrap().iter().map(|detail| text(&detail["field"])).collect();
    fields.sort();
    assert_eq!(
        fields,
        [
            "billing_address.city",
            "shipping_address.country",
            "shipping_address.name",
            "shipping_address.postal_code"
        ]
    );
    scene.test.finish().await;
}

/// Of a list's query every word is checked, and the wrong one named.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_queries_are_named() {
    let test = TestApp::start().await;
    test.store("shop", Currency::GBP).await;
    let numbered = ["/api/v1/products", "/api/v1/stores", "/api/v1/stores/shop/products"];
    let mut cases = Vec::new();
    for list in numbered {
        for (query, field) in [
            ("page=0", "page"),
            ("page=-1", "page"),
            ("page=abc", "page"),
            ("page=", "page"),
            ("page=1.5", "page"),
            ("page=1000001", "page"),
            ("page=99999999999999999999", "page"),
            ("page=1&page=2", "page"),
            ("page=%00", "page"),
            ("per_page=0", "per_page"),
            ("per_page=101", "per_page"),
            ("per_page=1000", "per_page"),
            ("per_page=twenty", "per_page"),
            ("colour=red", "colour"),
            ("first=20", "first"),
            ("page=1&PAGE=2", "PAGE"),
        ] {
            cases.push((list, query, field));
        }
    }
    for (query, field) in [
        ("first=0", "first"),
        ("first=101", "first"),
        ("first=x", "first"),
        ("min_price=-1", "min_price"),
        ("min_price=1.99", "min_price"),
        ("max_price=-1", "max_price"),
        ("max_price=9223372036854775808", "max_price"),
        ("currency=XYZ", "currency"),
        ("currency=gbp", "currency"),
        ("currency=", "currency"),
        ("in_stock=maybe", "in_stock"),
        ("in_stock=1", "in_stock"),
        ("sort=random", "sort"),
        ("sort=", "sort"),
        ("sort=price&sort=title", "sort"),
        ("page=1", "page"),
        ("store=shop&color=red", "color"),
    ] {
        cases.push(("/api/v2/products", query, field));
    }
    for (list, query, field) in cases {
        let answer = test.get(&format!("{list}?{query}"), &[]).await;
        let context = format!("{list}?{query}");
        assert_eq!(answer.status, 422, "{context}: {answer:?}");
        assert!(answer.code().starts_with("request/"), "{context}: {}", answer.code());
        assert_field(&answer, field, &context);
    }
    test.finish().await;
}

/// There is nothing under an unknown id, and nobody learns whether somebody else has something there.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_yours_is_not_there() {
    let scene = Scene::open().await;
    let (_, stranger, foreign_line) = Scene::cart(&scene.test, &scene.variant).await;
    let operations = scene.operations();
    let body_of = |template: &str| {
        operations.iter().find(|operation| operation.1 == template).map(|operation| operation.4.clone())
    };
    let reads = |cart: &str, order: &str| {
        vec![
            (Method::GET, format!("/api/v1/carts/{cart}"), None, "orders/cart_not_found"),
            (
                Method::POST,
                format!("/api/v1/carts/{cart}/items"),
                body_of("/api/v1/carts/{id}/items"),
                "orders/cart_not_found",
            ),
            (
                Method::PATCH,
                format!("/api/v1/carts/{cart}/items/{}", scene.line),
                Some(json!({"quantity": 1})),
                "orders/cart_not_found",
            ),
            (
                Method::DELETE,
                format!("/api/v1/carts/{cart}/items/{}", scene.line),
                None,
                "orders/cart_not_found",
            ),
            (
                Method::POST,
                "/api/v1/orders".to_owned(),
                body_of("/api/v1/orders").map(|body| with(body, "/cart_id", json!(cart))),
                "orders/cart_not_found",
            ),
            (Method::GET, format!("/api/v1/orders/{order}"), None, "orders/order_not_found"),
            (Method::GET, format!("/api/v2/orders/{order}"), None, "orders/order_not_found"),
            (Method::GET, format!("/api/v2/orders/{order}/events"), None, "orders/order_not_found"),
            (
                Method::POST,
                format!("/api/v1/orders/{order}/payment"),
                body_of("/api/v1/orders/{id}/payment"),
                "orders/order_not_found",
            ),
            (Method::POST, format!("/api/v1/orders/{order}/cancel"), None, "orders/order_not_found"),
        ]
    };
    let here = reads(&scene.cart, &scene.order);
    let nowhere = reads(UNKNOWN, UNKNOWN);
    for ((method, path, body, code), (_, elsewhere, other_body, _)) in here.into_iter().zip(nowhere) {
        let mut seen = Vec::new();
        let key = ("idempotency-key", "k");
        for token in [stranger.as_str(), "guess", "", "\t"] {
            for (path, body) in [(&path, &body), (&elsewhere, &other_body)] {
                let answer = scene
                    .test
                    .send(method.clone(), path, &[key, ("x-cart-token", token)], body.as_ref())
                    .await;
                assert_problem(&answer, 404, code, &format!("{method} {path} {token:?}"));
                seen.push((answer.json["message"].clone(), answer.json["details"].clone()));
            }
        }
        for path in [&path, &elsewhere] {
            let answer = scene.test.send(method.clone(), path, &[key], body.as_ref()).await;
            assert_problem(&answer, 404, code, &format!("{method} {path} without a token"));
            seen.push((answer.json["message"].clone(), answer.json["details"].clone()));
        }
        seen.dedup();
        assert_eq!(seen.len(), 1, "{method} {path} tells strangers apart: {seen:?}");
    }

    // One's own cart with a line that is not in it.
    for line in [foreign_line.as_str(), UNKNOWN] {
        let path = format!("/api/v1/carts/{}/items/{line}", scene.cart);
        let token = [("x-cart-token", scene.token.as_str())];
        for (method, body) in [(Method::PATCH, Some(json!({"quantity": 1}))), (Method::DELETE, None)] {
            let answer = scene.test.send(method, &path, &token, body.as_ref()).await;
            assert_problem(&answer, 404, "orders/line_not_found", &path);
        }
    }
    // A basket that is not there can not be bought, and shows empty.
    for headers in [vec![], vec![("x-cart-token", "guess")], vec![("cookie", "souk_cart=guess")]] {
        let mut with_key = headers.clone();
        with_key.push(("idempotency-key", "k"));
        let answer =
            scene.test.post("/api/v1/shopping_basket/checkout", &with_key, &purchase("tok_visa")).await;
        assert_problem(&answer, 404, "orders/cart_not_found", "no basket");
        let shown = scene.test.get("/api/v1/shopping_basket", &headers).await;
        assert_eq!((shown.status.as_u16(), &shown.json["id"]), (200, &Value::Null), "{shown:?}");
    }
    // Ids that are none.
    for id in ["1", "teapot", "not-a-uuid", "%00", "%FF", "00000000-0000-0000-0000-00000000000g", "..%2F.."] {
        for path in [format!("/api/v1/carts/{id}"), format!("/api/v1/orders/{id}")] {
            let answer = scene.test.get(&path, &[("x-cart-token", &scene.token)]).await;
            assert_problem(&answer, 404, "request/not_found", &path);
        }
    }
    // A variant that nobody sells.
    let body = json!({"variant_id": UNKNOWN});
    let headers = [("x-cart-token", scene.token.as_str())];
    let answer = scene.test.post("/api/v1/shopping_basket/products", &headers, &body).await;
    assert_problem(&answer, 404, "orders/item_unavailable", "unknown variant");
    scene.test.finish().await;
}

/// A cart holds one currency.
#[tokio::test(flavor = "multi_thread")]
async fn currencies_do_not_mix() {
    let scene = Scene::open().await;
    let headers = [("x-cart-token", scene.token.as_str())];
    let body = json!({"variant_id": scene.foreign_variant, "quantity": 1});
    for path in [format!("/api/v1/carts/{}/items", scene.cart), "/api/v1/shopping_basket/products".to_owned()]
    {
        let answer = scene.test.post(&path, &headers, &body).await;
        assert_problem(&answer, 422, "orders/currency_mismatch", &path);
        assert_eq!(answer.json["details"][0]["field"], "variant_id");
        assert_eq!(answer.json["details"][0]["facts"], json!({"cart": "GBP", "item": "EUR"}));
    }
    let opened = scene.test.post("/api/v1/carts", &[], &json!({"currency": "EUR"})).await;
    assert_eq!(opened.json["subtotal"], json!({"amount": 0, "currency": "EUR"}));
    let path = format!("/api/v1/carts/{}/items", text(&opened.json["id"]));
    let token = text(&opened.json["token"]);
    let body = json!({"variant_id": scene.variant});
    let answer = scene.test.post(&path, &[("x-cart-token", &token)], &body).await;
    assert_problem(&answer, 422, "orders/currency_mismatch", &path);
    scene.test.finish().await;
}

/// The time of a cart that was left alone is over: 410, for whatever is asked of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_cart_is_gone() {
    let scene = Scene::open().await;
    scene.test.run_jobs().await;
    scene.test.clock.advance(time::Duration::days(29));
    let headers = [("x-cart-token", scene.token.as_str()), ("idempotency-key", "k")];
    let cart = format!("/api/v1/carts/{}", scene.cart);
    let line = format!("{cart}/items/{}", scene.line);
    assert_eq!(scene.test.get(&cart, &headers).await.status, 200);
    // A change begins its time anew.
    let changed = scene.test.send(Method::PATCH, &line, &headers, Some(&json!({"quantity": 2}))).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    scene.test.clock.advance(time::Duration::days(29));
    assert_eq!(scene.test.get(&cart, &headers).await.status, 200);
    scene.test.clock.advance(time::Duration::days(1));
    let item = json!({"variant_id": scene.variant});
    let order = json!({"cart_id": scene.cart, "email": "ada@example.com", "shipping": address()});
    let cases = [
        (Method::GET, cart.clone(), None),
        (Method::POST, format!("{cart}/items"), Some(item.clone())),
        (Method::PATCH, line.clone(), Some(json!({"quantity": 1}))),
        (Method::DELETE, line, None),
        (Method::POST, "/api/v1/orders".to_owned(), Some(order)),
        (Method::POST, "/api/v1/shopping_basket/checkout".to_owned(), Some(purchase("tok_visa"))),
    ];
    for (method, path, body) in cases {
        let answer = scene.test.send(method.clone(), &path, &headers, body.as_ref()).await;
        assert_problem(&answer, 410, "orders/cart_expired", &format!("{method} {path}"));
        let stranger = scene.test.send(method.clone(), &path, &headers[1..], body.as_ref()).await;
        assert_problem(&stranger, 404, "orders/cart_not_found", &format!("{method} {path}"));
    }
    // The basket begins anew by itself.
    let shown = scene.test.get("/api/v1/shopping_basket", &headers).await;
    assert_eq!((shown.status.as_u16(), &shown.json["id"]), (200, &Value::Null));
    let begun = scene.test.post("/api/v1/shopping_basket/products", &headers[..1], &item).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    assert_ne!(begun.json["id"], scene.cart.as_str());
    assert_ne!(begun.header("x-cart-token"), "");
    scene.test.finish().await;
}

/// Addresses that lead nowhere are 404, methods that an address does not take 405 with those that it takes.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_addresses_and_methods_are_told() {
    let scene = Scene::open().await;
    for path in [
        "/api",
        "/api/v1",
        "/api/v3/products",
        "/api/v1/product",
        "/api/v1/products/teapot/variants",
        "/api/v1/carts/x/y/z",
        "/nothing",
        "/openapi.yaml",
        "/assets/nothing.js",
        "/assets/docs.html",
        "/assets/..%2f..%2fCargo.toml",
        "/media/nothing.svg",
        "/media/..%2f..%2fetc%2fpasswd",
        "/media/%2e%2e/%2e%2e/etc/passwd",
        "/media/",
        "/media/%00",
        "/%00",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            if method != Method::GET && (path.starts_with("/assets") || path.starts_with("/media")) {
                continue;
            }
            let answer = scene.test.send(method.clone(), path, &[], None).await;
            assert_problem(&answer, 404, "request/route_not_found", &format!("{method} {path}"));
        }
    }
    let document = serde_json::to_value(api::document()).unwrap();
    for (template, operations) in document["paths"].as_object().unwrap() {
        let path = template.replace("{id}", UNKNOWN).replace("{line_id}", UNKNOWN);
        let known: Vec<_> =
            operations.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
            if known.iter().any(|one| one == method) {
                continue;
            }
            let answer = scene.test.send(method.parse().unwrap(), &path, &[], None).await;
            assert_problem(&answer, 405, "request/method_not_allowed", &format!("{method} {path}"));
            let allowed: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
            for one in &known {
                assert!(
                    allowed.contains(&one.as_str()),
                    "{method} {path}: allow {allowed:?}, documented {known:?}"
                );
            }
        }
    }
    scene.test.finish().await;
}

/// What is bought needs a key, the key needs to be one, and stands for one request.
#[tokio::test(flavor = "multi_thread")]
async fn purchases_need_a_key() {
    let scene = Scene::open().await;
    let long = "k".repeat(256);
    for (_, template, path, token, body) in scene.operations() {
        // A page needs none: whoever asks again is shown the same one.
        let page = template.ends_with("/payment_page");
        let demanded = (template.contains("checkout") || template.contains("/orders")) && !page;
        let token = ("x-cart-token", token);
        if demanded {
            let answer = scene.test.post(&path, &[token], &body).await;
            assert_problem(&answer, 400, "request/idempotency_key_required", template);
        }
        if demanded || template.ends_with("/items") || template.ends_with("/products") {
            for key in [long.as_str(), "", "tab\tin it"] {
                let answer = scene.test.post(&path, &[token, ("idempotency-key", key)], &body).await;
                assert_problem(&answer, 400, "request/idempotency_key_invalid", &format!("{template} {key}"));
            }
        }
    }
    let (path, key) = (format!("/api/v1/carts/{}/items", scene.cart), "k".repeat(255));
    let headers = [("x-cart-token", scene.token.as_str()), ("idempotency-key", key.as_str())];
    let added = scene.test.post(&path, &headers, &json!({"variant_id": scene.variant, "quantity": 1})).await;
    assert_eq!(added.status, 200, "{added:?}");
    let reused = scene.test.post(&path, &headers, &json!({"variant_id": scene.variant, "quantity": 2})).await;
    assert_problem(&reused, 422, "request/idempotency_key_reused", &path);
    let reused = scene.test.post("/api/v1/shopping_basket/checkout", &headers, &purchase("tok_visa")).await;
    assert_problem(&reused, 422, "request/idempotency_key_reused", "another operation");
    scene.test.finish().await;
}

/// An amount that does not fit is refused before it is kept: the cart stays readable.
#[tokio::test(flavor = "multi_thread")]
async fn a_sum_that_does_not_fit_is_refused() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let yacht =
        test.put(store, product("yacht", Money::new(i64::MAX / 3, Currency::GBP))).await.variants[0].0;
    test.adjust(yacht, 100, inventory::Reason::Opening).await;
    let token = test.basket(yacht, 2).await;
    let headers = [("x-cart-token", token.as_str())];
    let body = json!({"variant_id": yacht, "quantity": 2});
    let answer = test.post("/api/v1/shopping_basket/products", &headers, &body).await;
    assert_problem(&answer, 422, "orders/total_too_large", "added");
    let shown = test.get("/api/v1/shopping_basket", &headers).await;
    assert_eq!((shown.status.as_u16(), &shown.json["lines"][0]["quantity"]), (200, &json!(2)), "{shown:?}");
    let path =
        format!("/api/v1/carts/{}/items/{}", text(&shown.json["id"]), text(&shown.json["lines"][0]["id"]));
    let answer = test.send(Method::PATCH, &path, &headers, Some(&json!({"quantity": 4}))).await;
    assert_problem(&answer, 422, "orders/total_too_large", "changed");
    let other =
        test.put(store, product("another", Money::new(i64::MAX / 2, Currency::GBP))).await.variants[0].0;
    test.adjust(other, 1, inventory::Reason::Opening).await;
    let body = json!({"variant_id": other, "quantity": 1});
    let answer = test.post("/api/v1/shopping_basket/products", &headers, &body).await;
    assert_problem(&answer, 422, "orders/total_too_large", "another line");
    let shown = test.get("/api/v1/shopping_basket", &headers).await;
    assert_eq!(shown.json["lines"].as_array().unwrap().len(), 1, "{shown:?}");
    test.finish().await;
}
