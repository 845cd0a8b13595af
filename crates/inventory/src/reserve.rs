//! What is asked for when units are to be reserved.

use catalog::{ProductId, VariantId};
use identity::UserId;
use platform::{Email, Quantity};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ReservationId;

/// Units of a variant that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The variant.
    pub variant_id: VariantId,
    /// How many units.
    pub quantity: Quantity,
    /// What a buyer may have of its product, if that is limited.
    pub limit: Option<Limit>,
}

impl Line {
    /// `quantity` units of a variant, without a limit.
    pub const fn new(variant_id: VariantId, quantity: Quantity) -> Self {
        Self { variant_id, quantity, limit: None }
    }
}

/// Units of a product that one buyer may have, over all their orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The product. All its variants count together.
    pub product_id: ProductId,
    /// The most.
    pub most: Quantity,
}

/// A request to reserve.
#[derive(Clone, Debug)]
pub struct Reserve {
    /// The id of the reservation, picked by whoever asks.
    pub id: ReservationId,
    /// What is asked for.
    pub lines: Vec<Line>,
    /// Who is buying. Somebody may be known by several names; a limit holds for each of them.
    pub buyers: Vec<BuyerKey>,
    /// Where it goes: ISO 3166-1 alpha-2. Locations in this country come first.
    pub destination: Option<String>,
    /// Until when it is held; `None` until it is sold or released.
    pub expires_at: Option<OffsetDateTime>,
}

/// A name for a buyer: a hash, so that inventory keeps nobody's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuyerKey([u8; 16]);

impl BuyerKey {
    /// The name of whoever has this account.
    pub fn of_user(user: UserId) -> Self {
        Self::hash("user", user.uuid().as_bytes())
    }

    /// The name of whoever reads this mail. Upper and lower case are the same.
    pub fn of_email(email: &Email) -> Self {
        Self::hash("email", email.as_str().to_lowercase().as_bytes())
    }

    fn hash(kind: &str, name: &[u8]) -> Self {
        let hash = Sha256::new().chain_update(kind).chain_update([0]).chain_update(name).finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&hash[..16]);
        Self(key)
    }

    pub(crate) const fn uuid(self) -> Uuid {
        Uuid::from_bytes(self.0)
    }

    pub(crate) const fn of(uuid: Uuid) -> Self {
        Self(*uuid.as_bytes())
    }
}
