//! Several locations: where units are taken from, and what is switched off.

use catalog::{StoreId, VariantId};
use identity::Actor;
use inventory::{Error, LocationChange, NewLocation, Reason, Reserve, StockChange};
use platform::Currency;
use testkit::{NewProduct, TestApp};
use tokio::task::JoinSet;

use crate::{another_node, line, new_id, request, violations};

/// The store `shop` with locations in York and Lyon beside `main`.
async fn places(test: &TestApp) -> StoreId {
    let store = test.store("shop", Currency::GBP).await;
    for (code, country) in [("york", "GB"), ("lyon", "FR")] {
        let (name, country) = (code.to_uppercase(), Some(country.to_owned()));
        let new = NewLocation { code: code.parse().unwrap(), name, country };
        test.app.stock_keeping.create_location(&Actor::system(), store, &new).await.unwrap();
    }
    store
}

async fn receive(test: &TestApp, store: StoreId, variant: VariantId, location: &str, quantity: i64) {
    let location = Some(location.to_owned());
    let change = StockChange { quantity, reason: Reason::Received, note: None, location };
    test.app.stock_keeping.adjust_stock(&Actor::system(), store, variant, &change, None).await.unwrap();
}

/// What is reserved of a variant, by location.
async fn reserved(test: &TestApp, store: StoreId, variant: VariantId) -> Vec<(String, i64)> {
    let level = test.app.stock_keeping.level(&Actor::system(), store, variant).await.unwrap();
    level.locations.into_iter().map(|at| (at.location, at.reserved)).collect()
}

fn at(expected: [(&str, i64); 3]) -> Vec<(String, i64)> {
    expected.into_iter().map(|(code, units)| (code.to_owned(), units)).collect()
}

/// Units come from the delivery's country first, then by position, whole if they can be; and go back where they were.
#[tokio::test(flavor = "multi_thread")]
async fn orders_are_served_from_the_best_location() {
    let test = TestApp::start().await;
    let store = places(&test).await;
    let variant = test.product(NewProduct { stock: 2, ..NewProduct::default() }).await;
    receive(&test, store, variant, "york", 3).await;
    receive(&test, store, variant, "lyon", 4).await;
    assert_eq!(test.available(variant).await, 9);
    let inventory = &test.app.inventory;
    let mut ids = Vec::new();
    for (units, destination, expected) in [
        (1, Some("FR"), [("main", 0), ("lyon", 1), ("york", 0)]),
        (1, None, [("main", 1), ("lyon", 1), ("york", 0)]),
        (3, Some("DE"), [("main", 1), ("lyon", 1), ("york", 3)]),
        // Nowhere are four left: the line is split.
        (4, Some("GB"), [("main", 2), ("lyon", 4), ("york", 3)]),
    ] {
        let id = new_id(&test);
        let destination = destination.map(str::to_owned);
        inventory.reserve(Reserve { destination, ..request(id, &[line(variant, units)]) }).await.unwrap();
        assert_eq!(reserved(&test, store, variant).await, at(expected));
        ids.push(id);
    }
    let more = inventory.reserve(request(new_id(&test), &[line(variant, 1)])).await;
    assert!(matches!(more, Err(Error::OutOfStock(_))), "{more:?}");
    inventory.release(ids[3]).await.unwrap();
    inventory.sell(ids[2]).await.unwrap();
    assert_eq!(reserved(&test, store, variant).await, at([("main", 1), ("lyon", 1), ("york", 0)]));
    assert_eq!(violations(&test).await, [] as [String; 0]);
    test.run_jobs().await;
}

/// What is at a location that is switched off is not for sale, and the catalogue hears of it; what was reserved there
/// can still be sold.
#[tokio::test(flavor = "multi_thread")]
async fn a_location_can_be_switched_off() {
    let test = TestApp::start().await;
    let store = places(&test).await;
    let variant = test.product(NewProduct { stock: 0, ..NewProduct::default() }).await;
    receive(&test, store, variant, "york", 3).await;
    let id = new_id(&test);
    test.app.inventory.reserve(request(id, &[line(variant, 1)])).await.unwrap();
    for (active, available, found) in [(false, 0, 0), (true, 2, 1), (false, 0, 0)] {
        let change = LocationChange { active: Some(active), ..LocationChange::default() };
        let keeping = &test.app.stock_keeping;
        keeping.change_location(&Actor::system(), store, "york", &change).await.unwrap();
        assert_eq!(test.available(variant).await, available);
        test.run_jobs().await;
        let shown = test.get("/api/v2/products?in_stock=true", &[]).await;
        assert_eq!(shown.json["data"].as_array().unwrap().len(), found, "{shown:?}");
    }
    let refused = test.app.inventory.reserve(request(new_id(&test), &[line(variant, 1)])).await;
    assert!(matches!(refused, Err(Error::OutOfStock(_))), "{refused:?}");
    test.app.inventory.sell(id).await.unwrap();
    let off = LocationChange { active: Some(false), ..LocationChange::default() };
    test.app.stock_keeping.change_location(&Actor::system(), store, "main", &off).await.unwrap();
    receive(&test, store, variant, "main", 5).await;
    assert_eq!(test.available(variant).await, 0);
    assert_eq!(violations(&test).await, [] as [String; 0]);
    test.finish().await;
}

/// A location that gets its first units while buyers come is seen by all, and what the catalogue believes is true.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_row_is_never_overlooked() {
    let test = TestApp::start().await;
    let store = places(&test).await;
    let other = another_node(&test);
    for round in 0..5 {
        let slug: &'static str = ["a", "b", "c", "d", "e"][round];
        let variant = test.product(NewProduct { slug, stock: 5, ..NewProduct::default() }).await;
        let mut crowd = JoinSet::new();
        for turn in 0..20_usize {
            let node = if turn % 2 == 0 { test.app.inventory.clone() } else { other.clone() };
            let id = new_id(&test);
            crowd.spawn(async move {
                let won = node.reserve(request(id, &[line(variant, 1)])).await.is_ok();
                if won {
                    node.sell(id).await.unwrap();
                }
                won
            });
        }
        receive(&test, store, variant, "york", 4).await;
        let won = crowd.join_all().await.into_iter().filter(|won| *won).count();
        assert!((5..=9).contains(&won), "{won}");
        assert_eq!(test.available(variant).await, 9 - i64::try_from(won).unwrap());
    }
    test.run_jobs().await;
    assert_eq!(test.violations().await, []);
    test.finish().await;
}
