//! The program itself streams.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::purchase;

use crate::program::{Server, data_folder};
use crate::stage::{CHECKOUT, Events};

/// A real process streams at once, also to who takes gzip, and a stop ends a stream instead of waiting for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_streams_and_stops() {
    let data = data_folder();
    let server = Server::start(data.path()).await;
    let (teapot, _) = server.teapot().await;
    let body = json!({"variant_id": teapot, "quantity": 1});
    let (_, cart, _) = server.post("/api/v1/shopping_basket/products", "", "", &body).await.unwrap();
    let (status, _, accepted) = server.post(CHECKOUT, &cart, "k", &purchase("tok_visa")).await.unwrap();
    assert_eq!(status, 202, "{accepted}");
    let order = accepted["order_id"].as_str().unwrap();
    let base = server.base.parse().unwrap();
    let mut events = Events::at(&base, order, &cart, 0).await;
    assert!(events.headers.get("content-encoding").is_none(), "{:?}", events.headers);
    let kinds: [Value; 2] =
        [events.next().await.data["kind"].clone(), events.next().await.data["kind"].clone()];
    assert_eq!(kinds, ["placed", "paid"]);
    let begun = Instant::now();
    let stopping = tokio::task::spawn_blocking(move || server.stop());
    assert_eq!(events.all().await.len(), 0, "it ends, and as a whole answer");
    assert!(stopping.await.unwrap(), "a polite stop is a success");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
