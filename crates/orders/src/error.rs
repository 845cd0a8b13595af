use catalog::VariantId;
use identity::Denied;
use inventory::{Excess, Shortage};
use payments::{DeclineCode, PaymentMeans, PaymentState};
use platform::page::BadCursor;
use platform::{Code, Currency, Detail, Money, Quantity, ServiceError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{OrderId, OrderState};

/// Why orders refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such cart, or it is not the actor's.
    #[error("there is no such cart, or its token is not yours")]
    CartNotFound,
    /// The cart was left alone for too long.
    #[error("the cart has expired; start a new one")]
    CartExpired,
    /// An order was made of the cart.
    #[error("the cart was checked out as order {0}")]
    CartCompleted(OrderId),
    /// A checkout of the cart runs.
    #[error("a checkout of this cart is under way as order {0}")]
    CheckoutRunning(OrderId),
    /// Somebody changed the cart while it was being checked out.
    #[error("the cart changed meanwhile; look at it again")]
    CartChanged,
    /// There is nothing in the cart.
    #[error("the cart is empty")]
    CartEmpty,
    /// The cart holds as many lines as it can.
    #[error("a cart holds at most {0} different items")]
    CartFull(usize),
    /// There is no such line in the cart.
    #[error("there is no such line in the cart")]
    LineNotFound,
    /// Nobody offers this variant.
    #[error("this item is not on sale")]
    ItemUnavailable(VariantId),
    /// The variant is sold in another currency than the cart's.
    #[error("the cart is in {cart}, this item is sold in {item}")]
    CurrencyMismatch {
        /// The cart's.
        cart: Currency,
        /// The item's.
        item: Currency,
    },
    /// More units of a variant than one order may have.
    #[error("at most {max} units of an item", max = Quantity::MAX)]
    TooManyUnits,
    /// The sum does not fit into 64 bits.
    #[error("the total is too large")]
    TotalTooLarge,
    /// What the buyer was shown is not how it is.
    #[error("{}", .0.message)]
    Changed(Failure),
    /// There is no such order, or the actor does not hold its cart's token.
    #[error("there is no such order, or its cart's token is not yours")]
    OrderNotFound,
    /// The order is in a state that does not allow it.
    #[error("the order is {}", .0.as_str())]
    WrongState(OrderState),
    /// The key was used for something else.
    #[error("this Idempotency-Key was used with another request")]
    KeyReused,
    /// The request that uses the key still runs.
    #[error("a request with this Idempotency-Key is still running")]
    KeyInUse,
    /// The purchase ended without success.
    #[error("{}", failure.message)]
    Failed {
        /// How.
        failure: Failure,
        /// Whether it ended so before, and this is a repetition.
        replayed: bool,
    },
    /// The purchase is safe, but could not be carried to its end yet. It goes on by itself.
    #[error("order {0} is safe and will be completed as soon as all parts answer")]
    Unfinished(OrderId),
    /// As many purchases are under way as may be.
    #[error("too many purchases are under way; try again in a moment")]
    Busy,
    /// What a purchase needs can not be read.
    #[error("the shop can not be read at this moment; try again")]
    Unavailable,
    /// More of an order is to go back than is left of it.
    #[error("{}", .0.first().map_or("nothing of it is left to go back", |detail| detail.message.as_str()))]
    RefundTooLarge(Vec<Detail>),
    /// What is to go back can not be read.
    #[error("{}", .0.first().map_or("no such refund", |detail| detail.message.as_str()))]
    InvalidRefund(Vec<Detail>),
    /// Whoever bought it has no account to which credit could go.
    #[error("it was bought without an account, so there is nowhere for credit to go")]
    NoAccount,
    /// The actor may not do this.
    #[error("only Souk itself may do this")]
    Forbidden,
    /// The actor is not somebody who may ask.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The cursor is none of this list.
    #[error(transparent)]
    Cursor(#[from] BadCursor),
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// Inventory refused.
    #[error(transparent)]
    Inventory(#[from] inventory::Error),
    /// Payments refused.
    #[error(transparent)]
    Payments(#[from] payments::Error),
    /// The queue that the request waited in did not serve it.
    #[error(transparent)]
    Batch(#[from] platform::batch::Error),
    /// It is not the buyer's turn.
    #[error(transparent)]
    WaitingRoom(#[from] waiting_room::Error),
    /// The database failed.
    #[error("database failure")]
    Database(#[from] sqlx::Error),
}

/// How a purchase failed; kept, so that it can be told again in the same words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its kind.
    pub code: Code,
    /// Its stable name.
    pub reason: String,
    /// For people.
    pub message: String,
    /// What exactly.
    #[serde(default)]
    pub details: Vec<Detail>,
}

impl Failure {
    pub(crate) fn out_of_stock(shortages: &[Shortage]) -> Self {
        Self {
            code: Code::Conflict,
            reason: "inventory/out_of_stock".to_owned(),
            message: "not enough in stock".to_owned(),
            details: shortages.iter().map(Shortage::detail).collect(),
        }
    }

    pub(crate) fn over_limit(excess: &[Excess]) -> Self {
        Self {
            code: Code::Conflict,
            reason: "inventory/purchase_limit".to_owned(),
            message: "more than one buyer may have".to_owned(),
            details: excess.iter().map(Excess::detail).collect(),
        }
    }

    fn declined(code: DeclineCode, means: Option<&PaymentMeans>) -> Self {
        let field = means.map_or("payment", PaymentMeans::field);
        Self {
            code: Code::PaymentRequired,
            reason: code.reason().to_owned(),
            message: code.message().to_owned(),
            details: vec![Detail::new(field, code.as_str(), code.message())],
        }
    }

    /// Why a payment that ended otherwise came to nothing.
    pub(crate) fn unpaid(state: PaymentState, means: Option<&PaymentMeans>) -> Self {
        match state {
            PaymentState::Declined(code) => Self::declined(code, means),
            _ => Self {
                code: Code::PaymentRequired,
                reason: "payments/voided".to_owned(),
                message: "the payment was called off; nothing was charged".to_owned(),
                details: Vec::new(),
            },
        }
    }

    /// The provider does not answer.
    pub(crate) fn unanswered(order: OrderId) -> Self {
        let message =
            "the payment provider does not answer; the order is safe and will be paid as soon as it does";
        Self {
            code: Code::Unavailable,
            reason: "payments/provider_unavailable".to_owned(),
            message: message.to_owned(),
            details: vec![Detail::new("order_id", "order", message).with_facts(json!({"order_id": order}))],
        }
    }

    /// Money came when the order's time was over.
    pub(crate) fn paid_too_late() -> Self {
        Self {
            code: Code::Conflict,
            reason: "orders/paid_too_late".to_owned(),
            message: "the payment came when the items had been given back; the money goes back".to_owned(),
            details: Vec::new(),
        }
    }

    pub(crate) fn reservation_lost() -> Self {
        Self {
            code: Code::Conflict,
            reason: "orders/reservation_lost".to_owned(),
            message: "the items were given back before the payment came through; nothing was charged"
                .to_owned(),
            details: Vec::new(),
        }
    }

    pub(crate) fn expired() -> Self {
        Self {
            code: Code::Conflict,
            reason: "orders/expired".to_owned(),
            message: "the order was not paid in time; its items were given back".to_owned(),
            details: Vec::new(),
        }
    }
}

/// A line whose price is not what the buyer was shown.
pub(crate) fn price_changed(line: usize, variant: VariantId, shown: Money, now: Money) -> Detail {
    Detail::new(
        format!("lines[{line}].unit_price"),
        "price_changed",
        format!("the price is now {now}, was {shown}"),
    )
    .with_facts(json!({"variant_id": variant, "shown": shown, "current": now}))
}

/// A line that is no longer on sale.
pub(crate) fn unavailable(line: usize, variant: VariantId) -> Detail {
    Detail::new(format!("lines[{line}]"), "unavailable", "this item is no longer on sale")
        .with_facts(json!({"variant_id": variant}))
}

impl ServiceError for Error {
    fn code(&self) -> Code {
        match self {
            Self::CartNotFound | Self::LineNotFound | Self::OrderNotFound => Code::NotFound,
            Self::ItemUnavailable(_) => Code::NotFound,
            Self::CartExpired => Code::Gone,
            Self::CartCompleted(_)
            | Self::CheckoutRunning(_)
            | Self::CartChanged
            | Self::CartEmpty
            | Self::WrongState(_)
            | Self::RefundTooLarge(_)
            | Self::NoAccount
            | Self::KeyInUse => Code::Conflict,
            Self::CartFull(_)
            | Self::CurrencyMismatch { .. }
            | Self::TooManyUnits
            | Self::TotalTooLarge
            | Self::KeyReused
            | Self::InvalidRefund(_)
            | Self::Cursor(_) => Code::Invalid,
            Self::Denied(denied) => denied.code(),
            Self::Changed(failure) | Self::Failed { failure, .. } => failure.code,
            Self::Unfinished(_) | Self::Busy | Self::Unavailable => Code::Unavailable,
            Self::Forbidden => Code::Forbidden,
            Self::Catalog(error) => error.code(),
            Self::Inventory(error) => error.code(),
            Self::Payments(error) => error.code(),
            Self::Batch(error) => error.code().0,
            Self::WaitingRoom(error) => error.code(),
            Self::Database(error) => platform::error::database_failure(error).0,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::CartNotFound => "orders/cart_not_found",
            Self::CartExpired => "orders/cart_expired",
            Self::CartCompleted(_) => "orders/cart_completed",
            Self::CheckoutRunning(_) => "orders/checkout_running",
            Self::CartChanged => "orders/cart_changed",
            Self::CartEmpty => "orders/cart_empty",
            Self::CartFull(_) => "orders/cart_full",
            Self::LineNotFound => "orders/line_not_found",
            Self::ItemUnavailable(_) => "orders/item_unavailable",
            Self::CurrencyMismatch { .. } => "orders/currency_mismatch",
            Self::TooManyUnits => "orders/too_many_units",
            Self::TotalTooLarge => "orders/total_too_large",
            Self::Changed(failure) | Self::Failed { failure, .. } => &failure.reason,
            Self::OrderNotFound => "orders/order_not_found",
            Self::WrongState(_) => "orders/wrong_state",
            Self::KeyReused => "request/idempotency_key_reused",
            Self::KeyInUse => "request/idempotency_key_in_use",
            Self::Unfinished(_) => "orders/payment_pending",
            Self::Busy => "request/busy",
            Self::Unavailable => "database/unavailable",
            Self::Forbidden => "orders/forbidden",
            Self::Denied(denied) => denied.reason(),
            Self::RefundTooLarge(_) => "orders/refund_too_large",
            Self::InvalidRefund(_) => "orders/invalid_refund",
            Self::NoAccount => "orders/no_account",
            Self::Cursor(_) => "request/bad_cursor",
            Self::Catalog(error) => error.reason(),
            Self::Inventory(error) => error.reason(),
            Self::Payments(error) => error.reason(),
            Self::Batch(error) => error.code().1,
            Self::WaitingRoom(error) => error.reason(),
            Self::Database(error) => platform::error::database_failure(error).1,
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::Changed(failure) | Self::Failed { failure, .. } => failure.details.clone(),
            Self::RefundTooLarge(details) | Self::InvalidRefund(details) => details.clone(),
            Self::Inventory(error) => error.details(),
            Self::WaitingRoom(error) => error.details(),
            Self::Denied(denied) => denied.details(),
            Self::Cursor(error) => vec![Detail::new("after", "bad_cursor", error.to_string())],
            Self::CurrencyMismatch { cart, item } => {
                vec![
                    Detail::new("variant_id", "currency_mismatch", self.to_string())
                        .with_facts(json!({"cart": cart, "item": item})),
                ]
            }
            Self::TooManyUnits => vec![
                Detail::new("quantity", "range", self.to_string())
                    .with_facts(json!({"maximum": Quantity::MAX})),
            ],
            Self::CartCompleted(order) | Self::CheckoutRunning(order) | Self::Unfinished(order) => {
                vec![
                    Detail::new("order_id", "order", self.to_string()).with_facts(json!({"order_id": order})),
                ]
            }
            Self::WrongState(state) => {
                vec![Detail::new("status", "state", self.to_string()).with_facts(json!({"status": state}))]
            }
            Self::Payments(error @ (payments::Error::UnknownToken | payments::Error::CardNumber)) => {
                vec![Detail::new("payment.token", "invalid", error.to_string())]
            }
            Self::Payments(error @ payments::Error::UnknownMethod) => {
                vec![Detail::new("payment.payment_method_id", "unknown", error.to_string())]
            }
            _ => Vec::new(),
        }
    }

    fn replayed(&self) -> bool {
        matches!(self, Self::Failed { replayed: true, .. })
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::KeyInUse | Self::CheckoutRunning(_) => Some(1),
            Self::WaitingRoom(error) => error.retry_after(),
            _ => (self.code() == Code::Unavailable).then_some(1),
        }
    }
}
