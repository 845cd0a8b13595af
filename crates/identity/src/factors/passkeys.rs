//! Making, naming and removing passkeys.

use platform::Secret;
use serde_json::{Value, json};
use webauthn_rs::prelude::{CredentialID, PasskeyRegistration, RegisterPublicKeyCredential};

use super::account::{self, hold, hold_to_add, owner};
use super::assertion::{CEREMONY_TIME, read};
use super::{EnrolledPasskey, FactorMethod, PasskeyInfo, PasskeyMark, PasskeyStart, recovery};
use crate::challenge::{self, Purpose};
use crate::{Actor, Credentials, Error, Parts, PasskeyId, accounts};

/// Passkeys of one account.
const MOST: i64 = 20;
/// Characters of a name.
const LONGEST_NAME: usize = 100;

pub(super) async fn begin(parts: &Parts, actor: &Actor) -> Result<PasskeyStart, Error> {
    actor.person()?;
    let webauthn = parts.factors.webauthn()?;
    let mut tx = parts.database.begin().await?;
    let owner = hold_to_add(parts, &mut tx, actor).await?;
    let user = accounts::load(&mut tx, owner.user).await?;
    // The same authenticator twice would be no second one.
    let known: Vec<CredentialID> = sqlx::query_scalar!(
        "SELECT credential_id FROM identity.passkeys WHERE user_id = $1",
        owner.user.uuid()
    )
    .fetch_all(&mut *tx)
    .await?;
    drop(tx);
    let shown = if user.name.is_empty() { user.email.as_str() } else { &user.name };
    let (asked, ceremony) = webauthn
        .start_passkey_registration(owner.user.uuid(), user.email.as_str(), shown, Some(known))
        .map_err(Error::stored)?;
    let mut options = json!({"publicKey": platform::database::json(&asked.public_key)});
    // One that is kept by the authenticator signs in without a name; one that can not be will do as a second factor.
    options["publicKey"]["authenticatorSelection"]["residentKey"] = json!("preferred");
    let purpose = Purpose::PasskeyEnrolment;
    let challenge = challenge::open(parts, purpose, Some(owner.user), &ceremony, CEREMONY_TIME).await?;
    Ok(PasskeyStart { challenge, options })
}

pub(super) async fn finish(
    parts: &Parts,
    actor: &Actor,
    challenge: &Secret,
    name: &str,
    response: &Value,
) -> Result<EnrolledPasskey, Error> {
    actor.person()?;
    let webauthn = parts.factors.webauthn()?;
    let name = check_name(name)?;
    let answer: RegisterPublicKeyCredential = read("credential", response)?;
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let owner = hold(parts, &mut tx, actor).await?;
    let purpose = Purpose::PasskeyEnrolment;
    let begun = challenge::take::<PasskeyRegistration>(parts, &mut tx, purpose, challenge).await?;
    if begun.user_id != Some(owner.user) {
        return Err(Error::BadToken);
    }
    let passkey = webauthn.finish_passkey_registration(&answer, &begun.state).map_err(|error| {
        let message = format!("the authenticator's answer is not one to this challenge: {error}");
        Error::invalid("credential", "invalid_value", message)
    })?;
    let id = parts.sources.id::<PasskeyMark>();
    let credential_id: &[u8] = passkey.cred_id().as_ref();
    let made = sqlx::query!(
        "INSERT INTO identity.passkeys (id, user_id, credential_id, passkey, name, created_at)
         SELECT $1, $2, $3, $4, $5, $6
         WHERE (SELECT count(*) FROM identity.passkeys WHERE user_id = $2) < $7
         ON CONFLICT (credential_id) DO NOTHING",
        id.uuid(),
        owner.user.uuid(),
        credential_id,
        platform::database::json(&passkey),
        name,
        now,
        MOST,
    )
    .execute(&mut *tx)
    .await?;
    if made.rows_affected() == 0 {
        let message = "this passkey is known already, or there are 20 of them";
        return Err(Error::Conflict(message, "identity/passkey_refused"));
    }
    let recovery_codes = recovery::make_if_none(parts, &mut tx, owner.user).await?;
    let renewed = account::added(parts, &mut tx, actor, owner, FactorMethod::Passkey).await?;
    tx.commit(now).await?;
    let passkey = PasskeyInfo { id, name: name.to_owned(), created_at: now, last_used_at: None };
    Ok(EnrolledPasskey { passkey, recovery_codes, renewed })
}

pub(super) async fn rename(
    parts: &Parts,
    actor: &Actor,
    id: PasskeyId,
    name: &str,
) -> Result<PasskeyInfo, Error> {
    let user = owner(actor)?.user;
    let name = check_name(name)?;
    let mut tx = parts.database.begin().await?;
    let renamed = sqlx::query_as!(
        PasskeyInfo,
        r#"UPDATE identity.passkeys SET name = $3 WHERE id = $1 AND user_id = $2
           RETURNING id AS "id: PasskeyId", name, created_at, last_used_at"#,
        id.uuid(),
        user.uuid(),
        name,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound("passkey"))?;
    tx.audit(actor.did("passkey.renamed", "passkey", id));
    tx.commit(parts.sources.now()).await?;
    Ok(renamed)
}

pub(super) async fn remove(
    parts: &Parts,
    actor: &Actor,
    id: PasskeyId,
) -> Result<Option<Credentials>, Error> {
    let mut tx = parts.database.begin().await?;
    let owner = hold(parts, &mut tx, actor).await?;
    let gone = sqlx::query!(
        "DELETE FROM identity.passkeys WHERE id = $1 AND user_id = $2",
        id.uuid(),
        owner.user.uuid()
    )
    .execute(&mut *tx)
    .await?;
    if gone.rows_affected() == 0 {
        return Err(Error::NotFound("passkey"));
    }
    let renewed = account::removed(parts, &mut tx, actor, owner, FactorMethod::Passkey).await?;
    tx.commit(parts.sources.now()).await?;
    Ok(renewed)
}

fn check_name(name: &str) -> Result<&str, Error> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Error::invalid("name", "invalid_value", "a name is 1 to 100 characters on one line"));
    }
    Ok(name)
}
