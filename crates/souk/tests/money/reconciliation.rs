//! The provider's books against the ledger: whatever a marketplace does is the same in both, and what is not is found.

use catalog::StoreId;
use identity::{Actor, PlatformRole};
use payments::sandbox::{Chaos, Target, Trigger};
use payments::{AccountKind, Payout, PayoutRun};
use platform::{Currency, Money};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Person, TestApp};
use time::Duration;

use crate::refunds::{amount, refund};
use crate::scene::{
    VISA, at_provider, open_page, own, paid, path, pay, payment_of, sandbox, shop, trigger, unpaid,
};

/// Asks as an operator, one who has signed in just now.
async fn ask(test: &TestApp, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let name = format!("operator-{}", test.app.sources.id::<()>());
    let operator: Person = test.trusted(&name, PlatformRole::Operator).await;
    let answer = test.ask(Some(&operator), method, path, &[], body.as_ref()).await;
    (answer.status.as_u16(), answer.json)
}

async fn run(test: &TestApp) -> Value {
    let (status, runs) = ask(test, Method::POST, "/api/v1/reconciliation/run", None).await;
    assert_eq!(status, 200, "{runs}");
    runs["data"][0].clone()
}

async fn open(test: &TestApp, kind: &str) -> Vec<Value> {
    let path = format!("/api/v1/reconciliation/exceptions?state=open&kind={kind}");
    let (status, found) = ask(test, Method::GET, &path, None).await;
    assert_eq!(status, 200, "{found}");
    found["data"].as_array().unwrap().clone()
}

/// How the books stand in pounds.
async fn summary(test: &TestApp) -> Value {
    let (status, found) = ask(test, Method::GET, "/api/v1/reconciliation", None).await;
    assert_eq!(status, 200, "{found}");
    found["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["difference"]["currency"] == "GBP")
        .unwrap()
        .clone()
}

async fn days(test: &TestApp, days: i64) {
    for _ in 0..days {
        test.clock.advance(Duration::DAY);
        while test.app.payouts.carry_on(&Actor::system()).await.unwrap() > 0 {}
        test.run_jobs().await;
    }
}

/// A payout of all that a store is owed; it arrives.
async fn pay_out(test: &TestApp, store: StoreId) -> Payout {
    let (system, url) = (Actor::system(), test.base().to_string());
    sandbox(test).set_chaos(&system, &Chaos { activate_accounts: true, ..Chaos::default() }).await.unwrap();
    test.app.payouts.open_account(&system, store, &url).await.unwrap();
    let run = PayoutRun { store, most: None, reason: "a test".to_owned() };
    let made = test.app.payouts.run(&system, &run).await.unwrap().remove(0);
    days(test, 2).await;
    made
}

/// Purchases by token and by page, refunds that go through and that fail, disputes that are won and lost, and payouts that
/// arrive and come back: every line of the provider's is matched, and the balances are the same.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_marketplace_does_is_the_same_in_both_books() {
    let test = TestApp::start().await;
    let (store, pot) = shop(&test).await;
    let mine = paid(&test, pot, 2).await;
    refund(&test, &mine, "some", amount(333)).await.unwrap();
    let back = refund(&test, &mine, "more", amount(1000)).await.unwrap().refund;
    test.run_jobs().await;
    trigger(&test, Trigger::RefundFailed, Target { refund: Some(back.id), ..Target::default() }).await;
    for end in [Trigger::DisputeWon, Trigger::DisputeLost] {
        let payment = payment_of(&test, &paid(&test, pot, 1).await.1).await.parse().unwrap();
        let target = Target { payment: Some(payment), ..Target::default() };
        trigger(&test, Trigger::DisputeCreated, target.clone()).await;
        trigger(&test, end, target).await;
    }
    let on_page = unpaid(&test, pot, 1).await;
    let page = path(open_page(&test, &on_page).await.json["url"].as_str().unwrap());
    pay(&test, &page, VISA).await;
    test.run_jobs().await;
    // Made at the provider, past Souk, which is told of it.
    let past = payment_of(&test, &paid(&test, pot, 1).await.1).await.parse().unwrap();
    let target = Target { payment: Some(past), amount: Some(100), ..Target::default() };
    trigger(&test, Trigger::RefundSucceeded, target).await;
    days(&test, 8).await;
    let returned = pay_out(&test, store).await;
    trigger(&test, Trigger::PayoutReturned, Target { payout: Some(returned.id), ..Target::default() }).await;
    pay_out(&test, store).await;

    let first = run(&test).await;
    // Five charges; three refunds, one of which failed; two disputes, one of which was won; two payouts, one of which came back.
    assert_eq!((&first["lines"], &first["matched"]), (&json!(5 + 4 + 3 + 3), &json!(15)), "{first}");
    days(&test, 4).await;
    assert_eq!(run(&test).await["opened"], 0);
    let summary = summary(&test).await;
    assert_eq!(
        (&summary["difference"]["amount"], &summary["waiting"], &summary["open"], &summary["matched"]),
        (&json!(0), &json!(0), &json!(0), &json!(15)),
        "{summary}"
    );
    assert_eq!(summary["ledger_balance"]["amount"], at_provider(&test).await);
    let (_, exceptions) = ask(&test, Method::GET, "/api/v1/reconciliation/exceptions", None).await;
    assert_eq!(exceptions["data"], json!([]));
    test.finish().await;
}

/// The provider's notices of a payout that came back, and of a refund that somebody made there, are lost. Both are found;
/// the one settles once the payout is marked, the other is resolved, and then the balances agree again.
#[tokio::test(flavor = "multi_thread")]
async fn what_souk_was_never_told_is_found() {
    let test = TestApp::start().await;
    let (store, pot) = shop(&test).await;
    let payment = payment_of(&test, &paid(&test, pot, 1).await.1).await.parse().unwrap();
    days(&test, 8).await;
    let payout = pay_out(&test, store).await;
    assert_eq!(run(&test).await["matched"], 2);
    let lossy = Chaos { lose: 2, ..Chaos::default() };
    sandbox(&test).set_chaos(&Actor::system(), &lossy).await.unwrap();
    trigger(&test, Trigger::PayoutReturned, Target { payout: Some(payout.id), ..Target::default() }).await;
    let made_there = Target { payment: Some(payment), amount: Some(300), ..Target::default() };
    trigger(&test, Trigger::RefundSucceeded, made_there).await;

    assert_eq!(run(&test).await["opened"], 0, "news may be late");
    assert_eq!(summary(&test).await["in_transit"]["amount"], 2000 - 300);
    test.clock.advance(Duration::days(3));
    assert_eq!(run(&test).await["opened"], 2);
    let (came_back, unknown) = (open(&test, "came_back").await, open(&test, "unknown_to_souk").await);
    assert_eq!((came_back.len(), unknown.len()), (1, 1));
    assert_eq!(came_back[0]["subject_id"], payout.id.to_string());
    assert_eq!(came_back[0]["actual"], json!({"amount": 2000, "currency": "GBP"}));
    assert_eq!(unknown[0]["actual"]["amount"], -300);
    let told: Vec<_> = test.violations().await.into_iter().map(|one| (one.invariant, one.subject)).collect();
    assert_eq!(told.len(), 2, "souk verify tells of both: {told:?}");
    assert!(told.iter().all(|(invariant, _)| *invariant == "reconciliation/books_agree"));

    let mark = json!({"state": "failed", "reason": "the bank sent it back"});
    let (status, _) =
        ask(&test, Method::POST, &format!("/api/v1/payouts/{}/mark", payout.id), Some(mark)).await;
    assert_eq!(status, 200);
    assert_eq!(run(&test).await["settled"], 1);
    let id = unknown[0]["id"].as_str().unwrap();
    let resolve = format!("/api/v1/reconciliation/exceptions/{id}/resolve");
    let reason = json!({"reason": "support refunded it at the provider"});
    let (status, resolved) = ask(&test, Method::POST, &resolve, Some(reason.clone())).await;
    assert_eq!((status, &resolved["state"]), (200, &json!("resolved")), "{resolved}");
    let (status, again) = ask(&test, Method::POST, &resolve, Some(reason)).await;
    assert_eq!((status, &again["code"]), (409, &json!("payments/exception_ended")));
    let (_, shown) = ask(&test, Method::GET, resolve.trim_end_matches("/resolve"), None).await;
    assert_eq!(shown["outcome"], "support refunded it at the provider");
    assert_eq!(run(&test).await["opened"], 0);
    assert_eq!(summary(&test).await["difference"]["amount"], 0);
    assert_eq!(own(&test, AccountKind::Adjustments).await, -300);
    test.finish().await;
}

/// While the provider is away nothing is compared, and the API says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_away_is_asked_again_later() {
    let test = TestApp::start().await;
    let (_, pot) = shop(&test).await;
    paid(&test, pot, 1).await;
    let out = Chaos { outage: true, ..Chaos::default() };
    sandbox(&test).set_chaos(&Actor::system(), &out).await.unwrap();
    let (status, problem) = ask(&test, Method::POST, "/api/v1/reconciliation/run", None).await;
    assert_eq!((status, &problem["code"]), (503, &json!("payments/provider_unavailable")));
    sandbox(&test).set_chaos(&Actor::system(), &Chaos::default()).await.unwrap();
    test.clock.advance(Duration::HOUR);
    assert_eq!(test.app.reconciliation.carry_on().await.unwrap(), 1 + 2 + 1, "by itself, too");
    let filter =
        payments::Selection { kinds: vec![AccountKind::Provider], owner: Some("sandbox".to_owned()) };
    let books = test.app.ledger.balances(&Actor::system(), &filter).await.unwrap();
    assert_eq!(books[0].balance, Money::new(at_provider(&test).await, Currency::GBP));
    test.finish().await;
}
