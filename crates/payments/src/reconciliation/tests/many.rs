//! Many lines, many nodes, and nodes that die.

use super::*;

impl Scene {
    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.test.database.pool()).await.unwrap()
    }

    /// Each line was read once, and is matched.
    async fn all_matched(&self) {
        let lines = i64::try_from(self.provider.lines()).unwrap();
        let summary = self.summary(Currency::GBP).await;
        assert_eq!((summary.lines, summary.matched, summary.waiting, summary.open), (lines, lines, 0, 0));
        assert_eq!((summary.difference, summary.provider_balance), (gbp(0), summary.ledger_balance));
        let entries =
            self.count("SELECT count(*) FROM payments.reconciled_entries WHERE state = 'matched'").await;
        assert_eq!(entries, 2 * lines, "an amount and a fee for each");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_at_the_same_time_match_each_line_once() {
    let scene = Scene::set().await;
    scene.provider.give_at_most(7);
    for round in 0..4 {
        for _ in 0..20 {
            scene.sold(gbp(1000 + round)).await;
        }
        let runs: Vec<_> = (0..6)
            .map(|turn| {
                let node = Arc::clone(&scene.nodes[turn % 2]);
                tokio::spawn(async move { node.run(&Actor::system()).await.unwrap().pop().unwrap() })
            })
            .collect();
        let (mut lines, mut entries, mut matched) = (0, 0, 0);
        for run in runs {
            let run = run.await.unwrap();
            lines += run.lines;
            entries += run.entries;
            matched += run.matched;
        }
        assert_eq!((lines, entries, matched), (20, 40, 20), "all of it once");
        scene.all_matched().await;
    }
    scene.end().await;
}

/// Differences, too, are found once, whoever looks.
#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_open_an_exception_once() {
    let scene = Scene::set().await;
    for _ in 0..30 {
        let payment = scene.payment(gbp(1000)).await;
        scene.post_sale(payment, gbp(1000)).await;
        scene.provider.write(scene.line_of(payment, gbp(900)));
    }
    let runs: Vec<_> = (0..6)
        .map(|turn| {
            let node = Arc::clone(&scene.nodes[turn % 2]);
            tokio::spawn(async move { node.run(&Actor::system()).await.unwrap().pop().unwrap().opened })
        })
        .collect();
    let mut opened = 0;
    for run in runs {
        opened += run.await.unwrap();
    }
    assert_eq!((opened, scene.open().await.len()), (30, 30));
    scene.end().await;
}

/// The provider goes away after each page in turn: what was read is kept, and what follows comes next.
#[tokio::test(flavor = "multi_thread")]
async fn a_break_between_pages_loses_and_doubles_nothing() {
    let scene = Scene::set().await;
    scene.provider.give_at_most(3);
    for _ in 0..10 {
        scene.sold(gbp(1000)).await;
    }
    for pages in 0..4_i64 {
        scene.provider.answer(Some(usize::from(pages > 0)));
        assert!(scene.desk().run(&Actor::system()).await.is_err());
        assert_eq!(scene.count("SELECT count(*) FROM payments.balance_lines").await, pages * 3);
    }
    scene.provider.answer(None);
    let run = scene.run().await;
    assert_eq!((run.lines, run.matched), (1, 10));
    scene.all_matched().await;
    scene.end().await;
}

/// A node dies anywhere in a run, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_in_the_middle_leaves_the_rest_to_the_next() {
    let scene = Scene::set().await;
    scene.provider.give_at_most(5);
    for _ in 0..60 {
        scene.sold(gbp(1000)).await;
    }
    for millis in [1_u64, 2, 3, 5, 8, 13, 21, 34] {
        let node = Arc::clone(&scene.nodes[usize::from(millis % 2 == 0)]);
        let run = tokio::spawn(async move { node.run(&Actor::system()).await.map(drop) });
        tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
        run.abort();
        let _ = run.await;
        let broken = scene.violations().await;
        assert_eq!(broken, [], "after {millis} ms");
    }
    scene.run().await;
    scene.all_matched().await;
    scene.end().await;
}

/// More than a portion of everything: 1,100 things in pages of the ledger, of the provider and of comparing.
#[tokio::test(flavor = "multi_thread")]
async fn large_books_are_compared_in_portions() {
    let scene = Scene::set().await;
    let mut sales = Vec::new();
    for _ in 0..1_100 {
        let id: PaymentId = scene.sources.id();
        scene.provider.write(scene.line_of(id, gbp(1000)));
        let share = Share { store: scene.store, amount: 1000, commission: 0, commission_tax: 0 };
        sales.push(Sale {
            order: id.uuid(),
            payment: id,
            currency: Currency::GBP,
            at: scene.now(),
            shares: vec![share],
        });
    }
    let ids: Vec<Uuid> = sales.iter().map(|sale| sale.order).collect();
    sqlx::query(
        "INSERT INTO payments.payments (id, order_id, provider, amount, currency, state, captured, fee, provider_reference,
             created_at, updated_at)
         SELECT id, id, 'fake', 1000, 'GBP', 'succeeded', 1000, 35, 'ch_' || id::text, now(), now() FROM unnest($1::uuid[]) AS id",
    )
    .bind(&ids)
    .execute(scene.test.database.pool())
    .await
    .unwrap();
    sale::post(&scene.test.database, &PayoutDefaults::default(), &sales, scene.now()).await.unwrap();
    let run = scene.run().await;
    assert_eq!((run.lines, run.entries, run.matched), (1_100, 2_200, 1_100));
    scene.all_matched().await;
    scene.end().await;
}

/// By itself it runs once an hour, on one node; a new marketplace has its first hour for itself.
#[tokio::test(flavor = "multi_thread")]
async fn by_itself_it_runs_once_an_hour_on_one_node() {
    let scene = Scene::set().await;
    scene.sold(gbp(1000)).await;
    assert_eq!(scene.desk().carry_on().await.unwrap(), 0);
    scene.clock.advance(Duration::HOUR);
    let (one, other) = tokio::join!(scene.nodes[0].carry_on(), scene.nodes[1].carry_on());
    assert_eq!((one.unwrap() + other.unwrap()), 1 + 2 + 1, "a line, two entries, a match");
    scene.sold(gbp(1000)).await;
    assert_eq!(scene.desk().carry_on().await.unwrap(), 0);
    scene.clock.advance(Duration::HOUR);
    assert_eq!(scene.desk().carry_on().await.unwrap(), 4);
    scene.all_matched().await;
    scene.end().await;
}
