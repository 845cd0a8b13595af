//! What becomes of payouts.

use identity::Actor;
use time::Duration;

use super::super::{PayoutState, Payouts};
use super::Scene;
use super::fake::Mood;
use crate::payment::Applied;
use crate::provider::{AccountState, PayoutStatus};
use PayoutState::{Created, Failed, Paid, Returned, Sent};

fn failed() -> PayoutStatus {
    PayoutStatus::Failed("account_closed".to_owned())
}

/// What failed or came back is owed again, and the next run pays it as another payout.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_or_comes_back_is_paid_later() {
    let scene = Scene::daily().await;
    let store = scene.store().await;
    scene.sell(store, 1000).await;
    scene.days(1).await;
    let first = scene.payouts(store).await.remove(0);
    assert_eq!(scene.tell(&first, failed()).await, Applied::Done);
    assert_eq!(scene.tell(&first, failed()).await, Applied::Ignored);
    assert_eq!(scene.tell(&first, PayoutStatus::Paid).await, Applied::Ignored, "that is too late");
    assert_eq!(scene.balance(store).await.payable.amount, 880);
    assert_eq!(scene.told(store).await, [(880, Failed)]);
    assert_eq!(scene.payouts(store).await[0].failure.as_deref(), Some("account_closed"));
    scene.days(1).await;
    let second = scene.payouts(store).await.remove(1);
    assert_eq!(scene.tell(&second, PayoutStatus::Paid).await, Applied::Done);
    assert_eq!(scene.tell(&second, PayoutStatus::Sent).await, Applied::Ignored);
    assert_eq!(scene.told(store).await, [(880, Failed), (880, Paid)]);
    assert_eq!(scene.tell(&second, PayoutStatus::Returned("x".to_owned())).await, Applied::Done);
    assert_eq!(scene.balance(store).await.payable.amount, 880);
    scene.days(1).await;
    assert_eq!(scene.told(store).await, [(880, Failed), (880, Returned), (880, Sent)]);
    // The same entries stand in each of the three, and are alive in one.
    let itemised = scene.desk().payout(&Actor::system(), store, second.id).await.unwrap();
    assert_eq!(itemised.items.len(), 3 + 2, "a sale of three entries, and what opened the account");
    scene.end().await;
}

/// A notice may come before the provider's answer, and by the provider's name alone.
#[tokio::test(flavor = "multi_thread")]
async fn notices_overtake_answers() {
    let scene = Scene::daily().await;
    let store = scene.store().await;
    scene.sell(store, 1000).await;
    scene.clock.advance(Duration::DAY);
    assert_eq!(scene.round().await, 1);
    let payout = scene.payouts(store).await.remove(0);
    assert_eq!(payout.state, Created);
    let unknown = scene.sources.id();
    let said = scene.tell_as(Some(unknown), "po_x", PayoutStatus::Paid).await;
    assert!(matches!(said, Applied::Waits(_)), "it may be on its way");
    assert_eq!(scene.tell_as(None, "po_x", PayoutStatus::Paid).await, Applied::Ignored);
    assert_eq!(scene.tell(&payout, PayoutStatus::Paid).await, Applied::Done);
    assert_eq!(scene.round().await, 0, "it is not asked for any more");
    assert_eq!(scene.told(store).await, [(880, Paid)]);
    // One of another name is not this one.
    assert_eq!(scene.tell_as(Some(payout.id), "po_other", failed()).await, Applied::Ignored);
    let reference = super::fake::reference(payout.id, 1);
    assert_eq!(
        scene.tell_as(None, &reference, failed()).await,
        Applied::Done,
        "it had been called paid too early"
    );
    assert_eq!(scene.told(store).await, [(880, Returned)]);
    scene.end().await;
}

/// While the provider is away a payout waits, asked for again under the same id, later and later; nothing is sent twice.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_waited_for() {
    let scene = Scene::daily().await;
    let store = scene.store().await;
    scene.sell(store, 1000).await;
    scene.clock.advance(Duration::DAY);
    scene.provider.set(Mood::Mumbling);
    for _ in 0..20 {
        scene.round().await;
        scene.clock.advance(Duration::minutes(5));
    }
    assert_eq!(scene.told(store).await, [(880, Created)]);
    let asked = scene.provider.asked();
    assert!((5..12).contains(&asked), "asked {asked} times in a hundred minutes");
    scene.provider.set(Mood::Willing);
    scene.clock.advance(Duration::HOUR);
    scene.round().await;
    assert_eq!(scene.told(store).await, [(880, Sent)]);
    assert_eq!(scene.provider.transfers().len(), 1);
    scene.end().await;
}

/// After most of a day a person decides: by then the provider may have forgotten that it was asked before.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_long_outage_a_person_decides() {
    let scene = Scene::daily().await;
    let store = scene.store().await;
    scene.sell(store, 1000).await;
    scene.clock.advance(Duration::DAY);
    scene.provider.set(Mood::Away);
    for _ in 0..100 {
        scene.round().await;
        scene.clock.advance(Duration::minutes(30));
    }
    scene.provider.set(Mood::Willing);
    scene.days(2).await;
    assert_eq!(scene.told(store).await, [(880, Created)], "it is not asked for by itself");
    let payout = scene.payouts(store).await.remove(0);
    assert!(scene.desk().cancel(&Actor::system(), payout.id, "r").await.is_err(), "the provider may have it");
    let again = scene.desk().retry(&Actor::system(), payout.id, "it was down").await.unwrap();
    assert_eq!(again.id, payout.id);
    scene.round().await;
    assert_eq!(scene.told(store).await, [(880, Sent)]);
    scene.end().await;
}

/// What the provider refuses comes to nothing at once; while the account is not active nothing is made.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_and_restricted_accounts() {
    let scene = Scene::daily().await;
    let store = scene.store().await;
    scene.sell(store, 1000).await;
    scene.provider.set(Mood::Unwilling);
    scene.days(1).await;
    assert_eq!(scene.told(store).await, [(880, Failed)]);
    let reference = format!("acct_{store}");
    let moved = async |state| {
        let now = scene.sources.now();
        let mut tx = scene.test.database.begin().await.unwrap();
        let applied = super::super::account_moved(&mut tx, "fake", &reference, state, now).await.unwrap();
        tx.commit(now).await.unwrap();
        applied
    };
    assert_eq!(moved(AccountState::Restricted).await, Applied::Done);
    assert_eq!(moved(AccountState::Restricted).await, Applied::Ignored);
    scene.days(3).await;
    assert_eq!(scene.told(store).await.len(), 1);
    scene.provider.set(Mood::Willing);
    assert_eq!(moved(AccountState::Active).await, Applied::Done);
    scene.round().await;
    scene.round().await;
    assert_eq!(scene.told(store).await, [(880, Failed), (880, Sent)]);
    assert_eq!(scene.provider.transfers().len(), 1);
    scene.end().await;
}

/// An account that is not open yet says where to say more, and nothing is sent there.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_opened_in_two_steps() {
    let scene = Scene::daily().await;
    let (actor, store) = (Actor::system(), scene.sources.id());
    assert!(scene.desk().account(&actor, store).await.is_err());
    scene.provider.set(Mood::Unwilling);
    let account = scene.desk().open_account(&actor, store, "https://back.example").await.unwrap();
    assert_eq!(account.state, "onboarding");
    assert!(account.onboarding_url.unwrap().ends_with("https://back.example"));
    scene.adjust(store, 100, platform::Currency::GBP).await;
    scene.days(2).await;
    assert_eq!(scene.told(store).await, []);
    scene.provider.set(Mood::Willing);
    let account = scene.desk().open_account(&actor, store, "https://back.example").await.unwrap();
    assert_eq!((account.state.as_str(), account.onboarding_url), ("active", None));
    assert_eq!(scene.audited("payout_account.opened").await, 1);
    scene.days(2).await;
    assert_eq!(scene.told(store).await, [(100, Sent)]);
    scene.end().await;
}
