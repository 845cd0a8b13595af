//! What is only late settles by itself, whichever book is behind; until its time is over it is no exception at all.

use super::*;

use ExceptionKind::{
    AmountDiffers, CameBack, DuplicateAtProvider, FeeDiffers, MissingAtProvider, MissingInLedger,
    UnknownToSouk,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_time_is_no_exception() {
    let scene = Scene::set().await;
    let (ahead, behind) = (scene.payment(gbp(1000)).await, scene.payment(gbp(500)).await);
    scene.post_sale(ahead, gbp(1000)).await;
    scene.provider.write(scene.line_of(behind, gbp(500)));
    assert_eq!(scene.run().await.matched, 0);
    scene.clock.advance(RECONCILIATION_GRACE - Duration::SECOND);
    scene.run().await;
    let summary = scene.summary(Currency::GBP).await;
    assert_eq!((summary.open, summary.waiting), (0, 3), "a line; an amount and its fee");
    assert_eq!((summary.difference, summary.in_transit), (gbp(-500), gbp(-500)));
    scene.provider.write(scene.line_of(ahead, gbp(1000)));
    scene.post_sale(behind, gbp(500)).await;
    assert_eq!(scene.run().await.matched, 2);
    scene.clock.advance(RECONCILIATION_GRACE);
    scene.run().await;
    let summary = scene.summary(Currency::GBP).await;
    assert_eq!((summary.matched, summary.waiting, summary.difference), (2, 0, gbp(0)));
    for state in [ExceptionState::Open, ExceptionState::Settled] {
        assert_eq!(scene.exceptions(state).await, []);
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_settles_and_says_how() {
    let scene = Scene::set().await;
    let (ahead, behind) = (scene.payment(gbp(1000)).await, scene.payment(gbp(500)).await);
    scene.post_sale(ahead, gbp(1000)).await;
    scene.provider.write(scene.line_of(behind, gbp(500)));
    let payout = scene.sent(gbp(300)).await;
    scene.provider.write(scene.payout_line(LineKind::Payout, payout, gbp(-300)));
    scene.provider.write(scene.payout_line(LineKind::PayoutFailed, payout, gbp(300)));
    let stranger = PaymentId::from(scene.sources.id::<Sale>().uuid());
    scene.provider.write(scene.line_of(stranger, gbp(200)));
    assert_eq!(scene.run_and_wait().await.opened, 4);
    let told = [
        (MissingInLedger, Some(behind.uuid())),
        (MissingAtProvider, Some(ahead.uuid())),
        (UnknownToSouk, None),
        (CameBack, Some(payout.uuid())),
    ];
    assert_eq!(scene.open().await, told);

    scene.provider.write(scene.line_of(ahead, gbp(1000)));
    scene.post_sale(behind, gbp(500)).await;
    let back = Draft::new("payout_returned", payout, Currency::GBP, scene.now());
    scene.post(back, Rule::PayoutReturned, gbp(300)).await;
    // The payment of which Souk had never heard: its row comes to light, with the id that the line bears.
    sqlx::query(
        "INSERT INTO payments.payments (id, order_id, provider, amount, currency, state, captured, fee, created_at, updated_at)
         VALUES ($1, $1, 'fake', 200, 'GBP', 'succeeded', 200, 35, now(), now())",
    )
    .bind(stranger.uuid())
    .execute(scene.test.database.pool())
    .await
    .unwrap();
    scene.post_sale(stranger, gbp(200)).await;
    assert_eq!(scene.run().await.settled, 4);
    assert_eq!(scene.open().await, []);
    let settled = scene.exceptions(ExceptionState::Settled).await;
    assert_eq!(settled.len(), 4);
    for one in settled {
        let outcome = one.outcome.unwrap();
        match one.kind {
            MissingAtProvider => {
                let how = format!("It was only late: the provider has it since 2026-06-04, as txn_{ahead}.");
                assert_eq!(outcome, how);
            }
            _ => assert_eq!(outcome, "It was only late: the ledger has it since 2026-06-04."),
        }
        assert!(one.explanation.contains("The provider has"), "what was found is kept: {}", one.explanation);
        assert_eq!((one.ended_at, one.resolved_by), (Some(scene.now()), None));
    }
    assert_eq!(scene.summary(Currency::GBP).await.difference, gbp(0));
    scene.end().await;
}

/// The fee of a payment is often known later than its amount.
#[tokio::test(flavor = "multi_thread")]
async fn a_fee_may_come_later() {
    let scene = Scene::set().await;
    let payment = scene.payment(gbp(1000)).await;
    let sale = Draft::new("sale", payment, Currency::GBP, scene.now()).of_payment(payment);
    scene.post(sale, Rule::Sale, gbp(1000)).await;
    scene.provider.write(scene.line_of(payment, gbp(1000)));
    scene.run().await;
    assert_eq!(scene.open().await, []);
    scene.clock.advance(RECONCILIATION_GRACE);
    scene.run().await;
    assert_eq!(scene.open().await, [(FeeDiffers, Some(payment.uuid()))]);
    let fee = Draft::new("processing_fee", payment, Currency::GBP, scene.now()).of_payment(payment);
    scene.post(fee, Rule::ProcessingFee, gbp(FEE)).await;
    let run = scene.run().await;
    assert_eq!((run.matched, run.settled), (1, 1));
    scene.end().await;
}

/// What comes late and is not equal is the same exception, told otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_and_differs_stays_one_exception() {
    let scene = Scene::set().await;
    let payment = scene.payment(gbp(1000)).await;
    scene.post_sale(payment, gbp(1000)).await;
    scene.run_and_wait().await;
    let before = scene.exceptions(ExceptionState::Open).await.pop().unwrap();
    assert_eq!(before.kind, MissingAtProvider);
    scene.provider.write(scene.line_of(payment, gbp(990)));
    let run = scene.run().await;
    assert_eq!((run.opened, run.settled), (0, 0));
    let after = scene.exceptions(ExceptionState::Open).await.pop().unwrap();
    assert_eq!((after.id, after.opened_at, after.kind), (before.id, before.opened_at, AmountDiffers));
    // And then the right one after all: the wrong one is left over.
    let right = BalanceLine { reference: "right".to_owned(), ..scene.line_of(payment, gbp(1000)) };
    scene.provider.write(right);
    assert_eq!(scene.run().await.matched, 1);
    assert_eq!(scene.open().await, [(DuplicateAtProvider, Some(payment.uuid()))]);
    scene.end().await;
}

/// While a provider's books can not be read, nobody says that they lack something.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_judged_while_the_provider_is_away() {
    let scene = Scene::set().await;
    let payment = scene.payment(gbp(1000)).await;
    scene.post_sale(payment, gbp(1000)).await;
    scene.run().await;
    scene.clock.advance(RECONCILIATION_GRACE * 2);
    scene.provider.answer(Some(0));
    let refused = scene.desk().run(&Actor::system()).await.unwrap_err();
    assert!(matches!(refused, crate::Error::ProviderUnavailable), "{refused}");
    assert_eq!(scene.open().await, []);
    scene.provider.answer(None);
    scene.provider.write(scene.line_of(payment, gbp(1000)));
    assert_eq!(scene.run().await.matched, 1);
    assert_eq!(scene.exceptions(ExceptionState::Settled).await, []);
    scene.end().await;
}

/// An account at the provider may be older than the marketplace: what moved there before is nobody's exception, and whatever
/// bears Souk's name is looked at, however old it says it is.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_before_souk_is_not_compared() {
    let scene = Scene::set().await;
    let price = gbp(1000);
    let past = scene.now() - Duration::days(300);
    for (reference, kind, amount) in [
        ("old_sale", LineKind::Charge, price),
        ("old_bill", LineKind::Other, gbp(-70)),
        ("old_payout", LineKind::Withdrawal, gbp(-930)),
    ] {
        scene.provider.write(line(reference, kind, amount, past));
    }
    let payment = scene.payment(price).await;
    scene.provider.write(BalanceLine { at: past, ..scene.line_of(payment, price) });
    scene.provider.write(line("past_souk", LineKind::Charge, price, scene.now()));
    scene.run_and_wait().await;
    let expected =
        [(ExceptionKind::MissingInLedger, Some(payment.uuid())), (ExceptionKind::UnknownToSouk, None)];
    assert_eq!(scene.open().await, expected);
    scene.end().await;
}
