#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod ends;
mod fake;
mod kinds;
mod late;
mod many;

use std::sync::Arc;

use identity::{Actor, StoreId};
use platform::{Currency, CursorRequest, Database, Money, Sources, Violation};
use testkit::{FakeClock, SeededEntropy, TestDatabase};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    Desk, ExceptionFilter, ExceptionKind, ExceptionState, RECONCILIATION_GRACE, Reconciliation,
    ReconciliationException, ReconciliationRun, ReconciliationSummary,
};
use crate::ledger::{self, Draft, Owners, Rule};
use crate::provider::{BalanceLine, LineKind};
use crate::{PaymentId, PayoutDefaults, PayoutId, Sale, Share, sale};
use fake::{Fake, line};

const FEE: i64 = 35;

/// Two nodes on one database, and a provider whose books a test writes.
struct Scene {
    nodes: [Arc<Desk>; 2],
    provider: Arc<Fake>,
    clock: Arc<FakeClock>,
    sources: Sources,
    test: TestDatabase,
    other: Database,
    store: StoreId,
}

impl Scene {
    async fn set() -> Self {
        let test = TestDatabase::create().await;
        let clock = Arc::new(FakeClock::default());
        let sources = Sources::new(Arc::clone(&clock) as _, Arc::new(SeededEntropy::default()));
        let other = Database::connect(test.connect_options(), 10).await.unwrap();
        let provider = Arc::new(Fake::default());
        let node = |database: &Database| {
            Arc::new(Desk {
                database: database.clone(),
                sources: sources.clone(),
                providers: vec![Arc::clone(&provider) as _],
                grace: RECONCILIATION_GRACE,
            })
        };
        let nodes = [node(&test.database), node(&other)];
        let store = sources.id();
        Self { nodes, provider, clock, sources, test, other, store }
    }

    fn desk(&self) -> &Desk {
        &self.nodes[0]
    }

    fn now(&self) -> OffsetDateTime {
        self.sources.now()
    }

    /// A payment that succeeded; neither book says so yet.
    async fn payment(&self, amount: Money) -> PaymentId {
        let id: PaymentId = self.sources.id();
        sqlx::query(
            "INSERT INTO payments.payments (id, order_id, provider, amount, currency, state, captured, fee, provider_reference,
                 created_at, updated_at)
             VALUES ($1, $1, 'fake', $2, $3, 'succeeded', $2, $5, 'ch_' || $1::text, $4, $4)",
        )
        .bind(id.uuid())
        .bind(amount.amount)
        .bind(amount.currency.code())
        .bind(self.now())
        .bind(FEE)
        .execute(self.test.database.pool())
        .await
        .unwrap();
        id
    }

    /// The ledger has the sale that was paid with it, and its fee.
    async fn post_sale(&self, payment: PaymentId, amount: Money) {
        let share = Share { store: self.store, amount: amount.amount, commission: 0, commission_tax: 0 };
        let sale = Sale {
            order: payment.uuid(),
            payment,
            currency: amount.currency,
            at: self.now(),
            shares: vec![share],
        };
        let defaults = PayoutDefaults::default();
        sale::post(&self.test.database, &defaults, std::slice::from_ref(&sale), self.now()).await.unwrap();
    }

    /// The provider's line of a payment, as it ought to be.
    fn line_of(&self, payment: PaymentId, amount: Money) -> BalanceLine {
        BalanceLine {
            source: format!("ch_{payment}"),
            ours: Some(payment.uuid()),
            fee: FEE,
            ..line(&format!("txn_{payment}"), LineKind::Charge, amount, self.now())
        }
    }

    /// A payment that both books know.
    async fn sold(&self, amount: Money) -> PaymentId {
        let payment = self.payment(amount).await;
        self.post_sale(payment, amount).await;
        self.provider.write(self.line_of(payment, amount));
        payment
    }

    /// A payout that the ledger has sent; the provider's books do not say so yet.
    async fn sent(&self, amount: Money) -> PayoutId {
        let id: PayoutId = self.sources.id();
        sqlx::query(
            "INSERT INTO payments.payouts (id, store_id, provider, account, amount, currency, state, origin, attempt,
                 provider_reference, created_at, sent_at)
             VALUES ($1, $2, 'fake', 'acct', $3, $4, 'sent', 'manual', 1, 'po_' || $1::text, $5, $5)",
        )
        .bind(id.uuid())
        .bind(self.store.uuid())
        .bind(amount.amount)
        .bind(amount.currency.code())
        .bind(self.now())
        .execute(self.test.database.pool())
        .await
        .unwrap();
        self.post(Draft::new("payout_sent", id, amount.currency, self.now()), Rule::PayoutSent, amount).await;
        id
    }

    fn payout_line(&self, kind: LineKind, payout: PayoutId, amount: Money) -> BalanceLine {
        let reference = format!("txn_{kind:?}_{payout}");
        BalanceLine { source: format!("po_{payout}"), ..line(&reference, kind, amount, self.now()) }
    }

    async fn post(&self, draft: Draft, rule: Rule, amount: Money) {
        let owners = Owners { provider: "fake", store: Some(self.store), ..Owners::default() };
        let mut tx = self.test.database.begin().await.unwrap();
        let written = ledger::post(&mut tx, vec![draft.moving(rule, amount.amount, &owners)], self.now())
            .await
            .unwrap();
        assert_eq!(written.len(), 1);
        tx.commit(self.now()).await.unwrap();
    }

    async fn run(&self) -> ReconciliationRun {
        self.desk().run(&Actor::system()).await.unwrap().pop().unwrap()
    }

    /// Compares now, and again when nothing can be late any more.
    async fn run_and_wait(&self) -> ReconciliationRun {
        self.run().await;
        self.clock.advance(RECONCILIATION_GRACE + Duration::SECOND);
        self.run().await
    }

    async fn exceptions(&self, state: ExceptionState) -> Vec<ReconciliationException> {
        let filter = ExceptionFilter { state: Some(state), kind: None };
        let slice = CursorRequest { first: 100, after: None };
        self.desk().exceptions(&Actor::system(), &filter, &slice).await.unwrap().data
    }

    /// What is open: how the books differ, and about what.
    async fn open(&self) -> Vec<(ExceptionKind, Option<Uuid>)> {
        let found = self.exceptions(ExceptionState::Open).await;
        let mut told: Vec<_> = found.iter().map(|one| (one.kind, one.subject_id)).collect();
        told.sort();
        told
    }

    async fn summary(&self, currency: Currency) -> ReconciliationSummary {
        let found = self.desk().summary(&Actor::system()).await.unwrap();
        found.into_iter().find(|one| one.difference.currency == currency).unwrap()
    }

    async fn violations(&self) -> Vec<Violation> {
        let mut found = super::violations(&self.test.database).await.unwrap();
        found.extend(ledger::violations(&self.test.database, None).await.unwrap());
        found
    }

    /// All that is told holds, but that the books may differ; each open exception is told of.
    async fn end(self) {
        let (open, broken): (Vec<_>, Vec<_>) = self
            .violations()
            .await
            .into_iter()
            .partition(|one| one.invariant == "reconciliation/books_agree");
        assert_eq!(broken, []);
        assert_eq!(open.len(), self.exceptions(ExceptionState::Open).await.len());
        drop(self.nodes);
        self.other.close().await;
        self.test.drop().await;
    }
}

const fn gbp(amount: i64) -> Money {
    Money::new(amount, Currency::GBP)
}
