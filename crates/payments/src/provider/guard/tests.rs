use std::collections::VecDeque;
use std::sync::Mutex;

use platform::{Clock, Currency, Entropy};
use time::macros::datetime;

use super::*;
use crate::PaymentId;
use crate::provider::{Partial, Status};

/// What the scripted provider does when it is asked.
#[derive(Clone, Copy, Debug)]
enum Does {
    Succeed,
    Refuse,
    BeGone,
    LoseOurDatabase,
    Hang,
}

/// A provider that does what the script says, one step for each item it is asked about; when the script is over, it
/// succeeds.
#[derive(Default)]
struct Scripted {
    script: Mutex<VecDeque<Does>>,
    /// The ids of each call.
    calls: Mutex<Vec<Vec<PaymentId>>>,
}

impl Scripted {
    async fn step(&self) -> Result<Said, ProviderError> {
        let does = self.script.lock().unwrap().pop_front().unwrap_or(Does::Succeed);
        match does {
            Does::Succeed => {
                let reference = "ch_1".to_owned();
                Ok(Said { reference, status: Status::Succeeded, fee: None, method: None })
            }
            Does::Refuse => {
                Err(ProviderError::Refused { code: "no".to_owned(), message: "never".to_owned() })
            }
            Does::BeGone => Err(ProviderError::Unavailable("gone".to_owned())),
            Does::LoseOurDatabase => Err(ProviderError::Database(sqlx::Error::PoolTimedOut)),
            Does::Hang => std::future::pending().await,
        }
    }

    fn plan(&self, script: &[Does]) {
        self.script.lock().unwrap().extend(script);
    }

    fn calls(&self) -> Vec<Vec<PaymentId>> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

#[async_trait]
impl Partial for Scripted {
    async fn charge(&self, asked: &[Asked]) -> Vec<Result<Said, ProviderError>> {
        self.calls.lock().unwrap().push(asked.iter().map(|one| one.id).collect());
        let mut said = Vec::new();
        for _ in asked {
            said.push(self.step().await);
        }
        said
    }
    async fn look(&self, payment: &Named) -> Result<Said, ProviderError> {
        self.calls.lock().unwrap().push(vec![payment.id]);
        self.step().await
    }
}

struct Still;
impl Clock for Still {
    fn now(&self) -> OffsetDateTime {
        datetime!(2026-11-21 12:00 UTC)
    }
}
impl Entropy for Still {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0xff);
    }
}

const PATIENCE: Patience = Patience {
    deadline: Duration::from_secs(10),
    tries: 3,
    pause: Duration::from_millis(200),
    outage_after: 4,
    outage_pause: Duration::from_secs(15),
};

fn guarded() -> (Arc<Scripted>, Guard) {
    let provider = Arc::new(Scripted::default());
    let sources = Sources::new(Arc::new(Still), Arc::new(Still));
    (Arc::clone(&provider), Guard::new(provider, PATIENCE, sources))
}

fn id(n: u8) -> PaymentId {
    PaymentId::new(Still.now(), &[n; 10])
}

fn payment() -> Named {
    Named { id: id(1), reference: "ch_1".to_owned() }
}

fn asked(n: u8) -> Asked {
    Asked {
        id: id(n),
        order: id(n).uuid(),
        amount: Money::new(100, Currency::GBP),
        token: PaymentToken::presented("tok_visa"),
        keep_for: None,
        return_url: None,
        at: Still.now(),
    }
}

fn is_gone<T>(answer: &Result<T, ProviderError>) -> bool {
    matches!(answer, Err(ProviderError::Unavailable(_)))
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_asked_again_and_what_does_not_is_not() {
    let (provider, guard) = guarded();
    provider.plan(&[Does::BeGone, Does::LoseOurDatabase, Does::Succeed]);
    let begun = Instant::now();
    assert!(guard.look(&payment()).await.is_ok());
    assert_eq!(provider.calls().len(), 3);
    assert_eq!(begun.elapsed().as_millis() / 10, 60, "waits 200 ms, then twice as long");

    provider.plan(&[Does::Refuse]);
    assert!(matches!(guard.look(&payment()).await, Err(ProviderError::Refused { .. })));
    assert_eq!(provider.calls().len(), 1);

    provider.plan(&[Does::BeGone; 3]);
    assert!(is_gone(&guard.look(&payment()).await));
    assert_eq!(provider.calls().len(), 3, "no more than three tries");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_deadline() {
    let (provider, guard) = guarded();
    let begun = Instant::now();
    provider.plan(&[Does::Hang]);
    assert!(is_gone(&guard.look(&payment()).await));
    assert_eq!(begun.elapsed(), PATIENCE.deadline);

    let begun = Instant::now();
    provider.plan(&[Does::BeGone, Does::Hang]);
    assert!(is_gone(&guard.look(&payment()).await));
    assert_eq!(begun.elapsed(), PATIENCE.deadline, "all tries together");

    provider.calls();
    provider.plan(&[Does::Hang]);
    let answers = guard.charge(&[asked(1), asked(2)]).await;
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(is_gone));
    assert_eq!(provider.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_many_only_those_without_an_answer_are_asked_again() {
    let (provider, guard) = guarded();
    provider.plan(&[Does::Succeed, Does::BeGone, Does::Refuse, Does::BeGone]);
    provider.plan(&[Does::Succeed, Does::BeGone]);
    let answers = guard.charge(&[asked(1), asked(2), asked(3), asked(4)]).await;
    assert_eq!(provider.calls(), [vec![id(1), id(2), id(3), id(4)], vec![id(2), id(4)], vec![id(4)]]);
    assert!(answers[0].is_ok() && answers[1].is_ok() && answers[3].is_ok());
    assert!(matches!(answers[2], Err(ProviderError::Refused { .. })));

    // What was answered before the deadline stays answered.
    provider.plan(&[Does::Succeed, Does::BeGone, Does::Hang]);
    let answers = guard.charge(&[asked(1), asked(2)]).await;
    assert!(answers[0].is_ok() && is_gone(&answers[1]));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_gone_is_left_alone_until_one_finds_it_back() {
    let (provider, guard) = guarded();
    provider.plan(&[Does::BeGone; 4]);
    assert!(is_gone(&guard.look(&payment()).await));
    assert!(is_gone(&guard.look(&payment()).await));
    assert_eq!(provider.calls().len(), 4, "the fourth answer in a row that is none ends the tries");

    let begun = Instant::now();
    assert!(is_gone(&guard.look(&payment()).await));
    assert!(guard.charge(&[asked(1), asked(2)]).await.iter().all(is_gone));
    assert_eq!((provider.calls().len(), begun.elapsed()), (0, Duration::ZERO), "answered at once, unasked");

    // The first after the pause asks, all others are told at once; it hangs, so that the pause begins anew.
    tokio::time::advance(PATIENCE.outage_pause).await;
    provider.plan(&[Does::Hang]);
    let (one, other) = (payment(), payment());
    let (probe, at_once) = tokio::join!(guard.look(&one), guard.look(&other));
    assert!(is_gone(&probe) && is_gone(&at_once));
    assert_eq!(provider.calls().len(), 1);
    assert!(is_gone(&guard.look(&payment()).await));
    assert_eq!(provider.calls().len(), 0);

    // A refusal too shows that it is there.
    tokio::time::advance(PATIENCE.outage_pause).await;
    provider.plan(&[Does::Refuse]);
    assert!(!is_gone(&guard.look(&payment()).await));
    assert!(guard.look(&payment()).await.is_ok());
    provider.calls();
    provider.plan(&[Does::BeGone; 3]);
    assert!(is_gone(&guard.look(&payment()).await));
    assert!(guard.look(&payment()).await.is_ok(), "three are counted anew");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_given_up_does_not_bar_the_next() {
    let (provider, guard) = guarded();
    provider.plan(&[Does::BeGone; 4]);
    let _ = guard.look(&payment()).await;
    let _ = guard.look(&payment()).await;
    tokio::time::advance(PATIENCE.outage_pause).await;
    provider.plan(&[Does::Hang]);
    let given_up = tokio::time::timeout(Duration::from_secs(1), guard.look(&payment())).await;
    assert!(given_up.is_err());
    assert!(is_gone(&guard.look(&payment()).await));
    tokio::time::advance(PATIENCE.deadline).await;
    assert!(guard.look(&payment()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn our_own_database_opens_no_breaker() {
    let (provider, guard) = guarded();
    provider.plan(&[Does::LoseOurDatabase; 9]);
    for _ in 0..3 {
        assert!(matches!(guard.look(&payment()).await, Err(ProviderError::Database(_))));
    }
    assert!(guard.look(&payment()).await.is_ok());
}
