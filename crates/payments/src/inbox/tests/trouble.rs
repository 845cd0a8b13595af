//! Events that come too early, fail, panic, or are interrupted.

use std::time::Duration;

use platform::Violation;
use time::Duration as Span;

use super::*;
use crate::WebhookState::{Failed, Ignored, Processed, Received as Stored, Waiting};
use crate::inbox::process::PATIENCE;
use crate::inbox::turn::MAX_ATTEMPTS;

/// An event that overtook what it is about waits for it, those behind it wait as well, and others do not.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_waits_for_what_it_overtook() {
    let scene = Scene::set().await;
    let early = scene.told("pi", 1, Does::Overtakes);
    let behind = scene.told("pi", 2, Does::Counts);
    let other = scene.told("other", 1, Does::Counts);
    for told in [&behind, &early, &other] {
        scene.deliver(0, told).await.unwrap();
    }
    assert_eq!(scene.process().await, 2);
    assert_eq!(scene.effects().await, [("other".to_owned(), 1)]);
    let waiting = scene.event(&early).await;
    assert_eq!((waiting.state, waiting.attempts), (Waiting, 1));
    assert_eq!(waiting.last_error.as_deref(), Some("waits: there is no pi"));
    assert_eq!(waiting.due_at, Some(scene.sources.now() + Span::seconds(2)));
    assert_eq!((scene.event(&behind).await.state, scene.event(&behind).await.attempts), (Stored, 0));
    for pause in [2, 4, 8] {
        assert_eq!(scene.process().await, 0, "it is not its time");
        scene.clock.advance(Span::seconds(pause));
        assert_eq!(scene.process().await, 1);
    }
    // One that happened before those comes at last, and waits for nothing.
    let late = scene.told("pi", 0, Does::Counts);
    scene.deliver(1, &late).await.unwrap();
    assert_eq!(scene.process().await, 1);
    scene.effect.there.lock().unwrap().insert("pi".to_owned());
    scene.clock.advance(Span::seconds(16));
    assert_eq!(scene.process().await, 2);
    let effects = scene.effects().await;
    let numbers: Vec<i64> = effects.iter().filter(|one| one.0 == "pi").map(|one| one.1).collect();
    assert_eq!(numbers, [0, 1, 2]);
    assert_eq!(scene.event(&early).await.last_error, None);
    scene.end().await;
}

/// It does not wait for ever, and those behind it do not either.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_after_three_days() {
    let scene = Scene::set().await;
    let early = scene.told("pi", 1, Does::Overtakes);
    let behind = scene.told("pi", 2, Does::Counts);
    scene.deliver(0, &early).await.unwrap();
    scene.deliver(0, &behind).await.unwrap();
    let begun = scene.sources.now();
    while scene.event(&early).await.state != Failed {
        assert!(scene.sources.now() - begun <= PATIENCE + Span::minutes(10), "it still waits");
        assert_eq!(scene.effects().await, []);
        scene.process().await;
        scene.clock.advance(Span::minutes(10));
    }
    assert!(scene.sources.now() - begun >= PATIENCE);
    scene.process().await;
    assert_eq!(scene.effects().await, [("pi".to_owned(), 2)]);
    let message = "thing.happened was given up: waits: there is no pi";
    let violation = Violation::new("payments/webhooks_processed", "fake/evt_pi_1", message);
    assert_eq!(scene.nodes[0].verify().await.unwrap(), [violation]);
    // A younger one of the subject does not wait for one that was given up.
    let younger = scene.told("pi", 3, Does::Counts);
    scene.deliver(0, &younger).await.unwrap();
    assert_eq!(scene.process().await, 1);
    // Nor does it come back when it is delivered again: that is for somebody to decide.
    assert_eq!(scene.deliver(0, &early).await.unwrap(), Received::Repeated);
    assert_eq!(scene.process().await, 0);
    scene.end().await;
}

/// What fails leaves nothing behind, is tried again a number of times, and takes nobody down with it.
#[tokio::test(flavor = "multi_thread")]
async fn poison_stays_alone() {
    let scene = Scene::set().await;
    let poison = [
        scene.told("errs", 1, Does::Errs),
        scene.told("panics", 1, Does::Panics),
        scene.told("garbage", 1, Does::Garbage),
    ];
    for told in &poison {
        scene.deliver(0, told).await.unwrap();
        let behind = Told { subject: told.subject.clone(), ..scene.told(&told.subject, 2, Does::Counts) };
        scene.deliver(0, &behind).await.unwrap();
    }
    scene.deliver(0, &scene.told("unused", 1, Does::Nothing)).await.unwrap();
    for number in 0..50 {
        scene.deliver(0, &scene.told(&format!("pi_{number}"), 1, Does::Counts)).await.unwrap();
    }
    scene.process().await;
    let effects = scene.effects().await;
    assert_eq!(effects.len(), 51, "all others, and the one behind what can never be read: {effects:?}");
    assert_eq!(scene.event(&scene.told("unused", 1, Does::Nothing)).await.state, Ignored);
    let garbage = scene.event(&poison[2]).await;
    assert_eq!((garbage.state, garbage.attempts), (Failed, 1));
    assert_eq!(garbage.last_error.as_deref(), Some("the provider does not know such a field"));
    for (told, error) in
        [(&poison[0], "the payment provider does not answer"), (&poison[1], "its effect panicked: poison")]
    {
        let event = scene.event(told).await;
        assert_eq!((event.state, event.attempts, event.last_error.as_deref()), (Stored, 1, Some(error)));
    }
    for _ in 1..MAX_ATTEMPTS {
        scene.clock.advance(Span::minutes(10));
        scene.process().await;
    }
    for told in &poison[..2] {
        let event = scene.event(told).await;
        assert_eq!((event.state, event.attempts, event.due_at), (Failed, MAX_ATTEMPTS, None));
    }
    assert_eq!(scene.effects().await.len(), 53, "those behind them do not wait any longer");
    assert_eq!(scene.nodes[0].verify().await.unwrap().len(), 3);
    scene.clock.advance(Span::days(30));
    assert_eq!(scene.process().await, 0);
    scene.end().await;
}

/// A node dies between the effect and its commit: nothing of it is there, and another node has it take effect, once.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_interrupted_takes_effect_once() {
    let scene = Scene::set().await;
    let told = scene.told("pi", 1, Does::LosesPower);
    scene.deliver(0, &told).await.unwrap();
    let dying = Arc::clone(&scene.nodes[0]);
    let dying = tokio::spawn(async move { dying.process_due().await });
    scene.effect.written.notified().await;
    // While it holds the subject, the other node leaves it alone.
    assert_eq!(scene.nodes[1].process_due().await.unwrap(), 0);
    assert_eq!(scene.event(&told).await.state, Stored);
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    *scene.effect.powered.lock().unwrap() = true;
    let taken_over = async {
        while scene.nodes[1].process_due().await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), taken_over).await.expect("the subject is let go of");
    assert_eq!(scene.effects().await, [("pi".to_owned(), 1)]);
    let event = scene.event(&told).await;
    assert_eq!((event.state, event.attempts), (Processed, 1));
    assert_eq!(scene.effect.tries.lock().unwrap()[&told.id], 2);
    scene.end().await;
}

/// An effect whose commit is refused, by a constraint that looks at the end, has failed like any other.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_commit_is_an_error_of_the_event() {
    let scene = Scene::set().await;
    sqlx::raw_sql(
        "ALTER TABLE payments.test_effects ADD CONSTRAINT unbalanced UNIQUE (number) DEFERRABLE INITIALLY DEFERRED",
    )
    .execute(scene.test.database.pool())
    .await
    .unwrap();
    for subject in ["first", "second"] {
        scene.deliver(0, &scene.told(subject, 7, Does::Counts)).await.unwrap();
        scene.process().await;
    }
    assert_eq!(scene.effects().await, [("first".to_owned(), 7)]);
    let refused = scene.event(&scene.told("second", 7, Does::Counts)).await;
    assert_eq!((refused.state, refused.attempts), (Stored, 1));
    assert!(refused.last_error.unwrap().contains("unbalanced"));
    scene.end().await;
}
