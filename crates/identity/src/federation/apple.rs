//! What is particular of Apple: the client's secret is a token that is made for each exchange.
//!
//! <https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret>

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use platform::Secret;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::settings::AppleKey;

/// Whom the token is for, wherever it is sent.
const AUDIENCE: &str = "https://appleid.apple.com";
/// How long it is good; it is used at once.
const LIFETIME: Duration = Duration::minutes(5);

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    iat: i64,
    exp: i64,
    aud: &'static str,
    sub: &'a str,
}

/// The secret of this client, signed with the developer account's key.
pub(super) fn client_secret(
    client_id: &str,
    pem: &Secret,
    key: &AppleKey,
    now: OffsetDateTime,
) -> Result<Secret, jsonwebtoken::errors::Error> {
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(key.key_id.clone());
    let claims = Claims {
        iss: &key.team_id,
        iat: now.unix_timestamp(),
        exp: (now + LIFETIME).unix_timestamp(),
        aud: AUDIENCE,
        sub: client_id,
    };
    let signing = EncodingKey::from_ec_pem(pem.expose().as_bytes())?;
    Ok(Secret::presented(&jsonwebtoken::encode(&header, &claims, &signing)?))
}

/// Checks that a key can sign, before anybody signs in with it.
pub(crate) fn is_key(pem: &Secret) -> bool {
    let key = AppleKey { team_id: String::new(), key_id: String::new() };
    client_secret("", pem, &key, OffsetDateTime::UNIX_EPOCH).is_ok()
}
