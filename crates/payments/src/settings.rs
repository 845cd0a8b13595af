//! What may differ from one marketplace to the next.

use std::fmt;

use url::Url;

use crate::PayoutDefaults;

/// What payments are told.
#[derive(Clone)]
pub struct Settings {
    /// Where buyers reach Souk: the sandbox's pages stand below it, and it sends its notices there.
    pub public_url: Url,
    /// What the sandbox signs its notices with; the same on all nodes.
    pub sandbox_secret: [u8; 32],
    /// How money goes to stores that have said nothing else.
    pub payouts: PayoutDefaults,
}

/// The secret stays out of logs.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("public_url", &self.public_url.as_str()).finish_non_exhaustive()
    }
}
