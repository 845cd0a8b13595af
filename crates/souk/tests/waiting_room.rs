//! Waiting rooms: who stands where, who is let in when, and who may buy.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::BTreeSet;
use std::sync::Arc;

use catalog::{ProductId, StoreId, VariantId};
use identity::Actor;
use platform::{Currency, Secret};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use souk::app::App;
use testkit::{Answer, NewProduct, Person, TestApp};
use time::Duration;
use waiting_room::{Challenge, Place, PutRoom, Solution, Status};

/// A drop: a teapot that many want.
struct Sale {
    test: TestApp,
    owner: Person,
    store: StoreId,
    product: ProductId,
    variant: VariantId,
}

impl Sale {
    async fn begin(rate: i32, window_seconds: i32) -> Self {
        let test = TestApp::start().await;
        let (owner, store) = test.seller("shop").await;
        let variant = test.product(NewProduct { stock: 1_000, ..NewProduct::default() }).await;
        let shown = test.get("/api/v1/products/teapot", &[]).await;
        let product = shown.json["id"].as_str().unwrap().parse().unwrap();
        let sale = Self { test, owner, store, product, variant };
        sale.put(json!({
            "admissions_per_second": rate, "window_seconds": window_seconds, "challenge_difficulty": 8
        }))
        .await;
        sale
    }

    fn admin_path(&self) -> String {
        format!("/api/v1/stores/{}/products/{}/waiting_room", self.store, self.product)
    }

    async fn put(&self, body: Value) -> Value {
        let answer =
            self.test.ask(Some(&self.owner), Method::PUT, &self.admin_path(), &[], Some(&body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/products/{}/waiting_room/{rest}", self.product)
    }

    /// A guest with a teapot in their basket: its token.
    async fn guest(&self) -> String {
        self.test.basket(self.variant, 1).await
    }

    async fn challenge(&self, token: &str) -> Value {
        let answer =
            self.test.send(Method::POST, &self.path("challenges"), &[("x-cart-token", token)], None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json
    }

    /// What a guest's browser sends.
    async fn solved(&self, token: &str) -> Value {
        let challenge = self.challenge(token).await;
        let text = challenge["challenge"].as_str().unwrap();
        json!({"challenge": text, "solution": solve(text, challenge["difficulty"].as_u64().unwrap())})
    }

    async fn join(&self, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        self.test.send(Method::POST, &self.path("places"), headers, body).await
    }

    /// A guest who joins as they should.
    async fn place(&self, token: &str) -> Value {
        let answer = self.join(&[("x-cart-token", token)], Some(&self.solved(token).await)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json
    }

    async fn me(&self, headers: &[(&str, &str)], ticket: &str) -> Answer {
        let headers = [headers, &[("waiting-ticket", ticket)]].concat();
        self.test.get(&self.path("places/me"), &headers).await
    }

    /// Lets time pass, and those in whose turn it is.
    async fn pass(&self, time: Duration) {
        self.test.clock.advance(time);
        self.test.app.waiting_room.admit().await.unwrap();
    }

    /// Guests who join through the face, all at once.
    async fn crowd(&self, names: std::ops::Range<u32>) -> Vec<i64> {
        let joins = names.map(|name| {
            let (app, product) = (self.test.app.clone(), self.product);
            tokio::spawn(async move { join_at(&app, &holder(name), product).await.standing.number })
        });
        let mut numbers = Vec::new();
        for join in joins.collect::<Vec<_>>() {
            numbers.push(join.await.unwrap());
        }
        numbers
    }
}

/// A guest by the token of a basket.
fn holder(name: u32) -> Actor {
    Actor::holder(Secret::presented(&format!("the token of guest {name}")))
}

fn solve(challenge: &str, difficulty: u64) -> String {
    let fits = |solution: &u32| {
        let hash = Sha256::digest(format!("{challenge}:{solution}"));
        u64::from(u32::from_be_bytes(*hash.first_chunk().unwrap()).leading_zeros()) >= difficulty
    };
    (0..u32::MAX).find(fits).unwrap().to_string()
}

/// Somebody whom the challenge stops: a text that does not solve it.
fn wrong(challenge: &str, difficulty: u64) -> String {
    let solves = |solution: &u32| {
        let hash = Sha256::digest(format!("{challenge}:{solution}"));
        u64::from(u32::from_be_bytes(*hash.first_chunk().unwrap()).leading_zeros()) >= difficulty
    };
    (0..u32::MAX).find(|solution| !solves(solution)).unwrap().to_string()
}

async fn join_at(app: &App, actor: &Actor, product: ProductId) -> Place {
    let Challenge { challenge, difficulty, .. } = app.waiting_room.challenge(actor, product).await.unwrap();
    let solution = solve(&challenge, difficulty.into());
    app.waiting_room.join(actor, product, Some(&Solution { challenge, solution })).await.unwrap()
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{answer:?}");
}

/// A guest works for a place; whoever has signed in does not; a program gets none.
#[tokio::test(flavor = "multi_thread")]
async fn places_can_not_be_minted() {
    let sale = Sale::begin(1, 60).await;
    let test = &sale.test;
    assert_refused(&sale.join(&[], None).await, 409, "waiting_room/basket_needed");
    let (token, other) = (sale.guest().await, sale.guest().await);
    let cart = [("x-cart-token", token.as_str())];
    let refused = sale.join(&cart, None).await;
    assert_refused(&refused, 409, "waiting_room/challenge_needed");
    assert_eq!(refused.json["details"][0]["facts"]["challenges"], sale.path("challenges"));

    let challenge = sale.challenge(&token).await;
    let text = challenge["challenge"].as_str().unwrap();
    let body = json!({"challenge": text, "solution": wrong(text, 8)});
    assert_refused(&sale.join(&cart, Some(&body)).await, 422, "waiting_room/wrong_solution");
    let solved = json!({"challenge": text, "solution": solve(text, 8)});
    let foreign = sale.join(&[("x-cart-token", &other)], Some(&solved)).await;
    assert_refused(&foreign, 422, "waiting_room/bad_challenge");
    for made_up in ["A", "AAAA", &text[1..], &format!("{text}A"), &text.replace(&text[..4], "BBBB")] {
        let body = json!({"challenge": made_up, "solution": "0"});
        assert_refused(&sale.join(&cart, Some(&body)).await, 422, "waiting_room/bad_challenge");
    }
    test.clock.advance(Duration::minutes(5));
    assert_refused(&sale.join(&cart, Some(&solved)).await, 410, "waiting_room/challenge_expired");

    let solved = sale.solved(&token).await;
    let first = sale.join(&cart, Some(&solved)).await;
    assert_eq!((first.status.as_u16(), &first.json["number"]), (200, &json!(1)), "{first:?}");
    assert_eq!(first.json["status"], "admitted", "below the rate nobody waits");
    // Sent again it is a retry; once the time is over it would be another place.
    assert_eq!(sale.join(&cart, Some(&solved)).await.json["number"], 1);
    sale.pass(Duration::seconds(60)).await;
    assert_refused(&sale.join(&cart, Some(&solved)).await, 409, "waiting_room/challenge_spent");
    test.app.waiting_room.clean_up().await.unwrap();
    assert_refused(&sale.join(&cart, Some(&solved)).await, 409, "waiting_room/challenge_spent");
    assert_eq!(sale.place(&token).await["number"], 2, "another challenge, the end of the line");

    let ada = test.person("ada").await;
    let signed_in = sale.join(&[ada.header()], None).await;
    assert_eq!((signed_in.status.as_u16(), &signed_in.json["number"]), (200, &json!(3)), "{signed_in:?}");
    let key = json!({"kind": "secret", "name": "Bot", "scopes": ["products:read"]});
    let keys = format!("/api/v1/stores/{}/api_keys", sale.store);
    let key = test.post(&keys, &[sale.owner.header()], &key).await;
    let bearer = format!("Bearer {}", key.json["key"].as_str().unwrap());
    for path in ["challenges", "places"] {
        let program = test.send(Method::POST, &sale.path(path), &[("authorization", &bearer)], None).await;
        assert_refused(&program, 403, "identity/people_only");
    }
    sale.test.finish().await;
}

/// Ten tabs at once, and retries ever after, are one place.
#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_has_one_place() {
    let sale = Sale::begin(1, 600).await;
    let token = sale.guest().await;
    let cart = [("x-cart-token", token.as_str())];
    sale.crowd(0..5).await;
    // Each tab solves a challenge of its own.
    let solved: Vec<Value> = futures_util::future::join_all((0..10).map(|_| sale.solved(&token))).await;
    let answers =
        futures_util::future::join_all(solved.iter().map(|body| sale.join(&cart, Some(body)))).await;
    let numbers: BTreeSet<i64> =
        answers.iter().map(|answer| answer.json["number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, BTreeSet::from([6]));
    let ada = sale.test.person("ada").await;
    let header = [ada.header()];
    let answers = futures_util::future::join_all((0..10).map(|_| sale.join(&header, None))).await;
    assert!(answers.iter().all(|answer| answer.json["number"] == 7), "{answers:?}");
    sale.crowd(10..20).await;
    assert_eq!(
        sale.join(&cart, None).await.json["number"],
        6,
        "a retry needs no challenge and does not move"
    );
    assert_eq!(sale.join(&header, None).await.json["number"], 7);
    sale.pass(Duration::seconds(3)).await;
    assert_eq!(sale.join(&header, None).await.json["number"], 7, "nor does it while others are let in");
    let room = sale.test.ask(Some(&sale.owner), Method::GET, &sale.admin_path(), &[], None).await;
    assert_eq!(room.json["joined"], 17, "{room:?}");
    sale.test.finish().await;
}

/// Whoever comes first is let in first, by the rate and no faster, on two nodes.
#[tokio::test(flavor = "multi_thread")]
async fn first_come_first_served_by_the_rate() {
    let sale = Sale::begin(10, 600).await;
    let (app, other) = (&sale.test.app, sale.test.other_node().await);
    let mut numbers = sale.crowd(0..60).await;
    let product = sale.product;
    let joins: Vec<_> = (60..120)
        .map(|name| {
            let app = if name % 2 == 0 { app.clone() } else { other.clone() };
            tokio::spawn(async move { join_at(&app, &holder(name), product).await.standing.number })
        })
        .collect();
    for join in joins {
        numbers.push(join.await.unwrap());
    }
    assert!(numbers[..60].iter().all(|number| *number <= 60), "the first sixty were first");
    let all: BTreeSet<i64> = numbers.iter().copied().collect();
    assert_eq!(all, (1..=120).collect(), "each number has one buyer");
    let mut tickets = Vec::new();
    for name in 0..120 {
        let place = app.waiting_room.join(&holder(name), product, None).await.unwrap();
        assert_eq!(place.standing.number, numbers[usize::try_from(name).unwrap()]);
        tickets.push(place.ticket);
    }
    for (seconds, admitted) in [(0, 10), (1, 20), (1, 30), (0, 30), (5, 40)] {
        sale.test.clock.advance(Duration::seconds(seconds));
        // Both nodes' jobs run at once, more than once.
        for _ in 0..3 {
            let (one, two) = tokio::join!(app.waiting_room.admit(), other.waiting_room.admit());
            one.unwrap();
            two.unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        for (name, ticket) in (0..).zip(&tickets) {
            for node in [app, &other] {
                let standing =
                    node.waiting_room.standing(&holder(name), product, ticket.expose()).await.unwrap();
                let let_in = standing.number <= admitted;
                let status = if let_in { Status::Admitted } else { Status::Waiting };
                assert_eq!((standing.status, standing.admitted), (status, admitted), "{standing:?}");
                assert_eq!(standing.position, (standing.number - admitted).max(0));
            }
        }
    }
    sale.test.finish().await;
}

/// A product with a room is bought by those alone who were let in, in their time.
#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_were_let_in_buy() {
    let sale = Sale::begin(1, 60).await;
    assert_eq!(sale.test.get("/api/v1/products/teapot", &[]).await.json["waiting_room"], true);
    let (early, late) = (sale.guest().await, sale.guest().await);
    let refused = sale.test.check_out(&early, "no place", "tok_visa").await;
    assert_refused(&refused, 409, "waiting_room/place_needed");
    let facts = &refused.json["details"][0]["facts"];
    assert_eq!(facts, &json!({"product_id": sale.product, "join": sale.path("places")}));
    sale.crowd(0..1).await;
    let place = sale.place(&early).await;
    assert_eq!((&place["status"], &place["position"]), (&json!("waiting"), &json!(1)));
    assert_eq!(sale.place(&late).await["estimated_wait_seconds"], 2);
    let refused = sale.test.check_out(&early, "too early", "tok_visa").await;
    assert_refused(&refused, 409, "waiting_room/not_your_turn");
    assert_eq!(refused.header("retry-after"), "1");
    sale.pass(Duration::seconds(1)).await;
    let bought = sale.test.check_out(&early, "in time", "tok_visa").await;
    assert_eq!(bought.status, 201, "{bought:?}");
    assert_refused(&sale.test.check_out(&late, "k", "tok_visa").await, 409, "waiting_room/not_your_turn");
    sale.pass(Duration::seconds(1)).await;
    let cart = [("x-cart-token", late.as_str())];
    let ticket = sale.join(&cart, None).await.json["ticket"].as_str().unwrap().to_owned();
    let standing = sale.me(&cart, &ticket).await.json;
    assert_eq!((&standing["status"], &standing["position"]), (&json!("admitted"), &json!(0)));
    assert_eq!(standing["admitted_until"], "2026-06-01T12:01:02Z");
    sale.test.clock.advance(Duration::seconds(60));
    assert_refused(&sale.test.check_out(&late, "late", "tok_visa").await, 409, "waiting_room/lapsed");
    assert_eq!(sale.me(&cart, &ticket).await.json["status"], "lapsed");
    // What was answered is answered again, also now.
    let again = sale.test.check_out(&early, "in time", "tok_visa").await;
    assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (201, "true"));
    sale.test.app.waiting_room.clean_up().await.unwrap();
    assert_refused(&sale.test.check_out(&late, "later", "tok_visa").await, 409, "waiting_room/lapsed");
    assert_eq!(sale.me(&cart, &ticket).await.json["status"], "lapsed");
    assert_eq!(sale.place(&late).await["number"], 4, "the end of the line");
    // Other products are bought as ever.
    let mug = sale.test.product(NewProduct { slug: "mug", ..NewProduct::default() }).await;
    let basket = sale.test.basket(mug, 1).await;
    assert_eq!(sale.test.check_out(&basket, "k", "tok_visa").await.status, 201);
    sale.test.finish().await;
}

/// A ticket is good for the one it was given to, for its product and line, for a day.
#[tokio::test(flavor = "multi_thread")]
async fn tickets_are_not_forged() {
    let sale = Sale::begin(1, 600).await;
    let test = &sale.test;
    let (token, other) = (sale.guest().await, sale.guest().await);
    let cart = [("x-cart-token", token.as_str())];
    let ticket = sale.place(&token).await["ticket"].as_str().unwrap().to_owned();
    assert_eq!(sale.me(&cart, &ticket).await.status, 200);
    assert_refused(&test.get(&sale.path("places/me"), &cart).await, 422, "waiting_room/ticket_needed");
    for at in [0, 20, 50, 70, ticket.len() - 2] {
        let mut altered = ticket.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert_refused(&sale.me(&cart, &altered).await, 422, "waiting_room/bad_ticket");
        let events = format!("{}?ticket={altered}", sale.path("events"));
        assert_refused(&test.get(&events, &cart).await, 422, "waiting_room/bad_ticket");
    }
    // A challenge is signed with the same key, and is no ticket.
    let challenge = sale.challenge(&token).await["challenge"].as_str().unwrap().to_owned();
    assert_refused(&sale.me(&cart, &challenge).await, 422, "waiting_room/bad_ticket");
    let foreign = sale.me(&[("x-cart-token", &other)], &ticket).await;
    assert_refused(&foreign, 403, "waiting_room/foreign_ticket");
    assert_refused(&sale.me(&[], &ticket).await, 409, "waiting_room/basket_needed");

    test.product(NewProduct { slug: "mug", ..NewProduct::default() }).await;
    let mug: ProductId =
        test.get("/api/v1/products/mug", &[]).await.json["id"].as_str().unwrap().parse().unwrap();
    let headers = [cart[0], ("waiting-ticket", ticket.as_str())];
    let of_mug = format!("/api/v1/products/{mug}/waiting_room/places/me");
    assert_refused(&test.get(&of_mug, &headers).await, 404, "waiting_room/not_found");
    let room = PutRoom {
        enabled: true,
        admissions_per_second: 1,
        window_seconds: 60,
        challenge_difficulty: 8,
        opens_at: None,
    };
    test.app.waiting_room.put_room(&Actor::system(), sale.store, mug, &room).await.unwrap();
    assert_refused(&test.get(&of_mug, &headers).await, 422, "waiting_room/bad_ticket");

    test.clock.advance(Duration::hours(24));
    assert_refused(&sale.me(&cart, &ticket).await, 410, "waiting_room/ticket_expired");
    let again = sale.place(&token).await["ticket"].as_str().unwrap().to_owned();
    assert_eq!(sale.me(&cart, &again).await.status, 200);
    let (system, waiting_room) = (Actor::system(), &test.app.waiting_room);
    waiting_room.remove_room(&system, sale.store, sale.product).await.unwrap();
    assert_refused(&sale.me(&cart, &again).await, 404, "waiting_room/not_found");
    waiting_room.put_room(&system, sale.store, sale.product, &room).await.unwrap();
    assert_refused(&sale.me(&cart, &again).await, 410, "waiting_room/ticket_expired");
    sale.test.finish().await;
}

/// Server-sent events tell of each step and end when the buyer is let in.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_followed_by_events() {
    let sale = Sale::begin(2, 600).await;
    sale.crowd(0..4).await;
    let token = sale.guest().await;
    let ticket = sale.place(&token).await["ticket"].as_str().unwrap().to_owned();
    let url = sale.test.base().join(&format!("{}?ticket={ticket}", sale.path("events"))).unwrap();
    let request = reqwest::Client::new().get(url).header("x-cart-token", &token);
    let mut stream = request.send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut told = String::new();
    let waiting_room = Arc::clone(&sale.test.app.waiting_room);
    let clock = Arc::clone(&sale.test.clock);
    let time = tokio::spawn(async move {
        for _ in 0..2 {
            tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
            clock.advance(Duration::seconds(1));
            waiting_room.admit().await.unwrap();
        }
    });
    while let Some(chunk) = stream.chunk().await.unwrap() {
        told.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    time.await.unwrap();
    let events: Vec<(&str, Value)> = told
        .trim()
        .split("\n\n")
        .map(|event| {
            let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            (name, serde_json::from_str(data).unwrap())
        })
        .collect();
    let steps: Vec<_> =
        events.iter().map(|(name, data)| (*name, data["position"].as_i64().unwrap())).collect();
    assert_eq!(steps, [("waiting", 3), ("waiting", 1), ("admitted", 0)]);
    assert!(events[2].1["admitted_until"].is_string());
    sale.test.finish().await;
}

/// Whoever signs in takes their place along.
#[tokio::test(flavor = "multi_thread")]
async fn signing_in_keeps_the_place() {
    let sale = Sale::begin(1, 600).await;
    sale.crowd(0..3).await;
    let token = sale.guest().await;
    assert_eq!(sale.place(&token).await["number"], 4);
    sale.test.account("ada").await;
    let login = json!({"email": "ada@example.com", "password": testkit::PASSWORD, "session": "tokens"});
    let done = sale.test.post("/api/v1/auth/login", &[("x-cart-token", &token)], &login).await;
    assert_eq!(done.status, 200, "{done:?}");
    let ada = sale.test.person("ada").await;
    assert_eq!(sale.join(&[ada.header()], None).await.json["number"], 4);
    sale.test.finish().await;
}

/// Switched off, everybody buys and the line stands still; taken away, it is forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_switched() {
    let sale = Sale::begin(1, 600).await;
    let test = &sale.test;
    sale.crowd(0..3).await;
    let shown = sale.put(json!({"enabled": false, "admissions_per_second": 1})).await;
    assert_eq!((&shown["joined"], &shown["admitted"], &shown["waiting"]), (&json!(3), &json!(1), &json!(2)));
    sale.pass(Duration::seconds(5)).await;
    let token = sale.guest().await;
    let join = sale.join(&[("x-cart-token", &token)], None).await;
    assert_refused(&join, 404, "waiting_room/not_found");
    assert_eq!(test.check_out(&token, "k", "tok_visa").await.status, 201);
    let on = sale.put(json!({"admissions_per_second": 1, "challenge_difficulty": 8})).await;
    assert_eq!(
        (&on["enabled"], &on["waiting"], &on["window_seconds"]),
        (&json!(true), &json!(2), &json!(600))
    );
    let token = sale.guest().await;
    assert_refused(&test.check_out(&token, "k", "tok_visa").await, 409, "waiting_room/place_needed");
    assert_eq!(sale.place(&token).await["number"], 4);

    let gone = test.ask(Some(&sale.owner), Method::DELETE, &sale.admin_path(), &[], None).await;
    assert_eq!(gone.status, 204);
    let shown = test.ask(Some(&sale.owner), Method::GET, &sale.admin_path(), &[], None).await;
    assert_refused(&shown, 404, "waiting_room/not_found");
    assert_eq!(test.app.waiting_room.clean_up().await.unwrap(), 5, "the line and four places");
    assert_eq!(test.app.waiting_room.clean_up().await.unwrap(), 0);
    assert_eq!(test.check_out(&token, "again", "tok_visa").await.status, 201);
    assert_eq!(test.get("/api/v1/products/teapot", &[]).await.json["waiting_room"], false);
    for (field, wrong) in [
        ("admissions_per_second", json!(0)),
        ("admissions_per_second", json!(10_001)),
        ("window_seconds", json!(29)),
        ("challenge_difficulty", json!(27)),
        ("opens_at", json!("tomorrow")),
    ] {
        let mut body = json!({"admissions_per_second": 1});
        body[field] = wrong;
        let answer = test.ask(Some(&sale.owner), Method::PUT, &sale.admin_path(), &[], Some(&body)).await;
        assert_refused(&answer, 422, "request/invalid_value");
        assert_eq!(answer.json["details"][0]["field"], field);
    }
    let actions = test.get("/api/v1/audit_log", &[test.operator().await.header()]).await;
    let actions: Vec<_> = actions.json["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    let of_rooms = actions.iter().filter(|action| action.starts_with("waiting_room.")).count();
    assert_eq!(of_rooms, 4, "{actions:?}");
    sale.test.finish().await;
}

/// Before it opens, places are given and nobody is let in.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_opens_on_time() {
    let sale = Sale::begin(2, 600).await;
    sale.put(
        json!({"admissions_per_second": 2, "challenge_difficulty": 8, "opens_at": "2026-06-01T12:10:00Z"}),
    )
    .await;
    sale.crowd(0..5).await;
    let token = sale.guest().await;
    let place = sale.place(&token).await;
    assert_eq!((&place["position"], &place["estimated_wait_seconds"]), (&json!(6), &json!(603)));
    sale.pass(Duration::seconds(599)).await;
    assert_refused(&sale.test.check_out(&token, "k", "tok_visa").await, 409, "waiting_room/not_your_turn");
    for (seconds, position) in [(1, 4), (1, 2), (1, 0)] {
        sale.pass(Duration::seconds(seconds)).await;
        assert_eq!(sale.join(&[("x-cart-token", &token)], None).await.json["position"], position);
    }
    assert_eq!(sale.test.check_out(&token, "k", "tok_visa").await.status, 201);
    sale.test.finish().await;
}

/// A room of another store's product can not be made.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_has_rooms_for_its_own_products() {
    let sale = Sale::begin(1, 600).await;
    let rose = NewProduct { slug: "rose", ..NewProduct::default() };
    let elsewhere = sale.test.store("elsewhere", Currency::GBP).await;
    sale.test.product_of(elsewhere, Currency::GBP, rose).await;
    let rose = sale.test.get("/api/v1/products/rose", &[]).await.json["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/stores/{}/products/{rose}/waiting_room", sale.store);
    for (method, body) in [
        (Method::PUT, Some(json!({"admissions_per_second": 1}))),
        (Method::GET, None),
        (Method::DELETE, None),
    ] {
        let answer = sale.test.ask(Some(&sale.owner), method, &path, &[], body.as_ref()).await;
        assert_refused(&answer, 404, "catalog/product_not_found");
    }
    sale.test.finish().await;
}
