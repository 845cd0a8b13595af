//! Passwords: hashed with Argon2id, refused when they are easy to guess.

use std::sync::{Arc, OnceLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use platform::{Secret, Sources};
use tokio::sync::Semaphore;

use crate::Error;

/// Memory in KiB, passes and lanes (OWASP Password Storage Cheat Sheet: 19 MiB, 2, 1).
const PARAMS: (u32, u32, u32) = (19 * 1024, 2, 1);
/// Fewest characters (NIST SP 800-63B, 5.1.1.2).
const SHORTEST: usize = 8;
/// Most characters.
const LONGEST: usize = 128;
/// What zxcvbn has to give at least: 3 stands for 10^8 guesses and more.
const LEAST_SCORE: zxcvbn::Score = zxcvbn::Score::Three;

/// Hashes passwords and compares them, no more at a time than there are processors: each takes 19 MiB.
pub(crate) struct Passwords {
    sources: Sources,
    turn: Arc<Semaphore>,
    decoy: OnceLock<String>,
}

impl Passwords {
    pub(crate) fn new(sources: Sources) -> Self {
        let turns = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { sources, turn: Arc::new(Semaphore::new(turns)), decoy: OnceLock::new() }
    }

    /// The hash to be kept, as a PHC string.
    pub(crate) async fn hash(&self, password: &Secret) -> String {
        let (password, salt) = (password.clone(), self.sources.random::<16>());
        self.work(move || hash(&password, &salt)).await
    }

    /// Whether it is the password; if so, a new hash when the old one was made with other parameters. Takes as long
    /// when there is none to compare with.
    pub(crate) async fn matches(&self, password: &Secret, kept: Option<&str>) -> Option<Matched> {
        let known = kept.is_some();
        let kept = kept.map_or_else(|| self.decoy().to_owned(), str::to_owned);
        let (password, salt) = (password.clone(), self.sources.random::<16>());
        self.work(move || {
            let parsed = PasswordHash::new(&kept).ok()?;
            let right = argon2().verify_password(password.expose().as_bytes(), &parsed).is_ok();
            (right && known)
                .then(|| Matched { rehashed: is_outdated(&parsed).then(|| hash(&password, &salt)) })
        })
        .await
    }

    fn decoy(&self) -> &str {
        self.decoy.get_or_init(|| hash(&self.sources.secret(), &self.sources.random::<16>()))
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let _turn = self.turn.acquire().await.expect("the semaphore is never closed");
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(broken) => std::panic::resume_unwind(broken.into_panic()),
        }
    }
}

/// The password was right.
pub(crate) struct Matched {
    /// To be kept instead of the old hash.
    pub(crate) rehashed: Option<String>,
}

fn argon2() -> Argon2<'static> {
    let (memory, passes, lanes) = PARAMS;
    let params = Params::new(memory, passes, lanes, None).expect("the parameters are within Argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &Secret, salt: &[u8]) -> String {
    let hashed = argon2().hash_password_with_salt(password.expose().as_bytes(), salt);
    hashed.expect("a salt of 16 bytes is a salt").to_string()
}

fn is_outdated(kept: &PasswordHash) -> bool {
    let (memory, passes, lanes) = PARAMS;
    let same = |name: &str, value: u32| kept.params.get_decimal(name) == Some(value);
    kept.algorithm.as_str() != "argon2id" || !(same("m", memory) && same("t", passes) && same("p", lanes))
}

/// Refuses a password that is too short, too long, known from breaches, or easy to guess for somebody who knows
/// `about` (their name and address).
pub(crate) fn check(password: &Secret, about: &[&str]) -> Result<(), Error> {
    let length = password.expose().chars().count();
    if length < SHORTEST {
        return Err(Error::WeakPassword(format!("it has {length} characters and needs {SHORTEST}")));
    }
    if length > LONGEST {
        return Err(Error::invalid(
            "password",
            "too_long",
            format!("a password has at most {LONGEST} characters"),
        ));
    }
    let known = words(about);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let judged = zxcvbn::zxcvbn(password.expose(), &known);
    if judged.score() >= LEAST_SCORE {
        return Ok(());
    }
    let why =
        judged.feedback().and_then(zxcvbn::feedback::Feedback::warning).map(|warning| warning.to_string());
    Err(Error::WeakPassword(
        why.unwrap_or_else(|| "add another word or two, uncommon ones are better".to_owned()),
    ))
}

/// What a guesser makes of these texts: each word of them, and their words written together.
fn words(about: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for text in about {
        let text = text.to_lowercase();
        // The domain is no secret either, but most of it is shared by many.
        let own = text.split('@').next().unwrap_or_default();
        found.extend(own.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
        found.push(own.chars().filter(|c| c.is_alphanumeric()).collect());
        found.push(text.clone());
    }
    found.retain(|word| word.chars().count() > 1);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is hashed with it is compared here and nowhere else.
    struct Fixed;

    impl platform::Clock for Fixed {
        fn now(&self) -> time::OffsetDateTime {
            time::macros::datetime!(2026-06-01 12:00 UTC)
        }
    }

    impl platform::Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    fn passwords() -> Passwords {
        Passwords::new(Sources::new(Arc::new(Fixed), Arc::new(Fixed)))
    }

    fn secret(text: &str) -> Secret {
        Secret::presented(text)
    }

    #[tokio::test]
    async fn tells_the_right_password() {
        let passwords = passwords();
        let kept = passwords.hash(&secret("correct horse battery")).await;
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        let matched = passwords.matches(&secret("correct horse battery"), Some(&kept)).await;
        assert!(matched.is_some_and(|matched| matched.rehashed.is_none()));
        assert!(passwords.matches(&secret("incorrect horse"), Some(&kept)).await.is_none());
        assert!(passwords.matches(&secret("correct horse battery"), None).await.is_none());
    }

    /// A hash that was made with less is made anew when its owner comes by.
    #[tokio::test]
    async fn old_hashes_are_made_anew() {
        let params = Params::new(8 * 1024, 1, 1, None).unwrap();
        let old = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_with_salt(b"correct horse battery", b"0123456789abcdef")
            .unwrap()
            .to_string();
        let passwords = passwords();
        let matched = passwords.matches(&secret("correct horse battery"), Some(&old)).await.unwrap();
        let new = matched.rehashed.unwrap();
        assert!(new.contains("m=19456,t=2,p=1"), "{new}");
        assert!(passwords.matches(&secret("correct horse battery"), Some(&new)).await.is_some());
    }

    #[test]
    fn refuses_what_is_easy_to_guess() {
        let about = ["Ada Lovelace", "ada.lovelace@example.com"];
        for weak in ["short", "password1", "12345678", "qwertyuiop", "iloveyou2", "adalovelace1"] {
            assert!(matches!(check(&secret(weak), &about), Err(Error::WeakPassword(_))), "{weak}");
        }
        assert!(check(&secret("correct horse battery"), &about).is_ok());
        assert!(matches!(check(&secret(&"ä".repeat(129)), &about), Err(Error::Invalid { .. })));
    }
}
