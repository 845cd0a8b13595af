//! Access tokens: JWTs (RFC 7519, RFC 9068) signed with Ed25519 (RFC 8037), and the keys they are signed with.
//!
//! A new key is published an hour before it signs, and an old one until the last token it signed has expired: a
//! rotation is noticed by nobody.

use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use platform::changes::Stamp;
use platform::{Id, Secret};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::access::{Jwk, Jwks};
use crate::{Error, Parts, SIGNING_KEYS};

/// How long a key is published before it signs: longer than anybody keeps the set of keys.
const NOTICE: Duration = Duration::hours(1);
/// When a key is replaced without anybody asking.
pub(crate) const ROTATE_AFTER: Duration = Duration::days(90);
/// What clocks may differ by.
const LEEWAY_SECONDS: u64 = 5;
const PURPOSE: &str = "signing_key";
/// Whom access tokens are for.
const AUDIENCE: &str = "souk";

/// Marks ids of signing keys.
pub(crate) enum SigningKeyMark {}
type KeyId = Id<SigningKeyMark>;

/// What an access token says (RFC 9068).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    /// The user, or the API key.
    pub(crate) sub: uuid::Uuid,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    pub(crate) jti: String,
    /// The session of a user.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) sid: Option<uuid::Uuid>,
    /// What a program's token is limited to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) scope: Option<String>,
}

struct Key {
    id: KeyId,
    seed: Vec<u8>,
    public: Vec<u8>,
    signs_from: OffsetDateTime,
    retires_at: Option<OffsetDateTime>,
}

impl Key {
    /// Whether it signs now: what a key that was dropped signs is not believed.
    fn signs_at(&self, now: OffsetDateTime) -> bool {
        self.signs_from <= now && self.retires_at.is_none_or(|end| end > now)
    }
}

/// The keys as this node last read them.
#[derive(Default)]
pub(crate) struct Cache(Mutex<Option<(Stamp, Arc<Vec<Key>>)>>);

/// Signs a token for this subject.
pub(crate) async fn sign(
    parts: &Parts,
    subject: uuid::Uuid,
    session: Option<uuid::Uuid>,
    scope: Option<String>,
) -> Result<Secret, Error> {
    let now = parts.sources.now();
    let keys = match keys(parts).await? {
        keys if keys.iter().any(|key| key.signs_at(now)) => keys,
        _ => {
            ensure(parts).await?;
            keys(parts).await?
        }
    };
    let key = keys
        .iter()
        .filter(|key| key.signs_at(now))
        .max_by_key(|key| (key.signs_from, key.id))
        .ok_or_else(|| Error::stored("there is no key to sign with"))?;
    let claims = Claims {
        iss: issuer(parts),
        aud: AUDIENCE.to_owned(),
        sub: subject,
        iat: now.unix_timestamp(),
        exp: (now + parts.settings.access_token_lifetime).unix_timestamp(),
        jti: URL_SAFE_NO_PAD.encode(parts.sources.random::<12>()),
        sid: session,
        scope,
    };
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some(key.id.to_string());
    let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(&pkcs8(&key.seed)));
    token.map(|token| Secret::presented(&token)).map_err(Error::stored)
}

/// What a token says, if one of our keys signed it and it is good now.
pub(crate) async fn verify(parts: &Parts, token: &Secret) -> Result<Claims, Error> {
    let header = jsonwebtoken::decode_header(token.expose()).map_err(|_| Error::BadCredential)?;
    let kid: KeyId = header.kid.as_deref().and_then(|kid| kid.parse().ok()).ok_or(Error::BadCredential)?;
    let mut known = keys(parts).await?;
    if !known.iter().any(|key| key.id == kid) {
        // Another node may have made it a moment ago.
        parts.database.changes().apply(&[SIGNING_KEYS]);
        known = keys(parts).await?;
    }
    let now = parts.sources.now();
    let key = known
        .iter()
        .find(|key| key.id == kid && key.retires_at.is_none_or(|end| end > now))
        .ok_or(Error::BadCredential)?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[issuer(parts)]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The library asks the machine for the time; ours is compared below.
    validation.validate_exp = false;
    let claims =
        jsonwebtoken::decode::<Claims>(token.expose(), &DecodingKey::from_ed_der(&key.public), &validation)
            .map_err(|_| Error::BadCredential)?
            .claims;
    let leeway = i64::try_from(LEEWAY_SECONDS).unwrap_or_default();
    let now = now.unix_timestamp();
    if claims.exp <= now || claims.iat > now + leeway {
        return Err(Error::BadCredential);
    }
    Ok(claims)
}

/// The public keys, for others who check our tokens (RFC 7517).
pub(crate) async fn jwks(parts: &Parts) -> Result<Jwks, Error> {
    ensure(parts).await?;
    let now = parts.sources.now();
    let keys = keys(parts).await?;
    let published = keys.iter().filter(|key| key.retires_at.is_none_or(|end| end > now));
    Ok(Jwks {
        keys: published
            .map(|key| Jwk {
                kty: "OKP",
                crv: "Ed25519",
                alg: "EdDSA",
                key_use: "sig",
                kid: key.id.to_string(),
                x: URL_SAFE_NO_PAD.encode(&key.public),
            })
            .collect(),
    })
}

/// Makes the first key, if there is none.
pub(crate) async fn ensure(parts: &Parts) -> Result<(), Error> {
    if keys(parts).await?.is_empty() {
        add(parts, parts.sources.now(), true).await?;
    }
    Ok(())
}

/// Makes a new key. At once: it signs from now, and what the others signed is no longer believed. Returns its name
/// and from when it signs.
pub(crate) async fn rotate(parts: &Parts, at_once: bool) -> Result<(String, OffsetDateTime), Error> {
    let now = parts.sources.now();
    let signs_from = if at_once { now } else { now + NOTICE };
    let id = add(parts, signs_from, false).await?;
    if at_once {
        let mut tx = parts.database.begin().await?;
        sqlx::query!("UPDATE identity.signing_keys SET retires_at = $2 WHERE id <> $1", id.uuid(), now)
            .execute(&mut *tx)
            .await?;
        tx.touch(SIGNING_KEYS);
        tx.commit(now).await?;
    }
    Ok((id.to_string(), signs_from))
}

/// Rotates if the newest key is old, and forgets keys that nobody needs. Returns how many things it did.
pub(crate) async fn tend(parts: &Parts) -> Result<u64, Error> {
    ensure(parts).await?;
    let now = parts.sources.now();
    let newest = keys(parts).await?.iter().map(|key| key.signs_from).max();
    let mut done = 0;
    if newest.is_some_and(|newest| now - newest > ROTATE_AFTER) {
        rotate(parts, false).await?;
        done += 1;
    }
    let gone =
        sqlx::query!("DELETE FROM identity.signing_keys WHERE retires_at < $1", now - Duration::days(7))
            .execute(parts.database.pool())
            .await?;
    Ok(done + gone.rows_affected())
}

async fn add(parts: &Parts, signs_from: OffsetDateTime, only_first: bool) -> Result<KeyId, Error> {
    let (id, seed, now) =
        (parts.sources.id::<SigningKeyMark>(), parts.sources.random::<32>(), parts.sources.now());
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(Error::stored)?;
    let mut tx = parts.database.begin().await?;
    // Two nodes that start at the same time make one key.
    sqlx::query!("LOCK TABLE identity.signing_keys IN EXCLUSIVE MODE").execute(&mut *tx).await?;
    let newest = sqlx::query_scalar!(
        r#"SELECT id AS "id: KeyId" FROM identity.signing_keys WHERE retires_at IS NULL ORDER BY signs_from DESC LIMIT 1"#
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(there) = newest.filter(|_| only_first) {
        // Another node was first, and its word may still be on the way.
        parts.database.changes().apply(&[SIGNING_KEYS]);
        return Ok(there);
    }
    let last_token_ends = signs_from + parts.settings.access_token_lifetime + Duration::minutes(1);
    sqlx::query!(
        "UPDATE identity.signing_keys SET retires_at = $1 WHERE retires_at IS NULL",
        last_token_ends,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "INSERT INTO identity.signing_keys (id, seed, public_key, created_at, signs_from) VALUES ($1, $2, $3, $4, $5)",
        id.uuid(),
        parts.settings.vault.seal(&parts.sources, PURPOSE, &seed),
        pair.public_key().as_ref(),
        now,
        signs_from,
    )
    .execute(&mut *tx)
    .await?;
    tx.touch(SIGNING_KEYS);
    tx.commit(now).await?;
    Ok(id)
}

async fn keys(parts: &Parts) -> Result<Arc<Vec<Key>>, Error> {
    let changes = parts.database.changes();
    {
        let mut cached = parts.signing.0.lock().expect("no holder panics");
        if let Some((stamp, keys)) = cached.as_mut()
            && let Some(newer) = changes.untouched(*stamp, &[SIGNING_KEYS])
        {
            *stamp = newer;
            return Ok(Arc::clone(keys));
        }
    }
    let stamp = changes.stamp();
    let rows = sqlx::query!(
        r#"SELECT id AS "id: KeyId", seed, public_key, signs_from, retires_at FROM identity.signing_keys"#
    )
    .fetch_all(parts.database.pool())
    .await?;
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        keys.push(Key {
            id: row.id,
            seed: parts.settings.vault.open(PURPOSE, &row.seed)?,
            public: row.public_key,
            signs_from: row.signs_from,
            retires_at: row.retires_at,
        });
    }
    let keys = Arc::new(keys);
    *parts.signing.0.lock().expect("no holder panics") = Some((stamp, Arc::clone(&keys)));
    Ok(keys)
}

/// The issuer, as tokens name it: the address of the marketplace without a slash at its end.
fn issuer(parts: &Parts) -> String {
    parts.settings.public_url.as_str().trim_end_matches('/').to_owned()
}

/// A seed in the wrapping that the JWT library reads (RFC 8410, 7).
fn pkcs8(seed: &[u8]) -> Vec<u8> {
    const PREFIX: [u8; 16] =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    [&PREFIX, seed].concat()
}
