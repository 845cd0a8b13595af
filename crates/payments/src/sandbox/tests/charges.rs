use identity::UserId;
use time::Duration;

use super::*;
use crate::DeclineCode;
use crate::provider::{Method, Page};
use crate::sandbox::Chaos;

/// Whatever a token is for, the first answer stays, and the fee and the card are told with it.
#[tokio::test(flavor = "multi_thread")]
async fn each_token_does_what_it_is_for() {
    let bench = Bench::new().await;
    for (token, status) in [
        ("tok_visa", Status::Succeeded),
        ("tok_amex", Status::Succeeded),
        ("tok_refundFail", Status::Succeeded),
        ("tok_createDispute", Status::Succeeded),
        ("tok_visa_chargeDeclined", Status::Declined(DeclineCode::CardDeclined)),
        ("tok_chargeDeclinedIncorrectCvc", Status::Declined(DeclineCode::IncorrectCvc)),
        ("tok_sandbox_processing", Status::Processing),
        ("tok_sandbox_authorize", Status::Authorized),
    ] {
        let (payment, said) = bench.charge(token).await;
        assert_eq!(said.status, status, "{token}");
        assert_eq!(said.fee, (status == Status::Succeeded).then_some(FEE), "{token}");
        assert_eq!(said.method.clone().map(|method| method.last4.len()), Some(4), "{token}");
        let again = Asked { id: payment.id, ..bench.asked("tok_visa", PRICE) };
        assert_eq!(bench.ask(&again).await.expect("the answer of then"), said, "{token}");
        let other = Asked { amount: Money::new(1, PRICE.currency), ..again };
        assert!(matches!(bench.ask(&other).await, Err(ProviderError::Changed)), "{token}");
        assert_eq!(bench.look(&payment).await, status);
    }
    assert_eq!(bench.told().await, [], "what was answered is not told again");
    bench.finish().await;
}

/// Eight ask for the same payment at once, each with a token that is answered slowly: one charge, one answer.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_slowly_is_charged_once() {
    let bench = Bench::new().await;
    let asked = bench.asked("tok_sandbox_processing", PRICE);
    let mut askers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (company, asked) = (Arc::clone(&bench.company), asked.clone());
        askers.spawn(async move { company.charge(&[asked]).await.pop().expect("an answer") });
    }
    for answer in askers.join_all().await {
        assert_eq!(answer.expect("the sandbox answers").status, Status::Processing);
    }
    bench.later(Duration::MINUTE).await;
    assert_eq!(bench.told().await.len(), 1, "it succeeded once");
    bench.finish().await;
}

/// A slice in which each token differs: each answer stands at its place.
#[tokio::test(flavor = "multi_thread")]
async fn answers_stand_at_their_places() {
    let bench = Bench::new().await;
    let tokens = [
        "tok_sandbox_processing",
        "tok_visa",
        "tok_nobody",
        "tok_chargeDeclined",
        "tok_sandbox_authorize",
        "tok_visa",
    ];
    let asked: Vec<_> = tokens.iter().rev().map(|token| bench.asked(token, PRICE)).rev().collect();
    let said = bench.company.charge(&asked).await;
    let status: Vec<_> = said.into_iter().map(|said| said.ok().map(|said| said.status)).collect();
    assert_eq!(
        status,
        [
            Some(Status::Processing),
            Some(Status::Succeeded),
            None,
            Some(Status::Declined(DeclineCode::CardDeclined)),
            Some(Status::Authorized),
            Some(Status::Succeeded),
        ]
    );
    bench.finish().await;
}

/// What takes a while is done by the sandbox's clock, and told.
#[tokio::test(flavor = "multi_thread")]
async fn processing_ends_by_the_clock() {
    let bench = Bench::new().await;
    let (payment, _) = bench.charge("tok_sandbox_processing").await;
    bench.later(Duration::seconds(5)).await;
    assert_eq!(bench.look(&payment).await, Status::Processing);
    bench.later(Duration::seconds(5)).await;
    assert_eq!(bench.look(&payment).await, Status::Succeeded);
    let [Change::Payment { id, amount, said }] = &bench.told().await[..] else { panic!("one notice") };
    assert_eq!((*id, *amount, &said.status), (Some(payment.id), PRICE, &Status::Succeeded));
    assert_eq!(said.fee, Some(FEE));
    bench.finish().await;
}

/// What is authorized is captured once, all of it or less, or given back.
#[tokio::test(flavor = "multi_thread")]
async fn authorized_money_is_captured_or_given_back() {
    let bench = Bench::new().await;
    let some = Money::new(1000, PRICE.currency);
    let (payment, _) = bench.charge("tok_sandbox_authorize").await;
    let more = Money::new(PRICE.amount + 1, PRICE.currency);
    assert_eq!(code(bench.company.capture(&payment, more).await), "amount_too_large");
    let said = bench.company.capture(&payment, some).await.expect("captured");
    assert_eq!(
        (said.status.clone(), said.fee),
        (Status::Succeeded, Some(35)),
        "the fee is of what was taken"
    );
    assert_eq!(bench.company.capture(&payment, some).await.expect("the answer of then"), said);
    assert_eq!(code(bench.company.capture(&payment, PRICE).await), "not_authorized");
    assert_eq!(bench.company.void(&payment).await.expect("it stays").status, Status::Succeeded);
    assert_eq!(code(bench.refund(&payment, 1001).await), "amount_too_large", "no more than was captured");

    let (payment, _) = bench.charge("tok_sandbox_authorize").await;
    assert_eq!(bench.company.void(&payment).await.expect("voided").status, Status::Voided);
    assert_eq!(code(bench.company.capture(&payment, some).await), "not_authorized");
    let (payment, _) = bench.charge("tok_sandbox_authorize").await;
    bench.later(Duration::days(8)).await;
    assert_eq!(bench.look(&payment).await, Status::Voided, "nobody captured it in time");
    let (payment, _) = bench.charge("tok_sandbox_processing").await;
    assert_eq!(bench.company.void(&payment).await.expect("voided").status, Status::Voided);
    bench.later(Duration::MINUTE).await;
    assert_eq!(bench.look(&payment).await, Status::Voided, "what was called off never succeeds");
    bench.finish().await;
}

/// A method is kept when that is asked, and charged by its name later; the sandbox keeps a token and no number.
#[tokio::test(flavor = "multi_thread")]
async fn methods_are_kept_and_charged() {
    let bench = Bench::new().await;
    let first =
        Asked { keep_for: Some(UserId::from(uuid::Uuid::max())), ..bench.asked("tok_mastercard", PRICE) };
    let method = bench.ask(&first).await.expect("the sandbox answers").method;
    let Some(Method { brand, last4, kept_as: Some(name), .. }) = method else { panic!("it is kept") };
    assert_eq!((brand.as_str(), last4.as_str()), ("mastercard", "4444"));
    let presented = bench.company.check(&PaymentToken::presented(&name));
    assert!(presented.is_err(), "not by whoever writes it into a request");
    let (_, said) = bench.charge(&name).await;
    assert_eq!(said.status, Status::Succeeded);
    assert_eq!(said.method.and_then(|method| method.kept_as), Some(name.clone()));
    bench.company.forget_method(&name).await.expect("it is forgotten");
    bench.company.forget_method(&name).await.expect("forgotten is forgotten");
    let gone = bench.asked(&name, PRICE);
    assert!(matches!(bench.ask(&gone).await, Err(ProviderError::UnknownToken)));
    let nobodys = bench.asked("pm_sandbox_0123456789abcdef0123456789abcdef", PRICE);
    assert!(matches!(bench.ask(&nobodys).await, Err(ProviderError::UnknownToken)));
    bench.finish().await;
}

/// An outage is an answer that never came: asking again with the same id charges once in the end.
#[tokio::test(flavor = "multi_thread")]
async fn outages_pass() {
    let bench = Bench::new().await;
    let asked = bench.asked("tok_sandbox_outage", PRICE);
    for _ in 0..6 {
        assert!(bench.ask(&asked).await.is_err_and(|error| error.passes()));
    }
    assert_eq!(bench.ask(&asked).await.expect("it is back").status, Status::Succeeded);
    bench
        .company
        .set_chaos(&Actor::system(), &Chaos { outage: true, ..Chaos::default() })
        .await
        .expect("set");
    let asked = bench.asked("tok_visa", PRICE);
    let payment = Named { id: asked.id, reference: String::new() };
    assert!(bench.ask(&asked).await.is_err_and(|error| error.passes()));
    assert!(bench.company.void(&payment).await.is_err_and(|error| error.passes()));
    assert!(bench.company.balance_lines(None, 10).await.is_err_and(|error| error.passes()));
    bench.company.set_chaos(&Actor::system(), &Chaos::default()).await.expect("set");
    assert_eq!(bench.ask(&asked).await.expect("it is back").status, Status::Succeeded);
    bench.finish().await;
}

/// The same page for the same payment, until it closes by the sandbox's clock.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_opened_once_and_closes() {
    let bench = Bench::new().await;
    let (id, at) = (bench.sources.id(), bench.sources.now());
    let page = Page {
        id,
        order: id.uuid(),
        description: "Order 1001".to_owned(),
        amount: PRICE,
        email: None,
        return_url: "https://shop.example/back".to_owned(),
        cancel_url: "https://shop.example/basket".to_owned(),
        expires_at: at + Duration::HOUR,
        at,
    };
    let opened = bench.company.open_page(&page).await.expect("a page");
    let again = bench.company.open_page(&page).await.expect("the same page");
    assert_eq!((&opened.url, opened.expires_at), (&again.url, page.expires_at));
    let other = Page { amount: Money::new(1, PRICE.currency), ..page.clone() };
    assert!(matches!(bench.company.open_page(&other).await, Err(ProviderError::Changed)));
    let payment = Named { id, reference: opened.reference };
    assert_eq!(bench.look(&payment).await, Status::RequiresAction(opened.url.clone()));
    let token = Asked { id, ..bench.asked("tok_visa", PRICE) };
    let said = bench.ask(&token).await.expect("the answer of then");
    assert_eq!(said.status, Status::RequiresAction(opened.url), "the page stays the way to pay");
    bench.later(Duration::HOUR).await;
    assert_eq!(bench.look(&payment).await, Status::Voided);
    assert!(
        matches!(&bench.told().await[..], [Change::Payment { said, .. }] if said.status == Status::Voided)
    );
    let (charged, _) = bench.charge("tok_visa").await;
    let late = Page { id: charged.id, ..page };
    assert_eq!(code(bench.company.open_page(&late).await), "already_charged");
    bench.finish().await;
}

/// A challenge of a token's card is passed or not, and Souk is told.
#[tokio::test(flavor = "multi_thread")]
async fn challenges_are_passed_or_not() {
    let bench = Bench::new().await;
    for (token, approve, status) in [
        ("tok_threeDSecure2Required", true, Status::Succeeded),
        ("tok_threeDSecureRequired", false, Status::Declined(DeclineCode::CardDeclined)),
        ("tok_threeDSecureRequiredChargeDeclined", true, Status::Declined(DeclineCode::CardDeclined)),
    ] {
        let (payment, said) = bench.charge(token).await;
        let Status::RequiresAction(url) = said.status else { panic!("{token} challenges") };
        let session = url.split_once("/sandbox/challenge?session=").expect("the challenge's page").1;
        bench.company.answer_challenge(session, approve).await.expect("answered");
        // Twice is once.
        bench.company.answer_challenge(session, !approve).await.expect("answered");
        assert_eq!(bench.look(&payment).await, status, "{token}");
        let Some(Change::Payment { id, said, .. }) = bench.told().await.pop() else { panic!("it is told") };
        assert_eq!((id, said.status), (Some(payment.id), status));
    }
    assert_eq!(bench.told().await.len(), 3);
    let (payment, _) = bench.charge("tok_threeDSecure2Required").await;
    bench.later(Duration::hours(2)).await;
    assert_eq!(bench.look(&payment).await, Status::Voided, "nobody answered");
    bench.finish().await;
}
