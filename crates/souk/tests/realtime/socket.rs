//! Following orders over a WebSocket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use testkit::{NewProduct, TestApp};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use url::Url;

use crate::stage::{self, Node, PATIENCE, paid_later, started};

/// A client.
struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(base: &Url, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let url = format!("ws://{}/api/v2/realtime", base.authority());
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message that is one, as JSON; or the code with which the server closed.
    async fn hear(&mut self) -> Result<Value, u16> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("something comes");
            match message.expect("closed without a word").unwrap() {
                Message::Text(text) => return Ok(serde_json::from_str(text.as_str()).unwrap()),
                Message::Close(frame) => return Err(frame.unwrap().code.into()),
                _ => {}
            }
        }
    }

    /// The next message without what differs from run to run.
    async fn told(&mut self) -> (String, String, i64) {
        let message = self.hear().await.unwrap();
        let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        let what = if text("type") == "error" { text("code") } else { text("kind") };
        (text("type"), what, message["version"].as_i64().unwrap_or_default())
    }
}

fn of(kind: &str, what: &str, version: i64) -> (String, String, i64) {
    (kind.to_owned(), what.to_owned(), version)
}

/// Over one socket on another node: from the start, live, and from where another one was cut.
#[tokio::test(flavor = "multi_thread")]
async fn orders_are_followed_over_a_socket() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct::default()).await;
    let (order, cart) = paid_later(&test, variant).await;
    let (done, done_cart) = started(&test, variant, "tok_chargeDeclined").await;
    test.app.orders.drain().await;
    let node = Node::start(&test).await;
    let cookie = format!("souk_cart={cart}");
    let origin = node.base.origin().ascii_serialization();
    let mut socket = Socket::open(&node.base, &[("cookie", &cookie), ("origin", &origin)]).await.unwrap();
    socket.say(&json!({"type": "ping"})).await;
    assert_eq!(socket.hear().await, Ok(json!({"type": "pong"})));

    socket.say(&json!({"type": "subscribe", "order_id": order})).await;
    assert_eq!(socket.hear().await, Ok(json!({"type": "subscribed", "order_id": order})));
    assert_eq!(socket.told().await, of("event", "placed", 1));
    assert_eq!(socket.told().await, of("event", "awaiting_payment", 2));
    // Another order of another cart, which has come to its end.
    socket.say(&json!({"type": "subscribe", "order_id": done, "after": 1})).await;
    assert_eq!(socket.told().await, of("error", "orders/order_not_found", 0));
    let with_token = json!({"type": "subscribe", "order_id": done, "after": 1, "cart_token": done_cart});
    socket.say(&with_token).await;
    assert_eq!(socket.told().await, of("subscribed", "", 0));
    let event = socket.hear().await.unwrap();
    assert_eq!((&event["order_id"], &event["kind"]), (&json!(done), &json!("rejected")));
    assert_eq!(event["failure"]["code"], "payments/card_declined");
    assert_eq!(socket.hear().await, Ok(json!({"type": "unsubscribed", "order_id": done})));

    stage::pay(&test, &order, &cart).await;
    assert_eq!(socket.told().await, of("event", "payment_started", 3));
    assert_eq!(socket.told().await, of("event", "paid", 4));
    socket.say(&json!({"type": "unsubscribe", "order_id": order})).await;
    assert_eq!(socket.told().await, of("unsubscribed", "", 0));

    let mut other = Socket::open(test.base(), &[]).await.unwrap();
    let resumed = json!({"type": "subscribe", "order_id": order, "after": 2, "cart_token": cart});
    other.say(&resumed).await;
    assert_eq!(other.told().await, of("subscribed", "", 0));
    assert_eq!([other.told().await.2, other.told().await.2], [3, 4]);
    node.stop().await;
    assert_eq!(socket.hear().await, Err(1001), "the server stops");
    test.finish().await;
}

/// Pages of other sites do not get a socket with a browser's cookies; those of ours and programs do.
#[tokio::test(flavor = "multi_thread")]
async fn other_sites_get_no_socket() {
    let test = TestApp::start().await;
    let ours = test.base().origin().ascii_serialization();
    let (cart, login) = ("souk_cart=guess", "souk_session=guess");
    for (headers, status) in [
        (vec![("cookie", cart), ("origin", "https://elsewhere.example")], Some(403)),
        (vec![("cookie", login), ("origin", "https://elsewhere.example")], Some(403)),
        (vec![("cookie", login), ("origin", "null")], Some(403)),
        (vec![("cookie", login)], Some(403)),
        (vec![("cookie", cart), ("sec-fetch-site", "cross-site")], Some(403)),
        (vec![("authorization", "Bearer guess")], Some(401)),
        (vec![("cookie", login), ("origin", ours.as_str())], None),
        (vec![("cookie", cart)], None),
        (vec![("origin", "https://elsewhere.example")], None),
        (vec![], None),
    ] {
        assert_eq!(Socket::open(test.base(), &headers).await.err(), status, "{headers:?}");
    }
    let plain = test.get("/api/v2/realtime", &[]).await;
    assert_eq!((plain.status.as_u16(), plain.code()), (400, "request/not_a_websocket"));
    test.finish().await;
}

/// What is said wrong is answered with a code; who says too much, or too large a thing, is left.
#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_bounded() {
    let test = TestApp::start().await;
    let mut socket = Socket::open(test.base(), &[]).await.unwrap();
    for (text, code) in [("{", "request/malformed_json"), ("{\"type\":\"shout\"}", "request/invalid_value")] {
        socket.0.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.told().await, of("error", code, 0));
    }
    socket.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(socket.hear().await, Err(1003));
    let mut socket = Socket::open(test.base(), &[]).await.unwrap();
    socket.0.send(Message::text("x".repeat(5_000))).await.unwrap();
    assert_eq!(socket.hear().await, Err(1009));
    let mut socket = Socket::open(test.base(), &[]).await.unwrap();
    for _ in 0..201 {
        // It may close before all are sent.
        let _ = socket.0.feed(Message::text("{\"type\":\"ping\"}")).await;
    }
    let _ = socket.0.flush().await;
    let closed = loop {
        if let Err(code) = socket.hear().await {
            break code;
        }
    };
    assert_eq!(closed, 1008);
    test.finish().await;
}

/// A socket follows a hundred orders and no more, and is told once of each thing that happens to them.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_orders_over_one_socket() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 200, ..NewProduct::default() }).await;
    let mut socket = Socket::open(test.base(), &[]).await.unwrap();
    let mut orders = Vec::new();
    for _ in 0..101 {
        orders.push(paid_later(&test, variant).await);
    }
    for (order, cart) in &orders[..100] {
        socket.say(&json!({"type": "subscribe", "order_id": order, "after": 2, "cart_token": cart})).await;
        assert_eq!(socket.told().await, of("subscribed", "", 0));
    }
    let (order, cart) = &orders[100];
    socket.say(&json!({"type": "subscribe", "order_id": order, "after": 2, "cart_token": cart})).await;
    assert_eq!(socket.told().await, of("error", "request/too_many_connections", 0));
    for (order, cart) in &orders[..100] {
        stage::pay(&test, order, cart).await;
    }
    let mut told = 0;
    while told < 200 {
        assert_eq!(socket.told().await.0, "event");
        told += 1;
    }
    let more = tokio::time::timeout(Duration::from_millis(100), socket.0.next()).await;
    assert!(more.is_err(), "nothing is told twice: {more:?}");
    test.finish().await;
}
