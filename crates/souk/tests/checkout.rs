//! Buying: once, at the price that was shown, never more than there is.

use catalog::{ProductStatus, VariantId};
use inventory::Reason;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Answer, NewProduct, TestApp, address};
use time::Duration;
use tokio::task::JoinSet;

const CHECKOUT: &str = "/api/v1/shopping_basket/checkout";

/// Puts something into a new basket; gives the cart's token.
async fn basket(test: &TestApp, variant: VariantId, quantity: i64) -> String {
    let body = json!({"variant_id": variant, "quantity": quantity});
    let answer = test.post("/api/v1/shopping_basket/products", &[], &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.header("x-cart-token").to_owned()
}

fn purchase(token: &str) -> Value {
    json!({"email": "ada@example.com", "shipping_address": address(), "payment": {"token": token}})
}

async fn checkout(test: &TestApp, cart: &str, key: &str, token: &str) -> Answer {
    test.post(CHECKOUT, &[("x-cart-token", cart), ("idempotency-key", key)], &purchase(token)).await
}

/// A cart becomes a paid order that its buyer, and nobody else, can see.
#[tokio::test(flavor = "multi_thread")]
async fn a_basket_becomes_a_paid_order() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 10, price: 1999, ..NewProduct::default() }).await;
    let cart = basket(&test, variant, 3).await;
    let bought = checkout(&test, &cart, "k1", "tok_visa").await;
    assert_eq!(bought.status, StatusCode::CREATED, "{bought:?}");
    assert_eq!(bought.json["status"], "paid");
    assert_eq!(bought.json["total"], json!({"amount": 5997, "currency": "GBP"}));
    assert_eq!(bought.json["lines"][0]["unit_price"]["amount"], 1999);
    assert_eq!(bought.json["lines"][0]["quantity"], 3);
    assert_eq!(bought.json["shipping_address"]["city"], "London");
    assert_eq!(test.available(variant).await, 7);

    let location = bought.header("location").to_owned();
    let shown = test.get(&location, &[("x-cart-token", &cart)]).await;
    assert_eq!(shown.json, bought.json);
    assert_eq!(test.get(&location, &[]).await.status, StatusCode::NOT_FOUND);
    let stranger = test.get(&location, &[("x-cart-token", "guess")]).await;
    assert_eq!((stranger.status, stranger.code()), (StatusCode::NOT_FOUND, "orders/order_not_found"));
    test.finish().await;
}

/// A declined payment leaves no trace on the stock, and the buyer can try another card.
#[tokio::test(flavor = "multi_thread")]
async fn a_declined_payment_frees_the_stock() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 1, ..NewProduct::default() }).await;
    let cart = basket(&test, variant, 1).await;
    for (key, token, code) in [
        ("k1", "tok_chargeDeclined", "payments/card_declined"),
        ("k2", "tok_chargeDeclinedInsufficientFunds", "payments/insufficient_funds"),
    ] {
        let declined = checkout(&test, &cart, key, token).await;
        assert_eq!((declined.status, declined.code()), (StatusCode::PAYMENT_REQUIRED, code));
        assert_eq!(declined.json["details"][0]["field"], "payment.token");
        assert_eq!(test.available(variant).await, 1);
        let again = checkout(&test, &cart, key, token).await;
        assert_eq!(
            (again.status, again.code()),
            (StatusCode::PAYMENT_REQUIRED, code),
            "a decline is replayed too"
        );
    }
    let paid = checkout(&test, &cart, "k3", "tok_visa").await;
    assert_eq!(paid.status, StatusCode::CREATED, "{paid:?}");
    assert_eq!(test.available(variant).await, 0);
    test.finish().await;
}

/// Sent again, a purchase is answered the same and made once; the key can not be used for another.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_is_answered_the_same() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct::default()).await;
    let cart = basket(&test, variant, 1).await;
    let first = checkout(&test, &cart, "k", "tok_visa").await;
    assert_eq!(first.header("idempotent-replayed"), "");
    test.clock.advance(Duration::hours(3));
    let again = checkout(&test, &cart, "k", "tok_visa").await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (StatusCode::CREATED, "true"));
    assert_eq!(again.text, first.text);
    let other = checkout(&test, &cart, "k", "tok_mastercard").await;
    assert_eq!(
        (other.status, other.code()),
        (StatusCode::UNPROCESSABLE_ENTITY, "request/idempotency_key_reused")
    );
    let completed = checkout(&test, &cart, "k2", "tok_visa").await;
    assert_eq!((completed.status, completed.code()), (StatusCode::CONFLICT, "orders/cart_completed"));
    assert_eq!(completed.json["details"][0]["facts"]["order_id"], first.json["id"]);
    test.finish().await;
}

/// Twenty requests with one key at the same time: one order, twenty equal answers.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_duplicates_make_one_order() {
    let test = std::sync::Arc::new(TestApp::start().await);
    let variant = test.product(NewProduct { stock: 50, ..NewProduct::default() }).await;
    let cart = basket(&test, variant, 2).await;
    let mut requests = JoinSet::new();
    for _ in 0..20 {
        let (test, cart) = (test.clone(), cart.clone());
        requests.spawn(async move { checkout(&test, &cart, "one", "tok_visa").await });
    }
    let answers = requests.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::CREATED), "{answers:?}");
    assert!(answers.iter().all(|answer| answer.text == answers[0].text));
    let firsts = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count();
    assert_eq!(firsts, 1);
    assert_eq!(test.available(variant).await, 48);
    std::sync::Arc::into_inner(test).unwrap().finish().await;
}

/// Two tabs buy one cart under different keys: one order.
#[tokio::test(flavor = "multi_thread")]
async fn a_cart_is_bought_once_whatever_the_key() {
    let test = std::sync::Arc::new(TestApp::start().await);
    let variant = test.product(NewProduct { stock: 50, ..NewProduct::default() }).await;
    let cart = basket(&test, variant, 1).await;
    let mut requests = JoinSet::new();
    for tab in 0..8 {
        let (test, cart) = (test.clone(), cart.clone());
        requests.spawn(async move { checkout(&test, &cart, &format!("tab-{tab}"), "tok_visa").await });
    }
    let mut won = 0;
    for answer in requests.join_all().await {
        match answer.status {
            StatusCode::CREATED => won += 1,
            _ => assert!(
                ["orders/checkout_running", "orders/cart_completed"].contains(&answer.code()),
                "{answer:?}"
            ),
        }
    }
    assert_eq!((won, test.available(variant).await), (1, 49));
    std::sync::Arc::into_inner(test).unwrap().finish().await;
}

/// A hundred buyers want one each of ten: ten paid orders, ninety refusals, none left.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_buyers_race_for_ten() {
    let test = std::sync::Arc::new(TestApp::start().await);
    let variant = test.product(NewProduct { stock: 10, ..NewProduct::default() }).await;
    let mut carts = Vec::new();
    for _ in 0..100 {
        carts.push(basket(&test, variant, 1).await);
    }
    let mut requests = JoinSet::new();
    for (buyer, cart) in carts.into_iter().enumerate() {
        let test = test.clone();
        requests.spawn(async move { checkout(&test, &cart, &format!("buyer-{buyer}"), "tok_visa").await });
    }
    let (mut paid, mut refused) = (0, 0);
    for answer in requests.join_all().await {
        match answer.status {
            StatusCode::CREATED => paid += 1,
            StatusCode::CONFLICT => {
                assert_eq!(answer.code(), "inventory/out_of_stock");
                assert_eq!(answer.json["details"][0]["field"], "lines[0]");
                assert_eq!(answer.json["details"][0]["facts"]["requested"], 1);
                refused += 1;
            }
            _ => panic!("{answer:?}"),
        }
    }
    assert_eq!((paid, refused, test.available(variant).await), (10, 90, 0));
    std::sync::Arc::into_inner(test).unwrap().finish().await;
}

/// A price that changed is told, never charged; setting the quantity accepts it.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_price_is_told_not_charged() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { price: 1999, ..NewProduct::default() }).await;
    let cart = basket(&test, variant, 1).await;
    test.product(NewProduct { price: 2499, ..NewProduct::default() }).await;
    let refused = checkout(&test, &cart, "k", "tok_visa").await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "orders/price_changed"));
    let detail = &refused.json["details"][0];
    assert_eq!(detail["field"], "lines[0].unit_price");
    assert_eq!(detail["facts"]["shown"]["amount"], 1999);
    assert_eq!(detail["facts"]["current"]["amount"], 2499);
    assert_eq!(test.available(variant).await, 10);

    let token = [("x-cart-token", cart.as_str())];
    let shown = test.get("/api/v1/shopping_basket", &token).await.json;
    assert_eq!(shown["lines"][0]["notes"][0]["code"], "price_changed");
    let line = format!(
        "/api/v1/carts/{}/items/{}",
        shown["id"].as_str().unwrap(),
        shown["lines"][0]["id"].as_str().unwrap()
    );
    let accepted = test.send(Method::PATCH, &line, &token, Some(&json!({"quantity": 1}))).await;
    assert_eq!(accepted.json["subtotal"]["amount"], 2499);
    let paid = checkout(&test, &cart, "k", "tok_visa").await;
    assert_eq!((paid.status, &paid.json["total"]["amount"]), (StatusCode::CREATED, &json!(2499)));
    test.finish().await;
}

/// What sold out, or went off sale, while it lay in the cart is told line by line.
#[tokio::test(flavor = "multi_thread")]
async fn changed_stock_is_told() {
    let test = TestApp::start().await;
    let few = test.product(NewProduct { slug: "few", stock: 5, ..NewProduct::default() }).await;
    let gone = test.product(NewProduct { slug: "gone", stock: 5, ..NewProduct::default() }).await;
    let cart = basket(&test, few, 4).await;
    test.adjust(few, -3, Reason::Damaged).await;
    let refused = checkout(&test, &cart, "k", "tok_visa").await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "inventory/out_of_stock"));
    assert_eq!(refused.json["details"][0]["facts"]["available"], 2);

    let body = json!({"variant_id": gone, "quantity": 1});
    test.post("/api/v1/shopping_basket/products", &[("x-cart-token", &cart)], &body).await;
    test.product(NewProduct { slug: "gone", status: ProductStatus::Archived, ..NewProduct::default() }).await;
    let refused = checkout(&test, &cart, "k", "tok_visa").await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "orders/item_unavailable"));
    assert_eq!(refused.json["details"].as_array().unwrap().len(), 2, "all of it is told: {refused:?}");
    test.finish().await;
}

/// An order by cart id without payment holds its stock until it is paid.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_can_be_paid_later() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 2, ..NewProduct::default() }).await;
    let created = test.post("/api/v1/carts", &[], &json!({})).await;
    let (id, token) = (created.json["id"].clone(), created.json["token"].as_str().unwrap().to_owned());
    let cart = [("x-cart-token", token.as_str())];
    let items = format!("/api/v1/carts/{}/items", id.as_str().unwrap());
    test.post(&items, &cart, &json!({"variant_id": variant, "quantity": 2})).await;
    let order =
        json!({"cart_id": id, "email": "ada@example.com", "shipping": address(), "billing": address()});
    let keyed = [cart[0], ("idempotency-key", "order")];
    let placed = test.post("/api/v1/orders", &keyed, &order).await;
    assert_eq!(
        (placed.status, &placed.json["status"]),
        (StatusCode::CREATED, &json!("awaiting_payment")),
        "{placed:?}"
    );
    assert!(placed.json["hold_expires_at"].is_string());
    assert_eq!(test.available(variant).await, 0);

    let payment = format!("/api/v1/orders/{}/payment", placed.json["id"].as_str().unwrap());
    let declined = test
        .post(&payment, &[cart[0], ("idempotency-key", "p1")], &json!({"token": "tok_chargeDeclined"}))
        .await;
    assert_eq!((declined.status, declined.code()), (StatusCode::PAYMENT_REQUIRED, "payments/card_declined"));
    assert_eq!(test.available(variant).await, 0, "it still holds its stock");
    let visa = json!({"token": "tok_visa"});
    let paid = test.post(&payment, &[cart[0], ("idempotency-key", "p2")], &visa).await;
    assert_eq!((paid.status, &paid.json["status"]), (StatusCode::OK, &json!("paid")), "{paid:?}");
    let again = test.post(&payment, &[cart[0], ("idempotency-key", "p2")], &visa).await;
    assert_eq!((again.text, again.headers.get("idempotent-replayed").is_some()), (paid.text, true));
    let more = test.post(&payment, &[cart[0], ("idempotency-key", "p3")], &visa).await;
    assert_eq!((more.status, more.code()), (StatusCode::CONFLICT, "orders/wrong_state"));
    assert_eq!(more.json["details"][0]["facts"]["status"], "paid");
    let replayed = test.post("/api/v1/orders", &keyed, &order).await;
    assert_eq!(replayed.text, placed.text, "the first answer stays the answer");
    test.finish().await;
}

/// An order that nobody pays in time gives its stock and its cart back.
#[tokio::test(flavor = "multi_thread")]
async fn an_unpaid_order_expires() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 1, ..NewProduct::default() }).await;
    let cart = basket(&test, variant, 1).await;
    let shown = test.get("/api/v1/shopping_basket", &[("x-cart-token", &cart)]).await.json;
    let order = json!({"cart_id": shown["id"], "email": "ada@example.com", "shipping": address()});
    let headers = [("x-cart-token", cart.as_str()), ("idempotency-key", "order")];
    let placed = test.post("/api/v1/orders", &headers, &order).await;
    let path = format!("/api/v1/orders/{}", placed.json["id"].as_str().unwrap());
    test.clock.advance(Duration::minutes(16));
    let late = test
        .post(
            &format!("{path}/payment"),
            &[("x-cart-token", &cart), ("idempotency-key", "p")],
            &json!({"token": "tok_visa"}),
        )
        .await;
    assert_eq!((late.status, late.code()), (StatusCode::CONFLICT, "orders/wrong_state"));
    test.run_jobs().await;
    let expired = test.get(&path, &[("x-cart-token", &cart)]).await.json;
    assert_eq!(
        (&expired["status"], &expired["failure"]["code"]),
        (&json!("expired"), &json!("orders/expired"))
    );
    assert_eq!(test.available(variant).await, 1);
    let bought = checkout(&test, &cart, "second", "tok_visa").await;
    assert_eq!(bought.status, StatusCode::CREATED, "{bought:?}");
    test.finish().await;
}

/// Orders a basket without paying; gives the path of the order.
async fn unpaid(test: &TestApp, cart: &str, key: &str) -> String {
    let shown = test.get("/api/v1/shopping_basket", &[("x-cart-token", cart)]).await.json;
    let order = json!({"cart_id": shown["id"], "email": "ada@example.com", "shipping": address()});
    let placed =
        test.post("/api/v1/orders", &[("x-cart-token", cart), ("idempotency-key", key)], &order).await;
    assert_eq!(placed.json["status"], "awaiting_payment", "{placed:?}");
    placed.header("location").to_owned()
}

async fn cancel(test: &TestApp, order: &str, cart: &str) -> Answer {
    test.send(Method::POST, &format!("{order}/cancel"), &[("x-cart-token", cart)], None).await
}

async fn pay(test: &TestApp, order: &str, cart: &str, key: &str) -> Answer {
    let headers = [("x-cart-token", cart), ("idempotency-key", key)];
    test.post(&format!("{order}/payment"), &headers, &json!({"token": "tok_visa"})).await
}

/// Whoever ordered may change their mind until they pay: the stock is free again, and so is the cart.
#[tokio::test(flavor = "multi_thread")]
async fn an_unpaid_order_can_be_cancelled() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 2, ..NewProduct::default() }).await;
    let (cart, other) = (basket(&test, variant, 2).await, basket(&test, variant, 1).await);
    let order = unpaid(&test, &cart, "order").await;
    assert_eq!(test.available(variant).await, 0);
    for token in [other.as_str(), "guess", ""] {
        let foreign = cancel(&test, &order, token).await;
        assert_eq!((foreign.status, foreign.code()), (StatusCode::NOT_FOUND, "orders/order_not_found"));
    }
    assert_eq!(test.available(variant).await, 0);

    let cancelled = cancel(&test, &order, &cart).await;
    assert_eq!((cancelled.status, &cancelled.json["status"]), (StatusCode::OK, &json!("cancelled")));
    assert_eq!(cancelled.json["hold_expires_at"], Value::Null);
    assert_eq!(test.available(variant).await, 2);
    let again = cancel(&test, &order, &cart).await;
    assert_eq!((again.status, again.text), (StatusCode::OK, cancelled.text));
    let late = pay(&test, &order, &cart, "late").await;
    assert_eq!((late.status, late.code()), (StatusCode::CONFLICT, "orders/wrong_state"));
    assert_eq!(late.json["details"][0]["facts"]["status"], "cancelled");
    assert_eq!(test.available(variant).await, 2);

    let bought = checkout(&test, &cart, "anew", "tok_visa").await;
    assert_eq!(bought.status, StatusCode::CREATED, "{bought:?}");
    let refused = cancel(&test, bought.header("location"), &cart).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "orders/wrong_state"));
    assert_eq!(refused.json["details"][0]["facts"]["status"], "paid");
    assert_eq!(test.available(variant).await, 0);
    test.finish().await;
}

/// Paying and cancelling at the same moment: one of the two happens, and everybody is told which.
#[tokio::test(flavor = "multi_thread")]
async fn paying_and_cancelling_race() {
    let test = std::sync::Arc::new(TestApp::start().await);
    let variant = test.product(NewProduct { stock: 10, ..NewProduct::default() }).await;
    let mut sold = 0;
    for _ in 0..10 {
        let cart = basket(&test, variant, 1).await;
        let order = unpaid(&test, &cart, "order").await;
        let mut requests = JoinSet::new();
        for turn in 0..6 {
            let (test, cart, order) = (test.clone(), cart.clone(), order.clone());
            requests.spawn(async move {
                match turn % 3 {
                    0 => ("paid", pay(&test, &order, &cart, "pay").await),
                    _ => ("cancelled", cancel(&test, &order, &cart).await),
                }
            });
        }
        let answers = requests.join_all().await;
        let status = test.get(&order, &[("x-cart-token", &cart)]).await.json["status"].clone();
        for (wanted, answer) in &answers {
            if status == *wanted {
                assert_eq!((answer.status, &answer.json["status"]), (StatusCode::OK, &status), "{answers:?}");
            } else {
                assert_eq!((answer.status, answer.code()), (StatusCode::CONFLICT, "orders/wrong_state"));
            }
        }
        sold += i64::from(status == "paid");
        assert_eq!(test.available(variant).await, 10 - sold);
    }
    std::sync::Arc::into_inner(test).unwrap().finish().await;
}

/// A buyer who hangs up has bought all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_outlives_its_request() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 100, ..NewProduct::default() }).await;
    let mut bought = 0;
    for turn in 0..10_u64 {
        let cart = basket(&test, variant, 1).await;
        let pause = std::time::Duration::from_millis(turn * 2);
        let _ = tokio::time::timeout(pause, checkout(&test, &cart, "k", "tok_visa")).await;
        test.app.orders.drain().await;
        let again = checkout(&test, &cart, "k", "tok_visa").await;
        assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
        bought += 1;
    }
    assert_eq!(test.available(variant).await, 100 - bought);
    test.finish().await;
}
