//! The basket: what a buyer means to buy, kept truthfully until it is bought.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::HashSet;
use std::sync::Arc;

use catalog::{ProductStatus, PutProduct, VariantId};
use identity::Actor;
use inventory::{Adjustment, Reason};
use platform::{Currency, Money};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, NewProduct, TestApp, product};
use tokio::task::JoinSet;

const BASKET: &str = "/api/v1/shopping_basket";
const ADD: &str = "/api/v1/shopping_basket/products";

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn item(variant: VariantId, quantity: i64) -> Value {
    json!({"variant_id": variant, "quantity": quantity})
}

/// Variant and quantity of each line.
fn contents(answer: &Answer) -> Vec<(String, i64)> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let lines = answer.json["lines"].as_array().unwrap();
    lines.iter().map(|line| (text(&line["variant_id"]), line["quantity"].as_i64().unwrap())).collect()
}

/// The codes of a line's notes.
fn notes(answer: &Answer, line: usize) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json["lines"][line]["notes"].as_array().unwrap().iter().map(|note| text(&note["code"])).collect()
}

/// A browser gets its basket with the first product, keeps it in a cookie, and finds it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_keeps_its_basket_in_a_cookie() {
    let test = TestApp::start().await;
    let teapot = test.product(NewProduct::default()).await;
    let empty = test.get(BASKET, &[]).await;
    assert_eq!(
        (empty.status.as_u16(), &empty.json),
        (200, &json!({"id": null, "currency": null, "lines": [], "subtotal": null, "expires_at": null}))
    );
    assert_eq!(empty.header("set-cookie"), "", "who only looks gets no cookie");

    let added = test.post(ADD, &[], &json!({"variant_id": teapot})).await;
    assert_eq!(contents(&added), [(teapot.to_string(), 1)], "one, if nothing is said");
    let cookie = added.header("set-cookie").to_owned();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(pair, format!("souk_cart={}", added.header("x-cart-token")));
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=2592000"] {
        assert!(attributes.split("; ").any(|one| one == attribute), "{attribute} is missing: {cookie}");
    }
    let headers = [("cookie", format!("theme=dark; {pair}; other=1"))];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let again = test.post(ADD, &headers, &item(teapot, 2)).await;
    assert_eq!(contents(&again), [(teapot.to_string(), 3)]);
    assert_eq!(again.json["id"], added.json["id"]);
    assert_eq!(again.header("set-cookie"), cookie, "the cookie lives as long as the basket");
    assert_eq!(again.header("x-cart-token"), "");
    let shown = test.get(BASKET, &headers).await;
    assert_eq!(shown.json, again.json);
    // The basket is a cart like any other, opened by the same token.
    let cart = test.get(&format!("/api/v1/carts/{}", text(&shown.json["id"])), &headers).await;
    assert_eq!(
        (&cart.json["lines"], &cart.json["subtotal"]),
        (&shown.json["lines"], &shown.json["subtotal"])
    );
    test.finish().await;
}

/// A program keeps the token itself; what the header says counts more than a cookie.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_keeps_its_token_itself() {
    let test = TestApp::start().await;
    let teapot = test.product(NewProduct::default()).await;
    let (mine, other) = (test.basket(teapot, 1).await, test.basket(teapot, 5).await);
    assert_ne!(mine, other);
    let cookie = format!("souk_cart={other}");
    let shown = test.get(BASKET, &[("x-cart-token", &mine), ("cookie", &cookie)]).await;
    assert_eq!(contents(&shown), [(teapot.to_string(), 1)]);
    // A token that opens nothing begins a basket of its own, under another token.
    let begun = test.post(ADD, &[("x-cart-token", "made up")], &item(teapot, 2)).await;
    assert_eq!(contents(&begun), [(teapot.to_string(), 2)]);
    assert!(!["", "made up"].contains(&begun.header("x-cart-token")));
    test.finish().await;
}

/// A cart is opened with its id, its address and its token, and is seen by the token's holder only.
#[tokio::test(flavor = "multi_thread")]
async fn a_cart_is_opened_by_its_token() {
    let test = TestApp::start().await;
    let opened = test.post("/api/v1/carts", &[], &json!({})).await;
    assert_eq!(opened.status, 201, "{opened:?}");
    let (id, token) = (text(&opened.json["id"]), text(&opened.json["token"]));
    assert_eq!(opened.header("location"), format!("/api/v1/carts/{id}"));
    assert!(token.len() >= 43, "256 bits: {token}");
    assert_eq!(opened.json["lines"], json!([]));
    assert_eq!(opened.json["expires_at"], "2026-07-01T12:00:00Z");
    let shown = test.get(opened.header("location"), &[("x-cart-token", &token)]).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    assert_eq!(shown.json["token"], Value::Null, "a token is told once");
    let again = test.post("/api/v1/carts", &[], &json!({})).await;
    assert_ne!((text(&again.json["id"]), text(&again.json["token"])), (id, token));
    test.finish().await;
}

/// Lines add up, change and go; the sums follow.
#[tokio::test(flavor = "multi_thread")]
async fn lines_add_up_change_and_go() {
    let test = TestApp::start().await;
    let teapot = test.product(NewProduct { price: 1999, ..NewProduct::default() }).await;
    let cup = test.product(NewProduct { slug: "cup", price: 450, stock: 100, ..NewProduct::default() }).await;
    let token = test.basket(teapot, 2).await;
    let headers = [("x-cart-token", token.as_str())];
    test.clock.advance(time::Duration::seconds(1));
    test.post(ADD, &headers, &item(cup, 4)).await;
    let added = test.post(ADD, &headers, &item(teapot, 1)).await;
    assert_eq!(contents(&added), [(teapot.to_string(), 3), (cup.to_string(), 4)]);
    let line = &added.json["lines"][0];
    assert_eq!(line["unit_price"], json!({"amount": 1999, "currency": "GBP"}));
    assert_eq!(line["total"], json!({"amount": 5997, "currency": "GBP"}));
    assert_eq!(
        (&line["title"], &line["sku"], &line["available"]),
        (&json!("The teapot"), &json!("TEAPOT"), &json!(10))
    );
    assert_eq!((&line["product"]["slug"], &line["store"]["slug"]), (&json!("teapot"), &json!("shop")));
    assert_eq!(line["notes"], json!([]));
    assert_eq!(added.json["subtotal"], json!({"amount": 5997 + 1800, "currency": "GBP"}));
    // Pictures have their whole address.
    let image = text(&line["image_url"]);
    assert!(image.starts_with("http://127.0.0.1:") && image.ends_with("/media/test.svg"), "{image}");

    let cart = format!("/api/v1/carts/{}", text(&added.json["id"]));
    let path = |line: usize| format!("{cart}/items/{}", text(&added.json["lines"][line]["id"]));
    let set = test.send(Method::PATCH, &path(1), &headers, Some(&json!({"quantity": 1}))).await;
    assert_eq!(contents(&set), [(teapot.to_string(), 3), (cup.to_string(), 1)]);
    assert_eq!(set.json["subtotal"]["amount"], 5997 + 450);
    let removed = test.send(Method::DELETE, &path(0), &headers, None).await;
    assert_eq!(contents(&removed), [(cup.to_string(), 1)]);
    let again = test.send(Method::DELETE, &path(0), &headers, None).await;
    assert_eq!((again.status.as_u16(), again.code()), (404, "orders/line_not_found"));
    let set = test.send(Method::PATCH, &path(0), &headers, Some(&json!({"quantity": 1}))).await;
    assert_eq!((set.status.as_u16(), set.code()), (404, "orders/line_not_found"));
    let emptied = test.send(Method::DELETE, &path(1), &headers, None).await;
    assert_eq!(contents(&emptied), []);
    let bought = test.check_out(&token, "k", "tok_visa").await;
    assert_eq!((bought.status.as_u16(), bought.code()), (409, "orders/cart_empty"));
    test.finish().await;
}

/// A basket is for its owner's eyes: no cache keeps it.
#[tokio::test(flavor = "multi_thread")]
async fn no_cache_keeps_a_basket() {
    let test = TestApp::start().await;
    let teapot = test.product(NewProduct::default()).await;
    let opened = test.post("/api/v1/carts", &[], &json!({})).await;
    let (cart, token) = (opened.header("location").to_owned(), text(&opened.json["token"]));
    let headers = [("x-cart-token", token.as_str())];
    let added = test.post(&format!("{cart}/items"), &headers, &item(teapot, 1)).await;
    let line = format!("{cart}/items/{}", text(&added.json["lines"][0]["id"]));
    let answers = [
        test.get(BASKET, &[]).await,
        test.get(BASKET, &headers).await,
        test.get(&cart, &headers).await,
        test.post(ADD, &[], &item(teapot, 1)).await,
        test.post(ADD, &headers, &item(teapot, 1)).await,
        test.send(Method::PATCH, &line, &headers, Some(&json!({"quantity": 1}))).await,
        test.check_out(&token, "k", "tok_visa").await,
        opened,
        added,
    ];
    for answer in &answers {
        assert!(answer.status.is_success(), "{answer:?}");
        assert_eq!(answer.header("cache-control"), "private, no-store", "{answer:?}");
        assert_eq!((answer.header("etag"), answer.header("surrogate-key")), ("", ""));
    }
    test.finish().await;
}

/// A price change between cart and checkout is told, and accepted by setting the quantity.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_price_is_told_and_accepted() {
    let test = TestApp::start().await;
    let teapot = test.product(NewProduct { price: 1999, ..NewProduct::default() }).await;
    let store = test.store("shop", Currency::GBP).await;
    let token = test.basket(teapot, 2).await;
    let headers = [("x-cart-token", token.as_str())];
    for (before, now) in [(1999, 2199), (2199, 1499)] {
        test.put(store, product("teapot", Money::new(now, Currency::GBP))).await;
        let shown = test.get(BASKET, &headers).await;
        assert_eq!(notes(&shown, 0), ["price_changed"]);
        let line = &shown.json["lines"][0];
        assert_eq!(line["unit_price"]["amount"], before, "what was shown stays until it is accepted");
        assert_eq!(line["notes"][0]["field"], "lines[0].unit_price");
        let money = |amount: i64| json!({"amount": amount, "currency": "GBP"});
        assert_eq!(
            line["notes"][0]["facts"],
            json!({"variant_id": teapot, "shown": money(before), "current": money(now)})
        );
        let refused = test.check_out(&token, &format!("key-{now}"), "tok_visa").await;
        assert_eq!((refused.status.as_u16(), refused.code()), (409, "orders/price_changed"));
        let path = format!("/api/v1/carts/{}/items/{}", text(&shown.json["id"]), text(&line["id"]));
        let accepted = test.send(Method::PATCH, &path, &headers, Some(&json!({"quantity": 2}))).await;
        assert_eq!(notes(&accepted, 0), Vec::<String>::new());
        assert_eq!(accepted.json["subtotal"]["amount"], 2 * now);
    }
    let bought = test.check_out(&token, "k", "tok_visa").await;
    assert_eq!((bought.status.as_u16(), &bought.json["total"]["amount"]), (201, &json!(2998)), "{bought:?}");
    test.finish().await;
}

/// What has been sold meanwhile, or taken off sale, is told on its line.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_had_any_more_is_told() {
    let test = TestApp::start().await;
    let teapot = test.product(NewProduct { stock: 3, ..NewProduct::default() }).await;
    let cup = test.product(NewProduct { slug: "cup", ..NewProduct::default() }).await;
    let store = test.store("shop", Currency::GBP).await;
    let token = test.basket(teapot, 3).await;
    let headers = [("x-cart-token", token.as_str())];
    test.clock.advance(time::Duration::seconds(1));
    test.post(ADD, &headers, &item(cup, 1)).await;
    let faster = test.basket(teapot, 2).await;
    assert_eq!(test.check_out(&faster, "k", "tok_visa").await.status, 201);

    let shown = test.get(BASKET, &headers).await;
    assert_eq!((notes(&shown, 0), notes(&shown, 1)), (vec!["out_of_stock".to_owned()], vec![]));
    let line = &shown.json["lines"][0];
    assert_eq!((&line["quantity"], &line["available"]), (&json!(3), &json!(1)));
    assert_eq!(line["notes"][0]["facts"], json!({"variant_id": teapot, "requested": 3, "available": 1}));
    assert_eq!(line["notes"][0]["message"], "only 1 left");

    let archived =
        PutProduct { status: ProductStatus::Archived, ..product("cup", Money::new(1999, Currency::GBP)) };
    test.put(store, archived).await;
    let shown = test.get(BASKET, &headers).await;
    assert_eq!(notes(&shown, 1), ["unavailable"]);
    let gone = &shown.json["lines"][1];
    assert_eq!((&gone["product"], &gone["title"]), (&Value::Null, &json!("The cup")), "its name is kept");
    let cart = format!("/api/v1/carts/{}", text(&shown.json["id"]));
    let path = format!("{cart}/items/{}", text(&gone["id"]));
    let set = test.send(Method::PATCH, &path, &headers, Some(&json!({"quantity": 1}))).await;
    assert_eq!((set.status.as_u16(), set.code()), (404, "orders/item_unavailable"));
    let added = test.post(ADD, &headers, &item(cup, 1)).await;
    assert_eq!((added.status.as_u16(), added.code()), (404, "orders/item_unavailable"));
    let refused = test.check_out(&token, "k", "tok_visa").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "orders/item_unavailable"));
    let told: Vec<_> =
        refused.json["details"].as_array().unwrap().iter().map(|one| text(&one["code"])).collect();
    assert_eq!(told, ["out_of_stock", "unavailable"], "all of it at once");
    assert_eq!(test.send(Method::DELETE, &path, &headers, None).await.status, 200);
    test.finish().await;
}

/// No more goes into a basket than there is, counting what is in it already.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_goes_in_than_there_is() {
    let test = TestApp::start().await;
    let teapot = test.product(NewProduct { stock: 5, ..NewProduct::default() }).await;
    let none = test.product(NewProduct { slug: "none", stock: 0, ..NewProduct::default() }).await;
    let many = test.product(NewProduct { slug: "many", stock: 1_000_000, ..NewProduct::default() }).await;
    let token = test.basket(teapot, 3).await;
    let headers = [("x-cart-token", token.as_str())];
    let shown = test.get(BASKET, &headers).await;
    let cart = format!("/api/v1/carts/{}", text(&shown.json["id"]));
    let line = format!("{cart}/items/{}", text(&shown.json["lines"][0]["id"]));
    let items = format!("{cart}/items");
    for (method, path, body, variant, requested, available) in [
        (Method::POST, ADD, item(teapot, 3), teapot, 6, 5),
        (Method::POST, items.as_str(), item(teapot, 100_000), teapot, 100_003, 5),
        (Method::PATCH, line.as_str(), json!({"quantity": 6}), teapot, 6, 5),
        (Method::POST, ADD, item(none, 1), none, 1, 0),
    ] {
        let refused = test.send(method, path, &headers, Some(&body)).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (409, "inventory/out_of_stock"));
        let detail = &refused.json["details"][0];
        assert_eq!(detail["code"], "out_of_stock");
        assert_eq!(
            detail["facts"],
            json!({"variant_id": variant, "requested": requested, "available": available})
        );
    }
    assert_eq!(contents(&test.get(BASKET, &headers).await), [(teapot.to_string(), 3)]);
    assert_eq!(contents(&test.post(ADD, &headers, &item(teapot, 2)).await), [(teapot.to_string(), 5)]);
    // One order takes at most 100,000 of a thing, however many there are.
    assert_eq!(test.post(ADD, &headers, &item(many, 100_000)).await.status, 200);
    let refused = test.post(ADD, &headers, &item(many, 1)).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "orders/too_many_units"));
    assert_eq!(refused.json["details"][0]["facts"], json!({"maximum": 100_000}));
    test.finish().await;
}

/// A cart holds two hundred different things and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_cart_is_full_some_time() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let put: Vec<_> =
        (0..201).map(|number| product(&format!("item-{number}"), Money::new(100, Currency::GBP))).collect();
    let results = test.app.catalog.put_products(&Actor::system(), store, &put).await.unwrap();
    let variants: Vec<_> = results.iter().map(|result| result.variants[0].0).collect();
    let opening = |variant: &VariantId| Adjustment {
        variant_id: *variant,
        quantity: 10,
        reason: Reason::Opening,
        note: None,
    };
    let stock: Vec<_> = variants.iter().map(opening).collect();
    test.app.inventory.adjust(&Actor::system(), &stock).await.unwrap();
    let token = test.basket(variants[0], 1).await;
    let headers = [("x-cart-token", token.as_str())];
    for variant in &variants[1..200] {
        assert_eq!(test.post(ADD, &headers, &item(*variant, 1)).await.status, 200);
    }
    let refused = test.post(ADD, &headers, &item(variants[200], 1)).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "orders/cart_full"));
    let more = test.post(ADD, &headers, &item(variants[0], 1)).await;
    let units: Vec<_> = contents(&more).into_iter().filter(|line| line.1 == 2).collect();
    assert_eq!(units, [(variants[0].to_string(), 2)], "of what is in it there may be more");
    assert_eq!(contents(&more).len(), 200);
    assert_eq!(more.json["subtotal"]["amount"], 20_100);
    let bought = test.check_out(&token, "k", "tok_visa").await;
    assert_eq!((bought.status.as_u16(), &bought.json["total"]["amount"]), (201, &json!(20_100)));
    test.finish().await;
}

/// How many different things a cart holds is a setting.
#[tokio::test(flavor = "multi_thread")]
async fn a_cart_is_as_large_as_it_is_set() {
    let settings = orders::Settings { most_cart_lines: 1, ..orders::Settings::default() };
    let test = TestApp::with(settings).await;
    let [first, second] = [
        test.product(NewProduct { slug: "one", ..NewProduct::default() }).await,
        test.product(NewProduct { slug: "other", ..NewProduct::default() }).await,
    ];
    let token = test.basket(first, 1).await;
    let headers = [("x-cart-token", token.as_str())];
    let refused = test.post(ADD, &headers, &item(second, 1)).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "orders/cart_full"));
    assert!(refused.json["detail"].to_string().contains("at most 1 "), "{refused:?}");
    assert_eq!(test.post(ADD, &headers, &item(first, 1)).await.status, 200);
    test.finish().await;
}

/// Sent again with its key, an addition is made once.
#[tokio::test(flavor = "multi_thread")]
async fn an_addition_with_a_key_is_made_once() {
    let test = TestApp::start().await;
    let teapot = test.product(NewProduct { stock: 100, ..NewProduct::default() }).await;
    let token = test.basket(teapot, 1).await;
    let shown = test.get(BASKET, &[("x-cart-token", &token)]).await;
    let items = format!("/api/v1/carts/{}/items", text(&shown.json["id"]));
    let mut expected = 1;
    for path in [ADD, &items] {
        let key = format!("key-{}", path.len());
        let headers = [("x-cart-token", token.as_str()), ("idempotency-key", key.as_str())];
        expected += 2;
        for _ in 0..3 {
            let added = test.post(path, &headers, &item(teapot, 2)).await;
            assert_eq!(contents(&added), [(teapot.to_string(), expected)]);
        }
        let other = test.post(path, &headers, &item(teapot, 3)).await;
        assert_eq!((other.status.as_u16(), other.code()), (422, "request/idempotency_key_reused"));
    }
    // Without a key each one counts.
    let added = test.post(ADD, &[("x-cart-token", &token)], &item(teapot, 2)).await;
    assert_eq!(contents(&added), [(teapot.to_string(), expected + 2)]);
    test.finish().await;
}

/// Ten equal additions under one key at the same time make one; of ten different ones under one key one is
/// made and the others are refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_stands_for_one_addition_also_in_a_rush() {
    let test = Arc::new(TestApp::start().await);
    let teapot = test.product(NewProduct { stock: 1000, ..NewProduct::default() }).await;
    let token = test.basket(teapot, 1).await;
    let mut units = 1;
    for (round, different) in [false, true, false, true].into_iter().enumerate() {
        let mut rush = JoinSet::new();
        for number in 1..=10 {
            let (test, token, key) = (Arc::clone(&test), token.clone(), format!("key-{round}"));
            let quantity = if different { number } else { 7 };
            rush.spawn(async move {
                let headers = [("x-cart-token", token.as_str()), ("idempotency-key", key.as_str())];
                (quantity, test.post(ADD, &headers, &item(teapot, quantity)).await)
            });
        }
        let mut made = Vec::new();
        while let Some(answered) = rush.join_next().await {
            let (quantity, answer) = answered.unwrap();
            if answer.status == 200 {
                made.push(quantity);
            } else {
                assert_eq!((answer.status.as_u16(), answer.code()), (422, "request/idempotency_key_reused"));
            }
        }
        assert_eq!(made.len(), if different { 1 } else { 10 });
        units += made[0];
        let shown = test.get(BASKET, &[("x-cart-token", &token)]).await;
        assert_eq!(contents(&shown), [(teapot.to_string(), units)]);
    }
    Arc::into_inner(test).unwrap().finish().await;
}

/// Twenty different things put in at the same time are all in; twenty of one thing are twenty.
#[tokio::test(flavor = "multi_thread")]
async fn additions_at_the_same_time_all_land() {
    let test = Arc::new(TestApp::start().await);
    let store = test.store("shop", Currency::GBP).await;
    let opened = test.post("/api/v1/carts", &[], &json!({})).await;
    let (cart, token) = (opened.header("location").to_owned(), text(&opened.json["token"]));
    let mut variants = Vec::new();
    for number in 0..20 {
        let put =
            test.put(store, product(&format!("item-{number}"), Money::new(number, Currency::GBP))).await;
        variants.push(put.variants[0].0);
        test.adjust(put.variants[0].0, 50, Reason::Opening).await;
    }
    for same in [false, true] {
        let mut rush = JoinSet::new();
        for variant in &variants {
            let (test, token, path) = (Arc::clone(&test), token.clone(), format!("{cart}/items"));
            let variant = if same { variants[0] } else { *variant };
            rush.spawn(async move { test.post(&path, &[("x-cart-token", &token)], &item(variant, 1)).await });
        }
        while let Some(answer) = rush.join_next().await {
            let answer = answer.unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let shown = test.get(&cart, &[("x-cart-token", &token)]).await;
        let lines: HashSet<_> = contents(&shown).into_iter().collect();
        let first = if same { 21 } else { 1 };
        let expected: HashSet<_> = variants
            .iter()
            .map(|variant| (variant.to_string(), if *variant == variants[0] { first } else { 1 }))
            .collect();
        assert_eq!(lines, expected);
        assert_eq!(shown.json["subtotal"]["amount"], (0..20).sum::<i64>());
    }
    test.run_jobs().await;
    Arc::into_inner(test).unwrap().finish().await;
}

/// What was bought is out of the basket: it is empty, and a new one begins with the next product.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_basket_begins_after_a_purchase() {
    let test = TestApp::start().await;
    let teapot = test.product(NewProduct::default()).await;
    let token = test.basket(teapot, 1).await;
    let cookie = format!("souk_cart={token}");
    let headers = [("cookie", cookie.as_str())];
    let old = test.get(BASKET, &headers).await;
    let bought = test.check_out(&token, "k", "tok_visa").await;
    assert_eq!(bought.status, 201, "{bought:?}");
    let empty = test.get(BASKET, &headers).await;
    assert_eq!((&empty.json["id"], &empty.json["lines"]), (&Value::Null, &json!([])));
    let begun = test.post(ADD, &headers, &item(teapot, 2)).await;
    assert_eq!(contents(&begun), [(teapot.to_string(), 2)]);
    assert_ne!(begun.json["id"], old.json["id"]);
    let new = begun.header("x-cart-token").to_owned();
    assert!(!new.is_empty() && new != token);
    assert!(begun.header("set-cookie").starts_with(&format!("souk_cart={new};")));
    // The old token still opens its order, the new one does not.
    let order = bought.header("location").to_owned();
    assert_eq!(test.get(&order, &[("x-cart-token", &token)]).await.status, 200);
    assert_eq!(test.get(&order, &[("x-cart-token", &new)]).await.status, 404);
    test.finish().await;
}

/// A cart that was bought can be looked at, but not changed; whoever tries is told the order.
#[tokio::test(flavor = "multi_thread")]
async fn a_bought_cart_is_closed() {
    let test = TestApp::start().await;
    let teapot = test.product(NewProduct { stock: 3, ..NewProduct::default() }).await;
    let store = test.store("shop", Currency::GBP).await;
    let token = test.basket(teapot, 2).await;
    let headers = [("x-cart-token", token.as_str()), ("idempotency-key", "another")];
    let before = test.get(BASKET, &headers).await;
    let cart = format!("/api/v1/carts/{}", text(&before.json["id"]));
    let line = format!("{cart}/items/{}", text(&before.json["lines"][0]["id"]));
    let order = text(&test.check_out(&token, "k", "tok_visa").await.json["id"]);
    for (method, path, body) in [
        (Method::POST, format!("{cart}/items"), Some(item(teapot, 1))),
        (Method::PATCH, line.clone(), Some(json!({"quantity": 1}))),
        (Method::DELETE, line, None),
        (
            Method::POST,
            "/api/v1/orders".to_owned(),
            Some(
                json!({"cart_id": before.json["id"], "email": "ada@example.com", "shipping": testkit::address()}),
            ),
        ),
    ] {
        let refused = test.send(method.clone(), &path, &headers, body.as_ref()).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code()),
            (409, "orders/cart_completed"),
            "{method} {path}"
        );
        assert_eq!(refused.json["details"][0]["facts"]["order_id"], order.as_str(), "{method} {path}");
    }
    // The price of later is no concern of what is bought.
    test.put(store, product("teapot", Money::new(9999, Currency::GBP))).await;
    let shown = test.get(&cart, &headers).await;
    assert_eq!((contents(&shown), notes(&shown, 0)), (vec![(teapot.to_string(), 2)], vec![]));
    assert_eq!(shown.json["order_id"], order.as_str());
    test.clock.advance(time::Duration::days(60));
    assert_eq!(test.get(&cart, &headers).await.status, 200, "it does not expire");
    test.finish().await;
}

/// An emptied cart takes another currency.
#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_cart_takes_another_currency() {
    let test = TestApp::start().await;
    let teapot = test.product(NewProduct::default()).await;
    let abroad = test.store("abroad", Currency::EUR).await;
    let rose = test
        .product_of(abroad, Currency::EUR, NewProduct { slug: "rose", price: 700, ..NewProduct::default() })
        .await;
    let token = test.basket(teapot, 1).await;
    let headers = [("x-cart-token", token.as_str())];
    let refused = test.post(ADD, &headers, &item(rose, 1)).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "orders/currency_mismatch"));
    let shown = test.get(BASKET, &headers).await;
    let line =
        format!("/api/v1/carts/{}/items/{}", text(&shown.json["id"]), text(&shown.json["lines"][0]["id"]));
    let emptied = test.send(Method::DELETE, &line, &headers, None).await;
    assert_eq!((&emptied.json["currency"], &emptied.json["subtotal"]), (&Value::Null, &Value::Null));
    let added = test.post(ADD, &headers, &item(rose, 2)).await;
    assert_eq!(contents(&added), [(rose.to_string(), 2)]);
    assert_eq!(added.json["subtotal"], json!({"amount": 1400, "currency": "EUR"}));
    assert_eq!(added.json["id"], shown.json["id"]);
    let bought = test.check_out(&token, "k", "tok_visa").await;
    assert_eq!(
        (bought.status.as_u16(), &bought.json["total"]["currency"]),
        (201, &json!("EUR")),
        "{bought:?}"
    );
    test.finish().await;
}

/// A first item that can not be had leaves no cart behind.
#[tokio::test(flavor = "multi_thread")]
async fn no_cart_is_opened_for_nothing() {
    let test = TestApp::start().await;
    let sold_out = test.product(NewProduct { stock: 0, ..NewProduct::default() }).await.to_string();
    let unknown = "019a9c2e-5d10-7c6e-9a41-0f4b8a2d7c11".to_owned();
    for (variant, code) in [(sold_out, "inventory/out_of_stock"), (unknown, "orders/item_unavailable")] {
        let refused =
            test.post("/api/v1/shopping_basket/products", &[], &json!({"variant_id": variant})).await;
        assert_eq!(refused.code(), code);
    }
    let carts: i64 = sqlx::query_scalar("SELECT count(*) FROM orders.carts")
        .fetch_one(test.app.database.pool())
        .await
        .unwrap();
    assert_eq!(carts, 0);
    test.finish().await;
}
