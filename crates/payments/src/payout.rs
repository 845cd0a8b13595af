//! Payouts: money that goes to a store.

/// Money that goes to a store.
#[derive(Clone, Debug)]
pub struct Payout {}
