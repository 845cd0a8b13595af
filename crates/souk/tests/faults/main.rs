//! The power fails: of one node at each point of the code that says so, of PostgreSQL, of one node of two. What was
//! acknowledged is there, nothing is charged twice, no stock is lost or sold twice, nothing stays stuck.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod money;
mod power;
#[path = "../program/mod.rs"]
mod program;
mod unpaid;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::postgres::{Cluster, Options};
use power::{copy, each, end, points, prepared, verify};
use program::{Server, data_folder};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use testkit::address;
use tokio::task::JoinSet;

const BUYERS: usize = 24;
const CHECKOUT: &str = "/api/v1/shopping_basket/checkout";
/// 32 bytes in base64.
const SECRET_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// Whoever is told of an order is told of the same one ever after.
#[derive(Clone)]
struct Buyer {
    number: usize,
    cart: String,
    token: &'static str,
    order: Option<String>,
}

impl Buyer {
    /// Most can pay, some can not.
    async fn with_a_full_cart(server: &Server, variant: &str, number: usize) -> Self {
        let body = json!({"variant_id": variant, "quantity": 1});
        let cart = server.post("/api/v1/shopping_basket/products", "", "", &body).await.unwrap().1;
        let token = if number % 4 == 3 { "tok_chargeDeclined" } else { "tok_visa" };
        Self { number, cart, token, order: None }
    }

    /// Asks once; an answer may never come.
    async fn ask(&self, client: &Client, base: &str) -> Option<(StatusCode, Value)> {
        let body = json!({
            "email": "ada@example.com", "shipping_address": address(), "payment": {"token": self.token},
        });
        let request = client
            .post(format!("{base}{CHECKOUT}"))
            .timeout(Duration::from_secs(20))
            .header("x-cart-token", &self.cart)
            .header("idempotency-key", format!("buyer-{}", self.number))
            .json(&body);
        let answer = request.send().await.ok()?;
        Some((answer.status(), answer.json().await.ok()?))
    }

    /// Asks until there is an answer that stays; says whether the order is paid.
    async fn insist(&mut self, client: &Client, base: &str) -> bool {
        let patience = Instant::now() + Duration::from_secs(30);
        loop {
            match self.ask(client, base).await {
                Some((StatusCode::CREATED, order)) => {
                    self.is_told(&order);
                    return true;
                }
                Some((StatusCode::PAYMENT_REQUIRED, _)) => {
                    assert_eq!(self.token, "tok_chargeDeclined", "buyer {} can pay", self.number);
                    return false;
                }
                Some((StatusCode::CONFLICT, answer)) if answer["code"] == "inventory/out_of_stock" => {
                    assert_eq!(self.order, None, "buyer {} had an order and lost it", self.number);
                    return false;
                }
                answer => {
                    assert!(Instant::now() < patience, "buyer {} is stuck: {answer:?}", self.number);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn is_told(&mut self, order: &Value) {
        let id = order["id"].as_str().unwrap().to_owned();
        assert_eq!(
            *self.order.get_or_insert_with(|| id.clone()),
            id,
            "buyer {} was told of two orders",
            self.number
        );
        assert_eq!(order["status"], "paid");
    }
}

async fn buyers(server: &Server, variant: &str) -> Vec<Buyer> {
    let mut buyers = Vec::with_capacity(BUYERS);
    for number in 0..BUYERS {
        buyers.push(Buyer::with_a_full_cart(server, variant, number).await);
    }
    buyers
}

/// Everybody asks at once, each at one of these addresses; answers are written down.
async fn rush(buyers: &mut [Buyer], bases: &[String]) -> JoinSet<(usize, Option<(StatusCode, Value)>)> {
    let client = Client::new();
    let mut requests = JoinSet::new();
    for buyer in buyers.iter() {
        let (buyer, client) = (buyer.clone(), client.clone());
        let base = bases[buyer.number % bases.len()].clone();
        requests.spawn(async move { (buyer.number, buyer.ask(&client, &base).await) });
    }
    requests
}

async fn note(buyers: &mut [Buyer], requests: JoinSet<(usize, Option<(StatusCode, Value)>)>) {
    for (number, answer) in requests.join_all().await {
        if let Some((StatusCode::CREATED, order)) = answer {
            buyers[number].is_told(&order);
        }
    }
}

/// Everybody gets an answer; as many are paid as could pay and as there was stock for.
async fn settle(buyers: &mut [Buyer], server: &Server, stock: i64) {
    let mut paid = 0;
    for buyer in buyers.iter_mut() {
        paid += i64::from(buyer.insist(&server.client, &server.base).await);
    }
    let orders: BTreeSet<_> = buyers.iter().filter_map(|buyer| buyer.order.clone()).collect();
    assert_eq!(orders.len(), usize::try_from(paid).unwrap(), "each has an order of their own");
    assert_eq!(server.teapot().await.1, stock - paid, "stock went with the orders");
}

/// The power fails at this point, while two dozen buy the last teapots.
async fn fail_at(point: String, time: usize, template: Arc<tempfile::TempDir>) {
    let data = copy(template.path());
    let server = Server::start_with(data.path(), &[("POWER_FAILS_AT", &format!("{point}:{time}"))]).await;
    let (teapot, stock) = server.teapot().await;
    let mut buyers = buyers(&server, &teapot).await;
    let first: Vec<Buyer> = buyers[..2].to_vec();
    for buyer in first {
        if let Some((StatusCode::CREATED, order)) = buyer.ask(&server.client, &server.base).await {
            buyers[buyer.number].is_told(&order);
        }
    }
    let requests = rush(&mut buyers, std::slice::from_ref(&server.base)).await;
    note(&mut buyers, requests).await;
    let status = end(server);
    assert!(status.is_some_and(|status| !status.success()), "the power did not fail at {point}: {status:?}");

    let server = Server::start(data.path()).await;
    settle(&mut buyers, &server, stock).await;
    verify(data.path());
    assert!(server.stop());
}

/// At each point at which the code lets the power fail, but those that a purchase paid at once does not pass.
#[tokio::test(flavor = "multi_thread")]
async fn the_power_fails_at_every_point() {
    let points = points();
    for needed in ["orders.place.before_commit", "orders.place.after_commit", "payments.charged"] {
        assert!(points.contains(needed), "{needed} is not among {points:?}");
    }
    let elsewhere =
        |point: &String| unpaid::WAYS.iter().chain(&money::WAYS).any(|way| point.starts_with(way));
    let passed = points.into_iter().filter(|point| !elsewhere(point));
    // The second time: one purchase or batch is through by then.
    each(passed.map(|point| (point, 2)), &prepared().await, fail_at).await;
}

/// A cluster as a company runs it: apart from Souk, durable.
struct Apart {
    folder: tempfile::TempDir,
    cluster: Cluster,
}

impl Apart {
    async fn start() -> Self {
        let folder = data_folder();
        let cluster = Self::run(folder.path()).await;
        Self { folder, cluster }
    }

    async fn run(folder: &Path) -> Cluster {
        Cluster::start(Options {
            data_dir: folder.to_owned(),
            command: "a test".to_owned(),
            binaries: std::env::var_os("SOUK_POSTGRES_BIN").map(Into::into),
            settings: vec![("max_connections".to_owned(), "120".to_owned())],
        })
        .await
        .unwrap()
    }

    fn variables(&self) -> Vec<(String, String)> {
        vec![
            ("DATABASE_URL".to_owned(), self.cluster.url()),
            // All nodes of a marketplace have the same.
            ("SOUK_SECRET_KEY".to_owned(), SECRET_KEY.to_owned()),
        ]
    }

    /// Its processes die without a word, and it is started again.
    async fn kill_and_restart(self) -> Self {
        let pid = find(self.folder.path(), "postmaster.pid");
        let pid = std::fs::read_to_string(pid).unwrap().lines().next().unwrap().to_owned();
        let killed = Command::new("kill").args(["-9", &pid]).status().unwrap();
        assert!(killed.success());
        self.cluster.exited().await;
        drop(self.cluster);
        let cluster = Self::run(self.folder.path()).await;
        Self { folder: self.folder, cluster }
    }
}

fn find(folder: &Path, name: &str) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.file_name() == name {
                return entry.path();
            }
            if entry.path().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    panic!("{name} is nowhere");
}

async fn node(data: &Path, apart: &Apart) -> Server {
    let variables = apart.variables();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Server::start_with(data, &variables).await
}

fn verify_apart(data: &Path, apart: &Apart) {
    let told = program::souk(data, &["verify"]).envs(apart.variables()).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
}

/// PostgreSQL dies in the middle of a rush and comes back: so does Souk, without being started again.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_dies_under_load() {
    let (mut apart, data) = (Apart::start().await, data_folder());
    let server = node(data.path(), &apart).await;
    let (teapot, stock) = server.teapot().await;
    let mut buyers = buyers(&server, &teapot).await;
    for milliseconds in [5, 30] {
        let requests = rush(&mut buyers, std::slice::from_ref(&server.base)).await;
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        apart = apart.kill_and_restart().await;
        note(&mut buyers, requests).await;
    }
    settle(&mut buyers, &server, stock).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    verify_apart(data.path(), &apart);
    assert!(server.stop());
    apart.cluster.stop().await.unwrap();
}

/// Two nodes sell the same teapots; one dies, and the other carries on what it left.
#[tokio::test(flavor = "multi_thread")]
async fn one_node_of_two_dies() {
    let apart = Apart::start().await;
    let (left, right) = (data_folder(), data_folder());
    let first = node(left.path(), &apart).await;
    let second = node(right.path(), &apart).await;
    let (teapot, stock) = first.teapot().await;
    let mut buyers = buyers(&first, &teapot).await;
    let requests = rush(&mut buyers, &[first.base.clone(), second.base.clone()]).await;
    tokio::time::sleep(Duration::from_millis(25)).await;
    second.kill();
    note(&mut buyers, requests).await;
    settle(&mut buyers, &first, stock).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    verify_apart(left.path(), &apart);
    assert!(first.stop());
    apart.cluster.stop().await.unwrap();
}
