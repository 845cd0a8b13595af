//! A marketplace that is configured to ask Stripe for money.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use payments::{ProviderSettings, StripeSettings};
use platform::Secret;
use testkit::{NewProduct, TestApp};

async fn marketplace(base: &str) -> TestApp {
    let settings = StripeSettings {
        secret_key: Secret::presented("sk_test_souk"),
        webhook_secrets: vec![Secret::presented("whsec_test")],
        api_base: base.parse().unwrap(),
    };
    TestApp::set_up("127.0.0.1", |setup| setup.modules.payments.provider = ProviderSettings::Stripe(settings))
        .await
}

/// While Stripe is gone the order is safe, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_stripe_keeps_the_order() {
    let test = marketplace("http://127.0.0.1:9").await;
    let variant = test.product(NewProduct { stock: 10, ..NewProduct::default() }).await;
    let basket = test.basket(variant, 1).await;
    let answer = test.check_out(&basket, "gone", "pm_card_visa").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "payments/provider_unavailable"), "{answer:?}");
    assert_eq!(test.get("/sandbox/pay?session=x", &[]).await.status, 404, "no sandbox beside Stripe");
    test.finish().await;
}
