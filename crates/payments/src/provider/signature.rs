//! Signatures of notices, as Stripe makes them (<https://docs.stripe.com/webhooks#verify-manually>) and the sandbox too:
//! `t=1732190400,v1=<hex>`, where the second is the HMAC-SHA-256 of `{t}.{raw body}`.

use aws_lc_rs::hmac;
use time::{Duration, OffsetDateTime};

use crate::Error;

/// How far the time of a signature may be from now, either way.
pub(crate) const TOLERANCE: Duration = Duration::minutes(5);

/// The signature of a body with this secret.
pub(crate) fn sign(secret: &[u8], body: &[u8], at: OffsetDateTime) -> String {
    let time = at.unix_timestamp();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), &signed(time, body));
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={hex}")
}

/// Checks that one of the secrets made one of the signatures in the header, within [`TOLERANCE`] of now. Several secrets
/// are active while one takes over from the other; comparison takes the same time whatever differs.
///
/// # Errors
/// [`Error::BadSignature`].
pub(crate) fn check<S: AsRef<[u8]>>(
    secrets: &[S],
    header: &str,
    body: &[u8],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let mut time = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", value)) => time = value.parse::<i64>().ok(),
            Some(("v1", value)) => signatures.extend(bytes(value)),
            _ => {}
        }
    }
    let time = time.ok_or(Error::BadSignature)?;
    if (now.unix_timestamp() - time).abs() > TOLERANCE.whole_seconds() {
        return Err(Error::BadSignature);
    }
    let message = signed(time, body);
    let made = secrets.iter().any(|secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref());
        signatures.iter().any(|signature| hmac::verify(&key, &message, signature).is_ok())
    });
    if made { Ok(()) } else { Err(Error::BadSignature) }
}

fn signed(time: i64, body: &[u8]) -> Vec<u8> {
    [time.to_string().as_bytes(), b".", body].concat()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;

    #[test]
    fn takes_what_one_of_the_secrets_signed_in_time() {
        let header = sign(b"new", BODY, NOW);
        assert!(check(&["old", "new"], &header, BODY, NOW).is_ok());
        assert!(check(&["new"], &format!("{header},v1=00ff,v0=aa"), BODY, NOW + TOLERANCE).is_ok());
        for (secret, body, now) in [
            ("old", BODY, NOW),
            ("new", b"{}".as_slice(), NOW),
            ("new", BODY, NOW + TOLERANCE + Duration::SECOND),
            ("new", BODY, NOW - TOLERANCE - Duration::SECOND),
        ] {
            assert!(matches!(check(&[secret], &header, body, now), Err(Error::BadSignature)));
        }
    }

    #[test]
    fn refuses_headers_that_are_none() {
        for header in ["", "t=", "v1=00", "t=1,v1", "t=x,v1=00", "t=1732190400,v1=zz", "t=1732190400,v1=é0"]
        {
            assert!(matches!(check(&["new"], header, BODY, NOW), Err(Error::BadSignature)), "{header}");
        }
    }
}
