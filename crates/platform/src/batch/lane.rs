//! The lanes of a queue: who takes which calls, and serves them.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify, mpsc};
use tokio::time::Instant;

use super::{Call, Error, Settings, Work};
use crate::error::Code;

/// How often a batch is tried again because another transaction got in its way.
const ATTEMPTS: u32 = 3;
/// How long it waits before that, times the number of the attempt. At once it would often be back before the other, who
/// has to be woken, and get in its way again.
const PAUSE: Duration = Duration::from_millis(5);

/// How often those who are about to call are let to, before a batch is served: enough for the hundreds that another
/// queue lets go at once, and an end for a stream that never breaks off.
const YIELDS: usize = 8;

/// What the lanes of a queue share.
pub(super) struct Queue<W: Work> {
    calls: Mutex<mpsc::Receiver<Call<W>>>,
    /// Batches that are being served.
    served: AtomicUsize,
    /// Told whenever one of them is done.
    done: Notify,
}

impl<W: Work> Queue<W> {
    pub(super) fn of(calls: mpsc::Receiver<Call<W>>) -> Self {
        Self { calls: Mutex::new(calls), served: AtomicUsize::new(0), done: Notify::new() }
    }

    /// Waits for a call and takes it, with all who are about to call: those whose tasks could run by now, as the ones that
    /// the batch before them in another queue has let go at once. Where nobody is, this costs a yield. A further lane
    /// only helps out: while another one serves it gathers half of the largest batch first, as small ones cost both.
    /// False when the queue is closed and empty.
    async fn take(&self, taken: &mut Vec<Call<W>>, largest: usize) -> bool {
        let mut calls = self.calls.lock().await;
        if calls.recv_many(taken, largest).await == 0 {
            return false;
        }
        while taken.len() < largest / 2 && self.served.load(Ordering::SeqCst) > 0 {
            let room = largest - taken.len();
            tokio::select! {
                more = calls.recv_many(taken, room) => if more == 0 { break },
                () = self.done.notified() => {}
            }
        }
        for _ in 0..YIELDS {
            let before = taken.len();
            tokio::task::yield_now().await;
            while taken.len() < largest
                && let Ok(call) = calls.try_recv()
            {
                taken.push(call);
            }
            if taken.len() == before {
                break;
            }
        }
        self.served.fetch_add(1, Ordering::SeqCst);
        true
    }

    /// A batch is done with.
    fn end(&self) {
        self.served.fetch_sub(1, Ordering::SeqCst);
        self.done.notify_one();
    }
}

/// Serves batch after batch until the queue is closed and empty.
pub(super) async fn lane<W: Work>(work: Arc<W>, queue: Arc<Queue<W>>, settings: Settings) {
    let mut calls = Vec::with_capacity(settings.largest);
    loop {
        if !queue.take(&mut calls, settings.largest).await {
            return;
        }
        let taken = Instant::now();
        let (mut items, mut answers) = (Vec::with_capacity(calls.len()), Vec::with_capacity(calls.len()));
        // Whoever has gone away by now is not served; from here on everybody is.
        for call in calls.drain(..).filter(|call| !call.answer.is_closed()) {
            seconds("souk_batch_wait_seconds", settings.name, taken - call.since);
            items.push(call.item);
            answers.push(call.answer);
        }
        if items.is_empty() {
            queue.end();
            continue;
        }
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        metrics::histogram!("souk_batch_size", "queue" => settings.name).record(items.len() as f64);
        let outcomes = serve(&work, Arc::new(items), settings.name).await;
        seconds("souk_batch_service_seconds", settings.name, taken.elapsed());
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Nobody listens any more: it is done all the same.
            let _ = answer.send(outcome);
        }
        queue.end();
    }
}

fn seconds(metric: &'static str, queue: &'static str, time: Duration) {
    metrics::histogram!(metric, "queue" => queue).record(time.as_secs_f64());
}

/// Serves these items, in halves where they can not be served together.
async fn serve<W: Work>(
    work: &Arc<W>,
    items: Arc<Vec<W::Item>>,
    queue: &'static str,
) -> Vec<Result<W::Answer, Error>> {
    let mut outcomes = Vec::with_capacity(items.len());
    // Parts still to be served, the first on top.
    let mut parts = Vec::from([Range { start: 0, end: items.len() }]);
    let mut again = 0;
    while let Some(part) = parts.pop() {
        let (worker, shared, range) = (Arc::clone(work), Arc::clone(&items), part.clone());
        // In a task of its own, so that a panic ends neither the lane nor the neighbours.
        let served = tokio::spawn(async move { worker.serve(&shared[range]).await });
        let failure = match served.await {
            Ok(Ok(answers)) if answers.len() == part.len() => {
                outcomes.extend(answers.into_iter().map(Ok));
                continue;
            }
            Ok(Ok(_)) | Err(_) => Error::Broken,
            Ok(Err(error)) => Error::Database(Arc::new(error)),
        };
        if again < ATTEMPTS && failure.is_collision() {
            again += 1;
            tokio::time::sleep(PAUSE * again).await;
            parts.push(part);
            continue;
        }
        // A database that can not be reached will not serve the halves either.
        if part.len() == 1 || failure.code().0 == Code::Unavailable {
            tracing::warn!(queue, calls = part.len(), error = ?failure, "calls could not be served");
            metrics::counter!("souk_batch_failed_total", "queue" => queue).increment(part.len() as u64);
            outcomes.extend(part.map(|_| Err(failure.clone())));
        } else {
            let middle = part.start + part.len() / 2;
            parts.push(middle..part.end);
            parts.push(part.start..middle);
        }
    }
    outcomes
}
