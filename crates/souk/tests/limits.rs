//! How many requests are answered, to whom they are counted, and what is left when Redis is gone.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use identity::{
    Actor, ApiKeyKind, Client, Credentials, LogIn, NewAccount, NewApiKey, Permission, SessionKind, SignIn,
};
use platform::Secret;
use platform::audit::Origin;
use platform::limits::{InProcess, Limiter, Policy, Redis, Shared};
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use testkit::{Answer, NewProduct, TestApp, address, logged};

/// What is told of the bucket that is empty first: its policy and what is left.
fn told(answer: &Answer) -> (&str, &str) {
    (answer.header("ratelimit-policy"), answer.header("ratelimit"))
}

/// An address may ask so often; then it has to wait, and is told how long.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_its_limit() {
    let test = TestApp::with_limits(Vec::new()).await;
    test.product(NewProduct::default()).await;
    let first = test.get("/nothing", &[]).await;
    assert_eq!(first.status, 404);
    assert_eq!(told(&first), ("\"general\";q=600;w=60", "\"general\";r=599;t=1"));
    for left in (0..599).rev() {
        let answer = test.get("/nothing", &[]).await;
        assert!(answer.header("ratelimit").starts_with(&format!("\"general\";r={left};")), "{answer:?}");
    }
    let refused = test.get("/nothing", &[]).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (429, "request/too_many_requests"));
    assert_eq!(told(&refused), ("\"general\";q=600;w=60", "\"general\";r=0;t=60"));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("cache-control"), "no-store");

    let read = test.get("/api/v1/products", &[]).await;
    assert_eq!(read.status, 200, "the catalogue has a bucket of its own");
    assert_eq!(told(&read), ("\"browse\";q=6000;w=60", "\"browse\";r=5999;t=1"));

    test.clock.advance(time::Duration::milliseconds(500));
    for status in [404, 404, 404, 404, 404, 429] {
        assert_eq!(test.get("/nothing", &[]).await.status, status);
    }
    test.clock.advance(time::Duration::minutes(1));
    assert_eq!(told(&test.get("/nothing", &[]).await).1, "\"general\";r=599;t=1");
    test.finish().await;
}

/// Purchases are counted apart, where stolen cards are tried; other requests go on.
#[tokio::test(flavor = "multi_thread")]
async fn purchases_are_counted_apart() {
    let test = TestApp::with_limits(Vec::new()).await;
    let teapot = test.product(NewProduct::default()).await;
    let basket = test.basket(teapot, 1).await;
    for (path, left) in [("/api/v1/orders", 29), ("/api/v1/shopping_basket/checkout", 28)] {
        let answer = test.post(path, &[("x-cart-token", &basket)], &json!({})).await;
        let rest = format!("\"checkout\";r={left};t={}", 2 * (30 - left));
        assert_eq!((answer.status.as_u16(), told(&answer)), (400, ("\"checkout\";q=30;w=60", rest.as_str())));
    }
    for _ in 0..28 {
        assert_eq!(test.post("/api/v1/orders", &[], &json!({})).await.status, 400);
    }
    let refused = test.check_out(&basket, "k", "tok_visa").await;
    assert_eq!((refused.code(), refused.header("retry-after")), ("request/too_many_requests", "2"));
    let basket_read = test.get("/api/v1/shopping_basket", &[("x-cart-token", &basket)]).await;
    assert_eq!(basket_read.status, 200);
    test.clock.advance(time::Duration::seconds(2));
    assert_eq!(test.check_out(&basket, "k", "tok_visa").await.status, 201);
    test.finish().await;
}

/// Who has bought too often may still call off what they placed, as often as they placed something, and so give its stock
/// back; it takes nothing from their purchases.
#[tokio::test(flavor = "multi_thread")]
async fn calling_an_order_off_is_no_purchase() {
    let test = TestApp::with_limits(Vec::new()).await;
    let teapot = test.product(NewProduct::default()).await;
    let mut placed = Vec::new();
    for _ in 0..3 {
        let opened = test.post("/api/v1/carts", &[], &json!({})).await;
        let (cart, token) = (opened.json["id"].clone(), opened.json["token"].as_str().unwrap().to_owned());
        let headers = [("x-cart-token", token.as_str()), ("idempotency-key", "k")];
        let items = format!("/api/v1/carts/{}/items", cart.as_str().unwrap());
        let item = json!({"variant_id": teapot, "quantity": 1});
        assert_eq!(test.post(&items, &headers[..1], &item).await.status, 200);
        let body = json!({"cart_id": cart, "email": "ada@example.com", "shipping": address()});
        let order = test.post("/api/v1/orders", &headers, &body).await;
        assert_eq!(order.status, 201, "{order:?}");
        placed.push((format!("/api/v1/orders/{}/cancel", order.json["id"].as_str().unwrap()), token));
    }
    for _ in 0..27 {
        assert_eq!(test.post("/api/v1/orders", &[], &json!({})).await.status, 400);
    }
    let refused = test.post("/api/v1/orders", &[], &json!({})).await;
    assert_eq!(refused.code(), "request/too_many_requests");
    for (path, token) in &placed {
        let cancelled = test.post(path, &[("x-cart-token", token)], &json!({})).await;
        assert_eq!((cancelled.status.as_u16(), &cancelled.json["status"]), (200, &json!("cancelled")));
        assert!(told(&cancelled).0.starts_with("\"general\";"), "{cancelled:?}");
    }
    test.run_jobs().await;
    assert_eq!(test.available(teapot).await, 10);
    test.clock.advance(time::Duration::seconds(2));
    assert_eq!(test.post("/api/v1/orders", &[], &json!({})).await.status, 400, "one purchase, no more");
    assert_eq!(test.post("/api/v1/orders", &[], &json!({})).await.status, 429);
    test.finish().await;
}

/// A proxy that is trusted tells who the client is; nobody else does, and no client tells it for itself.
#[tokio::test(flavor = "multi_thread")]
async fn only_trusted_proxies_tell_the_address() {
    let left = async |test: &TestApp, header: &str, value: &str| {
        let answer = test.get("/nothing", &[(header, value)]).await;
        let rest = answer.header("ratelimit").split(';').nth(1).unwrap().to_owned();
        rest.strip_prefix("r=").unwrap().parse::<u32>().unwrap()
    };
    let test =
        TestApp::with_limits(vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]).await;
    let header = "x-forwarded-for";
    assert_eq!(left(&test, header, "203.0.113.7").await, 599);
    assert_eq!(left(&test, header, "203.0.113.8").await, 599, "another client");
    assert_eq!(
        left(&test, header, "198.51.100.1, 203.0.113.7").await,
        598,
        "what it says of itself is no matter"
    );
    assert_eq!(left(&test, header, "198.51.100.2, 203.0.113.7, 10.0.0.3").await, 597, "two proxies");
    assert_eq!(left(&test, "forwarded", "for=198.51.100.3, for=203.0.113.7").await, 596);
    assert_eq!(left(&test, header, "2001:db8:1:2::3").await, 599);
    assert_eq!(left(&test, header, "2001:db8:1:2::4").await, 598, "a network of IPv6 is one client");
    test.finish().await;

    let test = TestApp::with_limits(Vec::new()).await;
    assert_eq!(left(&test, header, "203.0.113.7").await, 599);
    assert_eq!(left(&test, header, "203.0.113.8").await, 598, "nobody is believed");
    test.finish().await;
}

/// Who has signed in, and a program with its key, is counted by that, from wherever they ask.
#[tokio::test(flavor = "multi_thread")]
async fn people_and_programs_have_their_own_limits() {
    let test = TestApp::with_limits(vec!["127.0.0.1/32".parse().unwrap()]).await;
    let (email, password) = ("ada@example.com".parse().unwrap(), Secret::presented("correct horse battery"));
    let account = NewAccount { email, password, name: "Ada".to_owned(), locale: None };
    test.app.identity.accounts.create(&Actor::system(), &account).await.unwrap();
    let client = Client { kind: SessionKind::Tokens, device: None, origin: Origin::default() };
    let login = LogIn { email: account.email, password: account.password };
    let SignIn::Done(signed_in) = test.app.identity.sessions.log_in(&client, &login).await.unwrap() else {
        panic!("there is no second factor");
    };
    let Credentials::Tokens(tokens) = signed_in.credentials else { panic!("an app gets tokens") };
    let key = |kind, scopes| {
        let new = NewApiKey { kind, name: "Sync".to_owned(), store: None, scopes, expires_at: None };
        let keys = Arc::clone(&test.app.identity.api_keys);
        async move { keys.create(&Actor::system(), &new).await.unwrap().1 }
    };
    let secret = key(ApiKeyKind::Secret, vec![Permission::CategoriesWrite]).await;
    let publishable = key(ApiKeyKind::Publishable, Vec::new()).await;
    let ask = async |credential: &str, from: &str| {
        let bearer = format!("Bearer {credential}");
        let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", from)];
        test.get("/api/v1/shopping_basket", &headers).await
    };
    for (credential, status, bucket) in [
        (tokens.access_token.expose(), 200, "\"user\";q=1200;w=60"),
        (secret.expose(), 200, "\"api_key\";q=6000;w=60"),
        (publishable.expose(), 200, "\"general\";q=600;w=60"),
        ("sk_nothing-of-the-kind", 401, "\"general\";q=600;w=60"),
    ] {
        let answer = ask(credential, "203.0.113.7").await;
        assert_eq!((answer.status.as_u16(), told(&answer).0), (status, bucket));
    }
    for (credential, left) in
        [(tokens.access_token.expose(), "\"user\";r=1198;"), (secret.expose(), "\"api_key\";r=5998;")]
    {
        let answer = ask(credential, "203.0.113.8").await;
        assert!(told(&answer).1.starts_with(left), "from another address: {}", told(&answer).1);
    }
    let guess = ask("sk_nothing-of-the-kind", "203.0.113.7").await;
    assert!(told(&guess).1.starts_with("\"general\";r=597;"), "guesses count for the address: {guess:?}");
    test.finish().await;
}

/// A Redis of the test's own, on a socket in a folder of its own.
struct RedisServer {
    folder: TempDir,
    process: Child,
}

impl RedisServer {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Self::run(&folder);
        Self { folder, process }
    }

    fn run(folder: &TempDir) -> Child {
        let process = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", "redis.sock", "--save", "", "--appendonly", "no"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect(
                "redis-server is not here: script/bootstrap installs it, or apt-get install redis-server",
            );
        let patience = Instant::now() + Duration::from_secs(30);
        while Self::ask(folder, &["PING"]).trim() != "PONG" {
            assert!(Instant::now() < patience, "redis-server did not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        process
    }

    fn ask(folder: &TempDir, command: &[&str]) -> String {
        let socket = folder.path().join("redis.sock");
        let output = Command::new("redis-cli").arg("-s").arg(socket).args(command).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.process = Self::run(&self.folder);
    }

    /// Waits longer than a real node would: the machine may be busy with other tests.
    async fn limiter(&self) -> Redis {
        let address = format!("unix://{}", self.folder.path().join("redis.sock").display());
        Redis::with_patience(&address, [7; 32], Duration::from_secs(10)).await.unwrap()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A node that counts in this Redis.
async fn node(redis: Redis) -> TestApp {
    TestApp::changed(|sources, api| {
        let local = Arc::new(InProcess::new(sources.clone()));
        api.limiter = Some(Arc::new(Shared::new(redis, local)));
    })
    .await
}

/// Redis' buckets are like those in process: the whole quota at once, then evenly; nothing stays for ever.
#[tokio::test(flavor = "multi_thread")]
async fn redis_counts_the_same_way() {
    let server = RedisServer::start();
    let redis = server.limiter().await;
    let policy = Policy { name: "three", quota: 3, window: Duration::from_secs(300) };
    for left in [2, 1, 0] {
        let decision = redis.take(&policy, "ip:203.0.113.7", 1).await.unwrap();
        assert_eq!((decision.allowed, decision.limit, decision.remaining), (true, 3, left));
    }
    let refused = redis.take(&policy, "ip:203.0.113.7", 1).await.unwrap();
    assert_eq!((refused.allowed, refused.remaining), (false, 0));
    assert!(refused.retry_after <= Duration::from_secs(100), "{refused:?}");
    assert!(refused.reset_after <= Duration::from_secs(300), "{refused:?}");
    assert!(
        redis.take(&policy, "ip:203.0.113.8", 1).await.unwrap().allowed,
        "each key has a bucket of its own"
    );
    assert!(!redis.take(&policy, "ip:203.0.113.9", 4).await.unwrap().allowed, "more than there ever is");
    let keys = RedisServer::ask(&server.folder, &["KEYS", "*"]);
    assert_eq!(keys.lines().count(), 2, "{keys}");
    for key in keys.lines() {
        assert!(key.starts_with("souk:limits:three:") && !key.contains("203.0.113"), "{key}");
        let life: i64 = RedisServer::ask(&server.folder, &["PTTL", key]).trim().parse().unwrap();
        assert!((1..=300_000).contains(&life), "{key} lives {life} ms");
    }
    let quick = Policy { name: "quick", quota: 1, window: Duration::from_millis(500) };
    assert!(redis.take(&quick, "ip:203.0.113.7", 1).await.unwrap().allowed);
    let again = redis.take(&quick, "ip:203.0.113.7", 1).await.unwrap();
    tokio::time::sleep(again.retry_after.max(again.reset_after)).await;
    assert!(redis.take(&quick, "ip:203.0.113.7", 1).await.unwrap().allowed, "it fills up");
}

/// Two nodes on one Redis count together. Without it each counts for itself, and when it is there again they find it.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_share_their_buckets() {
    let mut server = RedisServer::start();
    let (redis, other_redis) = (server.limiter().await, server.limiter().await);
    let nodes = [node(redis.clone()).await, node(other_redis.clone()).await];
    let buy = async |node: usize| nodes[node].post("/api/v1/orders", &[], &json!({})).await;
    let begun = Instant::now();
    for turn in 0..30_usize {
        let answer = buy(turn % 2).await;
        assert_eq!(answer.status, 400);
        let left = format!("\"checkout\";r={};", 29 - turn);
        // One unit comes back each 2 s.
        let is_slow = begun.elapsed() > Duration::from_millis(1_900);
        assert!(told(&answer).1.starts_with(&left) || is_slow, "{turn}: {:?}", told(&answer));
    }
    if begun.elapsed() < Duration::from_millis(1_900) {
        assert_eq!((buy(0).await.status.as_u16(), buy(1).await.status.as_u16()), (429, 429));
    }

    server.kill();
    for (node, left) in [(0, 29), (0, 28), (1, 29), (1, 28)] {
        let answer = buy(node).await;
        assert_eq!(answer.status, 400, "each node goes on with its own limits");
        assert!(told(&answer).1.starts_with(&format!("\"checkout\";r={left};")), "{:?}", told(&answer));
    }
    for _ in 0..28 {
        buy(0).await;
    }
    assert_eq!(buy(0).await.status, 429, "and nobody is let in without limit");
    assert_eq!(logged().matches("Redis does not answer").count(), 2, "each node says so once");

    server.start_again();
    let patience = Instant::now() + Duration::from_secs(30);
    while !(redis.is_connected() && other_redis.is_connected()) {
        assert!(Instant::now() < patience, "the nodes did not find Redis again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let begun = Instant::now();
    for (node, left) in [(0, 29), (1, 28)] {
        let answer = buy(node).await;
        let is_slow = begun.elapsed() > Duration::from_millis(1_900);
        let shared = told(&answer).1.starts_with(&format!("\"checkout\";r={left};"));
        assert!(shared || is_slow, "{:?}", told(&answer));
    }
    for node in nodes {
        node.finish().await;
    }
}

/// That the check at the end of every test finds what was logged.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_the_log_is_found() {
    let test = TestApp::start().await;
    let planted = "planted-in-the-log-1b9f";
    let body = json!({"account": {"new_password": planted}});
    test.post("/nothing", &[("authorization", "Bearer planted-and-not-logged")], &body).await;
    assert_eq!(test.secrets.shown_in(&logged()), []);
    tracing::info!(note = format!("<{planted}>"), "a line that should not be");
    let failed = tokio::spawn(test.finish()).await.unwrap_err();
    let words = failed.into_panic().downcast::<String>().unwrap();
    assert!(words.contains("new_password") && words.contains("a line that should not be"), "{words}");
    assert!(!words.contains("planted-and-not-logged"), "{words}");
}

/// The pages' forms cost what the API's requests cost, and a credential that nobody knows raises no limit.
#[tokio::test(flavor = "multi_thread")]
async fn forms_and_made_up_credentials_are_limited() {
    let test = TestApp::with_limits(Vec::new()).await;
    let junk = ("authorization", "Bearer made-up");
    let form = [junk, ("content-type", "application/x-www-form-urlencoded")];
    let forgot =
        || test.send_raw(Method::POST, "/account/forgot", &form, Some(b"email=a@example.com".to_vec()));
    for _ in 0..30 {
        assert_eq!(forgot().await.status, 200);
    }
    assert_eq!(forgot().await.code(), "request/too_many_requests");
    // Nobody looks at the credential here.
    let mut refused = 0;
    for _ in 0..620 {
        let answer = test.get("/.well-known/jwks.json", &[junk]).await;
        refused += u32::from(answer.status == 429);
    }
    assert!((1..=20).contains(&refused), "{refused}");
    test.finish().await;
}
