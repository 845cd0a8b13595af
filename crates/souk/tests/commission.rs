//! Commission: by the first rule that fits, rounded once, frozen on the order's lines.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::sync::Arc;

use catalog::{CategoryId, PutCategory, PutProduct, StoreId, VariantId};
use identity::{Actor, PlatformRole, StoreRole};
use inventory::Reason;
use platform::{Currency, Money};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, NewProduct, Person, TestApp, product, purchase};
use time::Duration;
use tokio::task::JoinSet;
use uuid::Uuid;

const RULES: &str = "/api/v1/commission_rules";

/// A line as the database has it: its position, commission, tax, and the name of the rule.
type Frozen = (i32, i64, i64, Option<String>);

async fn operator(test: &TestApp) -> Person {
    test.trusted("operator", PlatformRole::Operator).await
}

fn percent(rate_ppm: u32) -> Value {
    json!({"kind": "percentage", "rate_ppm": rate_ppm})
}

async fn make(test: &TestApp, operator: &Person, rule: Value) -> Answer {
    let made = test.post(RULES, &[operator.header()], &rule).await;
    assert_eq!(made.status, 201, "{made:?}");
    made
}

/// A product of a store and some categories, with enough stock. Gives its variant.
async fn sells(
    test: &TestApp,
    store: StoreId,
    slug: &'static str,
    price: Money,
    of: &[CategoryId],
) -> VariantId {
    let put = PutProduct { categories: of.to_vec(), ..product(slug, price) };
    let variant = test.put(store, put).await.variants[0].0;
    test.adjust(variant, 1_000, Reason::Opening).await;
    variant
}

fn pounds(amount: i64) -> Money {
    Money::new(amount, Currency::GBP)
}

/// Buys these, units of variants, in one order. Gives the answer.
async fn buy(test: &TestApp, items: &[(VariantId, i64)]) -> Answer {
    let token = test.basket(items[0].0, items[0].1).await;
    for (variant, quantity) in &items[1..] {
        // Lines stand in the order in which they were added.
        test.clock.advance(Duration::milliseconds(1));
        let body = json!({"variant_id": variant, "quantity": quantity});
        let added = test.post("/api/v1/shopping_basket/products", &[("x-cart-token", &token)], &body).await;
        assert_eq!(added.status, 200, "{added:?}");
    }
    let bought = test.check_out(&token, "k", "tok_visa").await;
    assert_eq!(bought.status, 201, "{bought:?}");
    bought
}

/// What is frozen on the lines of an order.
async fn frozen(test: &TestApp, order: &Answer) -> Vec<Frozen> {
    let id: Uuid = order.json["id"].as_str().unwrap().parse().unwrap();
    sqlx::query_as(
        "SELECT l.position, l.commission, l.commission_tax, r.name
         FROM orders.order_lines l LEFT JOIN payments.commission_rules r ON r.id = l.commission_rule
         WHERE l.order_id = $1 ORDER BY l.position",
    )
    .bind(id)
    .fetch_all(test.app.database.pool())
    .await
    .unwrap()
}

/// Buys one of each, each in an order of its own, and says by which rule how much was taken.
async fn taken(test: &TestApp, variants: &[VariantId]) -> Vec<(i64, Option<String>)> {
    let mut all = Vec::new();
    for variant in variants {
        let order = buy(test, &[(*variant, 1)]).await;
        let (_, amount, _, rule) = frozen(test, &order).await.remove(0);
        all.push((amount, rule));
    }
    all
}

fn by(amount: i64, rule: &str) -> (i64, Option<String>) {
    (amount, Some(rule.to_owned()))
}

/// Of the rules that fit the first decides; a rule for a category is for all below it, wherever they are moved.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_rule_that_fits_decides() {
    let test = TestApp::start().await;
    let boss = operator(&test).await;
    let (shop, other) = (test.store("shop", Currency::GBP).await, test.store("other", Currency::GBP).await);
    let kitchen = test.category("kitchen", None).await;
    let pots = test.category("pots", Some(kitchen)).await;
    let garden = test.category("garden", None).await;
    let pot = sells(&test, shop, "pot", pounds(1_000), &[pots]).await;
    let mug = sells(&test, shop, "mug", pounds(1_000), &[]).await;
    let spade = sells(&test, other, "spade", pounds(1_000), &[garden]).await;
    assert_eq!(taken(&test, &[pot, mug]).await, [(0, None), (0, None)], "no rule, no commission");

    make(&test, &boss, json!({"name": "Standard", "position": 900, "terms": percent(100_000)})).await;
    let of_kitchen =
        json!({"name": "Kitchen", "position": 20, "category_id": kitchen, "terms": percent(80_000)});
    make(&test, &boss, of_kitchen).await;
    let of_other = json!({"name": "Other", "position": 30, "store_id": other, "terms": percent(50_000)});
    let of_other = make(&test, &boss, of_other).await;
    let expected = [by(80, "Kitchen"), by(100, "Standard"), by(50, "Other")];
    assert_eq!(taken(&test, &[pot, mug, spade]).await, expected);

    // The tree changes, then a product's categories, then the order of the rules.
    let put = PutCategory {
        slug: "pots".parse().unwrap(),
        name: "Pots".to_owned(),
        parent_id: Some(garden),
        position: 0,
    };
    test.app.catalog.put_category(&Actor::system(), put).await.unwrap();
    assert_eq!(taken(&test, &[pot]).await, [by(100, "Standard")]);
    sells(&test, shop, "mug", pounds(1_000), &[kitchen]).await;
    assert_eq!(taken(&test, &[mug]).await, [by(80, "Kitchen")]);
    let path = of_other.header("location");
    let headers = [("if-match", of_other.header("etag")), boss.header()];
    let moved = test.send(Method::PATCH, path, &headers, Some(&json!({"position": 901}))).await;
    assert_eq!((moved.status.as_u16(), moved.header("etag")), (200, "\"2\""), "{moved:?}");
    assert_eq!(taken(&test, &[spade]).await, [by(100, "Standard")]);
    test.finish().await;
}

/// A rule counts from its beginning to its end and not a moment longer, though nobody touches it then.
#[tokio::test(flavor = "multi_thread")]
async fn a_rule_counts_in_its_time() {
    let test = TestApp::start().await;
    let boss = operator(&test).await;
    let teapot = test.product(NewProduct { price: 1_000, stock: 100, ..NewProduct::default() }).await;
    let sale = json!({
        "name": "Sale", "position": 1, "terms": percent(10_000), "valid_from": "2026-06-01T13:00:00Z",
        "valid_to": "2026-06-01T14:00:00Z"
    });
    make(&test, &boss, json!({"name": "Standard", "terms": percent(100_000)})).await;
    make(&test, &boss, sale).await;
    let late = json!({"name": "Late", "terms": percent(1), "valid_from": "2026-06-01T11:59:59Z"});
    let refused = test.post(RULES, &[boss.header()], &late).await;
    assert_eq!((refused.status.as_u16(), &refused.json["details"][0]["field"]), (422, &json!("valid_from")));
    assert_eq!(taken(&test, &[teapot]).await, [by(100, "Standard")]);
    test.clock.advance(Duration::hours(1));
    assert_eq!(taken(&test, &[teapot]).await, [by(10, "Sale")]);
    test.clock.advance(Duration::hours(1) - Duration::nanoseconds(1));
    assert_eq!(taken(&test, &[teapot]).await, [by(10, "Sale")]);
    test.clock.advance(Duration::nanoseconds(1));
    assert_eq!(taken(&test, &[teapot]).await, [by(100, "Standard")]);
    test.finish().await;
}

/// Tiers, amounts per unit and bounds are of all lines together, in the currency they are made for; the preview knows.
#[tokio::test(flavor = "multi_thread")]
async fn amounts_and_tiers_are_of_the_whole() {
    let test = TestApp::start().await;
    let boss = operator(&test).await;
    let yen: Currency = "JPY".parse().unwrap();
    let (shop, tokyo) = (test.store("shop", Currency::GBP).await, test.store("tokyo", yen).await);
    let pot = sells(&test, shop, "pot", pounds(40_000), &[]).await;
    let cup = sells(&test, shop, "cup", pounds(30_000), &[]).await;
    let fan = sells(&test, tokyo, "fan", Money::new(333, yen), &[]).await;
    let tiers = json!({"kind": "tiered", "brackets": [
        {"up_to": 50_000, "rate_ppm": 100_000}, {"up_to": null, "rate_ppm": 50_000, "fixed": 25}
    ]});
    let tiers = json!({"name": "Tiers", "currency": "GBP", "terms": tiers, "tax_rate_ppm": 200_000});
    make(&test, &boss, tiers).await;
    let fixed = json!({"kind": "fixed", "per_unit": 15});
    make(&test, &boss, json!({"name": "Yen", "currency": "JPY", "terms": fixed, "tax_rate_ppm": 100_000}))
        .await;
    let ask = json!({"lines": [{"variant_id": pot, "quantity": 1}, {"variant_id": cup, "quantity": 1}]});
    let preview = test.post(&format!("{RULES}/preview"), &[boss.header()], &ask).await;
    assert_eq!(preview.status, 200, "{preview:?}");
    let order = buy(&test, &[(pot, 1), (cup, 1)]).await;
    // 5,000 of the first 50,000, 1,000 of the rest and 25: shared out 4 to 3. Tax 1,205.
    let lines = frozen(&test, &order).await;
    assert_eq!(lines, [(1, 3_443, 689, Some("Tiers".to_owned())), (2, 2_582, 516, Some("Tiers".to_owned()))]);
    let shown = |place: usize, field: &str| preview.json["lines"][place][field]["amount"].as_i64().unwrap();
    for (place, (_, amount, tax, _)) in lines.iter().enumerate() {
        assert_eq!((shown(place, "commission"), shown(place, "commission_tax")), (*amount, *tax));
    }
    assert_eq!(preview.json["commission"], json!({"amount": 6_025, "currency": "GBP"}));
    assert_eq!(preview.json["commission_tax"], json!({"amount": 1_205, "currency": "GBP"}));
    let order = buy(&test, &[(fan, 3)]).await;
    assert_eq!(frozen(&test, &order).await, [(1, 45, 5, Some("Yen".to_owned()))]);
    let mixed = json!({"lines": [{"variant_id": pot, "quantity": 1}, {"variant_id": fan, "quantity": 1}]});
    let refused = test.post(&format!("{RULES}/preview"), &[boss.header()], &mixed).await;
    assert_eq!((refused.status.as_u16(), &refused.json["details"][0]["code"]), (422, &json!("currency")));
    test.finish().await;
}

/// However an order's lines lie, what is taken of them is exactly what is taken of each store's part.
#[tokio::test(flavor = "multi_thread")]
async fn parts_are_the_whole_over_stores_and_lines() {
    let test = TestApp::start().await;
    let boss = operator(&test).await;
    let (shop, other) = (test.store("shop", Currency::GBP).await, test.store("other", Currency::GBP).await);
    let books = test.category("books", None).await;
    let mut items = Vec::new();
    for (slug, price, store, of) in [
        ("a", 105, shop, vec![]),
        ("b", 105, other, vec![]),
        ("c", 95, shop, vec![books]),
        ("d", 115, shop, vec![]),
        ("e", 33, shop, vec![books]),
        ("f", 1, other, vec![]),
        ("g", 0, shop, vec![]),
    ] {
        items.push((sells(&test, store, slug, pounds(price), &of).await, 1));
    }
    let standard =
        json!({"name": "Standard", "position": 2, "terms": percent(100_000), "tax_rate_ppm": 175_000});
    make(&test, &boss, standard).await;
    let of_books = json!({"name": "Books", "position": 1, "category_id": books, "terms": percent(55_000)});
    make(&test, &boss, of_books).await;
    let order = buy(&test, &items).await;
    let lines = frozen(&test, &order).await;
    let sum = |places: &[usize]| {
        let of = |take: fn(&Frozen) -> i64| places.iter().map(|place| take(&lines[*place])).sum::<i64>();
        (of(|line| line.1), of(|line| line.2))
    };
    // 10 % of 220, 10 % of 106, 5.5 % of 128; the tax is 17.5 % of 22 and of 11.
    assert_eq!((sum(&[0, 3, 6]), sum(&[1, 5]), sum(&[2, 4])), ((22, 4), (11, 2), (7, 0)), "{lines:?}");
    assert_eq!(lines[6], (7, 0, 0, Some("Standard".to_owned())));
    test.finish().await;
}

/// What was ordered keeps what was taken of it, whatever becomes of the rule before it is paid. Buyers do not see it.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_keeps_its_commission() {
    let test = TestApp::start().await;
    let boss = operator(&test).await;
    let teapot = test.product(NewProduct { price: 1_999, stock: 100, ..NewProduct::default() }).await;
    let rule = json!({"name": "Standard", "terms": percent(100_000), "tax_rate_ppm": 200_000});
    let rule = make(&test, &boss, rule).await;
    let cart = test.post("/api/v1/carts", &[], &json!({})).await;
    let (id, token) = (cart.json["id"].as_str().unwrap(), cart.json["token"].as_str().unwrap());
    let headers = [("x-cart-token", token), ("idempotency-key", "k")];
    test.post(&format!("/api/v1/carts/{id}/items"), &headers[..1], &json!({"variant_id": teapot})).await;
    let order = json!({"cart_id": id, "email": "ada@example.com", "shipping": testkit::address()});
    let order = test.post("/api/v1/orders", &headers, &order).await;
    assert_eq!(order.json["status"], "awaiting_payment", "{order:?}");
    let expected = [(1, 200, 40, Some("Standard".to_owned()))];
    assert_eq!(frozen(&test, &order).await, expected);

    let ended = test.send(Method::DELETE, rule.header("location"), &[boss.header()], None).await;
    assert_eq!((ended.status.as_u16(), ended.json["ended_at"].is_string()), (200, true), "{ended:?}");
    make(&test, &boss, json!({"name": "Dearer", "terms": percent(300_000)})).await;
    let pay = format!("/api/v1/orders/{}/payment", order.json["id"].as_str().unwrap());
    let paid = test.post(&pay, &headers, &json!({"token": "tok_visa"})).await;
    assert_eq!(paid.json["status"], "paid", "{paid:?}");
    assert_eq!(frozen(&test, &order).await, expected);
    assert_eq!(taken(&test, &[teapot]).await, [by(600, "Dearer")]);
    assert!(!order.text.contains("commission") && !paid.text.contains("commission"), "buyers do not see it");

    // The ended rule keeps its terms; nobody can make the past look different.
    for sql in [
        "UPDATE payments.commission_rules SET rate_ppm = 1 WHERE ended_at IS NULL",
        "UPDATE payments.commission_rules SET ended_at = NULL WHERE ended_at IS NOT NULL",
        "DELETE FROM payments.commission_rules",
        "TRUNCATE payments.commission_rules",
    ] {
        let refused = sqlx::query(sql).execute(test.app.database.pool()).await.unwrap_err();
        assert!(refused.to_string().contains("ended and another one made"), "{sql}: {refused}");
    }
    test.finish().await;
}

/// A rule is made once for a key, also by many at the same time, and changed on top of what was read.
#[tokio::test(flavor = "multi_thread")]
async fn rules_are_made_once_and_never_changed_blindly() {
    let test = Arc::new(TestApp::start().await);
    let boss = operator(&test).await;
    let rule = json!({"name": "Standard", "terms": percent(100_000)});
    let mut racers = JoinSet::new();
    for _ in 0..8 {
        let (test, boss, rule) = (Arc::clone(&test), boss.clone(), rule.clone());
        racers.spawn(async move {
            test.post(RULES, &[boss.header(), ("idempotency-key", "one rule")], &rule).await
        });
    }
    let answers = racers.join_all().await;
    assert!(
        answers.iter().all(|answer| answer.status == 201 && answer.json == answers[0].json),
        "{answers:?}"
    );
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count(), 1);
    let key = [boss.header(), ("idempotency-key", "one rule")];
    let reused = test.post(RULES, &key, &json!({"name": "Other", "terms": percent(1)})).await;
    assert_eq!((reused.status.as_u16(), reused.code()), (422, "request/idempotency_key_reused"));

    let path = answers[0].header("location").to_owned();
    let change = async |etag: Option<&str>, body: Value| {
        let mut headers = vec![boss.header()];
        headers.extend(etag.map(|etag| ("if-match", etag)));
        let answer = test.send(Method::PATCH, &path, &headers, Some(&body)).await;
        let code = answer.json["code"].as_str().unwrap_or_default().to_owned();
        (answer.status.as_u16(), code)
    };
    let code = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(change(None, json!({"position": 1})).await, code(428, "request/if_match_required"));
    assert_eq!(change(Some("\"7\""), json!({"position": 1})).await, code(412, "payments/changed_meanwhile"));
    let past = json!({"valid_to": "2026-06-01T11:59:59Z"});
    assert_eq!(change(Some("\"1\""), past).await, code(422, "request/invalid_value"));
    let soon = json!({"position": 5, "valid_to": "2026-06-01T12:10:00Z"});
    assert_eq!(change(Some("\"1\""), soon).await, code(200, ""));
    assert_eq!(change(Some("\"2\""), json!({"valid_to": null})).await, code(200, ""));
    let shown = test.get(&path, &[boss.header()]).await;
    assert_eq!((&shown.json["position"], &shown.json["valid_to"]), (&json!(5), &Value::Null));
    assert_eq!(change(Some("\"3\""), json!({"valid_to": "2026-06-01T12:10:00Z"})).await, code(200, ""));
    test.clock.advance(Duration::minutes(10));
    assert_eq!(
        change(Some("\"4\""), json!({"valid_to": null})).await,
        code(409, "payments/commission_rule_ended")
    );
    let list =
        async |query: &str| test.get(&format!("{RULES}{query}"), &[boss.header()]).await.json["data"].clone();
    assert_eq!(list("").await, json!([]));
    assert_eq!(list("?ended=true").await.as_array().unwrap().len(), 1);

    let unknown = "019a9c2e-5d10-7c6e-9a41-0f4b8a2d7c11";
    for (wrong, field) in [
        (json!({"name": "X", "terms": percent(1_000_001)}), "terms"),
        (json!({"name": "X", "terms": {"kind": "fixed", "per_unit": 5}}), "currency"),
        (json!({"name": "X", "terms": percent(1), "store_id": unknown}), "store_id"),
        (json!({"name": "X", "terms": percent(1), "category_id": unknown}), "category_id"),
        (
            json!({"name": "X", "currency": "GBP", "terms": {"kind": "tiered", "brackets": []}}),
            "terms.brackets",
        ),
        (json!({"name": "X", "terms": percent(1), "valid_to": "2026-06-01T12:00:00Z"}), "valid_to"),
    ] {
        let refused = test.post(RULES, &[boss.header()], &wrong).await;
        let told = refused.json["details"][0]["field"].as_str().unwrap_or_default();
        assert_eq!((refused.status.as_u16(), told), (422, field), "{refused:?}");
    }
    let audit = test.get("/api/v1/audit_log?action=commission_rule.", &[boss.header()]).await;
    let actions: Vec<&str> = audit.json["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    let changed = "commission_rule.changed";
    assert_eq!(actions, [changed, changed, changed, "commission_rule.created"]);
    Arc::into_inner(test).unwrap().finish().await;
}

/// Operators make rules, behind a second factor. A store's people see those that can fit its sales, and no others.
#[tokio::test(flavor = "multi_thread")]
async fn stores_see_the_rules_for_them() {
    let test = TestApp::start().await;
    let boss = operator(&test).await;
    let (shop, other) = (test.store("shop", Currency::GBP).await, test.store("other", Currency::GBP).await);
    let books = test.category("books", None).await;
    for (name, more) in [
        ("All", json!({})),
        ("Books", json!({"category_id": books})),
        ("Mine", json!({"store_id": shop, "valid_from": "2027-01-01T00:00:00Z"})),
        ("Theirs", json!({"store_id": other})),
        ("Euros", json!({"currency": "EUR"})),
        ("Pounds", json!({"currency": "GBP", "position": 1})),
        ("Ended", json!({})),
    ] {
        let mut rule = json!({"name": name, "terms": percent(1)});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = make(&test, &boss, rule).await;
        if name == "Ended" {
            let headers = [boss.header(), ("if-match", "\"1\"")];
            assert_eq!(test.send(Method::DELETE, made.header("location"), &headers, None).await.status, 200);
        }
    }
    let names = |answer: &Answer| -> Vec<String> {
        let rules = answer.json["data"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
        rules.iter().map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()
    };
    test.member("owner", shop, StoreRole::Owner).await;
    let finance = test.member("finance", shop, StoreRole::Finance).await;
    let staff = test.member("staff", shop, StoreRole::Staff).await;
    let path = "/api/v1/stores/shop/commission_rules";
    let seen = test.get(path, &[finance.header()]).await;
    assert_eq!(names(&seen), ["Pounds", "All", "Books", "Mine"]);
    assert_eq!(test.get(path, &[staff.header()]).await.code(), "identity/forbidden");
    assert_eq!(test.get(path, &[]).await.code(), "identity/unauthenticated");
    assert_eq!(test.get(RULES, &[finance.header()]).await.code(), "identity/forbidden");
    let bare = test.official("bare", PlatformRole::Operator).await;
    let rule = json!({"name": "X", "terms": percent(1)});
    assert_eq!(test.post(RULES, &[bare.header()], &rule).await.code(), "identity/second_factor_required");
    assert_eq!(test.post(RULES, &[finance.header()], &rule).await.code(), "identity/forbidden");

    // In their order, page by page.
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = test.get(&format!("{RULES}?first=4{after}"), &[boss.header()]).await;
        all.extend(names(&page));
        if page.json["page_info"]["has_next_page"] == false {
            break;
        }
        after = format!("&after={}", page.json["page_info"]["end_cursor"].as_str().unwrap());
    }
    assert_eq!(all, ["Pounds", "All", "Books", "Mine", "Theirs", "Euros"]);
    test.finish().await;
}

/// Many buy while the rules change: each order's lines are by one rule, whole.
#[tokio::test(flavor = "multi_thread")]
async fn no_order_is_by_two_rules() {
    let test = Arc::new(TestApp::start().await);
    let boss = operator(&test).await;
    let shop = test.store("shop", Currency::GBP).await;
    let pot = sells(&test, shop, "pot", pounds(105), &[]).await;
    let cup = sells(&test, shop, "cup", pounds(105), &[]).await;
    let mut rule = make(&test, &boss, json!({"name": "0", "terms": percent(100_000)})).await;
    let mut buyers = JoinSet::new();
    for round in 1..=10_u32 {
        for buyer in 0..4 {
            let test = Arc::clone(&test);
            buyers.spawn(async move {
                let token = test.basket(pot, 1).await;
                let more = json!({"variant_id": cup, "quantity": 1});
                test.post("/api/v1/shopping_basket/products", &[("x-cart-token", &token)], &more).await;
                let headers = [("x-cart-token", token.as_str()), ("idempotency-key", "k")];
                let path = "/api/v1/shopping_basket/checkout";
                let bought = test.post(path, &headers, &purchase("tok_visa")).await;
                assert_eq!(bought.status, 201, "{buyer}: {bought:?}");
                bought
            });
        }
        let next =
            json!({"name": round.to_string(), "position": 0, "terms": percent(100_000 + round * 10_000)});
        let next = make(&test, &boss, next).await;
        test.send(Method::DELETE, rule.header("location"), &[boss.header()], None).await;
        rule = next;
    }
    for order in buyers.join_all().await {
        let lines = frozen(&test, &order).await;
        let rule: u32 = lines[0].3.as_ref().unwrap().parse().unwrap();
        assert_eq!(lines[0].3, lines[1].3);
        // So many percent of 210, half up.
        let expected = (210 * (10 + i64::from(rule)) + 50) / 100;
        assert_eq!(lines[0].1 + lines[1].1, expected, "{lines:?}");
    }
    Arc::into_inner(test).unwrap().finish().await;
}
