//! What a node remembers of the tags that were touched.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::Tag;

/// How many tags a generation holds; both together take 5 MB at most. A tag that is touched again and again takes one
/// place, so this is about how many *different* things change, not how often.
pub(super) const GENERATION: usize = 100_000;

/// When each tag was last touched, by the number of the touch. Kept in two generations: once the younger one is full
/// it takes the place of the older one, and what only that one knew is forgotten.
#[derive(Default)]
pub(super) struct Memory {
    young: Touches,
    old: Touches,
    /// The number of the last touch before the younger generation began.
    young_since: u64,
    /// Touches up to this number may be forgotten: whoever asks about a moment before it is told "touched".
    floor: u64,
}

impl Memory {
    /// Notes touch number `now`.
    pub(super) fn touch(&mut self, tag: Tag, now: u64) {
        if self.young.len() >= GENERATION && !self.young.contains_key(&tag) {
            self.old = std::mem::take(&mut self.young);
            self.floor = self.young_since;
            self.young_since = now - 1;
        }
        self.young.insert(tag, now);
    }

    /// Forgets everything up to and with touch number `now`.
    pub(super) fn forget(&mut self, now: u64) {
        *self = Self { floor: now, young_since: now, ..Self::default() };
    }

    /// Whether one of these tags was touched after touch number `since`, or may have been.
    pub(super) fn touched_since(&self, since: u64, tags: &[Tag]) -> bool {
        let is_later = |touches: &Touches, tag: &Tag| touches.get(tag).is_some_and(|touch| *touch > since);
        since < self.floor || tags.iter().any(|tag| is_later(&self.young, tag) || is_later(&self.old, tag))
    }
}

type Touches = HashMap<Tag, u64, BuildHasherDefault<Spread>>;

/// Tags are hashes or random already; what is left to do is to spread their bits over the whole word.
#[derive(Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // The golden ratio in 64 bits (Knuth, The Art of Computer Programming, 6.4).
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Tag = Tag::topic("price");
    const STOCK: Tag = Tag::topic("stock");

    fn numbered(number: usize) -> Tag {
        Tag::topic(&format!("thing {number}"))
    }

    #[test]
    fn a_busy_tag_does_not_push_out_the_others() {
        let mut memory = Memory::default();
        memory.touch(PRICE, 1);
        for now in 2..=1_000_000 {
            memory.touch(STOCK, now);
        }
        assert!(memory.touched_since(0, &[PRICE]));
        assert!(!memory.touched_since(1, &[PRICE]));
        assert!(memory.touched_since(999_999, &[STOCK]));
        assert!(!memory.touched_since(1_000_000, &[STOCK]));
    }

    #[test]
    fn two_generations_are_remembered_and_what_is_older_counts_as_touched() {
        let mut memory = Memory::default();
        let mut now = 0;
        for number in 0..GENERATION * 5 / 2 {
            now += 1;
            memory.touch(numbered(number), now);
            assert!(memory.young.len() <= GENERATION && memory.old.len() <= GENERATION);
        }
        // The first generation is forgotten, the second is not.
        let (second, first) = (GENERATION as u64 + 1, GENERATION as u64 - 1);
        assert!(memory.touched_since(first, &[PRICE]), "who knows");
        assert!(!memory.touched_since(second, &[PRICE]));
        assert!(!memory.touched_since(second, &[numbered(GENERATION)]), "that was touch number {second}");
        assert!(memory.touched_since(second, &[numbered(GENERATION + 1)]));
        assert!(memory.touched_since(second, &[PRICE, numbered(GENERATION * 2)]));
    }

    #[test]
    fn what_was_forgotten_counts_as_touched() {
        let mut memory = Memory::default();
        memory.touch(PRICE, 1);
        memory.forget(2);
        assert!(memory.touched_since(1, &[STOCK]));
        assert!(!memory.touched_since(2, &[PRICE]));
        memory.touch(PRICE, 3);
        assert!(memory.touched_since(2, &[PRICE]));
        assert!(!memory.touched_since(2, &[STOCK]));
    }
}
