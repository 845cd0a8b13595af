//! Random commands in random batches come to what a simple model says, one command after the other.

use std::collections::HashMap;

use catalog::{ProductId, VariantId};
use identity::Actor;
use inventory::{
    BuyerKey, Error, Inventory, Limit, Line, NewLocation, Reason, ReservationId, Reserve, StockChange,
};
use platform::Currency;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use testkit::{NewProduct, TestApp};

use crate::{line, violations};

const CASES: u32 = 60;
const MOST: i64 = 4;

/// A command on one of a few reservations.
#[derive(Clone, Debug)]
enum Step {
    /// Lines of a variant and units; the buyer; whether it is limited.
    Reserve(usize, Vec<(usize, i64)>, usize, bool),
    Sell(usize),
    Release(usize),
    Extend(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let lines = prop::collection::vec((0..3_usize, 1..5_i64), 1..4);
    prop_oneof![
        4 => (0..8_usize, lines, 0..2_usize, any::<bool>())
            .prop_map(|(id, lines, buyer, limited)| Step::Reserve(id, lines, buyer, limited)),
        2 => (0..8_usize).prop_map(Step::Sell),
        2 => (0..8_usize).prop_map(Step::Release),
        1 => (0..8_usize).prop_map(Step::Extend),
    ]
}

/// What stands of a reservation in the model.
#[derive(Clone, Debug)]
struct Kept {
    state: &'static str,
    answer: &'static str,
    units: [i64; 3],
    taken: Option<usize>,
}

/// The model: one command after the other.
#[derive(Debug)]
struct Model {
    available: [i64; 3],
    taken: [i64; 2],
    kept: HashMap<usize, Kept>,
}

impl Model {
    fn take(&mut self, step: &Step) -> &'static str {
        match step {
            Step::Reserve(id, lines, buyer, limited) => {
                if let Some(kept) = self.kept.get(id) {
                    return if kept.state == "released" { "released" } else { kept.answer };
                }
                let mut units = [0; 3];
                lines.iter().for_each(|(variant, quantity)| units[*variant] += quantity);
                let total: i64 = units.iter().sum();
                let answer = if (0..3).any(|variant| units[variant] > self.available[variant]) {
                    "short"
                } else if *limited && self.taken[*buyer] + total > MOST {
                    "limit"
                } else {
                    "ok"
                };
                let held = answer == "ok";
                if held {
                    (0..3).for_each(|variant| self.available[variant] -= units[variant]);
                    self.taken[*buyer] += if *limited { total } else { 0 };
                }
                let state = if held { "held" } else { "refused" };
                self.kept.insert(*id, Kept { state, answer, units, taken: limited.then_some(*buyer) });
                answer
            }
            Step::Release(id) if !self.kept.contains_key(id) => {
                let tombstone = Kept { state: "released", answer: "released", units: [0; 3], taken: None };
                self.kept.insert(*id, tombstone);
                "ok"
            }
            Step::Sell(id) | Step::Release(id) | Step::Extend(id) => {
                let Some(kept) = self.kept.get_mut(id) else { return "unknown" };
                match (step, kept.state) {
                    (Step::Sell(_), "held") => kept.state = "sold",
                    (Step::Release(_), "held") => {
                        kept.state = "released";
                        (0..3).for_each(|variant| self.available[variant] += kept.units[variant]);
                        if let Some(buyer) = kept.taken {
                            self.taken[buyer] -= kept.units.iter().sum::<i64>();
                        }
                    }
                    (Step::Sell(_) | Step::Extend(_), "released" | "refused") => return "released",
                    _ => {}
                }
                "ok"
            }
        }
    }
}

fn name(outcome: Result<(), Error>) -> &'static str {
    match outcome {
        Ok(()) => "ok",
        Err(Error::OutOfStock(_)) => "short",
        Err(Error::PurchaseLimit(_)) => "limit",
        Err(Error::Released) => "released",
        Err(Error::ReservationNotFound) => "unknown",
        Err(other) => panic!("{other}"),
    }
}

/// The world of a case.
struct World {
    inventory: std::sync::Arc<dyn Inventory>,
    ids: Vec<ReservationId>,
    variants: [VariantId; 3],
    product: ProductId,
    buyers: [BuyerKey; 2],
}

impl World {
    async fn take(&self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Reserve(id, lines, buyer, limited) => {
                let limit = Limit { product_id: self.product, most: MOST.try_into().unwrap() };
                let limit = limited.then_some(limit);
                let lines =
                    lines.iter().map(|(place, units)| Line { limit, ..line(self.variants[*place], *units) });
                let (buyers, lines) = (vec![self.buyers[*buyer]], lines.collect());
                let (destination, expires_at) = (Some("GB".to_owned()), None);
                self.inventory
                    .reserve(Reserve { id: self.ids[*id], lines, buyers, destination, expires_at })
                    .await
            }
            Step::Sell(id) => self.inventory.sell(self.ids[*id]).await,
            Step::Release(id) => self.inventory.release(self.ids[*id]).await,
            Step::Extend(id) => self.inventory.extend(self.ids[*id], None).await,
        }
    }
}

/// Sends these steps in chunks; those of a chunk stand in the queue together, in their order.
async fn run(test: &TestApp, variants: [VariantId; 3], chunks: &[Vec<Step>]) {
    let ids = (0..8).map(|_| test.app.sources.id()).collect();
    let buyers = [(); 2].map(|()| BuyerKey::of_user(test.app.sources.id()));
    let product = test.app.sources.id();
    let inventory = test.app.inventory.clone();
    let world = World { inventory, ids, variants, product, buyers };
    let mut available = [0; 3];
    for (place, variant) in variants.iter().enumerate() {
        available[place] = test.available(*variant).await;
    }
    let mut model = Model { available, taken: [0; 2], kept: HashMap::new() };
    for chunk in chunks {
        let mut answers = Vec::new();
        let mut pending: Vec<_> = chunk.iter().map(|step| Box::pin(world.take(step))).collect();
        // Polled once each, they stand in the queue in this order.
        for one in &mut pending {
            answers.push(futures_now(one).await);
        }
        for ((step, early), pending) in chunk.iter().zip(answers).zip(pending) {
            let answer = match early {
                Some(answer) => answer,
                None => pending.await,
            };
            assert_eq!(name(answer), model.take(step), "{step:?} of {chunks:?}");
        }
    }
    for (place, variant) in variants.iter().enumerate() {
        assert_eq!(test.available(*variant).await, model.available[place], "{chunks:?}");
    }
    assert_eq!(violations(test).await, [] as [String; 0], "{chunks:?}");
    for id in world.ids {
        test.app.inventory.release(id).await.unwrap();
    }
}

/// Polls a future once.
async fn futures_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

async fn refill(test: &TestApp, store: catalog::StoreId, variant: VariantId) {
    for location in ["main", "york"] {
        let missing = 3 - test.available(variant).await / 2;
        if missing > 0 {
            let location = Some(location.to_owned());
            let change = StockChange { quantity: missing, reason: Reason::Received, note: None, location };
            let keeping = &test.app.stock_keeping;
            keeping.adjust_stock(&Actor::system(), store, variant, &change, None).await.unwrap();
        }
    }
}

#[test]
fn random_batches_come_to_what_one_after_the_other_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (test, store, variants) = runtime.block_on(async {
        let test = TestApp::start().await;
        let store = test.store("shop", Currency::GBP).await;
        let york = NewLocation { code: "york".parse().unwrap(), name: "York".to_owned(), country: None };
        test.app.stock_keeping.create_location(&Actor::system(), store, &york).await.unwrap();
        let mut variants = Vec::new();
        for slug in ["a", "b", "c"] {
            variants.push(test.product(NewProduct { slug, stock: 4, ..NewProduct::default() }).await);
        }
        (test, store, [variants[0], variants[1], variants[2]])
    });
    let chunks = prop::collection::vec(prop::collection::vec(step(), 1..12), 1..5);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&chunks, |chunks| {
            runtime.block_on(async {
                for variant in variants {
                    refill(&test, store, variant).await;
                }
                run(&test, variants, &chunks).await;
            });
            Ok(())
        })
        .unwrap();
    runtime.block_on(test.run_jobs());
}
