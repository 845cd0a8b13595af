//! How long things took: percentiles, and the middle of repeated runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Durations in microseconds, one for each request.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    /// Takes one in; what is longer than an hour counts as an hour or so.
    pub(crate) fn record(&mut self, duration: Duration) {
        self.0.push(u32::try_from(duration.as_micros()).unwrap_or(u32::MAX));
    }

    /// Takes in all of another.
    pub(crate) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// What they come to.
    pub(crate) fn summary(mut self) -> Summary {
        self.0.sort_unstable();
        Summary {
            count: self.0.len(),
            p50: percentile(&self.0, 50),
            p95: percentile(&self.0, 95),
            p99: percentile(&self.0, 99),
            longest: percentile(&self.0, 100),
        }
    }
}

/// Percentiles, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// How many there were.
    pub(crate) count: usize,
    /// Half were faster.
    pub(crate) p50: f64,
    /// 19 of 20 were faster.
    pub(crate) p95: f64,
    /// 99 of 100 were faster.
    pub(crate) p99: f64,
    /// The slowest.
    pub(crate) longest: f64,
}

/// The least value that `percent` of all are not above (the nearest rank), in milliseconds; 0 of none.
fn percentile(sorted: &[u32], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(0.0, |micros| f64::from(*micros) / 1_000.0)
}

/// Of repeated runs the one in the middle by `rate`; of an even number the slower of the two there.
pub(crate) fn middle<T>(mut runs: Vec<T>, rate: impl Fn(&T) -> f64) -> Option<T> {
    runs.sort_by(|one, other| rate(one).total_cmp(&rate(other)));
    let middle = runs.len().checked_sub(1)? / 2;
    Some(runs.swap_remove(middle))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: impl IntoIterator<Item = u64>) -> Summary {
        let mut latencies = Latencies::default();
        micros.into_iter().for_each(|micros| latencies.record(Duration::from_micros(micros)));
        latencies.summary()
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred = of((1..=100).rev().map(|n| n * 1_000));
        assert_eq!(hundred, Summary { count: 100, p50: 50.0, p95: 95.0, p99: 99.0, longest: 100.0 });
        let one = of([2_500]);
        assert_eq!(one, Summary { count: 1, p50: 2.5, p95: 2.5, p99: 2.5, longest: 2.5 });
        let three = of([1_000, 2_000, 9_000]);
        assert_eq!((three.p50, three.p95), (2.0, 9.0));
        assert_eq!(of([]), Summary::default());
    }

    #[test]
    fn what_is_too_long_to_count_counts_as_the_longest() {
        assert_eq!(of([u64::MAX]).longest, f64::from(u32::MAX) / 1_000.0);
    }

    #[test]
    fn merging_forgets_none() {
        let (mut one, mut other) = (Latencies::default(), Latencies::default());
        one.record(Duration::from_millis(1));
        other.record(Duration::from_millis(3));
        one.merge(other);
        let summary = one.summary();
        assert_eq!((summary.count, summary.p50, summary.longest), (2, 1.0, 3.0));
    }

    #[test]
    fn the_middle_run_is_one_that_was() {
        let middle = |rates: &[f64]| middle(rates.to_vec(), |rate| *rate);
        assert_eq!(middle(&[]), None);
        assert_eq!(middle(&[7.0]), Some(7.0));
        assert_eq!(middle(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(middle(&[4.0, 1.0, 2.0, 9.0]), Some(2.0));
    }
}
