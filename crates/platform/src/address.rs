//! Postal addresses.

use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where something is sent, or who is billed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Of the person.
    #[garde(length(chars, min = 1, max = 200), custom(one_line))]
    #[schema(example = "Ada Lovelace")]
    pub name: String,
    /// Of the firm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 200), inner(custom(one_line)))]
    pub company: Option<String>,
    /// Street and number.
    #[garde(length(chars, min = 1, max = 200), custom(one_line))]
    #[schema(example = "12 St James's Square")]
    pub line1: String,
    /// Flat, floor, building.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 200), inner(custom(one_line)))]
    pub line2: Option<String>,
    /// City or town.
    #[garde(length(chars, min = 1, max = 200), custom(one_line))]
    #[schema(example = "London")]
    pub city: String,
    /// State, county or province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 200), inner(custom(one_line)))]
    pub region: Option<String>,
    /// Postal code, where the country has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 20), inner(custom(one_line)))]
    #[schema(example = "SW1Y 4JH")]
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2 code.
    #[garde(custom(country_code))]
    #[schema(example = "GB")]
    pub country: String,
    /// For the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 40), inner(custom(one_line)))]
    pub phone: Option<String>,
}

/// Refuses control characters, for which a label has no place (and PostgreSQL's `jsonb` none for NUL), and
/// blanks.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that garde calls")]
fn one_line(text: &str, (): &()) -> garde::Result {
    if text.chars().any(char::is_control) {
        Err(garde::Error::new("no line breaks or other control characters"))
    } else if !text.is_empty() && text.trim().is_empty() {
        Err(garde::Error::new("more than spaces"))
    } else {
        Ok(())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that garde calls")]
fn country_code(code: &str, (): &()) -> garde::Result {
    if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(())
    } else {
        Err(garde::Error::new("a country is its ISO 3166-1 code of two capital letters, such as GB"))
    }
}
