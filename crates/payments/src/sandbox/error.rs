use identity::Denied;
use platform::{Code, ServiceError};

use crate::provider::ProviderError;

/// Why the sandbox did not do what was asked of it by its pages, or for the sake of a test.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Who asks may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// It does not know this.
    #[error("the sandbox knows no such {0}")]
    Unknown(&'static str),
    /// It is not in a state for this.
    #[error("{0}")]
    State(String),
    /// A value that can not be.
    #[error("{0}")]
    Invalid(&'static str),
    /// The database failed.
    #[error("database failure")]
    Database(#[from] sqlx::Error),
}

impl ServiceError for Error {
    fn code(&self) -> Code {
        match self {
            Self::Denied(denied) => denied.code(),
            Self::Unknown(_) => Code::NotFound,
            Self::State(_) => Code::Conflict,
            Self::Invalid(_) => Code::Invalid,
            Self::Database(error) => platform::error::database_failure(error).0,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Denied(denied) => denied.reason(),
            Self::Unknown(_) => "payments/sandbox_unknown",
            Self::State(_) => "payments/sandbox_state",
            Self::Invalid(_) => "payments/sandbox_invalid",
            Self::Database(error) => platform::error::database_failure(error).1,
        }
    }
}

impl From<ProviderError> for Error {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Database(error) => Self::Database(error),
            ProviderError::Unknown(_) | ProviderError::UnknownToken => Self::Unknown("payment"),
            other => Self::State(other.to_string()),
        }
    }
}
