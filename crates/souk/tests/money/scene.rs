//! What these tests share.

use catalog::{StoreId, VariantId};
use identity::Actor;
use payments::sandbox::{Sandbox, Target, Trigger};
use payments::{Account, AccountKind, CommissionTerms, NewCommissionRule, Selection};
use platform::Currency;
use platform::money::Rate;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use testkit::{Answer, NewProduct, TestApp, address};

/// The card with which all goes well.
pub(crate) const VISA: &str = "4242 4242 4242 4242";

/// A shop with a pot for 20.00, of which ten are there.
pub(crate) async fn shop(test: &TestApp) -> (StoreId, VariantId) {
    let store = test.store("kiln", Currency::GBP).await;
    let pot = NewProduct { slug: "pot", price: 2000, ..NewProduct::default() };
    (store, test.product_of(store, Currency::GBP, pot).await)
}

pub(crate) fn sandbox(test: &TestApp) -> &Arc<dyn Sandbox> {
    test.app.sandbox.as_ref().unwrap()
}

/// An order that awaits payment; gives its basket's token and its id.
pub(crate) async fn unpaid(test: &TestApp, variant: VariantId, quantity: i64) -> (String, String) {
    let basket = test.basket(variant, quantity).await;
    let shown = test.get("/api/v1/shopping_basket", &[("x-cart-token", &basket)]).await;
    let body = json!({"cart_id": shown.json["id"], "email": "ada@example.com", "shipping": address()});
    let headers = [("x-cart-token", basket.as_str()), ("idempotency-key", "unpaid")];
    let order = test.post("/api/v1/orders", &headers, &body).await;
    assert_eq!(
        (order.status.as_u16(), &order.json["status"]),
        (201, &json!("awaiting_payment")),
        "{}",
        order.text
    );
    (basket, order.json["id"].as_str().unwrap().to_owned())
}

/// A paid order; gives its basket's token and its id.
pub(crate) async fn paid(test: &TestApp, variant: VariantId, quantity: i64) -> (String, String) {
    let basket = test.basket(variant, quantity).await;
    let answer = test.check_out(&basket, "buy", "tok_visa").await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    test.run_jobs().await;
    (basket, answer.json["id"].as_str().unwrap().to_owned())
}

pub(crate) async fn order(test: &TestApp, (basket, id): &(String, String)) -> Value {
    let answer = test.get(&format!("/api/v1/orders/{id}"), &[("x-cart-token", basket)]).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    answer.json
}

/// The page on which an order is paid: its path.
pub(crate) async fn open_page(test: &TestApp, (basket, id): &(String, String)) -> Answer {
    let body = json!({"return_url": "https://shop.example/thanks"});
    test.post(&format!("/api/v1/orders/{id}/payment_page"), &[("x-cart-token", basket)], &body).await
}

/// What a browser opens of an address.
pub(crate) fn path(url: &str) -> String {
    let url: url::Url = url.parse().unwrap();
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

/// Sends a form, as a browser does.
pub(crate) async fn submit(test: &TestApp, path: &str, fields: &[(&str, &str)]) -> Answer {
    for (_, value) in fields.iter().filter(|(name, _)| *name == "number") {
        test.secrets.note("number", &value.replace(' ', ""));
    }
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", test.base().as_str().trim_end_matches('/')),
    ];
    test.send_raw(Method::POST, path, &headers, Some(body.into_bytes())).await
}

pub(crate) async fn pay(test: &TestApp, path: &str, number: &str) -> Answer {
    submit(test, path, &[("number", number), ("expiry", "12 / 34"), ("cvc", "123"), ("action", "pay")]).await
}

/// What stands in an account, as it is told.
pub(crate) async fn balance(test: &TestApp, account: Account) -> i64 {
    let selection = Selection { kinds: vec![account.kind], owner: Some(account.owner) };
    let found = test.app.ledger.balances(&Actor::system(), &selection).await.unwrap();
    found.iter().find(|one| one.balance.currency == Currency::GBP).map_or(0, |one| one.balance.amount)
}

pub(crate) async fn payable(test: &TestApp, store: StoreId) -> i64 {
    balance(test, Account::of_store(AccountKind::StorePayable, store)).await
}

pub(crate) async fn own(test: &TestApp, kind: AccountKind) -> i64 {
    balance(test, Account::own(kind)).await
}

pub(crate) async fn at_provider(test: &TestApp) -> i64 {
    balance(test, Account::at_provider(AccountKind::Provider, "sandbox")).await
}

/// Has something happen at the sandbox, and lets it be heard.
pub(crate) async fn trigger(test: &TestApp, event: Trigger, target: Target) {
    sandbox(test).trigger(&Actor::system(), event, &target).await.unwrap();
    test.run_jobs().await;
}

/// What the sandbox keeps of a payment: 1.5 % and 20.
pub(crate) const fn fee(amount: i64) -> i64 {
    (amount * 15 + 500) / 1000 + 20
}

/// The marketplace takes this of each sale, and this of that in tax.
pub(crate) async fn commission(test: &TestApp, rate: Rate, tax: Rate) {
    let terms = CommissionTerms::Percentage { rate_ppm: rate, per_unit: None, minimum: None, maximum: None };
    let rule = NewCommissionRule {
        position: None,
        name: "all".to_owned(),
        store_id: None,
        category_id: None,
        currency: None,
        terms,
        tax_rate_ppm: tax,
        valid_from: None,
        valid_to: None,
    };
    test.app.commission.create_rule(&Actor::system(), &rule, None).await.unwrap();
}

/// The payment of an order.
pub(crate) async fn payment_of(test: &TestApp, order: &str) -> String {
    let order: uuid::Uuid = order.parse().unwrap();
    let sql = "SELECT payment_id::text FROM orders.orders WHERE id = $1";
    sqlx::query_scalar(sql).bind(order).fetch_one(test.app.database.pool()).await.unwrap()
}
