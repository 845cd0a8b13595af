//! Passkeys, with a real browser and an authenticator of its own.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod browser;

use browser::{Answer, Browser};
use identity::{Actor, Client, Credentials, FactorMethod, LogIn, NewAccount, SessionKind, SignIn};
use platform::Secret;
use platform::audit::Origin;
use serde_json::{Value, json};
use testkit::TestApp;
use time::Duration;

const FACTORS: &str = "/api/v1/users/me/second_factors";
const SECOND_STEP: &str = "/api/v1/auth/login/second_factor";
const STEP_UP: &str = "/api/v1/auth/step_up";
const PASSWORD: &str = "a horse that draws its own battery";

/// Somebody with an account, at their browser.
struct Scene {
    test: TestApp,
    browser: Browser,
}

impl Scene {
    async fn open() -> Self {
        let test = TestApp::at_localhost().await;
        let account = NewAccount {
            email: "ada@example.com".parse().unwrap(),
            password: Secret::presented(PASSWORD),
            name: "Ada Lovelace".to_owned(),
            locale: None,
        };
        test.app.identity.accounts.create(&Actor::system(), &account).await.unwrap();
        let browser = Browser::open(test.base().as_str()).await;
        Self { test, browser }
    }

    /// The password's step of a login.
    async fn log_in(&self) -> SignIn {
        let client = Client { kind: SessionKind::Browser, device: None, origin: Origin::default() };
        let login =
            LogIn { email: "ada@example.com".parse().unwrap(), password: Secret::presented(PASSWORD) };
        self.test.app.identity.sessions.log_in(&client, &login).await.unwrap()
    }

    /// The challenge of a login's second step.
    async fn challenge(&self) -> String {
        match self.log_in().await {
            SignIn::SecondFactor { challenge, methods } => {
                assert_eq!(methods, [FactorMethod::Passkey, FactorMethod::RecoveryCode]);
                challenge.expose().to_owned()
            }
            SignIn::Done(_) => panic!("a password is not enough"),
        }
    }

    async fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.browser.fetch("POST", path, body).await
    }

    /// Begins a ceremony: gives its challenge and what the browser is asked.
    async fn begin(&mut self, path: &str, body: &Value) -> (Value, Value) {
        let mut begun = self.post(path, body).await;
        assert_eq!(begun.status, 200, "{path}: {begun:?}");
        (begun.json["challenge"].take(), begun.json["options"].take())
    }

    /// Makes a passkey for whoever is signed in.
    async fn enrol(&mut self, name: &str) -> Answer {
        let (challenge, options) = self.begin(&format!("{FACTORS}/passkeys/begin"), &Value::Null).await;
        let credential = self.browser.create(&options).await.unwrap();
        let body = json!({"challenge": challenge, "name": name, "credential": credential});
        self.post(&format!("{FACTORS}/passkeys"), &body).await
    }

    /// Signs in with a password, in a new session, and makes the first passkey. Gives it.
    async fn first_passkey(&mut self) -> Value {
        let SignIn::Done(signed_in) = self.log_in().await else { panic!("a password is enough") };
        let Credentials::Cookie { token, .. } = signed_in.credentials else { panic!("a cookie") };
        let cookie = json!({"do": "cookie", "name": "souk_session", "value": token.expose()});
        self.browser.tell(&cookie).await.unwrap();
        let mut made = self.enrol(" Ada's laptop ").await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(made.json["recovery_codes"].as_array().unwrap().len(), 10);
        assert_ne!(self.browser.cookie("souk_session").await.unwrap(), token.expose(), "a new cookie");
        made.json["passkey"].take()
    }

    /// A login with a passkey alone.
    async fn passkey_login(&mut self) -> Answer {
        let (challenge, options) = self.begin("/api/v1/auth/passkey/begin", &Value::Null).await;
        let credential = self.browser.get(&options).await.unwrap();
        let body = json!({"challenge": challenge, "credential": credential, "session": "browser"});
        self.post("/api/v1/auth/passkey", &body).await
    }

    async fn sign_out(&mut self) {
        self.browser.tell(&json!({"do": "forget_cookies"})).await.unwrap();
        assert_eq!(self.browser.fetch("GET", FACTORS, &Value::Null).await.status, 401);
    }

    async fn finish(self) {
        self.browser.close().await;
        self.test.finish().await;
    }
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u64, code: &str) {
    assert_eq!((answer.status, &answer.json["code"]), (status, &json!(code)), "{answer:?}");
}

/// A passkey that was made signs in by itself, which counts as both factors.
#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_signs_in_alone() {
    let mut scene = Scene::open().await;
    let passkey = scene.first_passkey().await;
    assert_eq!((&passkey["name"], &passkey["last_used_at"]), (&json!("Ada's laptop"), &Value::Null));
    // The same authenticator is no second one: the browser knows from what it is told.
    let (_, options) = scene.begin(&format!("{FACTORS}/passkeys/begin"), &Value::Null).await;
    let error = scene.browser.create(&options).await.unwrap_err();
    assert!(error.contains("InvalidStateError"), "{error}");
    scene.sign_out().await;
    let done = scene.passkey_login().await;
    assert_eq!((done.status, &done.json["status"]), (200, &json!("signed_in")), "{done:?}");
    assert_eq!(done.json["user"]["email"], "ada@example.com");
    assert_eq!(done.json.get("access_token"), None, "a browser gets a cookie");
    let status = scene.browser.fetch("GET", FACTORS, &Value::Null).await.json;
    assert_eq!(status["passkeys"][0]["last_used_at"], "2026-06-01T12:00:00Z");
    // Both factors were shown: nothing more is asked for.
    let codes = scene.post(&format!("{FACTORS}/recovery_codes"), &Value::Null).await;
    assert_eq!(codes.status, 200, "{codes:?}");
    scene.finish().await;
}

/// A passkey is the second step after a password, and of that login only.
#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_a_second_step() {
    let mut scene = Scene::open().await;
    scene.first_passkey().await;
    scene.sign_out().await;
    let (login, other) = (scene.challenge().await, scene.challenge().await);
    let begin = format!("{SECOND_STEP}/passkey");
    let (challenge, options) = scene.begin(&begin, &json!({"challenge": login})).await;
    assert_eq!(options["publicKey"]["allowCredentials"].as_array().unwrap().len(), 1);
    let credential = scene.browser.get(&options).await.unwrap();
    let passkey = json!({"challenge": challenge, "credential": credential});
    let body = |login: &str| json!({"challenge": login, "passkey": passkey, "session": "browser"});
    let elsewhere = scene.post(SECOND_STEP, &body(&other)).await;
    assert_refused(&elsewhere, 410, "identity/token_not_valid");
    let done = scene.post(SECOND_STEP, &body(&login)).await;
    assert_eq!((done.status, &done.json["status"]), (200, &json!("signed_in")), "{done:?}");
    assert_eq!(scene.browser.fetch("GET", FACTORS, &Value::Null).await.status, 200);
    let again = scene.post(SECOND_STEP, &body(&login)).await;
    assert_refused(&again, 410, "identity/token_not_valid");
    scene.finish().await;
}

/// An answer to another challenge is refused, and so is one to a challenge that was used or is too old.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_good_for_its_own_challenge() {
    let mut scene = Scene::open().await;
    scene.first_passkey().await;
    scene.sign_out().await;
    let (first, asked) = scene.begin("/api/v1/auth/passkey/begin", &Value::Null).await;
    let (second, _) = scene.begin("/api/v1/auth/passkey/begin", &Value::Null).await;
    let credential = scene.browser.get(&asked).await.unwrap();
    let body =
        |challenge: &Value| json!({"challenge": challenge, "credential": credential, "session": "browser"});
    let other = scene.post("/api/v1/auth/passkey", &body(&second)).await;
    assert_refused(&other, 401, "identity/bad_credential");
    let mut forged = body(&first);
    forged["credential"]["response"]["signature"] = json!("MEUCIQDAAAA");
    assert_refused(&scene.post("/api/v1/auth/passkey", &forged).await, 401, "identity/bad_credential");
    let done = scene.post("/api/v1/auth/passkey", &body(&first)).await;
    assert_eq!(done.status, 200, "{done:?}");
    let again = scene.post("/api/v1/auth/passkey", &body(&first)).await;
    assert_refused(&again, 410, "identity/token_not_valid");
    // What is asked of a login is not what is asked of a session.
    let credential = scene.browser.get(&asked).await.unwrap();
    let passkey = json!({"passkey": {"challenge": second, "credential": credential}});
    assert_refused(&scene.post(STEP_UP, &passkey).await, 410, "identity/token_not_valid");
    let (late, asked) = scene.begin("/api/v1/auth/passkey/begin", &Value::Null).await;
    let credential = scene.browser.get(&asked).await.unwrap();
    scene.test.clock.advance(Duration::minutes(6));
    let body = json!({"challenge": late, "credential": credential});
    assert_refused(&scene.post("/api/v1/auth/passkey", &body).await, 410, "identity/token_not_valid");
    scene.finish().await;
}

/// A session shows its passkey again before it changes what counts, and gets a new cookie by it. A passkey that was
/// removed opens nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_steps_up_and_goes() {
    let mut scene = Scene::open().await;
    let passkey = scene.first_passkey().await;
    let path = format!("{FACTORS}/passkeys/{}", passkey["id"].as_str().unwrap());
    let renamed = scene.browser.fetch("PATCH", &path, &json!({"name": "Old laptop"})).await;
    assert_eq!((renamed.status, &renamed.json["name"]), (200, &json!("Old laptop")));
    let unnamed = scene.browser.fetch("PATCH", &path, &json!({"name": " "})).await;
    assert_refused(&unnamed, 422, "request/invalid_value");
    scene.test.clock.advance(Duration::minutes(16));
    let stale = scene.browser.fetch("DELETE", &path, &Value::Null).await;
    assert_refused(&stale, 403, "identity/second_factor_required");

    let before = scene.browser.cookie("souk_session").await;
    let (challenge, options) = scene.begin(&format!("{STEP_UP}/passkey"), &Value::Null).await;
    let credential = scene.browser.get(&options).await.unwrap();
    let body = json!({"passkey": {"challenge": challenge, "credential": credential}});
    assert_eq!(scene.post(STEP_UP, &body).await.status, 204);
    assert_ne!(scene.browser.cookie("souk_session").await, before);

    let begun = scene.begin("/api/v1/auth/passkey/begin", &Value::Null).await;
    let credential = scene.browser.get(&begun.1).await.unwrap();
    assert_eq!(scene.browser.fetch("DELETE", &path, &Value::Null).await.status, 204);
    assert_eq!(scene.browser.fetch("DELETE", &path, &Value::Null).await.status, 404);
    let status = scene.browser.fetch("GET", FACTORS, &Value::Null).await;
    assert_eq!(status.json, json!({"totp": false, "passkeys": [], "recovery_codes_left": 0}));
    let body = json!({"challenge": begun.0, "credential": credential});
    assert_refused(&scene.post("/api/v1/auth/passkey", &body).await, 401, "identity/bad_credential");
    assert!(matches!(scene.log_in().await, SignIn::Done(_)), "a password is enough again");
    scene.finish().await;
}

/// An authenticator whose counter did not grow may be a copy, and is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_noticed() {
    let mut scene = Scene::open().await;
    scene.first_passkey().await;
    scene.sign_out().await;
    assert_eq!(scene.passkey_login().await.status, 200);
    let keys = scene.browser.tell(&json!({"do": "set_counter", "counter": 0})).await.unwrap();
    assert_eq!(keys, 1);
    assert_refused(&scene.passkey_login().await, 401, "identity/bad_credential");
    scene.browser.tell(&json!({"do": "set_counter", "counter": 100})).await.unwrap();
    assert_eq!(scene.passkey_login().await.status, 200);
    scene.finish().await;
}

/// Whoever has got hold of somebody's key but is not known to it gets nowhere, whatever the page asks of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_knows_its_owner() {
    let mut scene = Scene::open().await;
    scene.first_passkey().await;
    scene.sign_out().await;
    scene.browser.tell(&json!({"do": "set_verified", "verified": false})).await.unwrap();
    let (_, options) = scene.begin("/api/v1/auth/passkey/begin", &Value::Null).await;
    assert_eq!(options["publicKey"]["userVerification"], "required");
    let error = scene.browser.get(&options).await.unwrap_err();
    assert!(error.contains("NotAllowedError"), "{error}");
    let login = scene.challenge().await;
    let begin = format!("{SECOND_STEP}/passkey");
    let (challenge, mut options) = scene.begin(&begin, &json!({"challenge": login})).await;
    options["publicKey"]["userVerification"] = json!("discouraged");
    let credential = scene.browser.get(&options).await.unwrap();
    let body = json!({"challenge": login, "passkey": {"challenge": challenge, "credential": credential}});
    assert_refused(&scene.post(SECOND_STEP, &body).await, 403, "identity/wrong_passkey");
    scene.finish().await;
}

/// What an authenticator made is taken once, for the challenge that it was made for.
#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_made_once() {
    let mut scene = Scene::open().await;
    scene.first_passkey().await;
    let (challenge, mut options) = scene.begin(&format!("{FACTORS}/passkeys/begin"), &Value::Null).await;
    options["publicKey"]["excludeCredentials"] = json!([]);
    let credential = scene.browser.create(&options).await.unwrap();
    let body = json!({"challenge": challenge, "name": "Second", "credential": credential});
    let path = format!("{FACTORS}/passkeys");
    let made = scene.post(&path, &body).await;
    assert_eq!((made.status, &made.json["recovery_codes"]), (201, &json!([])), "{made:?}");
    assert_refused(&scene.post(&path, &body).await, 410, "identity/token_not_valid");
    let (challenge, _) = scene.begin(&format!("{FACTORS}/passkeys/begin"), &Value::Null).await;
    let other = json!({"challenge": challenge, "name": "Third", "credential": credential});
    assert_refused(&scene.post(&path, &other).await, 422, "request/invalid_value");
    scene.finish().await;
}

/// Answers that are broken off or bent anywhere are refused, and nothing is our fault.
#[tokio::test(flavor = "multi_thread")]
async fn broken_answers_are_refused() {
    let mut scene = Scene::open().await;
    scene.first_passkey().await;
    let (challenge, mut options) = scene.begin(&format!("{FACTORS}/passkeys/begin"), &Value::Null).await;
    options["publicKey"]["excludeCredentials"] = json!([]);
    let made = scene.browser.create(&options).await.unwrap();
    let (login, options) = scene.begin("/api/v1/auth/passkey/begin", &Value::Null).await;
    let shown = scene.browser.get(&options).await.unwrap();
    let enrol =
        (format!("{FACTORS}/passkeys"), json!({"challenge": challenge, "name": "x", "credential": made}));
    let sign_in = ("/api/v1/auth/passkey".to_owned(), json!({"challenge": login, "credential": shown}));
    for ((path, whole), fields) in [
        (enrol, ["attestationObject", "clientDataJSON"].as_slice()),
        (sign_in, &["authenticatorData", "clientDataJSON", "signature", "userHandle"]),
    ] {
        for field in fields {
            let good = whole["credential"]["response"][field].as_str().unwrap();
            let broken = (0..good.len()).step_by(9).map(|end| good[..end].to_owned());
            let bent = (0..good.len() - 1).step_by(9).map(|at| {
                let other = if &good[at..=at] == "A" { "_" } else { "A" };
                format!("{}{other}{}", &good[..at], &good[at + 1..])
            });
            // Nobody has signed what a new key says of itself: a bent one is another key.
            let bent = bent.filter(|_| whole.get("name").is_none());
            for text in broken.chain(bent) {
                let mut body = whole.clone();
                body["credential"]["response"][field] = json!(text);
                let answer = scene.post(&path, &body).await;
                assert!([401, 422].contains(&answer.status), "{field} = {text}: {answer:?}");
            }
        }
    }
    scene.finish().await;
}
