//! Currencies without decimals and with three: the same way through, in their own minor units, and never converted.

use identity::Actor;
use payments::{Account, AccountKind, Selection};
use platform::Currency;
use platform::money::Rate;
use reqwest::Method;
use serde_json::json;
use testkit::{NewProduct, TestApp};

use crate::scene::{commission, open_page, path, pay, unpaid};

/// What stands in an account, by currency.
async fn balances(test: &TestApp, account: &Account) -> Vec<(String, i64)> {
    let selection = Selection { kinds: vec![account.kind], owner: Some(account.owner.clone()) };
    let found = test.app.ledger.balances(&Actor::system(), &selection).await.unwrap();
    found.iter().map(|one| (one.balance.currency.to_string(), one.balance.amount)).collect()
}

/// A buyer pays 5001 yen, or 1.235 dinars, on the page, which shows it like that; the marketplace takes its 10 %,
/// rounded to a unit that there is; a part goes back. Each book has it in its currency, and no other book has anything.
#[tokio::test(flavor = "multi_thread")]
async fn yen_and_dinars_are_what_they_are() {
    // Per currency: the price, as it is shown, what is given back, and what is the store's, at the beginning and the end.
    for (code, price, shown, back, at_first, in_the_end) in
        [("JPY", 5001, "5001 JPY", 2001, 4501, 2700), ("KWD", 1235, "1.235 KWD", 235, 1111, 900)]
    {
        let test = TestApp::start().await;
        let currency: Currency = code.parse().unwrap();
        commission(&test, Rate::percent(10), Rate::percent(0)).await;
        let store = test.store("bazaar", currency).await;
        let tea = NewProduct { slug: "tea", price, ..NewProduct::default() };
        let variant = test.product_of(store, currency, tea).await;
        let mine = unpaid(&test, variant, 1).await;
        let page = open_page(&test, &mine).await;
        assert_eq!(page.status, 201, "{page:?}");
        let page = path(page.json["url"].as_str().unwrap());
        let looked = test.send(Method::GET, &page, &[], None).await;
        assert!(looked.text.contains(shown), "{code}: {}", looked.text);
        pay(&test, &page, crate::scene::VISA).await;
        test.run_jobs().await;
        let payable = Account::of_store(AccountKind::StorePayable, store);
        assert_eq!(balances(&test, &payable).await, [(code.to_owned(), at_first)]);

        let body = json!({"amount": {"amount": back, "currency": code}, "reason": "other"});
        let wrong = json!({"amount": {"amount": 1, "currency": "GBP"}, "reason": "other"});
        let operator = test.trusted("operator", identity::PlatformRole::Operator).await;
        let refunds = format!("/api/v1/orders/{}/refunds", mine.1);
        let headers = |key| [operator.header(), ("idempotency-key", key)];
        let refused = test.post(&refunds, &headers("wrong"), &wrong).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json["details"][0]["code"]),
            (422, &json!("currency_mismatch"))
        );
        let given = test.post(&refunds, &headers("right"), &body).await;
        assert_eq!(given.status, 201, "{given:?}");
        test.run_jobs().await;
        assert_eq!(balances(&test, &payable).await, [(code.to_owned(), in_the_end)]);
        let earned = balances(&test, &Account::own(AccountKind::Commission)).await;
        assert_eq!(earned, [(code.to_owned(), price - back - in_the_end)]);
        let csv =
            test.get(&format!("/api/v1/stores/{store}/statement?format=csv"), &[operator.header()]).await;
        assert!(!csv.text.contains("GBP"), "{}", csv.text);
        test.finish().await;
    }
}

/// A basket is in one currency: what is sold in another is refused, and said why.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_converted_silently() {
    let test = TestApp::start().await;
    let mut variants = Vec::new();
    for (slug, code) in [("kyoto", "JPY"), ("kuwait", "KWD")] {
        let currency = code.parse().unwrap();
        let store = test.store(slug, currency).await;
        variants.push(test.product_of(store, currency, NewProduct { slug, ..NewProduct::default() }).await);
    }
    let basket = test.basket(variants[0], 1).await;
    let body = json!({"variant_id": variants[1], "quantity": 1});
    let refused =
        test.post("/api/v1/shopping_basket/products", &[("x-cart-token", basket.as_str())], &body).await;
    assert_eq!(refused.code(), "orders/currency_mismatch", "{refused:?}");
    test.finish().await;
}
