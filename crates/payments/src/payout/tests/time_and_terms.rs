//! When money is paid out, and how much of it: schedules, holds, minimums, debts, reserves, currencies.

use identity::Actor;
use platform::Currency;
use time::Duration;

use super::super::{PayoutDefaults, PayoutState, Payouts, PutPayoutSettings, Schedule};
use super::Scene;
use PayoutState::Sent;

/// A sale waits for its week, and then for the store's Monday; what is paid is what the store gets of it.
#[tokio::test(flavor = "multi_thread")]
async fn sales_wait_for_their_time_and_for_monday() {
    let scene = Scene::set().await;
    let store = scene.store().await;
    scene.sell(store, 1000).await;
    let balance = scene.balance(store).await;
    assert_eq!((balance.payable.amount, balance.available.amount, balance.on_hold.amount), (880, 0, 880));
    scene.clock.advance(Duration::hours(6 * 24 + 12));
    assert_eq!(scene.round().await, 0, "on the first Monday it is half a day too young");
    scene.clock.advance(Duration::hours(12));
    assert_eq!(scene.balance(store).await.available.amount, 880, "by noon its week is over");
    assert_eq!(scene.round().await, 0, "but Monday's turn is, too");
    scene.clock.advance(Duration::hours(6 * 24 + 12));
    assert_eq!(scene.round().await, 1, "made on Monday, at the first moment of it");
    assert_eq!(scene.round().await, 1, "sent");
    assert_eq!(scene.round().await, 0);
    assert_eq!(scene.told(store).await, [(880, Sent)]);
    let balance = scene.balance(store).await;
    assert_eq!((balance.payable.amount, balance.in_transit.amount), (0, 880));
    scene.days(14).await;
    assert_eq!(scene.told(store).await, [(880, Sent)], "once");
    scene.end().await;
}

/// Each store has its own schedule; `manual` has none.
#[tokio::test(flavor = "multi_thread")]
async fn stores_choose_their_schedules() {
    let scene = Scene::daily().await;
    let mut stores = Vec::new();
    for schedule in ["daily", "weekly thursday", "monthly 15", "manual"] {
        let store = scene.store().await;
        let schedule: Schedule = schedule.parse().unwrap();
        let put = PutPayoutSettings {
            schedule,
            minimum: Vec::new(),
            hold_days: None,
            reserve_basis_points: None,
            reserve_days: None,
        };
        let settings = scene.desk().put_settings(&Actor::system(), store, &put, 1).await.unwrap();
        assert_eq!((settings.schedule, settings.hold_days, settings.version), (schedule, 0, 2));
        assert_eq!(scene.desk().settings(&Actor::system(), store).await.unwrap(), settings);
        assert!(scene.desk().put_settings(&Actor::system(), store, &put, 1).await.is_err(), "an old version");
        stores.push(store);
    }
    // From Monday the first to Tuesday the thirtieth of June, one sale each day at noon.
    for _ in 0..29 {
        for store in &stores {
            scene.sell(*store, 100).await;
        }
        scene.days(1).await;
    }
    let mut made = Vec::new();
    for store in &stores {
        let payouts = scene.payouts(*store).await;
        made.push(payouts.iter().map(|payout| payout.created_at.day()).collect::<Vec<_>>());
    }
    assert_eq!(made[0], (2..=30).collect::<Vec<u8>>());
    assert_eq!(made[1], [4, 11, 18, 25]);
    assert_eq!(made[2], [15]);
    assert_eq!(made[3], [0_u8; 0]);
    assert_eq!(scene.audited("payout_settings.changed").await, 4);
    scene.end().await;
}

/// Below its minimum nothing is sent; it adds up until it is enough.
#[tokio::test(flavor = "multi_thread")]
async fn little_waits_until_it_is_enough() {
    let scene = Scene::daily().await;
    let store = scene.store().await;
    let put = PutPayoutSettings {
        schedule: Schedule::Daily,
        minimum: vec![platform::Money::new(200, Currency::GBP)],
        hold_days: None,
        reserve_basis_points: None,
        reserve_days: None,
    };
    scene.desk().put_settings(&Actor::system(), store, &put, 1).await.unwrap();
    for expected in [0, 0, 1] {
        scene.sell(store, 100).await;
        scene.days(1).await;
        assert_eq!(scene.told(store).await.len(), expected);
    }
    assert_eq!(scene.told(store).await, [(264, Sent)]);
    scene.end().await;
}

/// Whoever owes is paid nothing, and later payouts make the debt good.
#[tokio::test(flavor = "multi_thread")]
async fn debts_are_taken_of_later_payouts() {
    let scene = Scene::daily().await;
    let store = scene.store().await;
    scene.sell(store, 1000).await;
    scene.days(1).await;
    scene.adjust(store, -500, Currency::GBP).await;
    assert_eq!(scene.balance(store).await.payable.amount, -500);
    scene.days(2).await;
    scene.sell(store, 500).await;
    scene.days(2).await;
    assert_eq!(scene.told(store).await, [(880, Sent)], "60 are still owed");
    scene.sell(store, 1000).await;
    scene.days(1).await;
    assert_eq!(scene.told(store).await, [(880, Sent), (880 + 440 - 500, Sent)]);
    assert_eq!(scene.balance(store).await.payable.amount, 0);
    scene.end().await;
}

/// A debt counts at once, also while the sale that it is about waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_debt_does_not_wait() {
    let scene = Scene::with(PayoutDefaults { schedule: Schedule::Daily, ..PayoutDefaults::default() }).await;
    let store = scene.store().await;
    scene.sell(store, 1000).await;
    scene.days(6).await;
    scene.sell(store, 1000).await;
    scene.adjust(store, -500, Currency::GBP).await;
    let balance = scene.balance(store).await;
    assert_eq!((balance.payable.amount, balance.available.amount), (1260, -500));
    scene.days(2).await;
    assert_eq!(scene.told(store).await, [(380, Sent)]);
    scene.days(7).await;
    assert_eq!(scene.told(store).await, [(380, Sent), (880, Sent)]);
    scene.end().await;
}

/// A part of each sale is kept back for its time, whole, and then released; an order has a part for each store.
#[tokio::test(flavor = "multi_thread")]
async fn reserves_are_kept_and_released() {
    let defaults = PayoutDefaults {
        schedule: Schedule::Daily,
        hold_days: 2,
        reserve_basis_points: 1000,
        reserve_days: 10,
    };
    let scene = Scene::with(defaults).await;
    let (one, other) = (scene.store().await, scene.store().await);
    let sale = scene.sell_at(&[one, other], 1000, Currency::GBP).await;
    // Written again it is not kept again.
    scene.post(&sale).await;
    let balance = scene.balance(one).await;
    assert_eq!((balance.payable.amount, balance.on_hold.amount, balance.reserve.amount), (792, 792, 88));
    scene.days(3).await;
    assert_eq!(scene.told(one).await, [(792, Sent)]);
    assert_eq!(scene.told(other).await, [(792, Sent)]);
    // What is refunded meanwhile is taken of what it is owed; the reserve makes it good in its time.
    scene.adjust(one, -50, Currency::GBP).await;
    scene.days(6).await;
    assert_eq!(scene.balance(one).await.reserve.amount, 88);
    scene.days(2).await;
    assert_eq!(scene.balance(one).await.reserve.amount, 0);
    assert_eq!(scene.told(one).await, [(792, Sent), (38, Sent)]);
    assert_eq!(scene.told(other).await, [(792, Sent), (88, Sent)]);
    scene.end().await;
}

/// A rate that is set later keeps nothing back of what was sold before.
#[tokio::test(flavor = "multi_thread")]
async fn a_reserve_is_of_later_sales() {
    let scene = Scene::daily().await;
    let store = scene.store().await;
    let before = scene.sell(store, 1000).await;
    let put = PutPayoutSettings {
        schedule: Schedule::Daily,
        minimum: Vec::new(),
        hold_days: Some(0),
        reserve_basis_points: Some(10_000),
        reserve_days: Some(1),
    };
    scene.desk().put_settings(&Actor::system(), store, &put, 1).await.unwrap();
    scene.post(&before).await;
    assert_eq!(scene.balance(store).await.reserve.amount, 0);
    scene.sell(store, 100).await;
    let balance = scene.balance(store).await;
    assert_eq!((balance.reserve.amount, balance.payable.amount), (88, 880));
    scene.days(1).await;
    assert_eq!(scene.told(store).await, [(968, Sent)], "what is released today is paid today");
    scene.end().await;
}

/// Currencies are never mixed: each has its own balance and its own payout, in its own minor units.
#[tokio::test(flavor = "multi_thread")]
async fn currencies_stay_apart() {
    let scene = Scene::daily().await;
    let store = scene.store().await;
    for (code, amount) in [("GBP", 1000), ("JPY", 50_000), ("KWD", 12_345)] {
        scene.sell_at(&[store], amount, code.parse().unwrap()).await;
    }
    scene.adjust(store, -700, "EUR".parse().unwrap()).await;
    scene.days(1).await;
    let mut sent: Vec<String> =
        scene.payouts(store).await.iter().map(|payout| payout.amount.to_string()).collect();
    sent.sort();
    assert_eq!(sent, ["10.865 KWD", "44000 JPY", "8.80 GBP"], "a debt in euros is made good in euros alone");
    scene.end().await;
}
