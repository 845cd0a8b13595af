//! What the server says of itself on its operations port, in Prometheus' text format.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Context;

use crate::http::Connection;

/// The metrics at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics(BTreeMap<String, f64>);

/// A mean over the time between two moments, by queue.
pub(crate) type ByQueue = BTreeMap<String, f64>;

impl Metrics {
    /// Asks the server.
    pub(crate) async fn of(ops: SocketAddr) -> anyhow::Result<Self> {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {ops}\r\n\r\n");
        let mut connection = Connection::open(ops).await.context("the operations port")?;
        let answer = connection.send(request.as_bytes()).await.context("/metrics")?;
        anyhow::ensure!(answer.status == 200, "/metrics answers {}", answer.status);
        Ok(Self::parse(&String::from_utf8_lossy(answer.body)))
    }

    fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        });
        Self(samples.collect())
    }

    /// The sum of a metric over all its labels; 0 if there is none.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let labelled = format!("{name}{{");
        let is_it = |series: &&String| *series == name || series.starts_with(&labelled);
        self.0.iter().filter(|(series, _)| is_it(series)).map(|(_, value)| value).sum()
    }

    /// The mean of what a histogram saw since an earlier moment, for each value of its label `queue`. Queues that
    /// saw nothing, and histograms that there are none of, are left out.
    pub(crate) fn means_since(&self, before: &Self, histogram: &str) -> ByQueue {
        let prefix = format!("{histogram}_count{{");
        let counts = self.0.iter().filter(|(series, _)| series.starts_with(&prefix));
        let mean = |(series, count): (&String, &f64)| {
            let queue = series.split_once("queue=\"")?.1.split_once('"')?.0;
            let sums = series.replacen("_count{", "_sum{", 1);
            let at = |metrics: &Self, series: &str| metrics.0.get(series).copied().unwrap_or(0.0);
            let count = count - at(before, series);
            (count > 0.0).then(|| (queue.to_owned(), (at(self, &sums) - at(before, &sums)) / count))
        };
        counts.filter_map(mean).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "\
# HELP souk_batch_size Things in a batch
souk_batch_size_bucket{queue=\"place\",le=\"+Inf\"} 10
souk_batch_size_sum{queue=\"place\"} 100
souk_batch_size_count{queue=\"place\"} 10
souk_batch_size_sum{queue=\"idle\"} 1
souk_batch_size_count{queue=\"idle\"} 1
souk_orders_settled_total{state=\"paid\"} 5
souk_orders_settled_total{state=\"rejected\"} 2
souk_outbox_events 3
";

    #[test]
    fn adds_up_over_labels() {
        let metrics = Metrics::parse(BEFORE);
        assert_eq!(metrics.sum("souk_orders_settled_total"), 7.0);
        assert_eq!(metrics.sum("souk_outbox_events"), 3.0);
        assert_eq!(metrics.sum("souk_orders"), 0.0);
    }

    #[test]
    fn means_are_of_the_time_between() {
        let before = Metrics::parse(BEFORE);
        let after = Metrics::parse(
            "souk_batch_size_sum{queue=\"place\"} 700\nsouk_batch_size_count{queue=\"place\"} 20\n\
             souk_batch_size_sum{queue=\"idle\"} 1\nsouk_batch_size_count{queue=\"idle\"} 1\n\
             souk_batch_size_sum{queue=\"new\"} 9\nsouk_batch_size_count{queue=\"new\"} 3\n",
        );
        let means = after.means_since(&before, "souk_batch_size");
        assert_eq!(means, ByQueue::from([("new".to_owned(), 3.0), ("place".to_owned(), 60.0)]));
        assert!(after.means_since(&before, "souk_batch_wait_seconds").is_empty());
    }
}
