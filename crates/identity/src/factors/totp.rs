//! Codes of authenticator apps (RFC 6238): SHA-1, six digits, 30 seconds, which is what all apps know.

use platform::{Secret, Tx};
use time::OffsetDateTime;
use totp_rs::{Algorithm, Builder, Totp};

use super::account::{self, hold, hold_to_add, owner};
use super::proof::{count_guess, forget_guesses};
use super::{EnrolledTotp, FactorMethod, TotpEnrolment, recovery};
use crate::{Actor, Credentials, Error, Parts, UserId, accounts};

/// What the secret is sealed for.
const PURPOSE: &str = "totp";
/// Bytes of a secret, as RFC 4226 recommends (section 4, R6).
const SECRET_BYTES: usize = 20;
const DIGITS: u8 = 6;
const STEP_SECONDS: u64 = 30;
/// Steps before and after the present one that are taken: clocks differ, and people type (RFC 6238, 5.2).
const SKEW: u16 = 1;

pub(super) async fn begin(parts: &Parts, actor: &Actor) -> Result<TotpEnrolment, Error> {
    let now = parts.sources.now();
    let secret = parts.sources.random::<SECRET_BYTES>();
    let mut tx = parts.database.begin().await?;
    let owner = hold_to_add(parts, &mut tx, actor).await?;
    let user = accounts::load(&mut tx, owner.user).await?;
    let begun = sqlx::query!(
        "INSERT INTO identity.totp (user_id, secret, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE SET secret = EXCLUDED.secret, created_at = EXCLUDED.created_at
         WHERE totp.confirmed_at IS NULL",
        owner.user.uuid(),
        parts.settings.vault.seal(&parts.sources, PURPOSE, &secret),
        now,
    )
    .execute(&mut *tx)
    .await?;
    if begun.rows_affected() == 0 {
        let message = "there is an authenticator app already; remove it first";
        return Err(Error::Conflict(message, "identity/totp_exists"));
    }
    tx.commit(now).await?;
    // What tells issuer and account apart may stand in neither.
    let issuer = parts.settings.name.replace(':', " ");
    let totp = builder(&secret)
        .with_issuer(Some(issuer))
        .with_account_name(user.email.as_str().replace(':', " "))
        .build()
        .map_err(Error::stored)?;
    let uri = totp.to_url().map_err(Error::stored)?;
    let secret = Secret::presented(&totp.secret().to_base32());
    Ok(TotpEnrolment { secret, uri: Secret::presented(&uri) })
}

pub(super) async fn confirm(parts: &Parts, actor: &Actor, code: &Secret) -> Result<EnrolledTotp, Error> {
    let now = parts.sources.now();
    let user = owner(actor)?.user;
    count_guess(parts, user).await?;
    let mut tx = parts.database.begin().await?;
    let owner = hold(parts, &mut tx, actor).await?;
    let sealed = sqlx::query_scalar!(
        "SELECT secret FROM identity.totp WHERE user_id = $1 AND confirmed_at IS NULL",
        owner.user.uuid(),
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::Conflict("begin with an authenticator app first", "identity/totp_not_begun"))?;
    let step = step_of(parts, &sealed, code, now)?.ok_or(Error::WrongCode)?;
    sqlx::query!(
        "UPDATE identity.totp SET confirmed_at = $2, last_step = $3 WHERE user_id = $1",
        owner.user.uuid(),
        now,
        step,
    )
    .execute(&mut *tx)
    .await?;
    let recovery_codes = recovery::make_if_none(parts, &mut tx, owner.user).await?;
    let renewed = account::added(parts, &mut tx, actor, owner, FactorMethod::Totp).await?;
    tx.commit(now).await?;
    forget_guesses(parts, user).await?;
    Ok(EnrolledTotp { recovery_codes, renewed })
}

pub(super) async fn remove(
    parts: &Parts,
    actor: &Actor,
    code: Option<&Secret>,
) -> Result<Option<Credentials>, Error> {
    let owner = owner(actor)?;
    if code.is_some() {
        count_guess(parts, owner.user).await?;
    }
    let mut tx = parts.database.begin().await?;
    match code {
        Some(code) => {
            account::lock(&mut tx, owner.user).await?;
            if looks_like(code) {
                take(parts, &mut tx, owner.user, code).await?;
            } else {
                recovery::take(parts, &mut tx, owner.user, code).await?;
            }
        }
        None => {
            hold(parts, &mut tx, actor).await?;
        }
    }
    let gone = sqlx::query!(
        "DELETE FROM identity.totp WHERE user_id = $1 AND confirmed_at IS NOT NULL",
        owner.user.uuid(),
    )
    .execute(&mut *tx)
    .await?;
    if gone.rows_affected() == 0 {
        return Err(Error::NotFound("authenticator app"));
    }
    let renewed = account::removed(parts, &mut tx, actor, owner, FactorMethod::Totp).await?;
    tx.commit(parts.sources.now()).await?;
    if code.is_some() {
        forget_guesses(parts, owner.user).await?;
    }
    Ok(renewed)
}

/// Takes a code. No time step is taken twice, nor one before one that was (RFC 6238, 5.2).
pub(super) async fn take(parts: &Parts, tx: &mut Tx, user: UserId, code: &Secret) -> Result<(), Error> {
    let kept = sqlx::query!(
        "SELECT secret, last_step FROM identity.totp WHERE user_id = $1 AND confirmed_at IS NOT NULL FOR UPDATE",
        user.uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::WrongCode)?;
    let step = step_of(parts, &kept.secret, code, parts.sources.now())?
        .filter(|step| *step > kept.last_step)
        .ok_or(Error::WrongCode)?;
    sqlx::query!("UPDATE identity.totp SET last_step = $2 WHERE user_id = $1", user.uuid(), step)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The time step whose code this is, if it is one of about now.
fn step_of(parts: &Parts, sealed: &[u8], code: &Secret, now: OffsetDateTime) -> Result<Option<i64>, Error> {
    let totp = read(&parts.settings.vault.open(PURPOSE, sealed)?)?;
    let seconds = u64::try_from(now.unix_timestamp()).map_err(Error::stored)?;
    totp.check(&digits(code), seconds).map(i64::try_from).transpose().map_err(Error::stored)
}

fn read(secret: &[u8]) -> Result<Totp, Error> {
    builder(secret).build().map_err(Error::stored)
}

fn builder(secret: &[u8]) -> Builder {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_skew(SKEW)
        .with_step_duration(STEP_SECONDS)
        .with_secret(secret.to_vec())
}

/// Apps show the digits in groups.
fn digits(code: &Secret) -> String {
    code.expose().chars().filter(|letter| !letter.is_whitespace()).collect()
}

/// Whether it has the form of a code of an app; a recovery code is longer.
fn looks_like(code: &Secret) -> bool {
    digits(code).len() <= usize::from(DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let totp = read(b"12345678901234567890").expect("20 bytes are a secret");
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            assert_eq!(totp.check(code, time), Some(time / STEP_SECONDS));
            assert_eq!(totp.check(code, time + STEP_SECONDS), Some(time / STEP_SECONDS));
            assert_eq!(totp.check(code, time + 2 * STEP_SECONDS), None);
        }
    }
}
