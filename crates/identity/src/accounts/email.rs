//! Showing that a mailbox is theirs, and moving to another one.

use std::time::Duration;

use platform::audit::Origin;
use platform::{Email, Secret, Tx};

use super::profile::hold;
use super::{NewAccount, email_key, load};
use crate::events::{
    EmailChangeRequested, EmailToBeVerified, Notice, SecurityNoticed, VerificationRequested,
};
use crate::throttle::{self, Counter};
use crate::{Actor, Error, Parts, UserId};

/// How long a mailed secret is good.
const VERIFICATION_TIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Between two mails of one kind that strangers can ask for.
const PAUSE: time::Duration = time::Duration::minutes(1);
const CHANGE_TIME: Duration = Duration::from_secs(60 * 60);

/// What a mailed secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mailed {
    VerifyEmail,
    ResetPassword,
    ChangeEmail,
}

impl Mailed {
    /// How many of them are good at a time.
    const fn kept(self) -> i64 {
        match self {
            Self::VerifyEmail => 5,
            Self::ResetPassword => 3,
            Self::ChangeEmail => 1,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ChangeEmail => "change_email",
        }
    }
}

/// Makes a secret to be mailed. The latest ones before it stay good: whoever asks again and again for somebody else
/// does not void what they have in their mailbox.
pub(super) async fn new_token(
    parts: &Parts,
    tx: &mut Tx,
    user: UserId,
    mailed: Mailed,
    email: &str,
    lifetime: Duration,
) -> Result<Secret, Error> {
    let (token, now) = (parts.sources.secret(), parts.sources.now());
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
    sqlx::query!(
        "DELETE FROM identity.mailed_tokens WHERE token_hash IN
           (SELECT token_hash FROM identity.mailed_tokens WHERE user_id = $1 AND purpose = $2 AND token_hash <> $3
            ORDER BY created_at DESC OFFSET $4)",
        user.uuid(),
        mailed.as_str(),
        token.hash(),
        mailed.kept() - 1,
    )
    .execute(&mut **tx)
    .await?;
    Ok(token)
}

/// Whether somebody was mailed such a secret a moment ago; then the next one waits.
pub(super) async fn mailed_lately(
    parts: &Parts,
    tx: &mut Tx,
    user: UserId,
    mailed: Mailed,
) -> Result<bool, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM identity.mailed_tokens WHERE user_id = $1 AND purpose = $2 AND created_at > $3)
             AS "lately!""#,
        user.uuid(),
        mailed.as_str(),
        parts.sources.now() - PAUSE,
    )
    .fetch_one(&mut **tx)
    .await?)
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

/// Has the secret mailed that shows the mailbox is theirs, together with the password of this registration.
pub(crate) async fn send_verification(
    parts: &Parts,
    tx: &mut Tx,
    user: UserId,
    account: &NewAccount,
    password_hash: &str,
) -> Result<(), Error> {
    let email = account.email.as_str().to_owned();
    let token = new_token(parts, tx, user, Mailed::VerifyEmail, &email, VERIFICATION_TIME).await?;
    sqlx::query!(
        "UPDATE identity.mailed_tokens SET password_hash = $2, name = $3, locale = $4 WHERE token_hash = $1",
        token.hash(),
        password_hash,
        account.name,
        account.locale,
    )
    .execute(&mut **tx)
    .await?;
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
    if mailed_lately(parts, &mut tx, user.id, Mailed::VerifyEmail).await? {
        return Ok(());
    }
    // With the words of the latest registration, whose password is to be shown with it.
    let latest = sqlx::query!(
        "SELECT password_hash, name, locale FROM identity.mailed_tokens
         WHERE user_id = $1 AND purpose = 'verify_email' AND password_hash IS NOT NULL ORDER BY created_at DESC LIMIT 1",
        user.id.uuid(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let token =
        new_token(parts, &mut tx, user.id, Mailed::VerifyEmail, &user.email, VERIFICATION_TIME).await?;
    if let Some(latest) = latest {
        sqlx::query!(
            "UPDATE identity.mailed_tokens SET password_hash = $2, name = $3, locale = $4 WHERE token_hash = $1",
            token.hash(),
            latest.password_hash,
            latest.name,
            latest.locale,
        )
        .execute(&mut *tx)
        .await?;
    }
    let (email, name, locale) = (user.email, user.name, user.locale);
    tx.publish(&EmailToBeVerified { email, name, locale, token: token.expose().to_owned() });
    tx.commit(now).await?;
    Ok(())
}

/// The secret shows that the mailbox is theirs, the password that the registration is: whoever registered with somebody
/// else's address gets nothing by a click of its owner.
pub(super) async fn verify(
    parts: &Parts,
    origin: &Origin,
    token: &Secret,
    password: &Secret,
) -> Result<(), Error> {
    let now = parts.sources.now();
    let found = sqlx::query!(
        r#"SELECT u.id AS "id: UserId", COALESCE(t.password_hash, u.password_hash) AS password_hash, t.name, t.locale
           FROM identity.mailed_tokens t JOIN identity.users u ON u.id = t.user_id
           WHERE t.token_hash = $1 AND t.purpose = 'verify_email' AND t.expires_at > $2"#,
        token.hash(),
        now,
    )
    .fetch_optional(parts.database.pool())
    .await?
    .ok_or(Error::BadToken)?;
    let counter = Counter::new("verify", &found.id.to_string(), None);
    throttle::count(parts, &counter).await?;
    let kept = found.password_hash.as_deref();
    parts.passwords.matches(password, kept).await.ok_or(Error::WrongPassword)?;
    throttle::clear(parts, &counter).await?;
    let mut tx = parts.database.begin().await?;
    let (user, email) = take_token(parts, &mut tx, Mailed::VerifyEmail, token).await?;
    let verified = sqlx::query!(
        "UPDATE identity.users
         SET email_verified_at = $3, updated_at = $3, version = version + 1, password_hash = $4,
             name = COALESCE($5, name), locale = CASE WHEN $5::text IS NULL THEN locale ELSE $6 END
         WHERE id = $1 AND email_key = $2 AND email_verified_at IS NULL",
        user.uuid(),
        email_key(&email),
        now,
        found.password_hash,
        found.name,
        found.locale,
    )
    .execute(&mut *tx)
    .await?;
    if verified.rows_affected() == 0 {
        return Err(Error::BadToken);
    }
    // What others registered with this address is void.
    forget_tokens(&mut tx, user, Some(Mailed::VerifyEmail)).await?;
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

pub(super) async fn confirm_change(parts: &Parts, actor: &Actor, token: &Secret) -> Result<(), Error> {
    let asker = actor.person()?;
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let (id, email) = take_token(parts, &mut tx, Mailed::ChangeEmail, token).await?;
    // Whoever asked for the change ends it: nobody is moved to another's account by a click.
    if id != asker {
        return Err(Error::BadToken);
    }
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
    tx.audit(actor.did("user.email_changed", "user", id));
    tx.commit(now).await?;
    Ok(())
}
