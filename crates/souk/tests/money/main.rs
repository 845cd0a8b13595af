//! Money, from the buyer's card to the books: pages, challenges, delays, outages, refunds and disputes, over HTTP and with
//! the sandbox provider.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod currencies;
mod methods;
mod model;
mod paying;
mod reconciliation;
mod refunds;
mod scene;
mod sequences;
