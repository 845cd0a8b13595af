//! Who works for a store: invited by mail, with no more rights than whoever invites.

#![expect(clippy::unwrap_used, reason = "helpers outside of tests")]

use identity::{Actor, PlatformRole, StoreRole};
use platform::Currency;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use testkit::{Answer, PASSWORD, Person, TestApp};

async fn invite(test: &TestApp, by: &Person, email: &str, role: &str) -> Answer {
    let body = json!({"email": email, "role": role});
    test.post("/api/v1/stores/shop/invitations", &[by.header()], &body).await
}

async fn accept(test: &TestApp, who: &Person, token: &str) -> Answer {
    test.post("/api/v1/invitations/accept", &[who.header()], &json!({"token": token})).await
}

/// Moves somebody to another address.
async fn move_to(test: &TestApp, who: &Person, email: &str) {
    let body = json!({"email": email, "password": PASSWORD});
    test.post("/api/v1/users/me/email", &[who.header()], &body).await;
    let token = json!({"token": test.mailed_token(email).await});
    let moved = test.post("/api/v1/auth/email_change/confirm", &[who.header()], &token).await;
    assert!(moved.status.is_success(), "{moved:?}");
}

async fn delete_account(test: &TestApp, who: &Person) -> Answer {
    test.post("/api/v1/users/me/delete", &[who.header()], &json!({"password": PASSWORD})).await
}

/// Makes a key; gives its id and what stands in the `Authorization` header.
async fn make_key(test: &TestApp, by: &Person, path: &str, scope: &str) -> (Value, String) {
    let body = json!({"kind": "secret", "name": "A key", "scopes": [scope]});
    let made = test.post(path, &[by.header()], &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    (made.json["id"].clone(), format!("Bearer {}", made.json["key"].as_str().unwrap()))
}

/// A token that such a key is good for.
async fn service_token(test: &TestApp, id: &Value, key: &str) -> String {
    let key = key.trim_start_matches("Bearer ");
    let form =
        format!("grant_type=client_credentials&client_id={}&client_secret={key}", id.as_str().unwrap());
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let got = test.send_raw(Method::POST, "/api/v1/auth/token", &headers, Some(form.into_bytes())).await;
    format!("Bearer {}", got.json["access_token"].as_str().unwrap())
}

/// Somebody is asked by mail and joins; the mail is of no use to anybody else.
#[tokio::test(flavor = "multi_thread")]
async fn invites_by_mail() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let owner = test.member("owner", store, StoreRole::Owner).await;
    let (bob, eve) = (test.person("bob").await, test.person("eve").await);
    let asked = invite(&test, &owner, "Bob@Example.com", "staff").await;
    assert_eq!(asked.status, StatusCode::CREATED, "{asked:?}");
    test.run_jobs().await;
    let token = test.mailed_token("Bob@Example.com").await;
    assert_eq!(accept(&test, &eve, &token).await.code(), "identity/token_not_valid");
    let joined = accept(&test, &bob, &token).await;
    assert_eq!(joined.json, json!({"store_id": store, "role": "staff"}));
    assert_eq!(accept(&test, &bob, &token).await.status, StatusCode::GONE);
    let members = test.get("/api/v1/stores/shop/members", &[bob.header()]).await;
    let roles: Vec<_> =
        members.json["data"].as_array().unwrap().iter().map(|member| &member["role"]).collect();
    assert_eq!(roles, ["owner", "staff"]);
    let again = invite(&test, &owner, "bob@example.com", "staff").await;
    assert_eq!(again.code(), "identity/already_member");
    test.finish().await;
}

/// An invitation ends: replaced, taken back, or too old.
#[tokio::test(flavor = "multi_thread")]
async fn invitations_end() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let owner = test.member("owner", store, StoreRole::Owner).await;
    let bob = test.person("bob").await;
    invite(&test, &owner, "bob@example.com", "manager").await;
    test.run_jobs().await;
    let first = test.mailed_token("bob@example.com").await;
    let second = invite(&test, &owner, "bob@example.com", "staff").await;
    test.run_jobs().await;
    assert_eq!(accept(&test, &bob, &first).await.status, StatusCode::GONE, "replaced");
    let list = test.get("/api/v1/stores/shop/invitations", &[owner.header()]).await;
    assert_eq!(list.json["data"].as_array().unwrap().len(), 1);
    let one = format!("/api/v1/stores/shop/invitations/{}", second.json["id"].as_str().unwrap());
    assert_eq!(test.send(Method::DELETE, &one, &[owner.header()], None).await.status, StatusCode::NO_CONTENT);
    let token = test.mailed_token("bob@example.com").await;
    assert_eq!(accept(&test, &bob, &token).await.status, StatusCode::GONE, "taken back");
    invite(&test, &owner, "bob@example.com", "staff").await;
    test.run_jobs().await;
    let token = test.mailed_token("bob@example.com").await;
    test.clock.advance(time::Duration::days(7));
    let bob = test.person("bob").await;
    assert_eq!(accept(&test, &bob, &token).await.status, StatusCode::GONE, "too old");
    test.finish().await;
}

/// Nobody gives a role that may do more than they may, nor takes it from somebody.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_more_than_they_have() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let owner = test.member("owner", store, StoreRole::Owner).await;
    let manager = test.member("manager", store, StoreRole::Manager).await;
    let staff = test.member("staff", store, StoreRole::Staff).await;
    for role in ["owner", "finance"] {
        assert_eq!(
            invite(&test, &manager, "x@example.com", role).await.code(),
            "identity/more_than_own",
            "{role}"
        );
    }
    assert_eq!(invite(&test, &manager, "x@example.com", "staff").await.status, StatusCode::CREATED);
    assert_eq!(invite(&test, &staff, "y@example.com", "read_only").await.code(), "identity/forbidden");
    let change = |by: &Person, whom: &Person, role: Value| {
        let (test, header) = (&test, by.authorization.clone());
        let path = format!("/api/v1/stores/shop/members/{}", whom.id);
        async move {
            let headers = [("authorization", header.as_str())];
            test.send(Method::PATCH, &path, &headers, Some(&json!({"role": role}))).await
        }
    };
    assert_eq!(change(&manager, &manager, json!("owner")).await.code(), "identity/more_than_own");
    assert_eq!(change(&manager, &owner, json!("staff")).await.code(), "identity/more_than_own");
    assert_eq!(change(&manager, &staff, json!("read_only")).await.status, StatusCode::OK);
    assert_eq!(change(&owner, &owner, json!("manager")).await.code(), "identity/last_owner");
    let path = format!("/api/v1/stores/shop/members/{}", owner.id);
    let gone = test.send(Method::DELETE, &path, &[owner.header()], None).await;
    assert_eq!((gone.status, gone.code()), (StatusCode::CONFLICT, "identity/last_owner"));
    // Two owners who demote each other at the same time: one stays.
    assert_eq!(change(&owner, &manager, json!("owner")).await.status, StatusCode::OK);
    let (one, two) =
        tokio::join!(change(&owner, &manager, json!("staff")), change(&manager, &owner, json!("staff")),);
    let refused = [&one, &two].into_iter().filter(|answer| answer.status != StatusCode::OK).count();
    assert_eq!(refused, 1, "{one:?} {two:?}");
    // Whoever goes leaves nothing behind that acts for the store.
    invite(&test, &manager, "later@example.com", "staff").await;
    invite(&test, &owner, "later-too@example.com", "staff").await;
    let left = if one.status == StatusCode::OK { &owner } else { &manager };
    let path =
        format!("/api/v1/stores/shop/members/{}", if left.id == owner.id { manager.id } else { owner.id });
    assert_eq!(test.send(Method::DELETE, &path, &[left.header()], None).await.status, StatusCode::NO_CONTENT);
    let open = test.get("/api/v1/stores/shop/invitations", &[left.header()]).await;
    let by: Vec<_> =
        open.json["data"].as_array().unwrap().iter().map(|one| one["invited_by"].clone()).collect();
    assert!(by.iter().all(|by| *by == json!(left.id)), "{open:?}");
    // Everybody may go themselves.
    let path = format!("/api/v1/stores/shop/members/{}", staff.id);
    assert_eq!(
        test.send(Method::DELETE, &path, &[staff.header()], None).await.status,
        StatusCode::NO_CONTENT
    );
    test.finish().await;
}

/// What was done stands in the audit log, with who did it and from where; nobody changes it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_on_record() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let owner = test.member("owner", store, StoreRole::Owner).await;
    let headers = [owner.header(), ("user-agent", "A browser"), ("x-request-id", "req-1")];
    let body = json!({"email": "bob@example.com", "role": "staff"});
    let asked = test.post("/api/v1/stores/shop/invitations", &headers, &body).await;
    let operator = test.trusted("operator", PlatformRole::Operator).await;
    let path = format!("/api/v1/audit_log?store_id={store}&action=member.");
    let log = test.get(&path, &[operator.header()]).await;
    let entry = &log.json["data"][0];
    assert_eq!((&entry["action"], &entry["target_id"]), (&json!("member.invited"), &asked.json["id"]));
    assert_eq!((&entry["actor_kind"], &entry["actor_id"]), (&json!("user"), &json!(owner.id)));
    assert_eq!((&entry["ip"], &entry["user_agent"]), (&json!("127.0.0.1"), &json!("A browser")));
    assert_eq!((&entry["request_id"], &entry["facts"]), (&json!("req-1"), &json!({"role": "staff"})));
    assert!(!log.text.contains("bob@"), "no personal data");
    assert_eq!(test.get(&path, &[owner.header()]).await.code(), "identity/forbidden");
    let first = test.get("/api/v1/audit_log?first=1", &[operator.header()]).await;
    let after = first.json["page_info"]["end_cursor"].as_str().unwrap();
    let next = test.get(&format!("/api/v1/audit_log?first=1&after={after}"), &[operator.header()]).await;
    assert!(next.json["data"][0]["id"].as_i64() < first.json["data"][0]["id"].as_i64());
    for statement in [
        "UPDATE platform.audit_log SET action = 'x'",
        "DELETE FROM platform.audit_log",
        "TRUNCATE platform.audit_log",
    ] {
        let error = sqlx::query(statement).execute(test.app.database.pool()).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{statement}: {error}");
    }
    test.finish().await;
}

/// A key of a store ends with the right of whoever made it, and its tokens with it.
#[tokio::test(flavor = "multi_thread")]
async fn keys_end_with_their_makers() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let owner = test.member("owner", store, StoreRole::Owner).await;
    let (keys, stock) = ("/api/v1/stores/shop/api_keys", "/api/v1/stores/shop/stock");
    let (_, kept) = make_key(&test, &owner, keys, "stock:read").await;
    for way in ["leaves", "removed", "demoted", "deleted"] {
        let maker = test.member(way, store, StoreRole::Owner).await;
        let (id, key) = make_key(&test, &maker, keys, "stock:read").await;
        let token = service_token(&test, &id, &key).await;
        for bot in [&key, &token] {
            assert_eq!(test.get(stock, &[("authorization", bot)]).await.status, StatusCode::OK, "{way}");
        }
        let member = format!("/api/v1/stores/shop/members/{}", maker.id);
        let gone = match way {
            "leaves" => test.send(Method::DELETE, &member, &[maker.header()], None).await,
            "removed" => test.send(Method::DELETE, &member, &[owner.header()], None).await,
            "demoted" => {
                let body = json!({"role": "manager"});
                test.send(Method::PATCH, &member, &[owner.header()], Some(&body)).await
            }
            _ => delete_account(&test, &maker).await,
        };
        assert!(gone.status.is_success(), "{way}: {gone:?}");
        for bot in [&key, &token] {
            let refused = test.get(stock, &[("authorization", bot)]).await;
            assert_eq!(refused.code(), "identity/bad_credential", "{way}");
        }
    }
    assert_eq!(test.get(stock, &[("authorization", &kept)]).await.status, StatusCode::OK);
    test.finish().await;
}

/// What an operator gave by their role ends with it; what they gave for a store of their own stays.
#[tokio::test(flavor = "multi_thread")]
async fn gifts_of_operators_end_with_their_role() {
    let test = TestApp::start().await;
    test.seller("shop").await;
    let own = test.store("own", Currency::GBP).await;
    let boss = test.trusted("boss", PlatformRole::Operator).await;
    let chief = test.trusted("chief", PlatformRole::Operator).await;
    test.join(&boss, own, StoreRole::Owner).await;
    let bob = test.person("bob").await;
    let (_, of_market) = make_key(&test, &boss, "/api/v1/api_keys", "audit:read").await;
    let (_, of_shop) = make_key(&test, &boss, "/api/v1/stores/shop/api_keys", "stock:read").await;
    let (_, of_own) = make_key(&test, &boss, "/api/v1/stores/own/api_keys", "stock:read").await;
    assert_eq!(invite(&test, &boss, "bob@example.com", "owner").await.status, StatusCode::CREATED);
    let token = test.mailed_token("bob@example.com").await;
    let role = format!("/api/v1/users/{}/role", boss.id);
    let demoted = test.send(Method::PUT, &role, &[chief.header()], Some(&json!({"role": null}))).await;
    assert_eq!(demoted.status, StatusCode::OK, "{demoted:?}");
    for (path, key, status) in [
        ("/api/v1/audit_log", of_market, StatusCode::UNAUTHORIZED),
        ("/api/v1/stores/shop/stock", of_shop, StatusCode::UNAUTHORIZED),
        ("/api/v1/stores/own/stock", of_own, StatusCode::OK),
    ] {
        assert_eq!(test.get(path, &[("authorization", &key)]).await.status, status, "{path}");
    }
    assert_eq!(accept(&test, &bob, &token).await.status, StatusCode::GONE);
    test.finish().await;
}

/// Somebody was invited under two addresses and invited others: when they have left, no table has an address of these.
#[tokio::test(flavor = "multi_thread")]
async fn invitations_forget_who_left() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let owner = test.member("owner", store, StoreRole::Owner).await;
    let (rival, _) = test.seller("elsewhere").await;
    let bob = test.person("bob").await;
    invite(&test, &owner, "Bob@example.com", "manager").await;
    let token = test.mailed_token("Bob@example.com").await;
    assert_eq!(accept(&test, &bob, &token).await.status, StatusCode::OK);
    move_to(&test, &bob, "robert@example.com").await;
    let body = json!({"email": "Robert@example.com", "role": "staff"});
    test.post("/api/v1/stores/elsewhere/invitations", &[rival.header()], &body).await;
    assert_eq!(invite(&test, &bob, "dave@example.com", "staff").await.status, StatusCode::CREATED);
    test.run_jobs().await;
    assert_eq!(delete_account(&test, &bob).await.status, StatusCode::NO_CONTENT);
    test.run_jobs().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT schemaname || '.' || tablename FROM pg_tables
         WHERE schemaname IN ('identity', 'catalog', 'inventory', 'orders', 'payments', 'platform')",
    )
    .fetch_all(test.app.database.pool())
    .await
    .unwrap();
    assert!(tables.len() > 30, "{tables:?}");
    for table in tables {
        let sql = format!("SELECT t::text FROM {table} t WHERE t::text ~* '(bob|robert|dave)@example'");
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(test.app.database.pool()).await.unwrap();
        assert!(rows.is_empty(), "{table}: {rows:?}");
    }
    test.finish().await;
}

/// Whoever works for a store keeps their role when they come to have an address that was invited: an only owner does not
/// make staff of themselves.
#[tokio::test(flavor = "multi_thread")]
async fn members_accept_no_other_role() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let owner = test.member("owner", store, StoreRole::Owner).await;
    invite(&test, &owner, "second@example.com", "staff").await;
    let token = test.mailed_token("second@example.com").await;
    move_to(&test, &owner, "second@example.com").await;
    let refused = accept(&test, &owner, &token).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "identity/already_member"));
    let members = test.app.identity.teams.members(&Actor::system(), store).await.unwrap();
    assert_eq!(members.iter().map(|member| member.role).collect::<Vec<_>>(), [StoreRole::Owner]);
    test.finish().await;
}

/// Nobody is made an owner whose account is gone.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_gone_owns_nothing() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let ada = test.person("ada").await;
    assert_eq!(delete_account(&test, &ada).await.status, StatusCode::NO_CONTENT);
    let teams = &test.app.identity.teams;
    let refused = teams.found(&Actor::system(), store, ada.id).await;
    assert!(matches!(refused, Err(identity::Error::UserNotFound)), "{refused:?}");
    assert!(teams.members(&Actor::system(), store).await.unwrap().is_empty());
    test.finish().await;
}
