//! The power fails while orders are paid on the provider's page, while money goes back, and while a store is paid.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, ORIGIN};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::power::{copy, each, prepared, verify};
use crate::program::{Server, output};
use crate::unpaid::{ORDERS, PATIENCE, Unpaid, for_sale, of_way, power_failed, taken};

/// The points that only such ways pass.
pub(crate) const WAYS: [&str; 6] = [
    "payments.webhook",
    "payments.page.",
    "payments.refund.",
    "payments.payout.",
    "orders.refund.",
    "orders.by_itself.",
];

/// The power fails there, at that time of passing it.
async fn failing(data: &TempDir, point: &str, time: usize) -> Server {
    Server::start_with(data.path(), &[("POWER_FAILS_AT", &format!("{point}:{time}"))]).await
}

/// A key of the marketplace's, for whatever has to do with money.
fn operators_key(data: &TempDir) -> String {
    let arguments =
        ["apikey", "create", "--name", "t", "--scope", "finance:write", "--scope", "finance:admin"];
    let (ok, told, error) = output(data.path(), &arguments);
    assert!(ok, "{told}{error}");
    let key = told.lines().find_map(|line| line.strip_prefix("Key")).unwrap().trim();
    format!("Bearer {key}")
}

/// Asks once in the operator's name; an answer may never come.
async fn ask(
    server: &Server,
    key: &str,
    path: &str,
    once: &str,
    body: &Value,
) -> Option<(StatusCode, Value)> {
    let request = server.client.post(format!("{}{path}", server.base)).timeout(Duration::from_secs(20));
    let request = request.header(AUTHORIZATION, key).header("idempotency-key", once).json(body);
    let answer = request.send().await.ok()?;
    Some((answer.status(), answer.json().await.ok()?))
}

/// Asks until it is done, now or before.
async fn insist(server: &Server, key: &str, path: &str, once: &str, body: &Value) -> Value {
    let patience = Instant::now() + PATIENCE;
    loop {
        let answer = ask(server, key, path, once, body).await;
        if let Some((StatusCode::CREATED | StatusCode::OK, answer)) = answer {
            return answer;
        }
        assert!(Instant::now() < patience, "{path} is stuck: {answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Opens the page of an order and pays on it, as a buyer's browser does; at any step there may be no answer.
async fn pay_on_page(server: &Server, order: &Unpaid) -> Option<()> {
    let page = format!("{}/payment_page", order.path);
    let (status, _, opened) = server.post(&page, &order.cart, "page", &json!({})).await.ok()?;
    if status != StatusCode::CREATED {
        return None;
    }
    let url: url::Url = opened["url"].as_str().unwrap().parse().unwrap();
    let card = [("number", "4242 4242 4242 4242"), ("expiry", "12 / 34"), ("cvc", "123"), ("action", "pay")];
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(card).finish();
    let address = format!("{}{}?{}", server.base, url.path(), url.query().unwrap_or_default());
    let request = server.client.post(address).header(ORIGIN, url.origin().ascii_serialization()).body(form);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.send().await.ok().map(drop)
}

async fn page_fails_at(point: String, time: usize, template: Arc<TempDir>) {
    let data = copy(template.path());
    let server = failing(&data, &point, time).await;
    let (_, stock) = server.teapot().await;
    let orders = Unpaid::place_all(&server).await;
    for order in &orders {
        pay_on_page(&server, order).await;
    }
    // What the provider tells comes a moment later.
    power_failed(server, &point);

    let server = Server::start(data.path()).await;
    for order in &orders {
        let patience = Instant::now() + 2 * PATIENCE;
        loop {
            let status = order.status(&server).await;
            if status == "paid" {
                break;
            }
            assert!(Instant::now() < patience, "{point}: {} is stuck as {status}", order.path);
            // A buyer who does not see their order paid looks at the page again, and finds it paid or pays.
            pay_on_page(&server, order).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
    let sold = i64::try_from(ORDERS).unwrap();
    for_sale(&server, stock - sold, PATIENCE).await;
    let taken =
        taken(data.path(), "SELECT count(*) FROM payments.sandbox_payments WHERE state = 'succeeded'").await;
    assert_eq!(taken, sold, "{point}: each has paid once");
    verify(data.path());
    assert!(server.stop());
}

/// At each step of a payment on the provider's page, and of hearing of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_power_fails_while_pages_are_paid() {
    let mut points = of_way("payments.page.", "payments.page.written", 2, &[]);
    points.extend(of_way("payments.webhook", "payments.webhook_stored", 2, &[]));
    points.extend(of_way("orders.by_itself.", "orders.by_itself.begun", 2, &[]));
    each(points, &prepared().await, page_fails_at).await;
}

async fn refund_fails_at(point: String, time: usize, template: Arc<TempDir>) {
    let data = copy(template.path());
    let key = operators_key(&data);
    let server = failing(&data, &point, time).await;
    let (_, stock) = server.teapot().await;
    let orders = Unpaid::place_all(&server).await;
    let (paying, cancelled) = orders.split_at(3);
    for order in cancelled {
        assert_eq!(order.cancel(&server).await.unwrap().0, StatusCode::OK);
    }
    for order in paying {
        assert_eq!(order.pay(&server).await.unwrap().0, StatusCode::OK);
        order.comes_to(&server, &["paid"]).await;
    }
    let whole = json!({"reason": "other", "restock": true});
    for order in paying {
        ask(&server, &key, &format!("{}/refunds", order.path), "whole", &whole).await;
    }
    power_failed(server, &point);

    let server = Server::start(data.path()).await;
    for order in paying {
        insist(&server, &key, &format!("{}/refunds", order.path), "whole", &whole).await;
        order.comes_to(&server, &["refunded"]).await;
    }
    for_sale(&server, stock, PATIENCE).await;
    let given = taken(data.path(), "SELECT count(*) FROM payments.sandbox_refunds").await;
    assert_eq!(given, i64::try_from(paying.len()).unwrap(), "{point}: each got it back once");
    verify(data.path());
    assert!(server.stop());
}

/// At each step of giving money back.
#[tokio::test(flavor = "multi_thread")]
async fn the_power_fails_while_money_goes_back() {
    let mut points = of_way("orders.refund.", "orders.refund.written", 2, &[]);
    points.extend(of_way("payments.refund.", "payments.refund.written", 2, &[]));
    each(points, &prepared().await, refund_fails_at).await;
}

async fn payout_fails_at(point: String, time: usize, template: Arc<TempDir>) {
    let data = copy(template.path());
    let (ok, told, error) = output(data.path(), &["sandbox", "chaos", "--activate-accounts", "true"]);
    assert!(ok, "{told}{error}");
    let key = operators_key(&data);
    let server = failing(&data, &point, time).await;
    let product = server.get("/api/v1/products/last-ten-teapot").await;
    let store = &product["store"]["id"];
    insist(
        &server,
        &key,
        &format!("/api/v1/stores/{}/payout_account", store.as_str().unwrap()),
        "a",
        &json!({}),
    )
    .await;
    let gift = json!({"store_id": store, "amount": {"amount": 5000, "currency": "GBP"}, "reason": "a gift"});
    insist(&server, &key, "/api/v1/adjustments", "gift", &gift).await;
    let now = json!({"store_id": store, "reason": "now"});
    assert!(
        ask(&server, &key, "/api/v1/payouts", "", &now).await.is_none(),
        "{point}: an answer without power"
    );
    power_failed(server, &point);

    let server = Server::start(data.path()).await;
    insist(&server, &key, "/api/v1/adjustments", "gift", &gift).await;
    let made = insist(&server, &key, "/api/v1/payouts", "", &now).await;
    assert_eq!(made["data"][0]["amount"], gift["amount"], "{point}: as if nobody had asked before");
    let again = ask(&server, &key, "/api/v1/payouts", "", &now).await.unwrap();
    assert_eq!((again.0, &again.1["code"]), (StatusCode::CONFLICT, &json!("payments/nothing_to_pay_out")));
    verify(data.path());
    assert!(server.stop());
}

/// While a payout is made.
#[tokio::test(flavor = "multi_thread")]
async fn the_power_fails_while_a_store_is_paid() {
    let points = of_way("payments.payout.", "payments.payout.before_commit", 1, &[]);
    each(points, &prepared().await, payout_fails_at).await;
}
