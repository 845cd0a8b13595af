//! What may differ from one marketplace to the next.

use std::fmt;

use time::Duration;
use url::Url;

use crate::{PayoutDefaults, StripeSettings};

/// What payments are told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where buyers reach Souk: the sandbox's pages stand below it, and it sends its notices there.
    pub public_url: Url,
    /// Who is asked for money.
    pub provider: ProviderSettings,
    /// How money goes to stores that have said nothing else.
    pub payouts: PayoutDefaults,
    /// How long the ledger and a provider's books wait for one another before it is an exception that one lacks
    /// something.
    pub reconciliation_grace: Duration,
}

/// A payment provider, and how Souk is known to it.
#[derive(Clone)]
pub enum ProviderSettings {
    /// The one of our own, for demos, tests and development.
    Sandbox {
        /// What it signs its notices with; the same on all nodes.
        secret: [u8; 32],
    },
    /// Stripe.
    Stripe(StripeSettings),
}

/// Secrets stay out of logs.
impl fmt::Debug for ProviderSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sandbox { .. } => f.write_str("Sandbox"),
            Self::Stripe(settings) => settings.fmt(f),
        }
    }
}
