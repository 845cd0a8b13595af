//! One shopper: looks around, fills a basket, buys it, and thinks in between.

use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::http::Connection;
use crate::ids::{self, Chance, PRODUCTS};
use crate::latency::Latencies;
use crate::load::{Answers, BODY};
use crate::window::Window;

/// Milliseconds that a shopper thinks: at least, and how many more at most.
const THINK: (u64, u32) = (1_000, 2_001);
/// Pages of the product list that people look at.
const PAGES: u32 = 20;

/// What a shopper does next, in percent: 80 % reads, 20 % writes. What is not possible yet becomes something else.
const HABITS: [(Step, u32); 8] = [
    (Step::FrontPage, 15),
    (Step::List, 25),
    (Step::Product, 25),
    (Step::Basket, 10),
    (Step::Order, 5),
    (Step::Add, 10),
    (Step::Change, 4),
    (Step::Checkout, 6),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    FrontPage,
    List,
    Product,
    Basket,
    Order,
    Add,
    Change,
    Checkout,
}

impl Step {
    fn roll(chance: &mut Chance) -> Self {
        let mut rest = chance.below(100);
        for (step, share) in HABITS {
            match rest.checked_sub(share) {
                Some(left) => rest = left,
                None => return step,
            }
        }
        Self::FrontPage
    }
}

/// What a shopper met with.
#[derive(Default)]
pub(super) struct Met {
    /// All answers in the time that counted.
    pub(super) counted: Answers,
    /// Of all of those.
    pub(super) latencies: Latencies,
    /// Checkouts tried in that time, and what they took.
    pub(super) checkouts: Latencies,
    /// How many of them succeeded.
    pub(super) bought: u64,
    /// Checkouts at any time.
    pub(super) all_checkouts: Answers,
    /// The first answer that was a failure.
    pub(super) first_failure: Option<String>,
}

/// The parts of a basket that are needed to change it.
#[derive(Deserialize)]
struct Basket {
    id: Option<String>,
    lines: Vec<BasketLine>,
}

#[derive(Deserialize)]
struct BasketLine {
    id: String,
}

#[derive(Deserialize)]
struct Order {
    id: String,
}

/// Somebody, and what they remember.
pub(super) struct Shopper {
    number: u64,
    address: std::net::SocketAddr,
    connection: Option<Connection>,
    chance: Chance,
    token: Option<String>,
    /// Cart and line, for changing it.
    line: Option<(String, String)>,
    /// Path and token of what was bought last.
    order: Option<(String, String)>,
    purchases: u32,
    met: Met,
}

impl Shopper {
    /// `number` tells this one from all others, those of earlier runs too.
    pub(super) fn new(number: u64, address: std::net::SocketAddr) -> Self {
        Self {
            number,
            address,
            connection: None,
            chance: Chance::new(number),
            token: None,
            line: None,
            order: None,
            purchases: 0,
            met: Met::default(),
        }
    }

    /// Shops until time is up.
    pub(super) async fn shop(mut self, window: &Window) -> Met {
        while !window.is_over() {
            let wanted = Step::roll(&mut self.chance);
            let step = self.possible(wanted);
            self.take(step, window).await;
            let more = u64::from(self.chance.below(THINK.1));
            tokio::time::sleep(Duration::from_millis(THINK.0 + more)).await;
        }
        self.met
    }

    fn possible(&self, step: Step) -> Step {
        match step {
            Step::Order if self.order.is_none() => Step::Product,
            Step::Basket if self.token.is_none() => Step::List,
            Step::Change | Step::Checkout if self.line.is_none() => Step::Add,
            step => step,
        }
    }

    async fn take(&mut self, step: Step, window: &Window) {
        let request = self.request(step);
        let begun = Instant::now();
        let (status, token, body) = match self.send(request.as_bytes()).await {
            Ok(answer) => answer,
            Err(error) => {
                self.connection = None;
                self.note(step, window, begun, Err(error.kind().to_string()));
                return;
            }
        };
        self.note(step, window, begun, Ok(status));
        if !(200..=299).contains(&status) {
            let first = || format!("{step:?}: {status}: {}", String::from_utf8_lossy(&body));
            self.met.first_failure.get_or_insert_with(first);
            if step == Step::Checkout {
                (self.token, self.line) = (None, None);
            }
            return;
        }
        if let Some(token) = token {
            self.token = Some(token);
        }
        match step {
            Step::Add | Step::Change => {
                self.line = serde_json::from_slice::<Basket>(&body)
                    .ok()
                    .and_then(|mut basket| Some((basket.id?, basket.lines.pop()?.id)));
            }
            Step::Checkout => {
                let id = serde_json::from_slice::<Order>(&body).ok().map(|order| order.id);
                let token = self.token.take();
                self.order = id.zip(token).map(|(id, token)| (format!("/api/v1/orders/{id}"), token));
                self.line = None;
            }
            _ => {}
        }
    }

    fn note(&mut self, step: Step, window: &Window, begun: Instant, how: Result<u16, String>) {
        let mut answer = Answers::default();
        match how {
            Ok(status) => answer.count(status),
            Err(error) => answer.fail(error),
        }
        if window.counts() {
            self.met.latencies.record(begun.elapsed());
            if step == Step::Checkout {
                self.met.checkouts.record(begun.elapsed());
                self.met.bought += answer.accepted;
            }
            self.met.counted.add(answer.clone());
        }
        if step == Step::Checkout {
            self.met.all_checkouts.add(answer);
        }
    }

    /// Status, a new cart's token, and body.
    async fn send(&mut self, request: &[u8]) -> std::io::Result<(u16, Option<String>, Vec<u8>)> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(Connection::open(self.address).await?),
        };
        let answer = connection.send(request).await?;
        let token = answer.header("x-cart-token").map(ToOwned::to_owned);
        Ok((answer.status, token, answer.body.to_vec()))
    }

    fn request(&mut self, step: Step) -> String {
        let token = self.token.clone();
        let product = self.chance.below(PRODUCTS);
        match step {
            Step::FrontPage => self.get("/", None),
            Step::List => {
                let page = 1 + self.chance.below(PAGES);
                self.get(&format!("/api/v1/products?page={page}&per_page=20"), None)
            }
            Step::Product => self.get(&format!("/api/v1/products/{}", ids::product(product)), None),
            Step::Basket => self.get("/api/v1/shopping_basket", token.as_deref()),
            Step::Order => {
                let (path, token) = self.order.clone().unzip();
                self.get(&path.unwrap_or_default(), token.as_deref())
            }
            Step::Add => {
                let body = format!(r#"{{"variant_id":"{}","quantity":1}}"#, ids::variant(product));
                self.write("POST", "/api/v1/shopping_basket/products", token.as_deref(), "", &body)
            }
            Step::Change => {
                let (cart, line) = self.line.clone().unwrap_or_default();
                let body = format!(r#"{{"quantity":{}}}"#, 1 + self.chance.below(3));
                let path = format!("/api/v1/carts/{cart}/items/{line}");
                self.write("PATCH", &path, token.as_deref(), "", &body)
            }
            Step::Checkout => {
                self.purchases += 1;
                let key = format!("Idempotency-Key: shopper-{}-{}\r\n", self.number, self.purchases);
                self.write("POST", "/api/v1/shopping_basket/checkout", token.as_deref(), &key, BODY)
            }
        }
    }

    fn get(&self, path: &str, token: Option<&str>) -> String {
        let token = header(token);
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{token}\r\n", self.address)
    }

    fn write(&self, method: &str, path: &str, token: Option<&str>, more: &str, body: &str) -> String {
        let (token, length) = (header(token), body.len());
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{token}{more}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
            self.address
        )
    }
}

fn header(token: Option<&str>) -> String {
    token.map_or_else(String::new, |token| format!("X-Cart-Token: {token}\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_of_five_steps_are_reads() {
        assert_eq!(HABITS.iter().map(|(_, share)| share).sum::<u32>(), 100);
        let is_write = |step: Step| matches!(step, Step::Add | Step::Change | Step::Checkout);
        assert_eq!(
            HABITS.iter().filter(|(step, _)| is_write(*step)).map(|(_, share)| share).sum::<u32>(),
            20
        );
        let mut chance = Chance::new(1);
        let writes = (0..10_000).filter(|_| is_write(Step::roll(&mut chance))).count();
        assert!((1_800..2_200).contains(&writes), "{writes}");
    }

    #[test]
    fn nobody_buys_an_empty_basket() {
        let mut shopper = Shopper::new(1, "127.0.0.1:80".parse().unwrap());
        assert_eq!(shopper.possible(Step::Checkout), Step::Add);
        assert_eq!(shopper.possible(Step::Order), Step::Product);
        shopper.line = Some(("cart".to_owned(), "line".to_owned()));
        assert_eq!(shopper.possible(Step::Checkout), Step::Checkout);
        shopper.token = Some("secret".to_owned());
        let request = shopper.request(Step::Checkout);
        assert!(request.contains("X-Cart-Token: secret\r\nIdempotency-Key: shopper-1-1\r\n"), "{request}");
    }
}
