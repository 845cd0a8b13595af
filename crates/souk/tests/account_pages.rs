//! The pages that links in mails lead to: nothing happens before the form is sent, and nothing leaks.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use identity::{NewAccount, NewInvitation, StoreRole};
use platform::audit::Origin;
use platform::{Currency, Secret};
use reqwest::Method;
use reqwest::redirect::Policy;
use testkit::{Answer, NewProduct, TestApp};

const PASSWORD: &str = "a long walk on the harbour";

fn account(email: &str) -> NewAccount {
    NewAccount {
        email: email.parse().unwrap(),
        password: Secret::presented(PASSWORD),
        name: "Ada".to_owned(),
        locale: None,
    }
}

/// Sends a form, as a browser does.
async fn send(test: &TestApp, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut all = headers.to_vec();
    all.push(("content-type", "application/x-www-form-urlencoded"));
    test.send_raw(Method::POST, path, &all, Some(body.into_bytes())).await
}

fn is_page(answer: &Answer) {
    assert!(answer.header("content-type").starts_with("text/html"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "same-origin");
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("script"), "{policy}");
    assert!(!answer.text.contains("<script"));
}

/// Whether somebody can sign in with this password.
async fn signs_in(test: &TestApp, email: &str, password: &str) -> bool {
    let answer = send(test, "/account/login", &[], &[("email", email), ("password", password)]).await;
    is_page(&answer);
    answer.status == 200
}

/// The path of a link, as the mail has it.
fn path(link: &str) -> String {
    let url: url::Url = link.parse().unwrap();
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

#[tokio::test]
async fn an_address_is_confirmed_by_sending_the_form() {
    let test = TestApp::start().await;
    test.app.identity.accounts.register(&Origin::default(), &account("ada@example.com")).await.unwrap();
    let mail = test.last_mail("ada@example.com").await;
    // A program that scans mail looks at every link.
    for _ in 0..2 {
        let page = test.get(&path(mail.link()), &[]).await;
        assert_eq!(page.status, 200);
        is_page(&page);
        assert!(page.text.contains(mail.token()) && page.text.contains("method=\"post\""));
    }
    assert!(!signs_in(&test, "ada@example.com", PASSWORD).await);
    let not_theirs = [("token", mail.token()), ("password", "somebody-elses-password")];
    let refused = send(&test, "/account/verify", &[], &not_theirs).await;
    is_page(&refused);
    assert!(refused.status == 403 && refused.text.contains("aria-invalid"), "{}", refused.text);
    let done = send(&test, "/account/verify", &[], &[("token", mail.token()), ("password", PASSWORD)]).await;
    is_page(&done);
    assert!(done.text.contains("Your address is confirmed"), "{}", done.text);
    assert!(signs_in(&test, "ada@example.com", PASSWORD).await);
    for token in [mail.token(), "", "\u{0}", "<b>"] {
        let again = send(&test, "/account/verify", &[], &[("token", token), ("password", PASSWORD)]).await;
        is_page(&again);
        assert_eq!(again.status, 410);
    }
    test.finish().await;
}

#[tokio::test]
async fn a_lost_mail_is_sent_again() {
    let test = TestApp::start().await;
    test.app.identity.accounts.register(&Origin::default(), &account("ada@example.com")).await.unwrap();
    let first = test.mailed_token("ada@example.com").await;
    test.clock.advance(time::Duration::minutes(1));
    let asked = send(&test, "/account/resend", &[], &[("email", "ada@example.com")]).await;
    assert!(asked.text.contains("Look into your mailbox"));
    let second = test.mailed_token("ada@example.com").await;
    assert_ne!(first, second);
    assert_eq!(
        send(&test, "/account/verify", &[], &[("token", &second), ("password", PASSWORD)]).await.status,
        200
    );
    let nobody = send(&test, "/account/resend", &[], &[("email", "nobody@example.com")]).await;
    assert_eq!(nobody.text, asked.text, "nobody learns who has an account");
    assert_eq!(send(&test, "/account/resend", &[], &[("email", "nobody")]).await.status, 422);
    test.finish().await;
}

#[tokio::test]
async fn a_password_is_set_anew() {
    let test = TestApp::start().await;
    test.app.identity.accounts.create(&identity::Actor::system(), &account("ada@example.com")).await.unwrap();
    is_page(&test.get("/account/forgot", &[]).await);
    let asked = send(&test, "/account/forgot", &[], &[("email", " ada@example.com ")]).await;
    assert_eq!(asked.status, 200);
    let mail = test.last_mail("ada@example.com").await;
    assert_eq!(mail.subject, "Set a new password");
    is_page(&test.get(&path(mail.link()), &[]).await);
    for weak in ["", "short", "password1234"] {
        let answer = send(&test, "/account/reset", &[], &[("token", mail.token()), ("password", weak)]).await;
        is_page(&answer);
        assert_eq!(answer.status, 422, "{weak}");
        assert!(
            answer.text.contains("aria-invalid") && answer.text.contains(mail.token()),
            "{}",
            answer.text
        );
    }
    let new = "eleven boats come home at dusk";
    let done = send(&test, "/account/reset", &[], &[("token", mail.token()), ("password", new)]).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert!(!done.text.contains(new) && !done.text.contains(mail.token()));
    assert!(signs_in(&test, "ada@example.com", new).await);
    assert!(!signs_in(&test, "ada@example.com", PASSWORD).await);
    assert_eq!(test.last_mail("ada@example.com").await.subject, "Your password was changed");
    let again = send(&test, "/account/reset", &[], &[("token", mail.token()), ("password", new)]).await;
    assert_eq!(again.status, 410);
    test.finish().await;
}

/// Another site can not have a browser send our forms.
#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let test = TestApp::start().await;
    test.app.identity.accounts.create(&identity::Actor::system(), &account("ada@example.com")).await.unwrap();
    let login = [("email", "ada@example.com"), ("password", PASSWORD)];
    for origin in ["https://evil.example", "null"] {
        let answer = send(&test, "/account/login", &[("origin", origin)], &login).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (403, "request/cross_site"));
    }
    for path in ["verify", "resend", "email", "reset", "forgot", "invitation"] {
        let path = format!("/account/{path}");
        let answer = send(&test, &path, &[("origin", "https://evil.example")], &[]).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(send(&test, &path, &[], &[]).await.status.is_client_error(), "{path}");
    }
    test.finish().await;
}

/// Somebody is invited, signs in on the page, keeps the basket they had, and accepts.
#[tokio::test]
async fn an_invitation_is_accepted_after_signing_in() {
    let test = TestApp::start().await;
    let system = identity::Actor::system();
    let owner = test.app.identity.accounts.create(&system, &account("owner@example.com")).await.unwrap();
    test.app.identity.accounts.create(&system, &account("ada@example.com")).await.unwrap();
    let store = identity::StoreId::from(test.store("shop", Currency::GBP).await.uuid());
    test.app.identity.teams.found(&system, store, owner.id).await.unwrap();
    let invitation = NewInvitation {
        email: "ada@example.com".parse().unwrap(),
        role: StoreRole::Staff,
        store_name: "The shop".to_owned(),
    };
    test.app.identity.teams.invite(&system, store, &invitation).await.unwrap();
    let mail = test.last_mail("ada@example.com").await;
    assert!(mail.text.contains("The shop") && mail.text.contains("member of staff"));
    let teapot = test.product(NewProduct::default()).await;
    let basket = test.basket(teapot, 2).await;

    let page = test.get(&path(mail.link()), &[]).await;
    assert!(page.text.contains("Sign in") && page.text.contains(mail.token()));
    let refused = send(&test, "/account/invitation", &[], &[("token", mail.token())]).await;
    assert_eq!(refused.status, 401);

    let base = mail.link().split("/account").next().unwrap();
    let browser = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let form = [("email", "ada@example.com"), ("password", PASSWORD), ("token", mail.token())];
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let answer = browser
        .post(format!("{base}/account/login"))
        .header("origin", base)
        .header("cookie", format!("souk_cart={basket}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"].to_str().unwrap(), path(mail.link()));
    let cookies: Vec<&str> =
        answer.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    let cookie = |name: &str| {
        let found = cookies.iter().find(|cookie| cookie.starts_with(&format!("{name}="))).unwrap();
        found.split(';').next().unwrap().to_owned()
    };
    assert_eq!(cookie("souk_cart"), "souk_cart=", "the guest's basket is gone");
    let session = cookie("souk_session");
    let basket = test.get("/api/v1/shopping_basket", &[("cookie", &session)]).await;
    assert_eq!(basket.json["lines"][0]["quantity"], 2, "it is the account's now");

    let page = test.get(&path(mail.link()), &[("cookie", &session)]).await;
    assert!(page.text.contains("Accept the invitation"));
    let headers = [("cookie", session.as_str()), ("origin", base)];
    let done = send(&test, "/account/invitation", &headers, &[("token", mail.token())]).await;
    assert!(done.text.contains("You are a member"), "{}", done.text);
    let again = send(&test, "/account/invitation", &headers, &[("token", mail.token())]).await;
    assert_eq!(again.status, 410);
    test.finish().await;
}

/// What became of the basket is said where somebody signs in.
#[tokio::test]
async fn signing_in_says_what_became_of_the_basket() {
    let test = TestApp::start().await;
    test.app.identity.accounts.create(&identity::Actor::system(), &account("ada@example.com")).await.unwrap();
    let teapot = test.product(NewProduct { price: 1999, ..NewProduct::default() }).await;
    let cookie = format!("souk_cart={}", test.basket(teapot, 2).await);
    test.product(NewProduct { price: 1799, stock: 0, ..NewProduct::default() }).await;
    let login = [("email", "ada@example.com"), ("password", PASSWORD)];
    let answer = send(&test, "/account/login", &[("cookie", &cookie)], &login).await;
    is_page(&answer);
    assert_eq!(answer.status, 200);
    assert!(
        answer.text.contains("You are signed in") && answer.text.contains("Your basket: the price is now")
    );
    test.finish().await;
}
