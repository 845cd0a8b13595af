//! Showing a second factor: to end a login, or in a session that is there.

use platform::{Secret, Tx};
use serde_json::Value;
use webauthn_rs::prelude::PublicKeyCredential;

use super::account::{self, facts, lock, owner};
use super::assertion::{self, AskedFor, holder, read};
use super::{FactorMethod, PasskeyStart, Proof, recovery, totp};
use crate::challenge::{self, Purpose};
use crate::sessions::{self, FirstFactor};
use crate::throttle::{self, Counter};
use crate::{Actor, Client, Credentials, Error, Parts, SignedIn, UserId};

/// Codes can be guessed, so that guesses are counted before they are looked at.
pub(super) async fn count_guess(parts: &Parts, user: UserId) -> Result<(), Error> {
    throttle::count(parts, &counter(user)).await
}

/// The last guess was right.
pub(super) async fn forget_guesses(parts: &Parts, user: UserId) -> Result<(), Error> {
    throttle::clear(parts, &counter(user)).await
}

fn counter(user: UserId) -> Counter {
    Counter::new("second_factor", &user.to_string(), None)
}

/// Checks what is shown, in the transaction that does what it is shown for; the account is held.
async fn check(
    parts: &Parts,
    tx: &mut Tx,
    user: UserId,
    asked_for: &AskedFor,
    proof: &Proof,
) -> Result<(), Error> {
    match proof {
        Proof::Totp(code) => totp::take(parts, tx, user, code).await,
        Proof::RecoveryCode(code) => recovery::take(parts, tx, user, code).await,
        Proof::Passkey { challenge, response } => {
            let answer: PublicKeyCredential = read("passkey.credential", response)?;
            assertion::finish(parts, tx, user, asked_for, challenge, &answer).await
        }
    }
}

fn is_guessable(proof: &Proof) -> bool {
    proof.method() != FactorMethod::Passkey
}

pub(super) async fn begin_second_step(parts: &Parts, login: &Secret) -> Result<PasskeyStart, Error> {
    let user = challenge::look(parts, Purpose::SecondFactor, login).await?.ok_or(Error::BadToken)?;
    assertion::begin(parts, Some(user), AskedFor::SecondStep(login.hash())).await
}

pub(super) async fn complete(
    parts: &Parts,
    client: &Client,
    login: &Secret,
    proof: &Proof,
) -> Result<SignedIn, Error> {
    let purpose = Purpose::SecondFactor;
    let user = challenge::look(parts, purpose, login).await?.ok_or(Error::BadToken)?;
    if is_guessable(proof) {
        count_guess(parts, user).await?;
    }
    challenge::attempt::<FirstFactor>(parts, purpose, login).await?;
    let mut tx = parts.database.begin().await?;
    lock(&mut tx, user).await?;
    challenge::take::<FirstFactor>(parts, &mut tx, purpose, login).await?;
    let asked_for = AskedFor::SecondStep(login.hash());
    check(parts, &mut tx, user, &asked_for, proof).await.inspect_err(|_| count_failure())?;
    let signed_in = enter(parts, tx, user, client, proof.method()).await?;
    if is_guessable(proof) {
        forget_guesses(parts, user).await?;
    }
    Ok(signed_in)
}

pub(super) async fn begin_alone(parts: &Parts) -> Result<PasskeyStart, Error> {
    assertion::begin(parts, None, AskedFor::Login).await
}

pub(super) async fn finish_alone(
    parts: &Parts,
    client: &Client,
    challenge: &Secret,
    response: &Value,
) -> Result<SignedIn, Error> {
    let answer: PublicKeyCredential = read("credential", response)?;
    let mut tx = parts.database.begin().await?;
    let user = shown_alone(parts, &mut tx, challenge, &answer).await.map_err(|error| match error {
        // One answer, whether or not there is such an account or key.
        Error::WrongPasskey | Error::UserNotFound => {
            count_failure();
            Error::BadCredential
        }
        other => other,
    })?;
    enter(parts, tx, user, client, FactorMethod::Passkey).await
}

async fn shown_alone(
    parts: &Parts,
    tx: &mut Tx,
    challenge: &Secret,
    answer: &PublicKeyCredential,
) -> Result<UserId, Error> {
    let user = holder(answer)?;
    lock(tx, user).await?;
    assertion::finish(parts, tx, user, &AskedFor::Login, challenge, answer).await?;
    Ok(user)
}

/// Opens the session of somebody who has shown both factors.
async fn enter(
    parts: &Parts,
    mut tx: Tx,
    user: UserId,
    client: &Client,
    method: FactorMethod,
) -> Result<SignedIn, Error> {
    let actor = Actor::stranger().from(client.origin.clone());
    tx.audit(actor.did("second_factor.used", "user", user).with_facts(facts(method)));
    sessions::open(parts, tx, user, client, true).await
}

fn count_failure() {
    metrics::counter!("souk_logins_total", "outcome" => "failed").increment(1);
}

pub(super) async fn begin_step_up(parts: &Parts, actor: &Actor) -> Result<PasskeyStart, Error> {
    let owner = owner(actor)?;
    assertion::begin(parts, Some(owner.user), AskedFor::StepUp(owner.session)).await
}

pub(super) async fn step_up(
    parts: &Parts,
    actor: &Actor,
    proof: &Proof,
) -> Result<Option<Credentials>, Error> {
    let owner = owner(actor)?;
    if is_guessable(proof) {
        count_guess(parts, owner.user).await?;
    }
    let mut tx = parts.database.begin().await?;
    lock(&mut tx, owner.user).await?;
    check(parts, &mut tx, owner.user, &AskedFor::StepUp(owner.session), proof).await?;
    let renewed = account::shown(parts, &mut tx, owner.session).await?;
    tx.audit(actor.did("second_factor.used", "user", owner.user).with_facts(facts(proof.method())));
    tx.commit(parts.sources.now()).await?;
    if is_guessable(proof) {
        forget_guesses(parts, owner.user).await?;
    }
    Ok(renewed)
}
