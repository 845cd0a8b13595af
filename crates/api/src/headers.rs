//! Headers that tell browsers what an answer may do.

use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue};

/// For what is no page: shown on its own it may load nothing, and nobody may frame it.
const NO_PAGE_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
/// Two years, as the lists of browsers demand (RFC 6797).
const STRICT_TRANSPORT: &str = "max-age=63072000; includeSubDomains";
/// What no page of ours has use for.
const PERMISSIONS: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
     magnetometer=(), microphone=(), midi=(), payment=(), usb=()";

/// Adds them to an answer. What it says for itself, as a page does of its scripts, stays.
pub(crate) fn secure(headers: &mut HeaderMap, path: &str, by_tls: bool) {
    // Merchants show their pictures elsewhere, too.
    let readers = if path.starts_with("/media/") { "cross-origin" } else { "same-origin" };
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
        (header::CONTENT_SECURITY_POLICY, NO_PAGE_POLICY),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), readers),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if by_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT_TRANSPORT));
    }
}
