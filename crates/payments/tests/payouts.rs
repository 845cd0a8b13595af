//! Payouts from end to end: what buyers pay arrives at the stores, through the API and the sandbox.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use identity::{Actor, PlatformRole, StoreId, StoreRole};
use payments::sandbox::{Chaos, Target, Trigger};
use platform::Currency;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, NewProduct, Person, TestApp};
use time::Duration;

/// A store of this currency that somebody bought of, with its owner.
async fn sold(test: &TestApp, slug: &'static str, currency: Currency, price: i64) -> (StoreId, Person) {
    let store = test.store(slug, currency).await;
    let owner = test.member(&format!("owner-of-{slug}"), store, StoreRole::Owner).await;
    let product = NewProduct { slug, price, stock: 10, ..NewProduct::default() };
    let variant = test.product_of(store, currency, product).await;
    let basket = test.basket(variant, 1).await;
    let bought = test.check_out(&basket, slug, "tok_visa").await;
    assert_eq!(bought.status, 201, "{bought:?}");
    test.run_jobs().await;
    (store, owner)
}

/// Who signs in again: what they signed in with ends while days pass.
async fn again(test: &TestApp, who: &Person) -> Person {
    test.person(who.email.split('@').next().unwrap()).await
}

async fn read(test: &TestApp, who: &Person, path: &str) -> Value {
    let answer = test.get(path, &[again(test, who).await.header()]).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json
}

async fn put(test: &TestApp, who: &Person, path: &str, version: &str, body: Value) -> Answer {
    test.ask(Some(who), Method::PUT, path, &[("if-match", version)], Some(&body)).await
}

/// Sets what goes wrong at the sandbox.
async fn chaos(test: &TestApp, chaos: Chaos) {
    test.app.sandbox.as_ref().unwrap().set_chaos(&Actor::system(), &chaos).await.unwrap();
}

/// Days pass, with all that happens in the background.
async fn days(test: &TestApp, days: i64) {
    for _ in 0..days {
        test.clock.advance(Duration::DAY);
        while test.app.payouts.carry_on(&Actor::system()).await.unwrap() > 0 {}
        while test.app.sandbox.as_ref().unwrap().deliver_due().await.unwrap() > 0 {}
        test.run_jobs().await;
    }
}

/// The daily payouts of a store whose sales wait for nothing.
async fn impatient(test: &TestApp, operator: &Person, store: StoreId) {
    let path = format!("/api/v1/stores/{store}/payout_settings");
    let body = json!({"schedule": {"interval": "daily"}, "hold_days": 0});
    let set = put(test, operator, &path, "\"1\"", body).await;
    assert_eq!(set.status, 200, "{set:?}");
}

/// A buyer pays; the store opens its account at the provider, waits its week, and on Monday the money is on its way and
/// arrives. Each step is to be seen, and its statement can be had as a file.
#[tokio::test(flavor = "multi_thread")]
async fn a_sale_arrives_at_its_store() {
    let test = TestApp::start().await;
    let (store, owner) = sold(&test, "shop", Currency::GBP, 2000).await;
    let of = |what: &str| format!("/api/v1/stores/{store}/{what}");
    let balance = read(&test, &owner, &of("balance")).await;
    assert_eq!(balance["data"][0]["payable"], json!({"amount": 2000, "currency": "GBP"}));
    assert_eq!(balance["data"][0]["on_hold"]["amount"], 2000);

    assert_eq!(test.get(&of("payout_account"), &[owner.header()]).await.status, 404);
    let opened = test.ask(Some(&owner), Method::POST, &of("payout_account"), &[], None).await;
    assert_eq!(
        (opened.status.as_u16(), opened.json["state"].as_str()),
        (200, Some("onboarding")),
        "{opened:?}"
    );
    assert!(opened.json["onboarding_url"].as_str().unwrap().starts_with(test.base().as_str()));
    let reference = opened.json["reference"].as_str().unwrap();
    test.app.sandbox.as_ref().unwrap().activate(reference).await.unwrap();
    days(&test, 1).await;
    assert_eq!(read(&test, &owner, &of("payout_account")).await["state"], "active", "the provider told");

    days(&test, 14).await;
    let payouts = read(&test, &owner, &of("payouts")).await;
    assert_eq!(payouts["data"].as_array().unwrap().len(), 1);
    let payout = &payouts["data"][0];
    assert_eq!((payout["state"].as_str(), payout["amount"]["amount"].as_i64()), (Some("paid"), Some(2000)));
    let id = payout["id"].as_str().unwrap();
    let itemised = read(&test, &owner, &of(&format!("payouts/{id}"))).await;
    assert_eq!(itemised["items"][0]["rule"], "sale");
    assert_eq!(read(&test, &owner, &of("balance")).await["data"][0]["payable"]["amount"], 0);

    let owner = again(&test, &owner).await;
    let statement = of(&format!("payouts/{id}/statement"));
    assert_eq!(read(&test, &owner, &statement).await["closing"]["amount"], 2000);
    let csv = test.get(&format!("{statement}?format=csv"), &[owner.header()]).await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(csv.header("content-disposition"), format!("attachment; filename=\"payout-{id}.csv\""));
    assert!(csv.text.contains(",20.00,20.00,GBP,"), "{}", csv.text);
    let pdf = test.get(&format!("{}?format=pdf", of("statement")), &[owner.header()]).await;
    assert_eq!((pdf.status.as_u16(), pdf.header("content-type")), (200, "application/pdf"));
    assert!(pdf.text.starts_with("%PDF-"));
    let wrong = test.get(&format!("{statement}?format=odt"), &[owner.header()]).await;
    assert_eq!(wrong.status, 422);
    // Somebody else's payout is none.
    let (_, rival) = sold(&test, "elsewhere", Currency::GBP, 100).await;
    assert!(matches!(test.get(&statement, &[rival.header()]).await.status.as_u16(), 403 | 404));
    test.finish().await;
}

/// What fails at the provider, or comes back after it had arrived, is paid again, each time once.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_fails_to_send_is_sent_again() {
    let test = TestApp::start().await;
    let operator = test.trusted("operator", PlatformRole::Operator).await;
    let (store, owner) = sold(&test, "shop", Currency::GBP, 2000).await;
    chaos(&test, Chaos { activate_accounts: true, fail_payouts: 1, ..Chaos::default() }).await;
    let of = |what: &str| format!("/api/v1/stores/{store}/{what}");
    test.ask(Some(&owner), Method::POST, &of("payout_account"), &[], None).await;
    impatient(&test, &operator, store).await;
    days(&test, 4).await;
    let states = async || {
        let payouts = read(&test, &owner, &of("payouts")).await;
        let states = payouts["data"].as_array().unwrap().iter().map(|payout| payout["state"].clone());
        states.collect::<Vec<_>>()
    };
    assert_eq!(states().await, ["sent", "failed"], "the latest first");
    days(&test, 1).await;
    assert_eq!(states().await, ["paid", "failed"]);
    let latest = read(&test, &owner, &of("payouts")).await["data"][0].clone();
    let target = Target { payout: latest["id"].as_str().unwrap().parse().ok(), ..Target::default() };
    let sandbox = test.app.sandbox.as_ref().unwrap();
    sandbox.trigger(&Actor::system(), Trigger::PayoutReturned, &target).await.unwrap();
    days(&test, 1).await;
    assert_eq!(states().await, ["returned", "failed"]);
    days(&test, 2).await;
    assert_eq!(states().await, ["paid", "returned", "failed"]);
    test.finish().await;
}

/// Stores set their schedule and minimum, with the version they read; how long sales wait is the operators' to say.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_set_what() {
    let test = TestApp::start().await;
    let operator = test.trusted("operator", PlatformRole::Operator).await;
    let (store, owner) = sold(&test, "shop", Currency::GBP, 2000).await;
    let path = format!("/api/v1/stores/{store}/payout_settings");
    let usual = read(&test, &owner, &path).await;
    assert_eq!(usual["schedule"], json!({"interval": "weekly", "weekday": "monday"}));
    assert_eq!((usual["hold_days"].as_i64(), usual["version"].as_i64()), (Some(7), Some(1)));
    let body = json!({"schedule": {"interval": "daily"}, "minimum": [{"amount": 500, "currency": "GBP"}]});
    assert_eq!(test.ask(Some(&owner), Method::PUT, &path, &[], Some(&body)).await.status, 428);
    let set = put(&test, &owner, &path, "\"1\"", body.clone()).await;
    assert_eq!((set.status.as_u16(), set.header("etag")), (200, "\"2\""), "{set:?}");
    let stale = put(&test, &owner, &path, "\"1\"", body).await;
    assert_eq!((stale.status.as_u16(), stale.code()), (412, "payments/changed_meanwhile"));
    for (body, status) in [
        (json!({"schedule": {"interval": "daily"}, "hold_days": 0}), 403),
        (json!({"schedule": {"interval": "daily"}, "reserve_basis_points": 1}), 403),
        (json!({"schedule": {"interval": "daily"}, "hold_days": 7}), 200),
        (json!({"schedule": {"interval": "hourly"}}), 422),
        (json!({"schedule": {"interval": "monthly", "day": 31}}), 422),
        (json!({"schedule": {"interval": "daily"}, "minimum": [{"amount": -1, "currency": "GBP"}]}), 422),
        (json!({"schedule": {"interval": "daily"}, "hold_days": 366}), 422),
    ] {
        let answer = put(&test, &owner, &path, "\"2\"", body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
    }
    let body = json!({"schedule": {"interval": "daily"}, "hold_days": 30, "reserve_basis_points": 1000});
    let set = put(&test, &operator, &path, "\"3\"", body).await;
    assert_eq!((set.status.as_u16(), set.json["hold_days"].as_i64()), (200, Some(30)), "{set:?}");
    let settings = read(&test, &owner, &path).await;
    assert_eq!(
        (settings["reserve_basis_points"].as_i64(), settings["minimum"].clone()),
        (Some(1000), json!([]))
    );
    test.finish().await;
}

/// Operators give and take with a reason, once per key; what they owe is made good before anything is sent.
#[tokio::test(flavor = "multi_thread")]
async fn operators_give_and_take() {
    let test = TestApp::start().await;
    let operator = test.trusted("operator", PlatformRole::Operator).await;
    let yen: Currency = "JPY".parse().unwrap();
    let (store, owner) = sold(&test, "kyoto", yen, 5000).await;
    let body =
        json!({"store_id": store, "amount": {"amount": -1200, "currency": "JPY"}, "reason": "a lost parcel"});
    let key = |key| [operator.header(), ("idempotency-key", key)];
    let made = test.post("/api/v1/adjustments", &key("a"), &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let again = test.post("/api/v1/adjustments", &key("a"), &body).await;
    assert_eq!(
        (again.json["id"].clone(), again.header("idempotent-replayed")),
        (made.json["id"].clone(), "true")
    );
    let keyless = test.post("/api/v1/adjustments", &[operator.header()], &body).await;
    assert_eq!(keyless.code(), "request/idempotency_key_required");
    let refused = test.post("/api/v1/adjustments", &[owner.header(), ("idempotency-key", "b")], &body).await;
    assert_eq!(refused.status, 403);
    let nobody = json!({"amount": {"amount": 1, "currency": "JPY"}, "reason": "r"});
    assert_eq!(test.post("/api/v1/adjustments", &key("c"), &nobody).await.status, 422);

    chaos(&test, Chaos { activate_accounts: true, ..Chaos::default() }).await;
    let run = json!({"store_id": store, "reason": "asked for"});
    let early = test.post("/api/v1/payouts", &[operator.header()], &run).await;
    assert_eq!(early.code(), "payments/no_payout_account");
    let account = format!("/api/v1/stores/{store}/payout_account");
    test.ask(Some(&owner), Method::POST, &account, &[], None).await;
    impatient(&test, &operator, store).await;
    let made = test.post("/api/v1/payouts", &[operator.header()], &run).await;
    assert_eq!(made.json["data"][0]["amount"], json!({"amount": 3800, "currency": "JPY"}), "{made:?}");
    let none = test.post("/api/v1/payouts", &[operator.header()], &run).await;
    assert_eq!((none.status.as_u16(), none.code()), (409, "payments/nothing_to_pay_out"));
    // A statement ends before the moment it is asked for.
    test.clock.advance(Duration::SECOND);
    let statement = format!("/api/v1/stores/{store}/statement?format=csv");
    let csv = test.get(&statement, &[owner.header()]).await;
    assert!(csv.text.contains(",-1200,3800,JPY,a lost parcel"), "no decimals: {}", csv.text);
    days(&test, 2).await;
    test.finish().await;
}
