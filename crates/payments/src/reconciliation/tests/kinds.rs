//! Errors of every kind, seeded among payments that are right: each is found under its own name, and nothing else is.

use std::collections::BTreeSet;

use platform::Money;

use super::super::EXCEPTION_KINDS;
use super::*;

use ExceptionKind::{
    AmountDiffers, CameBack, CurrencyDiffers, DirectionDiffers, DuplicateAtProvider, DuplicateInLedger,
    FeeDiffers, MissingAtProvider, MissingInLedger, OtherMovement, ReferenceDiffers, UnknownToSouk,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_error_is_found_under_its_name_and_nothing_else() {
    let scene = Scene::set().await;
    let mut seeded: Vec<(ExceptionKind, Option<Uuid>)> = Vec::new();
    for round in 0..3_i64 {
        let price = gbp(1000 + round);
        scene.sold(price).await;

        let payment = scene.payment(price).await;
        scene.provider.write(scene.line_of(payment, price));
        seeded.push((MissingInLedger, Some(payment.uuid())));

        let payment = scene.payment(price).await;
        scene.post_sale(payment, price).await;
        seeded.push((MissingAtProvider, Some(payment.uuid())));

        let payment = scene.payment(price).await;
        scene.post_sale(payment, price).await;
        scene.provider.write(scene.line_of(payment, gbp(price.amount - 1)));
        seeded.push((AmountDiffers, Some(payment.uuid())));

        let payment = scene.payment(price).await;
        scene.post_sale(payment, price).await;
        scene.provider.write(BalanceLine { fee: FEE + 1, ..scene.line_of(payment, price) });
        seeded.push((FeeDiffers, Some(payment.uuid())));

        let payment = scene.payment(price).await;
        scene.post_sale(payment, price).await;
        let euros = Money::new(price.amount, "EUR".parse().unwrap());
        scene.provider.write(scene.line_of(payment, euros));
        seeded.push((CurrencyDiffers, Some(payment.uuid())));

        let payment = scene.payment(price).await;
        scene.post_sale(payment, price).await;
        scene.provider.write(scene.line_of(payment, gbp(-price.amount)));
        seeded.push((DirectionDiffers, Some(payment.uuid())));

        let payment = scene.sold(price).await;
        let again = BalanceLine { reference: format!("again_{payment}"), ..scene.line_of(payment, price) };
        scene.provider.write(again);
        seeded.push((DuplicateAtProvider, Some(payment.uuid())));

        // The order took it, and yet it is also taken to be money that no order could take.
        let payment = scene.sold(price).await;
        let receipt = Draft::new("receipt", payment, price.currency, scene.now()).of_payment(payment);
        scene.post(receipt, Rule::Receipt, price).await;
        seeded.push((DuplicateInLedger, Some(payment.uuid())));

        scene.provider.write(line(&format!("past_souk_{round}"), LineKind::Charge, price, scene.now()));
        seeded.push((UnknownToSouk, None));

        // The line of one payment bears the id of another.
        let (payment, other) = (scene.payment(price).await, scene.sold(price).await);
        scene.post_sale(payment, price).await;
        let mixed = BalanceLine { source: format!("ch_{other}"), ..scene.line_of(payment, price) };
        scene.provider.write(mixed);
        seeded.push((ReferenceDiffers, Some(payment.uuid())));

        let payout = scene.sent(price).await;
        scene.provider.write(scene.payout_line(LineKind::Payout, payout, gbp(-price.amount)));
        scene.provider.write(scene.payout_line(LineKind::PayoutFailed, payout, price));
        seeded.push((CameBack, Some(payout.uuid())));

        scene.provider.write(line(&format!("bill_{round}"), LineKind::Other, gbp(-70), scene.now()));
        seeded.push((OtherMovement, None));
    }
    scene.run_and_wait().await;
    seeded.sort();
    assert_eq!(scene.open().await, seeded);
    let kinds: BTreeSet<ExceptionKind> = seeded.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds.len(), EXCEPTION_KINDS.len(), "every kind there is");

    // Looking again finds nothing new, and says all of it the same.
    let before = scene.exceptions(ExceptionState::Open).await;
    let again = scene.run().await;
    assert_eq!((again.lines, again.entries, again.opened, again.settled, again.matched), (0, 0, 0, 0, 0));
    assert_eq!(scene.exceptions(ExceptionState::Open).await, before);
    let summary = scene.summary(Currency::GBP).await;
    assert_eq!((summary.waiting, summary.in_transit), (0, gbp(0)));
    assert_eq!(summary.difference, summary.in_exceptions);
    scene.end().await;
}

/// What people are told has the amounts of both sides.
#[tokio::test(flavor = "multi_thread")]
async fn exceptions_explain_themselves() {
    let scene = Scene::set().await;
    let payment = scene.payment(gbp(1000)).await;
    scene.post_sale(payment, gbp(1000)).await;
    scene.provider.write(BalanceLine { fee: 40, ..scene.line_of(payment, gbp(1000)) });
    scene.run().await;
    let found = scene.exceptions(ExceptionState::Open).await.pop().unwrap();
    assert_eq!(
        found.explanation,
        format!(
            "Payment {payment}: the provider kept another fee than the ledger says. The provider has 10.00 GBP, less a fee \
             of 0.40 GBP (line txn_{payment} of 2026-06-01). The ledger has 10.00 GBP for it (transaction 1 of 2026-06-01) \
             and -0.35 GBP as the fee (transaction 2 of 2026-06-01)."
        )
    );
    assert_eq!((found.expected, found.actual), (Some(gbp(965)), Some(gbp(960))));
    assert_eq!(found.line.unwrap().fee, gbp(40));
    assert_eq!(found.transaction, Some(1));
    scene.end().await;
}

/// One penny is as much as a thousand pounds, and a currency knows nothing of another.
#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_tolerance_and_no_sum_over_currencies() {
    let scene = Scene::set().await;
    let yen: Currency = "JPY".parse().unwrap();
    for (ledger, provider) in [(gbp(1000), gbp(1001)), (Money::new(501, yen), Money::new(500, yen))] {
        let payment = scene.payment(ledger).await;
        scene.post_sale(payment, ledger).await;
        scene.provider.write(scene.line_of(payment, provider));
    }
    scene.run().await;
    let told: Vec<ExceptionKind> = scene.open().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(told, [AmountDiffers, AmountDiffers]);
    assert_eq!(scene.summary(Currency::GBP).await.difference, gbp(1));
    assert_eq!(scene.summary(yen).await.difference, Money::new(-1, yen));
    scene.end().await;
}
