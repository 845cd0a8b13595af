//! Changing and resetting passwords.

use std::time::Duration;

use platform::audit::Origin;
use platform::{Email, Secret, Tx};

use super::email::{Mailed, forget_tokens, mailed_lately, new_token, take_token};
use super::profile::hold;
use super::{email_key, load};
use crate::events::{Notice, PasswordResetReady, PasswordResetRequested, SecurityNoticed};
use crate::sessions::{end_all, rotate};
use crate::throttle::{self, Counter};
use crate::{Actor, Credential, Credentials, Error, Parts, User, UserId, passwords};

const RESET_TIME: Duration = Duration::from_secs(60 * 60);

/// Demands the password of whoever asks, as a change that matters does.
pub(super) async fn confirm(parts: &Parts, actor: &Actor, password: &Secret) -> Result<UserId, Error> {
    let user = actor.person()?;
    let counter = Counter::new("confirm", &user.to_string(), None);
    throttle::count(parts, &counter).await?;
    let kept = sqlx::query_scalar!(
        "SELECT password_hash FROM identity.users WHERE id = $1 AND deleted_at IS NULL",
        user.uuid(),
    )
    .fetch_optional(parts.database.pool())
    .await?
    .ok_or(Error::UserNotFound)?
    .ok_or(Error::NoPassword)?;
    parts.passwords.matches(password, Some(&kept)).await.ok_or(Error::WrongPassword)?;
    throttle::clear(parts, &counter).await?;
    Ok(user)
}

pub(super) async fn change(
    parts: &Parts,
    actor: &Actor,
    current: &Secret,
    new: &Secret,
) -> Result<Option<Credentials>, Error> {
    let id = confirm(parts, actor, current).await?;
    let mut connection = parts.database.pool().acquire().await?;
    let user = load(&mut connection, id).await?;
    drop(connection);
    passwords::check(new, &[user.email.as_str(), &user.name])?;
    let hash = parts.passwords.hash(new).await;
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    hold(&mut tx, id).await?;
    set(parts, &mut tx, &user, &hash).await?;
    let session = match actor.principal().map(|principal| principal.credential) {
        Some(Credential::Session(session)) => Some(session),
        _ => None,
    };
    end_all(&mut tx, id, session, "password_changed", now).await?;
    let renewed = match session {
        Some(session) => rotate(parts, &mut tx, session).await?,
        None => None,
    };
    tx.audit(actor.did("user.password_changed", "user", id));
    tx.commit(now).await?;
    Ok(renewed)
}

/// Writes a new hash, makes mailed secrets void, and tells the owner.
async fn set(parts: &Parts, tx: &mut Tx, user: &User, hash: &str) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE identity.users SET password_hash = $2, updated_at = $3, version = version + 1 WHERE id = $1",
        user.id.uuid(),
        hash,
        parts.sources.now(),
    )
    .execute(&mut **tx)
    .await?;
    forget_tokens(tx, user.id, None).await?;
    tx.publish(&SecurityNoticed {
        email: user.email.as_str().to_owned(),
        name: user.name.clone(),
        locale: user.locale.clone(),
        notice: Notice::PasswordChanged,
    });
    Ok(())
}

/// Only notes the wish; whether there is such an account is looked up later, so that the answer takes as long.
pub(super) async fn request_reset(parts: &Parts, email: &Email) -> Result<(), Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    tx.publish(&PasswordResetRequested { email: email.as_str().to_owned() });
    tx.commit(now).await?;
    Ok(())
}

/// Has the secret mailed, if anybody has this address.
pub(crate) async fn prepare_reset(parts: &Parts, email: &Email) -> Result<(), Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let found = sqlx::query_scalar!(
        r#"SELECT id AS "id: UserId" FROM identity.users WHERE email_key = $1 FOR UPDATE"#,
        email_key(email),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(id) = found else { return Ok(()) };
    let user = load(&mut tx, id).await?;
    if mailed_lately(parts, &mut tx, id, Mailed::ResetPassword).await? {
        return Ok(());
    }
    let email = user.email.as_str().to_owned();
    let token = new_token(parts, &mut tx, id, Mailed::ResetPassword, &email, RESET_TIME).await?;
    let (name, locale) = (user.name, user.locale);
    tx.publish(&PasswordResetReady { email, name, locale, token: token.expose().to_owned() });
    tx.commit(now).await?;
    Ok(())
}

pub(super) async fn reset(
    parts: &Parts,
    origin: &Origin,
    token: &Secret,
    password: &Secret,
) -> Result<(), Error> {
    // Looked at first without ending it: a password that is too weak must not cost the mail.
    let id = sqlx::query_scalar!(
        r#"SELECT user_id AS "user_id: UserId" FROM identity.mailed_tokens
           WHERE token_hash = $1 AND purpose = 'reset_password' AND expires_at > $2"#,
        token.hash(),
        parts.sources.now(),
    )
    .fetch_optional(parts.database.pool())
    .await?
    .ok_or(Error::BadToken)?;
    let mut connection = parts.database.pool().acquire().await?;
    let user = load(&mut connection, id).await?;
    drop(connection);
    passwords::check(password, &[user.email.as_str(), &user.name])?;
    let hash = parts.passwords.hash(password).await;
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    hold(&mut tx, user.id).await?;
    let (id, email) = take_token(parts, &mut tx, Mailed::ResetPassword, token).await?;
    set(parts, &mut tx, &user, &hash).await?;
    // Whoever reads the mailbox has shown that it is theirs.
    sqlx::query!(
        "UPDATE identity.users SET email_verified_at = COALESCE(email_verified_at, $3)
         WHERE id = $1 AND email_key = $2",
        id.uuid(),
        email_key(&email),
        now,
    )
    .execute(&mut *tx)
    .await?;
    end_all(&mut tx, id, None, "password_reset", now).await?;
    tx.audit(Actor::stranger().from(origin.clone()).did("user.password_reset", "user", id));
    tx.commit(now).await?;
    throttle::clear(parts, &Counter::new("password", &email_key(&email), None)).await
}

pub(super) async fn reset_by_shell(
    parts: &Parts,
    actor: &Actor,
    id: UserId,
    second_factors: bool,
) -> Result<Secret, Error> {
    if !actor.is_system() {
        return Err(crate::Denied::PeopleOnly.into());
    }
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let user = hold(&mut tx, id).await?;
    let token = new_token(parts, &mut tx, id, Mailed::ResetPassword, user.email.as_str(), RESET_TIME).await?;
    if second_factors {
        crate::factors::remove_all(&mut tx, id).await?;
        tx.publish(&SecurityNoticed {
            email: user.email.as_str().to_owned(),
            name: user.name,
            locale: user.locale,
            notice: Notice::SecondFactorRemoved,
        });
    }
    end_all(&mut tx, id, None, "reset", now).await?;
    tx.audit(
        actor.did("user.reset", "user", id).with_facts(serde_json::json!({"second_factors": second_factors})),
    );
    tx.commit(now).await?;
    Ok(token)
}
