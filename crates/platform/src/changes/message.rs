//! What nodes tell each other: payloads of NOTIFY.
//!
//! A payload is words between spaces: the node, `e` if events stand in the outbox (else `-`), then a tag in hexadecimal
//! for each that was touched and one behind `!` for each that was announced. `*` and `!*` stand for all tags. A node
//! that does not understand a word takes everything as touched.

use super::Tag;

/// PostgreSQL refuses payloads of 8,000 bytes and more.
const LONGEST_PAYLOAD: usize = 7_900;
/// Of more tags than these, it is told that all may have changed.
const MOST_TAGS: usize = 2_000;

/// What one payload tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Whether events may stand in the outbox.
    pub(super) events: bool,
    /// What was touched; `None` is everything.
    pub(super) touched: Option<Vec<Tag>>,
    /// What was announced; `None` is everything.
    pub(super) announced: Option<Vec<Tag>>,
}

/// The payloads that tell of one transaction.
pub(super) fn payloads(node: u64, touched: &[Tag], announced: &[Tag], events: bool) -> Vec<String> {
    let head = format!("{node:x} {}", if events { "e" } else { "-" });
    let mut payloads = vec![head.clone()];
    for word in words(touched, "").into_iter().chain(words(announced, "!")) {
        if payloads.last().is_none_or(|last| last.len() + 1 + word.len() > LONGEST_PAYLOAD) {
            payloads.push(head.clone());
        }
        if let Some(last) = payloads.last_mut() {
            last.push(' ');
            last.push_str(&word);
        }
    }
    payloads
}

/// Each tag once, or the star if there are too many.
fn words(tags: &[Tag], mark: &str) -> Vec<String> {
    let mut tags = tags.to_vec();
    tags.sort_unstable();
    tags.dedup();
    if tags.len() > MOST_TAGS {
        return vec![format!("{mark}*")];
    }
    tags.iter().map(|tag| format!("{mark}{:x}", tag.0)).collect()
}

/// Reads a payload; nothing if it is of `node` itself.
pub(super) fn read(payload: &str, node: u64) -> Option<Message> {
    let mut words = payload.split(' ');
    if words.next().and_then(|word| u64::from_str_radix(word, 16).ok()) == Some(node) {
        return None;
    }
    let events = words.next() == Some("e");
    let (mut touched, mut announced) = (Some(Vec::new()), Some(Vec::new()));
    for word in words {
        let (list, tag) = match word.strip_prefix('!') {
            Some(tag) => (&mut announced, tag),
            None => (&mut touched, word),
        };
        match u64::from_str_radix(tag, 16) {
            Ok(tag) => list.iter_mut().for_each(|list| list.push(Tag(tag))),
            Err(_) => *list = None,
        }
    }
    Some(Message { events, touched, announced })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(numbers: std::ops::Range<u64>) -> Vec<Tag> {
        numbers.map(|number| Tag(u64::MAX - number)).collect()
    }

    /// What another node understands of these payloads, taken together.
    fn understood(payloads: &[String]) -> Message {
        let mut all = Message { events: false, touched: Some(Vec::new()), announced: Some(Vec::new()) };
        let join = |all: &mut Option<Vec<Tag>>, more: Option<Vec<Tag>>| match (all.as_mut(), more) {
            (Some(list), Some(more)) => list.extend(more),
            _ => *all = None,
        };
        for payload in payloads {
            assert!(payload.len() <= LONGEST_PAYLOAD, "{} bytes", payload.len());
            assert_eq!(read(payload, 7), None, "its own words are no news");
            let message = read(payload, 8).unwrap();
            all.events |= message.events;
            join(&mut all.touched, message.touched);
            join(&mut all.announced, message.announced);
        }
        for list in [&mut all.touched, &mut all.announced].into_iter().flatten() {
            list.sort_unstable_by(|a, b| b.cmp(a));
        }
        all
    }

    #[test]
    fn a_large_transaction_is_told_in_parts() {
        for (touched, announced) in [(0, 0), (1, 0), (0, 1), (2_000, 0), (0, 2_000), (2_000, 2_000)] {
            let (touched, announced) = (tags(0..touched), tags(10_000..10_000 + announced));
            let payloads = payloads(7, &touched, &announced, true);
            let wanted = Message { events: true, touched: Some(touched), announced: Some(announced) };
            assert_eq!(understood(&payloads), wanted);
        }
        assert_eq!(payloads(7, &tags(0..2_000), &tags(0..2_000), false).len(), 9);
    }

    #[test]
    fn a_tag_is_told_once_and_too_many_as_all() {
        assert_eq!(payloads(7, &[Tag(10), Tag(10)], &[Tag(11), Tag(11)], false), ["7 - a !b"]);
        let all = payloads(7, &tags(0..2_001), &[Tag(11)], false);
        assert_eq!(all, ["7 - * !b"]);
        assert_eq!(read(&all[0], 8).unwrap().touched, None);
        assert_eq!(payloads(7, &[Tag(10)], &tags(0..2_001), false), ["7 - a !*"]);
    }

    #[test]
    fn what_is_not_understood_may_be_anything() {
        let message = read("8 - a later-word b", 7).unwrap();
        assert_eq!((message.touched, message.announced), (None, Some(Vec::new())));
        assert_eq!(read("8 e a !later b", 7).unwrap().announced, None);
    }
}
