use catalog::{ProductId, VariantId};
use platform::page::BadCursor;
use platform::{Code, Detail, ServiceError};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Why inventory refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is less than was asked for. Nothing was reserved.
    #[error("not enough in stock")]
    OutOfStock(Vec<Shortage>),
    /// The buyer would have more than one buyer may have. Nothing was reserved.
    #[error("more than one buyer may have")]
    PurchaseLimit(Vec<Excess>),
    /// The reservation was given back before.
    #[error("the reservation was released")]
    Released,
    /// There is no reservation of this id.
    #[error("there is no such reservation")]
    ReservationNotFound,
    /// An adjustment would take more than there is to take.
    #[error("variant {0} has too little that is not reserved")]
    TooLittle(VariantId),
    /// Only Souk itself does this.
    #[error("only Souk itself does this")]
    Forbidden,
    /// The store sells no such variant.
    #[error("there is no such variant")]
    VariantNotFound,
    /// What is on hand is not what the actor read.
    #[error("what is on hand has changed meanwhile; read it again")]
    Stale,
    /// The key was used for another adjustment.
    #[error("this Idempotency-Key was used with another request")]
    KeyReused,
    /// The store has no such location.
    #[error("there is no such location")]
    LocationNotFound,
    /// The store has a location of this code.
    #[error("the store has a location {0}")]
    LocationTaken(String),
    /// Something in the input that only inventory can tell.
    #[error("{message}")]
    Invalid {
        /// Path of the field.
        field: &'static str,
        /// Stable code.
        code: &'static str,
        /// For people.
        message: &'static str,
    },
    /// The cursor is of another list.
    #[error(transparent)]
    Cursor(#[from] BadCursor),
    /// The actor may not do this, or the catalogue does not know the store.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// It was not served, or it is not known whether it was.
    #[error(transparent)]
    Batch(#[from] platform::batch::Error),
    /// The database failed.
    #[error("database failure")]
    Database(#[from] sqlx::Error),
}

/// A line that can not be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    /// Its place in the request, from 0.
    pub line: usize,
    /// The variant.
    pub variant_id: VariantId,
    /// How many were asked for.
    pub requested: i64,
    /// How many there are.
    pub available: i64,
}

impl Shortage {
    /// The shortage as a client reads it.
    pub fn detail(&self) -> Detail {
        let message = match self.available {
            0 => "sold out".to_owned(),
            left => format!("only {left} left"),
        };
        Detail::new(format!("lines[{}]", self.line), "out_of_stock", message).with_facts(json!({
            "variant_id": self.variant_id,
            "requested": self.requested,
            "available": self.available,
        }))
    }
}

/// A limit that would be passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excess {
    /// The place in the request of the product's first line, from 0.
    pub line: usize,
    /// The product.
    pub product_id: ProductId,
    /// Units that one buyer may have.
    pub most: i64,
    /// Units that the buyer has.
    pub had: i64,
    /// How many more were asked for.
    pub requested: i64,
}

impl Excess {
    /// The excess as a client reads it.
    pub fn detail(&self) -> Detail {
        let message = match self.most - self.had {
            left if left > 0 && self.had > 0 => {
                format!("at most {} per buyer; you can have {left} more", self.most)
            }
            _ => format!("at most {} per buyer", self.most),
        };
        Detail::new(format!("lines[{}]", self.line), "purchase_limit", message).with_facts(json!({
            "product_id": self.product_id,
            "most": self.most,
            "had": self.had,
            "requested": self.requested,
        }))
    }
}

impl ServiceError for Error {
    fn code(&self) -> Code {
        match self {
            Self::OutOfStock(_)
            | Self::PurchaseLimit(_)
            | Self::Released
            | Self::TooLittle(_)
            | Self::LocationTaken(_) => Code::Conflict,
            Self::ReservationNotFound | Self::VariantNotFound | Self::LocationNotFound => Code::NotFound,
            Self::Stale => Code::Precondition,
            Self::KeyReused | Self::Invalid { .. } | Self::Cursor(_) => Code::Invalid,
            Self::Catalog(error) => error.code(),
            Self::Forbidden => Code::Forbidden,
            Self::Batch(error) => error.code().0,
            Self::Database(error) => platform::error::database_failure(error).0,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::OutOfStock(_) => "inventory/out_of_stock",
            Self::PurchaseLimit(_) => "inventory/purchase_limit",
            Self::Released => "inventory/reservation_released",
            Self::ReservationNotFound => "inventory/reservation_not_found",
            Self::TooLittle(_) => "inventory/too_little",
            Self::Forbidden => "inventory/forbidden",
            Self::VariantNotFound => "inventory/variant_not_found",
            Self::LocationNotFound => "inventory/location_not_found",
            Self::LocationTaken(_) => "inventory/location_taken",
            Self::Stale => "inventory/changed_meanwhile",
            Self::KeyReused => "request/idempotency_key_reused",
            Self::Invalid { .. } => "request/invalid_value",
            Self::Cursor(_) => "request/bad_cursor",
            Self::Catalog(error) => error.reason(),
            Self::Batch(error) => error.code().1,
            Self::Database(error) => platform::error::database_failure(error).1,
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::OutOfStock(shortages) => shortages.iter().map(Shortage::detail).collect(),
            Self::PurchaseLimit(excesses) => excesses.iter().map(Excess::detail).collect(),
            Self::Invalid { field, code, message } => vec![Detail::new(*field, *code, *message)],
            Self::Cursor(error) => vec![Detail::new("after", "bad_cursor", error.to_string())],
            Self::Catalog(error) => error.details(),
            _ => Vec::new(),
        }
    }
}
