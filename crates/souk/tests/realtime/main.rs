//! Following an order: checkout that answers at once, server-sent events, WebSocket and polling, over several nodes.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod nodes;
mod process;
#[path = "../program/mod.rs"]
mod program;
mod socket;
mod stage;

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{NewProduct, TestApp, purchase};
use tokio::task::JoinSet;

use stage::{CHECKOUT, Events, Node, cut_listeners, paid_later, started};

/// The answer comes as soon as the order is written, and says where to follow it.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_is_answered_at_once() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct::default()).await;
    let cart = test.basket(variant, 2).await;
    let headers = [("x-cart-token", cart.as_str()), ("idempotency-key", "k")];
    let accepted = test.post(CHECKOUT, &headers, &purchase("tok_visa")).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{accepted:?}");
    let order = accepted.json["order_id"].as_str().unwrap();
    let (status, events) = (format!("/api/v2/orders/{order}"), format!("/api/v2/orders/{order}/events"));
    assert_eq!((accepted.header("location"), accepted.header("retry-after")), (status.as_str(), "1"));
    assert_eq!(accepted.json, json!({"order_id": order, "status_url": status, "events_url": events}));
    test.run_jobs().await;
    let shown = test.get(&status, &headers[..1]).await;
    assert_eq!((shown.status.as_u16(), &shown.json["status"]), (200, &json!("paid")));
    assert_eq!(test.available(variant).await, 8);

    let again = test.post(CHECKOUT, &headers, &purchase("tok_visa")).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (StatusCode::ACCEPTED, "true"));
    assert_eq!(again.text, accepted.text);
    let other = test.post(CHECKOUT, &headers, &purchase("tok_mastercard")).await;
    assert_eq!(other.code(), "request/idempotency_key_reused");
    let another = [headers[0], ("idempotency-key", "k2")];
    let done = test.post(CHECKOUT, &another, &purchase("tok_visa")).await;
    assert_eq!((done.status, done.code()), (StatusCode::CONFLICT, "orders/cart_completed"));
    test.finish().await;
}

/// What is refused before an order is written is refused as ever; what fails later is told by the order.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_before_and_after_the_order_is_written() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { price: 1999, ..NewProduct::default() }).await;
    let cart = test.basket(variant, 1).await;
    test.product(NewProduct { price: 2499, ..NewProduct::default() }).await;
    let headers = [("x-cart-token", cart.as_str()), ("idempotency-key", "k")];
    let refused = test.post(CHECKOUT, &headers, &purchase("tok_visa")).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "orders/price_changed"));

    let (order, cart) = started(&test, variant, "tok_chargeDeclined").await;
    let events = Events::open(&test, &order, &cart, 0).await.all().await;
    let kinds: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(kinds, ["order.placed", "order.rejected"]);
    assert_eq!(events[1].data["failure"]["code"], "payments/card_declined");
    assert_eq!(events[1].data["status"], "rejected");
    let headers = [("x-cart-token", cart.as_str()), ("idempotency-key", "start")];
    let again = test.post(CHECKOUT, &headers, &purchase("tok_chargeDeclined")).await;
    assert_eq!((again.status, again.json["order_id"].as_str()), (StatusCode::ACCEPTED, Some(order.as_str())));
    test.finish().await;
}

/// Twenty requests with one key at the same time: one order, twenty equal answers.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_duplicates_are_one_order() {
    let test = Arc::new(TestApp::start().await);
    let variant = test.product(NewProduct { stock: 50, ..NewProduct::default() }).await;
    let cart = test.basket(variant, 2).await;
    let mut requests = JoinSet::new();
    for _ in 0..20 {
        let (test, cart) = (test.clone(), cart.clone());
        requests.spawn(async move {
            let headers = [("x-cart-token", cart.as_str()), ("idempotency-key", "one")];
            test.post(CHECKOUT, &headers, &purchase("tok_visa")).await
        });
    }
    let answers = requests.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::ACCEPTED), "{answers:?}");
    assert!(answers.iter().all(|answer| answer.text == answers[0].text));
    let firsts = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count();
    assert_eq!(firsts, 1);
    test.run_jobs().await;
    assert_eq!(test.available(variant).await, 48);
    Arc::into_inner(test).unwrap().finish().await;
}

/// Asked again with its ETag, an order that is as it was costs next to nothing.
#[tokio::test(flavor = "multi_thread")]
async fn polling_with_the_etag() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct::default()).await;
    let (order, cart) = paid_later(&test, variant).await;
    let path = format!("/api/v2/orders/{order}");
    let token = ("x-cart-token", cart.as_str());
    let first = test.get(&path, &[token]).await;
    assert_eq!((first.status.as_u16(), &first.json["status"]), (200, &json!("awaiting_payment")));
    assert_eq!(first.header("retry-after"), "", "it waits for its buyer");
    let etag = first.header("etag").to_owned();
    let known = [token, ("if-none-match", etag.as_str())];
    let same = test.get(&path, &known).await;
    assert_eq!((same.status.as_u16(), same.text.as_str(), same.header("etag")), (304, "", etag.as_str()));
    stage::pay(&test, &order, &cart).await;
    let next = test.get(&path, &known).await;
    assert_eq!((next.status.as_u16(), &next.json["status"]), (200, &json!("paid")));
    assert_ne!(next.header("etag"), etag);
    let stranger = test.get(&path, &[("if-none-match", next.header("etag"))]).await;
    assert_eq!((stranger.status.as_u16(), stranger.code()), (404, "orders/order_not_found"));
    test.finish().await;
}

/// Somebody else's order is not there, whichever way one asks.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_follows_what_is_not_theirs() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct::default()).await;
    let (order, _) = started(&test, variant, "tok_visa").await;
    let other = test.basket(variant, 1).await;
    let unknown = "019a9c2e-5d10-7c6e-9a41-0f4b8a2d7c11";
    for id in [order.as_str(), unknown] {
        for path in [format!("/api/v2/orders/{id}"), format!("/api/v2/orders/{id}/events")] {
            for headers in [vec![], vec![("x-cart-token", other.as_str())], vec![("x-cart-token", "guess")]] {
                let answer = test.get(&path, &headers).await;
                assert_eq!(
                    (answer.status.as_u16(), answer.code()),
                    (404, "orders/order_not_found"),
                    "{path}"
                );
            }
        }
    }
    test.finish().await;
}

/// A stream tells from the start, goes on live on another node, and on yet another from where it was cut.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_on_another_node() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct::default()).await;
    let (order, cart) = paid_later(&test, variant).await;
    let node = Node::start(&test).await;
    let mut events = Events::at(&node.base, &order, &cart, 0).await;
    let seen = [events.next().await, events.next().await];
    assert_eq!(seen.each_ref().map(|event| event.name.as_str()), ["order.placed", "order.awaiting_payment"]);
    assert_eq!(seen.each_ref().map(|event| event.id), [1, 2]);
    assert!(seen[1].data["hold_expires_at"].is_string(), "{:?}", seen[1]);
    // Paid on this node, told by the other one, well before it would look by itself.
    let begun = tokio::time::Instant::now();
    stage::pay(&test, &order, &cart).await;
    let (started, paid) = (events.next().await, events.next().await);
    assert_eq!((started.name.as_str(), started.id), ("order.payment_started", 3));
    assert_eq!((paid.name.as_str(), paid.id, &paid.data["status"]), ("order.paid", 4, &json!("paid")));
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(events);
    for base in [test.base(), &node.base] {
        let mut rest = Events::at(base, &order, &cart, 2).await;
        assert_eq!([rest.next().await.id, rest.next().await.id], [3, 4], "nothing twice, nothing missed");
    }
    node.stop().await;
    test.finish().await;
}

/// A node whose listening connection is cut tells what it missed as soon as it listens again.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_loses_nothing() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct::default()).await;
    let (order, cart) = paid_later(&test, variant).await;
    let node = Node::start(&test).await;
    let mut events = Events::at(&node.base, &order, &cart, 2).await;
    assert_eq!(cut_listeners(&test).await, 1);
    let begun = tokio::time::Instant::now();
    stage::pay(&test, &order, &cart).await;
    assert_eq!([events.next().await.id, events.next().await.id], [3, 4]);
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    node.stop().await;
    test.finish().await;
}

/// After the last event a stream ends, and whoever comes back is told not to.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_order() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 1, ..NewProduct::default() }).await;
    let (order, cart) = paid_later(&test, variant).await;
    let events = Events::open(&test, &order, &cart, 0).await;
    let listening = tokio::spawn(events.all());
    test.clock.advance(time::Duration::minutes(16));
    test.run_jobs().await;
    let events = listening.await.unwrap();
    let last = events.last().unwrap();
    assert_eq!(
        (last.name.as_str(), &last.data["failure"]["code"]),
        ("order.expired", &json!("orders/expired"))
    );
    let path = format!("/api/v2/orders/{order}/events");
    let id = last.id.to_string();
    for (path, header) in
        [(path.clone(), ("last-event-id", id.as_str())), (format!("{path}?after={id}"), ("x-nothing", "1"))]
    {
        let over = test.get(&path, &[("x-cart-token", &cart), header]).await;
        assert_eq!((over.status.as_u16(), over.text.as_str()), (204, ""), "{path}");
    }
    let wrong = test.get(&format!("{path}?after=-1"), &[("x-cart-token", &cart)]).await;
    assert_eq!((wrong.status.as_u16(), wrong.code()), (422, "request/invalid_value"));
    test.finish().await;
}

/// A stream is sent as it is, at once, also to who takes gzip; and of one order there are so many and no more.
#[tokio::test(flavor = "multi_thread")]
async fn streams_are_plain_and_bounded() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct::default()).await;
    let (order, cart) = paid_later(&test, variant).await;
    let mut open = Vec::new();
    for _ in 0..32 {
        open.push(Events::open(&test, &order, &cart, 0).await);
    }
    let headers = &open[0].headers;
    assert_eq!(headers["content-type"], "text/event-stream");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["x-accel-buffering"], "no");
    assert!(headers.get("content-encoding").is_none(), "{headers:?}");
    let path = format!("/api/v2/orders/{order}/events");
    let refused = test.get(&path, &[("x-cart-token", &cart)]).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (429, "request/too_many_connections"));
    assert_ne!(refused.header("retry-after"), "");
    for events in &mut open {
        assert_eq!(events.next().await.id, 1);
    }
    drop(open);
    // Freed as soon as the server sees that they are gone.
    let head = async || test.send(Method::HEAD, &path, &[("x-cart-token", &cart)], None).await.status;
    for _ in 0..200 {
        if head().await == StatusCode::OK {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(head().await, StatusCode::OK);
    test.finish().await;
}

/// A stopping server ends its streams; it does not wait for their clients.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_streams() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct::default()).await;
    let (order, cart) = paid_later(&test, variant).await;
    let node = Node::start(&test).await;
    let events = Events::at(&node.base, &order, &cart, 0).await;
    node.stop().await;
    let told: Vec<Value> = events.all().await.into_iter().map(|event| event.data["kind"].clone()).collect();
    assert_eq!(told, ["placed", "awaiting_payment"]);
    test.finish().await;
}
