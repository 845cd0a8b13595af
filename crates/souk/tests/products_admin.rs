//! Products, prices and categories by those who look after them.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::sync::Arc;

use catalog::ProductStatus;
use identity::StoreRole;
use platform::Currency;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, NewProduct, Person, TestApp};
use tokio::task::JoinSet;

const UNKNOWN: &str = "019a9c2e-5d10-7c6e-9a41-0f4b8a2d7c11";

fn pounds(amount: i64) -> Value {
    json!({"amount": amount, "currency": "GBP"})
}

fn teapot() -> Value {
    json!({
        "title": "A teapot", "status": "active", "options": ["Size"], "tags": ["stoneware"],
        "images": [{"url": "/media/teapot.svg", "alt": "A teapot"}],
        "variants": [
            {"sku": "TEA-S", "options": ["Small"], "price": pounds(1500), "weight_grams": 400},
            {"sku": "TEA-L", "options": ["Large"], "price": pounds(1999)},
        ]
    })
}

async fn post(test: &TestApp, person: Option<&Person>, path: &str, body: &Value) -> Answer {
    test.ask(person, Method::POST, path, &[], Some(body)).await
}

async fn patch(test: &TestApp, person: Option<&Person>, path: &str, etag: &str, body: &Value) -> Answer {
    test.ask(person, Method::PATCH, path, &[("if-match", etag)], Some(body)).await
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{answer:?}");
}

async fn make(test: &TestApp, person: &Person, store: &str, key: &str, body: &Value) -> Answer {
    let (path, headers) = (format!("/api/v1/stores/{store}/products"), [("idempotency-key", key)]);
    test.ask(Some(person), Method::POST, &path, &headers, Some(body)).await
}

/// The titles of all products of a store, the latest first.
async fn titles(test: &TestApp, person: &Person, store: &str) -> Vec<String> {
    let path = format!("/api/v1/stores/{store}/admin/products");
    let list = test.ask(Some(person), Method::GET, &path, &[], None).await;
    let products = list.json["data"].as_array().unwrap().iter();
    products.map(|product| product["title"].as_str().unwrap().to_owned()).collect()
}

/// Sent again with the same key a product is made once, also by many at the same time, and answered the same for a day
/// whatever has become of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_product_is_made_once() {
    let test = Arc::new(TestApp::start().await);
    let (ada, store) = test.seller("shop").await;
    let mut racers = JoinSet::new();
    for _ in 0..8 {
        let (test, ada) = (Arc::clone(&test), ada.clone());
        racers.spawn(async move { make(&test, &ada, "shop", "k", &teapot()).await });
    }
    let answers = racers.join_all().await;
    let told = |answer: &Answer| {
        (
            answer.status,
            answer.json.clone(),
            answer.header("etag").to_owned(),
            answer.header("location").to_owned(),
        )
    };
    let first = answers.iter().find(|answer| answer.header("idempotent-replayed").is_empty()).unwrap();
    assert_eq!(first.status, 201, "{first:?}");
    assert!(answers.iter().all(|answer| told(answer) == told(first)), "{answers:?}");
    let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed") == "true").count();
    assert_eq!((replayed, titles(&test, &ada, "shop").await), (7, vec!["A teapot".to_owned()]));
    let other = json!({"title": "A mug", "variants": [{"price": pounds(500)}]});
    assert_refused(&make(&test, &ada, "shop", "k", &other).await, 422, "request/idempotency_key_reused");
    assert_refused(&make(&test, &ada, "shop", "", &other).await, 400, "request/idempotency_key_invalid");

    // It is changed and counted; the answer stays.
    let variant = first.json["variants"][0]["id"].as_str().unwrap();
    let stock = format!("/api/v1/stores/shop/stock/{variant}/adjustments");
    let received = post(&test, Some(&ada), &stock, &json!({"quantity": 3, "reason": "received"})).await;
    assert_eq!(received.status, 201, "{received:?}");
    let change = json!({"title": "The teapot"});
    let changed = patch(&test, Some(&ada), first.header("location"), first.header("etag"), &change).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(told(&make(&test, &ada, "shop", "k", &teapot()).await), told(first));
    // By the store's id too, and by whoever else may make products there; but not by who may not.
    let ben = test.member("ben", store, StoreRole::Manager).await;
    assert_eq!(told(&make(&test, &ben, &store.to_string(), "k", &teapot()).await), told(first));
    let (eve, _) = test.seller("other").await;
    assert_eq!(make(&test, &eve, "shop", "k", &teapot()).await.status, 403);
    // Another store's keys are its own.
    let hers = make(&test, &eve, "other", "k", &teapot()).await;
    assert_eq!((hers.status.as_u16(), hers.header("idempotent-replayed")), (201, ""));
    assert_ne!(hers.json["id"], first.json["id"]);

    // What was refused left the key free.
    let twice = json!({"title": "A mug", "variants": [{"price": pounds(500)}, {"price": pounds(600)}]});
    assert_refused(&make(&test, &ada, "shop", "mug", &twice).await, 422, "request/invalid_value");
    assert_eq!(make(&test, &ada, "shop", "mug", &other).await.status, 201);

    test.clock.advance(time::Duration::hours(23));
    assert_eq!(test.app.catalog.clean_up().await.unwrap(), 0);
    // The tokens of yesterday are good no longer.
    let cy = test.member("cy", store, StoreRole::Manager).await;
    assert_eq!(make(&test, &cy, "shop", "mug", &other).await.header("idempotent-replayed"), "true");
    test.clock.advance(time::Duration::hours(2));
    assert_eq!(test.app.catalog.clean_up().await.unwrap(), 3);
    let dan = test.member("dan", store, StoreRole::Manager).await;
    let anew = make(&test, &dan, "shop", "mug", &other).await;
    assert_eq!((anew.status.as_u16(), anew.header("idempotent-replayed")), (201, ""));
    assert_eq!(titles(&test, &dan, "shop").await, ["A mug", "A mug", "The teapot"]);
    Arc::into_inner(test).unwrap().finish().await;
}

/// A product is made, put on sale, changed, and taken off sale; guests see it while it is on sale.
#[tokio::test(flavor = "multi_thread")]
async fn a_product_lives() {
    let test = TestApp::start().await;
    let (ada, store) = test.seller("shop").await;
    let category = test.category("teapots", None).await;
    let mut body = teapot();
    body["status"] = json!("draft");
    let made = post(&test, Some(&ada), "/api/v1/stores/shop/products", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.json["slug"], "a-teapot");
    assert_eq!(made.json["options"], json!([{"name": "Size", "values": ["Small", "Large"]}]));
    assert_eq!(made.json["variants"][1]["title"], "Large");
    let path = made.header("location");
    assert_eq!(path, format!("/api/v1/stores/{store}/products/{}", made.json["id"].as_str().unwrap()));
    assert_eq!(test.get("/api/v1/products/a-teapot", &[]).await.status, 404);
    let seen = test.ask(Some(&ada), Method::GET, path, &[], None).await;
    assert_eq!((&seen.json, seen.header("etag")), (&made.json, made.header("etag")));
    assert_eq!(seen.header("cache-control"), "private, no-store");

    test.clock.advance(time::Duration::minutes(1));
    let change =
        json!({"status": "active", "title": "The teapot", "vendor": "Kiln", "categories": [category]});
    let changed = patch(&test, Some(&ada), path, seen.header("etag"), &change).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let public = test.get("/api/v1/products/a-teapot", &[]).await;
    assert_eq!((public.status.as_u16(), &public.json), (200, &changed.json));
    assert_eq!((&public.json["vendor"], &public.json["tags"]), (&json!("Kiln"), &json!(["stoneware"])));
    assert_eq!(test.get("/api/v2/products?category=teapots", &[]).await.json["data"][0], changed.json);
    assert_refused(
        &patch(&test, Some(&ada), path, seen.header("etag"), &change).await,
        412,
        "catalog/changed_meanwhile",
    );
    let cleared = json!({"vendor": null, "categories": [], "images": []});
    let cleared = patch(&test, Some(&ada), path, changed.header("etag"), &cleared).await;
    assert_eq!((&cleared.json["vendor"], &cleared.json["categories"]), (&Value::Null, &json!([])));
    assert_eq!(test.get("/api/v1/products/a-teapot", &[]).await.json, cleared.json);

    let gone = test.ask(Some(&ada), Method::DELETE, path, &[], None).await;
    assert_eq!((gone.status.as_u16(), &gone.json["status"]), (200, &json!("archived")));
    assert_eq!(test.get("/api/v1/products/a-teapot", &[]).await.status, 404);
    for (query, count) in [("", 1), ("?status=archived", 1), ("?status=active", 0)] {
        let list = format!("/api/v1/stores/shop/admin/products{query}");
        let list = test.ask(Some(&ada), Method::GET, &list, &[], None).await;
        assert_eq!(list.json["data"].as_array().unwrap().len(), count, "{list:?}");
    }
    test.finish().await;
}

/// Prices and variants change with the product's version; what guests see and pay is what was set last.
#[tokio::test(flavor = "multi_thread")]
async fn prices_are_changed() {
    let test = TestApp::start().await;
    let (ada, store) = test.seller("shop").await;
    let made = post(&test, Some(&ada), "/api/v1/stores/shop/products", &teapot()).await;
    assert_eq!(test.get("/api/v1/products/a-teapot", &[]).await.status, 200);
    let path = made.header("location").to_owned();
    let variants = format!("{path}/variants");
    let huge = json!({"options": ["Huge"], "price": pounds(4999)});
    let added = post(&test, Some(&ada), &variants, &huge).await;
    assert_eq!(
        (added.status.as_u16(), added.json["variants"].as_array().unwrap().len()),
        (201, 3),
        "{added:?}"
    );
    assert_eq!(added.json["options"][0]["values"], json!(["Small", "Large", "Huge"]));
    assert_refused(&post(&test, Some(&ada), &variants, &huge).await, 409, "catalog/variant_exists");
    let small = format!("{variants}/{}", made.json["variants"][0]["id"].as_str().unwrap());
    let dearer = json!({"price": pounds(1799), "compare_at_price": pounds(2499), "sku": null});
    let no_version = test.ask(Some(&ada), Method::PATCH, &small, &[], Some(&dearer)).await;
    assert_refused(&no_version, 428, "request/if_match_required");
    let stale = patch(&test, Some(&ada), &small, made.header("etag"), &dearer).await;
    assert_refused(&stale, 412, "catalog/changed_meanwhile");
    let etag = added.header("etag");
    let twice = patch(&test, Some(&ada), &small, etag, &json!({"options": ["Large"]})).await;
    assert_refused(&twice, 409, "catalog/variant_exists");
    let changed = patch(&test, Some(&ada), &small, etag, &dearer).await;
    let variant = &changed.json["variants"][0];
    assert_eq!(
        (&variant["price"], &variant["sku"], &variant["weight_grams"]),
        (&pounds(1799), &Value::Null, &json!(400))
    );
    assert_eq!(test.get("/api/v1/products/a-teapot", &[]).await.json, changed.json);
    let listed = test.get("/api/v2/products?min_price=1799&max_price=1799", &[]).await;
    assert_eq!(listed.json["data"].as_array().unwrap().len(), 1, "{listed:?}");
    let cleared =
        patch(&test, Some(&ada), &small, changed.header("etag"), &json!({"compare_at_price": null})).await;
    assert_eq!(cleared.json["variants"][0]["compare_at_price"], Value::Null);
    let nothing = format!("{variants}/{UNKNOWN}");
    let nothing = patch(&test, Some(&ada), &nothing, cleared.header("etag"), &dearer).await;
    assert_refused(&nothing, 404, "catalog/variant_not_found");
    let told: Vec<(Value,)> = sqlx::query_as(
        "SELECT facts FROM platform.audit_log WHERE action = 'variant.changed' AND store_id = $1",
    )
    .bind(store.uuid())
    .fetch_all(test.app.database.pool())
    .await
    .unwrap();
    assert_eq!(told[0].0["price"], json!({"before": pounds(1500), "after": pounds(1799)}));
    test.finish().await;
}

/// Whatever can not be right is refused with its place, and nothing is written.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_products_are_refused() {
    let test = TestApp::start().await;
    let (ada, _) = test.seller("shop").await;
    let euros = json!({"amount": 5, "currency": "EUR"});
    for (pointer, value, field) in [
        ("/title", json!(" "), "title"),
        ("/title", json!("a\u{0}"), "title"),
        ("/description", json!("a\u{0}"), "description"),
        ("/tags", json!(["ok", ""]), "tags[1]"),
        ("/status", json!("sold"), "status"),
        ("/images/0/url", json!("javascript:x"), "images[0].url"),
        ("/categories", json!([UNKNOWN]), "categories[0]"),
        ("/variants", json!([]), "variants"),
        ("/variants/0/price", pounds(-1), "variants[0].price"),
        ("/variants/0/price", pounds(i64::MAX), "variants[0].price"),
        ("/variants/1/price", euros.clone(), "variants[1].price"),
        ("/variants/1/compare_at_price", euros, "variants[1].compare_at_price"),
        ("/variants/1/options", json!(["Small"]), "variants[1].options"),
        ("/variants/1/options", json!([]), "variants[1].options"),
        ("/variants/1/weight_grams", json!(-1), "variants[1].weight_grams"),
        ("/options", json!(["Size", "Size"]), "options[1]"),
        ("/store", json!("other"), "store"),
    ] {
        let mut body = teapot();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = if parent.is_empty() { &mut body } else { body.pointer_mut(parent).unwrap() };
        parent[name] = value;
        let answer = post(&test, Some(&ada), "/api/v1/stores/shop/products", &body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json["details"][0]["field"]),
            (422, &json!(field)),
            "{answer:?}"
        );
        answer.code();
    }
    let made = post(&test, Some(&ada), "/api/v1/stores/shop/products", &teapot()).await;
    let (path, etag) = (made.header("location"), made.header("etag"));
    for (body, field) in [
        (json!({"title": ""}), "title"),
        (json!({"categories": [UNKNOWN]}), "categories[0]"),
        (json!({"images": [{"url": "x"}]}), "images[0].url"),
        (json!({"slug": "x"}), "slug"),
        (json!({"tags": null}), ""),
    ] {
        let answer = patch(&test, Some(&ada), path, etag, &body).await;
        if field.is_empty() {
            assert_eq!(answer.status, 200, "null is the same as nothing: {answer:?}");
        } else {
            assert_eq!(
                (answer.status.as_u16(), &answer.json["details"][0]["field"]),
                (422, &json!(field)),
                "{body}"
            );
        }
    }
    // A slug that is taken gets something put behind it, also by another store's product.
    let again = post(&test, Some(&ada), "/api/v1/stores/shop/products", &teapot()).await;
    assert!(again.json["slug"].as_str().unwrap().starts_with("a-teapot-"), "{again:?}");
    test.finish().await;
}

/// Nobody touches another store's products, and nobody learns of those that are not on sale.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_its_own_teams() {
    let test = TestApp::start().await;
    let ((ada, shop), (eve, other)) = (test.seller("shop").await, test.seller("other").await);
    let reader = test.person("reader").await;
    test.join(&reader, shop, StoreRole::ReadOnly).await;
    let made = post(&test, Some(&ada), "/api/v1/stores/shop/products", &teapot()).await;
    let (id, etag) = (made.json["id"].as_str().unwrap(), made.header("etag"));
    let variant = made.json["variants"][0]["id"].as_str().unwrap();
    let one_more = json!({"options": ["Huge"], "price": pounds(1)});
    let requests = |store: &str| {
        let products = format!("/api/v1/stores/{store}/products");
        [
            (Method::GET, format!("{products}/{id}"), None),
            (Method::GET, format!("/api/v1/stores/{store}/admin/products"), None),
            (Method::POST, products.clone(), Some(teapot())),
            (Method::PATCH, format!("{products}/{id}"), Some(json!({"title": "Mine"}))),
            (Method::DELETE, format!("{products}/{id}"), None),
            (Method::POST, format!("{products}/{id}/variants"), Some(one_more.clone())),
            (Method::PATCH, format!("{products}/{id}/variants/{variant}"), Some(json!({"price": pounds(1)}))),
        ]
    };
    for (method, path, body) in requests(&shop.to_string()) {
        let ask =
            async |who| test.ask(who, method.clone(), &path, &[("if-match", etag)], body.as_ref()).await;
        assert_refused(&ask(None).await, 401, "identity/unauthenticated");
        assert_refused(&ask(Some(&eve)).await, 403, "identity/forbidden");
        if method == Method::GET {
            assert_eq!(ask(Some(&reader)).await.status, 200, "{path}");
        } else {
            assert_refused(&ask(Some(&reader)).await, 403, "identity/forbidden");
        }
    }
    // Under one's own store somebody else's product is none, though it is there.
    let own = requests(&other.to_string());
    for (method, path, body) in own.into_iter().filter(|(.., path, _)| path.contains(id)) {
        let answer = test.ask(Some(&eve), method, &path, &[("if-match", etag)], body.as_ref()).await;
        assert_refused(&answer, 404, "catalog/product_not_found");
    }
    // A store that is not open is not there.
    sqlx::query("UPDATE catalog.stores SET status = 'suspended' WHERE id = $1")
        .bind(shop.uuid())
        .execute(test.app.database.pool())
        .await
        .unwrap();
    for (method, path, body) in
        requests(&shop.to_string()).into_iter().chain(requests("shop")).chain(requests(UNKNOWN))
    {
        for who in [None, Some(&eve)] {
            let answer = test.ask(who, method.clone(), &path, &[("if-match", etag)], body.as_ref()).await;
            assert_refused(&answer, 404, "catalog/store_not_found");
        }
    }
    let own = test.ask(Some(&ada), Method::GET, made.header("location"), &[], None).await;
    assert_eq!(own.status, 200, "its team still sees it");
    test.finish().await;
}

/// A team's list comes in slices, all of it and nothing twice; an import's products can be changed too.
#[tokio::test(flavor = "multi_thread")]
async fn lists_and_imports_fit_together() {
    let test = TestApp::start().await;
    let (ada, store) = test.seller("shop").await;
    for (slug, status) in
        [("a", ProductStatus::Draft), ("b", ProductStatus::Active), ("c", ProductStatus::Archived)]
    {
        test.product_of(store, Currency::GBP, NewProduct { slug, status, ..NewProduct::default() }).await;
    }
    let (mut after, mut slugs) = (String::new(), Vec::new());
    loop {
        let path = format!("/api/v1/stores/shop/admin/products?first=2{after}");
        let answer = test.ask(Some(&ada), Method::GET, &path, &[], None).await;
        slugs.extend(answer.json["data"].as_array().unwrap().iter().map(|product| product["slug"].clone()));
        if answer.json["page_info"]["has_next_page"] == false {
            break;
        }
        after = format!("&after={}", answer.json["page_info"]["end_cursor"].as_str().unwrap());
    }
    slugs.sort_by_key(ToString::to_string);
    assert_eq!(slugs, ["a", "b", "c"]);
    let bad =
        test.ask(Some(&ada), Method::GET, "/api/v1/stores/shop/admin/products?after=x", &[], None).await;
    assert_refused(&bad, 422, "request/bad_cursor");
    let found = test.get("/api/v1/products/b", &[]).await;
    let path = format!("/api/v1/stores/shop/products/{}", found.json["id"].as_str().unwrap());
    let seen = test.ask(Some(&ada), Method::GET, &path, &[], None).await;
    // The import comes again in between: what was read is out of date.
    let dearer = NewProduct { slug: "b", price: 2500, ..NewProduct::default() };
    test.product_of(store, Currency::GBP, dearer).await;
    let stale = patch(&test, Some(&ada), &path, seen.header("etag"), &json!({"title": "B"})).await;
    assert_refused(&stale, 412, "catalog/changed_meanwhile");
    test.finish().await;
}

/// Operators shape the tree of categories; it stays a tree, and nothing in it is lost.
#[tokio::test(flavor = "multi_thread")]
async fn categories_are_the_operators() {
    let test = TestApp::start().await;
    let (operator, (ada, _)) = (test.operator().await, test.seller("shop").await);
    let path = "/api/v1/categories";
    let kitchen = post(&test, Some(&operator), path, &json!({"name": "Kitchen & Table"})).await;
    assert_eq!(
        (kitchen.status.as_u16(), &kitchen.json["slug"]),
        (201, &json!("kitchen-table")),
        "{kitchen:?}"
    );
    let kitchen_id = kitchen.json["id"].clone();
    let pots = json!({"name": "Pots", "parent_id": kitchen_id, "position": 3});
    let pots = post(&test, Some(&operator), path, &pots).await;
    let tree = test.get(path, &[]).await;
    assert_eq!(tree.json["data"][0]["children"][0]["slug"], "pots", "{tree:?}");
    let (kitchen_path, pots_path) = (kitchen.header("location"), pots.header("location"));
    assert_eq!(test.get(pots_path, &[]).await.json, pots.json);

    let taken = post(&test, Some(&operator), path, &json!({"name": "Other", "slug": "pots"})).await;
    assert_refused(&taken, 409, "catalog/category_slug_taken");
    for parent in [json!(UNKNOWN), kitchen_id, pots.json["id"].clone()] {
        let answer =
            patch(&test, Some(&operator), kitchen_path, "\"1\"", &json!({"parent_id": parent})).await;
        assert_eq!((answer.status.as_u16(), &answer.json["details"][0]["field"]), (422, &json!("parent_id")));
    }
    let no_version = test.ask(Some(&operator), Method::PATCH, pots_path, &[], Some(&json!({}))).await;
    assert_refused(&no_version, 428, "request/if_match_required");
    let moved =
        patch(&test, Some(&operator), pots_path, "\"1\"", &json!({"parent_id": null, "name": "All pots"}))
            .await;
    assert_eq!((moved.header("etag"), &moved.json["parent_id"]), ("\"2\"", &Value::Null), "{moved:?}");
    assert_eq!(test.get(path, &[]).await.json["data"].as_array().unwrap().len(), 2);
    let stale = patch(&test, Some(&operator), pots_path, "\"1\"", &json!({"position": 0})).await;
    assert_refused(&stale, 412, "catalog/changed_meanwhile");

    let mut body = teapot();
    body["categories"] = json!([pots.json["id"]]);
    let product = post(&test, Some(&ada), "/api/v1/stores/shop/products", &body).await;
    let full = test.ask(Some(&operator), Method::DELETE, pots_path, &[], None).await;
    assert_refused(&full, 409, "catalog/category_not_empty");
    assert_eq!(full.json["details"][0]["facts"], json!({"products": 1, "children": 0}));
    patch(&test, Some(&ada), product.header("location"), product.header("etag"), &json!({"categories": []}))
        .await;
    for who in [None, Some(&ada)] {
        let (status, code) =
            if who.is_some() { (403, "identity/forbidden") } else { (401, "identity/unauthenticated") };
        assert_refused(&post(&test, who, path, &json!({"name": "Mine"})).await, status, code);
        assert_refused(&patch(&test, who, pots_path, "\"2\"", &json!({"name": "Mine"})).await, status, code);
        assert_refused(&test.ask(who, Method::DELETE, pots_path, &[], None).await, status, code);
    }
    assert_eq!(test.ask(Some(&operator), Method::DELETE, pots_path, &[], None).await.status, 200);
    assert_refused(&test.get(pots_path, &[]).await, 404, "catalog/category_not_found");
    test.finish().await;
}

/// A store limits what one buyer may have of a product, and takes the limit away; carts are told.
#[tokio::test(flavor = "multi_thread")]
async fn a_product_may_have_a_purchase_limit() {
    let test = TestApp::start().await;
    let (ada, _) = test.seller("shop").await;
    let mut body = teapot();
    for wrong in [json!(0), json!(1001), json!(-1), json!(1.5), json!("2")] {
        body["purchase_limit"] = wrong;
        let refused = post(&test, Some(&ada), "/api/v1/stores/shop/products", &body).await;
        let field = &refused.json["details"][0]["field"];
        assert_eq!((refused.status.as_u16(), field), (422, &json!("purchase_limit")), "{refused:?}");
    }
    body["purchase_limit"] = json!(2);
    let made = post(&test, Some(&ada), "/api/v1/stores/shop/products", &body).await;
    assert_eq!((made.status.as_u16(), &made.json["purchase_limit"]), (201, &json!(2)), "{made:?}");
    let variant = made.json["variants"][0]["id"].as_str().unwrap().parse().unwrap();
    let path = made.header("location");
    let mut etag = made.header("etag").to_owned();
    for (change, limit) in [
        (json!({"title": "A pot"}), json!(2)),
        (json!({"purchase_limit": 1000}), json!(1000)),
        (json!({"purchase_limit": null}), json!(null)),
    ] {
        let changed = patch(&test, Some(&ada), path, &etag, &change).await;
        assert_eq!((changed.status.as_u16(), &changed.json["purchase_limit"]), (200, &limit), "{changed:?}");
        changed.header("etag").clone_into(&mut etag);
        let offer = test.app.catalog.offers(&[variant]).await.unwrap().remove(0);
        assert_eq!(json!(offer.purchase_limit), limit);
    }
    test.finish().await;
}
