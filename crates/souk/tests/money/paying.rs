//! Paying, also when the buyer, the bank or the provider takes their time.

use catalog::{StoreId, VariantId};
use identity::Actor;
use payments::AccountKind;
use payments::sandbox::Chaos;
use serde_json::json;
use testkit::TestApp;
use time::Duration;

use crate::scene::{
    VISA, at_provider, fee, open_page, order, own, path, pay, payable, sandbox, shop, submit, unpaid,
};

/// A buyer pays on the provider's page: a card is declined there, another one is not, the notice carries the order on, and
/// every cent is in the books.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_paid_on() {
    let test = TestApp::start().await;
    let (store, pot) = shop(&test).await;
    let mine = unpaid(&test, pot, 2).await;
    let page = open_page(&test, &mine).await;
    assert_eq!(page.status.as_u16(), 201, "{}", page.text);
    let again = open_page(&test, &mine).await;
    assert_eq!(again.json, page.json, "the page that is open");
    let page = path(page.json["url"].as_str().unwrap());

    pay(&test, &page, "4000 0000 0000 0002").await;
    test.run_jobs().await;
    assert_eq!(order(&test, &mine).await["status"], "awaiting_payment", "they can try another card");
    let paid = pay(&test, &page, VISA).await;
    assert_eq!(paid.status.as_u16(), 303, "{}", paid.text);
    assert!(paid.header("location").starts_with("https://shop.example/thanks"));
    test.run_jobs().await;

    assert_eq!(order(&test, &mine).await["status"], "paid");
    assert_eq!(test.available(pot).await, 8);
    assert_eq!(payable(&test, store).await, 4000);
    assert_eq!(at_provider(&test).await, 4000 - fee(4000));
    assert_eq!(own(&test, AccountKind::ProcessingFees).await, fee(4000));
    let closed = open_page(&test, &mine).await;
    assert_eq!((closed.status.as_u16(), closed.code()), (409, "orders/wrong_state"));
    test.finish().await;
}

/// However often, late and out of order the provider tells, the order is paid once and the books say so once.
#[tokio::test(flavor = "multi_thread")]
async fn a_noisy_provider_changes_nothing() {
    let test = TestApp::start().await;
    let (store, pot) = shop(&test).await;
    let chaos = Chaos { copies: 4, shuffle: true, ..Chaos::default() };
    sandbox(&test).set_chaos(&Actor::system(), &chaos).await.unwrap();
    for turn in 1..=3 {
        let mine = unpaid(&test, pot, 1).await;
        let page = path(open_page(&test, &mine).await.json["url"].as_str().unwrap());
        pay(&test, &page, VISA).await;
        test.run_jobs().await;
        assert_eq!(order(&test, &mine).await["status"], "paid");
        assert_eq!(payable(&test, store).await, 2000 * turn);
    }
    test.finish().await;
}

/// A buyer has paid on the page of an order, and the notice of it is lost.
async fn paid_unheard() -> (TestApp, (String, String), StoreId, VariantId) {
    let test = TestApp::start().await;
    let (store, pot) = shop(&test).await;
    sandbox(&test).set_chaos(&Actor::system(), &Chaos { lose: 100, ..Chaos::default() }).await.unwrap();
    let mine = unpaid(&test, pot, 1).await;
    let page = path(open_page(&test, &mine).await.json["url"].as_str().unwrap());
    pay(&test, &page, VISA).await;
    test.run_jobs().await;
    assert_eq!(order(&test, &mine).await["status"], "awaiting_payment");
    (test, mine, store, pot)
}

/// A notice that gets lost is not missed: the provider is asked, and the buyer has their order.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_notice_is_made_up_for() {
    let (test, mine, store, pot) = paid_unheard().await;
    test.clock.advance(Duration::seconds(61));
    test.run_jobs().await;
    assert_eq!(order(&test, &mine).await["status"], "paid");
    assert_eq!((payable(&test, store).await, test.available(pot).await), (2000, 9));
    test.finish().await;
}

/// Whoever has paid and asks for the page again is told that it is paid, at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_paid_is_not_shown_again() {
    let (test, mine, store, _) = paid_unheard().await;
    let again = open_page(&test, &mine).await;
    assert_eq!(
        (again.status.as_u16(), again.code(), &again.json["details"][0]["facts"]["status"]),
        (409, "orders/wrong_state", &json!("paid")),
        "{again:?}"
    );
    test.run_jobs().await;
    assert_eq!(payable(&test, store).await, 2000);
    test.finish().await;
}

/// A page is left and taken up again: a new one is opened, and its bank may take its time.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_left_and_taken_up_again() {
    let test = TestApp::start().await;
    let (store, pot) = shop(&test).await;
    sandbox(&test).set_chaos(&Actor::system(), &Chaos { lose: 100, ..Chaos::default() }).await.unwrap();
    let mine = unpaid(&test, pot, 1).await;
    let first = open_page(&test, &mine).await;
    submit(&test, &path(first.json["url"].as_str().unwrap()), &[("action", "cancel")]).await;
    let second = open_page(&test, &mine).await;
    assert_eq!(second.status, 201, "{second:?}");
    assert_ne!(first.json["payment_id"], second.json["payment_id"]);
    pay(&test, &path(second.json["url"].as_str().unwrap()), "4000 0000 0000 0606").await;
    let third = open_page(&test, &mine).await;
    assert_eq!(
        (third.status.as_u16(), &third.json["details"][0]["facts"]["status"]),
        (409, &json!("payment_pending")),
        "{third:?}"
    );
    sandbox(&test).advance(&Actor::system(), Duration::MINUTE).await.unwrap();
    test.run_jobs().await;
    test.clock.advance(Duration::seconds(61));
    test.run_jobs().await;
    assert_eq!(order(&test, &mine).await["status"], "paid");
    assert_eq!(payable(&test, store).await, 2000);
    test.finish().await;
}

/// What was paid and not heard of until its order was over goes back.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_heard_of_too_late_goes_back() {
    let (test, mine, _, pot) = paid_unheard().await;
    // The hold is over; that its page was paid on comes out when it is closed.
    test.clock.advance(Duration::minutes(16));
    test.run_jobs().await;
    let order = order(&test, &mine).await;
    assert_eq!(order["status"], "expired", "{order}");
    assert_eq!(at_provider(&test).await, -fee(2000), "the money went back; the fee did not");
    assert_eq!(own(&test, AccountKind::Unallocated).await, 0);
    assert_eq!(test.available(pot).await, 10);
    test.finish().await;
}

/// A buyer who pays when their order is called off gets their money back, of itself.
#[tokio::test(flavor = "multi_thread")]
async fn money_that_comes_too_late_goes_back() {
    let test = TestApp::start().await;
    let (store, pot) = shop(&test).await;
    let mine = unpaid(&test, pot, 1).await;
    let page = path(open_page(&test, &mine).await.json["url"].as_str().unwrap());
    pay(&test, &page, VISA).await;
    // Before anybody has heard of that.
    let (basket, id) = &mine;
    let cancelled =
        test.post(&format!("/api/v1/orders/{id}/cancel"), &[("x-cart-token", basket)], &json!({})).await;
    assert_eq!(cancelled.json["status"], "cancelled", "{}", cancelled.text);
    test.run_jobs().await;
    assert_eq!(order(&test, &mine).await["status"], "cancelled");
    assert_eq!((payable(&test, store).await, own(&test, AccountKind::Unallocated).await), (0, 0));
    assert_eq!(at_provider(&test).await, -fee(2000));
    test.finish().await;
}

/// A card whose bank asks for more: the order waits, says where to go, and goes on when the bank has its answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_passed_or_not() {
    let test = TestApp::start().await;
    let (store, pot) = shop(&test).await;
    for (answer, status) in [("approve", "paid"), ("refuse", "awaiting_payment")] {
        let basket = test.basket(pot, 1).await;
        let asked = test.check_out(&basket, "3ds", "tok_threeDSecure2Required").await;
        assert_eq!(
            (asked.status.as_u16(), &asked.json["status"]),
            (201, &json!("awaiting_payment")),
            "{}",
            asked.text
        );
        assert_eq!(asked.json["next_action"]["type"], "redirect");
        let mine = (basket.clone(), asked.json["id"].as_str().unwrap().to_owned());
        assert_eq!(order(&test, &mine).await["next_action"], asked.json["next_action"]);
        let replay = test.check_out(&basket, "3ds", "tok_threeDSecure2Required").await;
        assert_eq!(replay.json["next_action"], asked.json["next_action"], "told again");

        let url = path(asked.json["next_action"]["url"].as_str().unwrap());
        let answered = submit(&test, &url, &[("action", answer)]).await;
        assert!(answered.status.as_u16() < 400, "{}", answered.text);
        test.run_jobs().await;
        let after = order(&test, &mine).await;
        assert_eq!(after["status"], status, "{after}");
        assert_eq!(after["next_action"], json!(null));
    }
    assert_eq!(payable(&test, store).await, 2000);
    test.clock.advance(Duration::hours(1));
    test.finish().await;
}

/// A provider that takes its time: the buyer is told that the payment is pending, and the order is paid later.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_payment_comes_through() {
    let test = TestApp::start().await;
    let (store, pot) = shop(&test).await;
    let basket = test.basket(pot, 1).await;
    let asked = test.check_out(&basket, "slow", "tok_sandbox_processing").await;
    assert_eq!(
        (asked.status.as_u16(), &asked.json["status"]),
        (201, &json!("payment_pending")),
        "{}",
        asked.text
    );
    let mine = (basket, asked.json["id"].as_str().unwrap().to_owned());
    test.run_jobs().await;
    assert_eq!(order(&test, &mine).await["status"], "payment_pending");
    sandbox(&test).advance(&Actor::system(), Duration::HOUR).await.unwrap();
    test.run_jobs().await;
    assert_eq!(order(&test, &mine).await["status"], "paid");
    assert_eq!(payable(&test, store).await, 2000);
    test.finish().await;
}

/// A provider that is gone: the buyer is told, nothing is lost, and the order is paid as soon as it is back.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_waited_out() {
    let test = TestApp::start().await;
    let (store, pot) = shop(&test).await;
    let basket = test.basket(pot, 1).await;
    let asked = test.check_out(&basket, "gone", "tok_sandbox_outage").await;
    assert_eq!(
        (asked.status.as_u16(), asked.code()),
        (503, "payments/provider_unavailable"),
        "{}",
        asked.text
    );
    let id = asked.json["details"][0]["facts"]["order_id"].as_str().unwrap().to_owned();
    let mine = (basket.clone(), id);
    assert_eq!(order(&test, &mine).await["status"], "payment_pending");
    let again = test.check_out(&basket, "gone", "tok_sandbox_outage").await;
    assert_eq!(again.status.as_u16(), 503, "still");
    for _ in 0..8 {
        test.clock.advance(Duration::seconds(30));
        test.run_jobs().await;
    }
    assert_eq!(order(&test, &mine).await["status"], "paid");
    let answer = test.check_out(&basket, "gone", "tok_sandbox_outage").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("idempotent-replayed")),
        (201, "true"),
        "{}",
        answer.text
    );
    assert_eq!((payable(&test, store).await, test.available(pot).await), (2000, 9));
    test.finish().await;
}
