//! Whatever happens, in whatever order, told however often: the ledger balances, and each store has to the penny what a model
//! of its own says.

use std::collections::BTreeMap;

use catalog::{StoreId, VariantId};
use identity::Actor;
use orders::{IdempotencyKey, RefundLineRequest, RefundReason, RefundRequest, RefundTo};
use payments::sandbox::{Chaos, Target, Trigger};
use payments::{
    Account, AccountKind, Adjusted, Adjusting, PayoutState, PutPayoutSettings, RefundState, Schedule,
    WebhookFilter,
};
use platform::money::Rate;
use platform::{Currency, CursorRequest, Money};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use testkit::{NewProduct, TestApp};
use time::Duration;

use crate::model::{self, COMMISSION, Line, Standing, TAX};
use crate::scene::{balance, commission, payment_of, sandbox};

/// What may happen.
#[derive(Clone, Debug)]
enum Step {
    /// Somebody buys so many units of each store.
    Buy([i64; 2]),
    /// A part, in hundredths, of what is left of a line goes back.
    Refund(Index, Index, i64),
    /// All that is left of an order goes back.
    RefundAll(Index),
    /// A refund goes back, and the provider says later that it could not give it.
    FailingRefund(Index, Index, i64),
    /// A part, in hundredths, of what is left of a payment is disputed.
    Dispute(Index, i64),
    /// A dispute is decided.
    Decide(Index, bool),
    /// A day passes, and what is due to stores is sent.
    PayOut,
    /// The same, but the next payout fails.
    FailingPayOut,
    /// A payout that had arrived comes back.
    Return(Index),
    /// Somebody gives a store money, or takes some.
    Adjust(Index, i64),
    /// All that the provider ever told is worked on once more.
    Replay,
}

fn step() -> impl Strategy<Value = Step> {
    let part = || prop_oneof![3 => 1_i64..100, 1 => Just(100)];
    prop_oneof![
        6 => (0_i64..4, 0_i64..4).prop_filter_map("nothing", |(one, other)| {
            (one + other > 0).then_some(Step::Buy([one, other]))
        }),
        5 => (any::<Index>(), any::<Index>(), part()).prop_map(|(order, line, part)| Step::Refund(order, line, part)),
        1 => any::<Index>().prop_map(Step::RefundAll),
        1 => (any::<Index>(), any::<Index>(), part())
            .prop_map(|(order, line, part)| Step::FailingRefund(order, line, part)),
        2 => (any::<Index>(), part()).prop_map(|(order, part)| Step::Dispute(order, part)),
        2 => (any::<Index>(), any::<bool>()).prop_map(|(dispute, won)| Step::Decide(dispute, won)),
        2 => Just(Step::PayOut),
        1 => Just(Step::FailingPayOut),
        1 => any::<Index>().prop_map(Step::Return),
        1 => (any::<Index>(), -500_i64..500).prop_filter_map("nothing", |(store, amount)| {
            (amount != 0).then_some(Step::Adjust(store, amount))
        }),
        1 => Just(Step::Replay),
    ]
}

/// Every notice comes three times, late, and out of order.
fn chaos() -> Chaos {
    Chaos {
        copies: 3,
        shuffle: true,
        delay: Duration::seconds(20),
        tell_charges: true,
        activate_accounts: true,
        ..Chaos::default()
    }
}

/// A bought order.
struct Bought {
    id: String,
    lines: Vec<Line>,
}

struct World {
    test: TestApp,
    stores: Vec<(StoreId, VariantId, i64)>,
    orders: Vec<Bought>,
    /// By dispute, the place of its order.
    disputes: BTreeMap<String, usize>,
    adjusted: Vec<i64>,
    number: u32,
}

impl World {
    async fn open() -> Self {
        let test = TestApp::start().await;
        commission(&test, rate(COMMISSION), rate(TAX)).await;
        let mut stores = Vec::new();
        for (slug, price) in [("kiln", 1999), ("loom", 333)] {
            let store = test.store(slug, Currency::GBP).await;
            let product = NewProduct { slug, price, stock: 10_000, ..NewProduct::default() };
            stores.push((store, test.product_of(store, Currency::GBP, product).await, price));
        }
        let world = Self {
            test,
            stores,
            orders: Vec::new(),
            disputes: BTreeMap::new(),
            adjusted: vec![0, 0],
            number: 0,
        };
        world.set(chaos()).await;
        let (payouts, system) = (&world.test.app.payouts, Actor::system());
        for (store, ..) in &world.stores {
            payouts.open_account(&system, *store, "https://shop.example").await.unwrap();
            let settings = payouts.settings(&system, *store).await.unwrap();
            let put = PutPayoutSettings {
                schedule: Schedule::Daily,
                minimum: Vec::new(),
                hold_days: Some(0),
                reserve_basis_points: None,
                reserve_days: None,
            };
            payouts.put_settings(&system, *store, &put, settings.version).await.unwrap();
        }
        world
    }

    async fn set(&self, chaos: Chaos) {
        sandbox(&self.test).set_chaos(&Actor::system(), &chaos).await.unwrap();
    }

    fn key(&mut self) -> String {
        self.number += 1;
        format!("step-{}", self.number)
    }

    async fn act(&mut self, step: &Step) {
        match step {
            Step::Buy(units) => self.buy(*units).await,
            Step::Refund(order, line, part) => self.refund(*order, *line, *part).await,
            Step::RefundAll(order) => self.refund_all(*order).await,
            Step::FailingRefund(order, line, part) => {
                self.set(Chaos { fail_refunds: 1, ..chaos() }).await;
                self.refund(*order, *line, *part).await;
                self.rest().await;
                self.set(chaos()).await;
            }
            Step::Dispute(order, part) => self.dispute(*order, *part).await,
            Step::Decide(dispute, won) => self.decide(*dispute, *won).await,
            Step::PayOut => self.pay_out().await,
            Step::FailingPayOut => {
                self.set(Chaos { fail_payouts: 1, ..chaos() }).await;
                self.pay_out().await;
                self.set(chaos()).await;
            }
            Step::Return(payout) => self.return_payout(*payout).await,
            Step::Adjust(store, amount) => self.adjust(*store, *amount).await,
            Step::Replay => self.replay().await,
        }
        self.rest().await;
        self.look().await;
        self.compare(step).await;
    }

    /// All that is on its way arrives.
    async fn rest(&self) {
        for _ in 0..2 {
            self.test.run_jobs().await;
            self.test.clock.advance(Duration::seconds(31));
        }
        self.test.run_jobs().await;
    }

    async fn buy(&mut self, units: [i64; 2]) {
        let key = self.key();
        let mut basket: Option<String> = None;
        let mut sold = Vec::new();
        for (store, units) in units.into_iter().enumerate().filter(|(_, units)| *units > 0) {
            let (_, variant, price) = self.stores[store];
            basket = Some(match basket {
                None => self.test.basket(variant, units).await,
                Some(basket) => {
                    let body = json!({"variant_id": variant, "quantity": units});
                    let headers: [(&str, &str); 1] = [("x-cart-token", &basket)];
                    let added = self.test.post("/api/v1/shopping_basket/products", &headers, &body).await;
                    assert_eq!(added.status, 200, "{added:?}");
                    basket
                }
            });
            sold.push((store, price * units));
        }
        let basket = basket.unwrap();
        let bought = self.test.check_out(&basket, &key, "tok_visa").await;
        assert_eq!(bought.status, 201, "{bought:?}");
        // Whoever is not sure asks again, and has bought once.
        let again = self.test.check_out(&basket, &key, "tok_visa").await;
        assert_eq!(again.json["id"], bought.json["id"]);
        // In the order of their positions: what was put in at the same moment may stand either way round.
        let lines = bought.json["lines"].as_array().unwrap();
        let place = |store: usize| {
            let store = json!(self.stores[store].0);
            lines.iter().position(|line| line["store_id"] == store).unwrap()
        };
        sold.sort_by_key(|(store, _)| place(*store));
        self.orders
            .push(Bought { id: bought.json["id"].as_str().unwrap().to_owned(), lines: model::order(&sold) });
    }

    async fn refund(&mut self, order: Index, line: Index, part: i64) {
        if self.orders.is_empty() {
            return;
        }
        let place = order.index(self.orders.len());
        let at = line.index(self.orders[place].lines.len());
        let line = &self.orders[place].lines[at];
        let amount = (line.left(false) * part / 100).max(1);
        let request = RefundLineRequest {
            position: i32::try_from(at).unwrap() + 1,
            quantity: None,
            amount: Some(amount),
        };
        let wanted: Vec<i64> =
            (0..self.orders[place].lines.len()).map(|other| if other == at { amount } else { 0 }).collect();
        self.give_back(place, vec![request], &wanted).await;
    }

    async fn refund_all(&mut self, order: Index) {
        if self.orders.is_empty() {
            return;
        }
        let place = order.index(self.orders.len());
        let wanted: Vec<i64> = self.orders[place].lines.iter().map(|line| line.left(false)).collect();
        self.give_back(place, Vec::new(), &wanted).await;
    }

    /// Asks for a refund of so much of each line, and holds the answer against what the model says is left.
    async fn give_back(&mut self, place: usize, lines: Vec<RefundLineRequest>, wanted: &[i64]) {
        let key = IdempotencyKey::parse(&self.key()).unwrap();
        let request = RefundRequest {
            lines,
            amount: None,
            reason: RefundReason::RequestedByCustomer,
            note: None,
            restock: false,
            to: RefundTo::Original,
        };
        let order = &mut self.orders[place];
        let id = order.id.parse().unwrap();
        let sum: i64 = wanted.iter().sum();
        let left: i64 = order.lines.iter().map(|line| line.left(true)).sum();
        let fits = order
            .lines
            .iter()
            .zip(wanted)
            .all(|(line, wanted)| *wanted <= line.left(false) && *wanted <= line.left(true).max(0));
        let may = sum > 0 && sum <= left && fits;
        let orders = &self.test.app.orders;
        let answer = orders.refund(&Actor::system(), id, &key, request.clone()).await;
        let again = orders.refund(&Actor::system(), id, &key, request).await;
        match answer {
            Ok(answer) => {
                assert!(may, "{wanted:?} went back of {order:?}", order = order.lines);
                assert_eq!(again.unwrap().refund.id, answer.refund.id, "a key stands for one refund");
                let refund = answer.refund.id.to_string();
                let given = order.lines.iter_mut().zip(wanted).filter(|(_, wanted)| **wanted > 0);
                given.for_each(|(line, wanted)| line.refund(&refund, *wanted));
            }
            Err(error) => assert!(!may, "{error}: {wanted:?} of {order:?}", order = order.lines),
        }
    }

    async fn dispute(&mut self, order: Index, part: i64) {
        if self.orders.is_empty() {
            return;
        }
        let order = &self.orders[order.index(self.orders.len())];
        let left: i64 = order.lines.iter().map(|line| line.left(true)).sum();
        let target = Target {
            payment: payment_of(&self.test, &order.id).await.parse().ok(),
            amount: Some((left * part / 100).max(1)),
            ..Target::default()
        };
        // A bank that disputes already, or has nothing left to dispute, does not.
        let _ = sandbox(&self.test).trigger(&Actor::system(), Trigger::DisputeCreated, &target).await;
    }

    async fn decide(&mut self, dispute: Index, won: bool) {
        let open: Vec<usize> = self.disputes.values().copied().collect();
        if open.is_empty() {
            return;
        }
        let order = &self.orders[open[dispute.index(open.len())]];
        let target =
            Target { payment: payment_of(&self.test, &order.id).await.parse().ok(), ..Target::default() };
        let event = if won { Trigger::DisputeWon } else { Trigger::DisputeLost };
        // What is decided already is told once more.
        let _ = sandbox(&self.test).trigger(&Actor::system(), event, &target).await;
    }

    async fn pay_out(&self) {
        self.test.clock.advance(Duration::DAY);
        while self.test.app.payouts.carry_on(&Actor::system()).await.unwrap() > 0 {}
        self.rest().await;
    }

    async fn payouts(&self) -> Vec<payments::Payout> {
        let slice = CursorRequest { first: 100, after: None };
        self.test.app.payouts.payouts(&Actor::system(), None, &slice).await.unwrap().data
    }

    async fn return_payout(&self, payout: Index) {
        let paid: Vec<_> =
            self.payouts().await.into_iter().filter(|payout| payout.state == PayoutState::Paid).collect();
        if paid.is_empty() {
            return;
        }
        let target = Target { payout: Some(paid[payout.index(paid.len())].id), ..Target::default() };
        sandbox(&self.test).trigger(&Actor::system(), Trigger::PayoutReturned, &target).await.unwrap();
    }

    async fn adjust(&mut self, store: Index, amount: i64) {
        let store = store.index(self.stores.len());
        let adjusting = Adjusting {
            whose: Adjusted::Store(self.stores[store].0),
            amount: Money::new(amount, Currency::GBP),
            reason: "a parcel".to_owned(),
        };
        let key = self.key();
        for _ in 0..2 {
            self.test.app.payouts.adjust(&Actor::system(), &adjusting, &key).await.unwrap();
        }
        self.adjusted[store] += amount;
    }

    async fn replay(&self) {
        let slice = CursorRequest { first: 100, after: None };
        let told = self.test.app.inbox.events(&Actor::system(), &WebhookFilter::default(), &slice).await;
        for event in told.unwrap().data {
            self.test.app.inbox.replay(&Actor::system(), "sandbox", &event.event_id).await.unwrap();
        }
    }

    /// Takes over how refunds and disputes stand, as anybody may read it.
    async fn look(&mut self) {
        for order in &mut self.orders {
            let id = order.id.parse().unwrap();
            for refund in self.test.app.orders.refunds(&Actor::system(), id).await.unwrap() {
                let failed = refund.status == RefundState::Failed;
                let standing = if failed { Standing::Undone } else { Standing::Gone };
                order.lines.iter_mut().for_each(|line| line.stands(&refund.id.to_string(), standing));
            }
        }
        let slice = CursorRequest { first: 100, after: None };
        let disputes = self.test.app.ledger.disputes(&Actor::system(), None, &slice).await.unwrap().data;
        for dispute in disputes.into_iter().rev() {
            let name = dispute.id.to_string();
            let of = dispute.order_id.unwrap().to_string();
            let place = self.orders.iter().position(|order| order.id == of).unwrap();
            let lines = &mut self.orders[place].lines;
            if !self.disputes.contains_key(&name) {
                let left: Vec<i64> = lines.iter().map(|line| line.left(true)).collect();
                let parts = model::shared(dispute.amount.amount, &left);
                let given = lines.iter_mut().zip(parts).filter(|(_, part)| *part > 0);
                given.for_each(|(line, part)| line.dispute(&name, part));
                self.disputes.insert(name.clone(), place);
            }
            let standing = match dispute.state.as_str() {
                "open" => Standing::Held,
                "won" => Standing::Undone,
                _ => Standing::Gone,
            };
            assert!(self.orders[place].lines.iter().any(|line| line.knows(&name)));
            self.orders[place].lines.iter_mut().for_each(|line| line.stands(&name, standing));
        }
    }

    /// What stores have, and what was sent to them, is what the model says.
    async fn compare(&self, step: &Step) {
        let payouts = self.payouts().await;
        for (place, (store, ..)) in self.stores.iter().enumerate() {
            let mut has = 0;
            let kinds = [
                AccountKind::StorePayable,
                AccountKind::StoreDisputeHold,
                AccountKind::StoreReserve,
                AccountKind::PayoutTransit,
            ];
            for kind in kinds {
                has += balance(&self.test, Account::of_store(kind, *store)).await;
            }
            let sent = payouts.iter().filter(|payout| {
                payout.store_id == *store && matches!(payout.state, PayoutState::Sent | PayoutState::Paid)
            });
            has += sent.map(|payout| payout.amount.amount).sum::<i64>();
            let lines = self.orders.iter().flat_map(|order| &order.lines).filter(|line| line.store == place);
            let due = lines.map(Line::worth).sum::<i64>() + self.adjusted[place];
            assert_eq!(has, due, "store {place} after {step:?}");
        }
    }
}

fn rate(ppm: i64) -> Rate {
    Rate::try_from(u32::try_from(ppm).unwrap()).unwrap()
}

/// Some sequences; `PROPTEST_CASES` sets how many. `finish` verifies the books of each.
#[test]
fn stores_have_what_the_model_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    // Reads `PROPTEST_CASES`; each takes seconds, and so few are usual.
    let wanted = Config::default().cases;
    let cases = if wanted == 256 { 6 } else { wanted };
    let config = Config { cases, max_shrink_iters: 60, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec(step(), 8..30);
    let outcome = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(async {
            let mut world = World::open().await;
            for step in &steps {
                world.act(step).await;
            }
            world.test.finish().await;
        });
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
