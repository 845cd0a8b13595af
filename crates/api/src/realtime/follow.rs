//! Following one order.

use identity::Actor;
use orders::{Error, OrderEvent, OrderId};
use platform::changes::Watch;
use platform::{Code, ServiceError, Tag};

use super::{PAUSE, POLL};
use crate::Api;

/// Somebody who follows an order, and how far they are.
pub(super) struct Follow {
    api: Api,
    actor: Actor,
    order: OrderId,
    after: i32,
    watch: Watch,
    ended: bool,
}

impl Follow {
    /// Begins after a version of the order, and gives what has happened since.
    ///
    /// # Errors
    /// When it is not the actor's order, or the database does not answer.
    pub(super) async fn begin(
        api: &Api,
        actor: Actor,
        order: OrderId,
        after: i32,
    ) -> Result<(Self, Vec<OrderEvent>), Error> {
        // Before the read: what happens after it wakes us.
        let watch = api.realtime.changes.watch(Tag::id(order));
        // From the beginning, so that an order that has come to its end is known as one. An order has a few events.
        let mut events = api.orders.events(&actor, order, 0).await?;
        let ended = events.last().is_some_and(OrderEvent::is_last);
        events.retain(|event| event.version > after);
        let after = events.last().map_or(after, |event| event.version);
        Ok((Self { api: api.clone(), actor, order, after, watch, ended }, events))
    }

    /// Whether nothing more is to come.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Waits for what happens next; at least one event. May be dropped and called again.
    ///
    /// # Errors
    /// When the order is no longer the actor's. A database that does not answer is waited for.
    pub(super) async fn next(&mut self) -> Result<Vec<OrderEvent>, Error> {
        loop {
            tokio::select! {
                () = self.watch.changed() => {}
                () = tokio::time::sleep(POLL) => {}
            }
            let events = loop {
                match self.api.orders.events(&self.actor, self.order, self.after).await {
                    Ok(events) => break events,
                    Err(error) if error.code() == Code::Unavailable => tokio::time::sleep(PAUSE).await,
                    Err(error) => return Err(error),
                }
            };
            if let Some(last) = events.last() {
                self.after = last.version;
                self.ended = last.is_last();
                return Ok(events);
            }
        }
    }
}
