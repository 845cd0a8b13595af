//! Batching: concurrent calls meet in a queue, and one task serves all that wait, in one transaction.
//!
//! A batch is whatever waits when the one before it is done, and whoever is about to call ([`lane`]), up to a bound; no
//! timer runs for it to fill. So it is one
//! call when little goes on, and the busier it gets the more calls share the locks, the round trips and the flush of a
//! transaction. Calls are served in the order in which they came.
//!
//! The queue is bounded: a call that finds it full is refused at once ([`Error::Full`]) and may come again. A caller who
//! goes away before the call is taken takes it along; once taken, it is carried out whether or not anybody listens. If a
//! batch fails for what is in it, its halves are tried, down to the one call that can not be served, which fails alone.

mod lane;

use std::sync::Arc;

use async_trait::async_trait;
use lane::{Queue, lane};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::error::{Code, database_failure};

/// What a batch does.
#[async_trait]
pub trait Work: Send + Sync + 'static {
    /// What one call brings.
    type Item: Send + Sync + 'static;
    /// What one call gets, its own refusal included.
    type Answer: Send + 'static;

    /// Serves these calls, oldest first, in one transaction, and answers each at its place. It may be asked again for
    /// the same calls after an error: then nothing of them may be left, or doing them again changes nothing.
    async fn serve(&self, items: &[Self::Item]) -> Result<Vec<Self::Answer>, sqlx::Error>;
}

/// The bounds of a queue.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Its name in metrics.
    pub name: &'static str,
    /// Most calls in one batch. More gain nothing: 256 and 1,024 serve equally many, the larger ones later.
    pub largest: usize,
    /// Most calls that wait. One more is refused.
    pub waiting: usize,
    /// How many batches may be under way at a time.
    pub lanes: usize,
}

impl Settings {
    /// The usual bounds: batches of 256, one at a time, 16,384 waiting.
    pub const fn named(name: &'static str) -> Self {
        Self { name, largest: 256, waiting: 16_384, lanes: 1 }
    }
}

/// Why a call was not served.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// As many wait as may. Nothing was done; coming again in a moment may help.
    #[error("too much is asked at this moment; try again in a moment")]
    Full,
    /// The database failed. Unless it says that it refused, it is not known whether the call was served.
    #[error("database failure")]
    Database(#[source] Arc<sqlx::Error>),
    /// The task that served it broke down. It is not known whether the call was served.
    #[error("the task that served this broke down")]
    Broken,
}

impl Error {
    /// Whether two transactions got in each other's way: a deadlock, or a conflict of what they read.
    fn is_collision(&self) -> bool {
        let Self::Database(error) = self else { return false };
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| ["40P01", "40001"].contains(&code.as_ref()))
    }

    /// Its kind and its stable reason, as [`crate::ServiceError`] wants them.
    pub fn code(&self) -> (Code, &'static str) {
        match self {
            Self::Full => (Code::Unavailable, "request/busy"),
            Self::Database(error) => database_failure(error),
            Self::Broken => (Code::Internal, "internal"),
        }
    }
}

struct Call<W: Work> {
    item: W::Item,
    answer: oneshot::Sender<Result<W::Answer, Error>>,
    since: Instant,
}

/// A queue, and the tasks that serve it. They end when it is dropped and empty.
pub struct Batch<W: Work> {
    calls: mpsc::Sender<Call<W>>,
    name: &'static str,
}

impl<W: Work> Batch<W> {
    /// Opens a queue for this work. Has to be called within a Tokio runtime.
    pub fn open(work: W, settings: Settings) -> Self {
        let (calls, queue) = mpsc::channel(settings.waiting);
        let (work, queue) = (Arc::new(work), Arc::new(Queue::of(queue)));
        for _ in 0..settings.lanes {
            tokio::spawn(lane(Arc::clone(&work), Arc::clone(&queue), settings));
        }
        Self { calls, name: settings.name }
    }

    /// Has a call served. Refused if the queue is full.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn call(&self, item: W::Item) -> Result<W::Answer, Error> {
        let (answer, answered) = oneshot::channel();
        self.calls.try_send(Call { item, answer, since: Instant::now() }).map_err(
            |refused| match refused {
                mpsc::error::TrySendError::Full(_) => {
                    metrics::counter!("souk_batch_refused_total", "queue" => self.name).increment(1);
                    Error::Full
                }
                mpsc::error::TrySendError::Closed(_) => Error::Broken,
            },
        )?;
        answered.await.unwrap_or(Err(Error::Broken))
    }

    /// Has a call served; waits for room if the queue is full. For what was begun already and is bounded elsewhere. Those who
    /// wait for room get it in the order in which they came, but the ones let in together may take it in another.
    ///
    /// # Errors
    /// See [`Error`]; never [`Error::Full`].
    pub async fn call_in_turn(&self, item: W::Item) -> Result<W::Answer, Error> {
        let (answer, answered) = oneshot::channel();
        let call = Call { item, answer, since: Instant::now() };
        self.calls.send(call).await.map_err(|_| Error::Broken)?;
        answered.await.unwrap_or(Err(Error::Broken))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;

    use tokio::sync::Notify;

    use super::*;

    /// Doubles numbers; 13 poisons its batch, 666 panics, and the first batch waits until it is let go.
    #[derive(Default)]
    struct Doubling {
        batches: StdMutex<Vec<Vec<u32>>>,
        gate: Option<Arc<Notify>>,
        unreachable: bool,
    }

    #[async_trait]
    impl Work for Arc<Doubling> {
        type Item = u32;
        type Answer = u32;

        async fn serve(&self, items: &[u32]) -> Result<Vec<u32>, sqlx::Error> {
            let first = {
                let mut batches = self.batches.lock().unwrap();
                batches.push(items.to_vec());
                batches.len() == 1
            };
            if let (true, Some(gate)) = (first, &self.gate) {
                gate.notified().await;
            }
            if self.unreachable {
                return Err(sqlx::Error::PoolClosed);
            }
            assert!(!items.contains(&666), "the number of the beast");
            if items.contains(&13) {
                return Err(sqlx::Error::RowNotFound);
            }
            Ok(items.iter().map(|item| item * 2).collect())
        }
    }

    fn settings(waiting: usize) -> Settings {
        Settings { waiting, ..Settings::named("test") }
    }

    /// Lets everything run that can.
    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    /// A queue whose first batch, a single 1, is held until the gate opens.
    async fn held(waiting: usize) -> (Arc<Doubling>, Arc<Notify>, Arc<Batch<Arc<Doubling>>>) {
        let gate = Arc::new(Notify::new());
        let work = Arc::new(Doubling { gate: Some(Arc::clone(&gate)), ..Doubling::default() });
        let batch = Arc::new(Batch::open(Arc::clone(&work), settings(waiting)));
        let first = Arc::clone(&batch);
        tokio::spawn(async move { first.call(1).await });
        settle().await;
        (work, gate, batch)
    }

    /// The lane has been woken by the first call before the tasks of the others have run.
    #[tokio::test]
    async fn whoever_is_about_to_call_comes_along() {
        let work = Arc::new(Doubling::default());
        let batch = Arc::new(Batch::open(Arc::clone(&work), settings(100)));
        settle().await;
        let call = |number| {
            let batch = Arc::clone(&batch);
            async move { batch.call(number).await.unwrap() }
        };
        let others = async { tokio::join!(tokio::spawn(call(2)), tokio::spawn(call(3))) };
        let (_, (second, third)) = tokio::join!(call(1), others);
        assert_eq!((second.unwrap(), third.unwrap()), (4, 6));
        assert_eq!(*work.batches.lock().unwrap(), [[1, 2, 3]]);
    }

    /// While one lane serves, another begins once half of the largest batch waits, or when the first is done.
    #[tokio::test]
    async fn a_further_lane_only_helps_out() {
        let gate = Arc::new(Notify::new());
        let work = Arc::new(Doubling { gate: Some(Arc::clone(&gate)), ..Doubling::default() });
        let two = Settings { lanes: 2, largest: 6, ..settings(100) };
        let batch = Arc::new(Batch::open(Arc::clone(&work), two));
        let call = |number| {
            let batch = Arc::clone(&batch);
            tokio::spawn(async move { batch.call(number).await })
        };
        let mut calls = Vec::new();
        for number in [1, 2, 3] {
            calls.push(call(number));
            settle().await;
        }
        assert_eq!(*work.batches.lock().unwrap(), [[1]], "two are too few to begin beside the first");
        calls.push(call(4));
        settle().await;
        assert_eq!(*work.batches.lock().unwrap(), [vec![1], vec![2, 3, 4]], "three are enough");
        gate.notify_one();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        call(5).await.unwrap().unwrap();
        assert_eq!(*work.batches.lock().unwrap(), [vec![1], vec![2, 3, 4], vec![5]]);
    }

    #[tokio::test]
    async fn whoever_waits_is_served_together_in_the_order_of_coming() {
        let (work, gate, batch) = held(100).await;
        let calls: Vec<_> = (2..=5)
            .map(|number| {
                let batch = Arc::clone(&batch);
                tokio::spawn(async move { batch.call(number).await.unwrap() })
            })
            .collect();
        settle().await;
        gate.notify_one();
        for (call, number) in calls.into_iter().zip(2..) {
            assert_eq!(call.await.unwrap(), number * 2);
        }
        assert_eq!(*work.batches.lock().unwrap(), [vec![1], vec![2, 3, 4, 5]]);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_holds_what_it_has() {
        let (_, gate, batch) = held(2).await;
        let waiting: Vec<_> = (2..=3)
            .map(|number| {
                let batch = Arc::clone(&batch);
                tokio::spawn(async move { batch.call(number).await })
            })
            .collect();
        settle().await;
        assert!(matches!(batch.call(4).await, Err(Error::Full)));
        let patient = Arc::clone(&batch);
        let patient = tokio::spawn(async move { patient.call_in_turn(5).await });
        settle().await;
        gate.notify_one();
        for call in waiting {
            call.await.unwrap().unwrap();
        }
        assert_eq!(patient.await.unwrap().unwrap(), 10);
    }

    #[tokio::test]
    async fn a_caller_who_went_away_in_time_is_not_served() {
        let (work, gate, batch) = held(100).await;
        for number in [2, 3] {
            let batch = Arc::clone(&batch);
            let call = tokio::spawn(async move { batch.call(number).await });
            settle().await;
            if number == 2 {
                call.abort();
            }
        }
        settle().await;
        gate.notify_one();
        batch.call(4).await.unwrap();
        assert!(!work.batches.lock().unwrap().concat().contains(&2));
        assert!(work.batches.lock().unwrap().concat().contains(&3));
    }

    #[tokio::test]
    async fn a_caller_who_goes_away_later_is_served_all_the_same() {
        let (work, gate, batch) = held(100).await;
        // The first call is taken, and its caller gone; its batch ends all the same and the next one begins.
        gate.notify_one();
        assert_eq!(batch.call(7).await.unwrap(), 14);
        assert_eq!(work.batches.lock().unwrap()[0], [1]);
    }

    #[tokio::test]
    async fn the_poisoned_call_fails_alone() {
        for poison in [13, 666] {
            let (_, gate, batch) = held(100).await;
            let calls: Vec<_> = [2, 3, poison, 5, 6]
                .map(|number| {
                    let batch = Arc::clone(&batch);
                    tokio::spawn(async move { (number, batch.call(number).await) })
                })
                .into();
            settle().await;
            gate.notify_one();
            for call in calls {
                let (number, outcome) = call.await.unwrap();
                match outcome {
                    Ok(answer) => assert_eq!(answer, number * 2),
                    Err(_) => assert_eq!(number, poison),
                }
            }
        }
    }

    #[tokio::test]
    async fn halves_are_not_tried_on_a_database_that_is_gone() {
        let gate = Arc::new(Notify::new());
        let work =
            Arc::new(Doubling { gate: Some(Arc::clone(&gate)), unreachable: true, ..Doubling::default() });
        let batch = Arc::new(Batch::open(Arc::clone(&work), settings(100)));
        let calls: Vec<_> = (0..9)
            .map(|number| {
                let batch = Arc::clone(&batch);
                tokio::spawn(async move { batch.call(number).await })
            })
            .collect();
        settle().await;
        gate.notify_one();
        for call in calls {
            assert!(matches!(call.await.unwrap(), Err(Error::Database(_))));
        }
        assert_eq!(work.batches.lock().unwrap().len(), 1, "all nine were asked for once");
    }
}
