//! Opening sessions.

use platform::{Secret, Tx};
use time::OffsetDateTime;

use super::{Client, Credentials, SessionKind, SessionMark, SignedIn, TokenPair, idle_end};
use crate::events::{Notice, SecurityNoticed};
use crate::{
    Actor, Credential, Error, Parts, Principal, SessionId, Subject, UserId, accounts, signing, throttle,
};

/// Known devices that are kept per account; the one that was not used for longest makes room.
const MOST_DEVICES: i64 = 20;
/// Longest user agent that is kept, in characters.
const LONGEST_AGENT: usize = 255;

/// Opens a session for somebody who has shown who they are, in the transaction that ends the login's last step.
pub(crate) async fn open(
    parts: &Parts,
    mut tx: Tx,
    user: UserId,
    client: &Client,
    second_factor: bool,
) -> Result<SignedIn, Error> {
    let now = parts.sources.now();
    let user = accounts::load(&mut tx, user).await?;
    let id = parts.sources.id::<SessionMark>();
    let expires_at = now + parts.settings.session_lifetime;
    let cookie = (client.kind == SessionKind::Browser).then(|| parts.sources.secret());
    let agent =
        client.origin.user_agent.as_ref().map(|agent| agent.chars().take(LONGEST_AGENT).collect::<String>());
    sqlx::query!(
        "INSERT INTO identity.sessions (id, user_id, kind, token_hash, ip, user_agent, second_factor_at, created_at,
                                        last_seen_at, idle_expires_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10)",
        id.uuid(),
        user.id.uuid(),
        client.kind.as_str(),
        cookie.as_ref().map(Secret::hash),
        client.origin.ip.map(|ip| ip.to_string()),
        agent,
        second_factor.then_some(now),
        now,
        idle_end(parts, user.role.is_some()).min(expires_at),
        expires_at,
    )
    .execute(&mut *tx)
    .await?;
    // Whoever deletes the account, or ends its logins, came before or waits for this one.
    accounts::load(&mut tx, user.id).await?;
    let device = know_device(parts, &mut tx, &user, client).await?;
    let refresh_token = match cookie {
        Some(_) => None,
        None => Some(new_refresh_token(parts, &mut tx, id, now).await?),
    };
    let actor = Actor::known(Principal {
        subject: Subject::User(user.id),
        credential: Credential::Session(id),
        role: user.role,
        memberships: Vec::new(),
        scopes: None,
        second_factor_at: None,
    })
    .from(client.origin.clone());
    tx.audit(actor.did("session.opened", "session", id));
    tx.commit(now).await?;
    metrics::counter!("souk_logins_total", "outcome" => "opened").increment(1);
    let credentials = match (cookie, refresh_token) {
        (Some(token), _) => Credentials::Cookie { token, expires_at },
        (None, Some(refresh_token)) => Credentials::Tokens(pair(parts, user.id, id, refresh_token).await?),
        (None, None) => return Err(Error::stored("a session has a cookie or a refresh token")),
    };
    Ok(SignedIn { user, session_id: id, credentials, device })
}

/// Writes a refresh token of this session.
pub(super) async fn new_refresh_token(
    parts: &Parts,
    tx: &mut Tx,
    session: SessionId,
    now: OffsetDateTime,
) -> Result<Secret, Error> {
    let token = parts.sources.secret();
    sqlx::query!(
        "INSERT INTO identity.refresh_tokens (token_hash, session_id, created_at) VALUES ($1, $2, $3)",
        token.hash(),
        session.uuid(),
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(token)
}

/// A pair of tokens with this refresh token.
pub(super) async fn pair(
    parts: &Parts,
    user: UserId,
    session: SessionId,
    refresh_token: Secret,
) -> Result<TokenPair, Error> {
    let access_token = signing::sign(parts, user.uuid(), Some(session.uuid()), None).await?;
    Ok(TokenPair { access_token, expires_in: parts.settings.access_token_lifetime.as_secs(), refresh_token })
}

/// Gives a browser's session a new cookie, since what it may do has changed; an app's session has none.
pub(crate) async fn rotate(
    parts: &Parts,
    tx: &mut Tx,
    session: SessionId,
) -> Result<Option<Credentials>, Error> {
    let token = parts.sources.secret();
    let expires_at = sqlx::query_scalar!(
        "UPDATE identity.sessions SET token_hash = $2 WHERE id = $1 AND kind = 'browser' RETURNING expires_at",
        session.uuid(),
        token.hash(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(expires_at.map(|expires_at| Credentials::Cookie { token, expires_at }))
}

/// Remembers the device, and tells the account's owner when it is a new one.
async fn know_device(
    parts: &Parts,
    tx: &mut Tx,
    user: &crate::User,
    client: &Client,
) -> Result<Secret, Error> {
    let now = parts.sources.now();
    if let Some(device) = &client.device {
        let known = sqlx::query!(
            "UPDATE identity.known_devices SET last_used_at = $3 WHERE token_hash = $1 AND user_id = $2",
            throttle::device_hash(user.id, device),
            user.id.uuid(),
            now,
        )
        .execute(&mut **tx)
        .await?;
        if known.rows_affected() == 1 {
            return Ok(device.clone());
        }
    }
    let others = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM identity.known_devices WHERE user_id = $1) AS "others!""#,
        user.id.uuid(),
    )
    .fetch_one(&mut **tx)
    .await?;
    // One device may be known to several accounts, and keeps one secret. A made-up one is replaced.
    let device = parts.sources.secret();
    sqlx::query!(
        "INSERT INTO identity.known_devices (token_hash, user_id, created_at, last_used_at) VALUES ($1, $2, $3, $3)",
        throttle::device_hash(user.id, &device),
        user.id.uuid(),
        now,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "DELETE FROM identity.known_devices WHERE user_id = $1 AND token_hash IN
           (SELECT token_hash FROM identity.known_devices WHERE user_id = $1 ORDER BY last_used_at DESC OFFSET $2)",
        user.id.uuid(),
        MOST_DEVICES,
    )
    .execute(&mut **tx)
    .await?;
    if others {
        tx.publish(&SecurityNoticed {
            email: user.email.as_str().to_owned(),
            name: user.name.clone(),
            locale: user.locale.clone(),
            notice: Notice::NewDevice,
        });
    }
    Ok(device)
}
