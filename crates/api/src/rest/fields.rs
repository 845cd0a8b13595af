//! What fields of bodies may hold. Whatever passes here PostgreSQL can keep and a page can show.

use platform::Money;
use url::Url;

/// Dearest thing, in minor units: so many of them still fit into an order's total.
const DEAREST: i64 = 1_000_000_000_000;
/// Longest address of a picture.
const LONGEST_URL: usize = 2_000;

/// A name or a word: one line, and not blank.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that garde calls")]
pub(crate) fn one_line(text: &str, (): &()) -> garde::Result {
    if text.chars().any(char::is_control) {
        Err(garde::Error::new("no line breaks or other control characters"))
    } else if text.trim().is_empty() {
        Err(garde::Error::new("more than spaces"))
    } else {
        Ok(())
    }
}

/// A country, as addresses name it: ISO 3166-1 alpha-2.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that garde calls")]
pub(crate) fn country_code(code: &str, (): &()) -> garde::Result {
    if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(())
    } else {
        Err(garde::Error::new("two capital letters, such as GB"))
    }
}

/// A text of several lines.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that garde calls")]
pub(crate) fn prose(text: &str, (): &()) -> garde::Result {
    let is_odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().any(is_odd) {
        Err(garde::Error::new("no control characters but tabs and line breaks"))
    } else {
        Ok(())
    }
}

/// The address of a picture: on the web, or a path below Souk's own.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that garde calls")]
pub(crate) fn picture(url: &str, context: &()) -> garde::Result {
    one_line(url, context)?;
    let below_us = url.starts_with('/') && !url.starts_with("//") && !url.contains('\\');
    let on_the_web = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if url.len() <= LONGEST_URL && (below_us || on_the_web) {
        Ok(())
    } else {
        Err(garde::Error::new("an http or https address, or a path that begins with /"))
    }
}

/// What something costs.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that garde calls")]
pub(crate) fn amount(money: &Money, (): &()) -> garde::Result {
    if (0..=DEAREST).contains(&money.amount) {
        Ok(())
    } else {
        Err(garde::Error::new(format!("an amount is from 0 to {DEAREST}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_on_the_web_or_ours() {
        for fine in ["https://cdn.example/a.jpg", "http://a/b?c", "/media/demo/teapot.svg"] {
            assert!(picture(fine, &()).is_ok(), "{fine}");
        }
        for bad in [
            "javascript:alert(1)",
            "data:image/png;base64,AA",
            "//evil.example/a",
            "/\\evil",
            "a.jpg",
            "",
            " ",
        ] {
            assert!(picture(bad, &()).is_err(), "{bad}");
        }
    }
}
