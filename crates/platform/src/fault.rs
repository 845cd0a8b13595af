//! Fault points: places at which tests let the power fail.
//!
//! Compiled in by the feature `faults` alone, which only the tests' own crate turns on: in a program that is built to be
//! used, [`point`] is nothing. `POWER_FAILS_AT=orders.place.after_commit` ends the process when that point is reached, at
//! once and without any clean-up, as a power cut would; `POWER_FAILS_AT=orders.place.after_commit:3` at the third time.
//! It is no setting of Souk, which is why it is not called like one.

/// The process dies here, if a test wants it to.
#[cfg(not(feature = "faults"))]
#[inline]
pub const fn point(_name: &'static str) {}

/// The process dies here, if a test wants it to.
#[cfg(feature = "faults")]
pub fn point(name: &'static str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    #[expect(clippy::disallowed_methods, reason = "no setting: it is there in tests alone")]
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("POWER_FAILS_AT").ok()?;
        let (name, time) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), time.parse().unwrap_or(1)))
    });
    if let Some((wanted, time)) = wanted
        && wanted == name
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *time
    {
        tracing::error!(point = name, "the power fails here, as a test wanted");
        std::process::abort();
    }
}
