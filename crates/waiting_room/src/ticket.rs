//! Tickets: a buyer's place, signed, so that asking how it stands costs no query.

use catalog::ProductId;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::buyer::Buyer;
use crate::seal::{Seal, take};
use crate::{Error, LineId};

/// How long a ticket is good. Joining again gives a new one for the same place.
const LIFETIME: Duration = Duration::hours(24);
const PURPOSE: u8 = b't';
const BYTES: usize = 16 + 16 + 8 + 8 + 16;

/// What a ticket says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) product: ProductId,
    pub(crate) line: LineId,
    pub(crate) number: i64,
}

impl Ticket {
    pub(crate) fn sign(&self, seal: &Seal, buyer: &Buyer, now: OffsetDateTime) -> String {
        let mut payload = Vec::with_capacity(BYTES);
        payload.extend_from_slice(self.product.uuid().as_bytes());
        payload.extend_from_slice(self.line.uuid().as_bytes());
        payload.extend_from_slice(&self.number.to_be_bytes());
        payload.extend_from_slice(&now.unix_timestamp().to_be_bytes());
        payload.extend_from_slice(&buyer.mark());
        seal.sign(PURPOSE, &payload)
    }

    /// Reads a ticket of this buyer for this product.
    pub(crate) fn read(
        seal: &Seal,
        text: &str,
        product: ProductId,
        buyer: &Buyer,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let payload = seal.open::<BYTES>(PURPOSE, text).ok_or(Error::BadTicket)?;
        let mut rest = payload.as_slice();
        let ticket = Self {
            product: Uuid::from_bytes(take(&mut rest)).into(),
            line: Uuid::from_bytes(take(&mut rest)).into(),
            number: i64::from_be_bytes(take(&mut rest)),
        };
        let issued_at = i64::from_be_bytes(take(&mut rest));
        if ticket.product != product {
            return Err(Error::BadTicket);
        }
        if take(&mut rest) != buyer.mark() {
            return Err(Error::ForeignTicket);
        }
        if issued_at.saturating_add(LIFETIME.whole_seconds()) <= now.unix_timestamp() {
            return Err(Error::TicketExpired);
        }
        Ok(ticket)
    }
}
