//! Telling caches what changed, on this node at once and on all others by NOTIFY.
//!
//! A cache keeps with each entry the [`Stamp`] it took *before* it read the database and the tags of
//! what it read. The entry is good as long as none of its tags was touched since the stamp. A reader
//! that raced with a writer therefore keeps an entry that is already out of date, never a stale one.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgListener, PgNotification};
use sqlx::{PgConnection, PgPool};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::Id;

const CHANNEL: &str = "souk_changes";
/// How many touches a node remembers; an entry older than all of them counts as touched.
const REMEMBERED: usize = 8_192;
/// PostgreSQL refuses payloads of 8,000 bytes and more.
const LONGEST_PAYLOAD: usize = 7_900;

/// A name for something that cached data may depend on. Two names may share a tag by chance: then a
/// touch of one forgets a little too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u64);

impl Tag {
    /// The tag of one entity.
    pub fn id<K>(id: Id<K>) -> Self {
        Self(id.uuid().as_u64_pair().1)
    }

    /// The tag of something that has a name instead of an id. FNV-1a, so that all nodes agree.
    pub const fn topic(name: &str) -> Self {
        let bytes = name.as_bytes();
        let (mut hash, mut at) = (0xcbf2_9ce4_8422_2325_u64, 0);
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
            at += 1;
        }
        Self(hash)
    }
}

/// A moment in a node's history of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(u64);

impl Stamp {
    /// The stamp as a number, to be kept in an atomic.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// A stamp that was kept as a number.
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }
}

/// A node's history of changes.
pub struct Changes {
    node: u64,
    /// Number of touches so far; the newest remembered one has this number minus one.
    count: AtomicU64,
    recent: Mutex<VecDeque<Tag>>,
    wake: Notify,
}

impl Default for Changes {
    #[expect(clippy::disallowed_methods, reason = "a node's name for itself carries no meaning")]
    fn default() -> Self {
        let mut node = [0; 8];
        getrandom::fill(&mut node).expect("the operating system has a random number generator");
        Self {
            node: u64::from_le_bytes(node),
            count: AtomicU64::new(0),
            recent: Mutex::new(VecDeque::with_capacity(REMEMBERED)),
            wake: Notify::new(),
        }
    }
}

impl Changes {
    /// The present moment. Take it before reading what is to be cached.
    pub fn stamp(&self) -> Stamp {
        Stamp(self.count.load(Ordering::Acquire))
    }

    /// Whether none of `tags` (sorted) was touched since `stamp`; if so, a newer stamp for next time.
    pub fn untouched(&self, stamp: Stamp, tags: &[Tag]) -> Option<Stamp> {
        if self.stamp() == stamp {
            return Some(stamp);
        }
        let recent = self.recent.lock().expect("no holder panics");
        let now = self.stamp();
        let since = usize::try_from(now.0 - stamp.0).ok().filter(|since| *since <= recent.len())?;
        let touched = recent.iter().rev().take(since).any(|tag| tags.binary_search(tag).is_ok());
        (!touched).then_some(now)
    }

    /// Notes on this node that `tags` were touched.
    pub fn apply(&self, tags: &[Tag]) {
        let mut recent = self.recent.lock().expect("no holder panics");
        for tag in tags {
            if recent.len() == REMEMBERED {
                recent.pop_front();
            }
            recent.push_back(*tag);
        }
        self.count.fetch_add(tags.len() as u64, Ordering::Release);
    }

    /// Notes that anything may have been touched.
    pub fn forget_everything(&self) {
        let mut recent = self.recent.lock().expect("no holder panics");
        recent.clear();
        self.count.fetch_add(1, Ordering::Release);
    }

    /// Waits until events may stand in the outbox. Only one task may wait.
    pub async fn events(&self) {
        self.wake.notified().await;
    }

    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Tells the other nodes, with the commit of `connection`'s transaction.
    pub(crate) async fn announce(
        &self,
        connection: &mut PgConnection,
        tags: &[Tag],
        events: bool,
    ) -> Result<(), sqlx::Error> {
        let mut payload = format!("{:x} {}", self.node, if events { "e" } else { "-" });
        for tag in tags {
            payload.push_str(&format!(" {:x}", tag.0));
        }
        if payload.len() > LONGEST_PAYLOAD {
            payload = format!("{:x} {} *", self.node, if events { "e" } else { "-" });
        }
        sqlx::query!("SELECT pg_notify($1, $2)", CHANNEL, payload).execute(connection).await?;
        Ok(())
    }

    /// Listens to the other nodes until `stop`. After a lost connection everything counts as touched.
    pub async fn listen(&self, pool: PgPool, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = self.listen_once(&pool) => outcome,
            };
            self.forget_everything();
            if let Err(error) = outcome {
                tracing::warn!(%error, "lost the connection on which other nodes tell of changes");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
        }
    }

    async fn listen_once(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        self.forget_everything();
        self.wake();
        while let Some(notification) = listener.try_recv().await? {
            self.hear(&notification);
        }
        Ok(())
    }

    fn hear(&self, notification: &PgNotification) {
        let mut words = notification.payload().split(' ');
        let own = words.next().and_then(|word| u64::from_str_radix(word, 16).ok()) == Some(self.node);
        if own {
            return;
        }
        if words.next() == Some("e") {
            self.wake();
        }
        match words.map(|word| u64::from_str_radix(word, 16).map(Tag)).collect::<Result<Vec<_>, _>>() {
            Ok(tags) => self.apply(&tags),
            Err(_) => self.forget_everything(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Tag = Tag::topic("price");
    const STOCK: Tag = Tag::topic("stock");

    #[test]
    fn an_entry_is_good_until_its_tag_is_touched() {
        let changes = Changes::default();
        let before = changes.stamp();
        changes.apply(&[STOCK]);
        let newer = changes.untouched(before, &[PRICE]).unwrap();
        assert!(newer > before);
        assert_eq!(changes.untouched(before, &[STOCK]), None);
        assert_eq!(changes.untouched(newer, &[STOCK]), Some(newer));
    }

    #[test]
    fn what_is_too_old_to_know_counts_as_touched() {
        let changes = Changes::default();
        let before = changes.stamp();
        changes.apply(&vec![STOCK; REMEMBERED + 1]);
        assert_eq!(changes.untouched(before, &[PRICE]), None);
        let before = changes.stamp();
        changes.forget_everything();
        assert_eq!(changes.untouched(before, &[PRICE]), None);
    }
}
