//! Second factors: TOTP (RFC 6238) with recovery codes, and passkeys (WebAuthn).

use async_trait::async_trait;
use platform::{Secret, Tx};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{Actor, Client, Credentials, Error, Parts, PasskeyId, Service, Settings, SignedIn, UserId};

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

/// The beginning of a ceremony with a passkey.
#[derive(Clone, Debug)]
pub struct PasskeyStart {
    /// To be sent along with the answer of the authenticator.
    pub challenge: Secret,
    /// What `navigator.credentials` is called with.
    pub options: serde_json::Value,
}

/// Second factors.
#[async_trait]
pub trait SecondFactors: Send + Sync + 'static {
    /// The second factors of whoever asks.
    async fn status(&self, actor: &Actor) -> Result<SecondFactorStatus, Error>;
}

#[async_trait]
impl SecondFactors for Service {
    async fn status(&self, _: &Actor) -> Result<SecondFactorStatus, Error> {
        Err(Error::NotFound("second factor"))
    }
}

/// What the ceremonies work with.
pub(crate) struct Tools {}

impl Tools {
    pub(crate) fn new(_: &Settings) -> Self {
        Self {}
    }
}

/// What somebody can show as a second factor; nothing if they have none.
pub(crate) async fn methods(parts: &Parts, user: UserId) -> Result<Vec<FactorMethod>, Error> {
    let row = sqlx::query!(
        r#"SELECT EXISTS (SELECT FROM identity.totp WHERE user_id = $1 AND confirmed_at IS NOT NULL) AS "totp!",
                  EXISTS (SELECT FROM identity.passkeys WHERE user_id = $1) AS "passkey!",
                  EXISTS (SELECT FROM identity.recovery_codes WHERE user_id = $1 AND used_at IS NULL) AS "code!""#,
        user.uuid(),
    )
    .fetch_one(parts.database.pool())
    .await?;
    if !row.totp && !row.passkey {
        return Ok(Vec::new());
    }
    let all = [
        (row.totp, FactorMethod::Totp),
        (row.passkey, FactorMethod::Passkey),
        (row.code, FactorMethod::RecoveryCode),
    ];
    Ok(all.into_iter().filter(|(there, _)| *there).map(|(_, method)| method).collect())
}

/// Takes away all second factors of somebody.
pub(crate) async fn remove_all(tx: &mut Tx, user: UserId) -> Result<(), Error> {
    sqlx::query!("DELETE FROM identity.totp WHERE user_id = $1", user.uuid()).execute(&mut **tx).await?;
    sqlx::query!("DELETE FROM identity.passkeys WHERE user_id = $1", user.uuid()).execute(&mut **tx).await?;
    sqlx::query!("DELETE FROM identity.recovery_codes WHERE user_id = $1", user.uuid())
        .execute(&mut **tx)
        .await?;
    Ok(())
}
