//! Signing what a client keeps for us: HMAC-SHA-256 (RFC 2104), as base64url without padding (RFC 4648, 5).

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes of a signature: those of a SHA-256.
const TAG: usize = 32;

/// Signs, and knows what it signed.
pub(crate) struct Seal(hmac::Key);

impl Seal {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The payload and its signature as text. What was signed for one purpose does not open for another.
    pub(crate) fn sign(&self, purpose: u8, payload: &[u8]) -> String {
        let tag = hmac::sign(&self.0, &[&[purpose], payload].concat());
        URL_SAFE_NO_PAD.encode([payload, tag.as_ref()].concat())
    }

    /// The payload of `N` bytes, if it was signed here for this purpose and is as it was.
    pub(crate) fn open<const N: usize>(&self, purpose: u8, text: &str) -> Option<[u8; N]> {
        // Longer texts are none; they are not even decoded.
        if text.len() > (N + TAG) * 4 / 3 + 4 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (payload, tag) = bytes.split_at_checked(N)?;
        hmac::verify(&self.0, &[&[purpose], payload].concat(), tag).ok()?;
        payload.try_into().ok()
    }
}

/// Reads fields of fixed length from the front.
pub(crate) fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (field, rest) = bytes.split_first_chunk().expect("the payload has the length of its fields");
    *bytes = rest;
    *field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_it_signed_and_nothing_else() {
        let seal = Seal::new(&[7; 32]);
        let text = seal.sign(1, b"four");
        assert_eq!(seal.open::<4>(1, &text), Some(*b"four"));
        assert_eq!(seal.open::<4>(2, &text), None, "another purpose");
        assert_eq!(seal.open::<5>(1, &text), None, "another length");
        assert_eq!(Seal::new(&[8; 32]).open::<4>(1, &text), None, "another key");
        for at in 0..text.len() {
            let mut altered = text.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(seal.open::<4>(1, &String::from_utf8(altered).unwrap()), None, "altered at {at}");
        }
        for none in ["", "AAAA", "not base64!", &"A".repeat(100_000)] {
            assert_eq!(seal.open::<4>(1, none), None, "{}", none.len());
        }
    }
}
