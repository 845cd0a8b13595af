//! What can go wrong here.

use platform::page::BadCursor;
use platform::{Code, Detail, ServiceError};

use crate::actor::Denied;

/// A failure of this module.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The actor may not do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The credential is none, or not good any more.
    #[error("the credential is not valid, or not any more")]
    BadCredential,
    /// One answer for a wrong address, a wrong password, and an address that is not confirmed.
    #[error("wrong email or password, or the email address is not confirmed yet")]
    LoginFailed,
    /// The password that confirms a change is wrong.
    #[error("the password is wrong")]
    WrongPassword,
    /// What takes over an account for good needs a login that has just begun.
    #[error("sign in again first: this needs a login of the last 15 minutes")]
    LoginTooOld,
    /// The account has no password to confirm with.
    #[error("this account has no password yet: set one with a password reset")]
    NoPassword,
    /// A second factor is wrong.
    #[error("the code is wrong, or was used already")]
    WrongCode,
    /// A passkey is none of theirs, or did not answer what it was asked.
    #[error("the passkey was not accepted")]
    WrongPasskey,
    /// Too many wrong guesses.
    #[error("too many wrong attempts; try again in {0} s")]
    TooManyAttempts(u32),
    /// The password is easy to guess.
    #[error("the password is too easy to guess: {0}")]
    WeakPassword(String),
    /// A mailed link, an invitation or a challenge that is none, was used, or is too old.
    #[error("this link or challenge is not valid, was used already, or is too old")]
    BadToken,
    /// A refresh token that was used before: its session is over.
    #[error("this refresh token was used before; the login it belongs to was ended for safety")]
    RefreshReused,
    /// Nobody has this id.
    #[error("there is no such user")]
    UserNotFound,
    /// There is no such thing of the actor's.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The address belongs to another account.
    #[error("this email address can not be used")]
    EmailTaken,
    /// There is such a thing already.
    #[error("{0}")]
    Conflict(&'static str, &'static str),
    /// What the actor would give is more than what they have.
    #[error("nobody can give a right that they do not have: {0}")]
    MoreThanOwn(String),
    /// A store has to have an owner.
    #[error("a store has at least one owner; make somebody else an owner first")]
    LastOwner,
    /// The actor owns stores alone.
    #[error("you are the only owner of a store; make somebody else an owner or have it closed first")]
    OwnsStores,
    /// The marketplace has to have an operator.
    #[error("a marketplace has at least one operator")]
    LastOperator,
    /// Something in the input that only this module can tell.
    #[error("{message}")]
    Invalid {
        /// Path of the field.
        field: &'static str,
        /// Stable code.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// The cursor is none of this list.
    #[error(transparent)]
    Cursor(#[from] BadCursor),
    /// The actor's picture of the thing is out of date.
    #[error("it was changed meanwhile; read it again")]
    Stale,
    /// There is no such provider.
    #[error("there is no login provider {0:?}")]
    UnknownProvider(String),
    /// The provider said no, or something that can not be trusted.
    #[error("the login provider did not confirm who you are: {0}")]
    ProviderRefused(String),
    /// The provider does not answer.
    #[error("the login provider does not answer")]
    ProviderUnavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What the database holds can not be read.
    #[error("a stored value can not be read: {0}")]
    Stored(String),
    /// The database failed.
    #[error("database failure")]
    Database(#[from] sqlx::Error),
}

impl Error {
    pub(crate) fn invalid(field: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field, code, message: message.into() }
    }

    /// A value of the database that does not fit its type.
    pub(crate) fn stored(error: impl std::fmt::Display) -> Self {
        Self::Stored(error.to_string())
    }
}

impl From<platform::vault::Sealed> for Error {
    fn from(error: platform::vault::Sealed) -> Self {
        Self::stored(error)
    }
}

impl ServiceError for Error {
    fn code(&self) -> Code {
        match self {
            Self::Denied(denied) => denied.code(),
            Self::BadCredential | Self::LoginFailed | Self::RefreshReused => Code::Unauthenticated,
            Self::WrongPassword
            | Self::LoginTooOld
            | Self::NoPassword
            | Self::WrongCode
            | Self::WrongPasskey
            | Self::MoreThanOwn(_) => Code::Forbidden,
            Self::TooManyAttempts(_) => Code::TooMany,
            Self::WeakPassword(_) | Self::Invalid { .. } | Self::Cursor(_) => Code::Invalid,
            Self::BadToken => Code::Gone,
            Self::UserNotFound | Self::NotFound(_) | Self::UnknownProvider(_) => Code::NotFound,
            Self::EmailTaken
            | Self::Conflict(..)
            | Self::LastOwner
            | Self::OwnsStores
            | Self::LastOperator => Code::Conflict,
            Self::Stale => Code::Precondition,
            Self::ProviderRefused(_) => Code::Unauthenticated,
            Self::ProviderUnavailable(_) => Code::Unavailable,
            Self::Stored(_) => Code::Internal,
            Self::Database(error) => platform::error::database_failure(error).0,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Denied(denied) => denied.reason(),
            Self::BadCredential => "identity/bad_credential",
            Self::LoginFailed => "identity/login_failed",
            Self::WrongPassword => "identity/wrong_password",
            Self::LoginTooOld => "identity/login_too_old",
            Self::NoPassword => "identity/no_password",
            Self::WrongCode => "identity/wrong_code",
            Self::WrongPasskey => "identity/wrong_passkey",
            Self::TooManyAttempts(_) => "identity/too_many_attempts",
            Self::WeakPassword(_) => "identity/weak_password",
            Self::BadToken => "identity/token_not_valid",
            Self::RefreshReused => "identity/refresh_token_reused",
            Self::UserNotFound => "identity/user_not_found",
            Self::NotFound(_) => "identity/not_found",
            Self::EmailTaken => "identity/email_taken",
            Self::Conflict(_, reason) => reason,
            Self::MoreThanOwn(_) => "identity/more_than_own",
            Self::LastOwner => "identity/last_owner",
            Self::OwnsStores => "identity/owns_stores",
            Self::LastOperator => "identity/last_operator",
            Self::Invalid { .. } => "request/invalid_value",
            Self::Cursor(_) => "request/bad_cursor",
            Self::Stale => "identity/changed_meanwhile",
            Self::UnknownProvider(_) => "identity/unknown_provider",
            Self::ProviderRefused(_) => "identity/provider_refused",
            Self::ProviderUnavailable(_) => "identity/provider_unavailable",
            Self::Stored(_) => "internal",
            Self::Database(error) => platform::error::database_failure(error).1,
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::Denied(denied) => denied.details(),
            Self::WeakPassword(why) => vec![Detail::new("password", "weak", why.clone())],
            Self::Invalid { field, code, message } => vec![Detail::new(*field, *code, message.clone())],
            Self::Cursor(error) => vec![Detail::new("after", "bad_cursor", error.to_string())],
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::TooManyAttempts(seconds) => Some(*seconds),
            _ => (self.code() == Code::Unavailable).then_some(1),
        }
    }
}
