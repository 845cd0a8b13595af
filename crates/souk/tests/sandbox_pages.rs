//! The sandbox provider's own pages: every test number does what it is for, and no number is kept, logged or shown.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::sync::Arc;

use api::Api;
use identity::Actor;
use payments::sandbox::{Sandbox, Trial, test_cards};
use platform::Money;
use reqwest::Method;
use testkit::{Answer, TestApp};
use time::Duration;

const BACK: &str = "https://shop.example/orders/1001?paid=1";
const BASKET: &str = "https://shop.example/basket";
const VISA: &str = "4242 4242 4242 4242";

fn sandbox(test: &TestApp) -> &Arc<dyn Sandbox> {
    test.app.sandbox.as_ref().unwrap()
}

/// Opens a page for a try; gives its path and its secret.
async fn open_for(test: &TestApp, amount: i64, currency: &str) -> (String, String) {
    let trial = Trial {
        description: "Order 1001".to_owned(),
        amount: Money::new(amount, currency.parse().unwrap()),
        return_url: BACK.to_owned(),
        cancel_url: BASKET.to_owned(),
    };
    let url = sandbox(test).open(&Actor::system(), &trial).await.unwrap();
    let url: url::Url = url.parse().unwrap();
    let session = url.query_pairs().find(|(name, _)| name == "session").unwrap().1.into_owned();
    test.secrets.note("session", &session);
    (format!("{}?{}", url.path(), url.query().unwrap()), session)
}

async fn open(test: &TestApp) -> (String, String) {
    open_for(test, 1999, "GBP").await
}

/// Sends a form, as a browser does.
async fn send(test: &TestApp, path: &str, fields: &[(&str, &str)]) -> Answer {
    for (_, value) in fields.iter().filter(|(name, _)| *name == "number") {
        test.secrets.note("number", value);
        test.secrets.note("number", &value.replace(' ', ""));
    }
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", test.base().as_str().trim_end_matches('/')),
    ];
    test.send_raw(Method::POST, path, &headers, Some(body.into_bytes())).await
}

async fn pay(test: &TestApp, path: &str, number: &str) -> Answer {
    let cvc = if number.starts_with('3') && number.replace(' ', "").len() == 15 { "1234" } else { "123" };
    send(test, path, &[("number", number), ("expiry", "12 / 34"), ("cvc", cvc), ("action", "pay")]).await
}

fn is_page(answer: &Answer) {
    assert!(answer.header("content-type").starts_with("text/html"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("script-src"), "{policy}");
    assert!(policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!answer.text.contains("<script") && !answer.text.contains("style="));
    assert!(answer.text.contains("Sandbox: no money moves"));
}

fn goes_to(answer: &Answer, place: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, place), "{}", answer.text);
}

/// The page as a browser reads it.
fn text(answer: &Answer) -> String {
    answer.text.replace("&#x2f;", "/")
}

async fn state(test: &TestApp, session: &str) -> String {
    let sql = "SELECT p.state FROM payments.sandbox_payments p WHERE session = $1";
    sqlx::query_scalar(sql).bind(session).fetch_one(test.app.database.pool()).await.unwrap()
}

/// Notices that wait to be sent.
async fn told(test: &TestApp) -> Vec<String> {
    sqlx::query_scalar("SELECT kind FROM payments.sandbox_events ORDER BY seq")
        .fetch_all(test.app.database.pool())
        .await
        .unwrap()
}

/// Whether digits stand anywhere in the tables of payments.
async fn is_kept(test: &TestApp, digits: &str) -> bool {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'payments' AND table_type = 'BASE TABLE'",
    )
    .fetch_all(test.app.database.pool())
    .await
    .unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    for table in tables {
        let sql = format!("SELECT count(*) FROM payments.{table} t WHERE t::text LIKE '%' || $1 || '%'");
        let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(digits)
            .fetch_one(test.app.database.pool())
            .await
            .unwrap();
        if found > 0 {
            return true;
        }
    }
    false
}

/// Each of the numbers that the page tells of does what the page says, and is nowhere afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn every_test_number_does_what_the_page_says() {
    let test = TestApp::start().await;
    let mut seen = 0;
    for card in test_cards() {
        let (path, session) = open(&test).await;
        let page = test.get(&path, &[]).await;
        is_page(&page);
        assert!(
            page.status == 200 && page.text.contains("Order 1001") && page.text.contains("Pay 19.99 GBP")
        );
        let answer = pay(&test, &path, card.number).await;
        let declined = |word: &str| {
            is_page(&answer);
            assert_eq!(answer.status, 422, "{card:?}");
            assert!(answer.text.contains(word) && answer.text.contains("aria-invalid"), "{}", answer.text);
            assert!(!answer.text.contains("value=\"4"), "what was written is not shown again");
            "requires_action"
        };
        let expected = match card.about {
            "declined" => declined("The card was declined."),
            "insufficient funds" => declined("insufficient funds"),
            "expired card" => declined("The card has expired."),
            "wrong security code" => declined("The security code is wrong."),
            "processing error" => declined("could not be processed"),
            "takes a while, then succeeds" => {
                goes_to(&answer, BACK);
                "processing"
            }
            about if about.contains("challenge") => {
                is_page(&answer);
                assert!(answer.text.contains("Confirm that it is you") && answer.text.contains("19.99 GBP"));
                "requires_action"
            }
            _ => {
                goes_to(&answer, BACK);
                "succeeded"
            }
        };
        assert_eq!(state(&test, &session).await, expected, "{card:?}");
        assert!(!is_kept(&test, card.number).await, "{card:?}");
        seen += 1;
    }
    assert!(seen >= 12, "{seen} cases are fewer than there were");
    for brand in ["3782 822463 10005", "5555 5555 5555 4444", "4000002500003155"] {
        let (path, _) = open(&test).await;
        assert!(pay(&test, &path, brand).await.status != 422, "{brand}");
    }
    test.finish().await;
}

/// Whoever was declined pays with another card on the same page; Souk hears of the payment alone.
#[tokio::test(flavor = "multi_thread")]
async fn another_card_may_be_tried() {
    let test = TestApp::start().await;
    let (path, session) = open(&test).await;
    for number in ["4000000000000002", "4000000000009995", "4000000000000127"] {
        assert_eq!(pay(&test, &path, number).await.status, 422);
    }
    assert_eq!(told(&test).await, [] as [&str; 0]);
    goes_to(&pay(&test, &path, VISA).await, BACK);
    goes_to(&pay(&test, &path, "5555555555554444").await, BACK);
    goes_to(&test.get(&path, &[]).await, BACK);
    goes_to(&send(&test, &path, &[("action", "cancel")]).await, BACK);
    assert_eq!(state(&test, &session).await, "succeeded");
    assert_eq!(told(&test).await, ["payment.succeeded"], "paid once");
    test.finish().await;
}

/// Eight send the form at once: one payment.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_paid_once() {
    let test = Arc::new(TestApp::start().await);
    let (path, _) = open(&test).await;
    let mut buyers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (test, path) = (Arc::clone(&test), path.clone());
        buyers.spawn(async move { goes_to(&pay(&test, &path, VISA).await, BACK) });
    }
    buyers.join_all().await;
    assert_eq!(told(&test).await, ["payment.succeeded"]);
    Arc::into_inner(test).unwrap().finish().await;
}

/// A challenge is passed, or it is not: then the buyer may give another card.
#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_passed_or_not() {
    let test = TestApp::start().await;
    let (path, session) = open(&test).await;
    let challenge = path.replace("/sandbox/pay", "/sandbox/challenge");
    assert_eq!(pay(&test, &path, "4000 0000 0000 3220").await.status, 200);
    let page = test.get(&challenge, &[]).await;
    is_page(&page);
    assert!(page.text.contains("Fail the challenge"));
    let failed = send(&test, &challenge, &[("action", "refuse")]).await;
    is_page(&failed);
    assert!(failed.status == 422 && failed.text.contains("could not confirm"), "{}", failed.text);
    assert_eq!(state(&test, &session).await, "requires_action");
    assert_eq!(pay(&test, &path, "4000 0084 0000 1629").await.status, 200);
    let declined = send(&test, &challenge, &[("action", "approve")]).await;
    assert!(declined.status == 422 && declined.text.contains("The card was declined."), "{}", declined.text);
    assert_eq!(pay(&test, &path, "4000 0025 0000 3155").await.status, 200);
    goes_to(&send(&test, &challenge, &[("action", "approve")]).await, BACK);
    assert_eq!(state(&test, &session).await, "succeeded");
    assert_eq!(told(&test).await, ["payment.succeeded"]);
    test.finish().await;
}

/// Whoever changes their mind goes back to the basket; what was called off, or left for too long, is closed.
#[tokio::test(flavor = "multi_thread")]
async fn pages_close() {
    let test = TestApp::start().await;
    let (path, session) = open(&test).await;
    goes_to(&send(&test, &path, &[("action", "cancel")]).await, BASKET);
    assert_eq!(state(&test, &session).await, "voided");
    assert_eq!(told(&test).await, ["payment.voided"]);
    let (left, _) = open(&test).await;
    sandbox(&test).advance(&Actor::system(), Duration::days(2)).await.unwrap();
    for path in [&path, &left] {
        for answer in [test.get(path, &[]).await, pay(&test, path, VISA).await] {
            is_page(&answer);
            assert!(answer.status == 410 && text(&answer).contains(BASKET), "{}", answer.text);
        }
    }
    for path in [
        "/sandbox/pay",
        "/sandbox/pay?session=%00",
        "/sandbox/challenge?session=cs_sandbox_0",
        "/sandbox/account",
    ] {
        let answer = test.get(path, &[]).await;
        is_page(&answer);
        assert_eq!(answer.status, 404, "{path}");
    }
    test.finish().await;
}

/// What is wrong stands beside its field, and no number but a test number is taken.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_cards_are_told_beside_their_fields() {
    let test = TestApp::start().await;
    let (path, session) = open(&test).await;
    let empty = send(&test, &path, &[("action", "pay")]).await;
    is_page(&empty);
    assert_eq!(empty.status, 422);
    for field in ["number", "expiry", "cvc"] {
        assert!(empty.text.contains(&format!("aria-describedby=\"{field}-problem\"")), "{field}");
        assert!(empty.text.contains(&format!("id=\"{field}-problem\"")), "{field}");
    }
    assert!(empty.text.contains("<title>Error: Pay 19.99 GBP"));
    for real in ["4111 1111 1111 1111", "5105105105105100", "4242424242424241", "<b>4242</b>"] {
        let answer = pay(&test, &path, real).await;
        assert!(answer.status == 422 && answer.text.contains("This is not a test number."), "{real}");
        assert!(!answer.text.contains(real) && !is_kept(&test, real).await, "{real}");
    }
    let late = [("number", VISA), ("expiry", "05/26"), ("cvc", "123"), ("action", "pay")];
    let late = send(&test, &path, &late).await;
    assert!(
        late.status == 422
            && late.text.contains("The card has expired.")
            && text(&late).contains("value=\"05/26\"")
    );
    let script = [("number", VISA), ("expiry", "\"><script>"), ("cvc", "123"), ("action", "pay")];
    is_page(&send(&test, &path, &script).await);
    assert_eq!(state(&test, &session).await, "requires_action");
    test.finish().await;
}

/// Amounts are written with the decimals of their currency.
#[tokio::test(flavor = "multi_thread")]
async fn amounts_have_the_decimals_of_their_currency() {
    let test = TestApp::start().await;
    for (amount, currency, shown) in
        [(500, "JPY", "500 JPY"), (1500, "KWD", "1.500 KWD"), (5, "GBP", "0.05 GBP")]
    {
        let (path, _) = open_for(&test, amount, currency).await;
        let page = test.get(&path, &[]).await;
        assert!(page.text.contains(&format!("Pay {shown}")), "{shown}: {}", page.text);
        goes_to(&pay(&test, &path, VISA).await, BACK);
    }
    test.finish().await;
}

/// Forms of other sites are refused; this site's may lead to the shop, and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn forms_come_from_here_and_lead_to_the_shop() {
    let test = TestApp::start().await;
    let (path, session) = open(&test).await;
    let page = test.get(&path, &[]).await;
    let policy = page.header("content-security-policy");
    assert!(policy.ends_with("form-action 'self' https://shop.example"), "{policy}");
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", "https://evil.example")];
    let body = format!("number={}&expiry=1234&cvc=123&action=pay", VISA.replace(' ', "+"));
    let refused = test.send_raw(Method::POST, &path, &headers, Some(body.into_bytes())).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "request/cross_site"));
    assert_eq!(state(&test, &session).await, "requires_action");
    test.finish().await;
}

/// A store's account is activated with one button.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_activated() {
    let test = TestApp::start().await;
    sqlx::query(
        "INSERT INTO payments.sandbox_accounts VALUES ('acct_test', gen_random_uuid(), 'onboarding', $1, now())",
    )
    .bind(BACK)
    .execute(test.app.database.pool())
    .await
    .unwrap();
    let path = "/sandbox/account?account=acct_test";
    let page = test.get(path, &[]).await;
    is_page(&page);
    assert!(page.text.contains(">Activate</button>"), "{}", page.text);
    for _ in 0..2 {
        goes_to(&send(&test, path, &[]).await, BACK);
    }
    assert_eq!(told(&test).await, ["account.updated"]);
    let page = test.get(path, &[]).await;
    assert!(page.text.contains("The account is active") && text(&page).contains(BACK), "{}", page.text);
    test.finish().await;
}

/// Where another provider is asked for money there is no sandbox.
#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_pages_without_the_sandbox() {
    let test = TestApp::start().await;
    let (path, _) = open(&test).await;
    let modules = api::Modules { sandbox: None, ..test.app.modules() };
    let settings = api::Settings {
        public_url: test.base().clone(),
        ops_url: test.base().clone(),
        demo: false,
        cache_bytes: 1024,
        media: test.media().to_owned(),
        trusted_proxies: Vec::new(),
        limiter: None,
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{path}", listener.local_addr().unwrap());
    tokio::spawn(api::serve(listener, api::router(Api::new(modules, settings)), std::future::pending()));
    assert_eq!(reqwest::get(url).await.unwrap().status(), 404);
    assert_eq!(test.get(&path, &[]).await.status, 200);
    test.finish().await;
}
