//! Money that goes back: by the store, by the provider, by a bank.

use catalog::StoreId;
use identity::{Actor, Permission};
use orders::{IdempotencyKey, RefundLineRequest, RefundReason, RefundRequest, RefundTo};
use payments::sandbox::{Target, Trigger};
use payments::{Account, AccountKind, RefundState};
use platform::money::Rate;
use platform::{Currency, Money};
use testkit::TestApp;
use time::Duration;
use tokio::task::JoinSet;

use crate::scene::{
    at_provider, balance, commission, fee, order, own, paid, payable, payment_of, shop, trigger,
};

pub(crate) fn all() -> RefundRequest {
    RefundRequest {
        lines: Vec::new(),
        amount: None,
        reason: RefundReason::RequestedByCustomer,
        note: None,
        restock: false,
        to: RefundTo::Original,
    }
}

pub(crate) fn amount(amount: i64) -> RefundRequest {
    RefundRequest { amount: Some(Money::new(amount, Currency::GBP)), ..all() }
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).unwrap()
}

pub(crate) async fn refund(
    test: &TestApp,
    mine: &(String, String),
    name: &str,
    request: RefundRequest,
) -> Result<orders::RefundAnswer, orders::Error> {
    test.app.orders.refund(&Actor::system(), mine.1.parse().unwrap(), &key(name), request).await
}

/// A unit goes back with its price, its share of the commission, and into stock; the rest goes back later; then no more.
#[tokio::test(flavor = "multi_thread")]
async fn lines_go_back_with_their_commission() {
    let test = TestApp::start().await;
    commission(&test, Rate::percent(10), Rate::percent(20)).await;
    let (store, pot) = shop(&test).await;
    let mine = paid(&test, pot, 3).await;
    assert_eq!(payable(&test, store).await, 6000 - 600 - 120);
    let one = RefundRequest {
        lines: vec![RefundLineRequest { position: 1, quantity: Some(1), amount: None }],
        restock: true,
        ..all()
    };
    let first = refund(&test, &mine, "one", one.clone()).await.unwrap();
    assert_eq!((first.refund.amount.amount, first.replayed), (2000, false));
    test.run_jobs().await;
    assert_eq!(payable(&test, store).await, 4000 - 400 - 80);
    assert_eq!(own(&test, AccountKind::Commission).await, 400);
    assert_eq!(own(&test, AccountKind::CommissionTax).await, 80);
    assert_eq!(test.available(pot).await, 8, "three sold, one back");
    let partly = order(&test, &mine).await;
    assert_eq!((&partly["status"], &partly["refunded"]["amount"]), (&"paid".into(), &2000.into()));

    let again = refund(&test, &mine, "one", one).await.unwrap();
    assert!(again.replayed && again.refund.id == first.refund.id);
    assert!(matches!(refund(&test, &mine, "one", all()).await, Err(orders::Error::KeyReused)));
    assert!(matches!(
        refund(&test, &mine, "more", amount(4001)).await,
        Err(orders::Error::RefundTooLarge(_))
    ));
    refund(&test, &mine, "some", amount(333)).await.unwrap();
    refund(&test, &mine, "rest", all()).await.unwrap();
    test.run_jobs().await;
    assert_eq!(order(&test, &mine).await["status"], "refunded");
    assert_eq!((payable(&test, store).await, own(&test, AccountKind::Commission).await), (0, 0));
    assert_eq!(at_provider(&test).await, -fee(6000));
    assert!(matches!(refund(&test, &mine, "x", all()).await, Err(orders::Error::RefundTooLarge(_))));
    test.finish().await;
}

/// Whoever refunds before the sale is in the books is not refused: the refund waits for it and goes on by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_may_be_quicker_than_the_books() {
    let test = TestApp::start().await;
    let (store, pot) = shop(&test).await;
    let basket = test.basket(pot, 1).await;
    let bought = test.check_out(&basket, "buy", "tok_visa").await;
    let mine = (basket, bought.json["id"].as_str().unwrap().to_owned());
    let early = refund(&test, &mine, "early", all()).await.unwrap().refund;
    assert_eq!(early.status, RefundState::Created);
    test.run_jobs().await;
    test.clock.advance(Duration::minutes(1));
    test.run_jobs().await;
    assert_eq!(order(&test, &mine).await["status"], "refunded");
    assert_eq!(payable(&test, store).await, 0);
    test.finish().await;
}

/// A refund that waits may be overtaken by the one that gives back the rest: both arrive, and then the order is refunded.
#[tokio::test(flavor = "multi_thread")]
async fn refunds_may_overtake_each_other() {
    let test = TestApp::start().await;
    let (store, pot) = shop(&test).await;
    let basket = test.basket(pot, 3).await;
    let bought = test.check_out(&basket, "buy", "tok_visa").await;
    let mine = (basket, bought.json["id"].as_str().unwrap().to_owned());
    let early = refund(&test, &mine, "early", amount(2000)).await.unwrap().refund;
    assert_eq!(early.status, RefundState::Created);
    test.run_jobs().await;
    refund(&test, &mine, "rest", all()).await.unwrap();
    test.run_jobs().await;
    assert_eq!(order(&test, &mine).await["status"], "paid", "one of them is still to come");
    test.clock.advance(Duration::minutes(1));
    test.run_jobs().await;
    assert_eq!(order(&test, &mine).await["status"], "refunded");
    assert_eq!((payable(&test, store).await, at_provider(&test).await), (0, -fee(6000)));
    test.finish().await;
}

/// Twenty people refund at the same time what is there for six: six succeed, and not a penny more goes back.
#[tokio::test(flavor = "multi_thread")]
async fn never_more_than_was_paid() {
    let test = TestApp::start().await;
    let (store, pot) = shop(&test).await;
    let mine = paid(&test, pot, 1).await;
    let mut askers = JoinSet::new();
    for turn in 0..20 {
        let (orders, id) = (test.app.orders.clone(), mine.1.clone());
        askers.spawn(async move {
            let key = key(&format!("turn {turn}"));
            orders.refund(&Actor::system(), id.parse().unwrap(), &key, amount(300)).await.is_ok()
        });
    }
    let done = askers.join_all().await.into_iter().filter(|done| *done).count();
    assert_eq!(done, 6);
    test.run_jobs().await;
    assert_eq!(payable(&test, store).await, 200);
    assert_eq!(order(&test, &mine).await["refunded"]["amount"], 1800);
    test.finish().await;
}

/// Who asks twice at the same time under one key gets one refund.
#[tokio::test(flavor = "multi_thread")]
async fn one_key_one_refund() {
    let test = TestApp::start().await;
    let (store, pot) = shop(&test).await;
    let mine = paid(&test, pot, 1).await;
    let mut askers = JoinSet::new();
    for _ in 0..8 {
        let (orders, id) = (test.app.orders.clone(), mine.1.clone());
        askers.spawn(async move {
            orders.refund(&Actor::system(), id.parse().unwrap(), &key("once"), amount(500)).await.unwrap()
        });
    }
    let answers = askers.join_all().await;
    assert!(answers.iter().all(|answer| answer.refund.id == answers[0].refund.id));
    test.run_jobs().await;
    assert_eq!(payable(&test, store).await, 1500);
    test.finish().await;
}

/// A refund that the provider could not give is the store's again, and the order says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_fails_is_taken_back() {
    let test = TestApp::start().await;
    commission(&test, Rate::percent(10), Rate::percent(20)).await;
    let (store, pot) = shop(&test).await;
    let mine = paid(&test, pot, 1).await;
    let given = refund(&test, &mine, "all", all()).await.unwrap().refund;
    test.run_jobs().await;
    assert_eq!(
        (payable(&test, store).await, order(&test, &mine).await["status"].clone()),
        (0, "refunded".into())
    );
    let target = Target { refund: Some(given.id), ..Target::default() };
    trigger(&test, Trigger::RefundFailed, target).await;
    assert_eq!(payable(&test, store).await, 2000 - 200 - 40);
    let back = order(&test, &mine).await;
    assert_eq!((&back["status"], &back["refunded"]["amount"]), (&"paid".into(), &0.into()));
    refund(&test, &mine, "again", all()).await.unwrap();
    test.run_jobs().await;
    assert_eq!(payable(&test, store).await, 0);
    test.finish().await;
}

/// What a buyer disputes is held; the store gets it back if it wins, and is rid of it with the commission if it loses.
#[tokio::test(flavor = "multi_thread")]
async fn disputes_hold_money() {
    let test = TestApp::start().await;
    commission(&test, Rate::percent(10), Rate::percent(20)).await;
    let (store, pot) = shop(&test).await;
    let hold = Account::of_store(AccountKind::StoreDisputeHold, store);
    for (end, left) in [(Trigger::DisputeWon, 2000 - 200 - 40), (Trigger::DisputeLost, 0)] {
        let before = payable(&test, store).await;
        let mine = paid(&test, pot, 1).await;
        let payment = payment_of(&test, &mine.1).await.parse().unwrap();
        let target = Target { payment: Some(payment), ..Target::default() };
        trigger(&test, Trigger::DisputeCreated, target.clone()).await;
        assert_eq!(balance(&test, hold.clone()).await, 2000);
        assert_eq!(payable(&test, store).await, before - 200 - 40);
        let refused = refund(&test, &mine, "meanwhile", amount(1)).await;
        assert!(refused.is_err(), "what is disputed is gone already");
        trigger(&test, end, target).await;
        assert_eq!(balance(&test, hold.clone()).await, 0);
        assert_eq!(payable(&test, store).await, before + left);
    }
    assert_eq!(balance(&test, Account::at_provider(AccountKind::ProviderDisputes, "sandbox")).await, 0);
    test.finish().await;
}

/// A store refunds its own sales and nobody else's; a buyer refunds nothing.
#[tokio::test(flavor = "multi_thread")]
async fn others_refund_nothing() {
    let test = TestApp::start().await;
    let (store, pot) = shop(&test).await;
    let mine = paid(&test, pot, 1).await;
    let url = format!("/api/v1/orders/{}/refunds", mine.1);
    let body = serde_json::json!({"reason": "requested_by_customer"});
    let buyer = test.post(&url, &[("x-cart-token", &mine.0), ("idempotency-key", "me")], &body).await;
    assert_eq!(buyer.status.as_u16(), 401, "{}", buyer.text);
    let _: (StoreId, Permission) = (store, Permission::FinanceWrite);
    assert_eq!(payable(&test, store).await, 2000);
    test.finish().await;
}
