#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod delivery;
mod fake;
mod trouble;
mod upkeep;

use std::sync::Arc;

use identity::Actor;
use platform::{CursorRequest, Database, Sources};
use testkit::{FakeClock, SeededEntropy, TestDatabase};

use super::{Inbox, Received, WebhookEvent, WebhookFilter, service};
use crate::Error;
use crate::provider::signature;
use fake::{Counting, Does, Fake, Told};

/// The secrets of the fake provider that are active, one of which takes over from the other.
const SECRETS: [&str; 2] = ["planted-old-secret", "planted-new-secret"];

/// Two nodes on one database.
struct Scene {
    nodes: [Arc<dyn Inbox>; 2],
    effect: Arc<Counting>,
    clock: Arc<FakeClock>,
    sources: Sources,
    test: TestDatabase,
    other: Database,
}

impl Scene {
    async fn set() -> Self {
        let test = TestDatabase::create().await;
        sqlx::query(
            "CREATE TABLE payments.test_effects (seq bigint GENERATED ALWAYS AS IDENTITY, subject text NOT NULL,
                event_id text NOT NULL, number bigint NOT NULL)",
        )
        .execute(test.database.pool())
        .await
        .unwrap();
        let clock = Arc::new(FakeClock::default());
        let sources = Sources::new(Arc::clone(&clock) as _, Arc::new(SeededEntropy::default()));
        let other = Database::connect(test.connect_options(), 20).await.unwrap();
        let effect = Arc::new(Counting::default());
        let node = |database: &Database| {
            let fake = Arc::new(Fake(SECRETS.to_vec()));
            service(database.clone(), sources.clone(), vec![fake], Arc::clone(&effect) as _)
        };
        let nodes = [node(&test.database), node(&other)];
        Self { nodes, effect, clock, sources, test, other }
    }

    /// An event of the fake provider, as many seconds after noon as its number says.
    fn told(&self, subject: &str, number: i64, does: Does) -> Told {
        let id = format!("evt_{subject}_{number}");
        Told { id, subject: subject.to_owned(), number, at: 1_780_315_200 + number, does }
    }

    /// Delivers an event, rightly signed.
    async fn deliver(&self, node: usize, told: &Told) -> Result<Received, Error> {
        let body = told.body();
        let signature = signature::sign(SECRETS[1].as_bytes(), &body, self.sources.now());
        self.nodes[node].receive("fake", &[("fake-signature".to_owned(), signature)], &body).await
    }

    /// Works until nothing is due.
    async fn process(&self) -> u64 {
        let mut tried = 0;
        loop {
            match self.nodes[0].process_due().await.unwrap() {
                0 => return tried,
                some => tried += some,
            }
        }
    }

    /// What took effect: subjects and numbers, in the order it did.
    async fn effects(&self) -> Vec<(String, i64)> {
        sqlx::query_as("SELECT subject, number FROM payments.test_effects ORDER BY seq")
            .fetch_all(self.test.database.pool())
            .await
            .unwrap()
    }

    async fn events(&self, filter: &WebhookFilter) -> Vec<WebhookEvent> {
        let slice = CursorRequest { first: 100, after: None };
        self.nodes[0].events(&Actor::system(), filter, &slice).await.unwrap().data
    }

    /// An event by its number, of which there is one.
    async fn event(&self, told: &Told) -> WebhookEvent {
        let filter = WebhookFilter { subject: Some(told.subject.clone()), ..WebhookFilter::default() };
        self.events(&filter).await.into_iter().find(|event| event.event_id == told.id).unwrap()
    }

    async fn end(self) {
        drop(self.nodes);
        self.other.close().await;
        self.test.drop().await;
    }
}
