//! Few callers: what each command answers.

use catalog::VariantId;
use identity::Actor;
use inventory::{Error, Reason, ReservationState, Shortage};
use testkit::{NewProduct, TestApp};
use tokio::task::JoinSet;

use crate::{line, new_id, request};

/// Ten buyers race for three units: exactly three win, and none is lost.
#[tokio::test(flavor = "multi_thread")]
async fn never_oversells() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 3, ..NewProduct::default() }).await;
    let mut racers = JoinSet::new();
    for _ in 0..10 {
        let (inventory, id) = (test.app.inventory.clone(), new_id(&test));
        racers.spawn(async move { (id, inventory.reserve(request(id, &[line(variant, 1)])).await) });
    }
    let mut won = Vec::new();
    for (id, outcome) in racers.join_all().await {
        match outcome {
            Ok(()) => won.push(id),
            Err(Error::OutOfStock(shortages)) => assert_eq!(shortages[0].available, 0),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(won.len(), 3);
    assert_eq!(test.available(variant).await, 0);
    for id in won {
        test.app.inventory.release(id).await.unwrap();
    }
    assert_eq!(test.available(variant).await, 3);
    test.finish().await;
}

/// When one line can not be had, no line is reserved, and every shortage is named.
#[tokio::test(flavor = "multi_thread")]
async fn reserves_all_lines_or_none() {
    let test = TestApp::start().await;
    let plenty = test.product(NewProduct { slug: "plenty", stock: 10, ..NewProduct::default() }).await;
    let few = test.product(NewProduct { slug: "few", stock: 1, ..NewProduct::default() }).await;
    let none = test.product(NewProduct { slug: "none", stock: 0, ..NewProduct::default() }).await;
    let lines = [line(plenty, 2), line(few, 2), line(none, 1)];
    let Err(Error::OutOfStock(mut shortages)) =
        test.app.inventory.reserve(request(new_id(&test), &lines)).await
    else {
        panic!("there is not enough")
    };
    shortages.sort_by_key(|shortage| shortage.line);
    assert_eq!(
        shortages,
        [
            Shortage { line: 1, variant_id: few, requested: 2, available: 1 },
            Shortage { line: 2, variant_id: none, requested: 1, available: 0 },
        ]
    );
    assert_eq!(test.available(plenty).await, 10);
    test.finish().await;
}

/// Two lines of one variant count together.
#[tokio::test(flavor = "multi_thread")]
async fn adds_up_lines_of_one_variant() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 3, ..NewProduct::default() }).await;
    let twice = [line(variant, 2), line(variant, 2)];
    assert!(matches!(
        test.app.inventory.reserve(request(new_id(&test), &twice)).await,
        Err(Error::OutOfStock(_))
    ));
    assert_eq!(test.available(variant).await, 3);
    test.finish().await;
}

/// Repeating a command, also at the same time, changes nothing; and a reservation ends once.
#[tokio::test(flavor = "multi_thread")]
async fn commands_are_idempotent() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 5, ..NewProduct::default() }).await;
    let (sold, released) = (new_id(&test), new_id(&test));
    let mut duplicates = JoinSet::new();
    for _ in 0..8 {
        let inventory = test.app.inventory.clone();
        duplicates.spawn(async move { inventory.reserve(request(sold, &[line(variant, 2)])).await });
    }
    assert!(duplicates.join_all().await.iter().all(Result::is_ok));
    assert_eq!(test.available(variant).await, 3);

    let mut duplicates = JoinSet::new();
    for _ in 0..8 {
        let inventory = test.app.inventory.clone();
        duplicates.spawn(async move { inventory.sell(sold).await });
    }
    assert!(duplicates.join_all().await.iter().all(Result::is_ok));
    test.app.inventory.release(sold).await.unwrap();
    test.app.inventory.reserve(request(sold, &[line(variant, 2)])).await.unwrap();
    assert_eq!(test.available(variant).await, 3, "sold stays sold");

    test.app.inventory.reserve(request(released, &[line(variant, 3)])).await.unwrap();
    test.app.inventory.release(released).await.unwrap();
    test.app.inventory.release(released).await.unwrap();
    assert_eq!(test.available(variant).await, 3);
    assert!(matches!(test.app.inventory.sell(released).await, Err(Error::Released)));
    assert!(matches!(
        test.app.inventory.reserve(request(released, &[line(variant, 3)])).await,
        Err(Error::Released)
    ));
    let states = test.app.inventory.states(&[sold, released]).await.unwrap();
    assert_eq!(states[&sold], ReservationState::Sold);
    assert_eq!(states[&released], ReservationState::Released);
    assert!(matches!(test.app.inventory.sell(new_id(&test)).await, Err(Error::ReservationNotFound)));
    let never = new_id(&test);
    test.app.inventory.release(never).await.unwrap();
    assert!(matches!(
        test.app.inventory.reserve(request(never, &[line(variant, 1)])).await,
        Err(Error::Released)
    ));
    test.finish().await;
}

/// A refusal is an answer too: whoever asks again under the same id is refused, also when stock has come in.
/// Otherwise an order that was rejected could still be charged by whoever carries it on a second time.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_stays() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 1, ..NewProduct::default() }).await;
    let unknown: VariantId = test.app.sources.id();
    let (refused, nowhere) = (new_id(&test), new_id(&test));
    for _ in 0..2 {
        let Err(Error::OutOfStock(shortages)) =
            test.app.inventory.reserve(request(refused, &[line(variant, 2)])).await
        else {
            panic!("there is one only")
        };
        assert_eq!(shortages, [Shortage { line: 0, variant_id: variant, requested: 2, available: 1 }]);
        let unknown = test.app.inventory.reserve(request(nowhere, &[line(unknown, 1)])).await;
        assert!(matches!(unknown, Err(Error::OutOfStock(_))));
        test.adjust(variant, 5, Reason::Received).await;
    }
    assert!(matches!(test.app.inventory.sell(refused).await, Err(Error::Released)));
    test.app.inventory.reserve(request(new_id(&test), &[line(variant, 2)])).await.unwrap();
    assert_eq!(test.available(variant).await, 9);
}

/// What came with no stock can be opened with some, as long as nothing has happened to it.
#[tokio::test(flavor = "multi_thread")]
async fn an_opening_counts_until_something_happens() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 0, ..NewProduct::default() }).await;
    test.adjust(variant, 4, Reason::Opening).await;
    test.adjust(variant, 9, Reason::Opening).await;
    assert_eq!(test.available(variant).await, 4);
    test.finish().await;
}

/// Buyers who want the same things in different orders never wait for each other in a circle.
#[tokio::test(flavor = "multi_thread")]
async fn never_deadlocks() {
    let test = TestApp::start().await;
    let tea = test.product(NewProduct { slug: "tea", stock: 1000, ..NewProduct::default() }).await;
    let pot = test.product(NewProduct { slug: "pot", stock: 1000, ..NewProduct::default() }).await;
    let mut buyers = JoinSet::new();
    for turn in 0..60 {
        let (inventory, id) = (test.app.inventory.clone(), new_id(&test));
        let lines = if turn % 2 == 0 { [line(tea, 1), line(pot, 1)] } else { [line(pot, 1), line(tea, 1)] };
        buyers.spawn(async move {
            inventory.reserve(request(id, &lines)).await?;
            if turn % 3 == 0 { inventory.release(id).await } else { inventory.sell(id).await }
        });
    }
    for outcome in buyers.join_all().await {
        outcome.unwrap();
    }
    assert_eq!(test.available(tea).await, 960);
    test.finish().await;
}

/// What is reserved can not be taken away; an opening counts once; only Souk itself may adjust.
#[tokio::test(flavor = "multi_thread")]
async fn adjustments_leave_reservations_alone() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 5, ..NewProduct::default() }).await;
    test.app.inventory.reserve(request(new_id(&test), &[line(variant, 4)])).await.unwrap();
    let adjust =
        |quantity, reason| inventory::Adjustment { variant_id: variant, quantity, reason, note: None };
    let system = Actor::system();
    let too_much = test.app.inventory.adjust(&system, &[adjust(-2, Reason::Damaged)]).await;
    assert!(matches!(too_much, Err(Error::TooLittle(found)) if found == variant));
    assert_eq!(test.app.inventory.adjust(&system, &[adjust(-1, Reason::Damaged)]).await.unwrap(), 1);
    assert_eq!(test.app.inventory.adjust(&system, &[adjust(7, Reason::Opening)]).await.unwrap(), 0);
    assert_eq!(test.available(variant).await, 0);
    let stranger = test.app.inventory.adjust(&Actor::stranger(), &[adjust(7, Reason::Received)]).await;
    assert!(matches!(stranger, Err(Error::Forbidden)));
    // The reservation above belongs to no order: verification has to say so.
    let violations = test.violations().await;
    assert_eq!(
        violations.iter().map(|violation| violation.invariant).collect::<Vec<_>>(),
        ["inventory/hold_has_order"]
    );
}
