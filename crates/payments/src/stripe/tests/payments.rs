use identity::UserId;
use time::Duration;

use super::*;
use crate::DeclineCode;
use crate::provider::{Method, RefundStatus};

async fn charged(stripe: &Scripted, asked: Asked) -> Result<Said, ProviderError> {
    let mut said = stripe.stripe.charge(&[asked]).await;
    assert_eq!(said.len(), 1);
    said.remove(0)
}

fn paid() -> Value {
    let charge = json!({
        "id": "ch_1", "object": "charge", "payment_intent": "pi_1",
        "balance_transaction": {
            "id": "txn_1", "amount": 1999, "currency": "gbp", "fee": 48, "created": 1, "reporting_category": "charge",
            "source": "ch_1",
        },
        "payment_method_details": {
            "type": "card", "card": {"brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2030},
        },
    });
    merged(intent("succeeded"), &json!({"amount_received": 1999, "latest_charge": charge}))
}

#[tokio::test]
async fn a_token_is_charged_once_and_the_fee_is_known() {
    let stripe = Scripted::start().await;
    stripe.says("POST payment_intents", 200, &paid()).await;
    let said = charged(&stripe, asked("tok_visa")).await.unwrap();
    let method = Method {
        brand: "visa".to_owned(),
        last4: "4242".to_owned(),
        expires: Some((8, 2030)),
        kept_as: None,
    };
    assert_eq!(
        said,
        Said { reference: "pi_1".to_owned(), status: Status::Succeeded, fee: Some(48), method: Some(method) }
    );
    let [sent] = <[Sent; 1]>::try_from(stripe.sent().await).unwrap();
    assert_eq!(
        (sent.call.as_str(), sent.key.as_deref()),
        ("POST payment_intents", Some(&*payment_id().to_string()))
    );
    for (name, value) in [
        ("amount", "1999"),
        ("currency", "gbp"),
        ("confirm", "true"),
        ("capture_method", "automatic"),
        ("payment_method_types[]", "card"),
        ("payment_method_data[type]", "card"),
        ("payment_method_data[card][token]", "tok_visa"),
        ("metadata[souk_payment_id]", &payment_id().to_string()),
        ("metadata[souk_order_id]", "00000000-0000-0000-0000-000000000007"),
        ("error_on_requires_action", "true"),
        ("expand[]", "latest_charge.balance_transaction"),
    ] {
        assert_eq!(sent.field(name), Some(value), "{name}");
    }
    assert_eq!(sent.fields.len(), 11);
}

#[tokio::test]
async fn a_challenge_sends_the_buyer_to_the_bank_and_back() {
    let stripe = Scripted::start().await;
    let next = json!({"type": "redirect_to_url", "redirect_to_url": {"url": "https://hooks.stripe.com/3ds", "return_url": "https://shop"}});
    stripe
        .says("POST payment_intents", 200, &merged(intent("requires_action"), &json!({"next_action": next})))
        .await;
    let asked = Asked { return_url: Some("https://shop/back".to_owned()), ..asked("pm_1") };
    let said = charged(&stripe, asked).await.unwrap();
    assert_eq!(said.status, Status::RequiresAction("https://hooks.stripe.com/3ds".to_owned()));
    let sent = stripe.sent().await;
    assert_eq!(sent[0].field("return_url"), Some("https://shop/back"));
    assert_eq!(sent[0].field("payment_method"), Some("pm_1"));
    assert_eq!(sent[0].field("error_on_requires_action"), None);
}

#[tokio::test]
async fn a_kept_method_is_charged_for_the_customer_that_stripe_keeps_it_for() {
    let stripe = Scripted::start().await;
    stripe.says("POST customers", 200, &json!({"id": "cus_1", "object": "customer"})).await;
    let more = json!({"customer": "cus_1", "payment_method": "pm_9"});
    let mut kept = merged(paid(), &more);
    kept["metadata"]["souk_kept"] = json!("true");
    stripe.says("POST payment_intents", 200, &kept).await;
    let said =
        charged(&stripe, Asked { keep_for: Some(UserId::from(uuid::Uuid::max())), ..asked("tok_visa") })
            .await
            .unwrap();
    let kept_as = said.method.unwrap().kept_as.unwrap();
    assert_eq!(kept_as, "cus_1/pm_9");
    let sent = stripe.sent().await;
    assert_eq!(sent[0].key, Some(format!("customer-{}", payment_id())));
    assert_eq!(sent[1].field("customer"), Some("cus_1"));
    assert_eq!(sent[1].field("setup_future_usage"), Some("off_session"));

    stripe.says("POST payment_intents", 200, &kept).await;
    let presented = stripe.stripe.check(&PaymentToken::presented(&kept_as));
    assert!(presented.is_err(), "not by whoever writes it into a request");
    let said = charged(&stripe, asked(&kept_as)).await.unwrap();
    assert_eq!(said.method.unwrap().kept_as, Some(kept_as));
    let sent = stripe.sent().await;
    assert_eq!(sent[0].field("customer"), Some("cus_1"));
    assert_eq!(sent[0].field("payment_method"), Some("pm_9"));
    assert_eq!(sent[0].field("off_session"), Some("true"), "nobody is there to answer a challenge");
    assert_eq!(sent[0].field("setup_future_usage"), None);

    let unattached =
        json!({"error": {"type": "invalid_request_error", "message": "It is not attached to a customer."}});
    for (status, answer) in [(200, json!({"id": "pm_9", "object": "payment_method"})), (400, unattached)] {
        stripe.says("POST payment_methods/pm_9/detach", status, &answer).await;
        stripe.stripe.forget_method("cus_1/pm_9").await.unwrap();
    }
    stripe.says("POST payment_methods/pm_9/detach", 500, &json!({"error": {"type": "api_error"}})).await;
    assert!(stripe.stripe.forget_method("cus_1/pm_9").await.unwrap_err().passes());
}

#[tokio::test]
async fn a_decline_is_an_answer_and_each_stands_at_its_place() {
    let stripe = Scripted::start().await;
    let declined = |code: &str, issuers: Option<&str>| {
        let failed = intent("requires_payment_method");
        json!({"error": {"type": "card_error", "code": code, "decline_code": issuers, "charge": "ch_1", "payment_intent": failed}})
    };
    for (code, issuers, expected) in [
        ("card_declined", Some("insufficient_funds"), DeclineCode::InsufficientFunds),
        ("card_declined", Some("generic_decline"), DeclineCode::CardDeclined),
        ("expired_card", None, DeclineCode::ExpiredCard),
        ("incorrect_cvc", None, DeclineCode::IncorrectCvc),
        ("processing_error", None, DeclineCode::ProcessingError),
        ("authentication_required", Some("authentication_required"), DeclineCode::CardDeclined),
    ] {
        stripe.says("POST payment_intents", 402, &declined(code, issuers)).await;
        let said = charged(&stripe, asked("tok_visa")).await.unwrap();
        assert_eq!((said.reference.as_str(), said.status), ("pi_1", Status::Declined(expected)));
    }
    let missing = json!({"error": {"type": "invalid_request_error", "code": "resource_missing", "param": "payment_method"}});
    stripe.says("POST payment_intents", 400, &missing).await;
    assert!(matches!(charged(&stripe, asked("pm_none")).await, Err(ProviderError::UnknownToken)));
    stripe.says("POST payment_intents", 400, &json!({"error": {"type": "idempotency_error"}})).await;
    assert!(matches!(charged(&stripe, asked("tok_visa")).await, Err(ProviderError::Changed)));
    for status in [409, 429, 500, 503] {
        stripe.says("POST payment_intents", status, &json!({"error": {"type": "api_error"}})).await;
        assert!(charged(&stripe, asked("tok_visa")).await.unwrap_err().passes(), "{status}");
    }
    stripe.sent().await;

    // Answers in the order of the questions, whatever the order of their coming.
    stripe.says("POST payment_intents", 200, &paid()).await;
    let yen = Asked { amount: Money::new(5124, "KWD".parse().unwrap()), ..asked("tok_visa") };
    let said = stripe.stripe.charge(&[yen, asked("tok_visa"), asked("nonsense")]).await;
    assert!(matches!(&said[0], Err(ProviderError::Refused { code, .. }) if code == "amount_not_chargeable"));
    assert_eq!(said[1].as_ref().unwrap().status, Status::Succeeded);
    assert!(matches!(said[2], Err(ProviderError::UnknownToken)));
    assert_eq!(stripe.sent().await.len(), 1);
}

/// Stripe forgets keys after a day. What is asked for once more after that is looked for first.
#[tokio::test]
async fn what_is_older_than_its_key_is_not_charged_twice() {
    let stripe = Scripted::start().await;
    let later = NOW + Duration::days(2);
    let list = |data: Value| json!({"object": "search_result", "data": data, "has_more": false});
    stripe.says("GET payment_intents/search", 200, &list(json!([paid()]))).await;
    let said = charged(&stripe, Asked { at: later, ..asked("tok_visa") }).await.unwrap();
    assert_eq!((said.reference.as_str(), said.fee), ("pi_1", Some(48)));
    let sent = stripe.sent().await;
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].field("query"), Some(&*format!("metadata['souk_payment_id']:'{}'", payment_id())));

    stripe.says("GET payment_intents/search", 200, &list(json!([paid()]))).await;
    let other = Asked { at: later, amount: pounds(5), ..asked("tok_visa") };
    assert!(matches!(charged(&stripe, other).await, Err(ProviderError::Changed)));

    stripe.says("GET payment_intents/search", 200, &list(json!([]))).await;
    stripe.says("POST payment_intents", 200, &paid()).await;
    assert!(charged(&stripe, Asked { at: later, ..asked("tok_visa") }).await.is_ok());

    let refund = json!({"id": "re_1", "amount": 500, "currency": "gbp", "status": "succeeded", "metadata": {"souk_refund_id": refund_id()}});
    stripe.says("GET refunds", 200, &list(json!([refund]))).await;
    stripe.sent().await;
    stripe.says("GET refunds", 200, &list(json!([refund]))).await;
    let asked = RefundAsked { id: refund_id(), payment: named("pi_1"), amount: pounds(500), at: later };
    assert_eq!(stripe.stripe.refund(&asked).await.unwrap().reference, "re_1");
    assert_eq!(stripe.sent().await.len(), 1);
}

#[tokio::test]
async fn looks_captures_and_voids() {
    let stripe = Scripted::start().await;
    stripe.says("GET payment_intents/pi_1", 200, &intent("requires_capture")).await;
    assert_eq!(stripe.stripe.look(&named("pi_1")).await.unwrap().status, Status::Authorized);
    let partly = merged(paid(), &json!({"amount_received": 1000}));
    stripe.says("POST payment_intents/pi_1/capture", 200, &partly).await;
    assert_eq!(stripe.stripe.capture(&named("pi_1"), pounds(1000)).await.unwrap().status, Status::Succeeded);
    let sent = stripe.sent().await;
    assert_eq!(sent[1].field("amount_to_capture"), Some("1000"));

    stripe.says("GET payment_intents/pi_1", 200, &intent("requires_action")).await;
    stripe.says("POST payment_intents/pi_1/cancel", 200, &intent("canceled")).await;
    assert_eq!(stripe.stripe.void(&named("pi_1")).await.unwrap().status, Status::Voided);

    // One that has succeeded stays, also if it did so in between.
    stripe.says("GET payment_intents/pi_1", 200, &paid()).await;
    assert_eq!(stripe.stripe.void(&named("pi_1")).await.unwrap().status, Status::Succeeded);
    assert_eq!(stripe.sent().await.len(), 3);
    stripe.says("GET payment_intents/pi_1", 200, &intent("processing")).await;
    let late = json!({"error": {"type": "invalid_request_error", "code": "payment_intent_unexpected_state"}});
    stripe.says("POST payment_intents/pi_1/cancel", 400, &late).await;
    stripe.says("GET payment_intents/pi_1", 200, &paid()).await;
    assert_eq!(stripe.stripe.void(&named("pi_1")).await.unwrap().status, Status::Succeeded);

    let gone = json!({"error": {"type": "invalid_request_error", "code": "resource_missing"}});
    stripe.says("GET payment_intents/pi_2", 404, &gone).await;
    assert!(matches!(stripe.stripe.look(&named("pi_2")).await, Err(ProviderError::Unknown(_))));
}

#[tokio::test]
async fn gives_money_back_once() {
    let stripe = Scripted::start().await;
    let refund = |status: &str| json!({"id": "re_1", "amount": 500, "currency": "gbp", "status": status, "payment_intent": "pi_1"});
    let asked = RefundAsked { id: refund_id(), payment: named("pi_1"), amount: pounds(500), at: NOW };
    for (status, expected) in [
        ("succeeded", RefundStatus::Succeeded),
        ("pending", RefundStatus::Pending),
        ("requires_action", RefundStatus::Pending),
        ("failed", RefundStatus::Failed("failed".to_owned())),
    ] {
        stripe.says("POST refunds", 200, &refund(status)).await;
        assert_eq!(stripe.stripe.refund(&asked).await.unwrap().status, expected);
    }
    let sent = stripe.sent().await;
    assert_eq!(sent[0].key, Some(refund_id().to_string()));
    assert_eq!((sent[0].field("payment_intent"), sent[0].field("amount")), (Some("pi_1"), Some("500")));
    assert_eq!(sent[0].field("metadata[souk_refund_id]"), Some(&*refund_id().to_string()));

    // Of a page that was paid: Stripe says by which payment.
    let page = json!({"id": "cs_1", "status": "complete", "payment_status": "paid", "payment_intent": "pi_1", "expires_at": 1});
    stripe.says("GET checkout/sessions/cs_1", 200, &page).await;
    stripe.says("POST refunds", 200, &refund("succeeded")).await;
    assert!(stripe.stripe.refund(&RefundAsked { payment: named("cs_1"), ..asked.clone() }).await.is_ok());
    assert_eq!(stripe.sent().await[1].field("payment_intent"), Some("pi_1"));

    let spent = json!({"error": {"type": "invalid_request_error", "code": "charge_already_refunded", "message": "no"}});
    stripe.says("POST refunds", 400, &spent).await;
    let error = stripe.stripe.refund(&asked).await.unwrap_err();
    assert!(matches!(error, ProviderError::Refused { code, .. } if code == "charge_already_refunded"));
}

/// Nobody listens: what was asked may be asked again.
#[tokio::test]
async fn a_stripe_that_can_not_be_reached_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let stripe = Stripe::new(settings(&format!("http://{address}"))).unwrap();
    let error = stripe.look(&named("pi_1")).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unavailable(why) if !why.contains("pi_1")));
    let scripted = Scripted::start().await;
    let broken = ResponseTemplate::new(200).set_body_string("<html>");
    Mock::given(method("GET")).respond_with(broken).mount(&scripted.server).await;
    assert!(scripted.stripe.look(&named("pi_1")).await.unwrap_err().passes());
}
