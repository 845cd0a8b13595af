//! What the tests of errors play in.

use platform::Currency;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, NewProduct, TestApp, address};

/// A marketplace in which somebody is about to buy.
pub(crate) struct Scene {
    pub(crate) test: TestApp,
    pub(crate) variant: String,
    pub(crate) foreign_variant: String,
    pub(crate) cart: String,
    pub(crate) line: String,
    pub(crate) token: String,
    pub(crate) order: String,
    pub(crate) order_token: String,
}

impl Scene {
    /// A teapot in a cart, another one in an order that awaits payment, and a rose that is sold in euros.
    pub(crate) async fn open() -> Self {
        let test = TestApp::start().await;
        let variant =
            test.product(NewProduct { stock: 1_000_000, ..NewProduct::default() }).await.to_string();
        let abroad = test.store("abroad", Currency::EUR).await;
        let rose = NewProduct { slug: "rose", ..NewProduct::default() };
        let foreign_variant = test.product_of(abroad, Currency::EUR, rose).await.to_string();
        let (cart, token, line) = Self::cart(&test, &variant).await;
        let (other, order_token, _) = Self::cart(&test, &variant).await;
        let body = json!({"cart_id": other, "email": "ada@example.com", "shipping": address()});
        let headers = [("x-cart-token", order_token.as_str()), ("idempotency-key", "scene")];
        let placed = test.post("/api/v1/orders", &headers, &body).await;
        assert_eq!(placed.status, 201, "{placed:?}");
        let order = text(&placed.json["id"]);
        Self { test, variant, foreign_variant, cart, line, token, order, order_token }
    }

    pub(crate) async fn cart(test: &TestApp, variant: &str) -> (String, String, String) {
        let opened = test.post("/api/v1/carts", &[], &json!({})).await;
        let (cart, token) = (text(&opened.json["id"]), text(&opened.json["token"]));
        let path = format!("/api/v1/carts/{cart}/items");
        let filled = test.post(&path, &[("x-cart-token", &token)], &json!({"variant_id": variant})).await;
        assert_eq!(filled.status, 200, "{filled:?}");
        (cart, token, text(&filled.json["lines"][0]["id"]))
    }

    /// Every operation that takes a body: method, path template, path, token, and a body with every field.
    /// The card of the purchases is declined, so that they can be sent again and again.
    pub(crate) fn operations(&self) -> Vec<(Method, &'static str, String, &str, Value)> {
        let whole = json!({
            "name": "Ada", "company": "Engines", "line1": "12 St James's Square", "line2": "Flat 1", "city": "London",
            "region": "London", "postal_code": "SW1Y 4JH", "country": "GB", "phone": "+44 20 7946 0000"
        });
        let card = json!({"token": "tok_chargeDeclined"});
        let item = json!({"variant_id": self.variant, "quantity": 1});
        let checkout = json!({"email": "ada@example.com", "shipping_address": whole, "billing_address": whole, "payment": card});
        let order = json!({
            "cart_id": self.cart, "email": "ada@example.com", "shipping": whole, "billing": whole, "payment": card
        });
        let (cart, line) = (&self.cart, &self.line);
        let mut operations: Vec<(Method, &str, String, &str, Value)> = vec![
            (Method::POST, "/api/v1/carts", "/api/v1/carts".into(), &self.token, json!({"currency": "GBP"})),
            (
                Method::POST,
                "/api/v1/carts/{id}/items",
                format!("/api/v1/carts/{cart}/items"),
                &self.token,
                item.clone(),
            ),
            (
                Method::PATCH,
                "/api/v1/carts/{id}/items/{line_id}",
                format!("/api/v1/carts/{cart}/items/{line}"),
                &self.token,
                json!({"quantity": 2}),
            ),
            (
                Method::POST,
                "/api/v1/shopping_basket/products",
                "/api/v1/shopping_basket/products".into(),
                &self.token,
                item,
            ),
            (
                Method::POST,
                "/api/v1/shopping_basket/checkout",
                "/api/v1/shopping_basket/checkout".into(),
                &self.token,
                checkout.clone(),
            ),
            (
                Method::POST,
                "/api/v2/shopping_basket/checkout",
                "/api/v2/shopping_basket/checkout".into(),
                &self.token,
                checkout,
            ),
            (Method::POST, "/api/v1/orders", "/api/v1/orders".into(), &self.token, order),
            (
                Method::POST,
                "/api/v1/orders/{id}/payment",
                format!("/api/v1/orders/{}/payment", self.order),
                &self.order_token,
                card,
            ),
            (
                Method::POST,
                "/api/v1/orders/{id}/payment_page",
                format!("/api/v1/orders/{}/payment_page", self.order),
                &self.order_token,
                json!({"return_url": "https://shop.example/thanks", "cancel_url": "https://shop.example/"}),
            ),
            (
                Method::POST,
                "/api/v1/orders/{id}/refunds",
                format!("/api/v1/orders/{}/refunds", self.order),
                &self.order_token,
                json!({"amount": {"amount": 1, "currency": "GBP"}, "reason": "other", "note": "N", "restock": false,
                       "destination": "original"}),
            ),
            (
                Method::POST,
                "/api/v1/users/me/external_accounts/{provider}",
                "/api/v1/users/me/external_accounts/google".into(),
                &self.token,
                json!({"return_to": "/account"}),
            ),
        ];
        operations.extend(of_factors().map(|(method, path, body)| {
            let real = path.replace("{id}", "01a1fa91-03b7-7e26-84aa-5d7c2f1b9e60");
            (method, path, real, self.token.as_str(), body)
        }));
        operations
    }

    /// Sends raw bytes as JSON, under a new key each time.
    pub(crate) async fn raw(&self, method: Method, path: &str, token: &str, body: Vec<u8>) -> Answer {
        use std::sync::atomic::{AtomicU64, Ordering};
        static KEY: AtomicU64 = AtomicU64::new(0);
        let key = format!("key-{}", KEY.fetch_add(1, Ordering::Relaxed));
        let headers =
            [("x-cart-token", token), ("idempotency-key", &key), ("content-type", "application/json")];
        self.test.send_raw(method, path, &headers, Some(body)).await
    }
}

/// The text of a JSON value.
/// The operations of second factors that take a body.
fn of_factors() -> [(Method, &'static str, Value); 9] {
    let credential =
        json!({"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": "AA"}});
    let answer = json!({"challenge": "x", "credential": credential});
    let code = json!({"code": "123456"});
    [
        (Method::POST, "/api/v1/users/me/second_factors/totp/confirm", code.clone()),
        (Method::POST, "/api/v1/users/me/second_factors/totp/remove", code),
        (
            Method::POST,
            "/api/v1/users/me/second_factors/passkeys",
            json!({"challenge": "x", "name": "phone", "credential": credential}),
        ),
        (Method::PATCH, "/api/v1/users/me/second_factors/passkeys/{id}", json!({"name": "phone"})),
        (
            Method::POST,
            "/api/v1/auth/login/second_factor",
            json!({"challenge": "x", "totp": "123456", "session": "browser"}),
        ),
        (Method::POST, "/api/v1/auth/login/second_factor/passkey", json!({"challenge": "x"})),
        (Method::POST, "/api/v1/auth/passkey", answer.clone()),
        (Method::POST, "/api/v1/auth/step_up", json!({"passkey": answer})),
        (Method::POST, "/api/v1/auth/step_up", json!({"recovery_code": "7k2m-q0zx-41vd-hn8p"})),
    ]
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// `body` with the value at `pointer` set, added, or (null) taken out.
pub(crate) fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => parent.remove(name),
        value => parent.insert(name.to_owned(), value),
    };
    body
}

#[track_caller]
pub(crate) fn assert_problem(answer: &Answer, status: u16, code: &str, context: &str) {
    assert_eq!(answer.status, status, "{context}: {answer:?}");
    assert_eq!(answer.code(), code, "{context}");
    assert_eq!(answer.header("cache-control"), "no-store", "{context}");
    assert_eq!(answer.json["type"], format!("urn:souk:problem:{code}"), "{context}");
    assert_eq!(answer.json["request_id"], answer.header("x-request-id"), "{context}");
}

#[track_caller]
pub(crate) fn assert_field(answer: &Answer, field: &str, context: &str) {
    assert_eq!(answer.json["details"][0]["field"], field, "{context}: {}", answer.json);
    let detail = answer.json["detail"].as_str().unwrap();
    assert!(detail.contains(field), "{context}: {detail:?} does not name {field:?}");
}
