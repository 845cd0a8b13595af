use super::*;
use time::Duration;

fn page(expires_at: OffsetDateTime) -> Page {
    Page {
        id: payment_id(),
        order: uuid::Uuid::from_u128(7),
        description: "Order 1001".to_owned(),
        amount: pounds(1999),
        email: Some("buyer@example.org".to_owned()),
        return_url: "https://shop/back".to_owned(),
        cancel_url: "https://shop/basket".to_owned(),
        expires_at,
        at: NOW,
    }
}

fn session(status: &str, paid: &str, intent: &Value) -> Value {
    let url = if status == "open" { json!("https://checkout.stripe.com/c/pay/cs_1") } else { Value::Null };
    json!({
        "id": "cs_1", "object": "checkout.session", "status": status, "payment_status": paid, "url": url,
        "payment_intent": intent, "amount_total": 1999, "currency": "gbp", "expires_at": 1_763_730_000,
        "client_reference_id": payment_id(), "metadata": {"souk_payment_id": payment_id()},
    })
}

fn at_page(status: &str) -> Value {
    let mut intent = intent(status);
    intent["metadata"]["souk_page"] = json!("true");
    intent
}

#[tokio::test]
async fn a_page_carries_our_id_and_closes_when_stripe_allows() {
    let stripe = Scripted::start().await;
    stripe.says("POST checkout/sessions", 200, &session("open", "unpaid", &Value::Null)).await;
    let opened = stripe.stripe.open_page(&page(NOW + Duration::hours(2))).await.unwrap();
    assert_eq!(opened.reference, "cs_1");
    assert_eq!(opened.url, "https://checkout.stripe.com/c/pay/cs_1");
    assert_eq!(opened.expires_at.unix_timestamp(), 1_763_730_000, "as Stripe says");
    let sent = stripe.sent().await;
    assert_eq!(sent[0].key, Some(format!("page-{}", payment_id())));
    let (id, expires) = (payment_id().to_string(), (NOW + Duration::hours(2)).unix_timestamp().to_string());
    for (name, value) in [
        ("mode", "payment"),
        ("client_reference_id", id.as_str()),
        ("line_items[0][quantity]", "1"),
        ("line_items[0][price_data][currency]", "gbp"),
        ("line_items[0][price_data][unit_amount]", "1999"),
        ("line_items[0][price_data][product_data][name]", "Order 1001"),
        ("success_url", "https://shop/back"),
        ("cancel_url", "https://shop/basket"),
        ("customer_email", "buyer@example.org"),
        ("expires_at", expires.as_str()),
        ("metadata[souk_payment_id]", id.as_str()),
        ("payment_intent_data[metadata][souk_payment_id]", id.as_str()),
        ("payment_intent_data[metadata][souk_page]", "true"),
    ] {
        assert_eq!(sent[0].field(name), Some(value), "{name}");
    }
    for (wished, allowed) in [(5, 31), (60 * 48, 60 * 24 - 1)] {
        stripe.says("POST checkout/sessions", 200, &session("open", "unpaid", &Value::Null)).await;
        stripe.stripe.open_page(&page(NOW + Duration::minutes(wished))).await.unwrap();
        let allowed = (NOW + Duration::minutes(allowed)).unix_timestamp().to_string();
        assert_eq!(stripe.sent().await[0].field("expires_at"), Some(allowed.as_str()));
    }
}

/// From the page's name to the payment's, at each stage.
#[tokio::test]
async fn a_page_is_followed_to_its_payment() {
    let stripe = Scripted::start().await;
    for (status, paid, intent, expected, reference) in [
        (
            "open",
            "unpaid",
            Value::Null,
            Status::RequiresAction("https://checkout.stripe.com/c/pay/cs_1".to_owned()),
            "cs_1",
        ),
        // A first card was declined; the buyer may try another one.
        (
            "open",
            "unpaid",
            at_page("requires_payment_method"),
            Status::RequiresAction("https://checkout.stripe.com/c/pay/cs_1".to_owned()),
            "pi_1",
        ),
        ("complete", "unpaid", at_page("processing"), Status::Processing, "pi_1"),
        ("complete", "paid", at_page("succeeded"), Status::Succeeded, "pi_1"),
        ("expired", "unpaid", Value::Null, Status::Voided, "cs_1"),
    ] {
        stripe.says("GET checkout/sessions/cs_1", 200, &session(status, paid, &intent)).await;
        let said = stripe.stripe.look(&named("cs_1")).await.unwrap();
        assert_eq!((said.status, said.reference.as_str()), (expected, reference));
        stripe.sent().await;
    }

    // Known by its payment's name by now, and still at the page.
    let open = session("open", "unpaid", &at_page("requires_payment_method"));
    stripe.says("GET payment_intents/pi_1", 200, &at_page("requires_payment_method")).await;
    stripe.says("GET checkout/sessions", 200, &json!({"data": [open], "has_more": false})).await;
    let said = stripe.stripe.look(&named("pi_1")).await.unwrap();
    assert!(matches!(said.status, Status::RequiresAction(_)));
    assert_eq!(stripe.sent().await[1].field("payment_intent"), Some("pi_1"));
}

#[tokio::test]
async fn voiding_closes_the_page_unless_the_buyer_was_quicker() {
    let stripe = Scripted::start().await;
    let open = session("open", "unpaid", &Value::Null);
    stripe.says("GET checkout/sessions/cs_1", 200, &open).await;
    stripe.says("POST checkout/sessions/cs_1/expire", 200, &session("expired", "unpaid", &Value::Null)).await;
    assert_eq!(stripe.stripe.void(&named("cs_1")).await.unwrap().status, Status::Voided);
    assert_eq!(stripe.sent().await.len(), 2);

    stripe.says("GET checkout/sessions/cs_1", 200, &open).await;
    stripe
        .says("POST checkout/sessions/cs_1/expire", 400, &json!({"error": {"type": "invalid_request_error"}}))
        .await;
    stripe.says("GET checkout/sessions/cs_1", 200, &session("complete", "paid", &at_page("succeeded"))).await;
    let said = stripe.stripe.void(&named("cs_1")).await.unwrap();
    assert_eq!((said.status, said.reference.as_str()), (Status::Succeeded, "pi_1"));
    assert_eq!(stripe.sent().await.len(), 3);

    // Set aside by then: the authorization is given back.
    stripe
        .says("GET checkout/sessions/cs_1", 200, &session("complete", "unpaid", &at_page("requires_capture")))
        .await;
    stripe.says("POST payment_intents/pi_1/cancel", 200, &at_page("canceled")).await;
    assert_eq!(stripe.stripe.void(&named("cs_1")).await.unwrap().status, Status::Voided);
    stripe.sent().await;

    // By the payment's name: Stripe cancels no payment whose page is open.
    stripe.says("GET payment_intents/pi_1", 200, &at_page("requires_payment_method")).await;
    stripe.says("GET checkout/sessions", 200, &json!({"data": [open], "has_more": false})).await;
    stripe.says("POST checkout/sessions/cs_1/expire", 200, &session("expired", "unpaid", &Value::Null)).await;
    assert_eq!(stripe.stripe.void(&named("pi_1")).await.unwrap().status, Status::Voided);
    assert_eq!(stripe.sent().await.len(), 3);
}
