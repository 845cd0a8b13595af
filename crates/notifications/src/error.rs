//! What can go wrong here.

use platform::{Code, ServiceError};

/// A failure of this module.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The actor may not do this.
    #[error("only Souk itself may do this")]
    Forbidden,
    /// An event is one by name but not by content.
    #[error("an event can not be read: {0}")]
    Event(#[from] serde_json::Error),
    /// A text can not be made.
    #[error("a mail can not be written: {0}")]
    Text(#[from] minijinja::Error),
    /// The database failed.
    #[error("database failure")]
    Database(#[from] sqlx::Error),
}

impl ServiceError for Error {
    fn code(&self) -> Code {
        match self {
            Self::Forbidden => Code::Forbidden,
            Self::Event(_) | Self::Text(_) => Code::Internal,
            Self::Database(error) => platform::error::database_failure(error).0,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Forbidden => "notifications/forbidden",
            Self::Event(_) | Self::Text(_) => "internal",
            Self::Database(error) => platform::error::database_failure(error).1,
        }
    }
}
