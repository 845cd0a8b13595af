//! Many callers, two nodes: batches of mixed commands never oversell, never lock each other out, and fail alone.

use std::collections::HashSet;

use inventory::{Error, ReservationState};
use sqlx::Executor;
use testkit::{NewProduct, TestApp};
use tokio::task::JoinSet;

use crate::{another_node, line, new_id, request, violations};

/// Two hundred buyers on two nodes race for thirty units; a third of the winners give theirs back, a third pay. Nobody
/// gets what is not there, and what was given back goes to somebody else or is there at the end.
#[tokio::test(flavor = "multi_thread")]
async fn never_oversells_to_a_crowd_on_two_nodes() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 30, ..NewProduct::default() }).await;
    let nodes = [test.app.inventory.clone(), another_node(&test)];
    let mut crowd = JoinSet::new();
    for turn in 0..200_usize {
        let (node, id) = (nodes[turn % 2].clone(), new_id(&test));
        crowd.spawn(async move {
            match node.reserve(request(id, &[line(variant, 1)])).await {
                Ok(()) if turn % 3 == 0 => {
                    node.release(id).await.unwrap();
                    (1, 0, 0)
                }
                Ok(()) if turn % 3 == 1 => {
                    node.sell(id).await.unwrap();
                    (0, 1, 0)
                }
                Ok(()) => (0, 0, 1),
                Err(Error::OutOfStock(_)) => (0, 0, 0),
                Err(other) => panic!("{other}"),
            }
        });
    }
    let outcomes = crowd.join_all().await;
    let sum = |of: fn(&(i64, i64, i64)) -> i64| outcomes.iter().map(of).sum::<i64>();
    let (released, sold, held) = (sum(|one| one.0), sum(|one| one.1), sum(|one| one.2));
    assert!(sold + held <= 30 && released + sold + held >= 30, "{released} {sold} {held}");
    assert_eq!(test.available(variant).await, 30 - sold - held);
    assert_eq!(violations(&test).await, [] as [String; 0]);
    test.run_jobs().await;
}

/// Of many who ask for the same under one id at the same time, on both nodes, all get the first answer, and the units
/// are taken once; selling and releasing race, and one of them decides.
#[tokio::test(flavor = "multi_thread")]
async fn duplicates_on_two_nodes_are_one() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 100, ..NewProduct::default() }).await;
    let nodes = [test.app.inventory.clone(), another_node(&test)];
    let ids: Vec<_> = (0..20).map(|_| new_id(&test)).collect();
    let mut duplicates = JoinSet::new();
    for turn in 0..160_usize {
        let (node, id) = (nodes[turn % 2].clone(), ids[turn / 2 % 20]);
        duplicates.spawn(async move { node.reserve(request(id, &[line(variant, 2)])).await });
    }
    duplicates.join_all().await.into_iter().for_each(|answer| answer.unwrap());
    assert_eq!(test.available(variant).await, 60);
    let mut settling = JoinSet::new();
    for turn in 0..160_usize {
        let (node, id) = (nodes[turn % 2].clone(), ids[turn / 2 % 20]);
        settling.spawn(async move {
            match turn % 4 {
                0 | 3 => (id, node.sell(id).await.is_ok()),
                _ => (id, node.release(id).await.is_err()),
            }
        });
    }
    let told_sold: HashSet<_> =
        settling.join_all().await.into_iter().filter(|(_, sold)| *sold).map(|(id, _)| id).collect();
    let states = test.app.inventory.states(&ids).await.unwrap();
    for id in ids {
        let sold = states[&id] == ReservationState::Sold;
        assert_eq!(sold, told_sold.contains(&id), "whoever was told that it is sold was told the truth");
    }
    assert_eq!(violations(&test).await, [] as [String; 0]);
    test.run_jobs().await;
}

/// Buyers on two nodes who want the same ten things in opposite orders never wait for each other in a circle.
#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_never_deadlock() {
    let test = TestApp::start().await;
    let mut variants = Vec::new();
    for slug in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        variants.push(test.product(NewProduct { slug, stock: 1000, ..NewProduct::default() }).await);
    }
    let nodes = [test.app.inventory.clone(), another_node(&test)];
    let mut buyers = JoinSet::new();
    for turn in 0..120_usize {
        let (node, id) = (nodes[turn % 2].clone(), new_id(&test));
        let mut lines: Vec<_> = variants.iter().map(|variant| line(*variant, 1)).collect();
        lines.rotate_left(turn % 10);
        if turn % 2 == 0 {
            lines.reverse();
        }
        buyers.spawn(async move {
            node.reserve(request(id, &lines)).await?;
            if turn % 3 == 0 { node.release(id).await } else { node.sell(id).await }
        });
    }
    buyers.join_all().await.into_iter().for_each(|outcome| outcome.unwrap());
    for variant in variants {
        assert_eq!(test.available(variant).await, 920);
    }
    assert_eq!(violations(&test).await, [] as [String; 0]);
    test.run_jobs().await;
}

/// A request that the database can not keep fails by itself; those beside it are served.
#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_request_fails_alone() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 100, ..NewProduct::default() }).await;
    let poison =
        "ALTER TABLE inventory.reservations ADD CONSTRAINT poison CHECK (13 <> ALL (quantities)) NOT VALID";
    test.app.database.pool().execute(poison).await.unwrap();
    let mut buyers = JoinSet::new();
    for turn in 0..40_i64 {
        let (inventory, id) = (test.app.inventory.clone(), new_id(&test));
        let units = if turn == 17 { 13 } else { 1 };
        buyers.spawn(async move { (units, inventory.reserve(request(id, &[line(variant, units)])).await) });
    }
    for (units, outcome) in buyers.join_all().await {
        assert_eq!(outcome.is_err(), units == 13, "{outcome:?}");
    }
    assert_eq!(test.available(variant).await, 61);
    test.run_jobs().await;
}

/// What is given back is there for whoever comes next in the same batch.
#[tokio::test(flavor = "multi_thread")]
async fn later_commands_see_what_earlier_ones_did() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 1, ..NewProduct::default() }).await;
    let inventory = &test.app.inventory;
    let (first, second, third) = (new_id(&test), new_id(&test), new_id(&test));
    inventory.reserve(request(first, &[line(variant, 1)])).await.unwrap();
    let lines = [line(variant, 1)];
    let (refused, released, reserved, sold) = tokio::join!(
        inventory.reserve(request(second, &lines)),
        inventory.release(first),
        inventory.reserve(request(third, &lines)),
        inventory.sell(third),
    );
    assert!(matches!(refused, Err(Error::OutOfStock(_))), "{refused:?}");
    released.unwrap();
    reserved.unwrap();
    sold.unwrap();
    assert_eq!(test.available(variant).await, 0);
    assert_eq!(violations(&test).await, [] as [String; 0]);
    test.run_jobs().await;
}
