//! What buyers keep to pay with: kept with a purchase, good for them alone, and gone when they say so.

use catalog::VariantId;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, Person, TestApp, address};
use time::Duration;

use crate::scene::{path, shop, submit};

const METHODS: &str = "/api/v1/users/me/payment_methods";

/// Somebody who has signed in buys a pot.
async fn buy(test: &TestApp, buyer: &Person, pot: VariantId, key: &str, payment: Value) -> Answer {
    let line = json!({"variant_id": pot, "quantity": 1});
    let added = test.post("/api/v1/shopping_basket/products", &[buyer.header()], &line).await;
    assert_eq!(added.status, 200, "{added:?}");
    let body = json!({"email": "ada@example.com", "shipping_address": address(), "payment": payment});
    let headers = [buyer.header(), ("idempotency-key", key)];
    test.post("/api/v1/shopping_basket/checkout", &headers, &body).await
}

async fn kept(test: &TestApp, buyer: &Person) -> Vec<Value> {
    let answer = test.get(METHODS, &[buyer.header()]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json["data"].as_array().unwrap().clone()
}

async fn at_sandbox(test: &TestApp) -> i64 {
    let sql = "SELECT count(*) FROM payments.sandbox_methods";
    sqlx::query_scalar(sql).fetch_one(test.app.database.pool()).await.unwrap()
}

/// Kept once it was good, shown without what it is made of, charged by its id, and neither by others nor once it is removed.
#[tokio::test(flavor = "multi_thread")]
async fn a_method_is_kept_used_and_removed() {
    let test = TestApp::start().await;
    let (_, pot) = shop(&test).await;
    let (ada, bob) = (test.person("ada").await, test.person("bob").await);
    let refused = buy(&test, &ada, pot, "no", json!({"token": "tok_chargeDeclined", "save": true})).await;
    assert_eq!((refused.status.as_u16(), kept(&test, &ada).await.len()), (402, 0), "{refused:?}");
    let bought = buy(&test, &ada, pot, "first", json!({"token": "tok_mastercard", "save": true})).await;
    assert_eq!((bought.status.as_u16(), &bought.json["status"]), (201, &json!("paid")), "{bought:?}");
    let methods = kept(&test, &ada).await;
    let [method] = methods.as_slice() else { panic!("one is kept: {methods:?}") };
    assert_eq!(
        (&method["brand"], &method["last4"], &method["exp_month"], &method["exp_year"]),
        (&json!("mastercard"), &json!("4444"), &json!(12), &json!(2034))
    );
    let id = method["id"].as_str().unwrap();
    let with_it = json!({"payment_method_id": id});
    let again = buy(&test, &ada, pot, "again", with_it.clone()).await;
    assert_eq!((again.status.as_u16(), &again.json["status"]), (201, &json!("paid")), "{again:?}");
    assert_eq!(kept(&test, &ada).await.len(), 1, "it is kept already");

    // Neither somebody else nor a guest pays with it, by its id or by the provider's name.
    let others = buy(&test, &bob, pot, "others", with_it.clone()).await;
    assert_eq!(
        (others.status.as_u16(), others.code(), &others.json["details"][0]["field"]),
        (422, "payments/unknown_payment_method", &json!("payment.payment_method_id"))
    );
    let name: String = sqlx::query_scalar("SELECT reference FROM payments.payment_methods")
        .fetch_one(test.app.database.pool())
        .await
        .unwrap();
    let by_name = buy(&test, &bob, pot, "by name", json!({"token": name})).await;
    assert_eq!((by_name.status.as_u16(), by_name.code()), (422, "payments/unknown_token"));
    let guest = test.basket(pot, 1).await;
    let body = json!({"email": "eve@example.com", "shipping_address": address(), "payment": with_it.clone()});
    let headers = [("x-cart-token", guest.as_str()), ("idempotency-key", "guest")];
    let stranger = test.post("/api/v1/shopping_basket/checkout", &headers, &body).await;
    assert_eq!((stranger.status.as_u16(), stranger.code()), (422, "payments/unknown_payment_method"));

    let one = format!("{METHODS}/{id}");
    let not_bobs = test.send(Method::DELETE, &one, &[bob.header()], None).await;
    assert_eq!((not_bobs.status.as_u16(), not_bobs.code()), (404, "payments/payment_method_not_found"));
    assert_eq!(test.send(Method::DELETE, &one, &[ada.header()], None).await.status, 204);
    assert_eq!(test.send(Method::DELETE, &one, &[ada.header()], None).await.status, 404);
    assert_eq!((kept(&test, &ada).await.len(), at_sandbox(&test).await), (0, 1));
    let too_late = buy(&test, &ada, pot, "too late", with_it).await;
    assert_eq!((too_late.status.as_u16(), too_late.code()), (422, "payments/unknown_payment_method"));
    // The first purchase, asked for again, is answered as it was.
    let first = buy(&test, &ada, pot, "first", json!({"token": "tok_mastercard", "save": true})).await;
    assert_eq!((first.status.as_u16(), &first.json["id"]), (201, &bought.json["id"]), "{first:?}");
    test.run_jobs().await;
    assert_eq!(at_sandbox(&test).await, 0, "the provider has forgotten it");
    test.finish().await;
}

/// What is to be kept of a payment that is challenged is told by its notice, and what a notice does not tell is asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_passed_before_anything_is_kept() {
    let test = TestApp::start().await;
    let (_, pot) = shop(&test).await;
    let ada = test.person("ada").await;
    let asked = buy(&test, &ada, pot, "k", json!({"token": "tok_threeDSecureRequired", "save": true})).await;
    assert_eq!(
        (asked.status.as_u16(), &asked.json["status"]),
        (201, &json!("awaiting_payment")),
        "{asked:?}"
    );
    assert!(kept(&test, &ada).await.is_empty(), "nothing is kept of a payment that is not good yet");
    let challenge = path(asked.json["next_action"]["url"].as_str().unwrap());
    submit(&test, &challenge, &[("action", "approve")]).await;
    test.run_jobs().await;
    let methods = kept(&test, &ada).await;
    assert_eq!((methods.len(), &methods[0]["last4"]), (1, &json!("3155")));

    // As after a notice that says nothing of the method: it is asked for.
    let pool = test.app.database.pool();
    sqlx::raw_sql("DELETE FROM payments.payment_methods").execute(pool).await.unwrap();
    sqlx::query("UPDATE payments.payments SET keep_for = $1")
        .bind(ada.id.uuid())
        .execute(pool)
        .await
        .unwrap();
    test.clock.advance(Duration::minutes(2));
    test.run_jobs().await;
    let again = kept(&test, &ada).await;
    assert_eq!((again.len(), &again[0]["id"]), (1, &methods[0]["id"]));
    test.finish().await;
}

/// Somebody whose account is gone keeps nothing, here and at the provider, nor will they.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_stays_of_who_is_gone() {
    let test = TestApp::start().await;
    let (_, pot) = shop(&test).await;
    let ada = test.person("ada").await;
    buy(&test, &ada, pot, "first", json!({"token": "tok_visa", "save": true})).await;
    let asked =
        buy(&test, &ada, pot, "second", json!({"token": "tok_sandbox_processing", "save": true})).await;
    assert_eq!(asked.json["status"], "payment_pending", "{asked:?}");
    let gone = json!({"password": testkit::PASSWORD});
    assert_eq!(test.post("/api/v1/users/me/delete", &[ada.header()], &gone).await.status, 204);
    test.run_jobs().await;
    test.app.sandbox.as_ref().unwrap().advance(&identity::Actor::system(), Duration::HOUR).await.unwrap();
    test.run_jobs().await;
    let sql =
        "SELECT count(*) FROM payments.payment_methods WHERE removed_at IS NULL OR forget_at IS NOT NULL";
    let left: i64 = sqlx::query_scalar(sql).fetch_one(test.app.database.pool()).await.unwrap();
    assert_eq!(left, 0);
    test.clock.advance(Duration::days(31));
    test.run_jobs().await;
    let sql = "SELECT count(*) FROM payments.payment_methods";
    let left: i64 = sqlx::query_scalar(sql).fetch_one(test.app.database.pool()).await.unwrap();
    assert_eq!(left, 0, "nor what it was called");
    test.finish().await;
}

/// More than anybody needs is not kept, and bad requests are told where they are wrong.
#[tokio::test(flavor = "multi_thread")]
async fn it_has_its_limits() {
    let test = TestApp::start().await;
    let (_, pot) = shop(&test).await;
    let ada = test.person("ada").await;
    let id = test.app.sources.id::<payments::PaymentMethod>().to_string();
    for (payment, field, code) in [
        (json!({}), "payment.token", "missing_field"),
        (json!({"save": true}), "payment.token", "missing_field"),
        (json!({"token": "tok_visa", "payment_method_id": id}), "payment.token", "invalid_value"),
        (json!({"payment_method_id": id, "save": true}), "payment.save", "invalid_value"),
        (json!({"payment_method_id": "x"}), "payment.payment_method_id", "invalid_value"),
        (json!({"token": "tok_visa", "save": "yes"}), "payment.save", "invalid_type"),
        (json!({"payment_method_id": id}), "payment.payment_method_id", "unknown"),
    ] {
        let refused = buy(&test, &ada, pot, "bad", payment.clone()).await;
        let detail = &refused.json["details"][0];
        assert_eq!(
            (refused.status.as_u16(), &detail["field"], &detail["code"]),
            (422, &json!(field), &json!(code)),
            "{payment}: {refused:?}"
        );
    }
    let guest = test.basket(pot, 1).await;
    let keeping = json!({"token": "tok_visa", "save": true});
    let body = json!({"email": "eve@example.com", "shipping_address": address(), "payment": keeping.clone()});
    let headers = [("x-cart-token", guest.as_str()), ("idempotency-key", "guest")];
    let refused = test.post("/api/v1/shopping_basket/checkout", &headers, &body).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json["details"][0]["code"]),
        (422, &json!("account_required")),
        "{refused:?}"
    );
    // As if nineteen were there; two more come.
    sqlx::query(
        "INSERT INTO payments.payment_methods (id, user_id, provider, reference, brand, last4, created_at)
         SELECT gen_random_uuid(), $1, 'sandbox', 'old' || n, 'visa', '4242', now() FROM generate_series(1, 19) n",
    )
    .bind(ada.id.uuid())
    .execute(test.app.database.pool())
    .await
    .unwrap();
    // What another provider keeps is of no use at this one.
    let elsewhere = test.app.sources.id::<payments::PaymentMethod>();
    sqlx::query(
        "INSERT INTO payments.payment_methods (id, user_id, provider, reference, brand, last4, created_at)
         VALUES ($1, $2, 'stripe', 'cus_1/pm_1', 'visa', '4242', now())",
    )
    .bind(elsewhere.uuid())
    .bind(ada.id.uuid())
    .execute(test.app.database.pool())
    .await
    .unwrap();
    let refused = buy(&test, &ada, pot, "elsewhere", json!({"payment_method_id": elsewhere})).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "payments/unknown_payment_method"));
    assert_eq!(kept(&test, &ada).await.len(), 19);
    for key in ["twentieth", "one too many"] {
        let bought = buy(&test, &ada, pot, key, keeping.clone()).await;
        assert_eq!(bought.status, 201, "{bought:?}");
    }
    test.run_jobs().await;
    assert_eq!((kept(&test, &ada).await.len(), at_sandbox(&test).await), (20, 1));
    test.finish().await;
}
