//! Stores by their owners: people apply, operators decide, teams change, and nobody else sees what is not public.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use identity::{Actor, ApiKeyKind, NewApiKey, Permission, StoreRole};
use platform::Currency;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use testkit::{Answer, NewProduct, Person, TestApp};
use tokio::task::JoinSet;

const STORES: &str = "/api/v1/stores";

fn application(slug: &str) -> Value {
    json!({"slug": slug, "name": "Kiln & Kin", "description": "Stoneware.", "currency": "GBP"})
}

async fn apply(test: &TestApp, person: Option<&Person>, slug: &str) -> Answer {
    test.ask(person, Method::POST, STORES, &[], Some(&application(slug))).await
}

/// A store that waits for an operator; gives its address.
async fn pending(test: &TestApp, owner: &Person, slug: &str) -> String {
    let answer = apply(test, Some(owner), slug).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.header("location").to_owned()
}

async fn show(test: &TestApp, person: Option<&Person>, path: &str) -> Answer {
    test.ask(person, Method::GET, path, &[], None).await
}

async fn decide(test: &TestApp, person: Option<&Person>, store: &str, what: &str) -> Answer {
    let body = ["reject", "suspend"].contains(&what).then(|| json!({"reason": "The imprint is missing."}));
    test.ask(person, Method::POST, &format!("{store}/{what}"), &[], body.as_ref()).await
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{answer:?}");
}

/// From the application to a store that trades, is closed for a while, and trades again.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_comes_to_life() {
    let test = TestApp::start().await;
    let (ada, eve, operator) = (test.person("ada").await, test.person("eve").await, test.operator().await);
    let applied = apply(&test, Some(&ada), "kiln-and-kin").await;
    assert_eq!(applied.status, 201, "{applied:?}");
    assert_eq!((applied.json["status"].as_str(), applied.header("etag")), (Some("pending"), "\"1\""));
    assert_eq!(applied.json["review"]["applied_by"], ada.id.to_string());
    let store = applied.header("location");

    // Who applied is the owner, and with the operators the only one who sees it.
    let mine = show(&test, Some(&ada), "/api/v1/users/me/stores").await;
    assert_eq!(mine.json["data"][0]["role"], "owner", "{mine:?}");
    assert_eq!(mine.json["data"][0]["store"], applied.json);
    assert_eq!(show(&test, Some(&eve), "/api/v1/users/me/stores").await.json["data"], json!([]));
    for path in [store, "/api/v1/stores/kiln-and-kin"] {
        assert_eq!(show(&test, Some(&ada), path).await.json, applied.json, "{path}");
        assert_eq!(show(&test, Some(&operator), path).await.json, applied.json, "{path}");
        for nobody in [None, Some(&eve)] {
            assert_refused(&show(&test, nobody, path).await, 404, "catalog/store_not_found");
        }
    }
    let queue = show(&test, Some(&operator), "/api/v1/admin/stores?status=pending").await;
    assert_eq!(queue.json["data"], json!([applied.json]), "{queue:?}");
    assert_eq!(
        show(&test, Some(&operator), "/api/v1/admin/stores?status=active").await.json["data"],
        json!([])
    );

    test.clock.advance(time::Duration::minutes(5));
    let approved = decide(&test, Some(&operator), store, "approve").await;
    assert_eq!((approved.status.as_u16(), approved.json["status"].as_str()), (200, Some("active")));
    assert_eq!(approved.json["review"]["decided_at"], "2026-06-01T12:05:00Z");
    let public = show(&test, None, store).await;
    assert_eq!((public.status.as_u16(), public.json.get("review")), (200, None), "{public:?}");
    assert_eq!(show(&test, None, STORES).await.json["total"], 1);

    let suspended = decide(&test, Some(&operator), store, "suspend").await;
    assert_eq!(suspended.json["review"]["reason"], "The imprint is missing.", "{suspended:?}");
    assert_refused(&show(&test, None, store).await, 404, "catalog/store_not_found");
    assert_refused(&show(&test, Some(&eve), store).await, 404, "catalog/store_not_found");
    assert_eq!(show(&test, Some(&ada), store).await.json, suspended.json);
    assert_eq!(show(&test, None, STORES).await.json["total"], 0);
    let again = decide(&test, Some(&operator), store, "reinstate").await;
    assert_eq!(
        (again.json["status"].as_str(), &again.json["review"]["reason"]),
        (Some("active"), &Value::Null)
    );
    assert_eq!(show(&test, None, store).await.status, 200);
    test.finish().await;
}

/// A suspended store's products are on no list and no page, and can not be bought, not even from a cart.
#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_store_sells_nothing() {
    let test = TestApp::start().await;
    let operator = test.operator().await;
    let teapot = test.product(NewProduct::default()).await;
    let basket = test.basket(teapot, 1).await;
    let paths =
        ["/api/v1/products", "/api/v2/products", "/api/v1/products/teapot", "/api/v1/stores/shop/products"];
    for path in paths {
        assert_eq!(test.get(path, &[]).await.status, 200, "{path}");
    }
    assert_eq!(decide(&test, Some(&operator), "/api/v1/stores/shop", "suspend").await.status, 200);
    for path in &paths[..2] {
        assert_eq!(test.get(path, &[]).await.json["data"], json!([]), "{path}");
    }
    for path in &paths[2..] {
        assert_eq!(test.get(path, &[]).await.status, 404, "{path}");
    }
    let body = json!({"variant_id": teapot, "quantity": 1});
    let added = test.post("/api/v1/shopping_basket/products", &[], &body).await;
    assert_refused(&added, 404, "orders/item_unavailable");
    let bought = test.check_out(&basket, "k", "tok_visa").await;
    assert_refused(&bought, 409, "orders/item_unavailable");
    assert_eq!(decide(&test, Some(&operator), "/api/v1/stores/shop", "reinstate").await.status, 200);
    assert_eq!(test.check_out(&basket, "k2", "tok_visa").await.status, 201);
    test.finish().await;
}

/// Who may not apply, and with what.
#[tokio::test(flavor = "multi_thread")]
async fn not_everybody_can_apply_for_everything() {
    let test = TestApp::start().await;
    let ada = test.person("ada").await;
    assert_refused(&apply(&test, None, "kiln").await, 401, "identity/unauthenticated");
    test.store("shop", Currency::GBP).await;
    for slug in ["shop", "kiln"] {
        if slug == "kiln" {
            pending(&test, &ada, slug).await;
        }
        let taken = apply(&test, Some(&ada), slug).await;
        assert_refused(&taken, 409, "catalog/store_slug_taken");
        assert_eq!(taken.json["details"][0]["field"], "slug");
    }
    for (field, value) in [
        ("slug", json!("Not a slug")),
        ("name", json!(" ")),
        ("name", json!("two\nlines")),
        ("name", json!("x".repeat(121))),
        ("description", json!("a\u{0}b")),
        ("currency", json!("gbp")),
        ("image_url", json!("javascript:alert(1)")),
        ("status", json!("active")),
    ] {
        let mut body = application("other");
        body[field] = value;
        let answer = test.ask(Some(&ada), Method::POST, STORES, &[], Some(&body)).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json["details"][0]["field"]),
            (422, &json!(field)),
            "{body}"
        );
    }
    test.finish().await;
}

/// A person has three applications open at a time, however fast they ask.
#[tokio::test(flavor = "multi_thread")]
async fn few_applications_are_open_at_a_time() {
    let test = std::sync::Arc::new(TestApp::start().await);
    let (ada, operator) = (test.person("ada").await, test.operator().await);
    let mut racers = JoinSet::new();
    for number in 0..8 {
        let (test, ada) = (std::sync::Arc::clone(&test), ada.clone());
        racers.spawn(async move { apply(&test, Some(&ada), &format!("kiln-{number}")).await });
    }
    let answers = racers.join_all().await;
    let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(made.len(), 3);
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        assert_refused(refused, 409, "catalog/too_many_applications");
    }
    // An answer makes room, and somebody else is not kept waiting.
    decide(&test, Some(&operator), made[0].header("location"), "reject").await;
    assert_eq!(apply(&test, Some(&ada), "kiln-and-kin").await.status, 201);
    assert_refused(&apply(&test, Some(&ada), "one-more").await, 409, "catalog/too_many_applications");
    assert_eq!(apply(&test, Some(&operator), "one-more").await.status, 201);
    std::sync::Arc::into_inner(test).unwrap().finish().await;
}

/// Each decision has its time; another one is told what the store is.
#[tokio::test(flavor = "multi_thread")]
async fn decisions_have_their_time() {
    let test = TestApp::start().await;
    let (ada, operator) = (test.person("ada").await, test.operator().await);
    let store = pending(&test, &ada, "kiln").await;
    let all = ["approve", "reject", "suspend", "reinstate"];
    for (status, way, fitting) in [
        ("pending", None, &["approve", "reject"][..]),
        ("rejected", Some("reject"), &["approve"]),
        ("active", Some("approve"), &["suspend"]),
        ("suspended", Some("suspend"), &["reinstate"]),
    ] {
        if let Some(way) = way {
            assert_eq!(decide(&test, Some(&operator), &store, way).await.json["status"], status);
        }
        for what in all.iter().filter(|what| !fitting.contains(what)) {
            let refused = decide(&test, Some(&operator), &store, what).await;
            assert_refused(&refused, 409, "catalog/wrong_state");
            assert_eq!(refused.json["details"][0]["facts"]["status"], status);
        }
    }
    for what in all {
        assert_refused(&decide(&test, None, &store, what).await, 401, "identity/unauthenticated");
        assert_refused(&decide(&test, Some(&ada), &store, what).await, 403, "identity/forbidden");
        let nowhere = "/api/v1/stores/019a9c2e-5d10-7c6e-9a41-0f4b8a2d7c11";
        assert_refused(&decide(&test, Some(&operator), nowhere, what).await, 404, "catalog/store_not_found");
        assert_refused(&decide(&test, Some(&ada), nowhere, what).await, 403, "identity/forbidden");
    }
    assert_refused(&show(&test, None, "/api/v1/admin/stores").await, 401, "identity/unauthenticated");
    assert_refused(&show(&test, Some(&ada), "/api/v1/admin/stores").await, 403, "identity/forbidden");
    let path = format!("{store}/reject");
    let no_reason = test.ask(Some(&operator), Method::POST, &path, &[], Some(&json!({"reason": ""}))).await;
    assert_eq!((no_reason.status.as_u16(), &no_reason.json["details"][0]["field"]), (422, &json!("reason")));
    test.finish().await;
}

/// A change says on top of what it is made; whoever may not make it learns no more than they may know.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_changed_by_its_team() {
    let test = TestApp::start().await;
    let (ada, store) = test.seller("shop").await;
    let (eve, staff) = (test.person("eve").await, test.person("staff").await);
    test.join(&staff, store, StoreRole::Staff).await;
    let path = format!("/api/v1/stores/{store}");
    let body = json!({"name": "Kiln & Clay", "image_url": "/media/shop.svg"});
    let change = async |person: Option<&Person>, path: &str, version: Option<&str>| {
        let headers: Vec<_> = version.iter().map(|version| ("if-match", *version)).collect();
        test.ask(person, Method::PATCH, path, &headers, Some(&body)).await
    };
    let seen = show(&test, Some(&ada), &path).await;
    let etag = seen.header("etag");
    assert!(seen.header("cache-control").contains("private"), "{seen:?}");
    assert_refused(&change(Some(&ada), &path, None).await, 428, "request/if_match_required");
    assert_refused(&change(Some(&ada), &path, Some("*")).await, 412, "request/stale");
    assert_refused(&change(Some(&ada), &path, Some("\"7\"")).await, 412, "catalog/changed_meanwhile");
    assert_refused(&change(None, &path, Some(etag)).await, 401, "identity/unauthenticated");
    assert_refused(&change(Some(&eve), &path, Some(etag)).await, 403, "identity/forbidden");
    assert_refused(&change(Some(&staff), &path, Some(etag)).await, 403, "identity/forbidden");
    let compressed = format!("{}-gzip\"", etag.trim_end_matches('"'));
    let changed = change(Some(&ada), &path, Some(&compressed)).await;
    assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, "\"2\""), "{changed:?}");
    assert_refused(&change(Some(&ada), &path, Some(etag)).await, 412, "catalog/changed_meanwhile");
    let public = show(&test, None, &path).await;
    assert_eq!(public.json["name"], "Kiln & Clay");
    assert!(public.json["image_url"].as_str().unwrap().ends_with("/media/shop.svg"), "{public:?}");
    assert_eq!(public.json["description"], seen.json["description"]);
    // What is not public is not there for others.
    let hidden = pending(&test, &ada, "hidden").await;
    for (nobody, path) in
        [(None, hidden.as_str()), (Some(&eve), &hidden), (Some(&eve), "/api/v1/stores/hidden")]
    {
        assert_refused(&change(nobody, path, Some("\"1\"")).await, 404, "catalog/store_not_found");
    }
    let operator = test.operator().await;
    decide(&test, Some(&operator), &hidden, "reject").await;
    assert_refused(&change(Some(&ada), &hidden, Some("\"2\"")).await, 409, "catalog/wrong_state");
    test.finish().await;
}

/// The answer for a store's team is never kept for somebody else, and the kept one is never theirs.
#[tokio::test(flavor = "multi_thread")]
async fn the_cache_tells_teams_from_guests() {
    let test = TestApp::start().await;
    let (ada, _) = test.seller("shop").await;
    let path = "/api/v1/stores/shop";
    for _ in 0..2 {
        let team = show(&test, Some(&ada), path).await;
        assert!(team.json["review"].is_object() && team.header("cache-control") == "private, no-store");
        let guest = show(&test, None, path).await;
        assert_eq!(guest.json.get("review"), None);
        assert!(guest.header("cache-control").starts_with("public"));
        let varies: Vec<_> =
            guest.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
        assert!(varies.join(",").contains("authorization"), "{varies:?}");
        let known =
            test.ask(Some(&ada), Method::GET, path, &[("if-none-match", guest.header("etag"))], None).await;
        assert_eq!(known.status, 200);
    }
    test.finish().await;
}

/// A program with a key may do what its scopes say, in its store alone, and opens no stores.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_changes_its_own_store() {
    let test = TestApp::start().await;
    let (ada, store) = test.seller("shop").await;
    let other = test.store("other", Currency::GBP).await;
    let actor = test.actor(&ada).await;
    let new = NewApiKey {
        kind: ApiKeyKind::Secret,
        name: "Sync".to_owned(),
        store: Some(store),
        scopes: vec![Permission::StoreRead, Permission::StoreWrite],
        expires_at: None,
    };
    let (_, secret) = test.app.identity.api_keys.create(&actor, &new).await.unwrap();
    let key = Person { authorization: format!("Bearer {}", secret.expose()), ..ada.clone() };
    assert_refused(&apply(&test, Some(&key), "more").await, 403, "identity/people_only");
    let mine = show(&test, Some(&key), "/api/v1/users/me/stores").await;
    assert_refused(&mine, 403, "identity/people_only");
    for (store, status) in [(store, 200), (other, 403)] {
        let path = format!("/api/v1/stores/{store}");
        let body = json!({"name": "By a program"});
        let answer = test.ask(Some(&key), Method::PATCH, &path, &[("if-match", "\"1\"")], Some(&body)).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    test.finish().await;
}

/// The power fails between writing a store and entering its owner: the next look, or the decision, makes it good.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_is_entered_after_a_crash() {
    let test = TestApp::start().await;
    let (ada, operator) = (test.person("ada").await, test.operator().await);
    for (slug, looks) in [("by-a-look", true), ("by-a-decision", false)] {
        let store = pending(&test, &ada, slug).await;
        let id = store.rsplit('/').next().unwrap();
        let crash = format!(
            "UPDATE catalog.stores SET founded_at = NULL WHERE id = '{id}';
             DELETE FROM identity.memberships WHERE store_id = '{id}'"
        );
        sqlx::raw_sql(AssertSqlSafe(crash)).execute(test.app.database.pool()).await.unwrap();
        assert_eq!(test.violations().await, []);
        assert_eq!(show(&test, Some(&ada), &store).await.status, 404);
        if looks {
            let mine = show(&test, Some(&ada), "/api/v1/users/me/stores").await;
            assert_eq!(mine.json["data"].as_array().unwrap().len(), 1, "{mine:?}");
        } else {
            assert_eq!(decide(&test, Some(&operator), &store, "reject").await.status, 200);
        }
        assert_eq!(show(&test, Some(&ada), &store).await.status, 200, "{slug}");
        assert_eq!(
            test.app.identity.teams.members(&Actor::system(), id.parse().unwrap()).await.unwrap().len(),
            1
        );
    }
    test.finish().await;
}

/// The power fails before the owner is entered, and the applicant leaves: the store can be rejected, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn an_applicant_who_left_is_rejected() {
    let test = TestApp::start().await;
    let (ada, operator) = (test.person("ada").await, test.operator().await);
    let store = pending(&test, &ada, "kiln").await;
    let crash = "UPDATE catalog.stores SET founded_at = NULL; DELETE FROM identity.memberships";
    sqlx::raw_sql(crash).execute(test.app.database.pool()).await.unwrap();
    assert_eq!(leave(&test, &ada).await.status, 204);
    assert_refused(&decide(&test, Some(&operator), &store, "approve").await, 404, "identity/user_not_found");
    assert_eq!(decide(&test, Some(&operator), &store, "reject").await.json["status"], "rejected");
    test.finish().await;
}

async fn leave(test: &TestApp, person: &Person) -> Answer {
    let body = json!({"password": testkit::PASSWORD});
    test.ask(Some(person), Method::POST, "/api/v1/users/me/delete", &[], Some(&body)).await
}

async fn withdraw(test: &TestApp, person: &Person, store: &str) -> Answer {
    test.ask(Some(person), Method::DELETE, store, &[], None).await
}

/// Whoever was turned down gives the store up, and is free to go; the slug is for others then.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_never_traded_is_withdrawn() {
    let test = TestApp::start().await;
    let (ada, eve, operator) = (test.person("ada").await, test.person("eve").await, test.operator().await);
    for reject in [true, false] {
        let store = pending(&test, &ada, "kiln").await;
        let id = store.rsplit('/').next().unwrap().parse().unwrap();
        let manager = test.member(&format!("manager-{reject}"), id, StoreRole::Manager).await;
        let key = json!({"kind": "secret", "name": "Sync", "scopes": StoreRole::Owner.permissions()});
        let key = test.ask(Some(&ada), Method::POST, &format!("{store}/api_keys"), &[], Some(&key)).await;
        let key = format!("Bearer {}", key.json["key"].as_str().unwrap());
        if reject {
            decide(&test, Some(&operator), &store, "reject").await;
        }
        assert_refused(&leave(&test, &ada).await, 409, "identity/owns_stores");
        assert_refused(&withdraw(&test, &eve, &store).await, 404, "catalog/store_not_found");
        assert_refused(&withdraw(&test, &manager, &store).await, 403, "identity/forbidden");
        let without_factor = withdraw(&test, &operator, &store).await;
        assert_refused(&without_factor, 403, "identity/second_factor_required");
        let program = Person { authorization: key.clone(), ..ada.clone() };
        assert_refused(&withdraw(&test, &program, &store).await, 403, "identity/people_only");
        assert_eq!(withdraw(&test, &ada, &store).await.status, 204);
        for (person, path) in [(&ada, store.as_str()), (&manager, &store), (&ada, "/api/v1/stores/kiln")] {
            assert_refused(&show(&test, Some(person), path).await, 404, "catalog/store_not_found");
        }
        let mine = show(&test, Some(&ada), "/api/v1/users/me/stores").await;
        assert_eq!(mine.json["data"], json!([]));
        let with_key = test.get(&format!("{store}/stock"), &[("authorization", &key)]).await;
        assert_refused(&with_key, 401, "identity/bad_credential");
        for what in ["approve", "reject", "suspend", "reinstate"] {
            let refused = decide(&test, Some(&operator), &store, what).await;
            assert_refused(&refused, 409, "catalog/wrong_state");
        }
    }
    let withdrawn = show(&test, Some(&operator), "/api/v1/admin/stores?status=withdrawn").await;
    assert_eq!(withdrawn.json["data"].as_array().unwrap().len(), 2, "{withdrawn:?}");
    assert_eq!(apply(&test, Some(&eve), "kiln").await.status, 201, "the slug is free");
    assert_eq!(leave(&test, &ada).await.status, 204);
    test.finish().await;
}

/// What was approved once is not given up, whatever became of it. What was left half done is done by asking again.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_traded_stays() {
    let test = TestApp::start().await;
    let (ada, operator) = (test.person("ada").await, test.operator().await);
    let store = pending(&test, &ada, "kiln").await;
    for what in ["approve", "suspend"] {
        decide(&test, Some(&operator), &store, what).await;
        assert_refused(&withdraw(&test, &ada, &store).await, 409, "catalog/wrong_state");
    }
    // The power fails between closing another one and ending its team.
    let other = pending(&test, &ada, "other").await;
    let crash = "UPDATE catalog.stores SET status = 'withdrawn', application = NULL WHERE slug = 'other'";
    sqlx::raw_sql(crash).execute(test.app.database.pool()).await.unwrap();
    assert_eq!(withdraw(&test, &ada, &other).await.status, 204);
    let mine = show(&test, Some(&ada), "/api/v1/users/me/stores").await;
    assert_eq!(mine.json["data"].as_array().unwrap().len(), 1, "{mine:?}");
    test.finish().await;
}

/// Souk mails nothing in the name of a store that no operator has approved, or that one has closed.
#[tokio::test(flavor = "multi_thread")]
async fn stores_that_do_not_trade_invite_nobody() {
    let test = TestApp::start().await;
    let (ada, operator) = (test.person("ada").await, test.operator().await);
    let store = pending(&test, &ada, "kiln").await;
    let path = format!("{store}/invitations");
    let body = json!({"email": "bob@example.com", "role": "staff"});
    for (what, may) in [("", false), ("reject", false), ("approve", true), ("suspend", false)] {
        if !what.is_empty() {
            decide(&test, Some(&operator), &store, what).await;
        }
        let answer = test.ask(Some(&ada), Method::POST, &path, &[], Some(&body)).await;
        test.run_jobs().await;
        let mailed = test.mails().await.iter().any(|mail| mail.to == "bob@example.com");
        if may {
            assert_eq!((answer.status.as_u16(), mailed), (201, true), "{what}: {answer:?}");
        } else {
            assert_refused(&answer, 409, "catalog/wrong_state");
            assert_eq!(mailed, what == "suspend", "{what}: only the one that was mailed before");
        }
    }
    assert_eq!(test.mails().await.iter().filter(|mail| mail.to == "bob@example.com").count(), 1);
    test.finish().await;
}

/// Each step of a store's life stands in the audit log, with who took it, and is published.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_written_down() {
    let test = TestApp::start().await;
    let (ada, operator) = (test.person("ada").await, test.operator().await);
    let store = pending(&test, &ada, "kiln").await;
    decide(&test, Some(&operator), &store, "approve").await;
    decide(&test, Some(&operator), &store, "suspend").await;
    let rows: Vec<(String, Option<uuid::Uuid>)> = sqlx::query_as(
        "SELECT action, actor_id FROM platform.audit_log WHERE action LIKE 'store.%' AND action <> 'store.founded' ORDER BY id",
    )
    .fetch_all(test.app.database.pool())
    .await
    .unwrap();
    let expected =
        [("store.applied", ada.id), ("store.approved", operator.id), ("store.suspended", operator.id)];
    assert_eq!(rows, expected.map(|(action, who)| (action.to_owned(), Some(who.uuid()))));
    let told: Vec<(Value,)> = sqlx::query_as(
        "SELECT payload FROM platform.outbox WHERE topic = 'catalog.store_status_changed.v1' ORDER BY id",
    )
    .fetch_all(test.app.database.pool())
    .await
    .unwrap();
    let told: Vec<_> = told.iter().map(|(payload,)| payload["status"].as_str().unwrap()).collect();
    assert_eq!(told, ["pending", "active", "suspended"]);
    test.finish().await;
}

/// `souk verify` finds people without a store, a store without its people, and stock with another store's.
#[tokio::test(flavor = "multi_thread")]
async fn teams_and_stores_belong_together() {
    let test = TestApp::start().await;
    let ada = test.person("ada").await;
    test.product(NewProduct::default()).await;
    pending(&test, &ada, "kiln").await;
    test.run_jobs().await;
    for (invariant, sql) in [
        ("identity/team_has_store", "DELETE FROM catalog.stores WHERE slug = 'kiln'"),
        ("catalog/store_has_owner", "DELETE FROM identity.memberships"),
        (
            "inventory/stock_has_its_store",
            "UPDATE inventory.stock_levels SET store_id = gen_random_uuid();
             UPDATE inventory.stock_adjustments SET store_id = (SELECT store_id FROM inventory.stock_levels)",
        ),
        ("inventory/history_has_its_store", "UPDATE inventory.stock_adjustments SET store_id = NULL"),
    ] {
        let copy = test.copy().await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(copy.database.pool()).await.unwrap();
        let found = souk::verify::violations(&test.on(&copy.database)).await.unwrap();
        copy.drop().await;
        assert_eq!(found.iter().map(|found| found.invariant).collect::<Vec<_>>(), [invariant]);
    }
    test.finish().await;
}
