//! Encryption of small secrets at rest, such as signing keys and TOTP seeds: whoever has a copy of the database but
//! not the marketplace's key can not use them.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;

use crate::Sources;

const NONCE_BYTES: usize = 12;

/// The marketplace's key.
#[derive(Clone)]
pub struct Vault(std::sync::Arc<LessSafeKey>, hmac::Key);

/// What was sealed does not open: it was changed, or sealed with another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored secret does not open: it was sealed with another secret_key")]
pub struct Sealed;

impl Vault {
    /// Bytes of a key.
    pub const KEY_BYTES: usize = 32;

    /// A vault with this key.
    ///
    /// # Panics
    /// Never: 32 bytes are a key of AES-256.
    pub fn new(key: &[u8; Self::KEY_BYTES]) -> Self {
        let derive = hmac::Key::new(hmac::HMAC_SHA256, key);
        let key = UnboundKey::new(&AES_256_GCM, key).expect("32 bytes are a key of AES-256");
        Self(std::sync::Arc::new(LessSafeKey::new(key)), derive)
    }

    /// A secret for this purpose, the same on all nodes with this key (HMAC-SHA-256 as a pseudorandom function).
    ///
    /// # Panics
    /// Never: SHA-256 gives 32 bytes.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let tag = hmac::sign(&self.1, purpose.as_bytes());
        tag.as_ref().try_into().expect("SHA-256 gives 32 bytes")
    }

    /// Encrypts with AES-256-GCM (NIST SP 800-38D) under a random nonce, which stands before the text. `purpose` is
    /// bound to it: what was sealed for one thing does not open as another.
    ///
    /// # Panics
    /// Never: the texts are far below the cipher's limit.
    pub fn seal(&self, sources: &Sources, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let nonce = sources.random::<NONCE_BYTES>();
        let mut sealed = plain.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.as_bytes()),
                &mut sealed,
            )
            .expect("small texts can be sealed");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Decrypts what was sealed for `purpose`.
    ///
    /// # Errors
    /// When it was changed, or sealed with another key or for another purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, Sealed> {
        let (nonce, text) = sealed.split_at_checked(NONCE_BYTES).ok_or(Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Sealed)?;
        let mut text = text.to_vec();
        let plain =
            self.0.open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut text).map_err(|_| Sealed)?;
        Ok(plain.to_vec())
    }
}

/// The key stays out of logs.
impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derives_a_secret_for_each_purpose() {
        let vault = Vault::new(&[7; 32]);
        assert_eq!(vault.derive("a"), Vault::new(&[7; 32]).derive("a"));
        assert_ne!(vault.derive("a"), vault.derive("b"));
        assert_ne!(vault.derive("a"), Vault::new(&[8; 32]).derive("a"));
    }

    #[test]
    fn opens_what_it_sealed_and_nothing_else() {
        let (sources, vault) = (Sources::system(), Vault::new(&[7; 32]));
        let sealed = vault.seal(&sources, "totp", b"seed");
        assert_ne!(sealed, vault.seal(&sources, "totp", b"seed"));
        assert_eq!(vault.open("totp", &sealed), Ok(b"seed".to_vec()));
        assert_eq!(vault.open("signing_key", &sealed), Err(Sealed));
        assert_eq!(Vault::new(&[8; 32]).open("totp", &sealed), Err(Sealed));
        let mut changed = sealed.clone();
        changed[14] ^= 1;
        assert_eq!(vault.open("totp", &changed), Err(Sealed));
        assert_eq!(vault.open("totp", &[]), Err(Sealed));
    }
}
