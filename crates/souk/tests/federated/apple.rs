//! Apple's ways: an answer that is posted from its own site, and a client secret that is a token. The provider is
//! `oidc-provider`, set up as Apple is.

use crate::browser::Browser;
use crate::query;
use crate::scene::Scene;

/// The posted answer comes without our cookies, and is sent on to where they are; the secret is checked by its signature.
#[tokio::test(flavor = "multi_thread")]
async fn signs_in_with_apple() {
    let scene = Scene::open(true).await;
    let mut browser = Browser::new();
    let address = scene.begin(&mut browser, "apple/begin?return_to=/account").await;
    assert_eq!(query(&address, "response_mode").as_deref(), Some("form_post"));
    let page = browser.sign_in_at_provider(&address, "ada").await;
    let (callback, fields) = Browser::posted(&page);
    assert_eq!(callback, scene.url("/api/v1/auth/providers/apple/callback"));
    let posted = browser.post_from_elsewhere(&callback, &fields).await;
    assert_eq!(posted.status, 303, "{posted:?}");
    let back = posted.location.unwrap();
    assert_eq!(back.path(), callback.path());
    assert_eq!(browser.get(&back).await.goes_to(), "/account");
    assert_eq!(scene.me(&browser).await.email.as_str(), "Ada@example.com");
    // Not by whoever has the posted answer alone.
    let mut stranger = Browser::new();
    let page = stranger.get(&back).await;
    assert_eq!(page.goes_to(), "/#login_error=identity/token_not_valid");
    scene.test.finish().await;
}

/// No other route takes posts of other sites, and a posted answer is not sent anywhere else.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_answer_is_taken_from_elsewhere() {
    let scene = Scene::open(true).await;
    let mut browser = Browser::new();
    scene.account("boss@example.com").await;
    scene.sign_in_with_password(&mut browser, "boss@example.com").await;
    let headers =
        [("origin", "https://appleid.apple.com"), ("content-type", "application/x-www-form-urlencoded")];
    for (path, status) in [
        ("/api/v1/auth/providers/apple/callback", 303),
        ("/api/v1/auth/providers/apple/x/callback", 403),
        ("/api/v1/carts", 403),
    ] {
        let body = Some("state=a%0Ab&code=%26x&other=1".to_owned());
        let page = browser.send(reqwest::Method::POST, &scene.url(path), &headers, body).await;
        assert_eq!(page.status, status, "{path}");
        if status == 303 {
            assert_eq!(page.goes_to(), format!("{path}?state=a%0Ab&code=%26x"));
            assert!(page.set_cookies.is_empty());
        }
    }
    scene.test.finish().await;
}
