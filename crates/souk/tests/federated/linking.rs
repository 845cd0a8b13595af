//! Accounts elsewhere and the accounts here that they sign in to.

use identity::Actor;
use platform::audit::{self, Filter};
use serde_json::json;
use time::Duration;

use crate::browser::Browser;
use crate::scene::Scene;

/// An account that has the address already is not given to whoever comes with it. Its owner signs in and links; from
/// then on they sign in either way.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_there_is_linked_by_its_owner() {
    let scene = Scene::open(false).await;
    let owner = scene.account("ada@example.com").await;
    let mut browser = Browser::new();
    let page = scene.sign_in(&mut browser, "ada").await;
    assert_eq!(page.goes_to(), "/account#login_error=identity/account_exists");
    assert!(browser.cookie(&scene.base, "souk_session").is_none());

    scene.sign_in_with_password(&mut browser, "ada@example.com").await;
    let page = scene.link(&mut browser, "oidc", "ada").await;
    assert_eq!(page.goes_to(), "/account#linked=oidc");
    assert_eq!(scene.link(&mut browser, "oidc", "ada").await.goes_to(), "/account#linked=oidc", "again");

    let mut another = Browser::new();
    assert_eq!(scene.sign_in(&mut another, "ada").await.goes_to(), "/account");
    assert_eq!(scene.me(&another).await.id, owner.id);
    let filter = Filter { target_id: Some(owner.id.uuid()), ..Filter::default() };
    let entries = audit::entries(&scene.test.app.database, &filter, None, 100).await.unwrap();
    let actions: Vec<_> = entries.iter().map(|entry| entry.action.as_str()).collect();
    let linked = actions.iter().filter(|action| **action == "external_account.linked").count();
    assert!(linked == 1 && actions.contains(&"external_account.used"), "{actions:?}");
    scene.test.finish().await;
}

/// An account elsewhere signs in to one account here, and an account here takes one of each provider.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_elsewhere_has_one_owner() {
    let scene = Scene::open(false).await;
    let mut ada = Browser::new();
    scene.sign_in(&mut ada, "ada").await;
    let mut boss = Browser::new();
    scene.account("boss@example.com").await;
    scene.sign_in_with_password(&mut boss, "boss@example.com").await;
    let page = scene.link(&mut boss, "oidc", "ada").await;
    assert_eq!(page.goes_to(), "/account#login_error=identity/external_account_taken");

    // The address does not matter to whoever is signed in here and there.
    let mut boss_at_provider = Browser::new();
    scene.sign_in_with_password(&mut boss_at_provider, "boss@example.com").await;
    assert_eq!(scene.link(&mut boss_at_provider, "oidc", "mallory").await.goes_to(), "/account#linked=oidc");
    let mut third = Browser::new();
    scene.sign_in_with_password(&mut third, "boss@example.com").await;
    let page = scene.link(&mut third, "oidc", "grace").await;
    assert_eq!(page.goes_to(), "/account#login_error=identity/provider_linked");
    scene.test.finish().await;
}

/// Whoever began to link has to be signed in still, as the same person: an account elsewhere never ends up with
/// somebody who did not ask for it.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_began_to_link_ends_it() {
    let scene = Scene::open(false).await;
    let (one, other) = ("one@example.com", "other@example.com");
    scene.account(one).await;
    scene.account(other).await;
    for (now, reason) in [(Some(other), "identity/token_not_valid"), (None, "identity/unauthenticated")] {
        let mut browser = Browser::new();
        scene.sign_in_with_password(&mut browser, one).await;
        let begun = scene.begin_link(&mut browser, "oidc").await;
        let address = begun.json()["address"].as_str().unwrap().parse().unwrap();
        let back = browser.sign_in_at_provider(&address, "ada").await.location.unwrap();
        let binding = browser.cookie(&scene.base, "souk_login").unwrap().to_owned();
        browser.forget(&scene.base);
        browser.set_cookie(&scene.base, "souk_login", &binding);
        if let Some(now) = now {
            scene.sign_in_with_password(&mut browser, now).await;
        }
        assert_eq!(browser.get(&back).await.goes_to(), format!("/account#login_error={reason}"));
    }
    // Another site can not begin it.
    let mut browser = Browser::new();
    scene.sign_in_with_password(&mut browser, one).await;
    let url = scene.url("/api/v1/users/me/external_accounts/oidc");
    let headers = [("content-type", "application/json"), ("origin", "https://evil.example")];
    let page = browser.send(reqwest::Method::POST, &url, &headers, Some("{}".to_owned())).await;
    assert_eq!((page.status, &page.json()["code"]), (403, &json!("request/cross_site")));
    scene.test.finish().await;
}

/// With a login that was left open, or stolen, nobody adds a way in that lasts.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_login_links_nothing() {
    let scene = Scene::open(false).await;
    scene.account("ada@example.com").await;
    let mut browser = Browser::new();
    scene.sign_in_with_password(&mut browser, "ada@example.com").await;
    scene.test.clock.advance(Duration::minutes(15));
    let refused = scene.begin_link(&mut browser, "oidc").await;
    assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("identity/login_too_old")));
    scene.sign_in_with_password(&mut browser, "ada@example.com").await;
    assert_eq!(scene.begin_link(&mut browser, "oidc").await.status, 200, "signing in again is enough");
    scene.test.finish().await;
}

/// The last way to sign in stays.
#[tokio::test(flavor = "multi_thread")]
async fn the_only_way_to_sign_in_is_kept() {
    let scene = Scene::open(false).await;
    let mut ada = Browser::new();
    scene.sign_in(&mut ada, "ada").await;
    let page = scene.unlink(&mut ada, "oidc").await;
    assert_eq!((page.status, &page.json()["code"]), (409, &json!("identity/last_sign_in")));
    for none in ["other", "%00", "NONE"] {
        let page = scene.unlink(&mut ada, none).await;
        assert_eq!((page.status, &page.json()["code"]), (404, &json!("identity/not_found")), "{none}");
    }

    scene.account("boss@example.com").await;
    let mut boss = Browser::new();
    scene.sign_in_with_password(&mut boss, "boss@example.com").await;
    assert_eq!(scene.link(&mut boss, "oidc", "grace").await.goes_to(), "/account#linked=oidc");
    assert_eq!(scene.unlink(&mut boss, "oidc").await.status, 204);
    let accounts = boss.get(&scene.url("/api/v1/users/me/external_accounts")).await.json();
    assert_eq!(accounts["data"], json!([]));
    // It is free now: Grace gets an account of her own.
    let mut grace = Browser::new();
    assert_eq!(scene.sign_in(&mut grace, "grace").await.goes_to(), "/account");
    assert_eq!(scene.me(&grace).await.email.as_str(), "grace@example.com");
    scene.test.finish().await;
}

/// Many logins of somebody new at once open one account.
#[tokio::test(flavor = "multi_thread")]
async fn logins_at_once_open_one_account() {
    let scene = Scene::open(false).await;
    let mut browsers = Vec::new();
    for _ in 0..6 {
        let mut browser = Browser::new();
        let back = scene.come_back(&mut browser, "oidc/begin?return_to=/account", "ada").await;
        browsers.push((browser, back));
    }
    let mut running = tokio::task::JoinSet::new();
    for (mut browser, back) in browsers {
        running.spawn(async move {
            let page = browser.get(&back).await;
            assert_eq!(page.goes_to(), "/account");
            browser
        });
    }
    let mut ids = std::collections::HashSet::new();
    while let Some(browser) = running.join_next().await {
        ids.insert(scene.me(&browser.unwrap()).await.id);
    }
    assert_eq!(ids.len(), 1);
    let (accounts, email) = (&scene.test.app.identity.accounts, "ada@example.com".parse().unwrap());
    assert!(ids.contains(&accounts.user_by_email(&Actor::system(), &email).await.unwrap().id));
    scene.test.finish().await;
}
