//! The facts that the catalogue publishes.

use identity::UserId;
use platform::Slug;
use platform::outbox::Event;
use serde::{Deserialize, Serialize};

use crate::{StoreId, StoreStatus};

/// Somebody applied for a store, or the operator decided about one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoreStatusChanged {
    /// The store.
    pub store_id: StoreId,
    /// Its name in addresses.
    pub slug: Slug,
    /// Its name.
    pub name: String,
    /// What it is now.
    pub status: StoreStatus,
    /// What the operator said.
    pub reason: Option<String>,
    /// Who asked for the store.
    pub applied_by: Option<UserId>,
}

impl Event for StoreStatusChanged {
    const TOPIC: &'static str = "catalog.store_status_changed.v1";
}
