use time::Duration;

use super::*;
use crate::provider::RefundStatus;
use crate::sandbox::{Chaos, Error};

fn of(payment: &Named) -> Target {
    Target { payment: Some(payment.id), ..Target::default() }
}

/// Twenty refunds at once of a sixth of the charge each: six are made, and never more than the charge goes back.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_refunds_never_exceed_the_charge() {
    let bench = Bench::new().await;
    let (payment, _) = bench.charge("tok_visa").await;
    let mut askers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (company, asked) = (Arc::clone(&bench.company), bench.refund_of(&payment, PRICE.amount / 6));
        askers.spawn(async move { company.refund(&asked).await });
    }
    let answers = askers.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 6);
    assert!(answers.into_iter().filter(Result::is_err).all(|answer| code(answer) == "amount_too_large"));
    assert_eq!(
        bench.refund(&payment, PRICE.amount % 6).await.expect("what is left").status,
        RefundStatus::Succeeded
    );
    assert_eq!(code(bench.refund(&payment, 1).await), "amount_too_large");
    bench.finish().await;
}

/// Eight ask for the same refund at once: it is made once.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_made_once() {
    let bench = Bench::new().await;
    let (payment, _) = bench.charge("tok_visa").await;
    let asked = bench.refund_of(&payment, 1500);
    let mut askers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (company, asked) = (Arc::clone(&bench.company), asked.clone());
        askers.spawn(async move { company.refund(&asked).await.expect("the same answer") });
    }
    let answers = askers.join_all().await;
    assert!(answers.iter().all(|said| *said == answers[0]));
    let other = RefundAsked { amount: Money::new(1, PRICE.currency), ..asked };
    assert!(matches!(bench.company.refund(&other).await, Err(ProviderError::Changed)));
    assert_eq!(bench.refund(&payment, 499).await.expect("the rest").status, RefundStatus::Succeeded);
    bench.finish().await;
}

/// What can not be refunded is refused with a word for why.
#[tokio::test(flavor = "multi_thread")]
async fn refuses_refunds_of_what_was_not_taken() {
    let bench = Bench::new().await;
    let (declined, _) = bench.charge("tok_chargeDeclined").await;
    let (waiting, _) = bench.charge("tok_sandbox_processing").await;
    for payment in [&declined, &waiting] {
        assert_eq!(code(bench.refund(payment, 1).await), "charge_not_succeeded");
    }
    let (payment, _) = bench.charge("tok_visa").await;
    assert_eq!(code(bench.refund(&payment, 0).await), "amount_too_large");
    let yen = Money::new(1, "JPY".parse().expect("a currency"));
    let other = RefundAsked { amount: yen, ..bench.refund_of(&payment, 1) };
    assert_eq!(code(bench.company.refund(&other).await), "currency_mismatch");
    let nobodys = Named { id: bench.sources.id(), reference: "ch_nobody".to_owned() };
    assert!(matches!(bench.refund(&nobodys, 1).await, Err(ProviderError::Unknown(_))));
    bench.finish().await;
}

/// A refund may take a while, or fail after it was made: then it can be made again.
#[tokio::test(flavor = "multi_thread")]
async fn refunds_end_later() {
    let bench = Bench::new().await;
    let (payment, _) = bench.charge("tok_pendingRefund").await;
    assert_eq!(bench.refund(&payment, 100).await.expect("made").status, RefundStatus::Pending);
    let (failing, _) = bench.charge("tok_refundFail").await;
    let asked = bench.refund_of(&failing, PRICE.amount);
    assert_eq!(bench.company.refund(&asked).await.expect("made").status, RefundStatus::Succeeded);
    assert_eq!(code(bench.refund(&failing, 1).await), "amount_too_large");
    let (unlucky, _) = bench.charge("tok_visa").await;
    bench
        .company
        .set_chaos(&Actor::system(), &Chaos { fail_refunds: 1, ..Chaos::default() })
        .await
        .expect("set");
    bench.refund(&unlucky, 100).await.expect("made");
    bench.refund(&unlucky, 200).await.expect("made");
    bench.later(Duration::MINUTE).await;
    let told: Vec<_> = bench.told().await;
    let ends: Vec<_> = told
        .iter()
        .map(|change| match change {
            Change::Refund { payment, amount, status, id, .. } => {
                assert!(id.is_some());
                (payment.as_str(), amount.amount, matches!(status, RefundStatus::Failed(_)))
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        ends,
        [
            (payment.reference.as_str(), 100, false),
            (failing.reference.as_str(), PRICE.amount, true),
            (unlucky.reference.as_str(), 100, true),
        ]
    );
    let said = bench.company.refund(&asked).await.expect("how it stands");
    assert!(matches!(said.status, RefundStatus::Failed(_)));
    assert!(bench.refund(&failing, PRICE.amount).await.is_ok(), "the money is there again");
    bench.finish().await;
}

/// A refund that somebody makes at the sandbox itself is told without an id of Souk's.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_made_elsewhere_is_told() {
    let bench = Bench::new().await;
    let (payment, _) = bench.charge("tok_visa").await;
    let target = Target { amount: Some(700), ..of(&payment) };
    bench.trigger(Trigger::RefundSucceeded, &target).await.expect("made");
    let [Change::Refund { id: None, payment: of, amount, .. }] = &bench.told().await[..] else {
        panic!("told")
    };
    assert_eq!((of, amount.amount), (&payment.reference, 700));
    assert_eq!(code(bench.refund(&payment, 1300).await), "amount_too_large");
    bench.finish().await;
}

/// A dispute takes the money until it is decided; nobody answers, and it is lost.
#[tokio::test(flavor = "multi_thread")]
async fn disputes_are_opened_won_and_lost() {
    let bench = Bench::new().await;
    let (payment, _) = bench.charge("tok_createDispute").await;
    bench.refund(&payment, 999).await.expect("made");
    bench.later(Duration::MINUTE).await;
    let Some(Change::Dispute { amount, fee, won: None, payment: of_which, answer_by: Some(_), .. }) =
        bench.told().await.pop()
    else {
        panic!("a dispute is told")
    };
    assert_eq!(
        (amount.amount, fee, of_which),
        (1000, 1500, payment.reference.clone()),
        "what is left is disputed"
    );
    assert_eq!(code(bench.refund(&payment, 1).await), "amount_too_large", "the money is not there");
    assert!(matches!(bench.trigger(Trigger::DisputeCreated, &of(&payment)).await, Err(Error::State(_))));
    bench.trigger(Trigger::DisputeWon, &of(&payment)).await.expect("won");
    assert!(matches!(bench.told().await.pop(), Some(Change::Dispute { won: Some(true), .. })));
    bench.refund(&payment, 1).await.expect("the money is there again");

    let target = Target { amount: Some(300), ..of(&payment) };
    bench.trigger(Trigger::DisputeCreated, &target).await.expect("opened");
    bench.later(Duration::days(7)).await;
    assert!(
        matches!(bench.told().await.pop(), Some(Change::Dispute { won: Some(false), amount, .. }) if amount.amount == 300)
    );
    bench.trigger(Trigger::DisputeWon, &of(&payment)).await.expect("told again");
    assert!(
        matches!(bench.told().await.pop(), Some(Change::Dispute { won: Some(false), .. })),
        "decided stays"
    );
    assert_eq!(code(bench.refund(&payment, 700).await), "amount_too_large");
    bench.refund(&payment, 699).await.expect("what is left");
    bench.finish().await;
}
