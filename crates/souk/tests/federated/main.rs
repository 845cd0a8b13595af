//! Signing in with an account elsewhere. The OpenID provider is npm's `oidc-provider`, run in a process of its own.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]
mod apple;
mod browser;
mod github;
mod linking;
mod provider;
mod scene;

use reqwest::Method;
use serde_json::json;
use testkit::TestApp;
use time::Duration;
use url::Url;

use browser::Browser;
use scene::{Scene, new_account};

fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The same address with another value of one parameter.
fn with(url: &Url, name: &str, value: Option<&str>) -> Url {
    let others: Vec<_> = url.query_pairs().into_owned().filter(|(key, _)| key != name).collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(others).extend_pairs(value.map(|value| (name, value)));
    changed
}

/// Somebody whom nobody knows here gets an account, with the address that the provider has verified, and is signed in.
/// The second time they get the same one.
#[tokio::test(flavor = "multi_thread")]
async fn opens_an_account_once() {
    let scene = Scene::open(false).await;
    let mut browser = Browser::new();
    let page = scene.sign_in(&mut browser, "ada").await;
    assert_eq!((page.status, page.goes_to()), (303, "/account"));
    let session = page.set_cookies.iter().find(|cookie| cookie.starts_with("souk_session=")).unwrap();
    assert!(session.contains("HttpOnly") && session.contains("SameSite=Lax"), "{session}");
    let ada = scene.me(&browser).await;
    assert_eq!((ada.email.as_str(), ada.name.as_str()), ("Ada@example.com", "Ada Lovelace"));
    assert!(ada.email_verified && !ada.has_password);
    assert!(browser.cookie(&scene.base, "souk_login").is_none(), "what bound the login is gone");

    let mut another = Browser::new();
    assert_eq!(scene.sign_in(&mut another, "ada").await.goes_to(), "/account");
    assert_eq!(scene.me(&another).await.id, ada.id);

    // Without a name there, the address tells one.
    let mut third = Browser::new();
    scene.sign_in(&mut third, "grace").await;
    let grace = scene.me(&third).await;
    assert_eq!((grace.name.as_str(), grace.id == ada.id), ("grace", false));
    let accounts = third.get(&scene.url("/api/v1/users/me/external_accounts")).await.json();
    assert_eq!(accounts["data"][0]["provider"], "oidc");
    assert_eq!(accounts["data"][0]["email"], "grace@example.com");
    scene.test.finish().await;
}

/// An account elsewhere is one factor; the second one is asked for all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_asked_for() {
    let scene = Scene::open(false).await;
    let mut browser = Browser::new();
    scene.sign_in(&mut browser, "ada").await;
    let ada = scene.me(&browser).await;
    sqlx::query(
        "INSERT INTO identity.totp (user_id, secret, created_at, confirmed_at) VALUES ($1, '', now(), now())",
    )
    .bind(ada.id.uuid())
    .execute(scene.test.app.database.pool())
    .await
    .unwrap();
    let mut browser = Browser::new();
    let page = scene.sign_in(&mut browser, "ada").await;
    let rest = page.goes_to().strip_prefix("/account#second_factor=").unwrap_or_else(|| panic!("{page:?}"));
    assert_eq!(
        rest.split_once('&').map(|(challenge, rest)| (challenge.len(), rest)),
        Some((43, "methods=totp"))
    );
    assert!(browser.cookie(&scene.base, "souk_session").is_none());
    scene.test.finish().await;
}

/// What goes to the provider is fresh each time, and what is secret stays here.
#[tokio::test(flavor = "multi_thread")]
async fn asks_with_state_nonce_and_pkce() {
    let scene = Scene::open(false).await;
    let mut browser = Browser::new();
    let first = scene.begin(&mut browser, "oidc/begin").await;
    let second = scene.begin(&mut browser, "oidc/begin").await;
    for name in ["state", "nonce", "code_challenge"] {
        let (one, other) = (query(&first, name).unwrap(), query(&second, name).unwrap());
        assert!(one.len() >= 43 && one != other, "{name}: {one} {other}");
    }
    assert_eq!(query(&first, "code_challenge_method").as_deref(), Some("S256"));
    assert_eq!(query(&first, "response_type").as_deref(), Some("code"));
    let callback = scene.url("/api/v1/auth/providers/oidc/callback");
    assert_eq!(query(&first, "redirect_uri").as_deref(), Some(callback.as_str()));
    let binding = browser.cookie(&scene.base, "souk_login").unwrap();
    assert!(!first.as_str().contains(binding));
    scene.test.finish().await;
}

/// Two tabs of one browser do not spoil each other's login.
#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_can_sign_in() {
    let scene = Scene::open(false).await;
    let mut browser = Browser::new();
    let first = scene.begin(&mut browser, "oidc/begin?return_to=/one").await;
    let second = scene.begin(&mut browser, "oidc/begin?return_to=/two").await;
    let second = browser.sign_in_at_provider(&second, "ada").await.location.unwrap();
    let first = browser.sign_in_at_provider(&first, "ada").await.location.unwrap();
    assert_eq!(browser.get(&first).await.goes_to(), "/one");
    // The first one to come back has signed in, which ends what bound them.
    assert_eq!(browser.get(&second).await.goes_to(), "/#login_error=identity/token_not_valid");
    scene.me(&browser).await;
    scene.test.finish().await;
}

/// A login ends once, in the browser that began it, at the provider it was begun with, within ten minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_bound_to_its_browser_and_good_once() {
    let scene = Scene::open(false).await;
    let refused = "/#login_error=identity/token_not_valid";

    let mut browser = Browser::new();
    let back = scene.come_back(&mut browser, "oidc/begin", "ada").await;
    // Somebody else's browser (login CSRF): it has no binding, or one of its own.
    let mut victim = Browser::new();
    assert_eq!(victim.get(&back).await.goes_to(), refused);
    assert_eq!(browser.get(&back).await.goes_to(), refused, "and whoever began it does not get in either");
    let back = scene.come_back(&mut browser, "oidc/begin", "ada").await;
    scene.begin(&mut victim, "oidc/begin").await;
    assert_eq!(victim.get(&back).await.goes_to(), refused);
    assert!(victim.cookie(&scene.base, "souk_session").is_none());

    // Another state, none, or the right one with another provider's name.
    for wrong in [Some("x"), Some(""), None] {
        let back = scene.come_back(&mut browser, "oidc/begin", "ada").await;
        assert_eq!(browser.get(&with(&back, "state", wrong)).await.goes_to(), refused, "{wrong:?}");
    }
    let back = scene.come_back(&mut browser, "oidc/begin", "ada").await;
    let elsewhere: Url = back.as_str().replace("/providers/oidc/", "/providers/other/").parse().unwrap();
    assert_eq!(browser.get(&elsewhere).await.goes_to(), refused);

    // Too late.
    let back = scene.come_back(&mut browser, "oidc/begin", "ada").await;
    scene.test.clock.advance(Duration::minutes(11));
    assert_eq!(browser.get(&back).await.goes_to(), refused);
    scene::set_clock(&scene.test);

    // Once.
    let back = scene.come_back(&mut browser, "oidc/begin?return_to=/account", "ada").await;
    let kept = browser.cookie(&scene.base, "souk_login").unwrap().to_owned();
    assert_eq!(browser.get(&back).await.goes_to(), "/account");
    browser.forget(&scene.base);
    browser.set_cookie(&scene.base, "souk_login", &kept);
    assert_eq!(browser.get(&back).await.goes_to(), refused);
    assert!(browser.cookie(&scene.base, "souk_session").is_none());
    scene.test.finish().await;
}

/// What the provider says is checked: for which login, for whom, from whom, until when. Each token is well signed.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_not_for_this_login_are_refused() {
    let scene = Scene::open(true).await;
    let lies = [
        json!({"nonce": "of-another-login"}),
        json!({"aud": "somebody-else"}),
        json!({"aud": ["souk", "somebody-else"]}),
        json!({"azp": "somebody-else"}),
        json!({"iss": "https://accounts.example"}),
        json!({"exp": 1_700_000_000}),
        json!({"at_hash": "b2YgYW5vdGhlcg"}),
        json!({"sub": ""}),
        json!({"sub": "ada\u{0}"}),
        // Signed by nobody, with the secret that we share, and with a key that is not the provider's.
        json!({"_signed_by": "nobody"}),
        json!({"_signed_by": "secret-of-souk"}),
        json!({"_signed_by": "stranger"}),
    ];
    for lie in lies {
        let mut browser = Browser::new();
        let back = scene.come_back(&mut browser, "oidc/begin?return_to=/account", "ada").await;
        scene.provider.lie(lie.clone()).await;
        let page = browser.get(&back).await;
        assert_eq!(page.goes_to(), "/account#login_error=identity/provider_refused", "{lie}");
        assert!(browser.cookie(&scene.base, "souk_session").is_none());
    }
    // One that is changed in nothing that matters is taken.
    let mut browser = Browser::new();
    let back = scene.come_back(&mut browser, "oidc/begin", "ada").await;
    scene.provider.lie(json!({"zoneinfo": "Europe/London"})).await;
    assert_eq!(browser.get(&back).await.goes_to(), "/");
    // The answer itself: of another provider (RFC 9207), with a code of another login, or a refusal.
    let mut browser = Browser::new();
    let refused = "/#login_error=identity/provider_refused";
    for (name, wrong) in [
        ("iss", Some("https://accounts.example")),
        ("iss", None),
        ("code", Some("made-up")),
        ("code", None),
        ("error", Some("access_denied")),
    ] {
        let back = scene.come_back(&mut browser, "oidc/begin", "ada").await;
        assert_eq!(browser.get(&with(&back, name, wrong)).await.goes_to(), refused, "{name} {wrong:?}");
    }
    // A code that was got in another flow does not fit the verifier of this one.
    let stolen = scene.come_back(&mut Browser::new(), "oidc/begin", "grace").await;
    let back = scene.come_back(&mut browser, "oidc/begin", "ada").await;
    let injected = with(&back, "code", query(&stolen, "code").as_deref());
    assert_eq!(browser.get(&injected).await.goes_to(), refused);
    scene.test.finish().await;
}

/// What the provider tells apart from the token has to be of the same person.
#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_of_whoever_the_token_names() {
    let scene = Scene::open(false).await;
    let mut browser = Browser::new();
    let back = scene.come_back(&mut browser, "oidc/begin", "ada").await;
    scene.provider.lie(json!({"_profile_of": "grace"})).await;
    assert_eq!(browser.get(&back).await.goes_to(), "/#login_error=identity/provider_refused");
    scene.test.finish().await;
}

/// A provider that has other keys than it had is asked for them again; the cache does not lock people out.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_may_change_its_keys() {
    let mut scene = Scene::open(true).await;
    let mut browser = Browser::new();
    assert_eq!(scene.sign_in(&mut browser, "ada").await.goes_to(), "/account");
    let ada = scene.me(&browser).await;
    scene.provider = scene.provider.restart();
    scene.provider.accounts(json!({"ada": {"email": "ada@example.com", "email_verified": true}})).await;
    let mut browser = Browser::new();
    assert_eq!(scene.sign_in(&mut browser, "ada").await.goes_to(), "/account");
    assert_eq!(scene.me(&browser).await.id, ada.id);
    scene.test.finish().await;
}

/// Providers that are down are told as such, and the page that was to be returned to is shown.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_may_be_down() {
    let mut scene = Scene::open(false).await;
    let mut browser = Browser::new();
    let to = scene.begin(&mut browser, "down/begin?return_to=/account").await;
    assert_eq!(to, scene.url("/account#login_error=identity/provider_unavailable"));
    scene.account("boss@example.com").await;
    scene.sign_in_with_password(&mut browser, "boss@example.com").await;
    let page = scene.begin_link(&mut browser, "down").await;
    assert_eq!((page.status, &page.json()["code"]), (503, &json!("identity/provider_unavailable")));
    // It went down while somebody was there; its memory went too.
    let back = scene.come_back(&mut browser, "oidc/begin?return_to=/account", "ada").await;
    scene.provider = scene.provider.restart();
    assert_eq!(browser.get(&back).await.goes_to(), "/account#login_error=identity/provider_refused");
    scene.test.finish().await;
}

/// Nobody is sent anywhere but to our own pages.
#[tokio::test(flavor = "multi_thread")]
async fn returns_to_our_own_pages_alone() {
    let scene = Scene::open(false).await;
    let mut browser = Browser::new();
    for bad in
        ["https://evil.example", "//evil.example", "/\\evil.example", "/.//evil.example", "evil", "/%09/evil"]
    {
        let mut url = scene.url("/api/v1/auth/providers/oidc/begin");
        url.query_pairs_mut().append_pair("return_to", bad);
        // As it is written here, and with what is encoded in it decoded once more.
        let page = browser.get(&url).await;
        if bad == "/%09/evil" {
            assert_eq!(page.status, 303, "a path like any other");
            continue;
        }
        assert_eq!((page.status, &page.json()["details"][0]["field"]), (422, &json!("return_to")), "{bad}");
    }
    for (path, status) in
        [("oidc/begin?return_to=/%09/evil.example", 422), ("none/begin", 404), ("oidc/begin?x=1", 422)]
    {
        let page = browser.get(&scene.url(&format!("/api/v1/auth/providers/{path}"))).await;
        assert_eq!(page.status, status, "{path}");
    }
    // A callback that nobody began leads to the front page.
    let page = browser.get(&scene.url("/api/v1/auth/providers/oidc/callback?return_to=//evil.example")).await;
    assert_eq!(page.goes_to(), "/#login_error=identity/token_not_valid");
    scene.test.finish().await;
}

/// An address that the provider has not verified opens nothing; one that it has takes over what nobody showed to be
/// theirs.
#[tokio::test(flavor = "multi_thread")]
async fn only_verified_addresses_count() {
    let scene = Scene::open(false).await;
    let mut browser = Browser::new();
    let page = scene.sign_in(&mut browser, "mallory").await;
    assert_eq!(page.goes_to(), "/account#login_error=identity/email_not_verified");

    let mut browser = Browser::new();
    // Mallory registers with Ada's address, and waits for Ada to come.
    let identity = &scene.test.app.identity;
    identity.accounts.register(&Default::default(), &new_account("ada@example.com")).await.unwrap();
    assert_eq!(scene.sign_in(&mut browser, "ada").await.goes_to(), "/account");
    let ada = scene.me(&browser).await;
    assert!(ada.email_verified && !ada.has_password, "Mallory's password opens nothing");
    assert_eq!(ada.name, "Ada Lovelace");
    scene.test.finish().await;
}

/// Which providers there are is told to everybody, and no more of them than that.
#[tokio::test(flavor = "multi_thread")]
async fn providers_are_listed() {
    let test = TestApp::with_settings(|_, settings| {
        settings.identity.providers = vec![scene::settings(
            identity::ProviderKind::Google,
            "google",
            "souk",
            "https://accounts.google.com",
        )];
    })
    .await;
    let answer = test.get("/api/v1/auth/providers", &[]).await;
    assert_eq!(answer.json, json!({"data": [{"name": "google", "title": "Google"}]}));
    let none = TestApp::start().await;
    assert_eq!(none.get("/api/v1/auth/providers", &[]).await.json, json!({"data": []}));
    for (method, path) in [
        (Method::GET, "/api/v1/users/me/external_accounts"),
        (Method::POST, "/api/v1/users/me/external_accounts/google"),
        (Method::DELETE, "/api/v1/users/me/external_accounts/google"),
    ] {
        let body = (method == Method::POST).then(|| json!({}));
        let answer = test.send(method, path, &[], body.as_ref()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (401, "identity/unauthenticated"), "{path}");
    }
    none.finish().await;
    test.finish().await;
}
