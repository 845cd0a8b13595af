//! Orders to follow, nodes to follow them on, and a reader of server-sent events.

use std::sync::Arc;
use std::time::Duration;

use catalog::VariantId;
use platform::Changes;
use reqwest::Response;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use testkit::{TestApp, purchase};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

pub(crate) const CHECKOUT: &str = "/api/v2/shopping_basket/checkout";
/// Longer than anything here takes, shorter than a stream looks by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);

/// Starts a purchase; gives the order and the token of its cart.
pub(crate) async fn started(test: &TestApp, variant: VariantId, card: &str) -> (String, String) {
    let cart = test.basket(variant, 1).await;
    let headers = [("x-cart-token", cart.as_str()), ("idempotency-key", "start")];
    let accepted = test.post(CHECKOUT, &headers, &purchase(card)).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    (accepted.json["order_id"].as_str().unwrap().to_owned(), cart)
}

/// An order that awaits payment.
pub(crate) async fn paid_later(test: &TestApp, variant: VariantId) -> (String, String) {
    let cart = test.basket(variant, 1).await;
    let headers = [("x-cart-token", cart.as_str()), ("idempotency-key", "start")];
    let mut body = purchase("tok_visa");
    body.as_object_mut().unwrap().remove("payment");
    let accepted = test.post(CHECKOUT, &headers, &body).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    test.app.orders.drain().await;
    (accepted.json["order_id"].as_str().unwrap().to_owned(), cart)
}

/// Pays it.
pub(crate) async fn pay(test: &TestApp, order: &str, cart: &str) {
    let headers = [("x-cart-token", cart), ("idempotency-key", "pay")];
    let path = format!("/api/v1/orders/{order}/payment");
    let paid = test.post(&path, &headers, &json!({"token": "tok_visa"})).await;
    assert_eq!(paid.status, 200, "{paid:?}");
}

/// Ends all connections on which nodes of this test listen; gives how many there were.
pub(crate) async fn cut_listeners(test: &TestApp) -> usize {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    sqlx::query(sql).execute(test.app.database.pool()).await.unwrap().rows_affected().try_into().unwrap()
}

/// Another node on the test's database, with a port of its own. Its modules share nothing with the test's in memory.
pub(crate) struct Node {
    pub(crate) base: Url,
    pub(crate) changes: Arc<Changes>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Node {
    pub(crate) async fn start(test: &TestApp) -> Self {
        let app = test.other_node().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let settings = api::Settings {
            public_url: base.clone(),
            ops_url: base.clone(),
            demo: false,
            cache_bytes: 1024,
            media: test.media().to_owned(),
            trusted_proxies: Vec::new(),
            limiter: None,
        };
        let stop = CancellationToken::new();
        let changes = Arc::clone(app.database.changes());
        let before = changes.stamp();
        let (pool, listening) = (app.database.pool().clone(), stop.clone());
        let hears = Arc::clone(&changes);
        let listens = tokio::spawn(async move { hears.listen(pool, listening).await });
        // It listens when it has forgotten what it may have missed.
        while changes.stamp() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let router = api::router(api::Api::new(app.modules(), settings).ending_with(stop.clone()));
        let ends = stop.clone().cancelled_owned();
        let pool = app.database.pool().clone();
        let serves = tokio::spawn(async move {
            api::serve(listener, router, ends).await.unwrap();
            pool.close().await;
        });
        Self { base, changes, stop, tasks: vec![listens, serves] }
    }

    /// Stops it politely, which has to be soon.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            tokio::time::timeout(PATIENCE, task).await.expect("it stops soon").unwrap();
        }
    }
}

/// A server-sent event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) data: Value,
}

/// A stream that is read.
pub(crate) struct Events {
    pub(crate) headers: HeaderMap,
    response: Response,
    buffer: String,
}

impl Events {
    pub(crate) async fn open(test: &TestApp, order: &str, cart: &str, after: i32) -> Self {
        Self::at(test.base(), order, cart, after).await
    }

    /// Opens a stream, as a browser that has seen the events up to `after`.
    pub(crate) async fn at(base: &Url, order: &str, cart: &str, after: i32) -> Self {
        let url = base.join(&format!("/api/v2/orders/{order}/events")).unwrap();
        let mut request = reqwest::Client::new().get(url).header("cookie", format!("souk_cart={cart}"));
        request = request.header("accept", "text/event-stream").header("accept-encoding", "gzip, br");
        if after > 0 {
            request = request.header("last-event-id", after);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let mut events = Self { headers: response.headers().clone(), response, buffer: String::new() };
        assert_eq!(events.block().await.as_deref(), Some("retry: 1000"));
        events
    }

    /// What stands before the next empty line; nothing at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                return Some(block);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("something comes");
            self.buffer.push_str(std::str::from_utf8(&chunk.unwrap()?).unwrap());
        }
    }

    async fn try_next(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned)
            };
            if let (Some(id), Some(name), Some(data)) = (field("id"), field("event"), field("data")) {
                let data: Value = serde_json::from_str(&data).unwrap();
                let id = id.parse().unwrap();
                assert_eq!(data["version"], id, "{data}");
                return Some(Event { id, name, data });
            }
        }
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Event {
        self.try_next().await.expect("the stream goes on")
    }

    /// All that are still to come.
    pub(crate) async fn all(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.try_next().await {
            events.push(event);
        }
        events
    }
}
