//! A marketplace that asks Stripe for money, from end to end. Stripe is localstripe
//! (<https://pypi.org/project/localstripe/>), which nobody here wrote.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use payments::{ProviderSettings, StripeSettings};
use platform::Secret;
use serde_json::json;
use testkit::{NewProduct, TestApp};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// The fake, on a port of its own; none, with a word about it, where `script/test` could not install it.
async fn localstripe() -> Option<(Child, String)> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.souk/test-venv/bin/localstripe");
    if !program.exists() {
        let _ = writeln!(std::io::stderr(), "skipped: localstripe is not here: run script/test");
        return None;
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let process = Command::new(program)
        .args(["--from-scratch", "--port", &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    for _ in 0..400 {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return Some((process, format!("http://127.0.0.1:{port}")));
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("localstripe does not listen");
}

async fn marketplace(base: &str) -> TestApp {
    let settings = StripeSettings {
        secret_key: Secret::presented("sk_test_souk"),
        webhook_secrets: vec![Secret::presented("whsec_test")],
        api_base: base.parse().unwrap(),
    };
    TestApp::set_up("127.0.0.1", |setup| setup.modules.payments.provider = ProviderSettings::Stripe(settings))
        .await
}

/// Someone buys with a payment method and is charged at Stripe; a declined one is told so.
#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_is_charged_at_stripe() {
    let Some((_process, base)) = localstripe().await else { return };
    let test = marketplace(&base).await;
    let variant = test.product(NewProduct { stock: 10, ..NewProduct::default() }).await;
    let basket = test.basket(variant, 2).await;
    let declined = test.check_out(&basket, "declined", "pm_card_chargeCustomerFail").await;
    assert_eq!((declined.status.as_u16(), declined.code()), (402, "payments/declined"), "{declined:?}");
    let bought = test.check_out(&basket, "bought", "pm_card_visa").await;
    assert_eq!((bought.status.as_u16(), &bought.json["status"]), (201, &json!("paid")), "{bought:?}");
    test.run_jobs().await;
    test.finish().await;
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
