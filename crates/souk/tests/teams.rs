//! Who works for a store: invited by mail, with no more rights than whoever invites.

use identity::{PlatformRole, StoreRole};
use platform::Currency;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Answer, Person, TestApp};

async fn invite(test: &TestApp, by: &Person, email: &str, role: &str) -> Answer {
    let body = json!({"email": email, "role": role});
    test.post("/api/v1/stores/shop/invitations", &[by.header()], &body).await
}

async fn accept(test: &TestApp, who: &Person, token: &str) -> Answer {
    test.post("/api/v1/invitations/accept", &[who.header()], &json!({"token": token})).await
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
