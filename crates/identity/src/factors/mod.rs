//! Second factors: TOTP (RFC 6238) with recovery codes, and passkeys (WebAuthn).
//!
//! Who has one can not sign in with a password alone, and has to have shown one lately to change them. A passkey
//! checks who holds it by itself, so that it signs in without a password and counts as both factors.
mod account;
mod assertion;
mod passkeys;
mod proof;
mod recovery;
mod totp;
mod types;

use async_trait::async_trait;
use platform::{Secret, Tx};
use serde_json::Value;

use crate::{Actor, Client, Credentials, Error, Parts, PasskeyId, Service, SignedIn, UserId};

pub(crate) use assertion::Tools;
pub use types::{
    EnrolledPasskey, EnrolledTotp, FactorMethod, PasskeyInfo, PasskeyMark, PasskeyStart, Proof,
    SecondFactorStatus, TotpEnrolment,
};

/// Second factors.
///
/// Changing them needs one that was shown lately, if there is any: [`crate::Denied::SecondFactor`] asks for
/// [`SecondFactors::step_up`].
#[async_trait]
pub trait SecondFactors: Send + Sync + 'static {
    /// The second factors of whoever asks.
    async fn status(&self, actor: &Actor) -> Result<SecondFactorStatus, Error>;

    /// Makes the secret of an authenticator app. It counts once it was shown to work; until then the next call makes
    /// another one.
    async fn begin_totp(&self, actor: &Actor) -> Result<TotpEnrolment, Error>;

    /// Takes the first code of the app.
    async fn confirm_totp(&self, actor: &Actor, code: &Secret) -> Result<EnrolledTotp, Error>;

    /// Takes the app away, for one of its codes or a recovery code; for neither, if the session has shown a second
    /// factor lately. Gives a new cookie.
    async fn remove_totp(&self, actor: &Actor, code: Option<&Secret>) -> Result<Option<Credentials>, Error>;

    /// Makes new recovery codes; those before are void.
    async fn new_recovery_codes(&self, actor: &Actor) -> Result<Vec<Secret>, Error>;

    /// Begins to make a passkey.
    async fn begin_passkey(&self, actor: &Actor) -> Result<PasskeyStart, Error>;

    /// Takes what `navigator.credentials.create` gave, as JSON.
    async fn finish_passkey(
        &self,
        actor: &Actor,
        challenge: &Secret,
        name: &str,
        response: &Value,
    ) -> Result<EnrolledPasskey, Error>;

    /// Calls a passkey something else.
    async fn rename_passkey(&self, actor: &Actor, id: PasskeyId, name: &str) -> Result<PasskeyInfo, Error>;

    /// Takes a passkey away. Gives a new cookie.
    async fn remove_passkey(&self, actor: &Actor, id: PasskeyId) -> Result<Option<Credentials>, Error>;

    /// Begins a login with a passkey alone; which one is up to the authenticator and who holds it.
    async fn begin_passkey_login(&self) -> Result<PasskeyStart, Error>;

    /// Signs in with what `navigator.credentials.get` gave, as JSON.
    async fn finish_passkey_login(
        &self,
        client: &Client,
        challenge: &Secret,
        response: &Value,
    ) -> Result<SignedIn, Error>;

    /// Begins to show a passkey as the second step of the login that this challenge is of.
    async fn begin_login_passkey(&self, login: &Secret) -> Result<PasskeyStart, Error>;

    /// The second step of a login: one challenge gives one session.
    async fn complete(&self, client: &Client, login: &Secret, proof: &Proof) -> Result<SignedIn, Error>;

    /// Begins to show a passkey in a session that is there.
    async fn begin_step_up_passkey(&self, actor: &Actor) -> Result<PasskeyStart, Error>;

    /// Shows a second factor in a session that is there. Gives a new cookie, since the session may do more now.
    async fn step_up(&self, actor: &Actor, proof: &Proof) -> Result<Option<Credentials>, Error>;
}

#[async_trait]
impl SecondFactors for Service {
    async fn status(&self, actor: &Actor) -> Result<SecondFactorStatus, Error> {
        account::status(&self.0, actor).await
    }

    async fn begin_totp(&self, actor: &Actor) -> Result<TotpEnrolment, Error> {
        totp::begin(&self.0, actor).await
    }

    async fn confirm_totp(&self, actor: &Actor, code: &Secret) -> Result<EnrolledTotp, Error> {
        totp::confirm(&self.0, actor, code).await
    }

    async fn remove_totp(&self, actor: &Actor, code: Option<&Secret>) -> Result<Option<Credentials>, Error> {
        totp::remove(&self.0, actor, code).await
    }

    async fn new_recovery_codes(&self, actor: &Actor) -> Result<Vec<Secret>, Error> {
        recovery::renew(&self.0, actor).await
    }

    async fn begin_passkey(&self, actor: &Actor) -> Result<PasskeyStart, Error> {
        passkeys::begin(&self.0, actor).await
    }

    async fn finish_passkey(
        &self,
        actor: &Actor,
        challenge: &Secret,
        name: &str,
        response: &Value,
    ) -> Result<EnrolledPasskey, Error> {
        passkeys::finish(&self.0, actor, challenge, name, response).await
    }

    async fn rename_passkey(&self, actor: &Actor, id: PasskeyId, name: &str) -> Result<PasskeyInfo, Error> {
        passkeys::rename(&self.0, actor, id, name).await
    }

    async fn remove_passkey(&self, actor: &Actor, id: PasskeyId) -> Result<Option<Credentials>, Error> {
        passkeys::remove(&self.0, actor, id).await
    }

    async fn begin_passkey_login(&self) -> Result<PasskeyStart, Error> {
        proof::begin_alone(&self.0).await
    }

    async fn finish_passkey_login(
        &self,
        client: &Client,
        challenge: &Secret,
        response: &Value,
    ) -> Result<SignedIn, Error> {
        proof::finish_alone(&self.0, client, challenge, response).await
    }

    async fn begin_login_passkey(&self, login: &Secret) -> Result<PasskeyStart, Error> {
        proof::begin_second_step(&self.0, login).await
    }

    async fn complete(&self, client: &Client, login: &Secret, proof: &Proof) -> Result<SignedIn, Error> {
        proof::complete(&self.0, client, login, proof).await
    }

    async fn begin_step_up_passkey(&self, actor: &Actor) -> Result<PasskeyStart, Error> {
        proof::begin_step_up(&self.0, actor).await
    }

    async fn step_up(&self, actor: &Actor, proof: &Proof) -> Result<Option<Credentials>, Error> {
        proof::step_up(&self.0, actor, proof).await
    }
}

/// What somebody can show as a second factor; nothing if they have none.
pub(crate) async fn methods(parts: &Parts, user: UserId) -> Result<Vec<FactorMethod>, Error> {
    let row = sqlx::query!(
        r#"SELECT EXISTS (SELECT FROM identity.totp WHERE user_id = $1 AND confirmed_at IS NOT NULL) AS "totp!",
                  EXISTS (SELECT FROM identity.passkeys WHERE user_id = $1) AS "passkey!",
                  EXISTS (SELECT FROM identity.recovery_codes WHERE user_id = $1 AND used_at IS NULL) AS "code!""#,
        user.uuid(),
    )
    .fetch_one(parts.database.pool())
    .await?;
    if !row.totp && !row.passkey {
        return Ok(Vec::new());
    }
    let all = [
        (row.totp, FactorMethod::Totp),
        (row.passkey, FactorMethod::Passkey),
        (row.code, FactorMethod::RecoveryCode),
    ];
    Ok(all.into_iter().filter(|(there, _)| *there).map(|(_, method)| method).collect())
}

/// Takes away all second factors of somebody.
pub(crate) async fn remove_all(tx: &mut Tx, user: UserId) -> Result<(), Error> {
    // One that is being added meanwhile is added before this, and goes too, or finds what came of it.
    account::lock(tx, user).await?;
    sqlx::query!("DELETE FROM identity.totp WHERE user_id = $1", user.uuid()).execute(&mut **tx).await?;
    sqlx::query!("DELETE FROM identity.passkeys WHERE user_id = $1", user.uuid()).execute(&mut **tx).await?;
    recovery::forget(tx, user).await
}
