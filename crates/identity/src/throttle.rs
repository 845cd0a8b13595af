//! Guessing is slowed down per account, not for everybody and not for good.
//!
//! Guesses from where nobody has signed in before count together for each account; each known device (one that has
//! signed in before) counts for itself. A guesser therefore locks out other guessers, not the owner (OWASP, "Slow Down
//! Online Guessing Attacks with Device Cookies").

use std::time::Duration;

use platform::Secret;
use sha2::{Digest, Sha256};

use crate::{Error, Parts, UserId};

/// Wrong guesses that cost nothing.
const FREE: i32 = 5;
/// The longest wait between two guesses.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// When wrong guesses are forgotten.
pub(crate) const FORGET: time::Duration = time::Duration::hours(24);

/// Where guesses at one account are counted.
#[derive(Clone, Debug)]
pub(crate) struct Counter(Vec<u8>);

impl Counter {
    /// Guesses at `whom` (an address in lower case, or an id) from unknown devices, or from this known one.
    pub(crate) fn new(what: &str, whom: &str, known_device: Option<&Secret>) -> Self {
        let mut hash = Sha256::new();
        for part in [what.as_bytes(), whom.as_bytes(), &known_device.map(Secret::hash).unwrap_or_default()] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().to_vec())
    }
}

/// Counts a guess before it is looked at, so that many at once are counted too.
///
/// # Errors
/// When the next guess is not due yet; then nothing is to be looked at.
pub(crate) async fn count(parts: &Parts, counter: &Counter) -> Result<(), Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let row = sqlx::query!(
        "INSERT INTO identity.failed_logins (key, failures, first_at, last_at) VALUES ($1, 0, $2, $2)
         ON CONFLICT (key) DO UPDATE SET key = EXCLUDED.key RETURNING failures, last_at",
        counter.0,
        now,
    )
    .fetch_one(&mut *tx)
    .await?;
    let forgotten = now - row.last_at > FORGET;
    let failures = if forgotten { 0 } else { row.failures };
    let due = row.last_at + wait(failures);
    if failures > 0 && due > now {
        let seconds = u32::try_from((due - now).whole_seconds()).unwrap_or(u32::MAX).saturating_add(1);
        return Err(Error::TooManyAttempts(seconds));
    }
    sqlx::query!(
        "UPDATE identity.failed_logins SET failures = $2, last_at = $3 WHERE key = $1",
        counter.0,
        failures.saturating_add(1),
        now,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit(now).await?;
    Ok(())
}

/// Forgets the guesses: the last one was right.
pub(crate) async fn clear(parts: &Parts, counter: &Counter) -> Result<(), Error> {
    sqlx::query!("DELETE FROM identity.failed_logins WHERE key = $1", counter.0)
        .execute(parts.database.pool())
        .await?;
    Ok(())
}

/// How long after so many wrong guesses the next one is due: nothing for the first ones, then a second, doubling.
fn wait(failures: i32) -> Duration {
    match u32::try_from(failures - FREE) {
        Ok(beyond) => Duration::from_secs(1_u64.checked_shl(beyond.min(32)).unwrap_or(u64::MAX)).min(LONGEST),
        Err(_) => Duration::ZERO,
    }
}

/// Whether somebody has signed in as this user with this device before.
pub(crate) async fn is_known(parts: &Parts, user: UserId, device: &Secret) -> Result<bool, Error> {
    let known = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM identity.known_devices WHERE token_hash = $1 AND user_id = $2) AS "known!""#,
        device_hash(user, device),
        user.uuid(),
    )
    .fetch_one(parts.database.pool())
    .await?;
    Ok(known)
}

/// One device may be known to several accounts; each keeps a hash of its own.
pub(crate) fn device_hash(user: UserId, device: &Secret) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(user.uuid().as_bytes());
    hash.update(device.hash());
    hash.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        let seconds = |failures| wait(failures).as_secs();
        assert_eq!([0, 4, 5, 6, 9].map(seconds), [0, 0, 1, 2, 16]);
        assert_eq!(seconds(40), 900);
        assert_eq!(seconds(i32::MAX), 900);
    }
}
