//! GitHub. No real one can be run here: what answers is a server of this test, written after GitHub's documentation.

use std::sync::{Arc, Mutex};

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::ProviderKind;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use testkit::TestApp;
use url::Url;

use crate::browser::{Browser, Page};
use crate::{query, scene};

/// Who signs in next, and the PKCE challenge that was sent for it.
#[derive(Clone, Default)]
struct GitHub(Arc<Mutex<(Value, String)>>);

impl GitHub {
    async fn run(self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/login/oauth/access_token", post(token))
            .route("/api/v3/user", get(user))
            .route("/api/v3/user/emails", get(emails))
            .with_state(self);
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }
}

async fn token(State(github): State<GitHub>, Form(form): Form<HashMap<String, String>>) -> Json<Value> {
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier")));
    let good = field("client_id") == "souk"
        && field("client_secret") == "secret-of-souk"
        && field("code") == "right"
        && challenge == github.0.lock().unwrap().1;
    Json(if good {
        json!({"access_token": "gho_1", "token_type": "bearer", "scope": "read:user,user:email"})
    } else {
        json!({"error": "bad_verification_code", "error_description": "The code passed is incorrect or expired."})
    })
}

fn authorized(headers: &HeaderMap) -> Result<(), StatusCode> {
    let sent = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let good = sent("authorization") == Some("Bearer gho_1") && sent("user-agent").is_some();
    if good { Ok(()) } else { Err(StatusCode::UNAUTHORIZED) }
}

async fn user(State(github): State<GitHub>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    authorized(&headers)?;
    Ok(Json(github.0.lock().unwrap().0["user"].clone()))
}

async fn emails(State(github): State<GitHub>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    authorized(&headers)?;
    Ok(Json(github.0.lock().unwrap().0["emails"].clone()))
}

struct Place {
    test: TestApp,
    github: GitHub,
    base: Url,
}

impl Place {
    async fn open() -> Self {
        let github = GitHub::default();
        let issuer = github.clone().run().await;
        let mut place = None;
        let test = TestApp::with_settings(|base, settings| {
            settings.identity.providers =
                vec![scene::settings(ProviderKind::Github, "github", "souk", &issuer)];
            place = Some(base.clone());
        })
        .await;
        Self { test, github, base: place.unwrap() }
    }

    async fn sign_in(&self, browser: &mut Browser, code: &str, who: Value) -> Page {
        let begin = self.base.join("/api/v1/auth/providers/github/begin?return_to=/account").unwrap();
        let address = browser.get(&begin).await.location.unwrap();
        assert_eq!(address.path(), "/login/oauth/authorize");
        assert_eq!(query(&address, "scope").as_deref(), Some("read:user user:email"));
        assert_eq!(query(&address, "code_challenge_method").as_deref(), Some("S256"));
        *self.github.0.lock().unwrap() = (who, query(&address, "code_challenge").unwrap());
        let mut back: Url = query(&address, "redirect_uri").unwrap().parse().unwrap();
        let state = query(&address, "state").unwrap();
        back.query_pairs_mut().append_pair("code", code).append_pair("state", &state);
        browser.get(&back).await
    }
}

fn octocat(id: u64, email: &str, verified: bool) -> Value {
    json!({
        "user": {"id": id, "login": "octocat", "name": null, "email": "shown@example.com"},
        "emails": [
            {"email": "other@example.com", "primary": false, "verified": true, "visibility": null},
            {"email": email, "primary": true, "verified": verified, "visibility": "private"}
        ]
    })
}

/// Somebody is who their number says; only the primary address counts, and only if it is verified.
#[tokio::test(flavor = "multi_thread")]
async fn signs_in_with_github() {
    let place = Place::open().await;
    let mut browser = Browser::new();
    let page = place.sign_in(&mut browser, "right", octocat(1, "cat@example.com", false)).await;
    assert_eq!(page.goes_to(), "/account#login_error=identity/email_not_verified");
    let page = place.sign_in(&mut browser, "wrong", octocat(1, "cat@example.com", true)).await;
    assert_eq!(page.goes_to(), "/account#login_error=identity/provider_refused");
    let page = place.sign_in(&mut browser, "right", octocat(1, "cat@example.com", true)).await;
    assert_eq!(page.goes_to(), "/account");
    // Another address there, the same person; another person with the same address, somebody else.
    let page = place.sign_in(&mut Browser::new(), "right", octocat(1, "new@example.com", true)).await;
    assert_eq!(page.goes_to(), "/account");
    let page = place.sign_in(&mut Browser::new(), "right", octocat(2, "cat@example.com", true)).await;
    assert_eq!(page.goes_to(), "/account#login_error=identity/account_exists");
    let page = place.sign_in(&mut Browser::new(), "right", json!({"user": {}, "emails": []})).await;
    assert_eq!(page.goes_to(), "/account#login_error=identity/provider_unavailable");
    let users = &place.test.app.identity.accounts;
    let cat =
        users.user_by_email(&identity::Actor::system(), &"cat@example.com".parse().unwrap()).await.unwrap();
    assert_eq!(cat.name, "octocat");
    place.test.finish().await;
}
