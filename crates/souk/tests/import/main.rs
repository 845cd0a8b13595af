//! Moving in, end to end: the real program, real files, a database of its own.
#![expect(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod histories;
mod place;
mod products;
