//! Browsers' sessions: the cookie, its ends, and other sites that would use it.
#![expect(clippy::unwrap_used, reason = "helpers outside of tests")]

use identity::{PlatformRole, SessionKind};
use reqwest::{Method, StatusCode};
use serde_json::json;
use testkit::{Answer, PASSWORD, TestApp};
use time::Duration;

async fn browser(test: &TestApp, name: &str) -> Answer {
    let body = json!({"email": format!("{name}@example.com"), "password": PASSWORD, "session": "browser"});
    test.post("/api/v1/auth/login", &[("user-agent", "Firefox on a test")], &body).await
}

/// The value of a cookie that an answer sets.
fn cookie(answer: &Answer, name: &str) -> String {
    let mut all = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let set = all.rfind(|set| set.starts_with(&format!("{name}=")));
    set.unwrap_or_else(|| panic!("{name} is not set: {answer:?}")).split(';').next().unwrap().to_owned()
}

async fn me(test: &TestApp, cookie: &str) -> StatusCode {
    test.get("/api/v1/users/me", &[("cookie", cookie)]).await.status
}

/// A browser's login is in a cookie that no script reads, and in nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_in_a_cookie() {
    let test = TestApp::start().await;
    test.account("ada").await;
    let login = browser(&test, "ada").await;
    assert_eq!(login.status, StatusCode::OK);
    let set: Vec<_> = login.headers.get_all("set-cookie").iter().map(|set| set.to_str().unwrap()).collect();
    let session = set.iter().find(|set| set.starts_with("souk_session=")).unwrap();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=7776000"] {
        assert!(session.contains(attribute), "{session}");
    }
    for field in ["access_token", "refresh_token", "device_token", "token"] {
        assert!(login.json.get(field).is_none(), "{login:?}");
    }
    assert_eq!(me(&test, &cookie(&login, "souk_session")).await, StatusCode::OK);
    assert_eq!(me(&test, "souk_session=made-up").await, StatusCode::UNAUTHORIZED);
    // The cookie of a browser is no access token, nor the other way round.
    let value = cookie(&login, "souk_session").replace("souk_session=", "Bearer ");
    let refused = test.get("/api/v1/users/me", &[("authorization", &value)]).await;
    assert_eq!(refused.code(), "identity/bad_credential");
    assert!(refused.header("www-authenticate").starts_with("Bearer"), "{refused:?}");
    test.finish().await;
}

/// Another site can have a browser send the cookie, and gets nothing done with it.
#[tokio::test(flavor = "multi_thread")]
async fn other_sites_get_nothing_done() {
    let test = TestApp::start().await;
    let ada = test.person("ada").await;
    let login = browser(&test, "ada").await;
    let cookie = cookie(&login, "souk_session");
    let own = test.base().origin().ascii_serialization();
    let change = |headers: Vec<(&'static str, String)>| {
        let (test, cookie) = (&test, cookie.clone());
        async move {
            let mut all = vec![("cookie", cookie.as_str())];
            all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
            let body = json!({"name": "Eve"});
            test.send(Method::PATCH, "/api/v1/users/me", &all, Some(&body)).await
        }
    };
    let text = |text: &str| text.to_owned();
    for headers in [
        vec![("origin", text("https://evil.example"))],
        vec![("origin", text("null"))],
        vec![("origin", format!("{own}.evil.example"))],
        vec![("sec-fetch-site", text("cross-site"))],
        vec![("sec-fetch-site", text("same-site"))],
        vec![("origin", text("https://evil.example")), ("sec-fetch-site", text("same-origin"))],
        vec![],
    ] {
        let refused = change(headers.clone()).await;
        assert_eq!(
            (refused.status, refused.code()),
            (StatusCode::FORBIDDEN, "request/cross_site"),
            "{headers:?}"
        );
    }
    for headers in [vec![("origin", own.clone())], vec![("sec-fetch-site", text("same-origin"))]] {
        assert_eq!(change(headers.clone()).await.status, StatusCode::OK, "{headers:?}");
    }
    // Reading is no matter, and who shows a token is no browser that was tricked.
    let from_elsewhere = [("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    assert_eq!(test.get("/api/v1/users/me", &from_elsewhere).await.status, StatusCode::OK);
    let with_token = [ada.header(), ("origin", "https://app.example")];
    let changed =
        test.send(Method::PATCH, "/api/v1/users/me", &with_token, Some(&json!({"name": "Ada"}))).await;
    assert_eq!(changed.status, StatusCode::OK);
    test.finish().await;
}

/// A browser sends some credentials by itself (RFC 7617): that one comes along does not excuse a cookie. Only whoever
/// shows a token or a key knows it.
#[tokio::test(flavor = "multi_thread")]
async fn only_a_token_stands_for_its_sender() {
    let test = TestApp::start().await;
    let ada = test.person("ada").await;
    let login = browser(&test, "ada").await;
    let cookie = cookie(&login, "souk_session");
    let change = async |authorization: &str| {
        let headers = [
            ("cookie", cookie.as_str()),
            ("origin", "https://evil.example"),
            ("authorization", authorization),
        ];
        test.send(Method::PATCH, "/api/v1/users/me", &headers, Some(&json!({"name": "Eve"}))).await
    };
    for other in
        ["Basic YWRhOnNlY3JldA==", "Digest username=\"ada\"", "Negotiate YWRh", "Bearer", "Bearers x"]
    {
        let refused = change(other).await;
        assert_eq!(
            (refused.status, refused.code()),
            (StatusCode::FORBIDDEN, "request/cross_site"),
            "{other}"
        );
    }
    assert_eq!(change(&ada.authorization).await.status, StatusCode::OK);
    test.finish().await;
}

/// A login that is not used ends, and one that is used ends too.
#[tokio::test(flavor = "multi_thread")]
async fn logins_end() {
    let test = TestApp::start().await;
    test.account("ada").await;
    let login = browser(&test, "ada").await;
    let cookie = cookie(&login, "souk_session");
    test.clock.advance(Duration::days(13));
    assert_eq!(me(&test, &cookie).await, StatusCode::OK);
    test.clock.advance(Duration::days(13));
    assert_eq!(me(&test, &cookie).await, StatusCode::OK, "use keeps it alive");
    test.clock.advance(Duration::days(14));
    assert_eq!(me(&test, &cookie).await, StatusCode::UNAUTHORIZED, "two weeks without use");

    let login = browser(&test, "ada").await;
    let cookie = self::cookie(&login, "souk_session");
    for _ in 0..9 {
        test.clock.advance(Duration::days(9));
        assert_eq!(me(&test, &cookie).await, StatusCode::OK);
    }
    test.clock.advance(Duration::days(9));
    assert_eq!(me(&test, &cookie).await, StatusCode::UNAUTHORIZED, "90 days in all");
    test.finish().await;
}

/// Operators are signed out sooner.
#[tokio::test(flavor = "multi_thread")]
async fn operators_are_signed_out_sooner() {
    let test = TestApp::start().await;
    test.official("operator", PlatformRole::Operator).await;
    let login = browser(&test, "operator").await;
    let cookie = cookie(&login, "souk_session");
    test.clock.advance(Duration::hours(12));
    assert_eq!(me(&test, &cookie).await, StatusCode::UNAUTHORIZED);
    test.finish().await;
}

/// One sees where one is signed in, and ends what one does not know.
#[tokio::test(flavor = "multi_thread")]
async fn lists_and_ends_logins() {
    let test = TestApp::start().await;
    let (ada, bob) = (test.person("ada").await, test.person("bob").await);
    let login = browser(&test, "ada").await;
    let cookie = cookie(&login, "souk_session");
    let list = test.get("/api/v1/users/me/sessions", &[ada.header()]).await;
    let sessions = list.json["data"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    let other = sessions.iter().find(|session| session["current"] == false).unwrap();
    assert_eq!((&other["kind"], &other["user_agent"]), (&json!("browser"), &json!("Firefox on a test")));
    assert_eq!(other["ip"], "127.0.0.1");
    let path = format!("/api/v1/users/me/sessions/{}", other["id"].as_str().unwrap());
    assert_eq!(test.send(Method::DELETE, &path, &[bob.header()], None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(test.send(Method::DELETE, &path, &[ada.header()], None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(me(&test, &cookie).await, StatusCode::UNAUTHORIZED);
    assert_eq!(test.send(Method::DELETE, &path, &[ada.header()], None).await.status, StatusCode::NOT_FOUND);

    test.signed_in("ada", SessionKind::Browser).await;
    test.signed_in("ada", SessionKind::Tokens).await;
    let ended = test.send(Method::DELETE, "/api/v1/users/me/sessions", &[ada.header()], None).await;
    assert_eq!(ended.json, json!({"revoked": 2}));
    assert_eq!(test.get("/api/v1/users/me", &[ada.header()]).await.status, StatusCode::OK);
    test.finish().await;
}

/// Signing out ends the login, not only the browser's memory of it.
#[tokio::test(flavor = "multi_thread")]
async fn signs_out() {
    let test = TestApp::start().await;
    test.account("ada").await;
    let login = browser(&test, "ada").await;
    let cookie = cookie(&login, "souk_session");
    let own = test.base().origin().ascii_serialization();
    let headers = [("cookie", cookie.as_str()), ("origin", own.as_str())];
    for _ in 0..2 {
        let out = test.send(Method::POST, "/api/v1/auth/logout", &headers, None).await;
        assert_eq!(out.status, StatusCode::NO_CONTENT, "{out:?}");
        assert!(out.header("set-cookie").starts_with("souk_session=;"), "{out:?}");
    }
    assert_eq!(me(&test, &cookie).await, StatusCode::UNAUTHORIZED);
    test.finish().await;
}

/// A new password ends all other logins, and gives this one a new cookie.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_renews_the_cookie() {
    let test = TestApp::start().await;
    let app = test.person("ada").await;
    let login = browser(&test, "ada").await;
    let before = cookie(&login, "souk_session");
    let own = test.base().origin().ascii_serialization();
    let headers = [("cookie", before.as_str()), ("origin", own.as_str())];
    let new = "planted-another-battery-staple";
    let body = json!({"current_password": PASSWORD, "new_password": new});
    let changed = test.post("/api/v1/users/me/password", &headers, &body).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{changed:?}");
    let after = cookie(&changed, "souk_session");
    assert_ne!(before, after);
    assert_eq!(me(&test, &before).await, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&test, &after).await, StatusCode::OK);
    assert_eq!(test.get("/api/v1/users/me", &[app.header()]).await.status, StatusCode::UNAUTHORIZED);
    test.finish().await;
}

/// Guesses are slowed down where nobody has signed in before; a device that is known is not.
#[tokio::test(flavor = "multi_thread")]
async fn guessing_locks_out_the_guesser_and_not_the_owner() {
    let test = TestApp::start().await;
    test.account("ada").await;
    let login = browser(&test, "ada").await;
    let device = cookie(&login, "souk_device");
    let own = test.base().origin().ascii_serialization();
    let guess = |password: &'static str, headers: Vec<(&'static str, String)>| {
        let test = &test;
        async move {
            let all: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let body = json!({"email": "ada@example.com", "password": password, "session": "browser"});
            test.post("/api/v1/auth/login", &all, &body).await
        }
    };
    for _ in 0..5 {
        assert_eq!(guess("wrong-wrong-wrong", vec![]).await.code(), "identity/login_failed");
    }
    let slowed = guess("wrong-wrong-wrong", vec![]).await;
    assert_eq!((slowed.status, slowed.code()), (StatusCode::TOO_MANY_REQUESTS, "identity/too_many_attempts"));
    assert!(slowed.header("retry-after").parse::<u32>().unwrap() >= 1);
    // Not even the right one is looked at.
    assert_eq!(guess(PASSWORD, vec![]).await.status, StatusCode::TOO_MANY_REQUESTS);
    let known = vec![("cookie", device.clone()), ("origin", own.clone())];
    assert_eq!(guess(PASSWORD, known.clone()).await.status, StatusCode::OK, "the owner is not locked out");
    // Somebody who took the device gets no more guesses than anybody.
    for _ in 0..5 {
        guess("wrong-wrong-wrong", known.clone()).await;
    }
    assert_eq!(guess(PASSWORD, known).await.status, StatusCode::TOO_MANY_REQUESTS);
    // It passes.
    test.clock.advance(Duration::minutes(15));
    assert_eq!(guess(PASSWORD, vec![]).await.status, StatusCode::OK);
    test.finish().await;
}

/// Many guesses at once are no more than many one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_once_are_counted_too() {
    let test = TestApp::start().await;
    test.account("ada").await;
    let body = json!({"email": "ada@example.com", "password": "wrong-wrong-wrong"});
    let guesses = (0..20).map(|_| test.post("/api/v1/auth/login", &[], &body));
    let answers = futures_util::future::join_all(guesses).await;
    let looked_at = answers.iter().filter(|answer| answer.status == StatusCode::UNAUTHORIZED).count();
    assert_eq!(looked_at, 5, "{answers:?}");
    test.finish().await;
}

const NEW_PASSWORD: &str = "planted-another-battery-staple";
const FACTORS: &str = "/api/v1/users/me/second_factors";

/// What stands in the mail that resets ada's password.
async fn reset_token(test: &TestApp) -> String {
    test.post("/api/v1/auth/password_reset", &[], &json!({"email": "ada@example.com"})).await;
    test.mailed_token("ada@example.com").await
}

async fn reset(test: &TestApp, token: &str) -> Answer {
    let body = json!({"token": token, "password": NEW_PASSWORD});
    test.post("/api/v1/auth/password_reset/confirm", &[], &body).await
}

/// Whoever has shown the old password and not yet the second factor begins anew after a reset.
#[tokio::test(flavor = "multi_thread")]
async fn a_half_done_login_ends_with_a_reset() {
    let test = TestApp::start().await;
    let ada = test.person("ada").await;
    let begun = test.send(Method::POST, &format!("{FACTORS}/totp"), &[ada.header()], None).await;
    let totp = totp_rs::Totp::from_url(begun.json["otpauth_uri"].as_str().unwrap()).unwrap();
    let now = test.app.sources.now().unix_timestamp();
    let code = json!({"code": totp.generate(now.try_into().unwrap()).to_string()});
    let enrolled = test.post(&format!("{FACTORS}/totp/confirm"), &[ada.header()], &code).await;
    let complete = async |challenge: &Answer| {
        let body = json!({
            "challenge": challenge.json["challenge"], "recovery_code": enrolled.json["recovery_codes"][0]
        });
        test.post("/api/v1/auth/login/second_factor", &[], &body).await
    };
    let before = browser(&test, "ada").await;
    assert!(before.json["challenge"].is_string(), "{before:?}");
    let token = reset_token(&test).await;
    assert_eq!(reset(&test, &token).await.status, StatusCode::NO_CONTENT);
    let refused = complete(&before).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::GONE, "identity/token_not_valid"));
    // The code is as good as it was.
    let body = json!({"email": "ada@example.com", "password": NEW_PASSWORD});
    let after = test.post("/api/v1/auth/login", &[], &body).await;
    assert_eq!(complete(&after).await.status, StatusCode::OK);
    test.finish().await;
}

/// Waits until so many of this database's transactions wait for another.
async fn waiting(test: &TestApp, wanted: i64) {
    loop {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(test.app.database.pool())
        .await
        .unwrap();
        if waiting >= wanted {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// A login that has read the old password before a reset, and goes on after it, opens nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_under_way_does_not_outlive_a_reset() {
    for with_second_factor in [false, true] {
        let test = TestApp::start().await;
        let ada = test.account("ada").await;
        let pool = test.app.database.pool();
        if with_second_factor {
            sqlx::query(
                "INSERT INTO identity.totp (user_id, secret, created_at, confirmed_at) VALUES ($1, '', now(), now())",
            )
            .bind(ada.uuid())
            .execute(pool)
            .await
            .unwrap();
        }
        let token = reset_token(&test).await;
        // A login that has read the password counts it as a guess next, and is held up there. The reset forgets the
        // guesses when all else is done.
        let guess = json!({"email": "ada@example.com", "password": "wrong-wrong-wrong"});
        assert_eq!(test.post("/api/v1/auth/login", &[], &guess).await.code(), "identity/login_failed");
        let mut held = pool.begin().await.unwrap();
        sqlx::query("SELECT FROM identity.failed_logins FOR UPDATE").execute(&mut *held).await.unwrap();
        let (login, reset, ()) = tokio::join!(
            browser(&test, "ada"),
            async {
                waiting(&test, 1).await;
                reset(&test, &token).await
            },
            async {
                waiting(&test, 2).await;
                held.rollback().await.unwrap();
            }
        );
        assert_eq!(reset.status, StatusCode::NO_CONTENT, "{reset:?}");
        assert_eq!((login.status, login.code()), (StatusCode::UNAUTHORIZED, "identity/login_failed"));
        for open in ["sessions WHERE revoked_at IS NULL", "challenges WHERE true"] {
            let sql = format!("SELECT count(*) FROM identity.{open} AND user_id = '{ada}'");
            let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await.unwrap();
            assert_eq!(left, 0, "{open}");
        }
        test.finish().await;
    }
}
