use platform::{Code, Detail, Money, ServiceError};
use serde::{Deserialize, Serialize};

use crate::{ExceptionState, PaymentId, PayoutState};

/// Why payments refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The provider does not know the token.
    #[error("the provider does not know this token")]
    UnknownToken,
    /// The payer keeps no such means of payment.
    #[error("you keep no such means of payment")]
    UnknownMethod,
    /// There is no such means of payment to be removed.
    #[error("there is no such means of payment")]
    MethodNotFound,
    /// Somebody sent a card number. It is neither kept nor logged.
    #[error("this looks like a card number; Souk takes tokens only")]
    CardNumber,
    /// The same payment was asked for with another amount.
    #[error("the payment was begun with another amount")]
    AmountChanged,
    /// The provider does not answer.
    #[error("the payment provider does not answer")]
    ProviderUnavailable,
    /// The provider will not do this.
    #[error("the payment provider refuses: {message}")]
    ProviderRefused {
        /// The provider's word for why.
        code: String,
        /// For people.
        message: String,
    },
    /// A notice whose signature is not the provider's, or that is too old.
    #[error("the signature is not the provider's, or too old")]
    BadSignature,
    /// A notice that can not be read.
    #[error("this is no notice of the provider's")]
    BadNotice,
    /// There is no such thing.
    #[error("there is no such payment, refund, payout or exception")]
    NotFound,
    /// A payment that did not succeed, or not for this.
    #[error("payment {0} did not succeed, or came to another amount")]
    NotPaid(PaymentId),
    /// The sale is not in the books yet: it follows the payment a moment later.
    #[error("the sale of this payment is not posted yet; try again in a moment")]
    NotPosted,
    /// More is to be given back than is left.
    #[error("only {left} of the payment can still be given back")]
    RefundTooLarge {
        /// What is left.
        left: Money,
    },
    /// The stores' parts of a refund are not the whole of it, or more than they sold.
    #[error("the stores' parts are not the whole, or more than is left of their sales")]
    SharesDiffer,
    /// There is no such commission rule.
    #[error("there is no such commission rule")]
    CommissionRuleNotFound,
    /// The commission rule counts no more.
    #[error("the commission rule is over; make another one")]
    CommissionRuleEnded,
    /// The payout is past that.
    #[error("the payout is {}, and under way or past that", .0.as_str())]
    PayoutUnderWay(PayoutState),
    /// There is nowhere to send the store's money.
    #[error("the store has no account that money can be sent to")]
    NoPayoutAccount,
    /// The store's payouts are held.
    #[error("the payouts of this store are held")]
    PayoutsPaused,
    /// The store is owed nothing that can be paid out now.
    #[error("there is nothing that can be paid out now")]
    NothingToPayOut,
    /// Something took of the store's money while it was counted.
    #[error("something took of the store's money meanwhile; try again")]
    PayoutsBusy,
    /// A file could not be made of a statement.
    #[error("the statement can not be printed: {0}")]
    Unprintable(String),
    /// The exception is not open any more.
    #[error("the exception is {} already", .0.as_str())]
    ExceptionEnded(ExceptionState),
    /// The thing is not as the actor read it.
    #[error("this has changed meanwhile; read it again")]
    Stale,
    /// The key was used with another request.
    #[error("this Idempotency-Key was used with another request")]
    KeyReused,
    /// Something in the input that only payments can tell.
    #[error("{message}")]
    Invalid {
        /// Path of the field.
        field: String,
        /// Stable code.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// The actor may not do this.
    #[error(transparent)]
    Denied(#[from] identity::Denied),
    /// A place in a list that is none.
    #[error(transparent)]
    Cursor(#[from] platform::page::BadCursor),
    /// Souk has no provider of this name.
    #[error("there is no payment provider of this name")]
    UnknownProvider,
    /// No such event was received.
    #[error("no such event was received")]
    WebhookNotFound,
    /// The event is so old that nobody knows any more what it said.
    #[error("the event is so old that its body was deleted")]
    WebhookGone,
    /// What was to be written down could not be, for now.
    #[error(transparent)]
    Batch(#[from] platform::batch::Error),
    /// The database failed.
    #[error("database failure")]
    Database(#[from] sqlx::Error),
}

impl Error {
    pub(crate) fn invalid(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), code, message: message.into() }
    }
}

impl ServiceError for Error {
    fn code(&self) -> Code {
        match self {
            Self::UnknownToken
            | Self::UnknownMethod
            | Self::CardNumber
            | Self::BadNotice
            | Self::KeyReused
            | Self::Invalid { .. }
            | Self::Cursor(_) => Code::Invalid,
            Self::Stale => Code::Precondition,
            Self::PayoutsBusy => Code::Unavailable,
            Self::Unprintable(_) => Code::Internal,
            Self::BadSignature => Code::Unauthenticated,
            Self::NotFound
            | Self::MethodNotFound
            | Self::CommissionRuleNotFound
            | Self::UnknownProvider
            | Self::WebhookNotFound => Code::NotFound,
            Self::WebhookGone => Code::Gone,
            Self::AmountChanged
            | Self::ProviderRefused { .. }
            | Self::NotPaid(_)
            | Self::NotPosted
            | Self::RefundTooLarge { .. }
            | Self::SharesDiffer
            | Self::PayoutUnderWay(_)
            | Self::NoPayoutAccount
            | Self::PayoutsPaused
            | Self::NothingToPayOut
            | Self::ExceptionEnded(_)
            | Self::CommissionRuleEnded => Code::Conflict,
            Self::ProviderUnavailable => Code::Unavailable,
            Self::Denied(denied) => denied.code(),
            Self::Batch(error) => error.code().0,
            Self::Database(error) => platform::error::database_failure(error).0,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::UnknownToken => "payments/unknown_token",
            Self::UnknownMethod => "payments/unknown_payment_method",
            Self::MethodNotFound => "payments/payment_method_not_found",
            Self::CardNumber => "payments/card_number_refused",
            Self::AmountChanged => "payments/amount_changed",
            Self::ProviderUnavailable => "payments/provider_unavailable",
            Self::ProviderRefused { .. } => "payments/provider_refused",
            Self::BadSignature => "payments/bad_signature",
            Self::BadNotice => "payments/bad_notice",
            Self::NotFound => "payments/not_found",
            Self::NotPaid(_) => "payments/not_paid",
            Self::NotPosted => "payments/not_posted",
            Self::RefundTooLarge { .. } => "payments/refund_too_large",
            Self::SharesDiffer => "payments/shares_differ",
            Self::PayoutUnderWay(_) => "payments/payout_under_way",
            Self::NoPayoutAccount => "payments/no_payout_account",
            Self::PayoutsPaused => "payments/payouts_paused",
            Self::NothingToPayOut => "payments/nothing_to_pay_out",
            Self::ExceptionEnded(_) => "payments/exception_ended",
            Self::PayoutsBusy => "request/busy",
            Self::Unprintable(_) => "payments/statement_not_printable",
            Self::CommissionRuleNotFound => "payments/commission_rule_not_found",
            Self::CommissionRuleEnded => "payments/commission_rule_ended",
            Self::Stale => "payments/changed_meanwhile",
            Self::KeyReused => "request/idempotency_key_reused",
            Self::Invalid { .. } => "request/invalid_value",
            Self::UnknownProvider => "payments/unknown_provider",
            Self::WebhookNotFound => "payments/webhook_not_found",
            Self::WebhookGone => "payments/webhook_gone",
            Self::Denied(denied) => denied.reason(),
            Self::Cursor(_) => "request/bad_cursor",
            Self::Batch(error) => error.code().1,
            Self::Database(error) => platform::error::database_failure(error).1,
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::Invalid { field, code, message } => vec![Detail::new(field, *code, message)],
            Self::Denied(denied) => denied.details(),
            Self::Cursor(error) => vec![Detail::new("after", "bad_cursor", error.to_string())],
            _ => Vec::new(),
        }
    }
}

/// Why a provider declined, in the terms of Stripe's decline codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineCode {
    /// The bank did not say why.
    CardDeclined,
    /// The account has too little.
    InsufficientFunds,
    /// The card is too old.
    ExpiredCard,
    /// The number on the back is wrong.
    IncorrectCvc,
    /// The provider failed on the way.
    ProcessingError,
    /// The provider does not know the means of payment, or not any more.
    PaymentMethodNotAvailable,
}

impl DeclineCode {
    /// The code as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CardDeclined => "card_declined",
            Self::InsufficientFunds => "insufficient_funds",
            Self::ExpiredCard => "expired_card",
            Self::IncorrectCvc => "incorrect_cvc",
            Self::ProcessingError => "processing_error",
            Self::PaymentMethodNotAvailable => "payment_method_not_available",
        }
    }

    /// The stable reason of an error that tells of it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::CardDeclined => "payments/card_declined",
            Self::InsufficientFunds => "payments/insufficient_funds",
            Self::ExpiredCard => "payments/expired_card",
            Self::IncorrectCvc => "payments/incorrect_cvc",
            Self::ProcessingError => "payments/processing_error",
            Self::PaymentMethodNotAvailable => "payments/payment_method_not_available",
        }
    }

    /// What to tell the buyer.
    pub const fn message(self) -> &'static str {
        match self {
            Self::CardDeclined => "the card was declined; try another one",
            Self::InsufficientFunds => "the card has insufficient funds; try another one",
            Self::ExpiredCard => "the card has expired; try another one",
            Self::IncorrectCvc => "the card's security code is wrong",
            Self::ProcessingError => "the card could not be processed; try again in a moment",
            Self::PaymentMethodNotAvailable => {
                "this means of payment can not be used any more; take another one"
            }
        }
    }

    pub(crate) fn of(text: &str) -> Self {
        match text {
            "insufficient_funds" => Self::InsufficientFunds,
            "expired_card" => Self::ExpiredCard,
            "incorrect_cvc" => Self::IncorrectCvc,
            "processing_error" => Self::ProcessingError,
            "payment_method_not_available" => Self::PaymentMethodNotAvailable,
            _ => Self::CardDeclined,
        }
    }
}
