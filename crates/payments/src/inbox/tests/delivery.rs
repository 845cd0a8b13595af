//! Each event takes effect once and in order, however it is delivered.

use std::collections::HashMap;
use std::time::Duration;

use time::Duration as Span;
use tokio::task::JoinSet;

use super::*;
use crate::WebhookState;

const SUBJECTS: i64 = 100;
const OF_EACH: i64 = 10;

/// Puts them into another order, the same in each run.
fn shuffled(sources: &Sources, mut told: Vec<Told>) -> Vec<Told> {
    for last in (1..told.len()).rev() {
        let other = usize::try_from(u32::from_le_bytes(sources.random())).unwrap() % (last + 1);
        told.swap(last, other);
    }
    told
}

/// A thousand events, this many times each.
fn thousand(scene: &Scene, times: usize) -> Vec<Told> {
    let mut told = Vec::new();
    for subject in 0..SUBJECTS {
        for number in 0..OF_EACH {
            let one = scene.told(&format!("pi_{subject}"), number, Does::Counts);
            told.extend(std::iter::repeat_n(one, times));
        }
    }
    shuffled(&scene.sources, told)
}

/// Delivers all of them by 32 senders to two nodes; returns how many were new.
async fn deliver_all(scene: &Arc<Scene>, told: Vec<Told>) -> usize {
    let mut senders = JoinSet::new();
    let told = Arc::new(told);
    for sender in 0..32 {
        let (scene, told) = (Arc::clone(scene), Arc::clone(&told));
        senders.spawn(async move {
            let mut new = 0;
            for one in told.iter().skip(sender).step_by(32) {
                let received = scene.deliver(sender % 2, one).await.unwrap();
                new += usize::from(received == Received::New);
            }
            new
        });
    }
    senders.join_all().await.into_iter().sum()
}

/// Works on all nodes at once until nothing is left; returns how many events each tried.
async fn process_all(scene: &Arc<Scene>, stop_at: usize) -> Vec<u64> {
    let mut workers = JoinSet::new();
    for node in 0..2 {
        let scene = Arc::clone(scene);
        workers.spawn(async move {
            let mut tried = 0;
            while scene.effects().await.len() < stop_at {
                tried += scene.nodes[node].process_due().await.unwrap();
            }
            tried
        });
    }
    let all = tokio::time::timeout(Duration::from_secs(120), workers.join_all()).await;
    all.expect("all are worked on")
}

async fn assert_once(scene: &Scene) {
    let effects = scene.effects().await;
    let mut times: HashMap<_, u32> = HashMap::new();
    effects.iter().for_each(|effect| *times.entry(effect.clone()).or_default() += 1);
    assert_eq!((effects.len(), times.len()), (1_000, 1_000), "each takes effect, and once");
    let (deliveries, processed): (i64, i64) = sqlx::query_as(
        "SELECT sum(deliveries), count(*) FILTER (WHERE state = 'processed' AND attempts = 1 AND processed_at IS NOT NULL)
         FROM payments.webhook_events",
    )
    .fetch_one(scene.test.database.pool())
    .await
    .unwrap();
    assert_eq!((deliveries, processed), (5_000, 1_000));
    assert!(scene.effect.tries.lock().unwrap().values().all(|tries| *tries == 1), "none was tried in vain");
    assert_eq!(scene.nodes[0].process_due().await.unwrap(), 0);
    assert_eq!(scene.nodes[0].verify().await.unwrap(), []);
}

/// A thousand webhooks, five times each, shuffled and at the same time, on two nodes that work on them together: each takes
/// effect once, and those of a subject in the order in which they happened, though they came in another.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_webhooks_take_effect_once_and_in_order() {
    let scene = Arc::new(Scene::set().await);
    assert_eq!(deliver_all(&scene, thousand(&scene, 2)).await, 1_000);
    let again = deliver_all(&scene, thousand(&scene, 3));
    let (new, tried) = tokio::join!(again, process_all(&scene, 1_000));
    assert_eq!(new, 0, "they were known");
    assert_eq!(tried.iter().sum::<u64>(), 1_000);
    assert!(tried.iter().all(|tried| *tried > 0), "both nodes worked: {tried:?}");
    assert_once(&scene).await;
    let mut next: HashMap<String, i64> = HashMap::new();
    for (subject, number) in scene.effects().await {
        let expected = next.entry(subject.clone()).or_default();
        assert_eq!(number, *expected, "of {subject}");
        *expected += 1;
    }
    Arc::into_inner(scene).unwrap().end().await;
}

/// The same while the first of them still come in: none is lost between a worker that goes and an event that comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn none_is_lost_while_others_are_worked_on() {
    let scene = Arc::new(Scene::set().await);
    let all = deliver_all(&scene, thousand(&scene, 5));
    let (new, _) = tokio::join!(all, process_all(&scene, 1_000));
    assert_eq!(new, 1_000);
    assert_once(&scene).await;
    Arc::into_inner(scene).unwrap().end().await;
}

/// Any of the active secrets will do, within the time window; whatever else comes is neither stored nor told apart.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_provider_signed_is_stored() {
    let scene = Scene::set().await;
    let now = scene.sources.now();
    let told = scene.told("pi", 1, Does::Counts);
    let body = told.body();
    let sent = |secret: &'static str, at| {
        let header = signature::sign(secret.as_bytes(), &body, at);
        let (inbox, body) = (Arc::clone(&scene.nodes[0]), body.clone());
        async move { inbox.receive("fake", &[("fake-signature".to_owned(), header)], &body).await }
    };
    for (secret, at) in [
        ("planted-other-secret", now),
        (SECRETS[0], now - signature::TOLERANCE - Span::SECOND),
        (SECRETS[1], now + signature::TOLERANCE + Span::SECOND),
    ] {
        assert!(matches!(sent(secret, at).await, Err(Error::BadSignature)), "{secret} {at}");
    }
    let unsigned = scene.nodes[0].receive("fake", &[], &body).await;
    assert!(matches!(unsigned, Err(Error::BadSignature)));
    let unknown = scene.nodes[0].receive("nobody", &[], &body).await;
    assert!(matches!(unknown, Err(Error::UnknownProvider)));
    assert_eq!(scene.events(&WebhookFilter::default()).await, []);
    assert_eq!(sent(SECRETS[0], now - signature::TOLERANCE).await.unwrap(), Received::New);
    assert_eq!(sent(SECRETS[1], now).await.unwrap(), Received::Repeated);
    for id in [String::new(), "x".repeat(256), "a\0b".to_owned()] {
        let odd = Told { id, ..told.clone() };
        assert!(matches!(scene.deliver(0, &odd).await, Err(Error::BadNotice)), "{odd:?}");
    }
    let stored = scene.event(&told).await;
    assert_eq!((stored.deliveries, stored.state, stored.attempts), (2, WebhookState::Received, 0));
    assert_eq!((stored.kind.as_str(), stored.occurred_at.unix_timestamp()), ("thing.happened", told.at));
    assert_eq!(scene.effects().await, [], "it is stored, and worked on later");
    scene.end().await;
}

/// While the database does not answer nothing is received: the provider has to send it again.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_stored_is_not_received() {
    let scene = Scene::set().await;
    let told = scene.told("pi", 1, Does::Counts);
    scene.other.close().await;
    let lost = scene.deliver(1, &told).await.unwrap_err();
    assert_eq!(platform::ServiceError::code(&lost), platform::Code::Unavailable);
    assert_eq!(scene.deliver(0, &told).await.unwrap(), Received::New);
    scene.end().await;
}

/// Whoever works on events is woken as soon as one is stored, on the same node and on others.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_event_wakes_all_nodes() {
    let scene = Scene::set().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let (changes, pool) = (Arc::clone(scene.other.changes()), scene.other.lists().clone());
    let listening = tokio::spawn({
        let stop = stop.clone();
        async move { changes.listen(pool, stop).await }
    });
    let woken = |node: usize| {
        let inbox = Arc::clone(&scene.nodes[node]);
        async move { tokio::time::timeout(Duration::from_secs(5), inbox.news()).await }
    };
    woken(1).await.expect("a node that begins to listen looks once");
    let told = scene.told("pi", 1, Does::Counts);
    scene.deliver(0, &told).await.unwrap();
    let (here, there) = tokio::join!(woken(0), woken(1));
    assert!(here.is_ok() && there.is_ok());
    scene.deliver(0, &told).await.unwrap();
    let again = tokio::time::timeout(Duration::from_millis(100), scene.nodes[0].news()).await;
    assert!(again.is_err(), "a repetition wakes nobody");
    stop.cancel();
    listening.await.unwrap();
    scene.end().await;
}
