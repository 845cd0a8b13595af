//! Crowds: what a million people in line cost, and that those who listen are bounded in number.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::sync::Arc;

use catalog::ProductId;
use identity::Actor;
use platform::{Secret, ServiceError};
use testkit::{NewProduct, TestApp};
use waiting_room::{PutRoom, Settings, Solution, Status, WaitingRoom};

/// The usual room, with little work for guests.
const ROOM: PutRoom = PutRoom {
    enabled: true,
    admissions_per_second: 1,
    window_seconds: 600,
    challenge_difficulty: 8,
    opens_at: None,
};

async fn open(test: &TestApp, room: &PutRoom) -> ProductId {
    let (_, store) = test.seller("shop").await;
    test.product(NewProduct::default()).await;
    let product = test.get("/api/v1/products/teapot", &[]).await;
    let product = product.json["id"].as_str().unwrap().parse().unwrap();
    test.app.waiting_room.put_room(&Actor::system(), store, product, room).await.unwrap();
    product
}

fn guest(name: u32) -> Actor {
    Actor::holder(Secret::presented(&format!("the token of guest {name}")))
}

fn leading_zeros(text: &str) -> u32 {
    use sha2::{Digest, Sha256};
    u32::from_be_bytes(*Sha256::digest(text).first_chunk().unwrap()).leading_zeros()
}

async fn join(waiting_room: &dyn WaitingRoom, actor: &Actor, product: ProductId) -> waiting_room::Place {
    let challenge = waiting_room.challenge(actor, product).await.unwrap().challenge;
    let solves = |solution: &u32| leading_zeros(&format!("{challenge}:{solution}")) >= 8;
    let solution = (0..).find(solves).unwrap().to_string();
    waiting_room.join(actor, product, Some(&Solution { challenge, solution })).await.unwrap()
}

/// Bytes of memory that this process has (proc(5), `statm`).
fn memory() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

/// As many listen as may; the next one is sent to ask, and comes in when somebody has gone.
#[tokio::test(flavor = "multi_thread")]
async fn those_who_listen_are_bounded() {
    let test = TestApp::start().await;
    let product = open(&test, &ROOM).await;
    let app = &test.app;
    let settings = Settings { listeners: 2, ..Settings::new([7; 32]) };
    let room =
        waiting_room::service(app.database.clone(), app.sources.clone(), Arc::clone(&app.catalog), &settings);
    let mut tickets = Vec::new();
    for name in 0..4 {
        tickets.push(join(&*room, &guest(name), product).await.ticket);
    }
    let mut first = room.listen(&guest(1), product, tickets[1].expose()).await.unwrap();
    let second = room.listen(&guest(2), product, tickets[2].expose()).await.unwrap();
    let refused = room.listen(&guest(3), product, tickets[3].expose()).await.err().unwrap();
    assert_eq!((refused.reason(), refused.retry_after()), ("waiting_room/too_many_listeners", Some(5)));
    drop(second);
    let mut third = room.listen(&guest(3), product, tickets[3].expose()).await.unwrap();
    for (listener, position) in [(&mut first, 1), (&mut third, 3)] {
        let told = listener.next().await.unwrap().unwrap();
        assert_eq!((told.status, told.position), (Status::Waiting, position));
    }
    // A node that is about to stop sends everybody away.
    room.close();
    assert!(first.next().await.is_none());
    test.finish().await;
}

/// Puts places of buyers who are not there into the books.
async fn fill(test: &TestApp, places: i64) {
    sqlx::query(
        "INSERT INTO waiting_room.places (line_id, buyer, number, joined_at)
         SELECT l.id, 'g'::bytea || sha256(n::text::bytea), l.issued + n, now()
         FROM waiting_room.lines l, generate_series(1, $1) AS n",
    )
    .bind(places)
    .execute(test.app.database.pool())
    .await
    .unwrap();
    sqlx::query("UPDATE waiting_room.lines SET issued = issued + $1")
        .bind(places)
        .execute(test.app.database.pool())
        .await
        .unwrap();
}

/// Whoever waits takes no memory: places are rows, and asking needs a ticket and one shared number.
async fn waiting_takes_no_memory(places: i64) {
    let test = TestApp::start().await;
    let product = open(&test, &ROOM).await;
    let room = &test.app.waiting_room;
    join(&**room, &guest(0), product).await;
    let before = memory();
    fill(&test, places).await;
    let me = guest(1);
    let place = join(&**room, &me, product).await;
    assert_eq!(place.standing.number, places + 2);
    let began = std::time::Instant::now();
    for _ in 0..5_000 {
        let standing = room.standing(&me, product, place.ticket.expose()).await.unwrap();
        assert_eq!(standing.position, places + 1);
    }
    let asked = began.elapsed();
    for _ in 0..20 {
        test.clock.advance(time::Duration::seconds(1));
        assert_eq!(room.admit().await.unwrap(), 1);
    }
    let grown = memory().saturating_sub(before) / 1_000_000;
    println!("{places} wait: memory grew by {grown} MB; asking 5,000 times took {asked:?}");
    assert!(grown < 50, "memory grew by {grown} MB");
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_take_no_memory() {
    waiting_takes_no_memory(100_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute and 300 MB of disk"]
async fn a_million_take_no_memory() {
    waiting_takes_no_memory(1_000_000).await;
}

/// How fast places are given to those who have signed in or solved their challenge, and that all stand in line.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn joins_per_second() {
    let test = TestApp::start().await;
    let product = open(&test, &PutRoom { admissions_per_second: 10_000, ..ROOM }).await;
    let room = Arc::clone(&test.app.waiting_room);
    let mut solved = Vec::new();
    for name in 0..2_000 {
        let actor = guest(name);
        let challenge = room.challenge(&actor, product).await.unwrap().challenge;
        let solves = |solution: &u32| leading_zeros(&format!("{challenge}:{solution}")) >= 8;
        let solution = (0..).find(solves).unwrap().to_string();
        solved.push((actor, Solution { challenge, solution }));
    }
    let (before, began) = (memory(), std::time::Instant::now());
    let total = solved.len();
    let shared = Arc::new(std::sync::Mutex::new(solved.into_iter()));
    let workers: Vec<_> = (0..512)
        .map(|_| {
            let (room, shared) = (Arc::clone(&room), Arc::clone(&shared));
            tokio::spawn(async move {
                loop {
                    let Some((actor, solution)) = shared.lock().unwrap().next() else { return };
                    room.join(&actor, product, Some(&solution)).await.unwrap();
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let rate = total as f64 / began.elapsed().as_secs_f64();
    let grown = memory().saturating_sub(before) / 1_000_000;
    println!("{total} joins, {rate:.0} a second, memory grew by {grown} MB");
    test.finish().await;
}
