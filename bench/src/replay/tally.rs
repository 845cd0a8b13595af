//! What buyers were told, and how long it took.

use crate::latency::Latencies;

/// What buyers were told.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Logins.
    pub(super) logins: Latencies,
    /// Items put into a basket.
    pub(super) adds: Latencies,
    /// Orders, paid: from the request to the answer.
    pub(super) orders: Latencies,
    /// Whole purchases, from the first item on.
    pub(super) purchases: Latencies,
    /// Refunds.
    pub(super) refunds: Latencies,
    /// Refunds that were not at their end when they were answered.
    pub(super) late_refunds: u64,
    /// Lines of the orders.
    pub(super) lines: usize,
    /// Their sum in pennies.
    pub(super) captured: i64,
    /// The sum of the refunds.
    pub(super) refunded: i64,
    /// Requests that were sent once more.
    pub(super) repeated: u64,
    /// What went wrong.
    pub(super) wrong: Vec<String>,
}

impl Tally {
    /// Takes in all of another.
    pub(super) fn add(&mut self, other: Self) {
        self.logins.merge(other.logins);
        self.adds.merge(other.adds);
        self.orders.merge(other.orders);
        self.purchases.merge(other.purchases);
        self.refunds.merge(other.refunds);
        self.late_refunds += other.late_refunds;
        self.lines += other.lines;
        self.captured += other.captured;
        self.refunded += other.refunded;
        self.repeated += other.repeated;
        self.wrong.extend(other.wrong);
    }
}
