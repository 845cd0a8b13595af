//! What a reservation promises, on a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod batches;
mod expiry;
mod limits;
mod model;
mod promises;
mod routing;

use std::sync::Arc;

use catalog::VariantId;
use inventory::{Inventory, Line, ReservationId, Reserve};
use platform::Quantity;
use testkit::TestApp;

fn line(variant: VariantId, quantity: i64) -> Line {
    Line::new(variant, Quantity::try_from(quantity).expect("a quantity"))
}

fn new_id(test: &TestApp) -> ReservationId {
    test.app.sources.id()
}

/// A request of nobody in particular, held until it is settled.
fn request(id: ReservationId, lines: &[Line]) -> Reserve {
    Reserve { id, lines: lines.to_vec(), buyers: Vec::new(), destination: None, expires_at: None }
}

/// Another node on the same database: it has a queue of its own.
fn another_node(test: &TestApp) -> Arc<dyn Inventory> {
    let app = &test.app;
    inventory::service(app.database.clone(), app.sources.clone(), Arc::clone(&app.catalog)).0
}

/// What inventory itself has to complain about.
async fn violations(test: &TestApp) -> Vec<String> {
    let found = test.app.inventory.verify().await.unwrap();
    found.iter().map(|violation| format!("{} {}", violation.invariant, violation.message)).collect()
}
