//! Against localstripe (<https://pypi.org/project/localstripe/>), a fake of Stripe that nobody here wrote. It has no pages
//! and no stores' accounts, forgets keys, and of payments takes but the fields of a method that is kept.

use super::*;
use crate::DeclineCode;
use crate::provider::{LineKind, RefundStatus};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

struct LocalStripe {
    _process: Child,
    base: String,
    stripe: Stripe,
}

impl LocalStripe {
    /// None, with a word about it, where `script/test` could not put it.
    async fn start() -> Option<Self> {
        let program = root().join(".souk/test-venv/bin/localstripe");
        if !program.exists() {
            skipped("localstripe is not here: run script/test");
            return None;
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let process = Command::new(program)
            .args(["--from-scratch", "--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        for _ in 0..400 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                let base = format!("http://127.0.0.1:{port}");
                let stripe = Stripe::new(settings(&base)).unwrap();
                return Some(Self { _process: process, base, stripe });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("localstripe does not listen");
    }

    /// What a shop does elsewhere: in the browser, or by hand.
    async fn post(&self, path: &str, form: &str) -> Value {
        let response = reqwest::Client::new()
            .post(format!("{}/v1/{path}", self.base))
            .bearer_auth(SECRET_KEY)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned())
            .send()
            .await
            .unwrap();
        assert!(response.status().is_success(), "{}", response.text().await.unwrap());
        response.json().await.unwrap()
    }

    async fn charge(&self, token: &str, amount: i64) -> Result<Said, ProviderError> {
        self.stripe.charge(&[Asked { amount: pounds(amount), ..asked(token) }]).await.remove(0)
    }
}

#[tokio::test]
async fn payments_and_refunds_against_localstripe() {
    let Some(local) = LocalStripe::start().await else { return };
    let customer =
        local.post("customers", "email=buyer%40example.org").await["id"].as_str().unwrap().to_owned();

    let paid = local.charge(&format!("{customer}/pm_card_visa"), 1999).await.unwrap();
    assert_eq!((&paid.status, paid.fee), (&Status::Succeeded, Some(0)));
    assert!(paid.reference.starts_with("pi_"));
    let declined = local.charge(&format!("{customer}/pm_card_chargeCustomerFail"), 500).await.unwrap();
    assert_eq!(declined.status, Status::Declined(DeclineCode::CardDeclined));
    assert!(declined.reference.starts_with("pi_"), "the payment, not its charge");
    let unknown = local.charge(&format!("{customer}/pm_none"), 500).await;
    assert!(matches!(unknown, Err(ProviderError::Unknown(_))), "localstripe does not say which of the two");

    let looked = local.stripe.look(&named(&paid.reference)).await.unwrap();
    assert_eq!(looked, paid);
    let looked = local.stripe.look(&named(&declined.reference)).await.unwrap();
    assert_eq!(looked.status, declined.status);
    assert!(matches!(local.stripe.look(&named("pi_none")).await, Err(ProviderError::Unknown(_))));
    assert_eq!(local.stripe.void(&named(&paid.reference)).await.unwrap().status, Status::Succeeded);

    let refund =
        RefundAsked { id: refund_id(), payment: named(&paid.reference), amount: pounds(500), at: NOW };
    let refunded = local.stripe.refund(&refund).await.unwrap();
    assert_eq!(refunded.status, RefundStatus::Succeeded);
    let of_declined = RefundAsked { payment: named(&declined.reference), ..refund };
    assert!(matches!(local.stripe.refund(&of_declined).await, Err(ProviderError::Refused { .. })));

    let books = local.stripe.balance_lines(None, 100).await.unwrap();
    assert!(!books.more);
    let of = |kind| books.lines.iter().find(|line| line.kind == kind).unwrap();
    let (charge, refund) = (of(LineKind::Charge), of(LineKind::Refund));
    assert_eq!((books.lines.len(), charge.amount, refund.amount), (2, pounds(1999), pounds(-500)));
    assert_eq!(charge.source, paid.reference);
    assert_eq!(
        (refund.source.as_str(), refund.ours),
        (refunded.reference.as_str(), Some(refund_id().uuid()))
    );
}

#[tokio::test]
async fn authorizations_against_localstripe() {
    let Some(local) = LocalStripe::start().await else { return };
    let form = "amount=1999&currency=gbp&payment_method=pm_card_visa&capture_method=manual&confirm=true";
    for (taken, expected) in [(Some(1500), Status::Succeeded), (None, Status::Voided)] {
        let intent = local.post("payment_intents", form).await;
        let payment = named(intent["id"].as_str().unwrap());
        assert_eq!(local.stripe.look(&payment).await.unwrap().status, Status::Authorized);
        let said = match taken {
            Some(amount) => local.stripe.capture(&payment, pounds(amount)).await.unwrap(),
            None => local.stripe.void(&payment).await.unwrap(),
        };
        assert_eq!(said.status, expected);
        assert_eq!(local.stripe.look(&payment).await.unwrap().status, expected);
        assert_eq!(local.stripe.void(&payment).await.unwrap().status, expected, "what is over stays");
    }
}
