//! Telling caches what changed, on this node at once and on all others by NOTIFY.
//!
//! A cache keeps with each entry the [`Stamp`] it took *before* it read the database and the tags of
//! what it read. The entry is good as long as none of its tags was touched since the stamp. A reader
//! that raced with a writer therefore keeps an entry that is already out of date, never a stale one.
//!
//! Whoever waits for something to happen, such as the next step of an order, watches a tag ([`Changes::watch`]) and is
//! woken when a transaction announces it ([`crate::database::Tx::announce`]).

mod memory;
mod message;
mod watch;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgNotification};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::Id;
use memory::Memory;
use watch::Watchers;

pub use watch::Watch;

pub(crate) const CHANNEL: &str = "souk_changes";

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
    /// Number of the last touch. Changes only under the lock of `memory`.
    count: AtomicU64,
    memory: RwLock<Memory>,
    watchers: Arc<Watchers>,
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
            memory: RwLock::default(),
            watchers: Arc::default(),
            wake: Notify::new(),
        }
    }
}

impl Changes {
    /// The present moment. Take it before reading what is to be cached.
    pub fn stamp(&self) -> Stamp {
        Stamp(self.count.load(Ordering::Acquire))
    }

    /// Whether none of `tags` was touched since `stamp`; if so, a newer stamp for next time. Takes as long as there are
    /// tags, whatever happened since. A stamp from before what this node remembers counts as touched: that is when
    /// more than 100,000 different tags were touched after it.
    pub fn untouched(&self, stamp: Stamp, tags: &[Tag]) -> Option<Stamp> {
        if self.stamp() == stamp {
            return Some(stamp);
        }
        let memory = self.memory.read().expect("no holder panics");
        let now = self.stamp();
        (!memory.touched_since(stamp.0, tags)).then_some(now)
    }

    /// Notes on this node that `tags` were touched.
    pub fn apply(&self, tags: &[Tag]) {
        if tags.is_empty() {
            return;
        }
        let mut memory = self.memory.write().expect("no holder panics");
        let now = self.count.load(Ordering::Relaxed) + 1;
        tags.iter().for_each(|tag| memory.touch(*tag, now));
        self.count.store(now, Ordering::Release);
    }

    /// Notes that anything may have been touched.
    pub fn forget_everything(&self) {
        let mut memory = self.memory.write().expect("no holder panics");
        let now = self.count.load(Ordering::Relaxed) + 1;
        memory.forget(now);
        self.count.store(now, Ordering::Release);
    }

    /// Watches a tag: [`Watch::changed`] wakes when a transaction that announced it has committed, at once if it was
    /// one of this node and by NOTIFY if it was another's, and whenever one may have been missed. Read what it is
    /// about after this call, and again after each wake-up: then nothing is overlooked.
    pub fn watch(&self, tag: Tag) -> Watch {
        self.watchers.watch(tag)
    }

    /// Wakes those on this node who watch one of `tags`.
    pub(crate) fn wake_watchers(&self, tags: &[Tag]) {
        self.watchers.wake(tags);
    }

    /// Waits until events may stand in the outbox. Only one task may wait.
    pub async fn events(&self) {
        self.wake.notified().await;
    }

    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// What the other nodes are to hear of a transaction that touched and announced this: one payload or more.
    pub(crate) fn news(&self, touched: &[Tag], announced: &[Tag], events: bool) -> Vec<String> {
        message::payloads(self.node, touched, announced, events)
    }

    /// Listens to the other nodes until `stop`. After a lost connection everything counts as touched, and whoever
    /// watches something is woken.
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
        self.watchers.wake_all();
        self.wake();
        while let Some(notification) = listener.try_recv().await? {
            self.hear(&notification);
        }
        Ok(())
    }

    fn hear(&self, notification: &PgNotification) {
        let Some(message) = message::read(notification.payload(), self.node) else { return };
        if message.events {
            self.wake();
        }
        match message.touched {
            Some(tags) => self.apply(&tags),
            None => self.forget_everything(),
        }
        match message.announced {
            Some(tags) => self.watchers.wake(&tags),
            None => self.watchers.wake_all(),
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
        let many: Vec<Tag> = (0..=2 * memory::GENERATION as u64).map(Tag).collect();
        many.chunks(1_000).for_each(|some| changes.apply(some));
        assert_eq!(changes.untouched(before, &[PRICE]), None);
        let before = changes.stamp();
        assert_eq!(changes.untouched(before, &[PRICE]), Some(before));
        changes.forget_everything();
        assert_eq!(changes.untouched(before, &[PRICE]), None);
    }

    /// An entry that is looked at again and again stays good however much else is touched meanwhile.
    #[test]
    fn an_entry_outlives_whatever_happens_to_others() {
        let changes = Changes::default();
        let mut stamp = changes.stamp();
        for round in 0..100 {
            let others: Vec<Tag> = (1..=20_000).map(|number| Tag(round * 20_000 + number)).collect();
            changes.apply(&others);
            stamp = changes.untouched(stamp, &[PRICE, STOCK]).unwrap();
        }
        changes.apply(&[STOCK]);
        assert_eq!(changes.untouched(stamp, &[PRICE, STOCK]), None);
    }
}
