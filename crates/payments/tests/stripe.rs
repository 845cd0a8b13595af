//! A marketplace that asks Stripe for money, from end to end. Stripe is scripted, in its documented forms: localstripe takes no
//! payment with a token and an address to come back to.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use payments::{ProviderSettings, StripeSettings};
use platform::Secret;
use serde_json::{Value, json};
use testkit::{NewProduct, TestApp};
use wiremock::matchers::{body_string_contains, method, path, path_regex};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

async fn marketplace(base: &str) -> TestApp {
    let settings = StripeSettings {
        secret_key: Secret::presented("sk_test_souk"),
        webhook_secrets: vec![Secret::presented("whsec_test")],
        api_base: base.parse().unwrap(),
    };
    TestApp::set_up("127.0.0.1", |setup| setup.modules.payments.provider = ProviderSettings::Stripe(settings))
        .await
}

/// A payment as Stripe answers it, with what was asked for.
fn intent(request: &Request, status: &str) -> Value {
    let asked: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
    let of = |name: &str| asked.iter().find(|(key, _)| key == name).unwrap().1.clone();
    let amount: i64 = of("amount").parse().unwrap();
    // Each has names of its own, as at Stripe.
    let name = of("metadata[souk_payment_id]").replace('-', "");
    let (intent, charge) = (format!("pi_{name}"), format!("ch_{name}"));
    let metadata = json!({
        "souk_payment_id": of("metadata[souk_payment_id]"), "souk_order_id": of("metadata[souk_order_id]"),
    });
    json!({
        "id": intent, "object": "payment_intent", "amount": amount, "amount_received": amount,
        "currency": of("currency"), "status": status, "customer": null, "payment_method": "pm_card_visa",
        "last_payment_error": null, "next_action": null, "metadata": metadata,
        "latest_charge": {
            "id": charge, "object": "charge", "payment_intent": intent,
            "balance_transaction": {
                "id": format!("txn_{name}"), "amount": amount, "currency": of("currency"), "fee": 48, "created": 1,
                "reporting_category": "charge", "source": charge,
            },
            "payment_method_details": {
                "type": "card", "card": {"brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2030},
            },
        },
    })
}

/// Someone buys with a payment method and is charged at Stripe, once; a declined one is told so.
#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_is_charged_at_stripe() {
    let server = MockServer::start().await;
    let charges = |means: &str| {
        let asked = Mock::given(method("POST")).and(path("/v1/payment_intents"));
        asked.and(body_string_contains(format!("payment_method={means}")))
    };
    let declined = |request: &Request| {
        let error = json!({
            "type": "card_error", "code": "card_declined", "decline_code": "generic_decline",
            "message": "Your card was declined.", "payment_intent": intent(request, "requires_payment_method"),
        });
        ResponseTemplate::new(402).set_body_json(json!({"error": error}))
    };
    charges("pm_card_chargeDeclined").respond_with(declined).expect(1).mount(&server).await;
    let paid = |request: &Request| ResponseTemplate::new(200).set_body_json(intent(request, "succeeded"));
    charges("pm_card_visa").respond_with(paid).expect(1).mount(&server).await;

    let test = marketplace(&server.uri()).await;
    let variant = test.product(NewProduct { stock: 10, ..NewProduct::default() }).await;
    let basket = test.basket(variant, 2).await;
    let declined = test.check_out(&basket, "declined", "pm_card_chargeDeclined").await;
    assert_eq!(declined.status, 402, "{declined:?}");
    let bought = test.check_out(&basket, "bought", "pm_card_visa").await;
    assert_eq!((bought.status.as_u16(), &bought.json["status"]), (201, &json!("paid")), "{bought:?}");
    let again = test.check_out(&basket, "bought", "pm_card_visa").await;
    assert_eq!(again.json["id"], bought.json["id"]);
    test.run_jobs().await;
    test.finish().await;
}

/// What Stripe will never charge is told at once, and the goods are free again: nobody waits for what does not come.
#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_refuses_is_declined() {
    let server = MockServer::start().await;
    let refuses = |means: &str, code: &str| {
        let error = json!({"type": "invalid_request_error", "code": code, "message": "No."});
        let asked = Mock::given(method("POST")).and(path("/v1/payment_intents"));
        let asked = asked.and(body_string_contains(format!("payment_method={means}")));
        asked.respond_with(ResponseTemplate::new(400).set_body_json(json!({"error": error})))
    };
    refuses("pm_gone", "resource_missing").expect(1).mount(&server).await;
    refuses("pm_used", "token_already_used").expect(1).mount(&server).await;
    refuses("pm_card_visa", "amount_too_small").expect(1).mount(&server).await;
    // Set aside, and then neither taken nor left hanging.
    let authorized =
        |request: &Request| ResponseTemplate::new(200).set_body_json(intent(request, "requires_capture"));
    let asked = Mock::given(method("POST")).and(path("/v1/payment_intents"));
    asked.and(body_string_contains("payment_method=pm_late")).respond_with(authorized).mount(&server).await;
    let expired =
        json!({"error": {"type": "invalid_request_error", "code": "capture_charge_authorization_expired"}});
    let captured = Mock::given(method("POST")).and(path_regex("^/v1/payment_intents/pi_[0-9a-f]+/capture$"));
    captured.respond_with(ResponseTemplate::new(400).set_body_json(expired)).expect(1).mount(&server).await;
    let stands = |status: &str| {
        ResponseTemplate::new(200).set_body_json(json!({
            "id": "pi_late", "object": "payment_intent", "amount": 3998, "currency": "gbp", "status": status, "metadata": {},
        }))
    };
    let looked = Mock::given(method("GET")).and(path_regex("^/v1/payment_intents/pi_[0-9a-f]+$"));
    looked.respond_with(stands("requires_capture")).mount(&server).await;
    let cancelled = Mock::given(method("POST")).and(path_regex("^/v1/payment_intents/pi_[a-z0-9]+/cancel$"));
    cancelled.respond_with(stands("canceled")).expect(1).mount(&server).await;

    let test = marketplace(&server.uri()).await;
    let variant = test.product(NewProduct { stock: 2, ..NewProduct::default() }).await;
    for (means, code) in [
        ("pm_gone", "payments/payment_method_not_available"),
        ("pm_used", "payments/payment_method_not_available"),
        ("pm_card_visa", "payments/processing_error"),
        ("pm_late", "payments/voided"),
    ] {
        let basket = test.basket(variant, 2).await;
        let refused = test.check_out(&basket, means, means).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (402, code), "{refused:?}");
        assert_eq!(test.available(variant).await, 2, "{means}");
    }
    test.run_jobs().await;
    test.finish().await;
}

/// While Stripe is gone the order is safe, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_stripe_keeps_the_order() {
    let test = marketplace("http://127.0.0.1:9").await;
    let variant = test.product(NewProduct { stock: 10, ..NewProduct::default() }).await;
    let basket = test.basket(variant, 1).await;
    let answer = test.check_out(&basket, "gone", "pm_card_visa").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "payments/provider_unavailable"), "{answer:?}");
    assert_eq!(test.get("/sandbox/pay?session=x", &[]).await.status, 404, "no sandbox beside Stripe");
    test.finish().await;
}
