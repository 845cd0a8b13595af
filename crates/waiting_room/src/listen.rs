//! Listening: how it stands with a place, told whenever the line moves, until the buyer is let in.

use std::sync::Arc;
use std::time::Duration;

use catalog::ProductId;
use identity::Actor;
use tokio::sync::OwnedSemaphorePermit;

use crate::buyer::Buyer;
use crate::place::{self, Standing, Status};
use crate::ticket::Ticket;
use crate::{Error, Parts};

/// The pause between two looks at the board. Nobody is told more often.
const PACE: Duration = Duration::from_secs(1);

/// Somebody who listens. Takes one of the node's permits as long as it lives.
pub struct Listener {
    parts: Arc<Parts>,
    ticket: Ticket,
    told: Option<Standing>,
    ended: bool,
    _permit: OwnedSemaphorePermit,
}

impl Listener {
    pub(crate) async fn open(
        parts: Arc<Parts>,
        actor: &Actor,
        product: ProductId,
        ticket: &str,
    ) -> Result<Self, Error> {
        let room = parts.rooms.require(product).await?;
        let now = parts.sources.now();
        let ticket = Ticket::read(&parts.seal, ticket, product, &Buyer::of(actor)?, now)?;
        if ticket.line != room.line {
            return Err(Error::TicketExpired);
        }
        let permit = Arc::clone(&parts.listeners).try_acquire_owned().map_err(|_| Error::TooManyListeners)?;
        Ok(Self { parts, ticket, told: None, ended: false, _permit: permit })
    }

    /// How it stands, at once and then whenever that has changed. Nothing more comes once the buyer was let in or their
    /// time is over, when the room is gone ([`Error::RoomNotFound`]), or when this node is about to stop.
    pub async fn next(&mut self) -> Option<Result<Standing, Error>> {
        while !self.ended {
            if self.told.is_some() {
                tokio::select! {
                    () = self.parts.closed.cancelled() => return None,
                    () = tokio::time::sleep(PACE) => {}
                }
            }
            match self.look().await {
                Ok(standing) if self.is_news(&standing) => {
                    self.ended = standing.status != Status::Waiting;
                    self.told = Some(standing);
                    return Some(Ok(standing));
                }
                Ok(_) => {}
                // It passes; whoever listens notices nothing but a pause.
                Err(Error::Database(error)) if self.told.is_some() => {
                    tracing::debug!(%error, "could not look how it stands");
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }

    /// The estimate goes by with time; that alone is no news.
    fn is_news(&self, now: &Standing) -> bool {
        self.told.is_none_or(|told| (told.status, told.admitted) != (now.status, now.admitted))
    }

    async fn look(&self) -> Result<Standing, Error> {
        let parts = &self.parts;
        let room = parts.rooms.require(self.ticket.product).await?;
        if room.line != self.ticket.line {
            return Err(Error::RoomNotFound);
        }
        place::of_number(parts, &room, self.ticket.number, parts.sources.now()).await
    }
}
