//! Keys of programs: `pk_` may be seen by anybody and says which shop asks, `sk_` is a secret and acts within its scopes.

use async_trait::async_trait;
use platform::{Secret, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use crate::actor::{Credential, Principal, Subject};
use crate::permission::{Permission, PlatformRole, StoreRole};
use crate::{Actor, ApiKeyId, Authenticated, Error, Parts, Service, StoreId, UserId, principal, signing};

/// How often it is noted that a key is in use.
const USED_EVERY: Duration = Duration::minutes(1);
/// Keys that a store, or the marketplace, may have at a time.
const MOST: i64 = 100;

/// What a key is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApiKeyKind {
    /// `pk_`: says which shop asks; may do what a guest may.
    Publishable,
    /// `sk_`: acts within its scopes.
    Secret,
}

impl ApiKeyKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Publishable => "publishable",
            Self::Secret => "secret",
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Publishable => "pk_",
            Self::Secret => "sk_",
        }
    }

    fn stored(text: &str) -> Self {
        if text == "publishable" { Self::Publishable } else { Self::Secret }
    }
}

/// A key, without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiKey {
    /// Its id, which is also the client id of service tokens.
    pub id: ApiKeyId,
    /// What it is good for.
    pub kind: ApiKeyKind,
    /// What its owner calls it.
    #[schema(example = "Stock sync")]
    pub name: String,
    /// Its beginning and end.
    #[schema(example = "sk_…b3Qx")]
    pub hint: String,
    /// Its store; none for a key of the marketplace.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub store_id: Option<StoreId>,
    /// What it may do.
    pub scopes: Vec<Permission>,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last used, to the minute.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_used_at: Option<OffsetDateTime>,
    /// When it ends by itself.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// What it is good for.
    pub kind: ApiKeyKind,
    /// What its owner calls it.
    pub name: String,
    /// Its store; none for a key of the marketplace.
    pub store: Option<StoreId>,
    /// What it may do; nothing for a publishable key.
    pub scopes: Vec<Permission>,
    /// When it ends by itself.
    pub expires_at: Option<OffsetDateTime>,
}

/// Keys of programs.
#[async_trait]
pub trait ApiKeys: Send + Sync + 'static {
    /// Makes a key that may do no more than whoever makes it. The secret is told once.
    async fn create(&self, actor: &Actor, key: &NewApiKey) -> Result<(ApiKey, Secret), Error>;

    /// The keys of a store, or of the marketplace, the latest first.
    async fn keys(&self, actor: &Actor, store: Option<StoreId>) -> Result<Vec<ApiKey>, Error>;

    /// Ends a key, at once. Whose it is decides who may.
    async fn revoke(&self, actor: &Actor, store: Option<StoreId>, key: ApiKeyId) -> Result<(), Error>;

    /// An access token for a secret key (RFC 6749, 4.4), for programs that do not want to send their key with each
    /// request. It may do what the key may, or those of `scopes` that are asked for; it ends with the key. There is
    /// no refresh token. Gives the token, the seconds it lives, and its scopes.
    async fn service_token(
        &self,
        client_id: ApiKeyId,
        client_secret: &Secret,
        scopes: Option<&[Permission]>,
    ) -> Result<(Secret, u64, Vec<Permission>), Error>;
}

/// Whether it has the form of a key.
pub(crate) fn looks_like(token: &Secret) -> bool {
    token.expose().starts_with("sk_") || token.expose().starts_with("pk_")
}

struct Row {
    id: ApiKeyId,
    kind: String,
    name: String,
    hint: String,
    store_id: Option<StoreId>,
    scopes: Vec<String>,
    created_by: Option<UserId>,
    created_at: OffsetDateTime,
    last_used_at: Option<OffsetDateTime>,
    expires_at: Option<OffsetDateTime>,
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            kind: ApiKeyKind::stored(&row.kind),
            name: row.name,
            hint: row.hint,
            store_id: row.store_id,
            scopes: principal::scopes(&row.scopes),
            created_by: row.created_by,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
        }
    }
}

/// The right to work with keys of a store, or of the marketplace.
fn authorize(actor: &Actor, permission: Permission, store: Option<StoreId>) -> Result<(), Error> {
    match store {
        Some(store) => actor.require(permission, store)?,
        None => actor.require_platform(permission)?,
    }
    Ok(())
}

async fn begin(parts: &Parts, store: Option<StoreId>) -> Result<Tx, sqlx::Error> {
    match store {
        Some(store) => parts.database.begin_within(store).await,
        None => parts.database.begin().await,
    }
}

#[async_trait]
impl ApiKeys for Service {
    async fn create(&self, actor: &Actor, key: &NewApiKey) -> Result<(ApiKey, Secret), Error> {
        create(&self.0, actor, key).await
    }

    async fn keys(&self, actor: &Actor, store: Option<StoreId>) -> Result<Vec<ApiKey>, Error> {
        authorize(actor, Permission::KeysRead, store)?;
        let mut tx = begin(&self.0, store).await?;
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT id AS "id: ApiKeyId", kind, name, hint, store_id AS "store_id: StoreId", scopes,
                      created_by AS "created_by: UserId", created_at, last_used_at, expires_at
               FROM identity.api_keys WHERE store_id IS NOT DISTINCT FROM $1 AND revoked_at IS NULL
               ORDER BY created_at DESC, id DESC"#,
            store.map(StoreId::uuid),
        )
        .fetch_all(&mut *tx)
        .await?;
        Ok(rows.into_iter().map(ApiKey::from).collect())
    }

    async fn revoke(&self, actor: &Actor, store: Option<StoreId>, key: ApiKeyId) -> Result<(), Error> {
        authorize(actor, Permission::KeysWrite, store)?;
        let now = self.0.sources.now();
        let mut tx = begin(&self.0, store).await?;
        let revoked = sqlx::query!(
            "UPDATE identity.api_keys SET revoked_at = $3
             WHERE id = $1 AND store_id IS NOT DISTINCT FROM $2 AND revoked_at IS NULL",
            key.uuid(),
            store.map(StoreId::uuid),
            now,
        )
        .execute(&mut *tx)
        .await?;
        if revoked.rows_affected() == 0 {
            return Err(Error::NotFound("API key"));
        }
        let entry = actor.did("api_key.revoked", "api_key", key);
        tx.audit(match store {
            Some(store) => entry.in_store(store),
            None => entry,
        });
        tx.commit(now).await?;
        Ok(())
    }

    async fn service_token(
        &self,
        client_id: ApiKeyId,
        client_secret: &Secret,
        scopes: Option<&[Permission]>,
    ) -> Result<(Secret, u64, Vec<Permission>), Error> {
        let parts = &*self.0;
        let principal = match authenticate(parts, client_secret).await? {
            Authenticated::Principal(principal) if principal.subject == Subject::ApiKey(client_id) => {
                principal
            }
            _ => return Err(Error::BadCredential),
        };
        let held = principal.scopes.unwrap_or_default();
        let given = match scopes {
            None => held,
            Some(wanted) => match wanted.iter().find(|scope| !held.contains(scope)) {
                Some(missing) => return Err(crate::Denied::Scope(*missing).into()),
                None => wanted.to_vec(),
            },
        };
        let scope = given.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ");
        let token = signing::sign(parts, client_id.uuid(), None, Some(scope)).await?;
        Ok((token, parts.settings.access_token_lifetime.as_secs(), given))
    }
}

async fn create(parts: &Parts, actor: &Actor, key: &NewApiKey) -> Result<(ApiKey, Secret), Error> {
    authorize(actor, Permission::KeysWrite, key.store)?;
    let now = parts.sources.now();
    check(actor, key, now)?;
    let secret = parts.sources.secret();
    let token = Secret::presented(&format!("{}{}", key.kind.prefix(), secret.expose()));
    let last: String = token.expose().chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
    let made = ApiKey {
        id: parts.sources.id(),
        kind: key.kind,
        name: key.name.clone(),
        hint: format!("{}…{last}", key.kind.prefix()),
        store_id: key.store,
        scopes: key.scopes.clone(),
        created_by: actor.user_id(),
        created_at: now,
        last_used_at: None,
        expires_at: key.expires_at,
    };
    let mut tx = begin(parts, key.store).await?;
    let there = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM identity.api_keys WHERE store_id IS NOT DISTINCT FROM $1 AND revoked_at IS NULL"#,
        key.store.map(StoreId::uuid),
    )
    .fetch_one(&mut *tx)
    .await?;
    if there >= MOST {
        return Err(Error::Conflict(
            "there are 100 keys already; revoke one first",
            "identity/too_many_keys",
        ));
    }
    sqlx::query!(
        "INSERT INTO identity.api_keys (id, kind, token_hash, hint, name, store_id, scopes, created_by, created_at,
                                        expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        made.id.uuid(),
        made.kind.as_str(),
        token.hash(),
        made.hint,
        made.name,
        made.store_id.map(StoreId::uuid),
        &made.scopes.iter().map(|scope| scope.as_str().to_owned()).collect::<Vec<_>>(),
        made.created_by.map(UserId::uuid),
        now,
        made.expires_at,
    )
    .execute(&mut *tx)
    .await?;
    let entry = actor
        .did("api_key.created", "api_key", made.id)
        .with_facts(json!({"kind": made.kind, "scopes": made.scopes}));
    tx.audit(match key.store {
        Some(store) => entry.in_store(store),
        None => entry,
    });
    tx.commit(now).await?;
    Ok((made, token))
}

/// Refuses a key that makes no sense, or that could do more than whoever makes it.
fn check(actor: &Actor, key: &NewApiKey, now: OffsetDateTime) -> Result<(), Error> {
    if key.name.trim().is_empty() || key.name.chars().count() > 100 || key.name.chars().any(char::is_control)
    {
        return Err(Error::invalid("name", "invalid", "a name is 1 to 100 characters on one line"));
    }
    // A time that is beyond all calendars in UTC is none that can be kept.
    if key.expires_at.is_some_and(|end| end.checked_to_offset(time::UtcOffset::UTC).is_none()) {
        return Err(Error::invalid("expires_at", "invalid", "it is too far away"));
    }
    if key.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::invalid("expires_at", "past", "it has to be in the future"));
    }
    match key.kind {
        ApiKeyKind::Publishable if !key.scopes.is_empty() => {
            return Err(Error::invalid("scopes", "not_allowed", "a publishable key has no scopes"));
        }
        ApiKeyKind::Secret if key.scopes.is_empty() => {
            return Err(Error::invalid("scopes", "empty", "a secret key has at least one scope"));
        }
        _ => {}
    }
    for scope in &key.scopes {
        if key.store.is_some() && !scope.is_of_store() {
            let message = format!("{scope} is not about one store");
            return Err(Error::invalid("scopes", "not_of_store", message));
        }
        if authorize(actor, *scope, key.store).is_err() {
            return Err(Error::MoreThanOwn(scope.to_string()));
        }
    }
    Ok(())
}

/// Who shows this key.
pub(crate) async fn authenticate(parts: &Parts, token: &Secret) -> Result<Authenticated, Error> {
    let now = parts.sources.now();
    let row = sqlx::query!(
        r#"SELECT id AS "id: ApiKeyId", kind, store_id AS "store_id: StoreId", scopes, last_used_at FROM identity.api_keys
           WHERE token_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)"#,
        token.hash(),
        now,
    )
    .fetch_optional(parts.database.pool())
    .await?
    .ok_or(Error::BadCredential)?;
    if row.last_used_at.is_none_or(|last| now - last > USED_EVERY) {
        note_use(parts, row.id, now).await?;
    }
    match ApiKeyKind::stored(&row.kind) {
        ApiKeyKind::Publishable => Ok(Authenticated::Publishable(row.id)),
        ApiKeyKind::Secret => {
            let scopes = principal::scopes(&row.scopes);
            Ok(Authenticated::Principal(of_key(row.id, row.store_id, scopes)))
        }
    }
}

/// Who shows a service token: its key, as it is now, within what the token is limited to.
pub(crate) async fn of_service_token(
    parts: &Parts,
    key: ApiKeyId,
    scope: Option<&str>,
) -> Result<Principal, Error> {
    let row = sqlx::query!(
        r#"SELECT store_id AS "store_id: StoreId", scopes FROM identity.api_keys
           WHERE id = $1 AND kind = 'secret' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)"#,
        key.uuid(),
        parts.sources.now(),
    )
    .fetch_optional(parts.database.pool())
    .await?
    .ok_or(Error::BadCredential)?;
    let limit: Vec<&str> = scope.unwrap_or_default().split(' ').collect();
    let mut scopes = principal::scopes(&row.scopes);
    scopes.retain(|scope| limit.contains(&scope.as_str()));
    Ok(of_key(key, row.store_id, scopes))
}

/// A key has all rights where it belongs; its scopes are what limits it.
fn of_key(id: ApiKeyId, store: Option<StoreId>, scopes: Vec<Permission>) -> Principal {
    Principal {
        subject: Subject::ApiKey(id),
        credential: Credential::ApiKey(id),
        role: store.is_none().then_some(PlatformRole::Operator),
        memberships: store.map(|store| (store, StoreRole::Owner)).into_iter().collect(),
        scopes: Some(scopes),
        second_factor_at: None,
    }
}

async fn note_use(parts: &Parts, key: ApiKeyId, now: OffsetDateTime) -> Result<(), Error> {
    sqlx::query!("UPDATE identity.api_keys SET last_used_at = $2 WHERE id = $1", key.uuid(), now)
        .execute(parts.database.pool())
        .await?;
    Ok(())
}
