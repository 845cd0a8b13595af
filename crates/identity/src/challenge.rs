//! Steps of a login or an enrolment that are under way: a secret handed to the client, and what Souk has to remember
//! until it comes back.

use std::time::Duration;

use platform::{Secret, Tx};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;

use crate::{Error, Parts, UserId};

/// What a challenge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The password was right, a second factor is to come.
    SecondFactor,
    /// A passkey is being made.
    PasskeyEnrolment,
    /// Somebody signs in with a passkey alone.
    PasskeyLogin,
    /// Somebody who has signed in shows a passkey.
    PasskeyAssertion,
    /// Somebody is at another provider to sign in.
    FederatedLogin,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SecondFactor => "second_factor",
            Self::PasskeyEnrolment => "passkey_enrolment",
            Self::PasskeyLogin => "passkey_login",
            Self::PasskeyAssertion => "passkey_assertion",
            Self::FederatedLogin => "federated_login",
        }
    }
}

/// A challenge that came back.
pub(crate) struct Challenge<T> {
    pub(crate) user_id: Option<UserId>,
    pub(crate) state: T,
}

/// Wrong answers to one challenge before it is void.
const MAX_ATTEMPTS: i32 = 5;

/// Opens a challenge; the secret names it.
pub(crate) async fn open<T: Serialize>(
    parts: &Parts,
    purpose: Purpose,
    user: Option<UserId>,
    state: &T,
    lifetime: Duration,
) -> Result<Secret, Error> {
    let mut connection = parts.database.pool().acquire().await?;
    open_in(&mut connection, parts, purpose, user, state, lifetime).await
}

/// The same, in a transaction: there is no challenge if it fails.
pub(crate) async fn open_in<T: Serialize>(
    connection: &mut PgConnection,
    parts: &Parts,
    purpose: Purpose,
    user: Option<UserId>,
    state: &T,
    lifetime: Duration,
) -> Result<Secret, Error> {
    let (secret, now) = (parts.sources.secret(), parts.sources.now());
    sqlx::query!(
        "INSERT INTO identity.challenges (token_hash, purpose, user_id, state, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        secret.hash(),
        purpose.as_str(),
        user.map(UserId::uuid),
        platform::database::json(state),
        now,
        now + lifetime,
    )
    .execute(connection)
    .await?;
    Ok(secret)
}

/// Looks at a challenge without ending it, and counts an attempt at it.
///
/// # Errors
/// When it is none, is for something else, is too old, or was tried too often.
pub(crate) async fn attempt<T: DeserializeOwned>(
    parts: &Parts,
    purpose: Purpose,
    secret: &Secret,
) -> Result<Challenge<T>, Error> {
    let row = sqlx::query!(
        r#"UPDATE identity.challenges SET attempts = attempts + 1
           WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3 AND attempts < $4
           RETURNING user_id AS "user_id: UserId", state"#,
        secret.hash(),
        purpose.as_str(),
        parts.sources.now(),
        MAX_ATTEMPTS,
    )
    .fetch_optional(parts.database.pool())
    .await?
    .ok_or(Error::BadToken)?;
    let state = serde_json::from_value(row.state).map_err(Error::stored)?;
    Ok(Challenge { user_id: row.user_id, state })
}

/// Whose challenge it is, without an attempt at it.
///
/// # Errors
/// As of [`attempt`].
pub(crate) async fn look(parts: &Parts, purpose: Purpose, secret: &Secret) -> Result<Option<UserId>, Error> {
    sqlx::query_scalar!(
        r#"SELECT user_id AS "user_id: UserId" FROM identity.challenges
           WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3 AND attempts < $4"#,
        secret.hash(),
        purpose.as_str(),
        parts.sources.now(),
        MAX_ATTEMPTS,
    )
    .fetch_optional(parts.database.pool())
    .await?
    .ok_or(Error::BadToken)
}

/// Ends a challenge in the transaction that does what it was for; it is good once.
///
/// # Errors
/// When it is none, is for something else, is too old, or was ended by another request.
pub(crate) async fn take<T: DeserializeOwned>(
    parts: &Parts,
    tx: &mut Tx,
    purpose: Purpose,
    secret: &Secret,
) -> Result<Challenge<T>, Error> {
    let row = sqlx::query!(
        r#"DELETE FROM identity.challenges WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3
           RETURNING user_id AS "user_id: UserId", state"#,
        secret.hash(),
        purpose.as_str(),
        parts.sources.now(),
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::BadToken)?;
    let state = serde_json::from_value(row.state).map_err(Error::stored)?;
    Ok(Challenge { user_id: row.user_id, state })
}
