//! What a charge promises.

use payments::{
    Charge, DeclineCode, Error, Payment, PaymentId, PaymentMeans, PaymentState, PaymentToken, Payments,
};
use platform::{Currency, Money};
use testkit::TestApp;
use tokio::task::JoinSet;

const PRICE: Money = Money::new(1999, Currency::GBP);

fn token(text: &str) -> PaymentMeans {
    PaymentMeans::token(PaymentToken::presented(text))
}

async fn charge(payments: &dyn Payments, id: PaymentId, amount: Money, text: &str) -> Result<Payment, Error> {
    let order = id.uuid();
    payments.charge(Charge { id, order, amount, means: &token(text), return_url: None }).await
}

async fn check(test: &TestApp, text: &str) -> Result<(), Error> {
    test.app.payments.check(&[(&token(text), None)]).await.expect("the database answers").remove(0)
}

/// However often, and however concurrently, a payment is asked for, the provider charges once.
#[tokio::test(flavor = "multi_thread")]
async fn charges_once() {
    let test = TestApp::start().await;
    let id: PaymentId = test.app.sources.id();
    let mut askers = JoinSet::new();
    for _ in 0..8 {
        let payments = test.app.payments.clone();
        askers.spawn(async move { charge(&*payments, id, PRICE, "tok_visa").await.unwrap() });
    }
    let answers = askers.join_all().await;
    assert!(answers.iter().all(|answer| answer.state == PaymentState::Succeeded));
    assert!(answers.iter().all(|answer| answer.reference == answers[0].reference));
    let charges: i64 = sqlx::query_scalar("SELECT count(*) FROM payments.sandbox_charges")
        .fetch_one(test.app.database.pool())
        .await
        .unwrap();
    assert_eq!(charges, 1);
    let other = Money::new(1, Currency::GBP);
    assert!(matches!(charge(&*test.app.payments, id, other, "tok_visa").await, Err(Error::AmountChanged)));
}

/// A declined payment stays declined, whatever token it is asked for with later.
#[tokio::test(flavor = "multi_thread")]
async fn declines_stay() {
    let test = TestApp::start().await;
    for (name, code) in [
        ("tok_chargeDeclined", DeclineCode::CardDeclined),
        ("tok_chargeDeclinedInsufficientFunds", DeclineCode::InsufficientFunds),
        ("tok_chargeDeclinedExpiredCard", DeclineCode::ExpiredCard),
        ("tok_chargeDeclinedIncorrectCvc", DeclineCode::IncorrectCvc),
        ("tok_chargeDeclinedProcessingError", DeclineCode::ProcessingError),
    ] {
        let id: PaymentId = test.app.sources.id();
        let first = charge(&*test.app.payments, id, PRICE, name).await.unwrap();
        let again = charge(&*test.app.payments, id, PRICE, "tok_visa").await.unwrap();
        assert_eq!((first.state, again.state), (PaymentState::Declined(code), PaymentState::Declined(code)));
    }
    test.finish().await;
}

/// What the provider could never charge is refused before anything is done.
#[tokio::test(flavor = "multi_thread")]
async fn refuses_card_numbers_and_unknown_tokens() {
    let test = TestApp::start().await;
    for number in ["4242424242424242", "4242 4242 4242 4242", "3782-822463-10005"] {
        assert!(matches!(check(&test, number).await, Err(Error::CardNumber)), "{number}");
        assert!(!format!("{:?}", token(number)).contains('4'), "a token is never logged");
    }
    for unknown in ["", "tok_", "tok_VISA", "pm_card_visa"] {
        assert!(matches!(check(&test, unknown).await, Err(Error::UnknownToken)), "{unknown}");
    }
    test.finish().await;
}
