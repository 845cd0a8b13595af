//! The catalogue as buyers read it: lists, products, filters, cursors, and answers that are never stale.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use catalog::{Image, ProductOption, ProductStatus, PutProduct, StoreId};
use identity::Actor;
use inventory::Reason;
use platform::{Currency, Money};
use serde_json::{Value, json};
use testkit::{Answer, NewProduct, TestApp, product, variant};
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const GBP: Currency = Currency::GBP;

fn pence(amount: i64) -> Money {
    Money::new(amount, GBP)
}

/// The slugs of a list, in its order.
fn slugs(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json["data"].as_array().unwrap().iter().map(|item| item["slug"].as_str().unwrap()).collect()
}

/// Puts `count` products named `item-00`, `item-01`... into the store, each a minute newer than the one before.
async fn many(test: &TestApp, store: StoreId, count: i64) {
    for number in 0..count {
        let created_at = Some(datetime!(2026-01-01 00:00 UTC) + time::Duration::minutes(number));
        let put = PutProduct { created_at, ..product(&format!("item-{number:02}"), pence(1000 + number)) };
        test.put(store, put).await;
    }
}

/// Numbered pages hold the newest first and tell how many there are, also beyond the last one.
#[tokio::test(flavor = "multi_thread")]
async fn numbered_pages_add_up() {
    let test = TestApp::start().await;
    let store = test.store("shop", GBP).await;
    many(&test, store, 25).await;
    for list in ["/api/v1/products", "/api/v1/stores/shop/products"] {
        let first = test.get(list, &[]).await;
        assert_eq!(slugs(&first).len(), 20);
        assert_eq!((&first.json["page"], &first.json["per_page"]), (&json!(1), &json!(20)));
        assert_eq!(slugs(&first)[..2], ["item-24", "item-23"]);

        let last = test.get(&format!("{list}?page=3&per_page=10"), &[]).await;
        assert_eq!(slugs(&last), ["item-04", "item-03", "item-02", "item-01", "item-00"]);
        let beyond = test.get(&format!("{list}?page=4&per_page=10"), &[]).await;
        assert_eq!(slugs(&beyond), Vec::<&str>::new());
        let far = test.get(&format!("{list}?page=1000000&per_page=100"), &[]).await;
        assert_eq!(slugs(&far), Vec::<&str>::new());
        for page in [&first, &last, &beyond, &far] {
            assert_eq!(page.json["total"], 25);
        }
    }
    let stores = test.get("/api/v1/stores?per_page=1&page=2", &[]).await;
    assert_eq!((slugs(&stores), &stores.json["total"]), (vec![], &json!(1)));
    test.finish().await;
}

/// A product is found under its id and its slug, and shows what is documented: no more and no less.
#[tokio::test(flavor = "multi_thread")]
async fn a_product_shows_what_is_documented() {
    let test = TestApp::start().await;
    let store = test.store("shop", GBP).await;
    let home = test.category("home", None).await;
    let tea = test.category("tea", Some(home)).await;
    let option = |name: &str, values: [&str; 2]| ProductOption {
        name: name.to_owned(),
        values: values.map(str::to_owned).to_vec(),
    };
    let put = test
        .put(
            store,
            PutProduct {
                title: "Teapot & <Cosy>".to_owned(),
                description: "<p>Holds “four” cups ☕</p>".to_owned(),
                vendor: Some("Kiln".to_owned()),
                tags: vec!["stoneware".to_owned()],
                options: vec![option("Size", ["Small", "Large"]), option("Glaze", ["Blue", "Ash"])],
                images: vec![
                    Image { url: "/media/a.svg".to_owned(), alt: "A".to_owned() },
                    Image { url: "https://cdn.example/b.jpg".to_owned(), alt: String::new() },
                ],
                categories: vec![tea],
                variants: vec![
                    catalog::PutVariant {
                        sku: Some("TP-S-B".to_owned()),
                        barcode: Some("5012345678900".to_owned()),
                        compare_at_price: Some(pence(2500)),
                        image_url: Some("/media/small-blue.svg".to_owned()),
                        ..variant(&["Small", "Blue"], pence(1999))
                    },
                    variant(&["Large", "Ash"], pence(2999)),
                ],
                ..product("teapot", pence(1999))
            },
        )
        .await;
    test.adjust(put.variants[0].0, 7, Reason::Opening).await;
    let shown = test.get(&format!("/api/v1/products/{}", put.product_id), &[]).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    let by_slug = test.get("/api/v1/products/teapot", &[]).await;
    assert_eq!(by_slug.text, shown.text);
    let listed = test.get("/api/v1/products", &[]).await;
    assert_eq!(listed.json["data"], json!([shown.json]));
    let browsed = test.get("/api/v2/products", &[]).await;
    assert_eq!(browsed.json["data"], json!([shown.json]));

    let base =
        test.get("/api/v1/products/teapot", &[]).await.json["images"][0]["url"].as_str().unwrap().to_owned();
    let base = base.strip_suffix("/media/a.svg").unwrap();
    assert!(base.starts_with("http://127.0.0.1:"), "{base}");
    let expected = json!({
        "id": put.product_id,
        "slug": "teapot",
        "title": "Teapot & <Cosy>",
        "description": "<p>Holds “four” cups ☕</p>",
        "vendor": "Kiln",
        "purchase_limit": null,
        "tags": ["stoneware"],
        "status": "active",
        "store": {"id": store, "slug": "shop", "name": "shop"},
        "categories": [{"id": tea, "slug": "tea", "name": "All tea"}],
        "images": [
            {"url": format!("{base}/media/a.svg"), "alt": "A"},
            {"url": "https://cdn.example/b.jpg", "alt": ""}
        ],
        "options": [
            {"name": "Size", "values": ["Small", "Large"]},
            {"name": "Glaze", "values": ["Blue", "Ash"]}
        ],
        "variants": [
            {
                "id": put.variants[0].0,
                "sku": "TP-S-B",
                "barcode": "5012345678900",
                "title": "Small / Blue",
                "options": [{"name": "Size", "value": "Small"}, {"name": "Glaze", "value": "Blue"}],
                "price": {"amount": 1999, "currency": "GBP"},
                "compare_at_price": {"amount": 2500, "currency": "GBP"},
                "available": 7,
                "weight_grams": 100,
                "image_url": format!("{base}/media/small-blue.svg")
            },
            {
                "id": put.variants[1].0,
                "sku": null,
                "barcode": null,
                "title": "Large / Ash",
                "options": [{"name": "Size", "value": "Large"}, {"name": "Glaze", "value": "Ash"}],
                "price": {"amount": 2999, "currency": "GBP"},
                "compare_at_price": null,
                "available": 0,
                "weight_grams": 100,
                "image_url": null
            }
        ],
        "waiting_room": false,
        "created_at": "2026-06-01T12:00:00Z",
        "updated_at": "2026-06-01T12:00:00Z"
    });
    assert_eq!(shown.json, expected);

    let document = serde_json::to_value(api::document()).unwrap();
    let documented = |schema: &str| -> Vec<String> {
        let mut names: Vec<_> = document["components"]["schemas"][schema]["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        names.sort();
        names
    };
    let fields = |value: &Value| -> Vec<String> {
        let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(fields(&shown.json), documented("Product"));
    assert_eq!(fields(&shown.json["variants"][0]), documented("Variant"));
    assert_eq!(fields(&test.get("/api/v1/stores/shop", &[]).await.json), documented("Store"));
    test.run_jobs().await;
    test.finish().await;
}

/// Drafts and archived products are not there for buyers: not listed, not found, not counted.
#[tokio::test(flavor = "multi_thread")]
async fn only_active_products_are_shown() {
    let test = TestApp::start().await;
    let store = test.store("shop", GBP).await;
    let tea = test.category("tea", None).await;
    for (slug, status) in [
        ("draft", ProductStatus::Draft),
        ("active", ProductStatus::Active),
        ("archived", ProductStatus::Archived),
    ] {
        let put =
            test.put(store, PutProduct { status, categories: vec![tea], ..product(slug, pence(1)) }).await;
        let expected = if status == ProductStatus::Active { 200 } else { 404 };
        for key in [slug.to_owned(), put.product_id.to_string()] {
            let answer = test.get(&format!("/api/v1/products/{key}"), &[]).await;
            assert_eq!(answer.status, expected, "{answer:?}");
            if expected == 404 {
                assert_eq!(answer.code(), "catalog/product_not_found");
            }
        }
    }
    for list in [
        "/api/v1/products",
        "/api/v1/stores/shop/products",
        "/api/v2/products",
        "/api/v2/products?store=shop&category=tea&in_stock=false",
    ] {
        assert_eq!(slugs(&test.get(list, &[]).await), ["active"], "{list}");
    }
    assert_eq!(test.get("/api/v1/products", &[]).await.json["total"], 1);
    test.finish().await;
}

/// A store that the operator closed is gone together with all it sells.
#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_store_is_not_shown() {
    let test = TestApp::start().await;
    test.product(NewProduct::default()).await;
    sqlx::query("UPDATE catalog.stores SET status = 'suspended'")
        .execute(test.app.database.pool())
        .await
        .unwrap();
    for path in ["/api/v1/stores/shop", "/api/v1/stores/shop/products", "/api/v2/products?store=shop"] {
        assert_eq!(test.get(path, &[]).await.code(), "catalog/store_not_found", "{path}");
    }
    assert_eq!(test.get("/api/v1/products/teapot", &[]).await.code(), "catalog/product_not_found");
    for path in ["/api/v1/stores", "/api/v1/products", "/api/v2/products"] {
        assert_eq!(slugs(&test.get(path, &[]).await), Vec::<&str>::new(), "{path}");
    }
    test.finish().await;
}

/// Stores are listed by name and found under id and slug; each lists its own products only.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_has_its_own_shelf() {
    let test = TestApp::start().await;
    let (walled, kiln) = (test.store("walled-garden", Currency::EUR).await, test.store("kiln", GBP).await);
    test.put(kiln, product("teapot", pence(1999))).await;
    test.put(walled, product("rose", Money::new(700, Currency::EUR))).await;
    let stores = test.get("/api/v1/stores", &[]).await;
    assert_eq!((slugs(&stores), &stores.json["total"]), (vec!["kiln", "walled-garden"], &json!(2)));
    for key in ["walled-garden".to_owned(), walled.to_string(), walled.to_string().to_uppercase()] {
        let shown = test.get(&format!("/api/v1/stores/{key}"), &[]).await;
        assert_eq!((shown.status.as_u16(), &shown.json["id"]), (200, &json!(walled)), "{shown:?}");
        assert_eq!(shown.json["currency"], "EUR");
        assert_eq!(slugs(&test.get(&format!("/api/v1/stores/{key}/products"), &[]).await), ["rose"]);
    }
    test.finish().await;
}

/// What is not there is 404 and says what kind of thing was looked for.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_things_are_not_found() {
    let test = TestApp::start().await;
    let id = "019a9c2e-5d10-7c6e-9a41-0f4b8a2d7c11";
    for key in [id, "no-such-thing", "NOT A SLUG", "%00", "%FF", "teapot%2Fx"] {
        for (path, code) in [
            (format!("/api/v1/products/{key}"), "catalog/product_not_found"),
            (format!("/api/v1/stores/{key}"), "catalog/store_not_found"),
            (format!("/api/v1/stores/{key}/products"), "catalog/store_not_found"),
            (format!("/api/v2/products?store={key}"), "catalog/store_not_found"),
            (format!("/api/v2/products?category={key}"), "catalog/category_not_found"),
        ] {
            let answer = test.get(&path, &[]).await;
            assert_eq!(answer.status, 404, "{path}: {answer:?}");
            // A path that is no UTF-8 names nothing at all.
            let expected =
                if key == "%FF" && path.starts_with("/api/v1") { "request/not_found" } else { code };
            assert_eq!(answer.code(), expected, "{path}");
        }
    }
    test.finish().await;
}

/// Categories are trees whose siblings stand in their order; a renamed one shows its new name everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn categories_are_trees() {
    let test = TestApp::start().await;
    let home = test.category("home", None).await;
    let kitchen = test.category("kitchen", Some(home)).await;
    let tea = test.category("tea", Some(kitchen)).await;
    test.category("garden", None).await;
    test.category("bath", Some(home)).await;
    let store = test.store("shop", GBP).await;
    test.put(store, PutProduct { categories: vec![tea], ..product("teapot", pence(1)) }).await;
    let shape = |trees: &Value| -> Value {
        fn tree(node: &Value) -> Value {
            let children: Vec<Value> = node["children"].as_array().unwrap().iter().map(tree).collect();
            json!({node["slug"].as_str().unwrap(): children})
        }
        trees.as_array().unwrap().iter().map(tree).collect()
    };
    let shown = test.get("/api/v1/categories", &[]).await;
    assert_eq!(
        shape(&shown.json["data"]),
        json!([{"garden": []}, {"home": [{"bath": []}, {"kitchen": [{"tea": []}]}]}])
    );
    assert_eq!(shown.json["data"][1]["parent_id"], Value::Null);
    assert_eq!(shown.json["data"][1]["children"][1]["parent_id"], json!(home));

    let product = test.get("/api/v1/products/teapot", &[]).await;
    assert_eq!(product.json["categories"][0]["name"], "All tea");
    let renamed = catalog::PutCategory {
        slug: "tea".parse().unwrap(),
        name: "Tea & Ceremony".to_owned(),
        parent_id: None,
        position: -1,
    };
    test.app.catalog.put_category(&Actor::system(), renamed).await.unwrap();
    let shown = test.get("/api/v1/categories", &[]).await;
    assert_eq!(
        shape(&shown.json["data"]),
        json!([{"tea": []}, {"garden": []}, {"home": [{"bath": []}, {"kitchen": []}]}])
    );
    for path in ["/api/v1/products/teapot", "/api/v1/products", "/api/v2/products"] {
        let text = test.get(path, &[]).await.text;
        assert!(text.contains("Tea & Ceremony") && !text.contains("All tea"), "{path}: {text}");
    }
    test.finish().await;
}

/// Two stores may call a product the same; the second gets an address of its own.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_slug_in_two_stores_leads_to_two_products() {
    let test = TestApp::start().await;
    let mut seen = Vec::new();
    for store in ["first", "second", "third"] {
        let id = test.store(store, GBP).await;
        let put = test.put(id, product("teapot", pence(1))).await;
        let shown = test.get(&format!("/api/v1/products/{}", put.product_id), &[]).await;
        let slug = shown.json["slug"].as_str().unwrap().to_owned();
        let by_slug = test.get(&format!("/api/v1/products/{slug}"), &[]).await;
        assert_eq!(by_slug.json["id"], json!(put.product_id));
        assert_eq!(by_slug.json["store"]["slug"], store);
        assert!(slug.starts_with("teapot") && !seen.contains(&slug), "{slug} {seen:?}");
        seen.push(slug);
    }
    assert_eq!(test.get("/api/v1/products/teapot", &[]).await.json["store"]["slug"], "first");
    test.finish().await;
}

/// Follows `end_cursor` to the end of the list; gives all items.
async fn walk(test: &TestApp, query: &str, first: u32) -> Vec<Value> {
    let (mut items, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v2/products?{query}&first={first}{after}");
        let answer = test.get(&path, &[]).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let data = answer.json["data"].as_array().unwrap();
        items.extend(data.iter().cloned());
        let info = &answer.json["page_info"];
        let link = answer.header("link");
        if info["has_next_page"] == false {
            assert_eq!(link, "", "the last page links to no other");
            return items;
        }
        assert_eq!(data.len(), first as usize, "only the last page may be short");
        let cursor = info["end_cursor"].as_str().unwrap();
        assert!(link.ends_with(">; rel=\"next\""), "{link}");
        let linked = link.trim_start_matches('<').split('>').next().unwrap();
        let (by_link, by_cursor) = (
            test.get(linked, &[]).await,
            test.get(&format!("/api/v2/products?{query}&first={first}&after={cursor}"), &[]).await,
        );
        assert_eq!(by_link.json, by_cursor.json, "{linked}");
        after = format!("&after={cursor}");
        assert!(items.len() <= 1000, "the list does not end");
    }
}

/// A cursor leads through the whole list, without gaps or repeats, in each order, also among equals.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_meets_everything_once() {
    let test = TestApp::start().await;
    let store = test.store("shop", GBP).await;
    let titles = ["apple", "Apple", "pear", "Äpfel", "1 pear", "a' OR 1=1 --\"{}"];
    for number in 0..23_usize {
        let price = i64::try_from(number % 3).unwrap() * 500;
        let created_at =
            datetime!(2026-01-01 00:00 UTC) + time::Duration::nanoseconds(1000 * (number as i64 / 5));
        test.put(
            store,
            PutProduct {
                title: titles[number % titles.len()].to_owned(),
                created_at: Some(created_at),
                ..product(&format!("item-{number}"), pence(price))
            },
        )
        .await;
    }
    let id = |item: &Value| item["id"].as_str().unwrap().to_owned();
    let price = |item: &Value| item["variants"][0]["price"]["amount"].as_i64().unwrap();
    let title = |item: &Value| item["title"].as_str().unwrap().to_lowercase();
    let created = |item: &Value| {
        let text = item["created_at"].as_str().unwrap();
        OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap()
    };
    for first in [1, 4, 22, 23, 100] {
        let mut newest = walk(&test, "sort=newest", first).await;
        assert_eq!(walk(&test, "", first).await, newest, "the newest come first if nothing is said");
        newest.reverse();
        assert!(newest.is_sorted_by_key(|item| (created(item), id(item))));
        let mut by_price = walk(&test, "sort=price", first).await;
        assert!(by_price.is_sorted_by_key(|item| (price(item), id(item))));
        let mut by_title = walk(&test, "sort=title", first).await;
        assert!(by_title.is_sorted_by_key(|item| (title(item), id(item))));
        for list in [&newest, &by_price, &by_title] {
            let mut ids: Vec<_> = list.iter().map(id).collect();
            ids.sort();
            ids.dedup();
            assert_eq!((list.len(), ids.len()), (23, 23), "first={first}");
        }
        by_price.reverse();
        assert_eq!(walk(&test, "sort=-price", first).await, by_price);
        by_title.reverse();
        assert_eq!(walk(&test, "sort=-title", first).await, by_title);
    }
    test.finish().await;
}

/// What is added while somebody pages through a list neither repeats nor hides what was there.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_stays_its_course_while_products_come_and_go() {
    let test = TestApp::start().await;
    let store = test.store("shop", GBP).await;
    many(&test, store, 9).await;
    let (mut met, mut after) = (Vec::new(), String::new());
    for round in 0.. {
        let page = test.get(&format!("/api/v2/products?first=3{after}"), &[]).await;
        met.extend(slugs(&page).into_iter().map(str::to_owned));
        if page.json["page_info"]["has_next_page"] == false {
            break;
        }
        after = format!("&after={}", page.json["page_info"]["end_cursor"].as_str().unwrap());
        test.put(store, product(&format!("new-{round}"), pence(1))).await;
        if round == 0 {
            // The very product that the cursor points at goes.
            let gone = PutProduct { status: ProductStatus::Archived, ..product("item-06", pence(1006)) };
            test.put(store, gone).await;
        }
    }
    assert_eq!(met, (0..9).rev().map(|number| format!("item-{number:02}")).collect::<Vec<_>>());
    test.finish().await;
}

/// Filters narrow the list, alone and together.
#[tokio::test(flavor = "multi_thread")]
async fn filters_narrow_the_list() {
    let test = TestApp::start().await;
    let (shop, foreign) = (test.store("shop", GBP).await, test.store("foreign", Currency::EUR).await);
    let home = test.category("home", None).await;
    let kitchen = test.category("kitchen", Some(home)).await;
    let tea = test.category("tea", Some(kitchen)).await;
    let garden = test.category("garden", None).await;
    let mut variants = Vec::new();
    for (slug, price, categories) in [
        ("cup", 500, vec![tea, garden]),
        ("pan", 3000, vec![kitchen]),
        ("hose", 2000, vec![garden]),
        ("pin", 5, vec![]),
    ] {
        variants.push(
            test.put(shop, PutProduct { categories, ..product(slug, pence(price)) }).await.variants[0].0,
        );
    }
    let rose = PutProduct { categories: vec![garden], ..product("rose", Money::new(700, Currency::EUR)) };
    test.put(foreign, rose).await;
    // The price of a product is that of its cheapest variant; it is in stock if any variant is.
    let option = ProductOption { name: "Size".to_owned(), values: vec!["S".to_owned(), "L".to_owned()] };
    let shirt = test
        .put(
            shop,
            PutProduct {
                options: vec![option],
                variants: vec![variant(&["S"], pence(9000)), variant(&["L"], pence(1000))],
                ..product("shirt", pence(0))
            },
        )
        .await;
    test.adjust(variants[0], 1, Reason::Opening).await;
    test.adjust(shirt.variants[1].0, 3, Reason::Opening).await;
    test.run_jobs().await;

    let home_id = format!("category={home}");
    let shop_id = format!("store={shop}");
    for (query, expected) in [
        ("", vec!["cup", "hose", "pan", "pin", "rose", "shirt"]),
        ("store=shop", vec!["cup", "hose", "pan", "pin", "shirt"]),
        (&shop_id, vec!["cup", "hose", "pan", "pin", "shirt"]),
        ("store=foreign", vec!["rose"]),
        ("category=home", vec!["cup", "pan"]),
        (&home_id, vec!["cup", "pan"]),
        ("category=tea", vec!["cup"]),
        ("category=garden", vec!["cup", "hose", "rose"]),
        ("category=garden&store=shop", vec!["cup", "hose"]),
        ("min_price=1000", vec!["hose", "pan", "shirt"]),
        ("max_price=1000", vec!["cup", "pin", "rose", "shirt"]),
        ("min_price=500&max_price=500", vec!["cup"]),
        ("min_price=501&max_price=500", vec![]),
        ("max_price=0", vec![]),
        ("max_price=9223372036854775807", vec!["cup", "hose", "pan", "pin", "rose", "shirt"]),
        ("currency=EUR", vec!["rose"]),
        ("currency=JPY", vec![]),
        ("in_stock=true", vec!["cup", "shirt"]),
        ("in_stock=false", vec!["hose", "pan", "pin", "rose"]),
        ("category=garden&in_stock=true&currency=GBP&store=shop&min_price=1&max_price=501", vec!["cup"]),
    ] {
        for sort in ["newest", "price", "-price", "title", "-title"] {
            let answer = test.get(&format!("/api/v2/products?{query}&sort={sort}"), &[]).await;
            let mut found = slugs(&answer);
            found.sort_unstable();
            assert_eq!(found, expected, "{query} {sort}");
        }
        let walked = walk(&test, query, 1).await;
        assert_eq!(walked.len(), expected.len(), "{query}");
    }
    let prices = test.get("/api/v2/products?sort=-price", &[]).await;
    assert_eq!(slugs(&prices), ["pan", "hose", "shirt", "rose", "cup", "pin"]);

    // Sold out, and back again.
    let token = test.basket(variants[0], 1).await;
    assert_eq!(test.check_out(&token, "k", "tok_visa").await.status, 201);
    test.run_jobs().await;
    assert_eq!(slugs(&test.get("/api/v2/products?in_stock=true", &[]).await), ["shirt"]);
    test.adjust(variants[0], 1, Reason::Received).await;
    test.run_jobs().await;
    assert_eq!(slugs(&test.get("/api/v2/products?in_stock=true&sort=title", &[]).await), ["cup", "shirt"]);
    test.finish().await;
}

/// A cursor belongs to its list: with another sort, or made up, it is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_list_is_refused() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let test = TestApp::start().await;
    let store = test.store("shop", GBP).await;
    many(&test, store, 3).await;
    let page = test.get("/api/v2/products?first=1&sort=price", &[]).await;
    let cursor = page.json["page_info"]["end_cursor"].as_str().unwrap();
    let id = "019a9c2e-5d10-7c6e-9a41-0f4b8a2d7c11";
    let made_up = |place: Value| URL_SAFE_NO_PAD.encode(place.to_string());
    let cases = [
        ("-price", cursor.to_owned()),
        ("newest", cursor.to_owned()),
        ("title", cursor.to_owned()),
        ("price", "garbage".to_owned()),
        ("price", String::new()),
        ("price", "%00".to_owned()),
        ("price", cursor[..cursor.len() - 2].to_owned()),
        ("price", made_up(json!({}))),
        ("price", made_up(json!({"sort": "price", "key": {"s": "x"}, "id": id}))),
        ("price", made_up(json!({"sort": "price", "key": {"n": 1}, "id": "x"}))),
        ("title", made_up(json!({"sort": "title", "key": {"s": "a\u{0}b"}, "id": id}))),
        ("newest", made_up(json!({"sort": "newest", "key": {"t": "-9999-01-01T00:00:00Z"}, "id": id}))),
        ("newest", made_up(json!({"sort": "newest", "key": {"t": "0000-01-01T00:00:00Z"}, "id": id}))),
        ("newest", made_up(json!({"sort": "newest", "key": {"t": "yesterday"}, "id": id}))),
    ];
    for (sort, cursor) in cases {
        let answer = test.get(&format!("/api/v2/products?sort={sort}&after={cursor}"), &[]).await;
        // The year 0 is a time like any other, before everything.
        if cursor == made_up(json!({"sort": "newest", "key": {"t": "0000-01-01T00:00:00Z"}, "id": id})) {
            assert!(answer.status == 200 || answer.status == 422, "{answer:?}");
            continue;
        }
        assert_eq!((answer.status.as_u16(), answer.code()), (422, "request/bad_cursor"), "{sort} {cursor}");
        assert_eq!(answer.json["details"][0]["field"], "after", "{answer:?}");
    }
    test.finish().await;
}

/// A client that has an answer already is told so instead of getting it again (RFC 9110, 13).
#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_answer_is_not_sent_again() {
    let test = TestApp::start().await;
    let store = test.store("shop", GBP).await;
    test.product(NewProduct::default()).await;
    test.category("tea", None).await;
    for path in [
        "/api/v1/products/teapot",
        "/api/v1/products",
        "/api/v1/stores",
        "/api/v1/stores/shop",
        "/api/v1/stores/shop/products",
        "/api/v1/categories",
        "/api/v2/products?sort=price",
    ] {
        let fresh = test.get(path, &[]).await;
        let etag = fresh.header("etag");
        assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 10, "{path}: {etag}");
        assert!(fresh.header("cache-control").starts_with("public, max-age="), "{path}");
        assert!(fresh.header("cache-control").contains("stale-while-revalidate="), "{path}");
        assert_ne!(fresh.header("surrogate-key"), "", "{path}");
        assert!(fresh.header("vary").contains("accept-encoding"), "{path}");
        for known in [etag.to_owned(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
            let unchanged = test.get(path, &[("if-none-match", &known)]).await;
            assert_eq!((unchanged.status.as_u16(), unchanged.text.as_str()), (304, ""), "{path} {known}");
            assert_eq!(unchanged.header("etag"), etag, "{path} {known}");
            assert!(unchanged.header("cache-control").starts_with("public"), "{path}");
            assert!(unchanged.header("vary").contains("accept-encoding"), "{path}");
        }
        for other in ["\"x\"", "x", "", "\"", ","] {
            assert_eq!(test.get(path, &[("if-none-match", other)]).await.status, 200, "{path} {other}");
        }

        // Dates count whole seconds: an answer has one only when its second is over.
        assert_eq!(fresh.header("last-modified"), "", "{path}");
        test.clock.advance(time::Duration::seconds(2));
        let later = test.get(path, &[]).await;
        let modified = later.header("last-modified");
        assert!(modified.ends_with(" GMT"), "{path}: {modified}");
        let unchanged = test.get(path, &[("if-modified-since", modified)]).await;
        assert_eq!((unchanged.status.as_u16(), unchanged.text.as_str()), (304, ""), "{path}");
        assert_eq!(unchanged.header("last-modified"), modified);
        // Another date may come from a node whose clock goes differently, also one that is later.
        for other in ["Mon, 01 Jun 2026 11:59:59 GMT", "Sun, 01 Jan 2040 00:00:00 GMT", "not a date", ""] {
            assert_eq!(test.get(path, &[("if-modified-since", other)]).await.status, 200, "{path} {other}");
        }
        let both = [("if-none-match", "\"x\""), ("if-modified-since", modified)];
        assert_eq!(test.get(path, &both).await.status, 200, "a date counts only where there is no ETag");
    }

    let before = test.get("/api/v1/products/teapot", &[]).await;
    test.clock.advance(time::Duration::seconds(10));
    test.category("no-teapots", None).await;
    let rebuilt = test.get("/api/v1/products/teapot", &[]).await;
    for name in ["etag", "last-modified"] {
        assert_eq!(rebuilt.header(name), before.header(name), "the same bytes are as old as they were");
    }
    test.put(store, product("teapot", pence(2099))).await;
    let known =
        [("if-none-match", before.header("etag")), ("if-modified-since", before.header("last-modified"))];
    let changed = test.get("/api/v1/products/teapot", &known).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), before.header("etag"));
    assert_eq!(test.get("/api/v1/products/teapot", &known[1..]).await.status, 200);
    test.finish().await;
}

/// What takes no parameters refuses them: each would be an answer of its own to keep.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_parameters_are_refused_everywhere() {
    let test = TestApp::start().await;
    test.product(NewProduct::default()).await;
    for path in [
        "/api/v1/products",
        "/api/v1/products/teapot",
        "/api/v1/stores",
        "/api/v1/stores/shop",
        "/api/v1/stores/shop/products",
        "/api/v1/categories",
        "/api/v2/products",
    ] {
        assert_eq!(test.get(&format!("{path}?"), &[]).await.status, 200, "{path}");
        let refused = test.get(&format!("{path}?utm=1"), &[]).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "request/unknown_field"), "{path}");
        assert_eq!(refused.json["details"][0]["field"], "utm");
    }
    test.finish().await;
}

/// A list can be purged as a list; one of many products does not name them all.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_not_too_many_surrogate_keys() {
    let test = TestApp::start().await;
    let store = test.store("shop", GBP).await;
    many(&test, store, 100).await;
    for path in ["/api/v1/products?per_page=100", "/api/v2/products?first=100"] {
        assert_eq!(test.get(path, &[]).await.header("surrogate-key"), format!("products store-{store}"));
    }
    let few = test.get("/api/v2/products?first=1", &[]).await;
    assert!(few.header("surrogate-key").starts_with("products product-"), "{}", few.header("surrogate-key"));
    test.finish().await;
}

/// However a list is spelt, it is one list.
#[tokio::test(flavor = "multi_thread")]
async fn spellings_of_a_list_are_one_answer() {
    let test = TestApp::start().await;
    let store = test.store("shop", GBP).await;
    many(&test, store, 3).await;
    test.clock.advance(time::Duration::seconds(2));
    let first = test.get("/api/v2/products?first=2&sort=price", &[]).await;
    test.clock.advance(time::Duration::seconds(2));
    let date = test.get("/api/v2/products?first=2&sort=price", &[]).await.header("last-modified").to_owned();
    for spelt in
        ["sort=price&first=2", "first=02&sort=price", "&&first=%32&sort=pric%65&", "first=2&sort=price&"]
    {
        let same = test.get(&format!("/api/v2/products?{spelt}"), &[]).await;
        assert_eq!((&same.text, same.header("last-modified")), (&first.text, date.as_str()), "{spelt}");
    }
    test.finish().await;
}

/// The compressed answer has a strong `ETag` of its own, and is known again by it.
#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_answer_is_known_by_its_own_name() {
    let test = TestApp::start().await;
    test.product(NewProduct::default()).await;
    let path = "/api/v1/products";
    let plain = test.get(path, &[]).await;
    assert_eq!(plain.header("content-encoding"), "");
    for encoding in ["gzip", "br"] {
        let accept = ("accept-encoding", encoding);
        let compressed = test.get(path, &[accept]).await;
        assert_eq!(compressed.status, 200);
        assert_eq!(compressed.header("content-encoding"), encoding);
        assert!(compressed.header("vary").to_lowercase().contains("accept-encoding"));
        let etag = compressed.header("etag");
        assert!(etag.starts_with('"') && etag.ends_with('"'), "strong: {etag}");
        assert_ne!(etag, plain.header("etag"));
        let unchanged = test.get(path, &[accept, ("if-none-match", etag)]).await;
        assert_eq!((unchanged.status.as_u16(), unchanged.text.as_str()), (304, ""));
        assert_eq!(unchanged.header("etag"), etag, "a 304 names the answer that the client has");
    }
    let script = test.get("/assets/docs.css", &[]).await;
    assert_eq!(script.status, 200);
    for encoding in ["", "gzip", "br"] {
        for file in ["/assets/docs.css", "/assets/scalar.js"] {
            let accept = ("accept-encoding", encoding);
            let sent = test.get(file, &[accept]).await;
            assert_eq!(sent.status, 200, "{file}");
            let again = test.get(file, &[accept, ("if-none-match", sent.header("etag"))]).await;
            assert_eq!(again.status, 304, "{file} {encoding} {}", sent.header("etag"));
        }
    }
    test.finish().await;
}

/// A kept answer is out of date with the change, not some time after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_seen_at_once() {
    let test = TestApp::start().await;
    let teapot = test.product(NewProduct { stock: 5, ..NewProduct::default() }).await;
    let store = test.store("shop", GBP).await;
    let paths = [
        "/api/v1/products/teapot",
        "/api/v1/products",
        "/api/v1/stores/shop/products",
        "/api/v2/products?sort=price",
    ];
    // Each answer is kept before the change: asked for twice, so that the second comes from the cache.
    let shown = async |field: &str| -> Vec<Value> {
        let mut seen = Vec::new();
        for path in paths {
            for _ in 0..2 {
                let answer = test.get(path, &[]).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                let product =
                    if answer.json["data"].is_null() { &answer.json } else { &answer.json["data"][0] };
                seen.push(product.pointer(field).unwrap().clone());
            }
        }
        seen
    };
    let (price, available) = ("/variants/0/price/amount", "/variants/0/available");
    assert_eq!(shown(price).await, vec![json!(1999); 8]);
    test.put(store, product("teapot", pence(2099))).await;
    assert_eq!(shown(price).await, vec![json!(2099); 8]);

    assert_eq!(shown(available).await, vec![json!(5); 8]);
    let token = test.basket(teapot, 2).await;
    assert_eq!(test.check_out(&token, "k", "tok_visa").await.status, 201);
    assert_eq!(shown(available).await, vec![json!(3); 8]);
    test.adjust(teapot, -3, Reason::Lost).await;
    assert_eq!(shown(available).await, vec![json!(0); 8]);
    test.adjust(teapot, 9, Reason::Received).await;
    assert_eq!(shown(available).await, vec![json!(9); 8]);

    let titled = PutProduct { title: "A new name".to_owned(), ..product("teapot", pence(2099)) };
    test.put(store, titled).await;
    assert_eq!(shown("/title").await, vec![json!("A new name"); 8]);

    let total = async || test.get("/api/v1/products", &[]).await.json["total"].clone();
    assert_eq!(total().await, 1);
    let (lists, cup) = (&paths[1..], "/api/v1/products/cup");
    assert_eq!(test.get(cup, &[]).await.status, 404);
    test.clock.advance(time::Duration::seconds(1));
    test.put(store, product("cup", pence(500))).await;
    assert_eq!(test.get(cup, &[]).await.status, 200, "that it was not there is not kept");
    for list in lists {
        assert_eq!(slugs(&test.get(list, &[]).await), ["cup", "teapot"], "{list}");
    }
    assert_eq!(total().await, 2);
    test.put(store, PutProduct { status: ProductStatus::Archived, ..product("cup", pence(500)) }).await;
    assert_eq!(test.get(cup, &[]).await.status, 404);
    for list in lists {
        assert_eq!(slugs(&test.get(list, &[]).await), ["teapot"], "{list}");
    }
    test.put(store, product("cup", pence(500))).await;
    assert_eq!(test.get(cup, &[]).await.status, 200);

    assert_eq!(slugs(&test.get("/api/v1/stores", &[]).await), ["shop"]);
    test.store("another", GBP).await;
    assert_eq!(slugs(&test.get("/api/v1/stores", &[]).await), ["another", "shop"]);
    assert_eq!(test.get("/api/v1/categories", &[]).await.json["data"], json!([]));
    test.category("tea", None).await;
    assert_eq!(test.get("/api/v1/categories", &[]).await.json["data"][0]["slug"], "tea");
    test.finish().await;
}

/// What another node changes is seen on this one within two seconds.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_on_another_node_arrives() {
    let test = TestApp::start().await;
    let teapot = test.product(NewProduct::default()).await;
    let store = test.store("shop", GBP).await;
    let stop = CancellationToken::new();
    let before = test.app.database.changes().stamp();
    let (changes, pool) = (Arc::clone(test.app.database.changes()), test.app.database.pool().clone());
    let heard = stop.clone();
    let listening = tokio::spawn(async move { changes.listen(pool, heard).await });
    // The listener is ready when it has forgotten what it may have missed.
    while test.app.database.changes().stamp() == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let other = test.other_node().await;
    let seen = async |pointer: &str, value: Value| {
        for _ in 0..200 {
            let answer = test.get("/api/v1/products/teapot", &[]).await;
            if answer.json.pointer(pointer) == Some(&value) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{pointer} is not {value} after two seconds");
    };
    seen("/variants/0/price/amount", json!(1999)).await;
    for price in [2099, 2199] {
        other
            .catalog
            .put_products(&Actor::system(), store, &[product("teapot", pence(price))])
            .await
            .unwrap();
        seen("/variants/0/price/amount", json!(price)).await;
    }
    let lost = inventory::Adjustment { variant_id: teapot, quantity: -4, reason: Reason::Lost, note: None };
    other.inventory.adjust(&Actor::system(), &[lost]).await.unwrap();
    seen("/variants/0/available", json!(6)).await;
    let archived = PutProduct { status: ProductStatus::Archived, ..product("teapot", pence(2199)) };
    other.catalog.put_products(&Actor::system(), store, &[archived]).await.unwrap();
    seen("/code", json!("catalog/product_not_found")).await;
    other.database.close().await;
    stop.cancel();
    listening.await.unwrap();
    test.finish().await;
}

/// Once a writer was told that the price is changed, nobody on the node sees an older one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_never_fall_behind_the_writer() {
    let test = Arc::new(TestApp::start().await);
    let store = test.store("shop", GBP).await;
    test.put(store, product("teapot", pence(0))).await;
    let (told, done) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut readers = JoinSet::new();
    for path in [
        "/api/v1/products/teapot",
        "/api/v1/products",
        "/api/v2/products?sort=price",
        "/api/v1/products/teapot",
    ] {
        let (test, told, done) = (Arc::clone(&test), Arc::clone(&told), Arc::clone(&done));
        readers.spawn(async move {
            let (mut reads, mut seen) = (0, 0);
            while !done.load(Ordering::Acquire) {
                let least = told.load(Ordering::Acquire);
                let answer = test.get(path, &[]).await;
                let product =
                    if answer.json["data"].is_null() { &answer.json } else { &answer.json["data"][0] };
                let price = product["variants"][0]["price"]["amount"].as_i64().unwrap();
                assert!(price >= least, "{path} says {price} after the writer was told {least}");
                assert!(price >= seen, "{path} says {price} after it said {seen}");
                seen = price;
                reads += 1;
            }
            reads
        });
    }
    for price in 1..=50 {
        test.put(store, product("teapot", pence(price))).await;
        told.store(price, Ordering::Release);
        let own = test.get("/api/v1/products/teapot", &[]).await;
        assert_eq!(own.json["variants"][0]["price"]["amount"], price, "the writer reads its own write");
    }
    done.store(true, Ordering::Release);
    while let Some(reads) = readers.join_next().await {
        assert!(reads.unwrap() > 0);
    }
    Arc::into_inner(test).unwrap().finish().await;
}
