//! What people of the marketplace do with payouts and balances.

use std::sync::Arc;

use identity::{Actor, StoreId};
use platform::{Currency, Money};
use time::Duration;
use tokio::task::JoinSet;

use super::super::{PayoutMark, PayoutRun, PayoutState, Payouts, StatementFormat};
use super::Scene;
use crate::ledger::Rule;
use crate::{Adjusted, Adjusting, Error};
use PayoutState::{Cancelled, Created, Failed, Paid, Returned, Sent};

fn run(store: StoreId, most: Option<i64>) -> PayoutRun {
    let most = most.map(|amount| Money::new(amount, Currency::GBP));
    PayoutRun { store, most, reason: "asked for".to_owned() }
}

/// An operator pays out whatever the schedule says, but not what waits for its time, and no more than they say, in whole
/// sales.
#[tokio::test(flavor = "multi_thread")]
async fn operators_pay_out_when_they_like() {
    let scene = Scene::set().await;
    let (actor, store) = (Actor::system(), scene.store().await);
    for amount in [1000, 500, 300] {
        scene.sell(store, amount).await;
    }
    let nothing = scene.desk().run(&actor, &run(store, None)).await;
    assert!(matches!(nothing, Err(Error::NothingToPayOut)), "their week is not over");
    scene.clock.advance(Duration::days(8) - Duration::hours(13));
    scene.sell(store, 999).await;
    let made = scene.desk().run(&actor, &run(store, Some(1000))).await.unwrap();
    assert_eq!(made[0].amount.amount, 880, "the oldest first: with the next it were 1320");
    let made = scene.desk().run(&actor, &run(store, Some(1000))).await.unwrap();
    assert_eq!(made[0].amount.amount, 440 + 264);
    assert!(matches!(scene.desk().run(&actor, &run(store, None)).await, Err(Error::NothingToPayOut)));
    assert_eq!(scene.audited("payout.created").await, 2);
    let stranger = Actor::stranger();
    assert!(matches!(scene.desk().run(&stranger, &run(store, None)).await, Err(Error::Denied(_))));
    scene.end().await;
}

/// A payout that was not asked for is called off; the store's money is where it was, and can be paid again.
#[tokio::test(flavor = "multi_thread")]
async fn payouts_are_called_off_and_retried() {
    let scene = Scene::daily().await;
    let (actor, store) = (Actor::system(), scene.store().await);
    scene.sell(store, 1000).await;
    let first = scene.desk().run(&actor, &run(store, None)).await.unwrap().remove(0);
    let gone = scene.desk().cancel(&actor, first.id, "a mistake").await.unwrap();
    assert_eq!((gone.state, gone.note.as_deref()), (Cancelled, Some("a mistake")));
    assert!(scene.desk().cancel(&actor, first.id, "again").await.is_err());
    assert_eq!(scene.balance(store).await.payable.amount, 880);
    scene.adjust(store, -80, Currency::GBP).await;
    let second = scene.desk().retry(&actor, first.id, "it was none").await.unwrap();
    assert_eq!((second.amount.amount, second.attempt, second.retry_of), (800, 2, Some(first.id)));
    assert!(scene.desk().retry(&actor, first.id, "again").await.is_err(), "once");
    assert!(scene.desk().retry(&actor, second.id, "again").await.is_err(), "it is under way");
    scene.round().await;
    assert!(scene.desk().cancel(&actor, second.id, "late").await.is_err(), "it was asked for");
    assert_eq!(scene.told(store).await, [(880, Cancelled), (800, Sent)]);
    assert_eq!(scene.audited("payout.cancelled").await, 1);
    scene.end().await;
}

/// What the provider did not tell, somebody may know.
#[tokio::test(flavor = "multi_thread")]
async fn payouts_are_marked() {
    let scene = Scene::daily().await;
    let (actor, store) = (Actor::system(), scene.store().await);
    scene.sell(store, 1000).await;
    let first = scene.desk().run(&actor, &run(store, None)).await.unwrap().remove(0);
    let mark = async |mark| scene.desk().mark(&actor, first.id, mark, "the bank says so").await;
    assert!(mark(PayoutMark::Paid).await.is_err(), "nobody was asked to send it");
    scene.round().await;
    assert_eq!(mark(PayoutMark::Paid).await.unwrap().state, Paid);
    assert!(mark(PayoutMark::Paid).await.is_err());
    assert_eq!(mark(PayoutMark::Failed).await.unwrap().state, Returned);
    scene.days(1).await;
    let second = scene.payouts(store).await.remove(1);
    let lost = scene.desk().mark(&actor, second.id, PayoutMark::Failed, "it is lost").await.unwrap();
    assert_eq!((lost.state, lost.failure.as_deref()), (Failed, Some("it is lost")));
    assert_eq!(scene.audited("payout.marked").await, 3);
    assert_eq!(scene.balance(store).await.payable.amount, 880);
    scene.end().await;
}

/// While a store's payouts are held none is made and none is sent; then they go on.
#[tokio::test(flavor = "multi_thread")]
async fn payouts_are_held() {
    let scene = Scene::daily().await;
    let (actor, store) = (Actor::system(), scene.store().await);
    scene.sell(store, 1000).await;
    scene.desk().run(&actor, &run(store, None)).await.unwrap();
    let settings = scene.desk().pause(&actor, store, true, "we look into it").await.unwrap();
    assert_eq!(settings.paused.as_deref(), Some("we look into it"));
    scene.sell(store, 100).await;
    scene.days(3).await;
    assert_eq!(scene.told(store).await, [(880, Created)]);
    assert!(matches!(scene.desk().run(&actor, &run(store, None)).await, Err(Error::PayoutsPaused)));
    scene.desk().pause(&actor, store, false, "all is well").await.unwrap();
    while scene.round().await > 0 {}
    assert_eq!(scene.told(store).await, [(880, Sent), (88, Sent)]);
    assert_eq!((scene.audited("payouts.paused").await, scene.audited("payouts.resumed").await), (1, 1));
    scene.end().await;
}

/// An adjustment is made once per key, also when it is sent many times at once; another one with the key is refused.
#[tokio::test(flavor = "multi_thread")]
async fn adjustments_are_made_once() {
    let scene = Scene::daily().await;
    let store = scene.store().await;
    let pounds = |amount| Money::new(amount, Currency::GBP);
    let adjusting =
        Adjusting { whose: Adjusted::Store(store), amount: pounds(-250), reason: "a lost parcel".to_owned() };
    let mut senders = JoinSet::new();
    for turn in 0..10 {
        let (desk, adjusting) = (Arc::clone(&scene.nodes[turn % 2]), adjusting.clone());
        senders.spawn(async move { desk.adjust(&Actor::system(), &adjusting, "k").await.unwrap() });
    }
    let answers = senders.join_all().await;
    assert_eq!(answers.iter().filter(|(_, replayed)| !replayed).count(), 1);
    assert!(answers.iter().all(|(made, _)| *made == answers[0].0));
    assert_eq!(scene.balance(store).await.payable.amount, -250);
    let actor = Actor::system();
    let other = Adjusting { amount: pounds(-251), ..adjusting.clone() };
    assert!(matches!(scene.desk().adjust(&actor, &other, "k").await, Err(Error::KeyReused)));
    let nothing = Adjusting { amount: pounds(0), ..adjusting.clone() };
    assert!(matches!(scene.desk().adjust(&actor, &nothing, "n").await, Err(Error::Invalid { .. })));
    // A buyer's credit can be given and taken, as far as there is some.
    let credit = |amount| Adjusting {
        whose: Adjusted::Buyer(scene.sources.id()),
        amount: pounds(amount),
        ..adjusting.clone()
    };
    assert!(scene.desk().adjust(&actor, &credit(100), "g").await.is_ok());
    assert!(matches!(scene.desk().adjust(&actor, &credit(-100), "t").await, Err(Error::Invalid { .. })));
    let stranger = Actor::stranger();
    assert!(matches!(scene.desk().adjust(&stranger, &adjusting, "s").await, Err(Error::Denied(_))));
    scene.end().await;
}

/// The statement of a payout comes to its amount, that of a time to the balance at its end; they are the same as files.
#[tokio::test(flavor = "multi_thread")]
async fn statements_add_up() {
    let scene = Scene::daily().await;
    let (actor, store) = (Actor::system(), scene.store().await);
    let from = scene.sources.now();
    scene.sell(store, 1000).await;
    scene.days(1).await;
    scene.sell_at(&[store], 700, "JPY".parse().unwrap()).await;
    scene.sell(store, 250).await;
    let payout = scene.payouts(store).await.remove(0);
    let statement = scene.desk().payout_statement(&actor, store, payout.id).await.unwrap();
    assert_eq!((statement.opening.amount, statement.closing), (0, payout.amount));
    assert!(scene.desk().payout_statement(&actor, scene.sources.id(), payout.id).await.is_err());
    let read = async |from, to| scene.desk().statements(&actor, store, (from, to)).await.unwrap();
    let all = read(from, scene.sources.now() + Duration::SECOND).await;
    assert_eq!(all.len(), 2);
    let pounds = &all[0];
    assert_eq!((pounds.opening.amount, pounds.closing.amount), (0, 220));
    assert!(pounds.totals.iter().any(|total| total.rule == Rule::Payout && total.amount.amount == -880));
    let later = read(scene.sources.now(), scene.sources.now() + Duration::SECOND).await;
    assert_eq!((later[0].opening.amount, later[0].closing.amount), (880, 220));
    for format in [StatementFormat::Csv, StatementFormat::Pdf] {
        assert!(scene.desk().render(format, "Kiln & Kin", &all).unwrap().len() > 500);
    }
    let backwards = scene.desk().statements(&actor, store, (scene.sources.now(), from)).await;
    assert!(matches!(backwards, Err(Error::Invalid { .. })));
    scene.end().await;
}
