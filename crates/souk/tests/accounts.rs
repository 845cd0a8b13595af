//! Accounts: opened, confirmed, changed, taken along and left. Nobody learns who has one.
#![expect(clippy::unwrap_used, reason = "helpers outside of tests")]

use identity::{PlatformRole, StoreRole};
use platform::Currency;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Answer, PASSWORD, TestApp};

async fn register(test: &TestApp, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password, "name": "Ada"});
    test.post("/api/v1/auth/register", &[], &body).await
}

async fn log_in(test: &TestApp, email: &str, password: &str) -> Answer {
    test.post("/api/v1/auth/login", &[], &json!({"email": email, "password": password})).await
}

async fn me(test: &TestApp, login: &Answer) -> Answer {
    let authorization = format!("Bearer {}", login.json["access_token"].as_str().unwrap());
    test.get("/api/v1/users/me", &[("authorization", &authorization)]).await
}

/// From nothing to an account: the mail shows that the mailbox is theirs, and only then they sign in.
#[tokio::test(flavor = "multi_thread")]
async fn opens_an_account() {
    let test = TestApp::start().await;
    let answer = register(&test, "Ada@Example.com", PASSWORD).await;
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::ACCEPTED, "private, no-store"));
    assert_eq!(log_in(&test, "ada@example.com", PASSWORD).await.code(), "identity/login_failed");
    test.run_jobs().await;
    let token = test.mailed_token("Ada@Example.com").await;
    let confirm =
        test.post("/api/v1/auth/verify_email", &[], &json!({"token": token, "password": PASSWORD})).await;
    assert_eq!(confirm.status, StatusCode::NO_CONTENT, "{confirm:?}");
    let again =
        test.post("/api/v1/auth/verify_email", &[], &json!({"token": token, "password": PASSWORD})).await;
    assert_eq!((again.status, again.code()), (StatusCode::GONE, "identity/token_not_valid"));
    // Addresses are read in any case.
    let login = log_in(&test, "ADA@example.com", PASSWORD).await;
    assert_eq!((login.status, &login.json["status"]), (StatusCode::OK, &json!("signed_in")));
    let me = me(&test, &login).await;
    assert_eq!((&me.json["email"], &me.json["email_verified"]), (&json!("Ada@Example.com"), &json!(true)));
    assert_eq!((me.header("etag"), &me.json["role"]), ("\"2\"", &Value::Null));
    test.finish().await;
}

/// A mail that was lost is sent again, at most one a minute; nobody voids what is in the mailbox by asking.
#[tokio::test(flavor = "multi_thread")]
async fn sends_the_mail_again() {
    let test = TestApp::start().await;
    register(&test, "ada@example.com", PASSWORD).await;
    test.run_jobs().await;
    let first = test.mailed_token("ada@example.com").await;
    let resend = |email: &'static str| {
        let test = &test;
        async move { test.post("/api/v1/auth/verify_email/resend", &[], &json!({"email": email})).await }
    };
    let (known, unknown) = (resend("ada@example.com").await, resend("nobody@example.com").await);
    assert_eq!((known.status, &known.json), (unknown.status, &unknown.json));
    test.run_jobs().await;
    assert_eq!(test.mailed_token("ada@example.com").await, first, "a moment ago there was one");
    test.clock.advance(time::Duration::minutes(1));
    resend("ada@example.com").await;
    test.run_jobs().await;
    let second = test.mailed_token("ada@example.com").await;
    assert_ne!(first, second);
    let confirm = |token: String| {
        let test = &test;
        async move {
            test.post("/api/v1/auth/verify_email", &[], &json!({"token": token, "password": PASSWORD})).await
        }
    };
    assert_eq!(confirm(first).await.status, StatusCode::NO_CONTENT);
    assert_eq!(confirm(second).await.code(), "identity/token_not_valid", "the others are void then");
    test.finish().await;
}

/// A guesser of addresses gets the same answers for those that are there and those that are not.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_who_has_an_account() {
    let test = TestApp::start().await;
    test.account("ada").await;
    let told = |answer: &Answer| {
        (
            answer.status,
            answer.json["code"].clone(),
            answer.json["message"].clone(),
            answer.json["details"].clone(),
        )
    };
    let pairs = [
        (
            register(&test, "ada@example.com", PASSWORD).await,
            register(&test, "bob@example.com", PASSWORD).await,
        ),
        (
            log_in(&test, "ada@example.com", "wrong-wrong-wrong").await,
            log_in(&test, "eve@example.com", "wrong-wrong-wrong").await,
        ),
        (
            test.post("/api/v1/auth/password_reset", &[], &json!({"email": "ada@example.com"})).await,
            test.post("/api/v1/auth/password_reset", &[], &json!({"email": "eve@example.com"})).await,
        ),
    ];
    for (there, not_there) in &pairs {
        assert_eq!(told(there), told(not_there));
        assert_eq!(there.headers.keys().collect::<Vec<_>>(), not_there.headers.keys().collect::<Vec<_>>());
    }
    // Registering again changed nothing, and its owner is told.
    test.run_jobs().await;
    assert_eq!(log_in(&test, "ada@example.com", PASSWORD).await.status, StatusCode::OK);
    assert!(
        test.mails()
            .await
            .iter()
            .any(|mail| mail.to == "ada@example.com" && mail.subject.contains("account"))
    );
    test.finish().await;
}

/// Whoever registers with somebody else's address gets nothing by a click of its owner, before or after the owner
/// registers themselves: a mail confirms the registration it was sent for, with its password.
#[tokio::test(flavor = "multi_thread")]
async fn an_unconfirmed_address_is_nobodys() {
    let test = TestApp::start().await;
    let confirm = |token: String, password: &'static str| {
        let test = &test;
        async move {
            test.post("/api/v1/auth/verify_email", &[], &json!({"token": token, "password": password})).await
        }
    };
    for (email, owner_first) in [("ada@example.com", true), ("bob@example.com", false)] {
        let both = if owner_first {
            [PASSWORD, "squatters-own-password"]
        } else {
            ["squatters-own-password", PASSWORD]
        };
        let mut tokens = Vec::new();
        for password in both {
            register(&test, email, password).await;
            test.run_jobs().await;
            tokens.push((password, test.mailed_token(email).await));
        }
        let of_squatter = tokens.iter().find(|(password, _)| *password != PASSWORD).unwrap().1.clone();
        let of_owner = tokens.iter().find(|(password, _)| *password == PASSWORD).unwrap().1.clone();
        let clicked = confirm(of_squatter.clone(), PASSWORD).await;
        assert_eq!(
            (clicked.status, clicked.code()),
            (StatusCode::FORBIDDEN, "identity/wrong_password"),
            "{email}"
        );
        assert_eq!(log_in(&test, email, "squatters-own-password").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(confirm(of_owner, PASSWORD).await.status, StatusCode::NO_CONTENT, "{email}");
        assert_eq!(confirm(of_squatter, "squatters-own-password").await.status, StatusCode::GONE);
        assert_eq!(log_in(&test, email, "squatters-own-password").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(log_in(&test, email, PASSWORD).await.status, StatusCode::OK);
    }
    test.finish().await;
}

/// What is wrong is said with its place.
#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_can_not_be_an_account() {
    let test = TestApp::start().await;
    for (body, code, field) in [
        (
            json!({"email": "ada@example.com", "password": "password1", "name": "Ada"}),
            "identity/weak_password",
            "password",
        ),
        (
            json!({"email": "ada@example.com", "password": "short", "name": "Ada"}),
            "identity/weak_password",
            "password",
        ),
        (json!({"email": "ada", "password": PASSWORD, "name": "Ada"}), "request/invalid_value", "email"),
        (
            json!({"email": "ada@example.com", "password": PASSWORD, "name": " "}),
            "request/invalid_value",
            "name",
        ),
        (
            json!({"email": "ada@example.com", "password": PASSWORD, "name": "A\u{0}"}),
            "request/invalid_value",
            "name",
        ),
        (
            json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada", "locale": "english"}),
            "request/invalid_value",
            "locale",
        ),
        (
            json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada", "role": "operator"}),
            "request/unknown_field",
            "role",
        ),
    ] {
        let answer = test.post("/api/v1/auth/register", &[], &body).await;
        assert_eq!(
            (answer.code(), answer.json["details"][0]["field"].as_str()),
            (code, Some(field)),
            "{body}"
        );
        assert!(!answer.text.contains("short"), "the password is repeated: {answer:?}");
    }
    test.finish().await;
}

/// A reset goes by mail, is good once, and ends all logins.
#[tokio::test(flavor = "multi_thread")]
async fn resets_a_password() {
    let test = TestApp::start().await;
    let ada = test.person("ada").await;
    test.post("/api/v1/auth/password_reset", &[], &json!({"email": "ADA@example.com"})).await;
    test.run_jobs().await;
    let token = test.mailed_token("ada@example.com").await;
    let confirm = |password: &'static str| {
        let (test, token) = (&test, token.clone());
        async move {
            let body = json!({"token": token, "password": password});
            test.post("/api/v1/auth/password_reset/confirm", &[], &body).await
        }
    };
    // A weak one does not cost the mail.
    assert_eq!(confirm("password1").await.code(), "identity/weak_password");
    assert_eq!(confirm("planted-another-battery-staple").await.status, StatusCode::NO_CONTENT);
    assert_eq!(confirm("planted-another-battery-staple").await.status, StatusCode::GONE);
    let old = test.get("/api/v1/users/me", &[ada.header()]).await;
    assert_eq!((old.status, old.code()), (StatusCode::UNAUTHORIZED, "identity/bad_credential"));
    assert_eq!(log_in(&test, "ada@example.com", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    let login = log_in(&test, "ada@example.com", "planted-another-battery-staple").await;
    assert_eq!(login.status, StatusCode::OK);
    test.run_jobs().await;
    assert!(test.mails().await.last().is_some_and(|mail| mail.to == "ada@example.com"));
    test.finish().await;
}

/// A mailed secret is good for an hour.
#[tokio::test(flavor = "multi_thread")]
async fn mailed_secrets_expire() {
    let test = TestApp::start().await;
    test.account("ada").await;
    test.post("/api/v1/auth/password_reset", &[], &json!({"email": "ada@example.com"})).await;
    test.run_jobs().await;
    let token = test.mailed_token("ada@example.com").await;
    test.clock.advance(time::Duration::hours(1));
    let body = json!({"token": token, "password": "planted-another-battery-staple"});
    let late = test.post("/api/v1/auth/password_reset/confirm", &[], &body).await;
    assert_eq!(late.code(), "identity/token_not_valid");
    test.finish().await;
}

/// An account moves to another address once that mailbox has shown to be theirs; the old one is told.
#[tokio::test(flavor = "multi_thread")]
async fn moves_to_another_address() {
    let test = TestApp::start().await;
    let ada = test.person("ada").await;
    test.account("bob").await;
    let change = |email: &'static str, password: &'static str| {
        let (test, ada) = (&test, &ada);
        async move {
            let body = json!({"email": email, "password": password});
            test.post("/api/v1/users/me/email", &[ada.header()], &body).await
        }
    };
    let wrong = change("countess@example.com", "wrong-wrong-wrong").await;
    assert_eq!((wrong.status, wrong.code()), (StatusCode::FORBIDDEN, "identity/wrong_password"));
    assert_eq!(change("countess@example.com", PASSWORD).await.status, StatusCode::ACCEPTED);
    test.run_jobs().await;
    let token = test.mailed_token("countess@example.com").await;
    let bob = test.person("bob").await;
    let path = "/api/v1/auth/email_change/confirm";
    let anybody = test.post(path, &[], &json!({"token": token})).await;
    assert_eq!(anybody.code(), "identity/unauthenticated");
    let other = test.post(path, &[bob.header()], &json!({"token": token})).await;
    assert_eq!(other.code(), "identity/token_not_valid", "nobody moves another's account");
    let confirm = test.post(path, &[ada.header()], &json!({"token": token})).await;
    assert_eq!(confirm.status, StatusCode::NO_CONTENT, "{confirm:?}");
    let me = test.get("/api/v1/users/me", &[ada.header()]).await;
    assert_eq!(me.json["email"], "countess@example.com");
    test.run_jobs().await;
    assert!(test.mails().await.iter().any(|mail| mail.to == "ada@example.com"));
    // To somebody else's address: nothing is told before the mailbox is shown, and then it is refused.
    assert_eq!(change("bob@example.com", PASSWORD).await.status, StatusCode::ACCEPTED);
    test.run_jobs().await;
    let token = test.mailed_token("bob@example.com").await;
    let taken = test.post(path, &[ada.header()], &json!({"token": token})).await;
    assert_eq!(taken.code(), "identity/email_taken");
    test.finish().await;
}

/// A profile is changed field by field, and not on top of what somebody else wrote.
#[tokio::test(flavor = "multi_thread")]
async fn changes_a_profile() {
    let test = TestApp::start().await;
    let ada = test.person("ada").await;
    let patch = |headers: Vec<(&'static str, &'static str)>, body: Value| {
        let (test, ada) = (&test, &ada);
        async move {
            let mut all = vec![ada.header()];
            all.extend(headers);
            test.send(Method::PATCH, "/api/v1/users/me", &all, Some(&body)).await
        }
    };
    let first = patch(vec![("if-match", "\"1\"")], json!({"locale": "de", "currency": "EUR"})).await;
    assert_eq!((first.status, first.header("etag")), (StatusCode::OK, "\"2\""));
    assert_eq!((&first.json["locale"], &first.json["name"]), (&json!("de"), &json!("The ada")));
    let stale = patch(vec![("if-match", "\"1\"")], json!({"name": "Countess"})).await;
    assert_eq!((stale.status, stale.code()), (StatusCode::PRECONDITION_FAILED, "identity/changed_meanwhile"));
    let emptied = patch(vec![], json!({"locale": null, "preferences": {"marketing_email": true}})).await;
    assert_eq!(emptied.json["locale"], Value::Null);
    assert_eq!(emptied.json["currency"], "EUR");
    assert_eq!(emptied.json["preferences"], json!({"order_email": true, "marketing_email": true}));
    assert_eq!(patch(vec![], json!({"email": "x@example.com"})).await.code(), "request/unknown_field");
    test.finish().await;
}

/// A book of addresses has one default as long as it is not empty.
#[tokio::test(flavor = "multi_thread")]
async fn keeps_addresses() {
    let test = TestApp::start().await;
    let (ada, bob) = (test.person("ada").await, test.person("bob").await);
    let path = "/api/v1/users/me/addresses";
    let home = json!({"label": "Home", "address": testkit::address()});
    let first = test.post(path, &[ada.header()], &home).await;
    assert_eq!((first.status, &first.json["is_default"]), (StatusCode::CREATED, &json!(true)));
    let work = json!({"label": "Work", "address": testkit::address(), "is_default": true});
    let second = test.post(path, &[ada.header()], &work).await;
    let list = test.get(path, &[ada.header()]).await;
    let labels: Vec<_> = list.json["data"].as_array().unwrap().iter().map(|entry| &entry["label"]).collect();
    assert_eq!(labels, ["Work", "Home"]);
    let work = format!("{path}/{}", second.json["id"].as_str().unwrap());
    // Somebody else's is not there.
    assert_eq!(test.send(Method::DELETE, &work, &[bob.header()], None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(test.send(Method::DELETE, &work, &[ada.header()], None).await.status, StatusCode::NO_CONTENT);
    let left = test.get(path, &[ada.header()]).await;
    assert_eq!(left.json["data"][0]["is_default"], true);
    let nowhere =
        json!({"address": {"name": "Ada", "line1": "1 Road", "city": "London", "country": "Britain"}});
    let refused = test.post(path, &[ada.header()], &nowhere).await;
    assert_eq!(refused.json["details"][0]["field"], "address.country");
    test.finish().await;
}

/// Whoever leaves takes their data along and leaves nothing that says who they were.
#[tokio::test(flavor = "multi_thread")]
async fn takes_data_along_and_leaves() {
    let test = TestApp::start().await;
    let ada = test.person("ada").await;
    let body = json!({"address": testkit::address()});
    test.post("/api/v1/users/me/addresses", &[ada.header()], &body).await;
    let export = test.get("/api/v1/users/me/export", &[ada.header()]).await;
    assert_eq!(export.json["user"]["email"], "ada@example.com");
    assert_eq!(export.json["addresses"][0]["address"]["city"], "London");
    assert_eq!(export.json["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(export.json["activity"][0]["action"], "session.opened");
    assert_eq!(export.json["payment_methods"], json!([]));
    assert_eq!(export.json["orders"], json!([]));

    let leave = |password: &'static str| {
        let (test, ada) = (&test, &ada);
        async move { test.post("/api/v1/users/me/delete", &[ada.header()], &json!({"password": password})).await }
    };
    assert_eq!(leave("wrong-wrong-wrong").await.code(), "identity/wrong_password");
    assert_eq!(leave(PASSWORD).await.status, StatusCode::NO_CONTENT);
    assert_eq!(test.get("/api/v1/users/me", &[ada.header()]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(log_in(&test, "ada@example.com", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    let left: String = sqlx::query_scalar("SELECT u::text FROM identity.users u WHERE id = $1")
        .bind(ada.id.uuid())
        .fetch_one(test.app.database.pool())
        .await
        .unwrap();
    assert!(!left.contains("ada") && !left.contains("argon2"), "{left}");
    // The address is free again.
    assert_eq!(register(&test, "ada@example.com", PASSWORD).await.status, StatusCode::ACCEPTED);
    test.finish().await;
}

/// A store keeps an owner, and a marketplace an operator.
#[tokio::test(flavor = "multi_thread")]
async fn those_who_are_needed_stay() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let owner = test.member("owner", store, StoreRole::Owner).await;
    let operator = test.trusted("operator", PlatformRole::Operator).await;
    for (person, code) in [(&owner, "identity/owns_stores"), (&operator, "identity/last_operator")] {
        let body = json!({"password": PASSWORD});
        let refused = test.post("/api/v1/users/me/delete", &[person.header()], &body).await;
        assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, code));
    }
    let path = format!("/api/v1/users/{}/role", operator.id);
    let demoted = test.send(Method::PUT, &path, &[operator.header()], Some(&json!({"role": null}))).await;
    assert_eq!(demoted.code(), "identity/last_operator");
    test.finish().await;
}

/// Operators look up accounts with a second factor; support too; nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn officials_look_up_accounts() {
    let test = TestApp::start().await;
    let ada = test.person("ada").await;
    test.account("adam").await;
    let operator = test.official("operator", PlatformRole::Operator).await;
    let refused = test.get("/api/v1/users?q=ada", &[operator.header()]).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, "identity/second_factor_required"));
    let support = test.trusted("support", PlatformRole::Support).await;
    let found = test.get("/api/v1/users?q=ada&first=1", &[support.header()]).await;
    assert_eq!(found.json["data"][0]["email"], "ada@example.com");
    assert_eq!(found.json["page_info"]["has_next_page"], true);
    let after = found.json["page_info"]["end_cursor"].as_str().unwrap();
    let next = test.get(&format!("/api/v1/users?q=ada&after={after}"), &[support.header()]).await;
    assert_eq!(next.json["data"][0]["email"], "adam@example.com");
    assert_eq!(next.json["data"].as_array().unwrap().len(), 1);
    assert_eq!(
        test.get("/api/v1/users?after=x", &[support.header()]).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(test.get("/api/v1/users", &[ada.header()]).await.code(), "identity/forbidden");
    for nonsense in ["/api/v1/users?q=%00", "/api/v1/audit_log?action=%00"] {
        let refused = test.get(nonsense, &[support.header()]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
    }
    // Support sees, and changes nothing.
    let path = format!("/api/v1/users/{}/role", ada.id);
    let promoted =
        test.send(Method::PUT, &path, &[support.header()], Some(&json!({"role": "support"}))).await;
    assert_eq!(promoted.code(), "identity/forbidden");
    test.finish().await;
}
