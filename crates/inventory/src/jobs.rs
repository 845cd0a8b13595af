//! Work in the background: telling the catalogue what is in stock, and giving back what was held too long.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catalog::{Catalog, InStock};
use identity::Actor;
use platform::outbox::{Delivery, Event, Handler};
use platform::schedule::Recurring;

use crate::Inventory;
use crate::events::AvailabilityChanged;

/// Carries [`AvailabilityChanged`] to the catalogue.
pub struct TellCatalog(pub Arc<dyn Catalog>);

#[async_trait]
impl Handler for TellCatalog {
    fn topics(&self) -> &'static [&'static str] {
        &[AvailabilityChanged::TOPIC]
    }

    async fn handle(&self, deliveries: &[&Delivery]) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut news = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            if let Some(event) = delivery.read::<AvailabilityChanged>()? {
                news.push(InStock {
                    variant_id: event.variant_id,
                    in_stock: event.in_stock,
                    version: event.version,
                });
            }
        }
        Ok(self.0.set_in_stock(&Actor::system(), &news).await?)
    }
}

/// Releases reservations whose time is over.
pub struct Sweep(pub Arc<dyn Inventory>);

#[async_trait]
impl Recurring for Sweep {
    fn name(&self) -> &'static str {
        "inventory.sweep"
    }
    fn every(&self) -> Duration {
        Duration::from_secs(1)
    }
    async fn round(&self) -> Result<u64, Box<dyn Error + Send + Sync>> {
        Ok(self.0.sweep().await?)
    }
}
