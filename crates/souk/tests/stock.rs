//! Stock by those whose it is: adjusted with a reason, counted on top of what was read, never set blindly.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::sync::Arc;

use catalog::{StoreId, VariantId};
use identity::StoreRole;
use inventory::{Line, Reason, ReservationId, Reserve};
use platform::{Currency, Quantity};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, NewProduct, Person, TestApp};
use tokio::task::JoinSet;

async fn show(test: &TestApp, person: &Person, path: &str) -> Answer {
    test.ask(Some(person), Method::GET, path, &[], None).await
}

async fn adjust(test: &TestApp, person: &Person, path: &str, key: Option<&str>, body: &Value) -> Answer {
    let headers: Vec<_> = key.iter().map(|key| ("idempotency-key", *key)).collect();
    test.ask(Some(person), Method::POST, &format!("{path}/adjustments"), &headers, Some(body)).await
}

async fn count(test: &TestApp, person: &Person, path: &str, etag: &str, on_hand: i64) -> Answer {
    let body = json!({"on_hand": on_hand, "reason": "counted"});
    test.ask(Some(person), Method::PUT, path, &[("if-match", etag)], Some(&body)).await
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{answer:?}");
}

/// A seller whose store has ten teapots; gives the path of their stock too.
async fn seller(test: &TestApp) -> (Person, StoreId, VariantId, String) {
    let (ada, store) = test.seller("shop").await;
    let teapot = test.product(NewProduct::default()).await;
    (ada, store, teapot, format!("/api/v1/stores/{store}/stock/{teapot}"))
}

async fn reserve(test: &TestApp, variant: VariantId, units: i64) -> ReservationId {
    let (id, line) = (test.app.sources.id(), Line::new(variant, Quantity::try_from(units).unwrap()));
    let (buyers, destination, expires_at) = (Vec::new(), None, None);
    test.app
        .inventory
        .reserve(Reserve { id, lines: vec![line], buyers, destination, expires_at })
        .await
        .unwrap();
    id
}

/// What comes and goes is written down with its reason and who did it, the latest first.
#[tokio::test(flavor = "multi_thread")]
async fn stock_is_adjusted_with_a_reason() {
    let test = TestApp::start().await;
    let (ada, _, teapot, path) = seller(&test).await;
    let before = show(&test, &ada, &path).await;
    assert_eq!(
        before.json,
        json!({"variant_id": teapot, "on_hand": 10, "reserved": 0, "available": 10, "version": 1,
               "locations": [{"location": "main", "on_hand": 10, "reserved": 0, "available": 10}]})
    );
    assert_eq!((before.header("etag"), before.header("cache-control")), ("\"1\"", "private, no-store"));
    for (quantity, reason, on_hand) in [(-2, "damaged", 8), (5, "received", 13), (-13, "lost", 0)] {
        test.clock.advance(time::Duration::seconds(1));
        let body = json!({"quantity": quantity, "reason": reason, "note": "shelf 3"});
        let made = adjust(&test, &ada, &path, None, &body).await;
        assert_eq!((made.status.as_u16(), &made.json["on_hand"]), (201, &json!(on_hand)), "{made:?}");
        assert_eq!((&made.json["actor_kind"], &made.json["actor_id"]), (&json!("user"), &json!(ada.id)));
    }
    test.run_jobs().await;
    let product = test.get("/api/v1/products/teapot", &[]).await;
    assert_eq!(product.json["variants"][0]["available"], 0);
    assert_eq!(test.get("/api/v2/products?in_stock=true", &[]).await.json["data"], json!([]));
    let (mut after, mut reasons) = (String::new(), Vec::new());
    loop {
        let slice = show(&test, &ada, &format!("{path}/adjustments?first=3{after}")).await;
        reasons.extend(slice.json["data"].as_array().unwrap().iter().map(|made| made["reason"].clone()));
        if slice.json["page_info"]["has_next_page"] == false {
            break;
        }
        after = format!("&after={}", slice.json["page_info"]["end_cursor"].as_str().unwrap());
    }
    assert_eq!(reasons, ["lost", "received", "damaged", "opening"]);
    test.finish().await;
}

/// Sent again with the same key an adjustment is applied once, also by many at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_adjustment_counts_once() {
    let test = Arc::new(TestApp::start().await);
    let (ada, store, teapot, path) = seller(&test).await;
    let body = json!({"quantity": 7, "reason": "received", "note": null});
    let mut racers = JoinSet::new();
    for _ in 0..8 {
        let (test, ada, path, body) = (Arc::clone(&test), ada.clone(), path.clone(), body.clone());
        racers.spawn(async move { adjust(&test, &ada, &path, Some("k"), &body).await });
    }
    let answers = racers.join_all().await;
    assert!(
        answers.iter().all(|answer| answer.status == 201 && answer.json == answers[0].json),
        "{answers:?}"
    );
    let first = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count();
    assert_eq!((first, test.available(teapot).await), (1, 17));
    let other_body = json!({"quantity": 8, "reason": "received"});
    let reused = adjust(&test, &ada, &path, Some("k"), &other_body).await;
    assert_refused(&reused, 422, "request/idempotency_key_reused");
    let mug =
        test.product_of(store, Currency::GBP, NewProduct { slug: "mug", ..NewProduct::default() }).await;
    let mug_path = format!("/api/v1/stores/{store}/stock/{mug}");
    assert_refused(
        &adjust(&test, &ada, &mug_path, Some("k"), &body).await,
        422,
        "request/idempotency_key_reused",
    );
    // Another store's keys are its own.
    let (eve, other) = test.seller("other").await;
    let cup =
        test.product_of(other, Currency::GBP, NewProduct { slug: "cup", ..NewProduct::default() }).await;
    let cup_path = format!("/api/v1/stores/{other}/stock/{cup}");
    assert_eq!(adjust(&test, &eve, &cup_path, Some("k"), &body).await.status, 201);
    assert_eq!(adjust(&test, &ada, &path, None, &body).await.status, 201);
    assert_eq!(test.available(teapot).await, 24);
    Arc::into_inner(test).unwrap().finish().await;
}

/// A count is made on top of what was read: a sale in between makes it stale, a reservation does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_count_is_never_blind() {
    let test = TestApp::start().await;
    let (ada, _, teapot, path) = seller(&test).await;
    let body = json!({"on_hand": 12, "reason": "counted"});
    let blind = test.ask(Some(&ada), Method::PUT, &path, &[], Some(&body)).await;
    assert_refused(&blind, 428, "request/if_match_required");
    assert_refused(&count(&test, &ada, &path, "*", 12).await, 412, "request/stale");
    let etag = show(&test, &ada, &path).await.header("etag").to_owned();
    let basket = test.basket(teapot, 3).await;
    assert_eq!(test.check_out(&basket, "k", "tok_visa").await.status, 201);
    test.run_jobs().await;
    assert_refused(&count(&test, &ada, &path, &etag, 12).await, 412, "inventory/changed_meanwhile");
    let read = show(&test, &ada, &path).await;
    assert_eq!(read.json["on_hand"], 7);
    let held = reserve(&test, teapot, 4).await;
    let counted = count(&test, &ada, &path, read.header("etag"), 9).await;
    assert_eq!((&counted.json["on_hand"], &counted.json["reserved"]), (&json!(9), &json!(4)), "{counted:?}");
    let history = show(&test, &ada, &format!("{path}/adjustments")).await;
    let difference =
        history.json["data"].as_array().unwrap().iter().find(|made| made["reason"] == "counted").unwrap();
    assert_eq!((&difference["quantity"], &difference["on_hand"]), (&json!(2), &json!(9)));
    let same = count(&test, &ada, &path, counted.header("etag"), 9).await;
    assert_eq!((same.status.as_u16(), same.header("etag")), (200, counted.header("etag")));
    let too_few = count(&test, &ada, &path, same.header("etag"), 3).await;
    assert_refused(&too_few, 409, "inventory/too_little");
    assert_eq!(show(&test, &ada, &path).await.json, same.json);
    test.app.inventory.release(held).await.unwrap();
    test.finish().await;
}

/// Of many who count on top of the same number one is right.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_counts_wins() {
    let test = Arc::new(TestApp::start().await);
    let (ada, _, teapot, path) = seller(&test).await;
    let mut racers = JoinSet::new();
    for on_hand in 20..28 {
        let (test, ada, path) = (Arc::clone(&test), ada.clone(), path.clone());
        racers.spawn(async move { count(&test, &ada, &path, "\"1\"", on_hand).await });
    }
    let answers = racers.join_all().await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert_eq!(test.available(teapot).await, won[0].json["on_hand"].as_i64().unwrap());
    Arc::into_inner(test).unwrap().finish().await;
}

/// What can not be right is refused with its place; what takes too much is refused whole.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_adjustments_are_refused() {
    let test = TestApp::start().await;
    let (ada, _, teapot, path) = seller(&test).await;
    for (body, field) in [
        (json!({"quantity": 0, "reason": "lost"}), "quantity"),
        (json!({"quantity": i64::MAX, "reason": "received"}), "quantity"),
        (json!({"quantity": 1.5, "reason": "received"}), "quantity"),
        (json!({"quantity": 1, "reason": "found"}), "reason"),
        (json!({"quantity": 1, "reason": "opening"}), "reason"),
        (json!({"quantity": 1}), "reason"),
        (json!({"quantity": 1, "reason": "received", "note": "a\u{0}"}), "note"),
        (json!({"quantity": 1, "reason": "received", "on_hand": 5}), "on_hand"),
    ] {
        let answer = adjust(&test, &ada, &path, None, &body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json["details"][0]["field"]),
            (422, &json!(field)),
            "{answer:?}"
        );
    }
    let too_many = adjust(&test, &ada, &path, Some("k"), &json!({"quantity": -11, "reason": "lost"})).await;
    assert_refused(&too_many, 409, "inventory/too_little");
    // What was refused has not used up its key.
    let fewer = adjust(&test, &ada, &path, Some("k"), &json!({"quantity": -10, "reason": "lost"})).await;
    assert_eq!((fewer.status.as_u16(), test.available(teapot).await), (201, 0));
    assert_refused(
        &show(&test, &ada, &format!("{path}/adjustments?after=x")).await,
        422,
        "request/bad_cursor",
    );
    test.finish().await;
}

/// A store's stock is its team's, as far as their roles go; anybody else's variant is none.
#[tokio::test(flavor = "multi_thread")]
async fn stock_is_its_own_teams() {
    let test = TestApp::start().await;
    let (_, store, teapot, path) = seller(&test).await;
    let (eve, other) = test.seller("other").await;
    let (reader, finance) = (test.person("reader").await, test.person("finance").await);
    test.join(&reader, store, StoreRole::ReadOnly).await;
    test.join(&finance, store, StoreRole::Finance).await;
    let body = json!({"quantity": 1, "reason": "received"});
    let counted = json!({"on_hand": 1, "reason": "counted"});
    let requests = |path: &str| {
        let list = path.rsplit_once('/').unwrap().0.to_owned();
        [
            (Method::GET, list.clone(), None),
            (Method::GET, format!("{list}?variant_id={teapot}"), None),
            (Method::GET, path.to_owned(), None),
            (Method::GET, format!("{path}/adjustments"), None),
            (Method::POST, format!("{path}/adjustments"), Some(body.clone())),
            (Method::PUT, path.to_owned(), Some(counted.clone())),
        ]
    };
    for (method, path, body) in requests(&path) {
        let ask =
            async |who| test.ask(who, method.clone(), &path, &[("if-match", "\"1\"")], body.as_ref()).await;
        assert_refused(&ask(None).await, 401, "identity/unauthenticated");
        assert_refused(&ask(Some(&eve)).await, 403, "identity/forbidden");
        assert_refused(&ask(Some(&finance)).await, 403, "identity/forbidden");
        match method {
            Method::GET => assert_eq!(ask(Some(&reader)).await.status, 200, "{path}"),
            _ => assert_refused(&ask(Some(&reader)).await, 403, "identity/forbidden"),
        }
    }
    let foreign = format!("/api/v1/stores/{other}/stock/{teapot}");
    for (method, path, body) in requests(&foreign).into_iter().skip(1) {
        let answer = test.ask(Some(&eve), method, &path, &[("if-match", "\"1\"")], body.as_ref()).await;
        assert_refused(&answer, 404, "inventory/variant_not_found");
    }
    assert_eq!(test.available(teapot).await, 10);
    test.finish().await;
}

/// A store's list has all its variants, those without stock too, and nobody else's.
#[tokio::test(flavor = "multi_thread")]
async fn the_list_has_every_variant() {
    let test = TestApp::start().await;
    let (ada, store, teapot, path) = seller(&test).await;
    let other = test.store("other", Currency::GBP).await;
    test.product_of(other, Currency::GBP, NewProduct { slug: "cup", ..NewProduct::default() }).await;
    let bare = testkit::product("bare", platform::Money::new(5, Currency::GBP));
    let bare = test.put(store, bare).await.variants[0].0;
    let list = format!("/api/v1/stores/{store}/stock");
    let (mut after, mut found) = (String::new(), Vec::new());
    loop {
        let slice = show(&test, &ada, &format!("{list}?first=1{after}")).await;
        found.extend(slice.json["data"].as_array().unwrap().iter().cloned());
        if slice.json["page_info"]["has_next_page"] == false {
            break;
        }
        after = format!("&after={}", slice.json["page_info"]["end_cursor"].as_str().unwrap());
    }
    let units = |variant: VariantId| {
        let level = found.iter().find(|level| level["variant_id"] == json!(variant));
        level.map(|level| level["on_hand"].as_i64().unwrap())
    };
    assert_eq!((found.len(), units(teapot), units(bare)), (2, Some(10), Some(0)), "{found:?}");
    let one = show(&test, &ada, &format!("{list}?variant_id={teapot}")).await;
    assert_eq!(one.json["data"], json!([show(&test, &ada, &path).await.json]));
    // The first units of a variant that never had any.
    let bare = format!("{list}/{bare}");
    let counted = count(&test, &ada, &bare, show(&test, &ada, &bare).await.header("etag"), 4).await;
    assert_eq!((counted.status.as_u16(), &counted.json["version"]), (200, &json!(1)), "{counted:?}");
    test.finish().await;
}

/// Stock from before it was written down whose it is comes to its store when it is first touched.
#[tokio::test(flavor = "multi_thread")]
async fn old_stock_comes_to_its_store() {
    for way in ["list", "level", "history", "adjust", "count", "import"] {
        let test = TestApp::start().await;
        let (ada, store, teapot, path) = seller(&test).await;
        let forget = "UPDATE inventory.stock_levels SET store_id = NULL; UPDATE inventory.stock_adjustments SET store_id = NULL";
        sqlx::raw_sql(forget).execute(test.app.database.pool()).await.unwrap();
        match way {
            "list" => {
                let list = show(&test, &ada, &format!("/api/v1/stores/{store}/stock")).await;
                assert_eq!(list.json["data"][0]["on_hand"], 10);
            }
            "level" => assert_eq!(show(&test, &ada, &path).await.json["on_hand"], 10),
            "history" => {
                let history = show(&test, &ada, &format!("{path}/adjustments")).await;
                assert_eq!(history.json["data"].as_array().unwrap().len(), 1);
            }
            "adjust" => {
                let body = json!({"quantity": 1, "reason": "received"});
                assert_eq!(adjust(&test, &ada, &path, None, &body).await.json["on_hand"], 11);
            }
            "count" => assert_eq!(count(&test, &ada, &path, "\"1\"", 3).await.status, 200),
            _ => test.adjust(teapot, 1, Reason::Received).await,
        }
        let left: (i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM inventory.stock_levels WHERE store_id IS DISTINCT FROM $1),
                    (SELECT count(*) FROM inventory.stock_adjustments WHERE store_id IS DISTINCT FROM $1)",
        )
        .bind(store.uuid())
        .fetch_one(test.app.database.pool())
        .await
        .unwrap();
        assert_eq!(left, (0, 0), "{way}");
        test.finish().await;
    }
}

/// A store adds locations, puts stock there, counts it there, and says in which order they serve; another store's are
/// none of its business.
#[tokio::test(flavor = "multi_thread")]
async fn stock_is_kept_by_location() {
    let test = TestApp::start().await;
    let (ada, store, _, path) = seller(&test).await;
    let locations = format!("/api/v1/stores/{store}/locations");
    let listed = show(&test, &ada, &locations).await;
    let main = json!({"code": "main", "name": "Main", "country": null, "position": 0, "active": true});
    assert_eq!(listed.json, json!({"data": [main]}));
    let york = json!({"code": "york", "name": "Warehouse York", "country": "GB"});
    let made = test.ask(Some(&ada), Method::POST, &locations, &[], Some(&york)).await;
    assert_eq!((made.status.as_u16(), &made.json["position"]), (201, &json!(1)), "{made:?}");
    let twice = test.ask(Some(&ada), Method::POST, &locations, &[], Some(&york)).await;
    assert_refused(&twice, 409, "inventory/location_taken");
    let received = json!({"quantity": 5, "reason": "received", "location": "york"});
    let made = adjust(&test, &ada, &path, Some("k"), &received).await;
    assert_eq!((&made.json["location"], &made.json["on_hand"]), (&json!("york"), &json!(5)), "{made:?}");
    let elsewhere = json!({"quantity": 5, "reason": "received"});
    let reused = adjust(&test, &ada, &path, Some("k"), &elsewhere).await;
    assert_refused(&reused, 422, "request/idempotency_key_reused");
    let nowhere = json!({"quantity": 5, "reason": "received", "location": "leeds"});
    let nowhere = adjust(&test, &ada, &path, None, &nowhere).await;
    assert_eq!((nowhere.status.as_u16(), &nowhere.json["details"][0]["field"]), (422, &json!("location")));
    let level = show(&test, &ada, &path).await;
    assert_eq!((&level.json["on_hand"], &level.json["available"]), (&json!(15), &json!(15)));
    let body = json!({"on_hand": 4, "reason": "counted", "location": "york"});
    let etag = [("if-match", level.header("etag"))];
    let counted = test.ask(Some(&ada), Method::PUT, &path, &etag, Some(&body)).await;
    assert_eq!(counted.json["locations"][1]["on_hand"], 4, "{counted:?}");
    assert_eq!(counted.json, show(&test, &ada, &path).await.json);
    let off = json!({"active": false, "position": 7, "name": "York", "country": null});
    let one = format!("{locations}/york");
    let changed = test.ask(Some(&ada), Method::PATCH, &one, &[], Some(&off)).await;
    let york = json!({"code": "york", "name": "York", "country": null, "position": 7, "active": false});
    assert_eq!(changed.json, york, "{changed:?}");
    let level = show(&test, &ada, &path).await;
    assert_eq!((&level.json["on_hand"], &level.json["available"]), (&json!(14), &json!(10)));
    let missing = test.ask(Some(&ada), Method::PATCH, &format!("{locations}/leeds"), &[], Some(&off)).await;
    assert_refused(&missing, 404, "inventory/location_not_found");
    let (eve, _) = test.seller("other").await;
    assert_refused(&show(&test, &eve, &locations).await, 403, "identity/forbidden");
    test.finish().await;
}
