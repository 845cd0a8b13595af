//! What one node tells the others.

use std::time::Duration;

use platform::Tag;
use testkit::TestApp;

use crate::stage::Node;

/// A transaction that touches and announces thousands tells the other nodes exactly those; what was not committed is
/// told nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_transaction_is_told_tag_by_tag() {
    let test = TestApp::start().await;
    let node = Node::start(&test).await;
    let tag = |number: usize| Tag::topic(&format!("thing {number}"));
    let (last, bystander) = (tag(1_999), tag(5_000));
    let stamp = node.changes.stamp();
    let (mut told, mut not_told) = (node.changes.watch(last), node.changes.watch(bystander));
    let mut here = test.app.database.changes().watch(last);

    let mut given_up = test.app.database.begin().await.unwrap();
    given_up.touch(bystander);
    given_up.announce(bystander);
    drop(given_up);
    let mut tx = test.app.database.begin().await.unwrap();
    (0..2_000).for_each(|number| tx.announce(tag(number)));
    (2_000..4_000).for_each(|number| tx.touch(tag(number)));
    tx.commit(test.app.sources.now()).await.unwrap();

    tokio::time::timeout(Duration::from_secs(5), here.changed()).await.expect("told here");
    tokio::time::timeout(Duration::from_secs(5), told.changed()).await.expect("told there");
    let heard = async || {
        while node.changes.untouched(stamp, &[tag(3_999)]).is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), heard()).await.expect("touched there");
    assert!(node.changes.untouched(stamp, &[bystander, last]).is_some(), "who announces touches nothing");
    assert!(node.changes.untouched(stamp, &[bystander, tag(2_000)]).is_none());
    let woken = tokio::time::timeout(Duration::from_millis(50), not_told.changed()).await;
    assert!(woken.is_err(), "that was rolled back");
    node.stop().await;
    test.finish().await;
}
