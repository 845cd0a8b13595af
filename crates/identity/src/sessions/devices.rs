//! Seeing where one is signed in, and ending it.

use platform::{Secret, Tx};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Session, SessionKind};
use crate::{Actor, Credential, Error, Parts, SessionId, UserId};

pub(super) async fn list(parts: &Parts, actor: &Actor) -> Result<Vec<Session>, Error> {
    let user = actor.person()?;
    let current = current(actor);
    let rows = sqlx::query!(
        r#"SELECT id AS "id: SessionId", kind, ip, user_agent, second_factor_at, created_at, last_seen_at, idle_expires_at,
                  expires_at
           FROM identity.sessions
           WHERE user_id = $1 AND revoked_at IS NULL AND idle_expires_at > $2 AND expires_at > $2
           ORDER BY created_at DESC, id DESC"#,
        user.uuid(),
        parts.sources.now(),
    )
    .fetch_all(parts.database.pool())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Session {
            id: row.id,
            kind: SessionKind::stored(&row.kind),
            ip: row.ip,
            user_agent: row.user_agent,
            second_factor: row.second_factor_at.is_some(),
            current: current == Some(row.id),
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            idle_expires_at: row.idle_expires_at,
            expires_at: row.expires_at,
        })
        .collect())
}

/// The session that asks.
pub(crate) fn current(actor: &Actor) -> Option<SessionId> {
    match actor.principal()?.credential {
        Credential::Session(id) => Some(id),
        Credential::ApiKey(_) => None,
    }
}

pub(super) async fn log_out(
    parts: &Parts,
    actor: &Actor,
    refresh_token: Option<&Secret>,
) -> Result<(), Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let of_token = match refresh_token {
        Some(token) => sqlx::query_scalar!(
            r#"SELECT session_id AS "session_id: SessionId" FROM identity.refresh_tokens WHERE token_hash = $1"#,
            token.hash(),
        )
        .fetch_optional(&mut *tx)
        .await?,
        None => None,
    };
    for session in current(actor).into_iter().chain(of_token) {
        if revoke_row(&mut tx, session, "logged_out", now).await? {
            tx.audit(actor.did("session.closed", "session", session));
        }
    }
    tx.commit(now).await?;
    Ok(())
}

pub(super) async fn revoke(parts: &Parts, actor: &Actor, session: SessionId) -> Result<(), Error> {
    let (user, now) = (actor.person()?, parts.sources.now());
    let mut tx = parts.database.begin().await?;
    let theirs = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM identity.sessions WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL) AS "theirs!""#,
        session.uuid(),
        user.uuid(),
    )
    .fetch_one(&mut *tx)
    .await?;
    if !theirs {
        return Err(Error::NotFound("session"));
    }
    revoke_row(&mut tx, session, "revoked", now).await?;
    tx.audit(actor.did("session.revoked", "session", session));
    tx.commit(now).await?;
    Ok(())
}

pub(super) async fn revoke_others(parts: &Parts, actor: &Actor) -> Result<u64, Error> {
    let (user, now) = (actor.person()?, parts.sources.now());
    let mut tx = parts.database.begin().await?;
    let ended = end_all(&mut tx, user, current(actor), "revoked", now).await?;
    if ended > 0 {
        tx.audit(actor.did("session.others_revoked", "user", user));
    }
    tx.commit(now).await?;
    Ok(ended)
}

/// How old a login may be that stands for showing one's password.
const FRESH: time::Duration = time::Duration::minutes(15);

/// Demands a login that has just begun: with one that was left open, or stolen, nobody adds a way in of their own.
pub(crate) async fn demand_fresh(
    connection: &mut PgConnection,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let Some(session) = current(actor) else { return Err(crate::Denied::PeopleOnly.into()) };
    let fresh = sqlx::query_scalar!(
        r#"SELECT created_at > $2 AS "fresh!" FROM identity.sessions WHERE id = $1"#,
        session.uuid(),
        now - FRESH,
    )
    .fetch_optional(connection)
    .await?;
    if fresh == Some(true) { Ok(()) } else { Err(Error::LoginTooOld) }
}

/// Ends all sessions of somebody, but for one; returns how many.
pub(crate) async fn end_all(
    tx: &mut Tx,
    user: UserId,
    but: Option<SessionId>,
    because: &str,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    // A login that is half done was begun with what is no longer good.
    sqlx::query!(
        "DELETE FROM identity.challenges WHERE user_id = $1 AND purpose = 'second_factor'",
        user.uuid()
    )
    .execute(&mut **tx)
    .await?;
    let ended = sqlx::query!(
        "UPDATE identity.sessions SET revoked_at = $3, revoked_because = $4
         WHERE user_id = $1 AND id IS DISTINCT FROM $2 AND revoked_at IS NULL",
        user.uuid(),
        but.map(SessionId::uuid),
        now,
        because,
    )
    .execute(&mut **tx)
    .await?;
    Ok(ended.rows_affected())
}

/// Ends a session; false if it was over already.
pub(crate) async fn revoke_row(
    connection: &mut PgConnection,
    session: SessionId,
    because: &str,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let ended = sqlx::query!(
        "UPDATE identity.sessions SET revoked_at = $2, revoked_because = $3 WHERE id = $1 AND revoked_at IS NULL",
        session.uuid(),
        now,
        because,
    )
    .execute(connection)
    .await?;
    Ok(ended.rows_affected() == 1)
}
