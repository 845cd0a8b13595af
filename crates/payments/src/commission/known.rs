//! The rules that count, kept in memory until one changes: a checkout asks nobody.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use platform::changes::Stamp;
use platform::{Database, Sources, Tag};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::book::CommissionBook;
use super::read;

/// Touched when a rule was made, changed or ended.
pub(super) const RULES: Tag = Tag::topic("payments/commission_rules");
/// Read again after this time, whatever happens to the connection that tells of changes.
const LONGEST_LIFE: Duration = Duration::from_secs(60);
/// Orders that were priced this long ago may still ask: rules that were over before are left out.
const LATEST_ORDER: time::Duration = time::Duration::hours(1);

/// What is known of the rules on this node.
pub(crate) struct KnownRules {
    database: Database,
    sources: Sources,
    known: Mutex<Option<Known>>,
    /// Held by the one who reads.
    reading: tokio::sync::Mutex<()>,
}

struct Known {
    book: Arc<CommissionBook>,
    good_at: Stamp,
    read_at: Instant,
}

impl KnownRules {
    pub(crate) fn new(database: Database, sources: Sources) -> Self {
        Self { database, sources, known: Mutex::new(None), reading: tokio::sync::Mutex::default() }
    }

    /// The rules that count now, and those that will.
    pub(crate) async fn book(&self) -> Result<Arc<CommissionBook>, sqlx::Error> {
        if let Some(book) = self.known() {
            return Ok(book);
        }
        let _one = self.reading.lock().await;
        if let Some(book) = self.known() {
            return Ok(book);
        }
        // Older than the read, so that a change on the way makes it out of date.
        let (good_at, read_at) = (self.database.changes().stamp(), Instant::now());
        let not_over_at: OffsetDateTime = self.sources.now() - LATEST_ORDER;
        let book = Arc::new(CommissionBook::of(read::counting(&self.database, not_over_at).await?));
        let known = Known { book: Arc::clone(&book), good_at, read_at };
        *self.known.lock().expect("no holder panics") = Some(known);
        Ok(book)
    }

    fn known(&self) -> Option<Arc<CommissionBook>> {
        let mut known = self.known.lock().expect("no holder panics");
        let known = known.as_mut().filter(|known| known.read_at.elapsed() < LONGEST_LIFE)?;
        known.good_at = self.database.changes().untouched(known.good_at, &[RULES])?;
        Some(Arc::clone(&known.book))
    }
}
