//! What all changes of somebody's second factors have in common: who may, and what follows.

use platform::Tx;
use time::Duration;

use super::{FactorMethod, PasskeyInfo, SecondFactorStatus, recovery};
use crate::events::{Notice, SecurityNoticed};
use crate::{
    Actor, Credential, Credentials, Denied, Error, Parts, PasskeyId, SessionId, UserId, accounts, sessions,
};

/// How long a second factor that was shown is good for changing second factors.
const FRESH: Duration = Duration::minutes(15);

/// Whose second factors, and the session that asks.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    pub(super) user: UserId,
    pub(super) session: SessionId,
}

/// The person who asks.
pub(super) fn owner(actor: &Actor) -> Result<Owner, Error> {
    let user = actor.person()?;
    match actor.principal().map(|principal| principal.credential) {
        Some(Credential::Session(session)) => Ok(Owner { user, session }),
        _ => Err(Denied::PeopleOnly.into()),
    }
}

/// Holds an account, so that what is done with its second factors is done one after the other.
pub(super) async fn lock(tx: &mut Tx, user: UserId) -> Result<(), Error> {
    sqlx::query_scalar!(
        "SELECT id FROM identity.users WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE",
        user.uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?
    .map(|_| ())
    .ok_or(Error::UserNotFound)
}

/// Holds the account of whoever asks, who has to have shown a second factor lately if they have one: a session that
/// was left open, or stolen, does not take over the account.
pub(super) async fn hold(parts: &Parts, tx: &mut Tx, actor: &Actor) -> Result<Owner, Error> {
    let owner = owner(actor)?;
    lock(tx, owner.user).await?;
    let shown = actor.principal().and_then(|principal| principal.second_factor_at);
    let fresh = shown.is_some_and(|at| parts.sources.now() - at <= FRESH);
    if !fresh && has_any(tx, owner.user).await? {
        return Err(Denied::SecondFactor.into());
    }
    Ok(owner)
}

/// Holds the account of whoever asks to add a second factor; the first one needs a login that has just begun.
pub(super) async fn hold_to_add(parts: &Parts, tx: &mut Tx, actor: &Actor) -> Result<Owner, Error> {
    let owner = hold(parts, tx, actor).await?;
    if !has_any(tx, owner.user).await? {
        sessions::demand_fresh(tx, actor, parts.sources.now()).await?;
    }
    Ok(owner)
}

/// Whether somebody has a second factor.
pub(super) async fn has_any(tx: &mut Tx, user: UserId) -> Result<bool, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM identity.totp WHERE user_id = $1 AND confirmed_at IS NOT NULL)
               OR EXISTS (SELECT FROM identity.passkeys WHERE user_id = $1) AS "any!""#,
        user.uuid(),
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// What follows when a second factor was added, which was shown by that.
pub(super) async fn added(
    parts: &Parts,
    tx: &mut Tx,
    actor: &Actor,
    owner: Owner,
    method: FactorMethod,
) -> Result<Option<Credentials>, Error> {
    tell(tx, owner.user, Notice::SecondFactorAdded).await?;
    tx.audit(actor.did("second_factor.added", "user", owner.user).with_facts(facts(method)));
    shown(parts, tx, owner.session).await
}

/// Notes that the session has shown a second factor. Gives a new cookie: one that was got hold of before may not do
/// more now.
pub(super) async fn shown(
    parts: &Parts,
    tx: &mut Tx,
    session: SessionId,
) -> Result<Option<Credentials>, Error> {
    let there = sqlx::query!(
        "UPDATE identity.sessions SET second_factor_at = $2 WHERE id = $1 AND revoked_at IS NULL",
        session.uuid(),
        parts.sources.now(),
    )
    .execute(&mut **tx)
    .await?;
    if there.rows_affected() == 0 {
        return Err(Error::BadCredential);
    }
    sessions::rotate(parts, tx, session).await
}

/// What follows when a second factor was removed. With the last one go the recovery codes, and what sessions may do
/// because of it.
pub(super) async fn removed(
    parts: &Parts,
    tx: &mut Tx,
    actor: &Actor,
    owner: Owner,
    method: FactorMethod,
) -> Result<Option<Credentials>, Error> {
    if !has_any(tx, owner.user).await? {
        recovery::forget(tx, owner.user).await?;
        sqlx::query!(
            "UPDATE identity.sessions SET second_factor_at = NULL
             WHERE user_id = $1 AND second_factor_at IS NOT NULL AND revoked_at IS NULL",
            owner.user.uuid(),
        )
        .execute(&mut **tx)
        .await?;
    }
    tell(tx, owner.user, Notice::SecondFactorRemoved).await?;
    tx.audit(actor.did("second_factor.removed", "user", owner.user).with_facts(facts(method)));
    sessions::rotate(parts, tx, owner.session).await
}

/// What the audit log says of a second factor.
pub(super) fn facts(method: FactorMethod) -> serde_json::Value {
    serde_json::json!({"method": method})
}

/// Tells the owner of an account what happened to it.
pub(super) async fn tell(tx: &mut Tx, user: UserId, notice: Notice) -> Result<(), Error> {
    let user = accounts::load(tx, user).await?;
    let (email, name, locale) = (user.email.as_str().to_owned(), user.name, user.locale);
    tx.publish(&SecurityNoticed { email, name, locale, notice });
    Ok(())
}

pub(super) async fn status(parts: &Parts, actor: &Actor) -> Result<SecondFactorStatus, Error> {
    let user = actor.person()?;
    let row = sqlx::query!(
        r#"SELECT EXISTS (SELECT FROM identity.totp WHERE user_id = $1 AND confirmed_at IS NOT NULL) AS "totp!",
                  (SELECT count(*) FROM identity.recovery_codes WHERE user_id = $1 AND used_at IS NULL) AS "left!""#,
        user.uuid(),
    )
    .fetch_one(parts.database.pool())
    .await?;
    let passkeys = sqlx::query_as!(
        PasskeyInfo,
        r#"SELECT id AS "id: PasskeyId", name, created_at, last_used_at FROM identity.passkeys
           WHERE user_id = $1 ORDER BY created_at, id"#,
        user.uuid(),
    )
    .fetch_all(parts.database.pool())
    .await?;
    Ok(SecondFactorStatus { totp: row.totp, passkeys, recovery_codes_left: row.left })
}
