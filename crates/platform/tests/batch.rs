//! Batches on a real PostgreSQL: what gets in their way, what is tried again, and who is served first.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use platform::batch::{Batch, Error, Settings, Work};
use platform::postgres::{Cluster, Options};
use platform::{Code, Database};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;
use tokio::sync::{Mutex as TokioMutex, mpsc};
use tokio::task::JoinHandle;

const TABLES: &str = "
    CREATE TABLE sums (id int PRIMARY KEY, sum bigint NOT NULL);
    INSERT INTO sums VALUES (1, 0), (2, 0);
    CREATE TABLE served (place bigserial PRIMARY KEY, number bigint NOT NULL UNIQUE CONSTRAINT fits CHECK (number <> 13));";
/// As it is everywhere in Souk, but that this transaction notices a deadlock before the other one does.
const USUAL: &str = "BEGIN; SET LOCAL deadlock_timeout = '50ms'";
const REPEATABLE_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ";

/// Stops between the two rows that a batch changes: says so, and waits to be told to go on.
struct Halt {
    halfway: mpsc::UnboundedSender<()>,
    go_on: TokioMutex<mpsc::UnboundedReceiver<()>>,
}

/// Adds its numbers to both sums, and writes them down in the order of being served.
struct Adding {
    database: Database,
    begin: &'static str,
    halt: Option<Halt>,
    /// Has each batch of these turns fail as two transactions do that read what the other wrote: 3, 6, 9...
    collides: Option<usize>,
    batches: Mutex<Vec<Vec<i64>>>,
}

struct Adder(Arc<Adding>);

#[async_trait]
impl Work for Adder {
    type Item = i64;
    type Answer = i64;

    async fn serve(&self, items: &[i64]) -> Result<Vec<i64>, sqlx::Error> {
        let turn = {
            let mut batches = self.0.batches.lock().unwrap();
            batches.push(items.to_vec());
            batches.len()
        };
        let mut tx = self.0.database.pool().begin_with(self.0.begin).await?;
        sqlx::query("UPDATE sums SET sum = sum + $1 WHERE id = 1")
            .bind(items.iter().sum::<i64>())
            .execute(&mut *tx)
            .await?;
        if let Some(halt) = &self.0.halt {
            halt.halfway.send(()).unwrap();
            halt.go_on.lock().await.recv().await.unwrap();
        }
        sqlx::query("UPDATE sums SET sum = sum + $1 WHERE id = 2")
            .bind(items.iter().sum::<i64>())
            .execute(&mut *tx)
            .await?;
        sqlx::query("INSERT INTO served (number) SELECT unnest($1::bigint[])")
            .bind(items)
            .execute(&mut *tx)
            .await?;
        if self.0.collides.is_some_and(|every| turn % every == 0) {
            sqlx::raw_sql("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$").execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(items.to_vec())
    }
}

type Outcome = Result<i64, Error>;

/// A queue on a cluster of its own, and a connection beside it.
struct Stage {
    batch: Arc<Batch<Adder>>,
    work: Arc<Adding>,
    halfway: mpsc::UnboundedReceiver<()>,
    go_on: mpsc::UnboundedSender<()>,
    other: PgConnection,
    cluster: Cluster,
    _folder: TempDir,
}

impl Stage {
    async fn new(begin: &'static str, halts: bool, collides: Option<usize>, settings: Settings) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("souk-test-")
            .permissions(Permissions::from_mode(0o711))
            .tempdir_in("/tmp")
            .unwrap();
        let cluster = Cluster::start(Options {
            data_dir: folder.path().to_owned(),
            command: "a test".to_owned(),
            binaries: std::env::var_os("SOUK_POSTGRES_BIN").map(Into::into),
            settings: vec![("fsync".to_owned(), "off".to_owned())],
        })
        .await
        .unwrap();
        let mut other = PgConnection::connect_with(&cluster.connect_options()).await.unwrap();
        sqlx::raw_sql(TABLES).execute(&mut other).await.unwrap();
        let ((say, halfway), (go_on, told)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let work = Arc::new(Adding {
            database: Database::connect(cluster.connect_options(), 5).await.unwrap(),
            begin,
            halt: halts.then(|| Halt { halfway: say, go_on: TokioMutex::new(told) }),
            collides,
            batches: Mutex::default(),
        });
        let batch = Arc::new(Batch::open(Adder(Arc::clone(&work)), settings));
        Self { batch, work, halfway, go_on, other, cluster, _folder: folder }
    }

    /// One that stops halfway in each batch.
    async fn halting(begin: &'static str) -> Self {
        Self::new(begin, true, None, Settings::named("test")).await
    }

    /// Waits until a batch stands halfway.
    async fn stands_halfway(&mut self) {
        let patience = Duration::from_secs(10);
        tokio::time::timeout(patience, self.halfway.recv()).await.expect("a batch comes").unwrap();
    }

    /// Has these called for, in this order.
    fn call(&self, numbers: impl IntoIterator<Item = i64>) -> Vec<JoinHandle<Outcome>> {
        let calls = numbers.into_iter().map(|number| {
            let batch = Arc::clone(&self.batch);
            let mut call: Pin<Box<dyn Future<Output = Outcome> + Send>> =
                Box::pin(async move { batch.call(number).await });
            // Once it was looked at it stands in the queue.
            assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            tokio::spawn(call)
        });
        calls.collect()
    }

    /// Has these served in one batch, which stands halfway: they came while another, of 1,000, was served.
    async fn begin_together(&mut self, numbers: [i64; 3]) -> Vec<JoinHandle<Outcome>> {
        let first = self.call([1_000]);
        self.stands_halfway().await;
        let calls = self.call(numbers);
        self.go_on.send(()).unwrap();
        for call in first {
            assert_eq!(outcome(call).await.unwrap(), 1_000);
        }
        self.stands_halfway().await;
        calls
    }

    /// Lets the batch that stands halfway, and as many after it, go on as soon as they stand there.
    async fn let_go(&mut self, more: usize) {
        self.go_on.send(()).unwrap();
        for _ in 0..more {
            self.stands_halfway().await;
            self.go_on.send(()).unwrap();
        }
    }

    /// The batches after the one of 1,000.
    fn batches(&self) -> Vec<Vec<i64>> {
        self.work.batches.lock().unwrap().iter().skip_while(|batch| **batch == [1_000]).cloned().collect()
    }

    /// What was served, in its order; both sums agree with it, but for what `other` added.
    async fn served(&mut self, added: i64) -> Vec<i64> {
        let served: Vec<i64> = sqlx::query_scalar("SELECT number FROM served ORDER BY place")
            .fetch_all(&mut self.other)
            .await
            .unwrap();
        let sums: Vec<i64> =
            sqlx::query_scalar("SELECT sum FROM sums ORDER BY id").fetch_all(&mut self.other).await.unwrap();
        let sum = served.iter().sum::<i64>() + added;
        assert_eq!(sums, [sum, sum]);
        served
    }

    async fn end(self) {
        self.work.database.close().await;
        self.other.close().await.unwrap();
        self.cluster.stop().await.unwrap();
    }
}

/// What a call came to, which stands in no queue for ever.
async fn outcome(call: JoinHandle<Outcome>) -> Outcome {
    tokio::time::timeout(Duration::from_secs(20), call).await.expect("it is answered").unwrap()
}

async fn add(connection: &mut PgConnection, id: i32) {
    let sql = format!("UPDATE sums SET sum = sum + 5 WHERE id = {id}");
    sqlx::query(AssertSqlSafe(sql)).execute(connection).await.unwrap();
}

/// Waits until somebody on the cluster waits for a lock.
async fn until_one_waits(cluster: &Cluster) {
    let mut connection = PgConnection::connect_with(&cluster.connect_options()).await.unwrap();
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        let waiting: i64 =
            sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                .fetch_one(&mut connection)
                .await
                .unwrap();
        if waiting > 0 {
            return;
        }
        assert!(Instant::now() < patience, "nobody waits");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A batch and somebody else hold what the other wants: PostgreSQL ends the batch, and it is done once, later.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_tried_again_after_a_deadlock() {
    let mut stage = Stage::halting(USUAL).await;
    let calls = stage.begin_together([1, 2, 3]).await;
    let mut other = PgConnection::connect_with(&stage.cluster.connect_options()).await.unwrap();
    let crossing = tokio::spawn(async move {
        // It leaves noticing the deadlock to the batch.
        sqlx::raw_sql("BEGIN; SET LOCAL deadlock_timeout = '60s'").execute(&mut other).await.unwrap();
        add(&mut other, 2).await;
        add(&mut other, 1).await;
        sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    });
    until_one_waits(&stage.cluster).await;
    // However often it meets the other one.
    (0..4).for_each(|_| stage.go_on.send(()).unwrap());
    crossing.await.unwrap();
    for (call, number) in calls.into_iter().zip(1..) {
        assert_eq!(outcome(call).await.unwrap(), number);
    }
    let tried = stage.batches();
    assert!(tried.len() > 1 && tried.iter().all(|batch| *batch == [1, 2, 3]), "whole, and again: {tried:?}");
    assert_eq!(stage.served(5).await, [1_000, 1, 2, 3]);
    stage.end().await;
}

/// Somebody else changes what a batch has read, again and again: it is tried four times in all, and not in halves.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_tried_again_after_a_serialization_failure_but_not_for_ever() {
    for (disturbed, serves) in [(1, true), (3, true), (4, false)] {
        let mut stage = Stage::halting(REPEATABLE_READ).await;
        let calls = stage.begin_together([1, 2, 3]).await;
        for time in 1..=disturbed {
            sqlx::raw_sql("UPDATE sums SET sum = sum + 5 WHERE id = 2")
                .execute(&mut stage.other)
                .await
                .unwrap();
            stage.go_on.send(()).unwrap();
            if serves || time < disturbed {
                stage.stands_halfway().await;
            }
        }
        if serves {
            stage.let_go(0).await;
        }
        for call in calls {
            match outcome(call).await {
                Ok(_) => assert!(serves),
                // Who asks again later may have it.
                Err(error) => assert_eq!((serves, error.code().0), (false, Code::Unavailable), "{error:?}"),
            }
        }
        let tried = usize::try_from(disturbed).unwrap() + usize::from(serves);
        assert_eq!(stage.batches(), vec![vec![1, 2, 3]; tried]);
        add_to_first(&mut stage.other, 5 * disturbed).await;
        let expected = if serves { vec![1_000, 1, 2, 3] } else { vec![1_000] };
        assert_eq!(stage.served(5 * disturbed).await, expected);
        stage.end().await;
    }
}

/// So that both sums are the same again.
async fn add_to_first(connection: &mut PgConnection, number: i64) {
    sqlx::query("UPDATE sums SET sum = sum + $1 WHERE id = 1")
        .bind(number)
        .execute(connection)
        .await
        .unwrap();
}

/// What the database refuses for what it is it refuses at the second time too: the halves are tried instead.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_refused_is_halved_and_not_tried_again() {
    let mut stage = Stage::halting(USUAL).await;
    let calls = stage.begin_together([1, 13, 3]).await;
    stage.let_go(4).await;
    for (call, number) in calls.into_iter().zip([1, 13, 3]) {
        match outcome(call).await {
            Ok(answer) => assert_eq!(answer, number),
            Err(error) => assert_eq!((number, error.code().0), (13, Code::Internal), "{error:?}"),
        }
    }
    assert_eq!(stage.batches(), [vec![1, 13, 3], vec![1], vec![13, 3], vec![13], vec![3]]);
    assert_eq!(stage.served(0).await, [1_000, 1, 3]);
    stage.end().await;
}

/// Many come, some batches collide and one call is refused: whoever came first is served first all the same, and each
/// once.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_first_is_served_first() {
    const CALLS: i64 = 600;
    let settings = Settings { largest: 16, ..Settings::named("test") };
    let mut stage = Stage::new(USUAL, false, Some(5), settings).await;
    let mut refused = Vec::new();
    for (call, number) in stage.call(0..CALLS).into_iter().zip(0..) {
        match outcome(call).await {
            Ok(answer) => assert_eq!(answer, number),
            Err(_) => refused.push(number),
        }
    }
    assert_eq!(refused, [13]);
    let expected: Vec<i64> = (0..CALLS).filter(|number| *number != 13).collect();
    assert_eq!(stage.served(0).await, expected);
    let batches = stage.batches();
    assert!(batches.windows(2).any(|pair| pair[0] == pair[1] && pair[0].len() > 1), "none was tried again");
    stage.end().await;
}
