#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod fake;
mod hands;
mod life;
mod many;
mod time_and_terms;

use std::sync::Arc;

use identity::{Actor, StoreId};
use platform::{Currency, CursorRequest, Database, Money, Sources, Violation};
use testkit::{FakeClock, SeededEntropy, TestDatabase};
use time::Duration;
use uuid::Uuid;

use super::{Desk, Payout, PayoutDefaults, PayoutState, Payouts, Schedule, StoreBalance, apply};
use crate::payment::Applied;
use crate::provider::{PayoutSaid, PayoutStatus};
use crate::{Adjusted, Adjusting, PayoutId, Sale, Share, ledger, reserve, sale};
use fake::Fake;

/// Two nodes on one database and one provider, on a Monday at noon.
struct Scene {
    nodes: [Arc<Desk>; 2],
    provider: Arc<Fake>,
    clock: Arc<FakeClock>,
    sources: Sources,
    test: TestDatabase,
    other: Database,
    defaults: PayoutDefaults,
}

impl Scene {
    async fn set() -> Self {
        Self::with(PayoutDefaults::default()).await
    }

    async fn with(defaults: PayoutDefaults) -> Self {
        let test = TestDatabase::create().await;
        let clock = Arc::new(FakeClock::default());
        let sources = Sources::new(Arc::clone(&clock) as _, Arc::new(SeededEntropy::default()));
        let other = Database::connect(test.connect_options(), 20).await.unwrap();
        let provider = Arc::new(Fake::default());
        let node = |database: &Database| {
            let (database, sources) = (database.clone(), sources.clone());
            Arc::new(Desk { database, sources, provider: Arc::clone(&provider) as _, defaults })
        };
        let nodes = [node(&test.database), node(&other)];
        Self { nodes, provider, clock, sources, test, other, defaults }
    }

    /// Money is paid out each day, at once.
    async fn daily() -> Self {
        Self::with(PayoutDefaults { schedule: Schedule::Daily, hold_days: 0, ..PayoutDefaults::default() })
            .await
    }

    fn desk(&self) -> &Desk {
        &self.nodes[0]
    }

    /// A store whose account is open, and whose schedule counts from now on.
    async fn store(&self) -> StoreId {
        let store: StoreId = self.sources.id();
        self.desk().open_account(&Actor::system(), store, "https://market.example").await.unwrap();
        self.adjust(store, 1, Currency::GBP).await;
        assert_eq!(self.desk().carry_on(&Actor::system()).await.unwrap(), 0);
        self.adjust(store, -1, Currency::GBP).await;
        store
    }

    /// Sells for so much at these stores; the marketplace takes a tenth, and a fiftieth of tax on that.
    async fn sell_at(&self, stores: &[StoreId], amount: i64, currency: Currency) -> Sale {
        let share = |store: &StoreId| Share {
            store: *store,
            amount,
            commission: amount / 10,
            commission_tax: amount / 50,
        };
        let sale = Sale {
            order: self.sources.id::<Sale>().uuid(),
            payment: self.sources.id(),
            currency,
            at: self.sources.now(),
            shares: stores.iter().map(share).collect(),
        };
        let whole = amount * i64::try_from(stores.len()).unwrap();
        sqlx::query(
            "INSERT INTO payments.payments (id, order_id, provider, amount, currency, state, captured, provider_reference,
                 created_at, updated_at)
             VALUES ($1, $2, 'fake', $3, $4, 'succeeded', $3, $1::text, $5, $5)",
        )
        .bind(sale.payment.uuid())
        .bind(sale.order)
        .bind(whole)
        .bind(currency.code())
        .bind(sale.at)
        .execute(self.test.database.pool())
        .await
        .unwrap();
        self.post(&sale).await;
        sale
    }

    async fn post(&self, sale: &Sale) {
        let now = self.sources.now();
        sale::post(&self.test.database, &self.defaults, std::slice::from_ref(sale), now).await.unwrap();
    }

    /// Sells so that the store gets 88 of each 100.
    async fn sell(&self, store: StoreId, amount: i64) -> Sale {
        self.sell_at(&[store], amount, Currency::GBP).await
    }

    /// Gives a store money by hand, or takes it: the same as a refund or a dispute to whoever counts what it is owed.
    async fn adjust(&self, store: StoreId, amount: i64, currency: Currency) {
        let amount = Money::new(amount, currency);
        let adjusting = Adjusting { whose: Adjusted::Store(store), amount, reason: "a test".to_owned() };
        let key = self.sources.id::<Sale>().to_string();
        self.desk().adjust(&Actor::system(), &adjusting, &key).await.unwrap();
    }

    /// What the background does, once.
    async fn round(&self) -> u64 {
        // What was refused just now lets go of its rows a moment later, and a round passes over rows that are held.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        self.desk().carry_on(&Actor::system()).await.unwrap()
    }

    /// Lets days pass, each with its rounds.
    async fn days(&self, days: i64) {
        for _ in 0..days {
            self.clock.advance(Duration::DAY);
            while self.round().await > 0 {}
        }
    }

    /// The payouts of a store, the earliest first.
    async fn payouts(&self, store: StoreId) -> Vec<Payout> {
        let slice = CursorRequest { first: 100, after: None };
        let mut found = self.desk().payouts(&Actor::system(), Some(store), &slice).await.unwrap().data;
        found.reverse();
        found
    }

    /// What they come to, and where they are.
    async fn told(&self, store: StoreId) -> Vec<(i64, PayoutState)> {
        self.payouts(store).await.iter().map(|payout| (payout.amount.amount, payout.state)).collect()
    }

    async fn balance(&self, store: StoreId) -> StoreBalance {
        let found = self.desk().balances(&Actor::system(), store).await.unwrap();
        found.into_iter().find(|one| one.payable.currency == Currency::GBP).unwrap()
    }

    /// The provider tells of a payout.
    async fn tell(&self, payout: &Payout, status: PayoutStatus) -> Applied {
        let reference = fake::reference(payout.id, payout.attempt);
        self.tell_as(Some(payout.id), &reference, status).await
    }

    async fn tell_as(&self, id: Option<PayoutId>, reference: &str, status: PayoutStatus) -> Applied {
        let now = self.sources.now();
        let said = PayoutSaid { reference: reference.to_owned(), status, arrives_at: None };
        let mut tx = self.test.database.begin().await.unwrap();
        let applied = apply(&mut tx, "fake", id, &said, now).await.unwrap();
        tx.commit(now).await.unwrap();
        applied
    }

    async fn violations(&self) -> Vec<Violation> {
        let mut found = super::violations(&self.test.database).await.unwrap();
        found.extend(reserve::violations(&self.test.database).await.unwrap());
        found.extend(ledger::violations(&self.test.database, None).await.unwrap());
        found
    }

    async fn audited(&self, action: &str) -> i64 {
        let filter = platform::audit::Filter { action: Some(action.to_owned()), ..Default::default() };
        let found = platform::audit::entries(&self.test.database, &filter, None, 100).await.unwrap();
        i64::try_from(found.len()).unwrap()
    }

    /// Every invariant holds, and whatever the provider was asked for is a payout.
    async fn end(self) {
        assert_eq!(self.violations().await, []);
        let known: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM payments.payouts")
            .fetch_all(self.test.database.pool())
            .await
            .unwrap();
        assert!(self.provider.transfers().iter().all(|(id, _)| known.contains(&id.uuid())));
        drop(self.nodes);
        self.other.close().await;
        self.test.drop().await;
    }
}
