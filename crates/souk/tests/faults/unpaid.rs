//! The power fails while orders that await their payment are paid, called off, or given up because nobody paid in time.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use platform::postgres::{Cluster, Options};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::Connection as _;
use tempfile::TempDir;
use testkit::address;

use crate::power::{copy, each, end, points, prepared, verify};
use crate::program::Server;

/// The points that only such orders pass.
pub(crate) const WAYS: [&str; 3] = ["orders.pay.", "orders.cancel.", "orders.expire."];
/// How many are placed, of one teapot each.
pub(crate) const ORDERS: usize = 6;
/// The first time after all of them are placed, each by itself and in its turn.
const FIRST: usize = ORDERS + 1;
const SECOND: usize = ORDERS + 2;
/// Longer than an order may stand in a step, and than the rounds of recovery and of the sweeper take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// For how long an order holds its stock where it is called off.
const HOLD: Duration = Duration::from_secs(20);

/// An order that awaits its payment.
pub(crate) struct Unpaid {
    pub(crate) path: String,
    pub(crate) cart: String,
    token: &'static str,
    /// What its buyer was told of it last.
    told: Option<Value>,
}

impl Unpaid {
    /// Most can pay, some can not.
    async fn place(server: &Server, variant: &str, number: usize) -> Self {
        let body = json!({"variant_id": variant, "quantity": 1});
        let (_, cart, basket) = server.post("/api/v1/shopping_basket/products", "", "", &body).await.unwrap();
        let body = json!({"cart_id": basket["id"], "email": "ada@example.com", "shipping": address()});
        let (status, _, order) = server.post("/api/v1/orders", &cart, "place", &body).await.unwrap();
        assert_eq!((status, &order["status"]), (StatusCode::CREATED, &json!("awaiting_payment")));
        let token = if number % 4 == 3 { "tok_chargeDeclined" } else { "tok_visa" };
        Self { path: format!("/api/v1/orders/{}", order["id"].as_str().unwrap()), cart, token, told: None }
    }

    /// One by one.
    pub(crate) async fn place_all(server: &Server) -> Vec<Self> {
        let (teapot, _) = server.teapot().await;
        let mut orders = Vec::with_capacity(ORDERS);
        for number in 0..ORDERS {
            orders.push(Self::place(server, &teapot, number).await);
        }
        orders
    }

    /// Asks once to pay it; an answer may never come.
    pub(crate) async fn pay(&self, server: &Server) -> Option<(StatusCode, Value)> {
        let (path, body) = (format!("{}/payment", self.path), json!({"token": self.token}));
        let (status, _, answer) = server.post(&path, &self.cart, "pay", &body).await.ok()?;
        Some((status, answer))
    }

    /// Asks once to call it off; an answer may never come.
    pub(crate) async fn cancel(&self, server: &Server) -> Option<(StatusCode, Value)> {
        let path = format!("{}/cancel", self.path);
        let (status, _, answer) = server.post(&path, &self.cart, "cancel", &json!({})).await.ok()?;
        Some((status, answer))
    }

    /// The buyer is told once that it is paid or cancelled, and the same ever after.
    fn note(&mut self, answer: Option<(StatusCode, Value)>) {
        if let Some((StatusCode::OK, order)) = answer {
            let told = self.told.get_or_insert_with(|| order.clone());
            assert_eq!(*told, order, "its buyer was told another thing");
        }
    }

    pub(crate) async fn status(&self, server: &Server) -> String {
        let request = server.client.get(format!("{}{}", server.base, self.path));
        let answer = request.header("x-cart-token", &self.cart).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{}", self.path);
        let order: Value = answer.json().await.unwrap();
        order["status"].as_str().unwrap().to_owned()
    }

    /// Waits until it stands in one of these states, and gives it.
    pub(crate) async fn comes_to(&self, server: &Server, states: &[&str]) -> String {
        let patience = Instant::now() + PATIENCE;
        loop {
            let status = self.status(server).await;
            if states.contains(&status.as_str()) {
                return status;
            }
            assert!(Instant::now() < patience, "{} is stuck as {status}", self.path);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Waits until this much is for sale, at most so long.
pub(crate) async fn for_sale(server: &Server, wanted: i64, patience: Duration) {
    let patience = Instant::now() + patience;
    loop {
        let available = server.teapot().await.1;
        if available == wanted {
            return;
        }
        assert!(Instant::now() < patience, "{available} are for sale, and not {wanted}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How often the provider took money, as it says itself.
async fn charges(data: &Path) -> i64 {
    taken(data, "SELECT count(*) FROM payments.sandbox_charges WHERE decline_code IS NULL").await
}

/// What the provider's tables say.
pub(crate) async fn taken(data: &Path, sql: &'static str) -> i64 {
    let cluster = Cluster::join_or_start(Options {
        data_dir: data.to_owned(),
        command: "a test".to_owned(),
        binaries: std::env::var_os("SOUK_POSTGRES_BIN").map(Into::into),
        settings: Vec::new(),
    })
    .await
    .unwrap();
    let mut connection = sqlx::PgConnection::connect(&cluster.url()).await.unwrap();
    let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    cluster.stop().await.unwrap();
    number
}

pub(crate) fn power_failed(server: Server, point: &str) {
    let status = end(server);
    assert!(status.is_some_and(|status| !status.success()), "the power did not fail at {point}: {status:?}");
}

/// The points of a way, and those of others that it passes too.
pub(crate) fn of_way(way: &str, needed: &str, time: usize, others: &[(&str, usize)]) -> Vec<(String, usize)> {
    let points = points();
    for (needed, _) in others.iter().chain([&(needed, 0)]) {
        assert!(points.contains(*needed), "{needed} is not among {points:?}");
    }
    let own = points.into_iter().filter(|point| point.starts_with(way)).map(|point| (point, time));
    own.chain(others.iter().map(|(point, time)| ((*point).to_owned(), *time))).collect()
}

async fn paying_fails_at(point: String, time: usize, template: Arc<TempDir>) {
    let data = copy(template.path());
    let server = Server::start_with(data.path(), &[("POWER_FAILS_AT", &format!("{point}:{time}"))]).await;
    let (_, stock) = server.teapot().await;
    let mut orders = Unpaid::place_all(&server).await;
    // One is paid by then.
    let first = orders[0].pay(&server).await;
    orders[0].note(first);
    let answers = join_all(orders.iter().map(|order| order.pay(&server))).await;
    orders.iter_mut().zip(answers).for_each(|(order, answer)| order.note(answer));
    power_failed(server, &point);

    let server = Server::start(data.path()).await;
    let mut paid = 0;
    for (number, order) in orders.iter_mut().enumerate() {
        let status = order.comes_to(&server, &["paid", "awaiting_payment"]).await;
        assert!(order.told.is_none() || status == "paid", "{point}: a paid order is {status}");
        let pays = order.token == "tok_visa";
        // Every other buyer asks again.
        if number % 2 == 0 || !pays {
            let answer = order.pay(&server).await.unwrap();
            let expected = if pays { StatusCode::OK } else { StatusCode::PAYMENT_REQUIRED };
            assert_eq!(answer.0, expected, "{point}: {}", answer.1);
            order.note(Some(answer));
        }
        paid += i64::from(order.status(&server).await == "paid");
    }
    for_sale(&server, stock - i64::try_from(ORDERS).unwrap(), Duration::ZERO).await;
    for order in &orders {
        if order.status(&server).await == "awaiting_payment" {
            assert_eq!(order.cancel(&server).await.unwrap().0, StatusCode::OK);
        }
    }
    for_sale(&server, stock - paid, PATIENCE).await;
    assert_eq!(charges(data.path()).await, paid, "{point}: each is charged once, and nobody else");
    verify(data.path());
    assert!(server.stop());
}

/// At each step of paying for an order that awaited its payment.
#[tokio::test(flavor = "multi_thread")]
async fn the_power_fails_while_orders_are_paid_later() {
    let others = [
        ("orders.settle.before_commit", SECOND),
        ("orders.settle.after_commit", SECOND),
        ("orders.settle.answered", SECOND),
        ("inventory.engine.before_commit", SECOND),
        ("inventory.engine.after_commit", SECOND),
        ("payments.charged", 2),
        ("payments.recorded", 2),
    ];
    let points = of_way("orders.pay.", "orders.pay.begun", 2, &others);
    each(points, &prepared().await, paying_fails_at).await;
}

async fn cancelling_fails_at(point: String, time: usize, template: Arc<TempDir>) {
    let data = copy(template.path());
    let hold = HOLD.as_secs().to_string();
    let variables = [("POWER_FAILS_AT", &*format!("{point}:{time}")), ("SOUK_PAYMENT_HOLD_SECONDS", &hold)];
    let server = Server::start_with(data.path(), &variables).await;
    let (_, stock) = server.teapot().await;
    let mut orders = Unpaid::place_all(&server).await;
    let first = orders[0].cancel(&server).await;
    orders[0].note(first);
    let answers = join_all(orders.iter().map(|order| order.cancel(&server))).await;
    orders.iter_mut().zip(answers).for_each(|(order, answer)| order.note(answer));
    power_failed(server, &point);

    let server = Server::start(data.path()).await;
    for (number, order) in orders.iter_mut().enumerate() {
        let status = order.comes_to(&server, &["cancelled", "awaiting_payment"]).await;
        assert!(order.told.is_none() || status == "cancelled", "{point}: a cancelled order is {status}");
        // Every other buyer asks again, and whoever would find their order as it was.
        if number % 2 == 0 || status == "awaiting_payment" {
            let answer = order.cancel(&server).await.unwrap();
            assert_eq!(answer.0, StatusCode::OK, "{point}: {}", answer.1);
            order.note(Some(answer));
        }
        assert_eq!(order.pay(&server).await.unwrap().0, StatusCode::CONFLICT, "{point}: it is called off");
    }
    for_sale(&server, stock, HOLD + PATIENCE).await;
    assert_eq!(charges(data.path()).await, 0);
    verify(data.path());
    assert!(server.stop());
}

/// At each step of calling off an order that awaited its payment.
#[tokio::test(flavor = "multi_thread")]
async fn the_power_fails_while_orders_are_called_off() {
    let others = [
        ("orders.settle.before_commit", SECOND),
        ("orders.settle.after_commit", SECOND),
        ("inventory.engine.before_commit", FIRST),
        ("inventory.engine.after_commit", FIRST),
    ];
    let points = of_way("orders.cancel.", "orders.cancel.settled", 2, &others);
    each(points, &prepared().await, cancelling_fails_at).await;
}

async fn giving_up_fails_at(point: String, time: usize, template: Arc<TempDir>) {
    let data = copy(template.path());
    let server = Server::start_with(data.path(), &[("SOUK_PAYMENT_HOLD_SECONDS", "6")]).await;
    let (_, stock) = server.teapot().await;
    let orders = Unpaid::place_all(&server).await;
    assert!(server.stop());
    // Nobody takes the stock back meanwhile: the first rounds of recovery and of the sweeper find all of it.
    tokio::time::sleep(Duration::from_secs(6)).await;
    power_failed(Server::launch(data.path(), &[("POWER_FAILS_AT", &format!("{point}:{time}"))]), &point);

    let server = Server::start(data.path()).await;
    for order in &orders {
        order.comes_to(&server, &["expired"]).await;
        assert_eq!(order.pay(&server).await.unwrap().0, StatusCode::CONFLICT, "{point}: it is given up");
    }
    for_sale(&server, stock, PATIENCE).await;
    assert_eq!(charges(data.path()).await, 0);
    verify(data.path());
    assert!(server.stop());
}

/// At each step of giving up orders that were not paid in time.
#[tokio::test(flavor = "multi_thread")]
async fn the_power_fails_while_orders_are_given_up() {
    let others = [
        ("orders.settle.before_commit", 1),
        ("orders.settle.after_commit", 1),
        ("orders.expire.settled", ORDERS / 2),
        ("inventory.engine.before_commit", 1),
        ("inventory.engine.after_commit", 1),
    ];
    let points = of_way("orders.expire.", "orders.expire.settled", 1, &others);
    each(points, &prepared().await, giving_up_fails_at).await;
}
