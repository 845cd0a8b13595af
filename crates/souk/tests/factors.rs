//! Second factors: authenticator apps and recovery codes. Passkeys have tests of their own, with a browser.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use identity::{
    Actor, Authenticated, Client, Credentials, Denied, Directory, Error, FactorMethod, LogIn, NewAccount,
    PlatformRole, Presented, Proof, SessionKind, SignIn, TokenPair, User,
};
use platform::audit::{Filter, Origin};
use platform::{CursorRequest, Secret};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, TestApp};
use time::Duration;
use tokio::task::JoinSet;
use totp_rs::Totp;

const PASSWORD: &str = "a horse that draws its own battery";
const FACTORS: &str = "/api/v1/users/me/second_factors";
const SECOND_STEP: &str = "/api/v1/auth/login/second_factor";

/// Somebody with an account.
struct Scene {
    test: TestApp,
    user: User,
}

/// An authenticator app, and the codes that came with it.
struct Phone {
    totp: Totp,
    codes: Vec<String>,
}

impl Scene {
    async fn open() -> Self {
        let test = TestApp::start().await;
        let account = NewAccount {
            email: "ada@example.com".parse().unwrap(),
            password: Secret::presented(PASSWORD),
            name: "Ada Lovelace".to_owned(),
            locale: None,
        };
        let user = test.app.identity.accounts.create(&Actor::system(), &account).await.unwrap();
        Self { test, user }
    }

    /// The password's step of a login.
    async fn log_in(&self, kind: SessionKind) -> SignIn {
        let login = LogIn { email: self.user.email.clone(), password: Secret::presented(PASSWORD) };
        self.test.app.identity.sessions.log_in(&client(kind), &login).await.unwrap()
    }

    /// A login of an app, while a password is enough: what stands behind `Bearer`.
    async fn token(&self) -> String {
        format!("Bearer {}", self.tokens().await.access_token.expose())
    }

    async fn tokens(&self) -> TokenPair {
        let SignIn::Done(signed_in) = self.log_in(SessionKind::Tokens).await else {
            panic!("no second step")
        };
        match signed_in.credentials {
            Credentials::Tokens(pair) => pair,
            Credentials::Cookie { .. } => panic!("an app gets tokens"),
        }
    }

    /// The challenge of a login's second step.
    async fn challenge(&self) -> String {
        match self.log_in(SessionKind::Tokens).await {
            SignIn::SecondFactor { challenge, .. } => challenge.expose().to_owned(),
            SignIn::Done(_) => panic!("there is a second factor"),
        }
    }

    async fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.test.post(path, &[("authorization", token)], body).await
    }

    async fn ask(&self, token: &str, path: &str) -> Answer {
        self.test.send(Method::POST, path, &[("authorization", token)], None).await
    }

    /// Ends a login.
    async fn complete(&self, challenge: &str, field: &str, code: &str) -> Answer {
        let body = json!({"challenge": challenge, field: code});
        self.test.post(SECOND_STEP, &[], &body).await
    }

    /// Sets up an authenticator app.
    async fn enrol(&self, token: &str) -> Phone {
        let begun = self.ask(token, &format!("{FACTORS}/totp")).await;
        assert_eq!(begun.status, 200, "{begun:?}");
        let totp = Totp::from_url(begun.json["otpauth_uri"].as_str().unwrap()).unwrap();
        let body = json!({"code": self.code(&totp, 0)});
        let confirmed = self.post(token, &format!("{FACTORS}/totp/confirm"), &body).await;
        assert_eq!(confirmed.status, 200, "{confirmed:?}");
        let codes = confirmed.json["recovery_codes"].as_array().unwrap();
        Phone { totp, codes: codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect() }
    }

    /// The code that the app shows so many time steps from now.
    fn code(&self, totp: &Totp, steps: i64) -> String {
        let time = self.test.app.sources.now().unix_timestamp() + 30 * steps;
        totp.generate(time.try_into().unwrap()).to_string()
    }

    /// Lets time pass to the next code.
    fn next_code(&self, phone: &Phone) -> String {
        self.test.clock.advance(Duration::seconds(30));
        self.code(&phone.totp, 0)
    }

    async fn actor(&self, presented: &Presented) -> Actor {
        match self.test.app.identity.access.authenticate(presented).await.unwrap() {
            Authenticated::Principal(principal) => Actor::known(principal),
            Authenticated::Publishable(_) => panic!("a person"),
        }
    }

    async fn status(&self, token: &str) -> Value {
        self.test.get(FACTORS, &[("authorization", token)]).await.json
    }

    /// What was done to the account, by the audit log, the last first.
    async fn audited(&self) -> Vec<(String, Value)> {
        let filter = Filter { action: Some("second_factor.".to_owned()), ..Filter::default() };
        let slice = CursorRequest { first: 100, after: None };
        let found = self.test.app.identity.audit.entries(&Actor::system(), &filter, &slice).await.unwrap();
        found.data.into_iter().map(|entry| (entry.action, entry.facts["method"].clone())).collect()
    }
}

fn client(kind: SessionKind) -> Client {
    Client { kind, device: None, origin: Origin::default() }
}

fn bearer(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    format!("Bearer {}", answer.json["access_token"].as_str().unwrap())
}

/// A login of an app has a second step once an authenticator app was shown to work, and not before.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_a_second_step() {
    let scene = Scene::open().await;
    assert_eq!(scene.test.get(FACTORS, &[]).await.code(), "identity/unauthenticated");
    let token = scene.token().await;
    let confirm = format!("{FACTORS}/totp/confirm");
    let early = scene.post(&token, &confirm, &json!({"code": "123456"})).await;
    assert_eq!((early.status.as_u16(), early.code()), (409, "identity/totp_not_begun"));
    let begun = scene.ask(&token, &format!("{FACTORS}/totp")).await;
    assert_eq!(begun.header("cache-control"), "private, no-store");
    let uri = begun.json["otpauth_uri"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/Souk:ada%40example.com?secret="), "{uri}");
    assert_eq!(Totp::from_url(uri).unwrap().secret().to_base32(), begun.json["secret"].as_str().unwrap());
    // Not shown to work yet.
    scene.token().await;
    let phone = scene.enrol(&token).await;
    assert_ne!(phone.totp.secret().to_base32(), begun.json["secret"].as_str().unwrap(), "begun again");
    assert_eq!(phone.codes.len(), 10);
    let status = json!({"totp": true, "passkeys": [], "recovery_codes_left": 10});
    assert_eq!(scene.status(&token).await, status);
    let again = scene.ask(&token, &format!("{FACTORS}/totp")).await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "identity/totp_exists"));

    let SignIn::SecondFactor { challenge, methods } = scene.log_in(SessionKind::Browser).await else {
        panic!("a password is not enough any more")
    };
    assert_eq!(methods, [FactorMethod::Totp, FactorMethod::RecoveryCode]);
    let code = scene.next_code(&phone);
    let wrong = scene.complete(challenge.expose(), "totp", "000000").await;
    assert_eq!((wrong.status.as_u16(), wrong.code()), (403, "identity/wrong_code"));
    let done = scene.complete(challenge.expose(), "totp", &format!("{} {}", &code[..3], &code[3..])).await;
    assert_eq!(done.header("cache-control"), "private, no-store");
    assert_eq!(
        (&done.json["status"], &done.json["user"]["id"]),
        (&json!("signed_in"), &json!(scene.user.id))
    );
    let token = bearer(&done);
    let actor = scene.actor(&Presented::Bearer(Secret::presented(&token[7..]))).await;
    assert_eq!(actor.principal().unwrap().second_factor_at, Some(scene.test.app.sources.now()));
    // One challenge, one session; and a code that was used is worth nothing.
    let used = scene.complete(challenge.expose(), "totp", &scene.code(&phone.totp, 1)).await;
    assert_eq!((used.status.as_u16(), used.code()), (410, "identity/token_not_valid"));
    let replayed = scene.complete(&scene.challenge().await, "totp", &code).await;
    assert_eq!(replayed.code(), "identity/wrong_code");
    let expected = [("second_factor.used", json!("totp")), ("second_factor.added", json!("totp"))];
    assert_eq!(scene.audited().await, expected.map(|(action, method)| (action.to_owned(), method)));
    scene.test.finish().await;
}

/// Codes of one step before and after are taken, none further away, and none of a step that was used or is older.
#[tokio::test(flavor = "multi_thread")]
async fn clocks_may_differ_by_one_step() {
    let scene = Scene::open().await;
    let phone = scene.enrol(&scene.token().await).await;
    scene.test.clock.advance(Duration::minutes(5));
    for (steps, accepted) in [(-2, false), (2, false), (-1, true), (-1, false), (1, true), (0, false)] {
        let code = scene.code(&phone.totp, steps);
        let answer = scene.complete(&scene.challenge().await, "totp", &code).await;
        assert_eq!(answer.status == 200, accepted, "{steps}: {answer:?}");
    }
    scene.test.finish().await;
}

/// A recovery code is good once, however it is typed, and its owner is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_is_good_once() {
    let scene = Scene::open().await;
    let phone = scene.enrol(&scene.token().await).await;
    let typed = phone.codes[0].to_uppercase().replace('-', " ");
    let done = scene.complete(&scene.challenge().await, "recovery_code", &typed).await;
    let token = bearer(&done);
    let again = scene.complete(&scene.challenge().await, "recovery_code", &phone.codes[0]).await;
    assert_eq!(again.code(), "identity/wrong_code");
    assert_eq!(scene.status(&token).await["recovery_codes_left"], 9);
    assert_eq!(scene.audited().await[0], ("second_factor.used".to_owned(), json!("recovery_code")));
    let notices: Vec<String> = sqlx::query_scalar(
        "SELECT payload->>'notice' FROM platform.outbox WHERE topic = 'identity.security_noticed.v1' ORDER BY id",
    )
    .fetch_all(scene.test.app.database.pool())
    .await
    .unwrap();
    assert!(notices.contains(&"recovery_code_used".to_owned()), "{notices:?}");
    // A new list ends the old one.
    let renewed = scene.ask(&token, &format!("{FACTORS}/recovery_codes")).await;
    let codes = renewed.json["recovery_codes"].as_array().unwrap();
    assert_eq!((codes.len(), renewed.header("cache-control")), (10, "private, no-store"));
    let old = scene.complete(&scene.challenge().await, "recovery_code", &phone.codes[1]).await;
    assert_eq!(old.code(), "identity/wrong_code");
    let new = scene.complete(&scene.challenge().await, "recovery_code", codes[9].as_str().unwrap()).await;
    assert_eq!(new.status, 200, "{new:?}");
    scene.test.finish().await;
}

/// Neither the secret of an app nor a recovery code can be read in the database.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_in_the_open() {
    let scene = Scene::open().await;
    let phone = scene.enrol(&scene.token().await).await;
    let pool = scene.test.app.database.pool();
    let sealed: Vec<u8> =
        sqlx::query_scalar("SELECT secret FROM identity.totp").fetch_one(pool).await.unwrap();
    let secret = phone.totp.secret().as_bytes();
    assert!(!sealed.windows(8).any(|window| secret.windows(8).any(|part| part == window)));
    let hashes: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT code_hash FROM identity.recovery_codes").fetch_all(pool).await.unwrap();
    assert!(hashes.iter().all(|hash| hash.len() == 32));
    scene.test.finish().await;
}

/// Whoever guesses has to wait longer and longer, in however many logins; a challenge bears five guesses.
#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_slowed_down() {
    let scene = Scene::open().await;
    let phone = scene.enrol(&scene.token().await).await;
    scene.test.clock.advance(Duration::minutes(5));
    let challenge = scene.challenge().await;
    for _ in 0..5 {
        assert_eq!(scene.complete(&challenge, "totp", "000000").await.code(), "identity/wrong_code");
    }
    // The right code changes nothing before the wait is over, and elsewhere neither.
    let other = scene.challenge().await;
    let early = scene.complete(&other, "totp", &scene.code(&phone.totp, 0)).await;
    assert_eq!((early.status.as_u16(), early.code()), (429, "identity/too_many_attempts"));
    let wait: i64 = early.header("retry-after").parse().unwrap();
    scene.test.clock.advance(Duration::seconds(wait));
    let over = scene.complete(&challenge, "totp", &scene.code(&phone.totp, 0)).await;
    assert_eq!(over.code(), "identity/token_not_valid");
    scene.test.clock.advance(Duration::seconds(60));
    let done = scene.complete(&other, "totp", &scene.code(&phone.totp, 0)).await;
    let token = bearer(&done);
    // The right one was forgiven the wrong ones; sessions that are there are slowed down too.
    for _ in 0..5 {
        let answer = scene.post(&token, "/api/v1/auth/step_up", &json!({"totp": "000000"})).await;
        assert_eq!(answer.code(), "identity/wrong_code");
    }
    let slowed = scene.post(&token, "/api/v1/auth/step_up", &json!({"totp": "000000"})).await;
    assert_eq!(slowed.code(), "identity/too_many_attempts");
    // Five minutes are the time there is.
    let late = scene.challenge().await;
    scene.test.clock.advance(Duration::minutes(6));
    let answer = scene.complete(&late, "totp", &scene.code(&phone.totp, 0)).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (410, "identity/token_not_valid"));
    scene.test.finish().await;
}

/// Many at once: one challenge gives one session and takes one code, and one code ends one login.
#[tokio::test(flavor = "multi_thread")]
async fn one_challenge_gives_one_session() {
    let scene = Scene::open().await;
    let token = scene.token().await;
    let phone = scene.enrol(&token).await;
    let login = Secret::presented(&scene.challenge().await);
    let mut tries = JoinSet::new();
    for code in &phone.codes[..4] {
        let (factors, login) = (scene.test.app.identity.factors.clone(), login.clone());
        let proof = Proof::RecoveryCode(Secret::presented(code));
        tries.spawn(async move { factors.complete(&client(SessionKind::Tokens), &login, &proof).await });
    }
    let outcomes = tries.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(Error::BadToken))), "{outcomes:?}");
    assert_eq!(scene.status(&token).await["recovery_codes_left"], 9);

    scene.test.clock.advance(Duration::minutes(5));
    let code = Proof::Totp(Secret::presented(&scene.code(&phone.totp, 0)));
    let mut tries = JoinSet::new();
    for _ in 0..4 {
        let (factors, proof) = (scene.test.app.identity.factors.clone(), code.clone());
        let login = Secret::presented(&scene.challenge().await);
        tries.spawn(async move { factors.complete(&client(SessionKind::Tokens), &login, &proof).await });
    }
    let outcomes = tries.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(Error::WrongCode))), "{outcomes:?}");
    scene.test.finish().await;
}

/// An operator sees neither money nor roles before they have shown a second factor.
#[tokio::test(flavor = "multi_thread")]
async fn operators_need_a_second_factor() {
    let scene = Scene::open().await;
    let accounts = &scene.test.app.identity.accounts;
    accounts.set_role(&Actor::system(), scene.user.id, Some(PlatformRole::Operator)).await.unwrap();
    let token = scene.token().await;
    let presented = Presented::Bearer(Secret::presented(&token[7..]));
    let everybody = (Directory::default(), CursorRequest { first: 10, after: None });
    let actor = scene.actor(&presented).await;
    let refused = accounts.users(&actor, &everybody.0, &everybody.1).await.unwrap_err();
    assert!(matches!(refused, Error::Denied(Denied::SecondFactor)), "{refused:?}");
    let phone = scene.enrol(&token).await;
    let actor = scene.actor(&presented).await;
    assert_eq!(accounts.users(&actor, &everybody.0, &everybody.1).await.unwrap().data.len(), 1);
    // Without one they are where they were.
    let code = json!({"code": scene.next_code(&phone)});
    let removed = scene.post(&token, &format!("{FACTORS}/totp/remove"), &code).await;
    assert_eq!(removed.status, 204, "{removed:?}");
    let actor = scene.actor(&presented).await;
    let refused = accounts.users(&actor, &everybody.0, &everybody.1).await.unwrap_err();
    assert!(matches!(refused, Error::Denied(Denied::SecondFactor)), "{refused:?}");
    scene.test.finish().await;
}

/// A browser's cookie is another one as soon as its session may do more, and the one before is worth nothing.
#[tokio::test(flavor = "multi_thread")]
async fn cookies_rotate_with_rights() {
    let scene = Scene::open().await;
    let SignIn::Done(signed_in) = scene.log_in(SessionKind::Browser).await else { panic!("no second step") };
    let Credentials::Cookie { token, .. } = signed_in.credentials else { panic!("a browser gets a cookie") };
    let mut cookie = format!("souk_session={}", token.expose());
    let send = async |cookie: &str, path: &str, body: Option<&Value>| {
        let headers = [("cookie", cookie), ("sec-fetch-site", "same-origin")];
        scene.test.send(Method::POST, path, &headers, body).await
    };
    let begun = send(&cookie, &format!("{FACTORS}/totp"), None).await;
    let totp = Totp::from_url(begun.json["otpauth_uri"].as_str().unwrap()).unwrap();
    let confirm = (format!("{FACTORS}/totp/confirm"), "code");
    let step_up = ("/api/v1/auth/step_up".to_owned(), "totp");
    let remove = (format!("{FACTORS}/totp/remove"), "code");
    for (path, field) in [confirm, step_up, remove] {
        let body = json!({field: scene.code(&totp, 0)});
        let answer = send(&cookie, &path, Some(&body)).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        let renewed = answer.header("set-cookie");
        assert!(renewed.contains("HttpOnly") && renewed.contains("SameSite=Lax"), "{path}: {renewed}");
        let old = scene.test.get(FACTORS, &[("cookie", &cookie)]).await;
        assert_eq!(old.code(), "identity/unauthenticated", "{path}");
        renewed.split(';').next().unwrap().clone_into(&mut cookie);
        assert_eq!(scene.test.get(FACTORS, &[("cookie", &cookie)]).await.status, 200, "{path}");
        scene.test.clock.advance(Duration::seconds(30));
    }
    scene.test.finish().await;
}

/// Who has a second factor shows it to change anything about them; with the last one everything of it goes.
#[tokio::test(flavor = "multi_thread")]
async fn changes_need_a_fresh_proof() {
    let scene = Scene::open().await;
    let (pair, other) = (scene.tokens().await, scene.token().await);
    let token = format!("Bearer {}", pair.access_token.expose());
    let phone = scene.enrol(&token).await;
    let remove = format!("{FACTORS}/totp/remove");
    let codes = format!("{FACTORS}/recovery_codes");
    for path in [codes.as_str(), &format!("{FACTORS}/totp")] {
        let refused = scene.ask(&other, path).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code()),
            (403, "identity/second_factor_required"),
            "{path}"
        );
    }
    assert_eq!(scene.post(&other, &remove, &json!({})).await.code(), "identity/second_factor_required");
    assert_eq!(scene.post(&other, &remove, &json!({"code": "000000"})).await.code(), "identity/wrong_code");
    // A proof is fresh for a quarter of an hour.
    assert_eq!(scene.ask(&token, &codes).await.status, 200);
    scene.test.clock.advance(Duration::minutes(16));
    let sessions = &scene.test.app.identity.sessions;
    let pair = sessions.refresh(&client(SessionKind::Tokens), &pair.refresh_token).await.unwrap();
    let token = format!("Bearer {}", pair.access_token.expose());
    assert_eq!(scene.ask(&token, &codes).await.code(), "identity/second_factor_required");
    let body = json!({"totp": scene.code(&phone.totp, 0)});
    assert_eq!(scene.post(&token, "/api/v1/auth/step_up", &body).await.status, 204);
    assert_eq!(scene.post(&token, &remove, &json!({})).await.status, 204);
    assert_eq!(scene.post(&token, &remove, &json!({})).await.code(), "identity/not_found");
    assert_eq!(scene.ask(&token, &codes).await.code(), "identity/no_second_factor");
    assert_eq!(scene.status(&token).await, json!({"totp": false, "passkeys": [], "recovery_codes_left": 0}));
    let actor = scene.actor(&Presented::Bearer(Secret::presented(&token[7..]))).await;
    assert_eq!(actor.principal().unwrap().second_factor_at, None);
    // A password is enough again.
    let other = scene.token().await;
    // Nobody adds a way in of their own with a login that was left open.
    let refused = scene.ask(&token, &format!("{FACTORS}/totp")).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "identity/login_too_old"));
    // A recovery code takes a lost app away as well.
    let fresh = scene.token().await;
    let phone = scene.enrol(&fresh).await;
    assert_eq!(scene.post(&other, &remove, &json!({"code": phone.codes[3]})).await.status, 204);
    scene.test.finish().await;
}

/// What can not be read is told with its place, and passkeys need a name instead of an address of numbers.
#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named() {
    let scene = Scene::open().await;
    let token = scene.token().await;
    let long = "x".repeat(200);
    for (body, code, field) in [
        (json!({}), "request/missing_field", "totp"),
        (json!({"totp": "1", "recovery_code": "2"}), "request/invalid_value", "totp"),
        (json!({"totp": long}), "request/invalid_value", "totp"),
        (json!({"totp": ""}), "request/invalid_value", "totp"),
        (json!({"pin": "1"}), "request/unknown_field", "pin"),
        (
            json!({"passkey": {"challenge": long, "credential": {}}}),
            "request/invalid_value",
            "passkey.challenge",
        ),
        (
            json!({"passkey": {"challenge": "x", "credential": {}}}),
            "request/invalid_value",
            "passkey.credential",
        ),
    ] {
        let answer = scene.post(&token, "/api/v1/auth/step_up", &body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (422, code), "{body}");
        assert_eq!(answer.json["details"][0]["field"], field, "{body}");
    }
    let nobody = scene.complete("nothing", "totp", "123456").await;
    assert_eq!((nobody.status.as_u16(), nobody.code()), (410, "identity/token_not_valid"));
    for path in [&format!("{FACTORS}/passkeys/begin"), "/api/v1/auth/passkey/begin"] {
        let answer = scene.ask(&token, path).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (409, "identity/passkeys_unavailable"), "{path}");
    }
    for path in
        ["/api/v1/auth/step_up/passkey", &format!("{FACTORS}/totp"), &format!("{FACTORS}/recovery_codes")]
    {
        let answer = scene.test.send(Method::POST, path, &[], None).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (401, "identity/unauthenticated"), "{path}");
    }
    scene.test.finish().await;
}
