//! What may stand in a cell: names are short, and of one line.

/// Most characters of a name, a number or a word.
pub(crate) const LONGEST: usize = 255;

/// Whether it has more than so many characters.
pub(crate) fn is_longer(text: &str, most: usize) -> bool {
    text.len() > most && text.chars().nth(most).is_some()
}

/// Whether it goes over several lines. A name does not: a quote before it is probably not closed.
pub(crate) fn has_line_break(text: &str) -> bool {
    text.contains('\n')
}

/// Whether it has a character that is no text.
pub(crate) fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_characters_and_not_bytes() {
        assert!(!is_longer(&"茶".repeat(LONGEST), LONGEST));
        assert!(is_longer(&"茶".repeat(LONGEST + 1), LONGEST));
        assert!(has_control("a\tb") && !has_control("é 茶"));
    }
}
