//! The orders of an account: its own and nobody else's, and forgotten with it.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::time::Duration;

use identity::{
    Actor, Authenticated, Client, Credentials, LogIn, NewAccount, Presented, SessionKind, SignIn,
};
use orders::{Order, OrderId, OrderState, Settings};
use platform::Secret;
use platform::audit::Origin;
use serde_json::{Value, json};
use testkit::{NewProduct, TestApp, purchase};

const PASSWORD: &str = "a long walk on the harbour";
const BASKET: &str = "/api/v1/shopping_basket";

/// Somebody with an account, as the modules and as the API know them.
struct Buyer {
    actor: Actor,
    cookie: String,
}

impl Buyer {
    async fn new(test: &TestApp, email: &str) -> Self {
        let account = NewAccount {
            email: email.parse().unwrap(),
            password: Secret::presented(PASSWORD),
            name: "Ada".to_owned(),
            locale: None,
        };
        test.app.identity.accounts.create(&Actor::system(), &account).await.unwrap();
        let client = Client { kind: SessionKind::Browser, device: None, origin: Origin::default() };
        let login = LogIn { email: account.email, password: account.password };
        let SignIn::Done(signed_in) = test.app.identity.sessions.log_in(&client, &login).await.unwrap()
        else {
            panic!("no second factor was set up")
        };
        let Credentials::Cookie { token, .. } = signed_in.credentials else {
            panic!("a browser gets a cookie")
        };
        let cookie = format!("souk_session={}", token.expose());
        match test.app.identity.access.authenticate(&Presented::Cookie(token)).await.unwrap() {
            Authenticated::Principal(principal) => Self { actor: Actor::known(principal), cookie },
            Authenticated::Publishable(_) => panic!("a cookie is a person's"),
        }
    }

    /// What a browser sends along.
    fn headers(&self) -> [(&str, &str); 2] {
        [("cookie", &self.cookie), ("sec-fetch-site", "same-origin")]
    }

    /// Puts something into the basket and buys it, through HTTP.
    async fn buy(&self, test: &TestApp, key: &str) -> Value {
        let variant = test.product(NewProduct { stock: 5, ..NewProduct::default() }).await;
        let body = json!({"variant_id": variant, "quantity": 1});
        let answer = test.post(&format!("{BASKET}/products"), &self.headers(), &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            (answer.header("x-cart-token"), answer.header("set-cookie")),
            ("", ""),
            "no token is needed"
        );
        let [cookie, site] = self.headers();
        let headers = [cookie, site, ("idempotency-key", key)];
        let answer = test.post(&format!("{BASKET}/checkout"), &headers, &purchase("tok_visa")).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json
    }
}

#[tokio::test]
async fn a_buyer_sees_their_orders_and_nobody_elses() {
    let test = TestApp::start().await;
    let (ada, bea) = (Buyer::new(&test, "ada@example.com").await, Buyer::new(&test, "bea@example.com").await);
    let mut bought = Vec::new();
    for key in ["one", "two", "three"] {
        test.clock.advance(time::Duration::seconds(1));
        bought.insert(0, ada.buy(&test, key).await);
    }
    let other = bea.buy(&test, "one").await;
    let path = format!("/api/v1/orders/{}", other["id"].as_str().unwrap());
    assert_eq!(test.get(&path, &bea.headers()).await.json, other);
    for headers in [&ada.headers()[..], &[]] {
        assert_eq!(test.get(&path, headers).await.code(), "orders/order_not_found");
    }

    let all = test.get("/api/v1/orders", &ada.headers()).await;
    assert_eq!(all.json["data"], Value::from(bought.clone()));
    assert_eq!(all.json["page_info"]["has_next_page"], false);
    assert_eq!(all.header("cache-control"), "private, no-store");
    let first = test.get("/api/v1/orders?first=2", &ada.headers()).await;
    assert_eq!(first.json["data"], Value::from(bought[..2].to_vec()));
    let cursor = first.json["page_info"]["end_cursor"].as_str().unwrap();
    let rest = test.get(&format!("/api/v1/orders?first=2&after={cursor}"), &ada.headers()).await;
    assert_eq!(rest.json["data"], Value::from(bought[2..].to_vec()));
    assert_eq!(rest.json["page_info"]["has_next_page"], false);

    assert_eq!(test.get("/api/v1/orders", &[]).await.code(), "identity/unauthenticated");
    assert_eq!(test.get("/api/v1/orders?after=x", &ada.headers()).await.code(), "request/bad_cursor");
    for bad in ["first=0", "first=101", "page=1"] {
        assert_eq!(test.get(&format!("/api/v1/orders?{bad}"), &ada.headers()).await.status, 422, "{bad}");
    }
    assert_eq!(test.app.orders.export(&ada.actor).await.unwrap().len(), 3);
    assert!(test.app.orders.export(&Actor::stranger()).await.is_err());
    test.finish().await;
}

/// A lost answer: the client sends the checkout again after the account has begun another basket.
#[tokio::test]
async fn a_checkout_sent_again_buys_nothing_new() {
    let test = TestApp::start().await;
    let ada = Buyer::new(&test, "ada@example.com").await;
    let bought = ada.buy(&test, "one").await;
    let [cookie, site] = ada.headers();
    let headers = [cookie, site, ("idempotency-key", "one")];
    let again = test.post(&format!("{BASKET}/checkout"), &headers, &purchase("tok_visa")).await;
    assert_eq!((again.header("idempotent-replayed"), &again.json), ("true", &bought));
    let variant = test.product(NewProduct { slug: "cup", ..NewProduct::default() }).await;
    let body = json!({"variant_id": variant, "quantity": 1});
    test.post(&format!("{BASKET}/products"), &ada.headers(), &body).await;
    let again = test.post(&format!("{BASKET}/checkout"), &headers, &purchase("tok_visa")).await;
    assert_eq!((again.header("idempotent-replayed"), &again.json), ("true", &bought));
    assert_eq!(
        test.get(BASKET, &ada.headers()).await.json["lines"][0]["quantity"],
        1,
        "the new basket is untouched"
    );
    test.finish().await;
}

/// Whoever has seen nothing but an e-mail address gets no orders by it.
#[tokio::test]
async fn a_guests_orders_are_not_given_to_an_account() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct::default()).await;
    let token = test.basket(variant, 1).await;
    assert_eq!(test.check_out(&token, "one", "tok_visa").await.status, 201);
    let ada = Buyer::new(&test, "ada@example.com").await;
    assert_eq!(test.get("/api/v1/orders", &ada.headers()).await.json["data"], json!([]));
    test.finish().await;
}

/// An order that a person placed with a guest's cart is theirs, and also the token's.
#[tokio::test]
async fn a_cart_with_a_token_is_bought_with_an_account() {
    let test = TestApp::start().await;
    let ada = Buyer::new(&test, "ada@example.com").await;
    let variant = test.product(NewProduct::default()).await;
    let token = test.basket(variant, 1).await;
    let [cookie, site] = ada.headers();
    let headers = [cookie, site, ("idempotency-key", "one"), ("x-cart-token", &token)];
    let answer = test.post(&format!("{BASKET}/checkout"), &headers, &purchase("tok_visa")).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let path = answer.header("location").to_owned();
    for headers in [&ada.headers()[..], &[("x-cart-token", &token)]] {
        assert_eq!(test.get(&path, headers).await.json, answer.json);
    }
    test.finish().await;
}

async fn stored(test: &TestApp, id: OrderId) -> Order {
    test.app.orders.order(&Actor::system(), id).await.unwrap()
}

fn id(order: &Value) -> OrderId {
    order["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn who_bought_is_forgotten_with_the_account() {
    let settings = Settings { payment_hold: Duration::from_secs(60), ..Settings::default() };
    let test = TestApp::with(settings).await;
    let (ada, bea) = (Buyer::new(&test, "ada@example.com").await, Buyer::new(&test, "bea@example.com").await);
    let (settled, kept) = (id(&ada.buy(&test, "one").await), id(&bea.buy(&test, "one").await));
    // One that waits for its payment, and a basket that was begun after it.
    let variant = test.product(NewProduct { slug: "cup", ..NewProduct::default() }).await;
    let body = json!({"variant_id": variant, "quantity": 1});
    let basket = test.post(&format!("{BASKET}/products"), &ada.headers(), &body).await;
    let order =
        json!({"cart_id": basket.json["id"], "email": "ada@example.com", "shipping": testkit::address()});
    let [cookie, site] = ada.headers();
    let headers = [cookie, site, ("idempotency-key", "two")];
    let waiting = test.post("/api/v1/orders", &headers, &order).await;
    assert_eq!((waiting.status.as_u16(), &waiting.json["status"]), (201, &json!("awaiting_payment")));
    let waiting = id(&waiting.json);
    test.post(&format!("{BASKET}/products"), &ada.headers(), &body).await;

    test.app.identity.accounts.delete(&ada.actor, Some(&Secret::presented(PASSWORD))).await.unwrap();
    test.run_jobs().await;
    let forgotten = stored(&test, settled).await;
    assert_eq!((forgotten.status, forgotten.email), (OrderState::Paid, None));
    assert_eq!((forgotten.lines.len(), forgotten.total.amount), (1, 1999));
    let address = serde_json::to_value(forgotten.shipping_address).unwrap();
    assert_eq!(
        address,
        json!({"name": "", "line1": "", "city": "", "postal_code": "SW1Y 4JH", "country": "GB"})
    );
    // It still holds stock and may be paid.
    assert!(stored(&test, waiting).await.email.is_some());
    test.clock.advance(time::Duration::minutes(2));
    test.run_jobs().await;
    assert_eq!(stored(&test, waiting).await.status, OrderState::Expired);
    test.app.orders.clean_up().await.unwrap();
    assert_eq!(stored(&test, waiting).await.email, None);
    assert_eq!(test.app.orders.clean_up().await.unwrap(), 0);

    // Nothing of her is left, and everything of the other buyer.
    let left: Vec<String> = sqlx::query_scalar(
        "SELECT o::text FROM orders.orders o WHERE id = ANY($1) UNION ALL SELECT k::text FROM orders.idempotency_keys k
         WHERE order_id = ANY($1)",
    )
    .bind([settled.uuid(), waiting.uuid()])
    .fetch_all(test.app.database.pool())
    .await
    .unwrap();
    assert_eq!(left.len(), 4, "two orders and the keys they were bought under");
    for word in ["ada@example.com", "Lovelace", "St James"] {
        assert!(left.iter().all(|row| !row.contains(word)), "{word}: {left:?}");
    }
    let carts: i64 = sqlx::query_scalar("SELECT count(*) FROM orders.carts WHERE user_id IS NOT NULL")
        .fetch_one(test.app.database.pool())
        .await
        .unwrap();
    assert_eq!(carts, 1, "the other buyer's");
    assert_eq!(stored(&test, kept).await.email, Some("ada@example.com".parse().unwrap()));
    assert!(test.app.orders.forget(&bea.actor, bea.actor.user_id().unwrap()).await.is_err());
    test.clock.advance(time::Duration::days(31));
    test.app.orders.clean_up().await.unwrap();
    let remembered: i64 = sqlx::query_scalar("SELECT count(*) FROM orders.erasures")
        .fetch_one(test.app.database.pool())
        .await
        .unwrap();
    assert_eq!(remembered, 0);
    test.finish().await;
}
