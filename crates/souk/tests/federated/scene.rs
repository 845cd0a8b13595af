//! A marketplace where people can sign in with accounts elsewhere.

use identity::{
    Actor, AppleKey, Authenticated, Client, Credentials, LogIn, NewAccount, Presented, Provider,
    ProviderKind, SessionKind, SignIn, User,
};
use platform::Secret;
use platform::audit::Origin;
use reqwest::Method;
use serde_json::json;
use testkit::TestApp;
use time::OffsetDateTime;
use url::Url;

use crate::browser::{Browser, Page};
use crate::provider::OidcProvider;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

pub(crate) struct Scene {
    pub(crate) test: TestApp,
    pub(crate) provider: OidcProvider,
    pub(crate) base: Url,
}

pub(crate) fn settings(kind: ProviderKind, name: &str, client_id: &str, issuer: &str) -> Provider {
    Provider {
        name: name.to_owned(),
        kind,
        issuer: Some(issuer.to_owned()),
        client_id: client_id.to_owned(),
        client_secret: Secret::presented(&format!("secret-of-{client_id}")),
        apple: None,
        title: None,
    }
}

/// The present, as the provider's tokens tell it.
#[expect(clippy::disallowed_methods, reason = "the provider lives by the machine's clock")]
fn present() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Sets the clock of a marketplace to the present.
pub(crate) fn set_clock(test: &TestApp) {
    test.clock.advance(present() - test.app.sources.now());
}

impl Scene {
    /// Two names for the same provider, one for its Apple client, and one for a provider that is down.
    pub(crate) async fn open(in_token: bool) -> Self {
        let mut place = None;
        let test = TestApp::with_settings(|base, settings| {
            let provider = OidcProvider::start(base, in_token);
            let apple = Provider {
                client_secret: Secret::presented(&provider.apple_key),
                apple: Some(AppleKey { team_id: "TEAM".to_owned(), key_id: "KEY".to_owned() }),
                ..self::settings(ProviderKind::Apple, "apple", "apple", &provider.issuer)
            };
            settings.identity.providers = vec![
                self::settings(ProviderKind::Oidc, "oidc", "souk", &provider.issuer),
                self::settings(ProviderKind::Oidc, "other", "souk", &provider.issuer),
                apple,
                self::settings(ProviderKind::Oidc, "down", "souk", "http://127.0.0.1:9"),
            ];
            place = Some((provider, base.clone()));
        })
        .await;
        set_clock(&test);
        let (provider, base) = place.expect("the settings were made");
        let accounts = json!({
            "ada": {"email": "Ada@example.com", "email_verified": true, "name": "Ada Lovelace"},
            "grace": {"email": "grace@example.com", "email_verified": true},
            "mallory": {"email": "ada@example.com", "email_verified": false, "name": "Mallory"}
        });
        provider.accounts(accounts).await;
        Self { test, provider, base }
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        self.base.join(path).unwrap()
    }

    /// Begins to sign in. Gives where the browser is sent.
    pub(crate) async fn begin(&self, browser: &mut Browser, path: &str) -> Url {
        let page = browser.get(&self.url(&format!("/api/v1/auth/providers/{path}"))).await;
        assert_eq!(page.status, 303, "{page:?}");
        page.location.expect("a redirect leads somewhere")
    }

    /// Signs in at the provider. Gives Souk's address that the browser is sent back to.
    pub(crate) async fn come_back(&self, browser: &mut Browser, path: &str, who: &str) -> Url {
        let address = self.begin(browser, path).await;
        let page = browser.sign_in_at_provider(&address, who).await;
        page.location.expect("the provider sends the browser back")
    }

    /// The whole way. Gives the last answer of Souk.
    pub(crate) async fn sign_in(&self, browser: &mut Browser, who: &str) -> Page {
        let back = self.come_back(browser, "oidc/begin?return_to=/account", who).await;
        browser.get(&back).await
    }

    /// Begins to link. Gives where the browser goes.
    pub(crate) async fn begin_link(&self, browser: &mut Browser, provider: &str) -> Page {
        let url = self.url(&format!("/api/v1/users/me/external_accounts/{provider}"));
        let origin = self.base.origin().ascii_serialization();
        let headers = [("content-type", "application/json"), ("origin", origin.as_str())];
        browser.send(Method::POST, &url, &headers, Some(json!({"return_to": "/account"}).to_string())).await
    }

    /// The whole way of linking. Gives the last answer of Souk.
    pub(crate) async fn link(&self, browser: &mut Browser, provider: &str, who: &str) -> Page {
        let begun = self.begin_link(browser, provider).await;
        assert_eq!(begun.status, 200, "{begun:?}");
        let address = begun.json()["address"].as_str().unwrap().parse().unwrap();
        let page = browser.sign_in_at_provider(&address, who).await;
        browser.get(&page.location.unwrap()).await
    }

    pub(crate) async fn unlink(&self, browser: &mut Browser, provider: &str) -> Page {
        let url = self.url(&format!("/api/v1/users/me/external_accounts/{provider}"));
        let origin = self.base.origin().ascii_serialization();
        browser.send(Method::DELETE, &url, &[("origin", &origin)], None).await
    }

    /// Who is signed in in this browser.
    pub(crate) async fn actor(&self, browser: &Browser) -> Actor {
        let Some(cookie) = browser.cookie(&self.base, "souk_session") else { return Actor::stranger() };
        let presented = Presented::Cookie(Secret::presented(cookie));
        match self.test.app.identity.access.authenticate(&presented).await.unwrap() {
            Authenticated::Principal(principal) => Actor::known(principal),
            Authenticated::Publishable(_) => panic!("a cookie is no key"),
        }
    }

    pub(crate) async fn me(&self, browser: &Browser) -> User {
        let actor = self.actor(browser).await;
        self.test.app.identity.accounts.me(&actor).await.expect("somebody is signed in")
    }

    /// Opens an account with a password whose mailbox was shown.
    pub(crate) async fn account(&self, email: &str) -> User {
        self.test.app.identity.accounts.create(&Actor::system(), &new_account(email)).await.unwrap()
    }

    /// Signs in with a password.
    pub(crate) async fn sign_in_with_password(&self, browser: &mut Browser, email: &str) {
        let client = Client { kind: SessionKind::Browser, device: None, origin: Origin::default() };
        let login = LogIn { email: email.parse().unwrap(), password: Secret::presented(PASSWORD) };
        let SignIn::Done(signed_in) = self.test.app.identity.sessions.log_in(&client, &login).await.unwrap()
        else {
            panic!("there is no second factor");
        };
        let Credentials::Cookie { token, .. } = &signed_in.credentials else {
            panic!("a browser has a cookie")
        };
        browser.set_cookie(&self.base, "souk_session", token.expose());
    }
}

pub(crate) fn new_account(email: &str) -> NewAccount {
    NewAccount {
        email: email.parse().unwrap(),
        password: Secret::presented(PASSWORD),
        name: "Somebody".to_owned(),
        locale: None,
    }
}
