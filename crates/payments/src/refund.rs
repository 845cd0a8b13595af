//! Refunds: money that goes back to the buyer.

/// Money that goes back to the buyer.
#[derive(Clone, Debug)]
pub struct Refund {}
