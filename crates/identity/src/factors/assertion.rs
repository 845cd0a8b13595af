//! Showing a passkey (WebAuthn, section 7.2).
//!
//! One way for all: Souk asks without naming keys to the library, tells the browser which keys will do, and checks
//! the answer against the key as it is stored by then, under a lock, so that its counter is never an old one.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::{Secret, Tx};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::{Host, Url};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PublicKeyCredential, Webauthn, WebauthnBuilder, WebauthnError,
};

use super::PasskeyStart;
use crate::challenge::{self, Purpose};
use crate::{Error, Parts, PasskeyId, SessionId, Settings, UserId};

/// How long somebody may take to touch their key (WebAuthn, section 15.1).
pub(super) const CEREMONY_TIME: Duration = Duration::from_secs(5 * 60);

/// What the ceremonies work with.
pub(crate) struct Tools {
    webauthn: Option<Webauthn>,
}

impl Tools {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { webauthn: relying_party(&settings.public_url, &settings.name) }
    }

    pub(super) fn webauthn(&self) -> Result<&Webauthn, Error> {
        self.webauthn.as_ref().ok_or(Error::Conflict(
            "passkeys need a public_url with a host name, and https unless it is localhost",
            "identity/passkeys_unavailable",
        ))
    }
}

/// The marketplace as passkeys know it: by its host. Browsers give none to an address of numbers, nor to a page that
/// came without TLS from elsewhere than the same machine (WebAuthn, section 5.1.3; W3C Secure Contexts, section 3.1).
fn relying_party(public_url: &Url, name: &str) -> Option<Webauthn> {
    let Some(Host::Domain(host)) = public_url.host() else { return None };
    let local = host == "localhost" || host.ends_with(".localhost");
    if public_url.scheme() != "https" && !local {
        return None;
    }
    let origin = Url::parse(&public_url.origin().ascii_serialization()).ok()?;
    let builder = WebauthnBuilder::new(host, &origin).ok()?;
    builder.rp_name(name).timeout(CEREMONY_TIME).build().ok()
}

/// For what a passkey is asked; an answer is good for nothing else.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AskedFor {
    /// A login with a passkey alone.
    Login,
    /// The second step of the login whose challenge has this hash.
    SecondStep(Vec<u8>),
    /// A session that is there.
    StepUp(SessionId),
}

impl AskedFor {
    const fn purpose(&self) -> Purpose {
        match self {
            Self::Login => Purpose::PasskeyLogin,
            Self::SecondStep(_) | Self::StepUp(_) => Purpose::PasskeyAssertion,
        }
    }
}

/// What is remembered until the answer comes.
#[derive(Serialize, Deserialize)]
struct Asked {
    asked_for: AskedFor,
    ceremony: DiscoverableAuthentication,
}

/// Asks for a passkey: one of this user's, or any.
pub(super) async fn begin(
    parts: &Parts,
    user: Option<UserId>,
    asked_for: AskedFor,
) -> Result<PasskeyStart, Error> {
    let webauthn = parts.factors.webauthn()?;
    let (asked, ceremony) = webauthn.start_discoverable_authentication().map_err(Error::stored)?;
    let mut options = json!({"publicKey": platform::database::json(&asked.public_key)});
    if let Some(user) = user {
        let keys = sqlx::query_scalar!(
            "SELECT credential_id FROM identity.passkeys WHERE user_id = $1 ORDER BY created_at, id",
            user.uuid(),
        )
        .fetch_all(parts.database.pool())
        .await?;
        if keys.is_empty() {
            return Err(Error::NotFound("passkey"));
        }
        let described = |id: Vec<u8>| json!({"type": "public-key", "id": URL_SAFE_NO_PAD.encode(id)});
        options["publicKey"]["allowCredentials"] = keys.into_iter().map(described).collect();
    }
    let purpose = asked_for.purpose();
    let state = Asked { asked_for, ceremony };
    let challenge = challenge::open(parts, purpose, user, &state, CEREMONY_TIME).await?;
    Ok(PasskeyStart { challenge, options })
}

/// Whose passkey it says to be: it tells so itself if it was made to be found without a name.
pub(super) fn holder(answer: &PublicKeyCredential) -> Result<UserId, Error> {
    let handle = answer.get_user_unique_id().and_then(|bytes| uuid::Uuid::from_slice(bytes).ok());
    handle.map(UserId::from).ok_or(Error::WrongPasskey)
}

/// Takes the answer of a passkey of this user, whose account is held. The challenge is good once.
pub(super) async fn finish(
    parts: &Parts,
    tx: &mut Tx,
    user: UserId,
    asked_for: &AskedFor,
    challenge: &Secret,
    answer: &PublicKeyCredential,
) -> Result<(), Error> {
    let webauthn = parts.factors.webauthn()?;
    let begun = challenge::take::<Asked>(parts, tx, asked_for.purpose(), challenge).await?;
    if begun.state.asked_for != *asked_for || begun.user_id.is_some_and(|of| of != user) {
        return Err(Error::BadToken);
    }
    if answer.get_user_unique_id().is_some_and(|handle| handle != user.uuid().as_bytes()) {
        return Err(Error::WrongPasskey);
    }
    let kept = sqlx::query!(
        r#"SELECT id AS "id: PasskeyId", passkey FROM identity.passkeys
           WHERE user_id = $1 AND credential_id = $2 FOR UPDATE"#,
        user.uuid(),
        answer.get_credential_id(),
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::WrongPasskey)?;
    let mut passkey: Passkey = serde_json::from_value(kept.passkey).map_err(Error::stored)?;
    let shown = webauthn
        .finish_discoverable_authentication_v2(answer, begun.state.ceremony, &passkey)
        .map_err(|error| refused(kept.id, &error))?;
    passkey.update_credential(&shown);
    sqlx::query!(
        "UPDATE identity.passkeys SET passkey = $2, last_used_at = $3 WHERE id = $1",
        kept.id.uuid(),
        platform::database::json(&passkey),
        parts.sources.now(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn refused(passkey: PasskeyId, error: &WebauthnError) -> Error {
    if matches!(error, WebauthnError::CredentialPossibleCompromise) {
        // Its counter did not grow: there may be two of it (WebAuthn, section 6.1.1).
        metrics::counter!("souk_passkeys_maybe_cloned_total").increment(1);
        tracing::warn!(%passkey, "a passkey was refused: its counter did not grow, there may be a copy of it");
    } else {
        tracing::debug!(%passkey, %error, "a passkey was refused");
    }
    Error::WrongPasskey
}

/// What an authenticator answered, as browsers write it.
pub(super) fn read<T: DeserializeOwned>(field: &'static str, response: &Value) -> Result<T, Error> {
    T::deserialize(response).map_err(|_| {
        Error::invalid(field, "invalid_value", "this is not what navigator.credentials gave, as JSON")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_need_a_name_and_tls() {
        let known = |url: &str| relying_party(&Url::parse(url).expect("a URL"), "Souk").is_some();
        assert!(known("https://market.example/"));
        assert!(known("http://localhost:8080"));
        assert!(!known("http://127.0.0.1:8080"));
        assert!(!known("https://[::1]:8080"));
        assert!(!known("http://market.example"));
    }
}
