//! What is held for a time goes back when it is over.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use inventory::events::ReservationsExpired;
use inventory::{Error, ReservationId, ReservationState, Reserve};
use platform::outbox::{Delivery, Dispatcher, Event, Handler};
use testkit::{NewProduct, TestApp};
use time::Duration;
use tokio::task::JoinSet;

use crate::{another_node, line, new_id, request, violations};

fn until(test: &TestApp, minutes: i64) -> Option<time::OffsetDateTime> {
    Some(test.app.sources.now() + Duration::minutes(minutes))
}

/// Hears which reservations are over.
#[derive(Default)]
struct Listener(Mutex<Vec<ReservationId>>);

#[async_trait]
impl Handler for Listener {
    fn topics(&self) -> &'static [&'static str] {
        &[ReservationsExpired::TOPIC]
    }
    async fn handle(&self, deliveries: &[&Delivery]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        for delivery in deliveries {
            let expired = delivery.read::<ReservationsExpired>()?;
            self.0.lock().unwrap().extend(expired.into_iter().flat_map(|event| event.reservations));
        }
        Ok(())
    }
}

/// The reservations that everybody was told are over.
async fn told(test: &TestApp) -> Vec<ReservationId> {
    let (listener, app) = (Arc::new(Listener::default()), &test.app);
    let handlers: Vec<Arc<dyn Handler>> = vec![listener.clone()];
    Dispatcher::new(app.database.clone(), app.sources.clone(), handlers).drain().await.unwrap();
    std::mem::take(&mut listener.0.lock().unwrap())
}

/// Two sweepers at the same time release each late reservation once, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_late_is_released_once() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 600, ..NewProduct::default() }).await;
    let nodes = [test.app.inventory.clone(), another_node(&test)];
    let (mut late, mut reserving) = (Vec::new(), JoinSet::new());
    for _ in 0..300 {
        let (inventory, id, expires_at) = (nodes[0].clone(), new_id(&test), until(&test, 15));
        late.push(id);
        reserving.spawn(async move {
            inventory.reserve(Reserve { expires_at, ..request(id, &[line(variant, 1)]) }).await
        });
    }
    reserving.join_all().await.into_iter().for_each(|outcome| outcome.unwrap());
    let [sold, extended, kept, forever] = [(); 4].map(|()| new_id(&test));
    for id in [sold, extended, kept] {
        let expires_at = until(&test, 15);
        nodes[0].reserve(Reserve { expires_at, ..request(id, &[line(variant, 1)]) }).await.unwrap();
    }
    nodes[0].reserve(request(forever, &[line(variant, 1)])).await.unwrap();
    nodes[0].sell(sold).await.unwrap();
    nodes[0].extend(extended, until(&test, 30)).await.unwrap();
    nodes[0].extend(kept, None).await.unwrap();
    assert_eq!(nodes[0].sweep().await.unwrap(), 0, "nothing is late yet");
    test.clock.advance(Duration::minutes(16));
    let (one, other) = tokio::join!(nodes[0].sweep(), nodes[1].sweep());
    assert_eq!(one.unwrap() + other.unwrap(), 300);
    let mut expired = told(&test).await;
    expired.sort_unstable();
    late.sort_unstable();
    assert_eq!(expired, late);
    assert_eq!(test.available(variant).await, 596);
    let states = nodes[0].states(&[late[0], sold, extended, kept, forever]).await.unwrap();
    assert_eq!(states[&late[0]], ReservationState::Released);
    assert_eq!(states[&sold], ReservationState::Sold);
    assert!([extended, kept, forever].iter().all(|id| states[id] == ReservationState::Held));
    test.clock.advance(Duration::minutes(15));
    assert_eq!(nodes[1].sweep().await.unwrap(), 1, "the extended one has its time too");
    assert_eq!(violations(&test).await, [] as [String; 0]);
    test.run_jobs().await;
}

/// What is held can be held longer; what is gone can not.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_held_is_extended() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 2, ..NewProduct::default() }).await;
    let inventory = &test.app.inventory;
    let (sold, released, refused) = (new_id(&test), new_id(&test), new_id(&test));
    assert!(matches!(inventory.extend(sold, None).await, Err(Error::ReservationNotFound)));
    inventory.reserve(request(sold, &[line(variant, 1)])).await.unwrap();
    inventory.sell(sold).await.unwrap();
    inventory.extend(sold, until(&test, 5)).await.unwrap();
    inventory.reserve(request(released, &[line(variant, 1)])).await.unwrap();
    inventory.release(released).await.unwrap();
    assert!(matches!(inventory.extend(released, None).await, Err(Error::Released)));
    inventory.reserve(request(refused, &[line(variant, 9)])).await.unwrap_err();
    assert!(matches!(inventory.extend(refused, None).await, Err(Error::Released)));
    test.clock.advance(Duration::minutes(6));
    assert_eq!(inventory.sweep().await.unwrap(), 0, "what is sold stays sold");
    test.run_jobs().await;
}

/// A buyer who pays while the sweeper comes gets the units or is told that they are gone.
#[tokio::test(flavor = "multi_thread")]
async fn paying_and_expiring_race() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 50, ..NewProduct::default() }).await;
    let (mut ids, nodes) = (Vec::new(), [test.app.inventory.clone(), another_node(&test)]);
    for _ in 0..50 {
        let (id, expires_at) = (new_id(&test), until(&test, 1));
        nodes[0].reserve(Reserve { expires_at, ..request(id, &[line(variant, 1)]) }).await.unwrap();
        ids.push(id);
    }
    test.clock.advance(Duration::minutes(2));
    let mut paying = JoinSet::new();
    for id in ids {
        let node = nodes[0].clone();
        paying.spawn(async move { node.sell(id).await });
    }
    let swept = nodes[1].sweep().await.unwrap();
    let outcomes = paying.join_all().await;
    let sold = outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(Error::Released))));
    assert_eq!((sold + swept, told(&test).await.len() as u64), (50, swept));
    assert_eq!(violations(&test).await, [] as [String; 0]);
    test.run_jobs().await;
}
