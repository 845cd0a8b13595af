//! Many at once, and many in a row: every entry is paid once.

use std::sync::Arc;

use identity::Actor;
use platform::{Currency, Database};
use time::Duration;
use tokio::task::JoinSet;

use super::super::{PayoutDefaults, PayoutMark, PayoutRun, PayoutState, Payouts, Schedule};
use super::Scene;
use super::fake::Mood;
use crate::provider::PayoutStatus;

/// Two nodes that go through the same stores at the same time make one payout for each, and send it once.
#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_make_one_payout() {
    let scene = Scene::daily().await;
    let mut stores = Vec::new();
    for _ in 0..5 {
        let store = scene.store().await;
        scene.sell(store, 1000).await;
        stores.push(store);
    }
    scene.clock.advance(Duration::DAY);
    for _ in 0..4 {
        let mut rounds = JoinSet::new();
        for turn in 0..8 {
            let desk = Arc::clone(&scene.nodes[turn % 2]);
            rounds.spawn(async move { desk.carry_on(&Actor::system()).await.unwrap() });
        }
        rounds.join_all().await;
    }
    for store in stores {
        assert_eq!(scene.told(store).await, [(880, PayoutState::Sent)]);
    }
    assert_eq!(scene.provider.asked(), 5, "each was asked for by one node");
    scene.end().await;
}

/// Somebody who pays out by hand meets the schedule, and refunds meet both: never more is paid than is owed.
#[tokio::test(flavor = "multi_thread")]
async fn hands_and_schedules_meet() {
    let scene = Arc::new(Scene::daily().await);
    let store = scene.store().await;
    for _ in 0..10 {
        scene.sell(store, 100).await;
    }
    scene.clock.advance(Duration::DAY);
    let mut at_once = JoinSet::new();
    for turn in 0..10 {
        let scene = Arc::clone(&scene);
        at_once.spawn(async move {
            let desk = &scene.nodes[turn % 2];
            match turn % 3 {
                0 => _ = desk.carry_on(&Actor::system()).await.unwrap(),
                1 => {
                    let run = PayoutRun { store, most: None, reason: "now".to_owned() };
                    drop(desk.run(&Actor::system(), &run).await);
                }
                _ => scene.adjust(store, -7, Currency::GBP).await,
            }
        });
    }
    at_once.join_all().await;
    scene.days(1).await;
    let paid: i64 = scene.told(store).await.iter().map(|(amount, _)| amount).sum();
    let balance = scene.balance(store).await.payable.amount;
    assert_eq!(paid + balance, 10 * 88 - 3 * 7);
    assert_eq!(scene.violations().await, []);
    Arc::into_inner(scene).unwrap().end().await;
}

/// A small generator, so that a run can be repeated (Knuth's multiplier).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// How often an entry stands in live payouts, at most.
async fn most_often(database: &Database) -> i64 {
    sqlx::query_scalar(
        "SELECT coalesce(max(times), 0) FROM (SELECT count(*) AS times FROM payments.payout_items i
         JOIN payments.payouts p ON p.id = i.payout_id
         WHERE p.state IN ('created', 'sent', 'paid') GROUP BY i.seq, i.line) counted",
    )
    .fetch_one(database.pool())
    .await
    .unwrap()
}

/// Whatever happens, in whatever order: what the store earned is what it is owed and what it was paid, each entry is in one
/// live payout at most, and in the end all that is owed is paid.
#[tokio::test(flavor = "multi_thread")]
async fn every_entry_is_paid_once() {
    for seed in 1..=4 {
        let scene = Scene::daily().await;
        let (actor, store) = (Actor::system(), scene.store().await);
        let (mut chance, mut earned) = (Chance(seed), 0);
        for _ in 0..60 {
            let payouts = scene.payouts(store).await;
            let any = usize::try_from(chance.below(payouts.len().max(1) as u64)).unwrap();
            let any = payouts.get(any);
            match (chance.below(10), any) {
                (0..=2, _) => {
                    let amount = i64::try_from(100 + chance.below(900)).unwrap();
                    scene.sell(store, amount).await;
                    earned += amount - amount / 10 - amount / 50;
                }
                (3, _) => {
                    let amount = i64::try_from(chance.below(600)).unwrap() - 500;
                    if amount != 0 {
                        scene.adjust(store, amount, Currency::GBP).await;
                        earned += amount;
                    }
                }
                (4, _) => {
                    let moods = [Mood::Willing, Mood::Away, Mood::Mumbling, Mood::Unwilling];
                    scene.provider.set(moods[usize::try_from(chance.below(4)).unwrap()]);
                }
                (5, Some(payout)) if payout.sent_at.is_some() => {
                    let words = [
                        PayoutStatus::Paid,
                        PayoutStatus::Failed("x".to_owned()),
                        PayoutStatus::Returned("x".to_owned()),
                    ];
                    let word = words[usize::try_from(chance.below(3)).unwrap()].clone();
                    scene.tell(payout, word).await;
                }
                (6, Some(payout)) => drop(scene.desk().retry(&actor, payout.id, "r").await),
                (7, Some(payout)) => drop(scene.desk().cancel(&actor, payout.id, "r").await),
                (8, Some(payout)) => {
                    drop(scene.desk().mark(&actor, payout.id, PayoutMark::Paid, "r").await);
                }
                _ => scene.days(1).await,
            }
            let live = scene.told(store).await.into_iter().filter(|(_, state)| state.is_live());
            let paid: i64 = live.map(|(amount, _)| amount).sum();
            let owed = scene.desk().balances(&actor, store).await.unwrap();
            assert_eq!(owed.first().map_or(0, |one| one.payable.amount) + paid, earned, "seed {seed}");
            assert!(most_often(&scene.test.database).await <= 1);
        }
        assert_eq!(scene.violations().await, [], "seed {seed}");
        scene.provider.set(Mood::Willing);
        scene.sell(store, 100_000).await;
        scene.days(3).await;
        assert_eq!(scene.balance(store).await.payable.amount, 0, "seed {seed}: nothing is left behind");
        scene.end().await;
    }
}

/// Whatever of the proofs is broken shows, and under its name.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_shows() {
    let scene = Scene::with(PayoutDefaults {
        schedule: Schedule::Daily,
        hold_days: 0,
        reserve_basis_points: 1000,
        reserve_days: 90,
    })
    .await;
    let store = scene.store().await;
    scene.sell(store, 1000).await;
    scene.days(1).await;
    scene.sell(store, 1000).await;
    let run = PayoutRun { store, most: None, reason: "now".to_owned() };
    scene.desk().run(&Actor::system(), &run).await.unwrap();
    assert_eq!(scene.violations().await, []);
    // What is copied is connected to by nobody else.
    scene.other.close().await;
    for (sql, expected) in [
        ("UPDATE payments.payout_items SET live = false WHERE amount = 1000", "payouts/owed_is_unpaid"),
        ("UPDATE payments.payout_items SET live = false WHERE amount = 1000", "payouts/items_are_entries"),
        (
            "UPDATE payments.payout_items SET amount = amount + 1 WHERE amount = 1000",
            "payouts/items_are_entries",
        ),
        ("DELETE FROM payments.payout_items WHERE amount = 1000", "payouts/is_its_items"),
        ("UPDATE payments.payouts SET store_id = gen_random_uuid()", "payouts/items_are_entries"),
        ("UPDATE payments.payouts SET amount = amount + 1 WHERE state = 'sent'", "payouts/is_its_items"),
        ("UPDATE payments.payouts SET state = 'sent' WHERE state = 'created'", "payouts/is_posted"),
        (
            "UPDATE payments.payouts SET state = 'sent', due_at = NULL WHERE state = 'created'",
            "payouts/transit_is_waiting",
        ),
        ("UPDATE payments.reserves SET released_at = kept_at", "payouts/reserves_add_up"),
        ("DELETE FROM payments.reserves", "payouts/reserves_add_up"),
    ] {
        let copy = scene.test.copy().await;
        let sql = format!("UPDATE payments.payouts SET due_at = NULL; {sql}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone())).execute(copy.database.pool()).await.unwrap();
        let mut found = super::super::violations(&copy.database).await.unwrap();
        found.extend(crate::reserve::violations(&copy.database).await.unwrap());
        assert!(found.iter().any(|one| one.invariant == expected), "{sql}: {found:?}");
        copy.drop().await;
    }
    let twice = "INSERT INTO payments.payouts SELECT gen_random_uuid(), store_id, provider, account, amount, currency, state,
                     origin, attempt, retry_of, NULL, failure, note, arrives_at, asked_at, asks, due_at, created_at, sent_at,
                     ended_at FROM payments.payouts WHERE state = 'sent';
                 INSERT INTO payments.payout_items SELECT p.id, i.seq, i.line, i.amount, true
                 FROM payments.payout_items i, payments.payouts p
                 WHERE p.provider_reference IS NULL AND p.state = 'sent' AND i.payout_id <> p.id";
    let refused = sqlx::raw_sql(twice).execute(scene.test.database.pool()).await.unwrap_err();
    assert!(refused.to_string().contains("payout_items_once"), "no entry is paid twice: {refused}");
    scene.end().await;
}
