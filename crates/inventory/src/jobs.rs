//! Work in the background: telling the catalogue what is in stock.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use catalog::{Catalog, InStock};
use identity::Actor;
use platform::outbox::{Delivery, Event, Handler};

use crate::events::AvailabilityChanged;

/// Carries [`AvailabilityChanged`] to the catalogue.
pub struct TellCatalog(pub Arc<dyn Catalog>);

#[async_trait]
impl Handler for TellCatalog {
    fn topics(&self) -> &'static [&'static str] {
        &[AvailabilityChanged::TOPIC]
    }

    async fn handle(&self, deliveries: &[Delivery]) -> Result<(), Box<dyn Error + Send + Sync>> {
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
