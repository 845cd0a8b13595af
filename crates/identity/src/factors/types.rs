//! What second factors look like from outside.

use platform::Secret;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{Credentials, PasskeyId};

/// Marks ids of passkeys.
pub enum PasskeyMark {}

/// What a second factor can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FactorMethod {
    /// Six digits of an authenticator app.
    Totp,
    /// A passkey.
    Passkey,
    /// A code from the list that was shown once.
    RecoveryCode,
}

/// The second factors of somebody.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SecondFactorStatus {
    /// Whether an authenticator app is set up.
    pub totp: bool,
    /// The passkeys.
    pub passkeys: Vec<PasskeyInfo>,
    /// Recovery codes that are left.
    pub recovery_codes_left: i64,
}

/// A passkey, as its owner sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PasskeyInfo {
    /// Its id.
    pub id: PasskeyId,
    /// What its owner calls it.
    #[schema(example = "Ada's phone")]
    pub name: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last used.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_used_at: Option<OffsetDateTime>,
}

/// What an authenticator app has to be told.
#[derive(Clone, Debug)]
pub struct TotpEnrolment {
    /// The secret, in base32.
    pub secret: Secret,
    /// The same as an `otpauth://` address, for a QR code.
    pub uri: Secret,
}

/// An authenticator app that was shown to work.
#[derive(Clone, Debug)]
pub struct EnrolledTotp {
    /// To be kept in a safe place; each is good once. Empty when there were some already.
    pub recovery_codes: Vec<Secret>,
    /// A new cookie, since the session may do more now.
    pub renewed: Option<Credentials>,
}

/// A passkey that was made.
#[derive(Clone, Debug)]
pub struct EnrolledPasskey {
    /// It.
    pub passkey: PasskeyInfo,
    /// As of [`EnrolledTotp`].
    pub recovery_codes: Vec<Secret>,
    /// A new cookie, since the session may do more now.
    pub renewed: Option<Credentials>,
}

/// The beginning of a ceremony with a passkey.
#[derive(Clone, Debug)]
pub struct PasskeyStart {
    /// To be sent along with the answer of the authenticator.
    pub challenge: Secret,
    /// What `navigator.credentials` is called with, its bytes in base64url.
    pub options: serde_json::Value,
}

/// A second factor that is shown.
#[derive(Clone, Debug)]
pub enum Proof {
    /// Six digits of an authenticator app.
    Totp(Secret),
    /// A recovery code.
    RecoveryCode(Secret),
    /// What a passkey answered.
    Passkey {
        /// Of the [`PasskeyStart`].
        challenge: Secret,
        /// What `navigator.credentials.get` gave, as JSON.
        response: serde_json::Value,
    },
}

impl Proof {
    pub(super) const fn method(&self) -> FactorMethod {
        match self {
            Self::Totp(_) => FactorMethod::Totp,
            Self::RecoveryCode(_) => FactorMethod::RecoveryCode,
            Self::Passkey { .. } => FactorMethod::Passkey,
        }
    }
}
