//! A guest signs in: what is in their cart goes into their account's, and whatever is not as it was is said.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::time::Duration;

use catalog::{StoreId, VariantId};
use identity::{
    Actor, Authenticated, Client, Credentials, LogIn, NewAccount, Presented, SessionKind, SignIn,
};
use inventory::Reason;
use orders::{Cart, CartId, Error, Merged, Settings};
use platform::audit::Origin;
use platform::{Currency, Quantity, Secret};
use testkit::{NewProduct, TestApp};

const PASSWORD: &str = "a long walk on the harbour";

/// Opens an account and signs in.
async fn sign_in(test: &TestApp, email: &str) -> Actor {
    let account = NewAccount {
        email: email.parse().unwrap(),
        password: Secret::presented(PASSWORD),
        name: "Ada".to_owned(),
        locale: None,
    };
    test.app.identity.accounts.create(&Actor::system(), &account).await.unwrap();
    let client = Client { kind: SessionKind::Browser, device: None, origin: Origin::default() };
    let login = LogIn { email: account.email, password: account.password };
    let SignIn::Done(signed_in) = test.app.identity.sessions.log_in(&client, &login).await.unwrap() else {
        panic!("no second factor was set up")
    };
    let Credentials::Cookie { token, .. } = signed_in.credentials else { panic!("a browser gets a cookie") };
    match test.app.identity.access.authenticate(&Presented::Cookie(token)).await.unwrap() {
        Authenticated::Principal(principal) => Actor::known(principal),
        Authenticated::Publishable(_) => panic!("a cookie is a person's"),
    }
}

fn units(number: i64) -> Quantity {
    Quantity::try_from(number).unwrap()
}

async fn product(test: &TestApp, slug: &'static str, price: i64, stock: i64) -> VariantId {
    test.product(NewProduct { slug, price, stock, ..NewProduct::default() }).await
}

/// Puts units into the cart of an account.
async fn put(test: &TestApp, user: &Actor, variant: VariantId, number: i64) -> Cart {
    match test.app.orders.basket(user, None).await.unwrap() {
        Some(cart) => test.app.orders.add_item(user, cart, variant, units(number), None).await.unwrap().cart,
        None => {
            let (cart, token) = test.app.orders.start_cart(user, variant, units(number), None).await.unwrap();
            assert!(token.is_none(), "an account needs no token");
            cart
        }
    }
}

async fn merge(test: &TestApp, user: &Actor, token: &str) -> Option<Merged> {
    test.app.orders.merge(user, &Secret::presented(token)).await.unwrap()
}

/// What and how many is in a cart.
fn lines(cart: &Cart) -> Vec<(VariantId, i32, i64)> {
    cart.lines.iter().map(|line| (line.variant_id, line.quantity, line.unit_price.amount)).collect()
}

fn notes(merged: &Merged) -> Vec<(&str, &str)> {
    merged.notes.iter().map(|note| (note.field.as_str(), note.code.as_str())).collect()
}

async fn carts(test: &TestApp) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM orders.carts").fetch_one(test.app.database.pool()).await.unwrap()
}

#[tokio::test]
async fn an_account_has_one_cart_on_all_devices() {
    let test = TestApp::start().await;
    let (teapot, cup) = (product(&test, "teapot", 1999, 10).await, product(&test, "cup", 500, 10).await);
    let (ada, bea) = (sign_in(&test, "ada@example.com").await, sign_in(&test, "bea@example.com").await);
    // Two devices at the same time, neither of which knows of a cart.
    let start = |variant| test.app.orders.start_cart(&ada, variant, units(1), None);
    let (one, two) = tokio::join!(start(teapot), start(cup));
    assert_eq!(one.unwrap().0.id, two.unwrap().0.id);
    let cart = test.app.orders.basket(&ada, None).await.unwrap().unwrap();
    assert_eq!(test.app.orders.cart(&ada, cart).await.unwrap().lines.len(), 2);
    // It is nobody else's.
    assert_eq!(test.app.orders.basket(&bea, None).await.unwrap(), None);
    for other in [&bea, &Actor::stranger()] {
        assert!(matches!(test.app.orders.cart(other, cart).await, Err(Error::CartNotFound)));
        let added = test.app.orders.add_item(other, cart, cup, units(1), None).await;
        assert!(matches!(added, Err(Error::CartNotFound)));
    }
    // A forgotten one is not used again.
    test.clock.advance(time::Duration::days(31));
    assert_eq!(test.app.orders.basket(&ada, None).await.unwrap(), None);
    assert_eq!(lines(&put(&test, &ada, cup, 2).await), [(cup, 2, 500)]);
    assert_eq!(carts(&test).await, 1);
    test.finish().await;
}

#[tokio::test]
async fn a_guests_cart_becomes_the_accounts() {
    let test = TestApp::start().await;
    let teapot = product(&test, "teapot", 1999, 10).await;
    let token = test.basket(teapot, 2).await;
    let guest = Actor::holder(Secret::presented(&token));
    let id = test.app.orders.basket(&guest, None).await.unwrap().unwrap();
    let ada = sign_in(&test, "ada@example.com").await;
    let merged = merge(&test, &ada, &token).await.unwrap();
    assert_eq!((merged.cart.id, lines(&merged.cart)), (id, vec![(teapot, 2, 1999)]));
    assert_eq!(notes(&merged), []);
    assert_eq!(test.app.orders.basket(&ada, None).await.unwrap(), Some(id));
    // Whoever still has the token has nothing, and merging again does nothing.
    assert!(matches!(test.app.orders.cart(&guest, id).await, Err(Error::CartNotFound)));
    assert!(merge(&test, &ada, &token).await.is_none());
    assert!(merge(&test, &ada, "anything").await.is_none());
    assert!(
        test.app.orders.merge(&guest, &Secret::presented(&token)).await.is_err(),
        "guests have no account"
    );
    test.finish().await;
}

/// The rule: quantities add up to the stock, prices are refreshed, and both are said.
#[tokio::test]
async fn quantities_add_up_to_the_stock_and_prices_are_of_now() {
    let test = TestApp::start().await;
    let ada = sign_in(&test, "ada@example.com").await;
    let (teapot, cup) = (product(&test, "teapot", 1999, 5).await, product(&test, "cup", 500, 100).await);
    let (bowl, gone) = (product(&test, "bowl", 700, 4).await, product(&test, "gone", 900, 9).await);
    put(&test, &ada, teapot, 3).await;
    put(&test, &ada, cup, 2).await;
    let token = test.basket(teapot, 4).await;
    for (variant, quantity) in [(cup, 5), (bowl, 4), (gone, 1)] {
        test.clock.advance(time::Duration::seconds(1));
        let body = serde_json::json!({"variant_id": variant, "quantity": quantity});
        let answer = test.post("/api/v1/shopping_basket/products", &[("x-cart-token", &token)], &body).await;
        assert_eq!(answer.status, 200);
    }
    product(&test, "cup", 450, 0).await;
    let draft = NewProduct { slug: "gone", price: 900, stock: 0, status: catalog::ProductStatus::Archived };
    test.product(draft).await;
    test.adjust(bowl, -4, Reason::Damaged).await;

    let merged = merge(&test, &ada, &token).await.unwrap();
    assert_eq!(lines(&merged.cart), [(teapot, 5, 1999), (cup, 7, 450)]);
    let said = [
        ("lines[0].quantity", "quantity_reduced"),
        ("lines[1].unit_price", "price_changed"),
        ("lines", "out_of_stock"),
        ("lines", "unavailable"),
    ];
    assert_eq!(notes(&merged), said);
    let facts = &merged.notes[0].facts;
    assert_eq!(
        (&facts["requested"], &facts["quantity"], &facts["available"]),
        (&7.into(), &5.into(), &5.into())
    );
    assert_eq!(merged.notes[3].facts["title"], "The gone");
    assert!(merged.cart.lines.iter().all(|line| line.notes.is_empty()), "the cart can be bought as it is");
    assert_eq!(carts(&test).await, 1, "the guest's is gone");
    test.finish().await;
}

/// What an account had already is never taken from it, and no line holds more than one order may.
#[tokio::test]
async fn quantities_stay_within_bounds() {
    let test = TestApp::start().await;
    let ada = sign_in(&test, "ada@example.com").await;
    let (teapot, screw) =
        (product(&test, "teapot", 1999, 5).await, product(&test, "screw", 1, 1_000_000).await);
    put(&test, &ada, teapot, 5).await;
    put(&test, &ada, screw, 99_999).await;
    let token = test.basket(screw, 99_999).await;
    let body = serde_json::json!({"variant_id": teapot, "quantity": 1});
    test.post("/api/v1/shopping_basket/products", &[("x-cart-token", &token)], &body).await;
    test.adjust(teapot, -3, Reason::Damaged).await;
    let merged = merge(&test, &ada, &token).await.unwrap();
    let mut found = lines(&merged.cart);
    found.sort_by_key(|(_, quantity, _)| *quantity);
    assert_eq!(found, [(teapot, 5, 1999), (screw, 100_000, 1)]);
    assert_eq!(merged.notes.len(), 2);
    test.finish().await;
}

/// A cart has one currency. What was chosen last stays; the rest is named.
#[tokio::test]
async fn another_currency_is_said_line_by_line() {
    let test = TestApp::start().await;
    let ada = sign_in(&test, "ada@example.com").await;
    let euro: StoreId = test.store("euro-shop", Currency::EUR).await;
    let lamp = NewProduct { slug: "lamp", price: 3000, ..NewProduct::default() };
    let lamp = test.product_of(euro, Currency::EUR, lamp).await;
    let teapot = product(&test, "teapot", 1999, 5).await;
    put(&test, &ada, lamp, 2).await;
    let token = test.basket(teapot, 1).await;
    let merged = merge(&test, &ada, &token).await.unwrap();
    assert_eq!((merged.cart.currency, lines(&merged.cart)), (Some(Currency::GBP), vec![(teapot, 1, 1999)]));
    assert_eq!(notes(&merged), [("lines", "currency_mismatch")]);
    assert_eq!(merged.notes[0].facts["variant_id"], lamp.to_string());
    assert_eq!(test.app.orders.basket(&ada, None).await.unwrap(), Some(merged.cart.id));
    assert_eq!(carts(&test).await, 1);
    test.finish().await;
}

/// The same login sent many times at once adds the units once.
#[tokio::test]
async fn concurrent_merges_add_once() {
    let test = TestApp::start().await;
    let teapot = product(&test, "teapot", 1999, 100).await;
    for round in 0..5 {
        let ada = sign_in(&test, &format!("ada{round}@example.com")).await;
        if round % 2 == 0 {
            put(&test, &ada, teapot, 1).await;
        }
        let token = Secret::presented(&test.basket(teapot, 2).await);
        let runs: Vec<_> = (0..8)
            .map(|_| {
                let (orders, ada, token) = (test.app.orders.clone(), ada.clone(), token.clone());
                tokio::spawn(async move { orders.merge(&ada, &token).await })
            })
            .collect();
        let mut merged = 0;
        for run in runs {
            merged += usize::from(run.await.unwrap().unwrap().is_some());
        }
        assert_eq!(merged, 1);
        let cart = test.app.orders.basket(&ada, None).await.unwrap().unwrap();
        let expected = if round % 2 == 0 { 3 } else { 2 };
        assert_eq!(lines(&test.app.orders.cart(&ada, cart).await.unwrap()), [(teapot, expected, 1999)]);
    }
    test.finish().await;
}

/// Two devices with a guest's cart each sign in to an empty account at once: both carts arrive.
#[tokio::test]
async fn two_carts_at_once_both_arrive() {
    let test = TestApp::start().await;
    let teapot = product(&test, "teapot", 1999, 100).await;
    for round in 0..5 {
        let ada = sign_in(&test, &format!("ada{round}@example.com")).await;
        let (one, two) = (test.basket(teapot, 2).await, test.basket(teapot, 3).await);
        let (one, two) = tokio::join!(merge(&test, &ada, &one), merge(&test, &ada, &two));
        assert!(one.is_some() && two.is_some());
        let cart = test.app.orders.basket(&ada, None).await.unwrap().unwrap();
        assert_eq!(lines(&test.app.orders.cart(&ada, cart).await.unwrap()), [(teapot, 5, 1999)]);
    }
    test.finish().await;
}

/// A merge beside a checkout of either cart: each unit is bought or in a cart, and never both.
#[tokio::test]
async fn a_checkout_and_a_merge_do_not_meet() {
    let test = TestApp::start().await;
    let teapot = product(&test, "teapot", 1999, 1_000).await;
    for round in 0..10 {
        let ada = sign_in(&test, &format!("ada{round}@example.com")).await;
        let account = put(&test, &ada, teapot, 1).await.id;
        let token = test.basket(teapot, 10).await;
        let buyer = if round % 2 == 0 { ada.clone() } else { Actor::holder(Secret::presented(&token)) };
        let bought = async {
            let id = test.app.orders.basket(&buyer, None).await.unwrap();
            match id {
                Some(id) => test.app.orders.checkout(&buyer, checkout(id)).await.ok(),
                None => None,
            }
        };
        let (bought, merged) = tokio::join!(bought, merge(&test, &ada, &token));
        let sold: i32 = bought.iter().flat_map(|answer| &answer.order.lines).map(|line| line.quantity).sum();
        let mut left = 0;
        for actor in [&ada, &Actor::holder(Secret::presented(&token))] {
            if let Some(id) = test.app.orders.basket(actor, None).await.unwrap() {
                left += lines(&test.app.orders.cart(actor, id).await.unwrap())[0].1;
            }
        }
        assert_eq!(sold + left, 11, "bought {sold}, left {left}, merged {merged:?}, account {account}");
    }
    test.finish().await;
}

fn checkout(cart_id: CartId) -> orders::Checkout {
    orders::Checkout {
        cart_id: Some(cart_id),
        key: orders::IdempotencyKey::parse("once").unwrap(),
        email: "ada@example.com".parse().unwrap(),
        shipping_address: testkit::address(),
        billing_address: None,
        means: Some(payments::PaymentMeans::token(payments::PaymentToken::presented("tok_visa"))),
    }
}

/// The account's cart waits for its payment, a new one is begun, and then the first order expires.
#[tokio::test]
async fn a_cart_that_comes_back_does_not_push_out_the_new_one() {
    let settings = Settings { payment_hold: Duration::from_secs(60), ..Settings::default() };
    let test = TestApp::with(settings).await;
    let teapot = product(&test, "teapot", 1999, 10).await;
    let ada = sign_in(&test, "ada@example.com").await;
    let first = put(&test, &ada, teapot, 2).await.id;
    let answer =
        test.app.orders.checkout(&ada, orders::Checkout { means: None, ..checkout(first) }).await.unwrap();
    let second = put(&test, &ada, teapot, 1).await.id;
    assert_ne!(first, second);
    test.clock.advance(time::Duration::minutes(2));
    test.run_jobs().await;
    assert_eq!(
        test.app.orders.order(&ada, answer.order.id).await.unwrap().status,
        orders::OrderState::Expired
    );
    assert_eq!(test.app.orders.basket(&ada, None).await.unwrap(), Some(second));
    test.finish().await;
}
