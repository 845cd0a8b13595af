//! What may differ from one marketplace to the next.

use std::time::Duration;

use crate::OrderId;

/// What may differ from one marketplace to the next.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a cart lives after its last change.
    pub cart_lifetime: Duration,
    /// How many different variants a cart holds.
    pub most_cart_lines: usize,
    /// How long an order that awaits payment holds its stock.
    pub payment_hold: Duration,
    /// After how long in one step an order is taken up by the recovery job.
    pub step_deadline: Duration,
    /// How long a request waits for another one with the same key.
    pub duplicate_wait: Duration,
    /// How many purchases may be under way in this process; one more is told to come again.
    pub most_under_way: usize,
    /// Where buyers see an order, with its id put behind: there they come back to from a challenge of their bank's.
    pub order_url: Option<String>,
}

impl Settings {
    /// Where a buyer sees this order.
    pub(crate) fn return_url(&self, order: OrderId) -> Option<String> {
        self.order_url.as_ref().map(|url| format!("{url}{order}"))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cart_lifetime: Duration::from_secs(30 * 24 * 60 * 60),
            most_cart_lines: 200,
            payment_hold: Duration::from_secs(15 * 60),
            step_deadline: Duration::from_secs(10),
            duplicate_wait: Duration::from_secs(10),
            most_under_way: 20_000,
            order_url: None,
        }
    }
}
