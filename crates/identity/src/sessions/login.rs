//! Password logins.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Client, LogIn, SignIn, open};
use crate::challenge::{self, Purpose};
use crate::throttle::{self, Counter};
use crate::{Error, Parts, UserId, accounts, factors};

/// How long somebody may take to find their phone.
const SECOND_FACTOR_TIME: Duration = Duration::from_secs(5 * 60);

/// What is remembered between the two factors.
#[derive(Serialize, Deserialize)]
pub(crate) struct FirstFactor {}

pub(super) async fn log_in(parts: &Parts, client: &Client, login: &LogIn) -> Result<SignIn, Error> {
    let email_key = accounts::email_key(&login.email);
    let found = sqlx::query!(
        r#"SELECT id AS "id: UserId", password_hash, email_verified_at FROM identity.users WHERE email_key = $1"#,
        email_key,
    )
    .fetch_optional(parts.database.pool())
    .await?;
    let device = match (&client.device, &found) {
        (Some(device), Some(user)) if throttle::is_known(parts, user.id, device).await? => Some(device),
        _ => None,
    };
    let counter = Counter::new("password", &email_key, device);
    throttle::count(parts, &counter).await?;
    let kept = found.as_ref().and_then(|user| user.password_hash.as_deref());
    let matched = parts.passwords.matches(&login.password, kept).await;
    let verified = found.filter(|user| user.email_verified_at.is_some());
    let (Some(user), Some(matched)) = (verified, matched) else {
        metrics::counter!("souk_logins_total", "outcome" => "failed").increment(1);
        return Err(Error::LoginFailed);
    };
    throttle::clear(parts, &counter).await?;
    let mut known = user.password_hash.clone();
    if let Some(rehashed) = matched.rehashed {
        sqlx::query!(
            "UPDATE identity.users SET password_hash = $2 WHERE id = $1 AND password_hash = $3",
            user.id.uuid(),
            rehashed,
            user.password_hash,
        )
        .execute(parts.database.pool())
        .await?;
        known = Some(rehashed);
    }
    go_on(parts, client, user.id, known.as_deref()).await
}

/// Goes on after somebody has shown one factor (a password, or an account elsewhere): they are in, or a second one is
/// asked for.
pub(crate) async fn first_factor_shown(
    parts: &Parts,
    client: &Client,
    user: UserId,
) -> Result<SignIn, Error> {
    go_on(parts, client, user, None).await
}

/// The same; with a password's hash, only while that is the password.
async fn go_on(
    parts: &Parts,
    client: &Client,
    user: UserId,
    password_hash: Option<&str>,
) -> Result<SignIn, Error> {
    let methods = factors::methods(parts, user).await?;
    let mut tx = parts.database.begin().await?;
    // Whoever changes the password came before, or waits and ends what this login begins too.
    let still = sqlx::query_scalar!(
        r#"SELECT $2::text IS NULL OR password_hash = $2 AS "still" FROM identity.users
           WHERE id = $1 AND deleted_at IS NULL FOR SHARE"#,
        user.uuid(),
        password_hash,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if still.flatten() != Some(true) {
        return Err(Error::LoginFailed);
    }
    if methods.is_empty() {
        return Ok(SignIn::Done(Box::new(open(parts, tx, user, client, false).await?)));
    }
    let (purpose, first) = (Purpose::SecondFactor, FirstFactor {});
    let challenge =
        challenge::open_in(&mut tx, parts, purpose, Some(user), &first, SECOND_FACTOR_TIME).await?;
    tx.commit(parts.sources.now()).await?;
    Ok(SignIn::SecondFactor { challenge, methods })
}
