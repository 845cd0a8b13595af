//! The door for payment providers, and what operators see behind it.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::sync::{Arc, Mutex};

use api::{Api, Modules};
use async_trait::async_trait;
use identity::{Actor, PlatformRole, StoreRole};
use payments::{Error, Inbox, Received, WebhookEvent, WebhookFilter};
use platform::limits::InProcess;
use platform::{Currency, CursorRequest, Slice, Violation};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Answer, TestApp, logged};
use time::{Duration, OffsetDateTime};
use tokio::net::TcpListener;

/// What the door hands in: the provider's name, the headers and the body.
type HandedIn = (String, Vec<(String, String)>, Vec<u8>);

/// An inbox that keeps what the door hands in, and judges it by its body.
#[derive(Default)]
struct Kept(Mutex<Vec<HandedIn>>);

#[async_trait]
impl Inbox for Kept {
    async fn receive(
        &self,
        provider: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Received, Error> {
        self.0.lock().unwrap().push((provider.to_owned(), headers.to_vec(), body.to_vec()));
        match body {
            b"forged" => Err(Error::BadSignature),
            b"odd" => Err(Error::BadNotice),
            b"no database" => Err(Error::Database(sqlx::Error::PoolTimedOut)),
            b"again" => Ok(Received::Repeated),
            _ => Ok(Received::New),
        }
    }
    async fn process_due(&self) -> Result<u64, Error> {
        Ok(0)
    }
    async fn news(&self) {
        std::future::pending::<()>().await;
    }
    async fn archive(&self) -> Result<u64, Error> {
        Ok(0)
    }
    async fn events(
        &self,
        _: &Actor,
        _: &WebhookFilter,
        _: &CursorRequest,
    ) -> Result<Slice<WebhookEvent>, Error> {
        Err(Error::WebhookNotFound)
    }
    async fn replay(&self, _: &Actor, _: &str, _: &str) -> Result<WebhookEvent, Error> {
        Err(Error::WebhookNotFound)
    }
    async fn replay_failed(&self, _: &Actor, _: OffsetDateTime) -> Result<u64, Error> {
        Ok(0)
    }
    async fn verify(&self) -> Result<Vec<Violation>, Error> {
        Ok(Vec::new())
    }
}

/// The API in front of an inbox that only keeps what it is given.
struct Door {
    test: TestApp,
    kept: Arc<Kept>,
    address: String,
    client: reqwest::Client,
}

impl Door {
    async fn open() -> Self {
        let mut settings = None;
        let test = TestApp::changed(|sources, api| {
            api.limiter = Some(Arc::new(InProcess::new(sources.clone())));
            settings = Some(api.clone());
        })
        .await;
        let kept = Arc::new(Kept::default());
        let modules = Modules { inbox: Arc::clone(&kept) as _, ..test.app.modules() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/api/v1/payments/webhook/", listener.local_addr().unwrap());
        let router = api::router(Api::new(modules, settings.unwrap()));
        tokio::spawn(api::serve(listener, router, std::future::pending()));
        Self { test, kept, address, client: reqwest::Client::new() }
    }

    async fn post(&self, provider: &str, body: &[u8]) -> Answer {
        let request = self.client.post(format!("{}{provider}", self.address));
        let request = request
            .header("Stripe-Signature", "t=1,v1=planted-signature")
            .header("Content-Type", "text/odd; charset=x")
            .header("Cookie", "souk_session=planted-of-somebody")
            .header("Authorization", "Bearer planted-of-the-provider")
            .body(body.to_vec());
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status, headers, text, json }
    }
}

/// The body is handed on byte by byte, whatever it is said to be; nothing of it is logged.
#[tokio::test(flavor = "multi_thread")]
async fn the_raw_body_reaches_the_inbox() {
    let door = Door::open().await;
    let odd = b"\r\n {\"a\" : 1.0,\t\"name\":\"planted-body\"} \xff\0".as_slice();
    for body in [odd, b"", b"again", &vec![b'x'; 256 * 1024]] {
        let answer = door.post("stripe", body).await;
        assert_eq!((answer.status, &answer.json), (StatusCode::OK, &json!({"received": true})), "{answer:?}");
        assert_eq!(answer.header("cache-control"), "private, no-store");
        let (provider, headers, kept) = door.kept.0.lock().unwrap().pop().unwrap();
        assert_eq!((provider.as_str(), kept.as_slice()), ("stripe", body));
        let signature = ("stripe-signature".to_owned(), "t=1,v1=planted-signature".to_owned());
        assert!(headers.contains(&signature), "{headers:?}");
    }
    let too_large = door.post("stripe", &vec![b'x'; 256 * 1024 + 1]).await;
    assert_eq!((too_large.status.as_u16(), too_large.code()), (413, "request/body_too_large"));
    assert_eq!(door.kept.0.lock().unwrap().len(), 0, "it is not even looked at");
    assert!(!logged().contains("planted-body") && !logged().contains("planted-signature"));
    door.test.finish().await;
}

/// A provider is told whether to send an event again, and why.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_told_what_is_wrong() {
    let door = Door::open().await;
    for (body, status, code) in [
        (b"forged".as_slice(), 401, "payments/bad_signature"),
        (b"odd", 422, "payments/bad_notice"),
        (b"no database", 503, "database/unavailable"),
    ] {
        let answer = door.post("stripe", body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code));
        assert_eq!(answer.header("retry-after"), if status == 503 { "1" } else { "" });
    }
    let unknown = door.test.post("/api/v1/payments/webhook/nobody", &[], &json!({})).await;
    assert_eq!((unknown.status.as_u16(), unknown.code()), (404, "payments/unknown_provider"));
    door.test.finish().await;
}

/// Who signs is not counted like a stranger; who forges is, and does not get in the way of who signs.
#[tokio::test(flavor = "multi_thread")]
async fn forgeries_are_limited_in_number() {
    let door = Door::open().await;
    for _ in 0..700 {
        let answer = door.post("stripe", b"signed").await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    for _ in 0..60 {
        assert_eq!(door.post("stripe", b"forged").await.status, 401);
    }
    let refused = door.post("stripe", b"forged").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (429, "request/too_many_requests"));
    assert!(refused.header("ratelimit-policy").starts_with("\"unsigned\""), "{refused:?}");
    assert_eq!(door.post("stripe", b"signed").await.status, 200);
    door.test.clock.advance(Duration::seconds(1));
    assert_eq!(door.post("stripe", b"forged").await.status, 401);
    door.test.finish().await;
}

async fn store_event(test: &TestApp, name: &str, state: &str, subject: &str) {
    test.clock.advance(Duration::seconds(1));
    let processed = (state == "processed").then(|| test.app.sources.now());
    sqlx::query(
        "INSERT INTO payments.webhook_events (provider, event_id, id, kind, subject, occurred_at, received_at, opened_at,
             body, deliveries, state, attempts, processed_at, last_error)
         VALUES ('past', $1, gen_random_uuid(), 'paid', $2, $3, $3, $3, 'planted-body', 5, $4, 1, $5, 'why')",
    )
    .bind(name)
    .bind(subject)
    .bind(test.app.sources.now())
    .bind(state)
    .bind(processed)
    .execute(test.app.database.pool())
    .await
    .unwrap();
}

/// Operators see what came of events, never what they said, and have one applied once more, which is written down.
#[tokio::test(flavor = "multi_thread")]
async fn operators_look_and_replay() {
    let test = TestApp::start().await;
    let operator = test.trusted("operator", PlatformRole::Operator).await;
    let store = test.store("shop", Currency::GBP).await;
    let owner = test.member("owner", store, StoreRole::Owner).await;
    store_event(&test, "evt_1", "processed", "pi_1").await;
    store_event(&test, "evt_2/a b", "failed", "pi_1").await;
    store_event(&test, "evt_3", "processed", "pi_2").await;
    let path = "/api/v1/payments/webhook_events";
    let list = async |query: &str| test.get(&format!("{path}{query}"), &[operator.header()]).await;
    for (query, names) in [
        ("", vec!["evt_3", "evt_2/a b", "evt_1"]),
        ("?first=2", vec!["evt_3", "evt_2/a b"]),
        ("?subject=pi_1", vec!["evt_2/a b", "evt_1"]),
        ("?state=failed&provider=past", vec!["evt_2/a b"]),
        ("?provider=nobody", vec![]),
    ] {
        let answer = list(query).await;
        let found: Vec<_> =
            answer.json["data"].as_array().unwrap().iter().map(|one| &one["event_id"]).collect();
        assert_eq!(found, names, "{query} {answer:?}");
        assert!(!answer.text.contains("planted-body"));
    }
    let first = list("?first=2").await;
    let after = first.json["page_info"]["end_cursor"].as_str().unwrap();
    let rest = list(&format!("?after={after}")).await;
    assert_eq!(rest.json["data"][0]["event_id"], "evt_1");
    assert_eq!(rest.json["page_info"]["has_next_page"], false);
    for query in ["?state=lost", "?first=0", "?after=x", "?surprise=1"] {
        assert_eq!(list(query).await.status, 422, "{query}");
    }
    let failed = &list("?state=failed").await.json["data"][0];
    assert_eq!((&failed["deliveries"], &failed["last_error"]), (&json!(5), &json!("why")));
    assert_eq!(test.violations().await[0].invariant, "payments/webhooks_processed");

    let replay = format!("{path}/past/evt_2%2Fa%20b/replay");
    assert_eq!(test.send(Method::POST, &replay, &[owner.header()], None).await.status, 403);
    assert_eq!(test.send(Method::POST, &replay, &[], None).await.status, 401);
    let replayed = test.send(Method::POST, &replay, &[operator.header()], None).await;
    assert_eq!(
        (replayed.status.as_u16(), &replayed.json["state"]),
        (200, &json!("received")),
        "{replayed:?}"
    );
    assert_eq!((&replayed.json["attempts"], &replayed.json["last_error"]), (&json!(0), &Value::Null));
    let unknown =
        test.send(Method::POST, &format!("{path}/past/evt_9/replay"), &[operator.header()], None).await;
    assert_eq!((unknown.status.as_u16(), unknown.code()), (404, "payments/webhook_not_found"));
    let log = test.get("/api/v1/audit_log?action=webhook.", &[operator.header()]).await;
    let entry = &log.json["data"][0];
    assert_eq!((&entry["actor_id"], &entry["target_id"]), (&json!(operator.id), &replayed.json["id"]));
    assert_eq!(entry["facts"], json!({"provider": "past", "event_id": "evt_2/a b"}));
    test.finish().await;
}
