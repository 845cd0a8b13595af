//! The archive, replays, and who may see what.

use identity::{Credential, PlatformRole, Principal, StoreRole, Subject};
use platform::audit::{self, Filter};
use time::Duration as Span;

use super::*;
use crate::WebhookState::{Failed, Processed, Received as Stored, Waiting};
use crate::inbox::archive::{AT_HAND, BODY_KEPT};

async fn archived(scene: &Scene) -> Vec<(String, i32, bool)> {
    sqlx::query_as(
        "SELECT event_id, deliveries, body IS NOT NULL FROM payments.webhook_archive ORDER BY event_id",
    )
    .fetch_all(scene.test.database.pool())
    .await
    .unwrap()
}

/// What is done with is archived after 30 days; a very late repetition is known as one; in the end the body goes, and the
/// name stays.
#[tokio::test(flavor = "multi_thread")]
async fn old_events_are_archived_and_still_known() {
    let scene = Scene::set().await;
    let (done, poison) = (scene.told("pi", 1, Does::Counts), scene.told("poison", 1, Does::Garbage));
    scene.deliver(0, &done).await.unwrap();
    scene.deliver(0, &poison).await.unwrap();
    scene.process().await;
    scene.clock.advance(AT_HAND);
    assert_eq!(scene.nodes[0].archive().await.unwrap(), 0, "it is not its time");
    let young = scene.told("pi", 2, Does::Counts);
    scene.deliver(0, &young).await.unwrap();
    scene.process().await;
    scene.clock.advance(Span::SECOND);
    assert_eq!(scene.nodes[0].archive().await.unwrap(), 1);
    assert_eq!(archived(&scene).await, [("evt_pi_1".to_owned(), 1, true)]);
    let left: Vec<_> =
        scene.events(&WebhookFilter::default()).await.into_iter().map(|one| one.event_id).collect();
    assert_eq!(left, ["evt_pi_2", "evt_poison_1"], "what failed waits for somebody");

    assert_eq!(scene.deliver(1, &done).await.unwrap(), Received::Repeated);
    assert_eq!(scene.process().await, 0);
    assert_eq!(archived(&scene).await, [("evt_pi_1".to_owned(), 2, true)]);

    scene.clock.advance(BODY_KEPT);
    assert_eq!(scene.nodes[0].archive().await.unwrap(), 3, "one is archived, and two bodies go");
    assert_eq!(
        archived(&scene).await,
        [("evt_pi_1".to_owned(), 2, false), ("evt_pi_2".to_owned(), 1, false)]
    );
    assert_eq!(scene.deliver(0, &done).await.unwrap(), Received::Repeated);
    let gone = scene.nodes[0].replay(&Actor::system(), "fake", &done.id).await;
    assert!(matches!(gone, Err(Error::WebhookGone)));
    assert_eq!(scene.effects().await.len(), 2);
    scene.end().await;
}

/// A repetition that was stored at the very moment the event was archived does not take effect again.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_archive_has_no_effect() {
    let scene = Scene::set().await;
    let told = scene.told("pi", 1, Does::Counts);
    scene.deliver(0, &told).await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO payments.webhook_archive
         SELECT provider, event_id, id, kind, subject, occurred_at, received_at, body, 1, 'processed', received_at
         FROM payments.webhook_events",
    )
    .execute(scene.test.database.pool())
    .await
    .unwrap();
    assert_eq!(scene.process().await, 1);
    assert_eq!(scene.effects().await, []);
    scene.clock.advance(AT_HAND + Span::SECOND);
    scene.nodes[0].archive().await.unwrap();
    assert_eq!(archived(&scene).await, [("evt_pi_1".to_owned(), 2, true)]);
    scene.end().await;
}

/// A replay has the event applied once more, from its raw body, and is written down.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_applies_it_again() {
    let scene = Scene::set().await;
    let told = scene.told("pi", 1, Does::Counts);
    scene.deliver(0, &told).await.unwrap();
    scene.process().await;
    let system = Actor::system();
    let replayed = scene.nodes[1].replay(&system, "fake", &told.id).await.unwrap();
    assert_eq!((replayed.state, replayed.attempts, replayed.processed_at), (Stored, 0, None));
    assert_eq!(scene.process().await, 1);
    assert_eq!(scene.effects().await.len(), 2);
    // Also one that is archived, which comes back for that.
    scene.clock.advance(AT_HAND + Span::SECOND);
    scene.nodes[0].archive().await.unwrap();
    scene.nodes[0].replay(&system, "fake", &told.id).await.unwrap();
    assert_eq!(archived(&scene).await, []);
    assert_eq!(scene.process().await, 1);
    assert_eq!(scene.effects().await.len(), 3);
    assert_eq!(scene.event(&told).await.state, Processed);
    for (provider, event) in [("fake", "evt_none"), ("nobody", told.id.as_str()), ("fake", "a\0b")] {
        let unknown = scene.nodes[0].replay(&system, provider, event).await;
        assert!(matches!(unknown, Err(Error::WebhookNotFound)), "{provider} {event}");
    }
    let all = Filter { actor_id: None, target_id: None, store_id: None, action: None };
    let entries = audit::entries(&scene.test.database, &all, None, 10).await.unwrap();
    assert_eq!(entries.len(), 2);
    for entry in entries {
        assert_eq!((entry.action.as_str(), entry.target_id), ("webhook.replayed", replayed.id.uuid()));
        assert_eq!(entry.facts, serde_json::json!({"provider": "fake", "event_id": told.id}));
    }
    scene.end().await;
}

/// What waits is tried at once when it is replayed; those behind it follow; and it may wait its full time again.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_ends_a_pause() {
    let scene = Scene::set().await;
    let (early, behind) = (scene.told("pi", 1, Does::Overtakes), scene.told("pi", 2, Does::Counts));
    scene.deliver(0, &early).await.unwrap();
    scene.deliver(0, &behind).await.unwrap();
    for _ in 0..10 {
        scene.process().await;
        scene.clock.advance(Span::minutes(10));
    }
    scene.process().await;
    scene.clock.advance(Span::days(3));
    scene.nodes[0].replay(&Actor::system(), "fake", &early.id).await.unwrap();
    assert_eq!(scene.process().await, 1);
    assert_eq!(scene.event(&early).await.state, Waiting, "its three days begin anew");
    scene.effect.there.lock().unwrap().insert("pi".to_owned());
    scene.nodes[0].replay(&Actor::system(), "fake", &early.id).await.unwrap();
    assert_eq!(scene.process().await, 2);
    assert_eq!(scene.effects().await, [("pi".to_owned(), 1), ("pi".to_owned(), 2)]);
    scene.end().await;
}

/// All that failed since a time can be replayed together.
#[tokio::test(flavor = "multi_thread")]
async fn all_that_failed_is_replayed() {
    let scene = Scene::set().await;
    let old = scene.told("old", 1, Does::Garbage);
    scene.deliver(0, &old).await.unwrap();
    scene.process().await;
    scene.clock.advance(Span::HOUR);
    let since = scene.sources.now();
    for number in 0..3 {
        scene.deliver(0, &scene.told(&format!("pi_{number}"), 1, Does::Garbage)).await.unwrap();
    }
    scene.process().await;
    assert_eq!(scene.nodes[0].replay_failed(&Actor::system(), since).await.unwrap(), 3);
    let failed = WebhookFilter { state: Some(Failed), ..WebhookFilter::default() };
    let left: Vec<_> = scene.events(&failed).await.into_iter().map(|event| event.event_id).collect();
    assert_eq!(left, [old.id]);
    assert_eq!(scene.process().await, 3);
    assert_eq!(scene.events(&failed).await.len(), 4, "they can still not be read");
    assert_eq!(
        scene.nodes[0].replay_failed(&Actor::system(), scene.sources.now() + Span::SECOND).await.unwrap(),
        0
    );
    scene.end().await;
}

/// The list goes through all events by slices, the last first, and is for operators with a second factor alone.
#[tokio::test(flavor = "multi_thread")]
async fn operators_see_the_list() {
    let scene = Scene::set().await;
    for number in 0..5 {
        // Two come in the same moment.
        scene.clock.advance(Span::microseconds(number % 2));
        scene.deliver(0, &scene.told("pi", number, Does::Counts)).await.unwrap();
    }
    let mut operator = Principal {
        subject: Subject::User(scene.sources.id()),
        credential: Credential::Session(scene.sources.id()),
        role: Some(PlatformRole::Operator),
        memberships: vec![(scene.sources.id(), StoreRole::Owner)],
        scopes: None,
        second_factor_at: Some(scene.sources.now()),
    };
    let (inbox, everything) = (&scene.nodes[0], WebhookFilter::default());
    let trusted = Actor::known(operator.clone());
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let slice = CursorRequest { first: 2, after };
        let page = inbox.events(&trusted, &everything, &slice).await.unwrap();
        seen.extend(page.data.into_iter().map(|event| (event.received_at, event.id)));
        if !page.page_info.has_next_page {
            break;
        }
        after = page.page_info.end_cursor.as_deref().map(platform::Cursor::presented);
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|one, next| one > next), "{seen:?}");
    for (provider, subject, found) in
        [(Some("fake"), Some("pi"), 5), (Some("nobody"), None, 0), (None, Some("p\0i"), 0)]
    {
        let filter = WebhookFilter {
            state: None,
            provider: provider.map(Into::into),
            subject: subject.map(Into::into),
        };
        assert_eq!(scene.events(&filter).await.len(), found);
    }
    let slice = CursorRequest { first: 2, after: Some(platform::Cursor::presented("x")) };
    assert!(matches!(inbox.events(&trusted, &everything, &slice).await, Err(Error::Cursor(_))));

    let slice = CursorRequest { first: 2, after: None };
    operator.second_factor_at = None;
    let bare = Actor::known(operator.clone());
    let nobody =
        Actor::known(Principal { role: None, second_factor_at: Some(scene.sources.now()), ..operator });
    for actor in [Actor::stranger(), bare, nobody] {
        assert!(matches!(inbox.events(&actor, &everything, &slice).await, Err(Error::Denied(_))));
        assert!(matches!(inbox.replay(&actor, "fake", "evt_pi_1").await, Err(Error::Denied(_))));
        assert!(matches!(inbox.replay_failed(&actor, scene.sources.now()).await, Err(Error::Denied(_))));
    }
    scene.end().await;
}
