//! Tokens of apps and programs: access tokens, refresh tokens, API keys.
#![expect(clippy::unwrap_used, reason = "helpers outside of tests")]

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use identity::{Actor, PlatformRole, StoreRole};
use platform::Currency;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Answer, Person, TestApp};
use time::Duration;

fn part(token: &str, place: usize) -> Value {
    let part = token.split('.').nth(place).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

async fn kids(test: &TestApp) -> Vec<String> {
    let jwks = test.get("/.well-known/jwks.json", &[]).await;
    jwks.json["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn status(test: &TestApp, authorization: &str) -> StatusCode {
    test.get("/api/v1/auth/validate", &[("authorization", authorization)]).await.status
}

async fn refresh(test: &TestApp, token: &str) -> Answer {
    test.post("/api/v1/auth/refresh", &[], &json!({"refresh_token": token})).await
}

/// Anybody can check an access token with the published keys, by RFC 8037 and nothing of ours.
#[tokio::test(flavor = "multi_thread")]
async fn access_tokens_can_be_checked_by_others() {
    let test = TestApp::start().await;
    let ada = test.person("ada").await;
    let token = ada.authorization.strip_prefix("Bearer ").unwrap();
    let header = part(token, 0);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("EdDSA"), &json!("at+jwt")));
    let jwks = test.get("/.well-known/jwks.json", &[]).await;
    let key = &jwks.json["keys"][0];
    assert_eq!((&key["kid"], &key["kty"], &key["crv"]), (&header["kid"], &json!("OKP"), &json!("Ed25519")));
    let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let key = aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, public);
    assert!(key.verify(signed.as_bytes(), &signature).is_ok());
    let claims = part(token, 1);
    assert_eq!(claims["sub"], json!(ada.id));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
    assert!(
        claims.get("email").is_none() && claims.get("role").is_none(),
        "rights are looked up, not carried"
    );
    test.finish().await;
}

/// What was changed, is too old, or was never signed opens nothing.
#[tokio::test(flavor = "multi_thread")]
async fn only_good_access_tokens_count() {
    let test = TestApp::start().await;
    let ada = test.person("ada").await;
    let token = ada.authorization.strip_prefix("Bearer ").unwrap().to_owned();
    assert_eq!(status(&test, &ada.authorization).await, StatusCode::OK);
    assert_eq!(status(&test, &format!("bearer  {token}")).await, StatusCode::OK, "the scheme in any case");
    let mut claims = part(&token, 1);
    claims["sub"] = json!(test.account("bob").await);
    let forged = URL_SAFE_NO_PAD.encode(claims.to_string());
    let parts: Vec<&str> = token.split('.').collect();
    let unsigned = URL_SAFE_NO_PAD.encode(json!({"alg": "none", "kid": part(&token, 0)["kid"]}).to_string());
    let hmac = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "kid": part(&token, 0)["kid"]}).to_string());
    for bad in [
        format!("{}.{forged}.{}", parts[0], parts[2]),
        format!("{unsigned}.{}.", parts[1]),
        format!("{hmac}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        "nonsense".to_owned(),
        String::new(),
        "sk_made-up".to_owned(),
    ] {
        assert_eq!(status(&test, &format!("Bearer {bad}")).await, StatusCode::UNAUTHORIZED, "{bad}");
    }
    test.clock.advance(Duration::minutes(15));
    assert_eq!(status(&test, &ada.authorization).await, StatusCode::UNAUTHORIZED);
    test.finish().await;
}

/// Keys are replaced and nobody notices: the new one is published first, the old one believed until its last token
/// has expired.
#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_without_downtime() {
    let test = TestApp::start().await;
    let other = test.other_node().await;
    let ada = test.person("ada").await;
    let old = kids(&test).await;
    test.app.identity.access.rotate_keys(&Actor::system(), false).await.unwrap();
    let both = kids(&test).await;
    assert_eq!(both.len(), 2, "published at once");
    let signed_by =
        |person: &Person| part(person.authorization.strip_prefix("Bearer ").unwrap(), 0)["kid"].clone();
    assert_eq!(signed_by(&test.person("ada").await), json!(old[0]), "and signs later");
    test.clock.advance(Duration::minutes(59));
    let last = test.person("ada").await;
    assert_eq!(signed_by(&last), json!(old[0]));
    test.clock.advance(Duration::minutes(1));
    let new = test.person("ada").await;
    assert_ne!(signed_by(&new), json!(old[0]));
    assert_eq!(status(&test, &last.authorization).await, StatusCode::OK, "an old token is still good");
    test.clock.advance(Duration::minutes(16));
    assert_eq!(kids(&test).await.len(), 1, "the old key is gone");
    drop((ada, other));
    test.finish().await;
}

/// A key that is known to somebody is replaced at once, on all nodes.
#[tokio::test(flavor = "multi_thread")]
async fn a_known_key_is_dropped_at_once() {
    let test = TestApp::start().await;
    let ada = test.person("ada").await;
    test.app.identity.access.rotate_keys(&Actor::system(), true).await.unwrap();
    assert_eq!(status(&test, &ada.authorization).await, StatusCode::UNAUTHORIZED);
    assert_eq!(kids(&test).await.len(), 1);
    // Also when a rotation was under way: the key that was to sign next never does.
    test.app.identity.access.rotate_keys(&Actor::system(), false).await.unwrap();
    test.app.identity.access.rotate_keys(&Actor::system(), true).await.unwrap();
    test.clock.advance(Duration::hours(2));
    let next = refresh(&test, &ada.refresh_token).await;
    assert_eq!(next.status, StatusCode::OK, "apps go on with their refresh token");
    let authorization = format!("Bearer {}", next.json["access_token"].as_str().unwrap());
    assert_eq!(status(&test, &authorization).await, StatusCode::OK);
    test.finish().await;
}

/// Nodes that start at the same time make one key.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_key_is_made_once() {
    let test = TestApp::start().await;
    let other = test.other_node().await;
    let (one, two) = tokio::join!(test.app.identity.access.jwks(), other.identity.access.jwks());
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.keys.len(), 1);
    assert_eq!(one.keys[0].kid, two.keys[0].kid);
    test.finish().await;
}

/// A refresh token is good once; one that comes again much later ends the login.
#[tokio::test(flavor = "multi_thread")]
async fn refresh_tokens_rotate() {
    let test = TestApp::start().await;
    let ada = test.person("ada").await;
    let second = refresh(&test, &ada.refresh_token).await;
    assert_eq!((second.status, &second.json["token_type"]), (StatusCode::OK, &json!("Bearer")));
    let third = refresh(&test, second.json["refresh_token"].as_str().unwrap()).await;
    assert_eq!(third.status, StatusCode::OK);
    test.clock.advance(Duration::minutes(1));
    let stolen = refresh(&test, &ada.refresh_token).await;
    assert_eq!((stolen.status, stolen.code()), (StatusCode::UNAUTHORIZED, "identity/refresh_token_reused"));
    let newest = refresh(&test, third.json["refresh_token"].as_str().unwrap()).await;
    assert_eq!(newest.code(), "identity/bad_credential", "the whole family is gone");
    let authorization = format!("Bearer {}", third.json["access_token"].as_str().unwrap());
    assert_eq!(status(&test, &authorization).await, StatusCode::UNAUTHORIZED);
    test.run_jobs().await;
    assert!(test.mails().await.iter().any(|mail| mail.to == "ada@example.com"), "the owner is told");
    test.finish().await;
}

/// Many requests with one token get one successor; an answer that was lost is given again within the grace.
#[tokio::test(flavor = "multi_thread")]
async fn honest_retries_are_not_locked_out() {
    let test = TestApp::start().await;
    let ada = test.person("ada").await;
    let answers = futures_util::future::join_all((0..8).map(|_| refresh(&test, &ada.refresh_token))).await;
    let successors: HashSet<_> =
        answers.iter().map(|answer| answer.json["refresh_token"].as_str().unwrap()).collect();
    assert_eq!(successors.len(), 1, "one winner");
    test.clock.advance(Duration::seconds(29));
    let retry = refresh(&test, &ada.refresh_token).await;
    assert_eq!(retry.status, StatusCode::OK);
    let successor = retry.json["refresh_token"].as_str().unwrap();
    assert!(successors.contains(successor));
    assert_eq!(refresh(&test, successor).await.status, StatusCode::OK);
    // The successor is in use: whoever still shows the one before it is somebody else.
    assert_eq!(refresh(&test, &ada.refresh_token).await.code(), "identity/refresh_token_reused");
    test.finish().await;
}

/// An app whose access token has expired signs out with its refresh token.
#[tokio::test(flavor = "multi_thread")]
async fn apps_sign_out() {
    let test = TestApp::start().await;
    let ada = test.person("ada").await;
    test.clock.advance(Duration::hours(1));
    let body = json!({"refresh_token": ada.refresh_token});
    let out = test.post("/api/v1/auth/logout", &[ada.header()], &body).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert_eq!(refresh(&test, &ada.refresh_token).await.code(), "identity/bad_credential");
    test.finish().await;
}

async fn create_key(test: &TestApp, person: &Person, path: &str, body: Value) -> Answer {
    test.post(path, &[person.header()], &body).await
}

/// A secret key acts for its store within its scopes, until it is revoked.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_key_acts_within_its_scopes() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let owner = test.member("owner", store, StoreRole::Owner).await;
    let path = format!("/api/v1/stores/{store}/api_keys");
    let body = json!({"kind": "secret", "name": "Stock sync", "scopes": ["team:read", "stock:write"]});
    let made = create_key(&test, &owner, "/api/v1/stores/shop/api_keys", body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let key = made.json["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("sk_") && key.len() == 46, "{key}");
    let authorization = format!("Bearer {key}");
    let bot = ("authorization", authorization.as_str());
    let whoami = test.get("/api/v1/auth/validate", &[bot]).await;
    assert_eq!((&whoami.json["kind"], &whoami.json["id"]), (&json!("api_key"), &made.json["id"]));
    let members = format!("/api/v1/stores/{store}/members");
    assert_eq!(test.get(&members, &[bot]).await.status, StatusCode::OK);
    assert_eq!(test.get(&path, &[bot]).await.code(), "identity/scope_missing");
    assert_eq!(test.get("/api/v1/users/me", &[bot]).await.code(), "identity/people_only");
    let elsewhere = test.store("elsewhere", Currency::GBP).await;
    let other = format!("/api/v1/stores/{elsewhere}/members");
    assert_eq!(test.get(&other, &[bot]).await.code(), "identity/forbidden");

    let list = test.get(&path, &[owner.header()]).await;
    assert!(list.json["data"][0]["last_used_at"].is_string(), "{list:?}");
    assert!(!list.text.contains(&key), "shown once");
    let kept: String = sqlx::query_scalar("SELECT string_agg(k::text, ' ') FROM identity.api_keys k")
        .fetch_one(test.app.database.pool())
        .await
        .unwrap();
    assert!(!kept.contains(&key[3..]), "hashed at rest");
    let one = format!("{path}/{}", made.json["id"].as_str().unwrap());
    let elsewhere = one.replace(&store.to_string(), &elsewhere.to_string());
    assert_ne!(
        test.send(Method::DELETE, &elsewhere, &[owner.header()], None).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(test.send(Method::DELETE, &one, &[owner.header()], None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(test.get(&members, &[bot]).await.code(), "identity/bad_credential");
    test.finish().await;
}

/// Nobody makes a key that may do more than they may themselves.
#[tokio::test(flavor = "multi_thread")]
async fn keys_give_no_more_than_their_makers_have() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let owner = test.member("owner", store, StoreRole::Owner).await;
    let manager = test.member("manager", store, StoreRole::Manager).await;
    let path = format!("/api/v1/stores/{store}/api_keys");
    let key = |scopes: Value| json!({"kind": "secret", "name": "A key", "scopes": scopes});
    let refused = create_key(&test, &manager, &path, key(json!(["stock:write"]))).await;
    assert_eq!(refused.code(), "identity/forbidden", "managers make no keys");
    for (body, code) in [
        (key(json!(["users:read"])), "request/invalid_value"),
        (key(json!([])), "request/invalid_value"),
        (key(json!(["everything"])), "request/invalid_value"),
        (json!({"kind": "publishable", "name": "A key", "scopes": ["stock:read"]}), "request/invalid_value"),
        (
            json!({"kind": "secret", "name": "A", "scopes": ["stock:read"], "expires_at": "2020-01-01T00:00:00Z"}),
            "request/invalid_value",
        ),
    ] {
        assert_eq!(create_key(&test, &owner, &path, body.clone()).await.code(), code, "{body}");
    }
    // A key that may make keys makes none that may do more.
    let maker = create_key(&test, &owner, &path, key(json!(["keys:write"]))).await;
    let authorization = format!("Bearer {}", maker.json["key"].as_str().unwrap());
    let more = test.post(&path, &[("authorization", &authorization)], &key(json!(["stock:write"]))).await;
    assert_eq!(more.code(), "identity/more_than_own");
    // Keys of the marketplace are for operators, who show a second factor.
    let everywhere = create_key(&test, &owner, "/api/v1/api_keys", key(json!(["users:read"]))).await;
    assert_eq!(everywhere.code(), "identity/forbidden");
    let operator = test.trusted("operator", PlatformRole::Operator).await;
    let made = create_key(&test, &operator, "/api/v1/api_keys", key(json!(["audit:read"]))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let authorization = format!("Bearer {}", made.json["key"].as_str().unwrap());
    let log = test.get("/api/v1/audit_log?action=api_key.", &[("authorization", &authorization)]).await;
    assert_eq!(log.json["data"][0]["target_id"], made.json["id"]);
    test.finish().await;
}

/// A key ends by itself, and a publishable one makes no more than a guest.
#[tokio::test(flavor = "multi_thread")]
async fn keys_expire_and_publishable_ones_are_guests() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let owner = test.member("owner", store, StoreRole::Owner).await;
    let path = format!("/api/v1/stores/{store}/api_keys");
    let body = json!({"kind": "secret", "name": "Short", "scopes": ["team:read"], "expires_at": "2026-06-01T13:00:00Z"});
    let made = create_key(&test, &owner, &path, body).await;
    let authorization = format!("Bearer {}", made.json["key"].as_str().unwrap());
    assert_eq!(status(&test, &authorization).await, StatusCode::OK);
    let shop = create_key(&test, &owner, &path, json!({"kind": "publishable", "name": "Shop"})).await;
    test.clock.advance(Duration::hours(1));
    assert_eq!(status(&test, &authorization).await, StatusCode::UNAUTHORIZED);
    let authorization = format!("Bearer {}", shop.json["key"].as_str().unwrap());
    assert!(authorization.starts_with("Bearer pk_"));
    let shop = ("authorization", authorization.as_str());
    assert_eq!(test.get("/api/v1/shopping_basket", &[shop]).await.status, StatusCode::OK);
    assert_eq!(test.get("/api/v1/auth/validate", &[shop]).await.code(), "identity/unauthenticated");
    test.finish().await;
}

/// A bot exchanges its key for a short-lived token, by OAuth 2's client credentials grant.
#[tokio::test(flavor = "multi_thread")]
async fn bots_get_service_tokens() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let owner = test.member("owner", store, StoreRole::Owner).await;
    let path = format!("/api/v1/stores/{store}/api_keys");
    let body = json!({"kind": "secret", "name": "Bot", "scopes": ["team:read", "stock:read"]});
    let made = create_key(&test, &owner, &path, body).await;
    let (id, key) = (made.json["id"].as_str().unwrap(), made.json["key"].as_str().unwrap());
    let token = |headers: Vec<(&'static str, String)>, form: String| {
        let test = &test;
        async move {
            let mut all: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            all.push(("content-type", "application/x-www-form-urlencoded"));
            test.send_raw(Method::POST, "/api/v1/auth/token", &all, Some(form.into_bytes())).await
        }
    };
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={key}&scope=team:read");
    let got = token(vec![], form).await;
    assert_eq!((got.status, &got.json["scope"]), (StatusCode::OK, &json!("team:read")), "{got:?}");
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{key}")));
    let all = token(vec![("authorization", basic)], "grant_type=client_credentials".to_owned()).await;
    assert_eq!(all.json["scope"], "team:read stock:read");
    let authorization = format!("Bearer {}", got.json["access_token"].as_str().unwrap());
    let bot = ("authorization", authorization.as_str());
    let members = format!("/api/v1/stores/{store}/members");
    assert_eq!(test.get(&members, &[bot]).await.status, StatusCode::OK);
    let whoami = test.get("/api/v1/auth/validate", &[bot]).await;
    assert_eq!(whoami.json["scopes"], json!(["team:read"]));

    for (form, code) in [
        (
            format!("grant_type=client_credentials&client_id={id}&client_secret=sk_wrong"),
            "identity/bad_credential",
        ),
        (format!("grant_type=client_credentials&client_id=x&client_secret={key}"), "identity/bad_credential"),
        (
            format!("grant_type=client_credentials&client_id={}&client_secret={key}", owner.id),
            "identity/bad_credential",
        ),
        ("grant_type=client_credentials".to_owned(), "identity/bad_credential"),
        (format!("grant_type=password&client_id={id}&client_secret={key}"), "request/invalid_value"),
        (
            format!("grant_type=client_credentials&client_id={id}&client_secret={key}&scope=stock:write"),
            "identity/scope_missing",
        ),
        (
            format!("grant_type=client_credentials&client_id={id}&client_secret={key}&scope=everything"),
            "request/invalid_value",
        ),
    ] {
        assert_eq!(token(vec![], form.clone()).await.code(), code, "{form}");
    }
    // The token ends with the key.
    test.send(Method::DELETE, &format!("{path}/{id}"), &[owner.header()], None).await;
    assert_eq!(test.get(&members, &[bot]).await.code(), "identity/bad_credential");
    test.finish().await;
}

/// What an access token is good for is looked up, not carried: a right that is taken away is gone at once.
#[tokio::test(flavor = "multi_thread")]
async fn rights_are_those_of_now() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let owner = test.member("owner", store, StoreRole::Owner).await;
    let staff = test.member("staff", store, StoreRole::Staff).await;
    let members = format!("/api/v1/stores/{store}/members");
    assert_eq!(test.get(&members, &[staff.header()]).await.status, StatusCode::OK);
    let gone = test.send(Method::DELETE, &format!("{members}/{}", staff.id), &[owner.header()], None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(test.get(&members, &[staff.header()]).await.code(), "identity/forbidden");
    test.finish().await;
}
