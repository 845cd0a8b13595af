//! Waiting until something is announced.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::Tag;

/// Who waits for what on this node. A tag takes memory only while somebody watches it.
#[derive(Default)]
pub(super) struct Watchers(Mutex<HashMap<Tag, watch::Sender<()>>>);

impl Watchers {
    /// Begins to watch a tag.
    pub(super) fn watch(self: &Arc<Self>, tag: Tag) -> Watch {
        let mut senders = self.0.lock().expect("no holder panics");
        let sender = senders.entry(tag).or_insert_with(|| watch::Sender::new(()));
        Watch { tag, receiver: Some(sender.subscribe()), watchers: Arc::clone(self) }
    }

    /// Wakes whoever watches one of these.
    pub(super) fn wake(&self, tags: &[Tag]) {
        let senders = self.0.lock().expect("no holder panics");
        tags.iter().filter_map(|tag| senders.get(tag)).for_each(|sender| sender.send_replace(()));
    }

    /// Wakes everybody.
    pub(super) fn wake_all(&self) {
        let senders = self.0.lock().expect("no holder panics");
        senders.values().for_each(|sender| sender.send_replace(()));
    }

    /// How many tags are watched.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// Watches one tag, from the moment it was made until it is dropped. See [`super::Changes::watch`].
pub struct Watch {
    tag: Tag,
    /// Empty only while it is dropped.
    receiver: Option<watch::Receiver<()>>,
    watchers: Arc<Watchers>,
}

impl Watch {
    /// Waits until the tag was announced, or may have been, since this was made or last answered. Announcements that
    /// come while nobody waits are kept as one. It may be dropped and called again: nothing is lost.
    pub async fn changed(&mut self) {
        match &mut self.receiver {
            Some(receiver) => receiver.changed().await.expect("the sender goes after its last receiver"),
            None => std::future::pending().await,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut senders = self.watchers.0.lock().expect("no holder panics");
        // Under the lock, so that of two that go at once the second one sees that it is the last.
        self.receiver = None;
        if senders.get(&self.tag).is_some_and(|sender| sender.receiver_count() == 0) {
            senders.remove(&self.tag);
        }
        if senders.capacity() > 1_024 && senders.len() < senders.capacity() / 4 {
            senders.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ONE: Tag = Tag::topic("one");
    const OTHER: Tag = Tag::topic("other");

    async fn wakes(watch: &mut Watch) -> bool {
        tokio::time::timeout(Duration::from_millis(20), watch.changed()).await.is_ok()
    }

    #[tokio::test]
    async fn what_is_announced_before_the_first_await_is_not_missed() {
        let watchers = Arc::new(Watchers::default());
        watchers.wake(&[ONE]);
        let mut watch = watchers.watch(ONE);
        assert!(!wakes(&mut watch).await, "that was before");
        watchers.wake(&[OTHER]);
        assert!(!wakes(&mut watch).await, "that is somebody else's");
        watchers.wake(&[OTHER, ONE]);
        watchers.wake(&[ONE]);
        assert!(wakes(&mut watch).await);
        assert!(!wakes(&mut watch).await, "two that came together are told as one");
        watchers.wake_all();
        assert!(wakes(&mut watch).await);
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_loses_nothing() {
        let watchers = Arc::new(Watchers::default());
        let mut watch = watchers.watch(ONE);
        assert!(!wakes(&mut watch).await);
        watchers.wake(&[ONE]);
        drop(watch.changed());
        assert!(wakes(&mut watch).await);
    }

    #[tokio::test]
    async fn what_nobody_watches_takes_no_memory() {
        let watchers = Arc::new(Watchers::default());
        let (first, mut second, third) = (watchers.watch(ONE), watchers.watch(ONE), watchers.watch(OTHER));
        assert_eq!(watchers.len(), 2);
        drop((first, third));
        assert_eq!(watchers.len(), 1);
        watchers.wake(&[ONE]);
        assert!(wakes(&mut second).await, "the others go on");
        drop(second);
        assert_eq!(watchers.len(), 0);
    }

    /// Watchers come and go while it is announced: each that is there wakes, and none is left behind.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_wake_up_is_lost_in_the_crowd() {
        let watchers = Arc::new(Watchers::default());
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let watchers = Arc::clone(&watchers);
            tasks.spawn(async move {
                for _ in 0..200 {
                    let mut watch = watchers.watch(ONE);
                    let crowd = Arc::clone(&watchers);
                    let told = tokio::spawn(async move { crowd.wake(&[ONE]) });
                    tokio::time::timeout(Duration::from_secs(5), watch.changed()).await.expect("woken");
                    told.await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        assert_eq!(watchers.len(), 0);
    }
}
