//! Challenges: what a guest has to work for before they get a place, so that places can not be minted.
//!
//! A challenge is a signed random text for one buyer and one line. Its solution is any text with which
//! `SHA-256(challenge ":" solution)` begins with as many zero bits as are asked for (a proof of work as in Hashcash: each
//! bit doubles the work of finding one, and checking costs one hash). Nothing is kept of a challenge until it is
//! solved; then its place remembers it, so that it gives one place once.

use catalog::ProductId;
use identity::{Actor, Denied};
use serde::Serialize;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::buyer::Buyer;
use crate::rooms::Entry;
use crate::seal::take;
use crate::{Error, LineId, Parts};

/// How long a challenge may be worked at.
pub(crate) const LIFETIME: Duration = Duration::minutes(5);
const PURPOSE: u8 = b'c';
const BYTES: usize = 16 + 16 + 8 + 1 + 16;

/// Something to solve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WaitingRoomChallenge)]
pub struct Challenge {
    /// Signed. Send it back with a solution.
    pub challenge: String,
    /// With how many zero bits `SHA-256(challenge ":" solution)` has to begin.
    #[schema(example = 18)]
    pub difficulty: u8,
    /// How the hash is made.
    #[schema(example = "sha-256")]
    pub algorithm: &'static str,
    /// Until when it can be used.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// A challenge that was solved.
#[derive(Clone, Debug)]
pub struct Solution {
    /// As it was given.
    pub challenge: String,
    /// What makes the hash begin with zeros.
    pub solution: String,
}

/// A challenge's name in the books.
pub(crate) type Nonce = [u8; 16];

pub(crate) async fn issue(parts: &Parts, actor: &Actor, product: ProductId) -> Result<Challenge, Error> {
    let room = parts.rooms.require(product).await?;
    let buyer = Buyer::of(actor)?;
    // Whole seconds, as the signed text has them.
    let now = parts.sources.now();
    let expires_at = now.replace_nanosecond(0).unwrap_or(now) + LIFETIME;
    let mut payload = Vec::with_capacity(BYTES);
    payload.extend_from_slice(room.line.uuid().as_bytes());
    payload.extend_from_slice(&parts.sources.random::<16>());
    payload.extend_from_slice(&expires_at.unix_timestamp().to_be_bytes());
    payload.push(room.difficulty);
    payload.extend_from_slice(&buyer.mark());
    let challenge = parts.seal.sign(PURPOSE, &payload);
    Ok(Challenge { challenge, difficulty: room.difficulty, algorithm: "sha-256", expires_at })
}

/// The name of a challenge of this buyer that was solved.
pub(crate) fn check(
    parts: &Parts,
    room: &Entry,
    buyer: &Buyer,
    solved: &Solution,
    now: OffsetDateTime,
) -> Result<Nonce, Error> {
    let payload = parts.seal.open::<BYTES>(PURPOSE, &solved.challenge).ok_or(Error::BadChallenge)?;
    let mut rest = payload.as_slice();
    let line = LineId::from(Uuid::from_bytes(take(&mut rest)));
    let nonce: Nonce = take(&mut rest);
    let expires_at = i64::from_be_bytes(take(&mut rest));
    let [difficulty] = take(&mut rest);
    if line != room.line || take(&mut rest) != buyer.mark() {
        return Err(Error::BadChallenge);
    }
    if expires_at <= now.unix_timestamp() {
        return Err(Error::ChallengeExpired);
    }
    let hash = Sha256::new()
        .chain_update(&solved.challenge)
        .chain_update(":")
        .chain_update(&solved.solution)
        .finalize();
    if leading_zeros(&hash) < u32::from(difficulty) {
        return Err(Error::WrongSolution);
    }
    Ok(nonce)
}

/// Who has to solve one: guests. Whoever has signed in has confirmed an e-mail address.
pub(crate) fn is_needed(actor: &Actor) -> Result<bool, Denied> {
    match actor.person() {
        Ok(_) => Ok(false),
        Err(Denied::Unauthenticated) => Ok(true),
        Err(denied) => Err(denied),
    }
}

fn leading_zeros(hash: &[u8]) -> u32 {
    let whole = hash.iter().take_while(|byte| **byte == 0).count();
    let rest = hash.get(whole).map_or(0, |byte| byte.leading_zeros());
    u32::try_from(whole).map_or(u32::MAX, |whole| whole * 8 + rest)
}

#[cfg(test)]
mod tests {
    use super::leading_zeros;

    #[test]
    fn counts_zero_bits() {
        for (hash, zeros) in [(&[0xff, 0][..], 0), (&[0x01, 0], 7), (&[0, 0x10], 11), (&[0, 0], 16), (&[], 0)]
        {
            assert_eq!(leading_zeros(hash), zeros, "{hash:?}");
        }
    }
}
