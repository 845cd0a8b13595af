//! Hostile bodies for accounts, tokens, teams and keys.

use identity::{PlatformRole, StoreRole};
use platform::Currency;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{PASSWORD, TestApp};

use crate::hostile::{assert_harmless, places, values_at};

/// Every operation on people and programs that takes a body, and a body with every field.
pub(crate) fn operations() -> Vec<(Method, &'static str, Value)> {
    let (post, email) = (Method::POST, "ada@example.com");
    let mailed = json!({"token": "made-up"});
    let address = json!({"label": "Home", "address": testkit::address(), "is_default": true});
    let key = json!({
        "kind": "secret", "name": "K", "scopes": ["stock:read"], "expires_at": "2027-01-01T00:00:00Z"
    });
    vec![
        (
            post.clone(),
            "/api/v1/auth/register",
            json!({"email": email, "password": PASSWORD, "name": "A", "locale": "en"}),
        ),
        (post.clone(), "/api/v1/auth/verify_email", json!({"token": "made-up", "password": PASSWORD})),
        (post.clone(), "/api/v1/auth/verify_email/resend", json!({"email": email})),
        (
            post.clone(),
            "/api/v1/auth/login",
            json!({"email": email, "password": "wrong-wrong-wrong", "session": "tokens"}),
        ),
        (post.clone(), "/api/v1/auth/refresh", json!({"refresh_token": "made-up"})),
        (post.clone(), "/api/v1/auth/logout", json!({"refresh_token": "made-up"})),
        (
            post.clone(),
            "/api/v1/products/{id}/waiting_room/places",
            json!({"challenge": "made-up", "solution": "0"}),
        ),
        (post.clone(), "/api/v1/auth/password_reset", json!({"email": email})),
        (
            post.clone(),
            "/api/v1/auth/password_reset/confirm",
            json!({"token": "made-up", "password": PASSWORD}),
        ),
        (post.clone(), "/api/v1/auth/email_change/confirm", mailed.clone()),
        (
            Method::PATCH,
            "/api/v1/users/me",
            json!({"name": "A", "locale": "en", "currency": "GBP", "preferences": {"order_email": true}}),
        ),
        (
            post.clone(),
            "/api/v1/users/me/password",
            json!({"current_password": "wrong-wrong-wrong", "new_password": PASSWORD}),
        ),
        (
            post.clone(),
            "/api/v1/users/me/email",
            json!({"email": "b@example.com", "password": "wrong-wrong-wrong"}),
        ),
        (post.clone(), "/api/v1/users/me/delete", json!({"password": "wrong-wrong-wrong"})),
        (post.clone(), "/api/v1/users/me/addresses", address.clone()),
        (Method::PUT, "/api/v1/users/me/addresses/{id}", address),
        (Method::PUT, "/api/v1/users/{id}/role", json!({"role": "support"})),
        (post.clone(), "/api/v1/stores/{id}/api_keys", key.clone()),
        (post.clone(), "/api/v1/api_keys", key),
        (Method::PATCH, "/api/v1/stores/{id}/members/{user_id}", json!({"role": "staff"})),
        (
            post.clone(),
            "/api/v1/stores/{id}/invitations",
            json!({"email": "new@example.com", "role": "staff"}),
        ),
        (post, "/api/v1/invitations/accept", mailed),
    ]
}

/// Nothing that stands in a body about people, in any of its places, brings the server down or breaks a book.
#[tokio::test(flavor = "multi_thread")]
async fn no_body_about_people_is_our_fault() {
    let test = TestApp::start().await;
    let operator = test.trusted("operator", PlatformRole::Operator).await;
    let shop = test.store("shop", Currency::GBP).await;
    test.member("owner", shop, StoreRole::Owner).await;
    let staff = test.member("staff", shop, StoreRole::Staff).await;
    let kept = json!({"address": testkit::address()});
    let kept = test.post("/api/v1/users/me/addresses", &[operator.header()], &kept).await;
    for (method, template, whole) in operations() {
        let path = template
            .replace("/addresses/{id}", &format!("/addresses/{}", kept.json["id"].as_str().unwrap()))
            .replace("/users/{id}", &format!("/users/{}", staff.id))
            .replace("{user_id}", &staff.id.to_string())
            .replace("{id}", &shop.to_string());
        let mut found = Vec::new();
        places(&whole, "", &mut found);
        for (turn, place) in found.into_iter().enumerate() {
            let mut marked = whole.clone();
            *marked.pointer_mut(&place).unwrap() = json!("@@");
            let marked = marked.to_string();
            let (before, after) = marked.split_once("\"@@\"").unwrap();
            for nasty in values_at(turn) {
                let bytes = [before.as_bytes(), &nasty, after.as_bytes()].concat();
                let mut headers = vec![("content-type", "application/json")];
                // Signing out ends the login that asks.
                headers.extend((!template.ends_with("/logout")).then(|| operator.header()));
                let answer = test.send_raw(method.clone(), &path, &headers, Some(bytes)).await;
                let nasty = String::from_utf8_lossy(&nasty[..nasty.len().min(60)]).into_owned();
                assert_harmless(&answer, &format!("{method} {template} {place} = {nasty}"));
            }
        }
    }
    test.finish().await;
}
