//! Titles in nice case: till descriptions are all capitals.

/// Words that stay small within a title.
const SMALL: [&str; 17] = [
    "a", "an", "and", "as", "at", "by", "for", "from", "in", "of", "on", "or", "per", "the", "to", "with",
    "w",
];
/// Words that stay capitals.
const CAPITALS: [&str; 12] = ["BBQ", "CD", "DIY", "DVD", "II", "IV", "LED", "PVC", "TV", "UK", "USA", "VIP"];

/// `WHITE HANGING HEART T-LIGHT HOLDER` is "White Hanging Heart T-Light Holder". Text that is not all in
/// capitals was written with care and stays; spaces are made single.
pub(crate) fn nice(text: &str) -> String {
    let words = text.split_whitespace();
    if text.chars().any(char::is_lowercase) {
        return words.collect::<Vec<_>>().join(" ");
    }
    let mut title = String::with_capacity(text.len());
    for (at, word) in words.enumerate() {
        if at > 0 {
            title.push(' ');
        }
        push_word(&mut title, word, at == 0);
    }
    title
}

/// Adds a word; its parts, such as in `T-LIGHT` or `RED/WHITE`, are words too.
fn push_word(title: &mut String, word: &str, first: bool) {
    let small = word.to_lowercase();
    if !first && SMALL.contains(&small.as_str()) {
        title.push_str(&small);
        return;
    }
    for part in word.split_inclusive(|c: char| !c.is_alphanumeric() && c != '\'') {
        let letters = part.trim_end_matches(|c: char| !c.is_alphanumeric());
        if CAPITALS.contains(&letters) {
            title.push_str(part);
            continue;
        }
        // After a digit or an apostrophe within a word no capital follows: 12cm, 50's, children's.
        let mut within = false;
        for c in part.chars() {
            if within {
                title.extend(c.to_lowercase());
            } else {
                title.push(c);
            }
            within = within || c.is_alphanumeric();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::nice;

    #[test]
    fn makes_titles_nice() {
        for (raw, title) in [
            ("WHITE HANGING HEART T-LIGHT HOLDER", "White Hanging Heart T-Light Holder"),
            (" SET 7 BABUSHKA  NESTING BOXES ", "Set 7 Babushka Nesting Boxes"),
            ("HAND WARMER UNION JACK", "Hand Warmer Union Jack"),
            ("THE BOX OF 6 MINI 50'S CRACKERS", "The Box of 6 Mini 50's Crackers"),
            ("CHILDREN'S APRON 12CM", "Children's Apron 12cm"),
            ("RED/WHITE DOTS (SET OF 3)", "Red/White Dots (Set of 3)"),
            ("SIGN 'LOVE' LED TV/DVD", "Sign 'Love' LED TV/DVD"),
            ("Dotcomgiftshop Gift Voucher £40.00", "Dotcomgiftshop Gift Voucher £40.00"),
            ("3D DOG PICTURE PLAYING CARDS", "3d Dog Picture Playing Cards"),
            ("", ""),
        ] {
            assert_eq!(nice(raw), title);
        }
    }
}
