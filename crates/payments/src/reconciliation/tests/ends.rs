//! How differences end that do not settle by themselves; withdrawals; and what `souk verify` finds.

use platform::ServiceError;

use super::super::ReconciliationExceptionId;
use super::*;
use crate::ledger::{AccountKind, Selection};

use ExceptionKind::{CurrencyDiffers, DuplicateAtProvider, DuplicateInLedger};

impl Scene {
    async fn resolve(&self, id: ReconciliationExceptionId) -> Result<ReconciliationException, crate::Error> {
        self.desk().resolve(&Actor::system(), id, "the provider is right").await
    }

    /// What stands in the marketplace's own account of a kind.
    async fn own(&self, kind: AccountKind, currency: Currency) -> i64 {
        use crate::ledger::{Books, Ledger};
        let selection = Selection { kinds: vec![kind], owner: Some(String::new()) };
        let books = Books(self.test.database.clone());
        let found = books.balances(&Actor::system(), &selection).await.unwrap();
        found.iter().find(|one| one.balance.currency == currency).map_or(0, |one| one.balance.amount)
    }
}

/// Whoever says why the books differ corrects the ledger by the difference, once; afterwards the balances agree.
#[tokio::test(flavor = "multi_thread")]
async fn resolving_corrects_the_ledger_once() {
    let scene = Scene::set().await;
    let short = scene.payment(gbp(1000)).await;
    scene.post_sale(short, gbp(1000)).await;
    scene.provider.write(scene.line_of(short, gbp(900)));
    scene.provider.write(line("bill", LineKind::Other, gbp(-70), scene.now()));
    let gone = scene.payment(gbp(400)).await;
    scene.post_sale(gone, gbp(400)).await;
    scene.run_and_wait().await;
    assert_eq!(scene.summary(Currency::GBP).await.difference, gbp(-100 - 70 - 365));
    for one in scene.exceptions(ExceptionState::Open).await {
        let tries: Vec<_> = (0..4)
            .map(|turn| {
                let node = Arc::clone(&scene.nodes[turn % 2]);
                tokio::spawn(
                    async move { node.resolve(&Actor::system(), one.id, "the provider is right").await },
                )
            })
            .collect();
        let mut resolved = 0;
        for tried in tries {
            match tried.await.unwrap() {
                Ok(done) => {
                    resolved += 1;
                    assert_eq!(done.state, ExceptionState::Resolved);
                    assert_eq!(done.outcome.as_deref(), Some("the provider is right"));
                }
                Err(refused) => assert_eq!(refused.reason(), "payments/exception_ended"),
            }
        }
        assert_eq!(resolved, 1);
    }
    for _ in 0..2 {
        let summary = scene.summary(Currency::GBP).await;
        assert_eq!((summary.difference, summary.open, summary.in_transit), (gbp(0), 0, gbp(0)));
        assert_eq!(scene.violations().await, []);
        scene.run_and_wait().await;
    }
    assert_eq!(
        scene.own(AccountKind::Adjustments, Currency::GBP).await,
        -535,
        "what it cost the marketplace"
    );
    let filter =
        platform::audit::Filter { action: Some("reconciliation.resolved".to_owned()), ..Default::default() };
    assert_eq!(platform::audit::entries(&scene.test.database, &filter, None, 100).await.unwrap().len(), 3);
    scene.end().await;
}

/// In two currencies a correction is two postings.
#[tokio::test(flavor = "multi_thread")]
async fn a_difference_of_currencies_is_corrected_in_both() {
    let scene = Scene::set().await;
    let euro: Currency = "EUR".parse().unwrap();
    let payment = scene.payment(gbp(1000)).await;
    scene.post_sale(payment, gbp(1000)).await;
    scene.provider.write(scene.line_of(payment, Money::new(1150, euro)));
    scene.run().await;
    let found = scene.exceptions(ExceptionState::Open).await.pop().unwrap();
    assert_eq!(found.kind, CurrencyDiffers);
    assert_eq!((found.expected, found.actual), (Some(gbp(965)), Some(Money::new(1115, euro))));
    scene.resolve(found.id).await.unwrap();
    scene.run().await;
    for currency in [Currency::GBP, euro] {
        assert_eq!(scene.summary(currency).await.difference.amount, 0);
    }
    assert_eq!(scene.own(AccountKind::Adjustments, Currency::GBP).await, -965);
    assert_eq!(scene.own(AccountKind::Adjustments, euro).await, 1115);
    assert_eq!(scene.violations().await, []);
    scene.end().await;
}

/// What was resolved and comes after all is not lost in it: it is another difference.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_it_was_resolved_is_found_again() {
    let scene = Scene::set().await;
    let (behind, ahead) = (scene.payment(gbp(500)).await, scene.payment(gbp(1000)).await);
    scene.provider.write(scene.line_of(behind, gbp(500)));
    scene.post_sale(ahead, gbp(1000)).await;
    scene.run_and_wait().await;
    for one in scene.exceptions(ExceptionState::Open).await {
        scene.resolve(one.id).await.unwrap();
    }
    scene.post_sale(behind, gbp(500)).await;
    scene.provider.write(scene.line_of(ahead, gbp(1000)));
    let again = BalanceLine { reference: "again".to_owned(), ..scene.line_of(behind, gbp(500)) };
    scene.run_and_wait().await;
    let told: Vec<ExceptionKind> = scene.open().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(told, [ExceptionKind::MissingInLedger, DuplicateInLedger]);
    // The line that was charged twice finds the posting that was made twice.
    scene.provider.write(again);
    let run = scene.run().await;
    assert_eq!((run.matched, run.settled), (1, 1));
    assert!(scene.open().await.iter().all(|(kind, _)| *kind != DuplicateAtProvider));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_such_exception_is_no_exception() {
    let scene = Scene::set().await;
    let refused = scene.resolve(scene.sources.id()).await.unwrap_err();
    assert_eq!(refused.reason(), "payments/not_found");
    scene.end().await;
}

/// Nobody asks Souk for what the marketplace takes out: the provider's line makes the posting, once.
#[tokio::test(flavor = "multi_thread")]
async fn withdrawals_are_posted_by_their_lines() {
    let scene = Scene::set().await;
    scene.sold(gbp(10_000)).await;
    let out = line("out", LineKind::Withdrawal, gbp(-5000), scene.now());
    scene.provider.write(BalanceLine { fee: 15, ..out });
    scene.provider.write(line("back", LineKind::Withdrawal, gbp(2000), scene.now()));
    let system = Actor::system();
    let (one, other) = tokio::join!(scene.nodes[0].run(&system), scene.nodes[1].run(&system));
    let matched: u64 = [one, other].into_iter().map(|runs| runs.unwrap()[0].matched).sum();
    assert_eq!(matched, 3);
    scene.run().await;
    assert_eq!(scene.own(AccountKind::Bank, Currency::GBP).await, 3000);
    assert_eq!(scene.own(AccountKind::ProcessingFees, Currency::GBP).await, FEE + 15);
    let summary = scene.summary(Currency::GBP).await;
    assert_eq!((summary.ledger_balance, summary.difference), (gbp(10_000 - FEE - 5015 + 2000), gbp(0)));
    assert_eq!(scene.open().await, []);
    scene.end().await;
}

/// Whoever changes what reconciliation wrote is found out.
#[tokio::test(flavor = "multi_thread")]
async fn verification_finds_what_was_tampered_with() {
    for (sql, invariant) in [
        (
            "UPDATE payments.reconciled_entries SET amount = amount + 1 WHERE part = 'amount'",
            "reconciliation/lines_agree",
        ),
        ("DELETE FROM payments.reconciled_entries WHERE part = 'fee'", "reconciliation/entries_agree"),
        (
            "UPDATE payments.reconciled_entries SET reference = NULL, state = 'pending'",
            "reconciliation/lines_agree",
        ),
        ("DELETE FROM payments.reconciled_lines", "reconciliation/lines_agree"),
        (
            "UPDATE payments.reconciliation_exceptions SET actual = actual + 1",
            "reconciliation/exceptions_add_up",
        ),
        (
            "UPDATE payments.reconciliation_exceptions SET state = 'settled', ended_at = now(), outcome = 'x'",
            "reconciliation/exceptions_add_up",
        ),
    ] {
        let scene = Scene::set().await;
        scene.sold(gbp(1000)).await;
        scene.provider.write(line("bill", LineKind::Other, gbp(-70), scene.now()));
        scene.run().await;
        let before = scene.violations().await;
        assert_eq!(before.len(), 1, "{before:?}");
        assert_eq!(before[0].invariant, "reconciliation/books_agree");
        sqlx::query(sql).execute(scene.test.database.pool()).await.unwrap();
        let after = scene.violations().await;
        assert!(after.iter().any(|one| one.invariant == invariant), "{sql}: {after:?}");
        let rewriting = "UPDATE payments.balance_lines SET amount = 0";
        assert!(sqlx::query(rewriting).execute(scene.test.database.pool()).await.is_err());
        drop(scene.nodes);
        scene.other.close().await;
        scene.test.drop().await;
    }
}
