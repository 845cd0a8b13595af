//! Slugs: names for addresses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// Lower-case letters and digits in groups joined by single hyphens, at most 120 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$", max_length = 120, example = "teapot-last-ten")]
pub struct Slug(String);

impl Slug {
    const MAX: usize = 120;

    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Makes a slug of any text: Latin letters lose their accents, all else becomes hyphens.
    /// Text with nothing to keep, such as Greek, becomes `item-` and a short hash of it.
    pub fn from_text(text: &str) -> Self {
        let mut slug = String::with_capacity(text.len().min(Self::MAX));
        for c in text.chars().flat_map(char::to_lowercase) {
            let plain = ascii(c);
            if plain.is_empty() {
                if !slug.is_empty() && !slug.ends_with('-') {
                    slug.push('-');
                }
            } else {
                slug.push_str(plain);
            }
        }
        slug.truncate(Self::MAX);
        slug.truncate(slug.trim_end_matches('-').len());
        Self(if slug.is_empty() { format!("item-{}", short_hash(text)) } else { slug })
    }

    /// This slug with `-suffix` behind it, cut so that the whole still fits.
    #[must_use]
    pub fn with_suffix(&self, suffix: &str) -> Self {
        let suffix = Self::from_text(suffix).0;
        let room = Self::MAX.saturating_sub(suffix.len() + 1);
        let stem: String = self.0.chars().take(room).collect();
        Self(format!("{}-{suffix}", stem.trim_end_matches('-')))
    }

    /// This slug with a short hash of `text` behind it: tells apart texts that make the same slug.
    #[must_use]
    pub fn with_hash_of(&self, text: &str) -> Self {
        self.with_suffix(&short_hash(text))
    }
}

/// Eight hexadecimal digits, the same each time for the same text.
fn short_hash(text: &str) -> String {
    Sha256::digest(text).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// The ASCII spelling of a lower-case letter or digit, empty for anything else.
fn ascii(c: char) -> &'static str {
    const PLAIN: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
    if let Some(at) = PLAIN.find(c) {
        return &PLAIN[at..=at];
    }
    match c {
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ą' => "a",
        'ä' | 'æ' => "ae",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' => "e",
        'ğ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'ı' => "i",
        'ł' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ø' | 'ō' | 'ő' => "o",
        'ö' | 'œ' => "oe",
        'ř' => "r",
        'ś' | 'š' | 'ş' => "s",
        'ß' => "ss",
        'ť' | 'ţ' => "t",
        'ù' | 'ú' | 'û' | 'ū' | 'ů' | 'ű' => "u",
        'ü' => "ue",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => "",
    }
}

/// The text is not a slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a slug is made of a-z, 0-9 and single hyphens, at most 120 characters")]
pub struct NotASlug;

impl FromStr for Slug {
    type Err = NotASlug;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let group = |group: &str| {
            !group.is_empty() && group.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if text.len() <= Self::MAX && text.split('-').all(group) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotASlug)
        }
    }
}
impl TryFrom<String> for Slug {
    type Error = NotASlug;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}
impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_slugs_of_any_text() {
        assert_eq!(
            Slug::from_text("  WHITE Hanging Heart T-Light!  ").as_str(),
            "white-hanging-heart-t-light"
        );
        assert_eq!(Slug::from_text("Käse & Crème brûlée").as_str(), "kaese-creme-brulee");
        let long = Slug::from_text(&"ab ".repeat(90));
        assert!(long.as_str().parse::<Slug>().is_ok());
        assert!(long.with_suffix("85123A").as_str().ends_with("-85123a"));
        assert!(long.with_suffix("85123A").as_str().parse::<Slug>().is_ok());
    }

    #[test]
    fn tells_texts_apart_of_which_nothing_is_kept() {
        let [tea, water] = ["茶", "水"].map(Slug::from_text);
        assert_ne!(tea, water);
        assert_eq!(tea.as_str(), "item-7e005ba3");
        assert!(tea.as_str().parse::<Slug>().is_ok());
        let [c, cpp] = ["C", "C++"].map(Slug::from_text);
        assert_eq!(c, cpp);
        assert_ne!(c.with_hash_of("C"), c.with_hash_of("C++"));
        assert!(c.with_hash_of("C").as_str().parse::<Slug>().is_ok());
    }
}
