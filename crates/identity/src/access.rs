//! Who is asking: from a cookie, an access token or an API key to a [`Principal`].

use async_trait::async_trait;
use platform::Secret;
use serde::Serialize;
use utoipa::ToSchema;

use crate::actor::{Credential, Principal, Subject};
use crate::sessions::SessionKind;
use crate::{ApiKeyId, Error, Service, SessionId, StoreId, UserId, api_keys, principal, signing};
use crate::{Parts, sessions};

/// What a client shows.
#[derive(Clone, Debug)]
pub enum Presented {
    /// The session cookie of a browser.
    Cookie(Secret),
    /// What stands behind `Bearer` (RFC 6750): an access token or an API key.
    Bearer(Secret),
}

/// Who it turned out to be.
#[derive(Clone, Debug)]
pub enum Authenticated {
    /// Somebody known.
    Principal(Principal),
    /// A guest in a shop that has shown its publishable key.
    Publishable(ApiKeyId),
}

/// Public keys (RFC 7517).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Jwks {
    /// The keys.
    pub keys: Vec<Jwk>,
}

/// A public key of Ed25519 (RFC 8037).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Jwk {
    /// `OKP`.
    pub kty: &'static str,
    /// `Ed25519`.
    pub crv: &'static str,
    /// `EdDSA`.
    pub alg: &'static str,
    /// `sig`.
    #[serde(rename = "use")]
    pub key_use: &'static str,
    /// Its name.
    pub kid: String,
    /// The key, base64url.
    pub x: String,
}

/// Who is asking.
#[async_trait]
pub trait Access: Send + Sync + 'static {
    /// Finds out who shows this. What they may do is as it is now: a right that was taken away, a session that was
    /// ended and a key that was revoked are gone at once.
    async fn authenticate(&self, presented: &Presented) -> Result<Authenticated, Error>;

    /// The public keys that access tokens are checked with.
    async fn jwks(&self) -> Result<Jwks, Error>;

    /// Replaces the key that signs access tokens. At once: what was signed before is no longer believed. Returns the
    /// new key's name and from when it signs.
    async fn rotate_keys(
        &self,
        actor: &crate::Actor,
        at_once: bool,
    ) -> Result<(String, time::OffsetDateTime), Error>;
}

#[async_trait]
impl Access for Service {
    async fn authenticate(&self, presented: &Presented) -> Result<Authenticated, Error> {
        let parts = &*self.0;
        match presented {
            Presented::Cookie(token) => {
                let session = by_cookie(parts, token).await?;
                Ok(Authenticated::Principal(session))
            }
            Presented::Bearer(token) if api_keys::looks_like(token) => {
                api_keys::authenticate(parts, token).await
            }
            Presented::Bearer(token) => by_access_token(parts, token).await.map(Authenticated::Principal),
        }
    }

    async fn jwks(&self) -> Result<Jwks, Error> {
        signing::jwks(&self.0).await
    }

    async fn rotate_keys(
        &self,
        actor: &crate::Actor,
        at_once: bool,
    ) -> Result<(String, time::OffsetDateTime), Error> {
        if !actor.is_system() {
            return Err(crate::Denied::PeopleOnly.into());
        }
        signing::rotate(&self.0, at_once).await
    }
}

struct Row {
    id: SessionId,
    user_id: UserId,
    kind: String,
    role: Option<String>,
    last_seen_at: time::OffsetDateTime,
    idle_expires_at: time::OffsetDateTime,
    expires_at: time::OffsetDateTime,
    second_factor_at: Option<time::OffsetDateTime>,
    stores: Vec<StoreId>,
    roles: Vec<String>,
}

async fn by_cookie(parts: &Parts, token: &Secret) -> Result<Principal, Error> {
    session(parts, SessionKind::Browser, None, Some(token.hash())).await
}

async fn by_access_token(parts: &Parts, token: &Secret) -> Result<Principal, Error> {
    let claims = signing::verify(parts, token).await?;
    match claims.sid {
        Some(session_id) => {
            let found = session(parts, SessionKind::Tokens, Some(session_id.into()), None).await?;
            let theirs = found.subject == Subject::User(claims.sub.into());
            if theirs { Ok(found) } else { Err(Error::BadCredential) }
        }
        None => api_keys::of_service_token(parts, claims.sub.into(), claims.scope.as_deref()).await,
    }
}

/// A session that is good now, by its id or the hash of its cookie. Notes that it was used.
async fn session(
    parts: &Parts,
    kind: SessionKind,
    id: Option<SessionId>,
    token_hash: Option<Vec<u8>>,
) -> Result<Principal, Error> {
    let now = parts.sources.now();
    // Each behind a fence: with OR, a plan that was made while there were few sessions reads all that are open.
    let row = sqlx::query_as!(
        Row,
        r#"SELECT s.id AS "id!: SessionId", s.user_id AS "user_id!: UserId", s.kind AS "kind!", u.role,
                  s.last_seen_at AS "last_seen_at!", s.idle_expires_at AS "idle_expires_at!", s.expires_at AS "expires_at!",
                  s.second_factor_at,
                  COALESCE(array_agg(m.store_id) FILTER (WHERE m.store_id IS NOT NULL), '{}') AS "stores!: Vec<StoreId>",
                  COALESCE(array_agg(m.role) FILTER (WHERE m.store_id IS NOT NULL), '{}') AS "roles!"
           FROM ((SELECT * FROM identity.sessions WHERE id = $1 OFFSET 0)
                 UNION ALL (SELECT * FROM identity.sessions WHERE token_hash = $2 OFFSET 0)) AS s
           JOIN identity.users u ON u.id = s.user_id
           LEFT JOIN identity.memberships m ON m.user_id = u.id
           WHERE s.revoked_at IS NULL AND u.deleted_at IS NULL
           GROUP BY s.id, s.user_id, s.kind, s.last_seen_at, s.idle_expires_at, s.expires_at, s.second_factor_at, u.id"#,
        id.map(SessionId::uuid),
        token_hash,
    )
    .fetch_optional(parts.database.pool())
    .await?
    .ok_or(Error::BadCredential)?;
    if row.kind != kind.as_str() || row.idle_expires_at <= now || row.expires_at <= now {
        return Err(Error::BadCredential);
    }
    let role = principal::role(row.role.as_deref())?;
    if now - row.last_seen_at > sessions::SEEN_EVERY {
        sessions::touch(parts, row.id, role.is_some(), row.expires_at).await?;
    }
    Ok(Principal {
        subject: Subject::User(row.user_id),
        credential: Credential::Session(row.id),
        role,
        memberships: principal::memberships(&row.stores, &row.roles)?,
        scopes: None,
        second_factor_at: row.second_factor_at,
    })
}
