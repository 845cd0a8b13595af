//! Where a payment is in its life.

use crate::DeclineCode;
use crate::provider::Status;

/// Where a payment is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentState {
    /// The provider is being asked.
    Created,
    /// The buyer has something to do: pay on the provider's page, or answer a challenge.
    RequiresAction,
    /// The provider is at it and will tell.
    Processing,
    /// The money is set aside.
    Authorized,
    /// The provider took the money.
    Succeeded,
    /// The provider refused.
    Declined(DeclineCode),
    /// It was called off before any money moved.
    Voided,
}

impl PaymentState {
    /// The state as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::Authorized => "authorized",
            Self::Succeeded => "succeeded",
            Self::Declined(_) => "declined",
            Self::Voided => "voided",
        }
    }

    /// Whether nothing more is to be heard of it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Declined(_) | Self::Voided)
    }

    pub(crate) const fn decline_code(self) -> Option<&'static str> {
        match self {
            Self::Declined(code) => Some(code.as_str()),
            _ => None,
        }
    }

    pub(crate) fn stored(state: &str, decline_code: Option<&str>) -> Result<Self, sqlx::Error> {
        Ok(match state {
            "created" => Self::Created,
            "requires_action" => Self::RequiresAction,
            "processing" => Self::Processing,
            "authorized" => Self::Authorized,
            "succeeded" => Self::Succeeded,
            "declined" => Self::Declined(DeclineCode::of(decline_code.unwrap_or_default())),
            "voided" => Self::Voided,
            other => return Err(sqlx::Error::Decode(format!("{other:?} is no state of a payment").into())),
        })
    }
}

impl From<&Status> for PaymentState {
    fn from(status: &Status) -> Self {
        match status {
            Status::RequiresAction(_) => Self::RequiresAction,
            Status::Processing => Self::Processing,
            Status::Authorized => Self::Authorized,
            Status::Succeeded => Self::Succeeded,
            Status::Declined(code) => Self::Declined(*code),
            Status::Voided => Self::Voided,
        }
    }
}
