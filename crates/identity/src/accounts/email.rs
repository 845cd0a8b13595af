//! Showing that a mailbox is theirs, and moving to another one.

use std::time::Duration;

use platform::audit::Origin;
use platform::{Email, Secret, Tx};

use super::profile::hold;
use super::{NewAccount, email_key, load};
use crate::events::{
    EmailChangeRequested, EmailToBeVerified, Notice, SecurityNoticed, VerificationRequested,
};
use crate::{Actor, Error, Parts, UserId};

/// How long a mailed secret is good.
const VERIFICATION_TIME: Duration = Duration::from_secs(24 * 60 * 60);
const CHANGE_TIME: Duration = Duration::from_secs(60 * 60);

/// What a mailed secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mailed {
    VerifyEmail,
    ResetPassword,
    ChangeEmail,
}

impl Mailed {
    const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ChangeEmail => "change_email",
        }
    }
}

/// Makes a secret to be mailed; those made before for the same are void.
pub(super) async fn new_token(
    parts: &Parts,
    tx: &mut Tx,
    user: UserId,
    mailed: Mailed,
    email: &str,
    lifetime: Duration,
) -> Result<Secret, Error> {
    let (token, now) = (parts.sources.secret(), parts.sources.now());
    forget_tokens(tx, user, Some(mailed)).await?;
    sqlx::query!(
        "INSERT INTO identity.mailed_tokens (token_hash, user_id, purpose, email, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        token.hash(),
        user.uuid(),
        mailed.as_str(),
        email,
        now,
        now + lifetime,
    )
    .execute(&mut **tx)
    .await?;
    Ok(token)
}

/// Takes a mailed secret, which is good once. Gives whose it is and the address it went to.
pub(super) async fn take_token(
    parts: &Parts,
    tx: &mut Tx,
    mailed: Mailed,
    token: &Secret,
) -> Result<(UserId, Email), Error> {
    let row = sqlx::query!(
        r#"DELETE FROM identity.mailed_tokens WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3
           RETURNING user_id AS "user_id: UserId", email"#,
        token.hash(),
        mailed.as_str(),
        parts.sources.now(),
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::BadToken)?;
    Ok((row.user_id, row.email.parse().map_err(Error::stored)?))
}

/// Makes mailed secrets void: all, or those for one thing.
pub(super) async fn forget_tokens(tx: &mut Tx, user: UserId, mailed: Option<Mailed>) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM identity.mailed_tokens WHERE user_id = $1 AND ($2::text IS NULL OR purpose = $2)",
        user.uuid(),
        mailed.map(Mailed::as_str),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Has the secret mailed that shows the mailbox is theirs.
pub(crate) async fn send_verification(
    parts: &Parts,
    tx: &mut Tx,
    user: UserId,
    account: &NewAccount,
) -> Result<(), Error> {
    let email = account.email.as_str().to_owned();
    let token = new_token(parts, tx, user, Mailed::VerifyEmail, &email, VERIFICATION_TIME).await?;
    let (name, locale) = (account.name.clone(), account.locale.clone());
    tx.publish(&EmailToBeVerified { email, name, locale, token: token.expose().to_owned() });
    Ok(())
}

pub(super) async fn resend(parts: &Parts, email: &Email) -> Result<(), Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    tx.publish(&VerificationRequested { email: email.as_str().to_owned() });
    tx.commit(now).await?;
    Ok(())
}

/// Sends the mail that was asked for, if the address waits for it.
pub(crate) async fn wanted(parts: &Parts, email: &Email) -> Result<(), Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let waiting = sqlx::query!(
        r#"SELECT id AS "id: UserId", email AS "email!", name, locale FROM identity.users
           WHERE email_key = $1 AND email_verified_at IS NULL FOR UPDATE"#,
        email_key(email),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(user) = waiting else { return Ok(()) };
    let token =
        new_token(parts, &mut tx, user.id, Mailed::VerifyEmail, &user.email, VERIFICATION_TIME).await?;
    let (email, name, locale) = (user.email, user.name, user.locale);
    tx.publish(&EmailToBeVerified { email, name, locale, token: token.expose().to_owned() });
    tx.commit(now).await?;
    Ok(())
}

pub(super) async fn verify(parts: &Parts, origin: &Origin, token: &Secret) -> Result<(), Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let (user, email) = take_token(parts, &mut tx, Mailed::VerifyEmail, token).await?;
    let verified = sqlx::query!(
        "UPDATE identity.users SET email_verified_at = $3, updated_at = $3, version = version + 1
         WHERE id = $1 AND email_key = $2 AND email_verified_at IS NULL",
        user.uuid(),
        email_key(&email),
        now,
    )
    .execute(&mut *tx)
    .await?;
    if verified.rows_affected() == 0 {
        return Err(Error::BadToken);
    }
    tx.audit(Actor::stranger().from(origin.clone()).did("user.email_verified", "user", user));
    tx.commit(now).await?;
    Ok(())
}

pub(super) async fn request_change(
    parts: &Parts,
    actor: &Actor,
    password: &Secret,
    email: &Email,
) -> Result<(), Error> {
    let id = super::password::confirm(parts, actor, password).await?;
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let user = load(&mut tx, id).await?;
    let email = email.as_str().to_owned();
    let token = new_token(parts, &mut tx, id, Mailed::ChangeEmail, &email, CHANGE_TIME).await?;
    let (name, locale) = (user.name, user.locale);
    tx.publish(&EmailChangeRequested { email, name, locale, token: token.expose().to_owned() });
    tx.audit(actor.did("user.email_change_requested", "user", id));
    tx.commit(now).await?;
    Ok(())
}

pub(super) async fn confirm_change(parts: &Parts, origin: &Origin, token: &Secret) -> Result<(), Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let (id, email) = take_token(parts, &mut tx, Mailed::ChangeEmail, token).await?;
    let old = hold(&mut tx, id).await?;
    let key = email_key(&email);
    // An account that never showed the mailbox to be its own does not keep the address from whoever has.
    let squatter = sqlx::query_scalar!(
        r#"SELECT id AS "id: UserId" FROM identity.users WHERE email_key = $1 AND email_verified_at IS NULL AND id <> $2"#,
        key,
        id.uuid(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(squatter) = squatter {
        super::erase::wipe(&mut tx, squatter, now).await?;
    }
    let taken = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM identity.users WHERE email_key = $1 AND id <> $2) AS "taken!""#,
        key,
        id.uuid(),
    )
    .fetch_one(&mut *tx)
    .await?;
    if taken {
        return Err(Error::EmailTaken);
    }
    sqlx::query!(
        "UPDATE identity.users SET email = $2, email_key = $3, email_verified_at = $4, updated_at = $4,
                version = version + 1 WHERE id = $1",
        id.uuid(),
        email.as_str(),
        key,
        now,
    )
    .execute(&mut *tx)
    .await?;
    // A secret that went to the old mailbox opens nothing any more.
    forget_tokens(&mut tx, id, None).await?;
    tx.publish(&SecurityNoticed {
        email: old.email.as_str().to_owned(),
        name: old.name,
        locale: old.locale,
        notice: Notice::EmailChanged,
    });
    tx.audit(Actor::stranger().from(origin.clone()).did("user.email_changed", "user", id));
    tx.commit(now).await?;
    Ok(())
}
