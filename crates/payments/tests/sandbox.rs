//! The sandbox's notices: signed, sent until they arrive, and as late, as often and in such disorder as is asked for.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use identity::Actor;
use payments::sandbox::{Chaos, Error, Sandbox, Target, Trigger};
use payments::{Charge, PaymentId, PaymentMeans, PaymentToken, Payments, ProviderSettings, Settings};
use platform::{Currency, Money};
use serde_json::Value;
use testkit::TestApp;
use time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SECRET: [u8; 32] = [42; 32];
const PRICE: Money = Money::new(1999, Currency::GBP);

/// Stands where Souk's webhook would: keeps what comes, and answers as it is told.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    /// What to answer next; 200 when nothing is left.
    answers: VecDeque<u16>,
    notices: Vec<Value>,
}

impl Receiver {
    async fn start(now: i64) -> (Self, u16) {
        let receiver = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(heard.clone().serve(stream, now));
            }
        });
        (receiver, port)
    }

    /// One request of HTTP/1.1, and the end of the connection.
    async fn serve(self, mut stream: TcpStream, now: i64) {
        let mut bytes = Vec::new();
        let (head, length) = loop {
            let mut part = [0; 4096];
            let count = stream.read(&mut part).await.unwrap();
            assert!(count > 0, "a whole request");
            bytes.extend_from_slice(&part[..count]);
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = header(&head, "content-length").parse::<usize>().unwrap();
            if bytes.len() >= end + 4 + length {
                break (head, end + 4);
            }
        };
        let body = &bytes[length..];
        assert!(head.starts_with("POST /api/v1/payments/webhook/sandbox HTTP/1.1"), "{head}");
        is_signed(header(&head, "souk-sandbox-signature"), body, now);
        let status = {
            let mut heard = self.0.lock().unwrap();
            heard.notices.push(serde_json::from_slice(body).unwrap());
            heard.answers.pop_front().unwrap_or(200)
        };
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }

    fn answers(&self, statuses: &[u16]) {
        self.0.lock().unwrap().answers = statuses.iter().copied().collect();
    }

    /// What came since this was last asked.
    fn heard(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock().unwrap().notices)
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let of = |line: &'a str| line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name));
    head.lines().find_map(of).unwrap_or_else(|| panic!("{name} is missing: {head}")).1
}

/// `t=<seconds>,v1=<hex of HMAC-SHA-256 over "t.body">`, at the time that it really is.
fn is_signed(header: &str, body: &[u8], now: i64) {
    let (time, signature) = header.split_once(",v1=").unwrap();
    let time = time.strip_prefix("t=").unwrap();
    assert!((time.parse::<i64>().unwrap() - now).abs() < 60, "the test clock is the sandbox's alone");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
    let tag = hmac::sign(&key, &[time.as_bytes(), b".", body].concat());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(signature, hex);
}

struct Bench {
    test: TestApp,
    payments: Arc<dyn Payments>,
    sandbox: Arc<dyn Sandbox>,
    receiver: Receiver,
    port: u16,
}

impl Bench {
    async fn start() -> Self {
        let test = TestApp::start().await;
        let (receiver, port) = Receiver::start(test.app.sources.now().unix_timestamp()).await;
        let (payments, sandbox) = Self::node(&test, port);
        Self { test, payments, sandbox, receiver, port }
    }

    fn node(test: &TestApp, port: u16) -> (Arc<dyn Payments>, Arc<dyn Sandbox>) {
        let public_url = format!("http://127.0.0.1:{port}/").parse().unwrap();
        let payouts = payments::PayoutDefaults::default();
        let provider = ProviderSettings::Sandbox { secret: SECRET };
        let settings =
            Settings { public_url, provider, payouts, reconciliation_grace: payments::RECONCILIATION_GRACE };
        let faces = payments::service(test.app.database.clone(), test.app.sources.clone(), settings).unwrap();
        (faces.payments, faces.sandbox.unwrap())
    }

    async fn charge(&self, token: &str) -> PaymentId {
        let id: PaymentId = self.test.app.sources.id();
        let means = PaymentMeans::token(PaymentToken::presented(token));
        let charge = Charge { id, order: id.uuid(), amount: PRICE, means: &means, return_url: None };
        self.payments.charge(charge).await.unwrap();
        id
    }

    /// Has the sandbox tell of a payment that it answered at once.
    async fn tell(&self, payment: PaymentId) {
        let target = Target { payment: Some(payment), ..Target::default() };
        self.sandbox.trigger(&Actor::system(), Trigger::PaymentSucceeded, &target).await.unwrap();
    }

    async fn later(&self, by: Duration) {
        self.sandbox.advance(&Actor::system(), by).await.unwrap();
        while self.sandbox.deliver_due().await.unwrap() > 0 {}
    }

    /// Souk and the sandbox agree. These payments are of no order, and that is all that is wrong with them.
    async fn finish(self) {
        let violations = self.test.violations().await;
        let wrong: Vec<_> =
            violations.iter().filter(|found| found.invariant != "payments/charge_has_order").collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    async fn chaos(&self, chaos: Chaos) {
        self.sandbox.set_chaos(&Actor::system(), &chaos).await.unwrap();
    }
}

fn ids(notices: &[Value]) -> Vec<&str> {
    notices.iter().map(|notice| notice["id"].as_str().unwrap()).collect()
}

/// Charges that are answered at once are not told; what happens later is, once, signed, with Souk's own id.
#[tokio::test(flavor = "multi_thread")]
async fn what_happens_later_is_told_once() {
    let bench = Bench::start().await;
    bench.charge("tok_visa").await;
    bench.charge("tok_chargeDeclined").await;
    let payment = bench.charge("tok_sandbox_processing").await;
    bench.later(Duration::ZERO).await;
    assert_eq!(bench.receiver.heard(), [] as [Value; 0]);
    bench.later(Duration::days(3)).await;
    let heard = bench.receiver.heard();
    let [notice] = &heard[..] else { panic!("{heard:?}") };
    assert!(notice["id"].as_str().unwrap().starts_with("evt_"));
    assert_eq!(notice["type"], "payment.succeeded");
    assert_eq!(notice["created"], "2026-06-04T12:00:00Z");
    let object = &notice["data"]["object"];
    assert_eq!((&object["object"], &object["status"]), (&"payment".into(), &"succeeded".into()));
    assert_eq!(object["payment"], payment.to_string());
    assert_eq!(
        (&object["amount"], &object["currency"], &object["fee"]),
        (&1999.into(), &"GBP".into(), &50.into())
    );
    bench.later(Duration::days(3)).await;
    assert_eq!(bench.receiver.heard(), [] as [Value; 0], "it arrived");
    bench.chaos(Chaos { tell_charges: true, ..Chaos::default() }).await;
    bench.charge("tok_visa").await;
    bench.charge("tok_chargeDeclined").await;
    bench.later(Duration::ZERO).await;
    let kinds: Vec<_> = bench.receiver.heard().iter().map(|notice| notice["type"].clone()).collect();
    assert_eq!(kinds, ["payment.succeeded", "payment.declined"], "all are told if that is asked for");
    bench.finish().await;
}

/// A notice that is not taken comes again, the same each time, after growing pauses, until it is.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_sent_again() {
    let bench = Bench::start().await;
    let payment = bench.charge("tok_visa").await;
    bench.tell(payment).await;
    bench.receiver.answers(&[500, 404, 302]);
    let mut all = Vec::new();
    for pause in [0, 2, 4, 8] {
        if pause > 0 {
            bench.later(Duration::seconds(pause - 1)).await;
            assert_eq!(bench.receiver.heard().len(), 0, "not before {pause} seconds");
        }
        bench.later(Duration::SECOND).await;
        all.extend(bench.receiver.heard());
    }
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|notice| *notice == all[0]));
    bench.later(Duration::days(1)).await;
    assert_eq!(bench.receiver.heard().len(), 0, "it was taken");
    bench.finish().await;
}

/// While nobody listens nothing is lost: all of it arrives, in order, once somebody does.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_nobody_listens() {
    let bench = Bench::start().await;
    let mut payments = Vec::new();
    for _ in 0..5 {
        let payment = bench.charge("tok_visa").await;
        bench.tell(payment).await;
        payments.push(payment.to_string());
    }
    let (_, nobody) = Bench::node(&bench.test, 9);
    assert_eq!(nobody.deliver_due().await.unwrap(), 0);
    bench.later(Duration::MINUTE).await;
    let heard = bench.receiver.heard();
    let told: Vec<_> =
        heard.iter().map(|notice| notice["data"]["object"]["payment"].as_str().unwrap()).collect();
    assert_eq!(told, payments);
    bench.finish().await;
}

/// Two nodes send at the same time: each notice arrives once.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_share_the_work() {
    let bench = Bench::start().await;
    for _ in 0..60 {
        let payment = bench.charge("tok_visa").await;
        bench.tell(payment).await;
    }
    let mut nodes = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (_, sandbox) = Bench::node(&bench.test, bench.port);
        nodes.spawn(async move { while sandbox.deliver_due().await.unwrap() > 0 {} });
    }
    nodes.join_all().await;
    let heard = bench.receiver.heard();
    let mut names = ids(&heard);
    names.sort_unstable();
    names.dedup();
    assert_eq!((heard.len(), names.len()), (60, 60));
    bench.finish().await;
}

/// Notices are late, repeated, lost and in disorder on demand, and not otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn chaos_comes_on_demand() {
    let bench = Bench::start().await;
    bench.chaos(Chaos { delay: Duration::seconds(30), ..Chaos::default() }).await;
    let payment = bench.charge("tok_visa").await;
    bench.tell(payment).await;
    bench.later(Duration::seconds(29)).await;
    assert_eq!(bench.receiver.heard().len(), 0);
    bench.later(Duration::SECOND).await;
    assert_eq!(bench.receiver.heard().len(), 1);

    bench.chaos(Chaos { copies: 3, ..Chaos::default() }).await;
    bench.tell(payment).await;
    bench.receiver.answers(&[200, 500]);
    bench.later(Duration::ZERO).await;
    bench.later(Duration::MINUTE).await;
    let heard = bench.receiver.heard();
    assert_eq!(heard.len(), 4, "three that were taken, and one that was not");
    assert!(heard.iter().all(|notice| *notice == heard[0]), "the same each time");

    bench.chaos(Chaos { lose: 2, ..Chaos::default() }).await;
    for _ in 0..3 {
        bench.tell(payment).await;
    }
    bench.later(Duration::days(1)).await;
    assert_eq!(bench.receiver.heard().len(), 1, "two of three are lost");
    assert_eq!(bench.sandbox.condition(&Actor::system()).await.unwrap().chaos.lose, 0);

    bench.chaos(Chaos { shuffle: true, ..Chaos::default() }).await;
    let mut written = BTreeMap::new();
    for place in 0..20 {
        let payment = bench.charge("tok_visa").await;
        bench.tell(payment).await;
        written.insert(payment.to_string(), place);
    }
    bench.later(Duration::ZERO).await;
    let heard = bench.receiver.heard();
    let order: Vec<_> =
        heard.iter().map(|notice| written[notice["data"]["object"]["payment"].as_str().unwrap()]).collect();
    assert!(order.len() == 20 && !order.is_sorted(), "{order:?}");

    for wrong in [
        Chaos { copies: 0, ..Chaos::default() },
        Chaos { copies: 101, ..Chaos::default() },
        Chaos { delay: -Duration::SECOND, ..Chaos::default() },
    ] {
        let refused = bench.sandbox.set_chaos(&Actor::system(), &wrong).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{wrong:?}");
    }
    let back = bench.sandbox.advance(&Actor::system(), -Duration::SECOND).await;
    assert!(matches!(back, Err(Error::Invalid(_))));
    bench.finish().await;
}

/// Only whoever may move the marketplace's money plays with the sandbox.
#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_is_the_operators() {
    let bench = Bench::start().await;
    let buyer = bench.test.person("buyer").await.actor;
    for actor in [Actor::stranger(), buyer] {
        let payment = Some(bench.charge("tok_visa").await);
        let target = Target { payment, ..Target::default() };
        let denied = [
            bench.sandbox.trigger(&actor, Trigger::DisputeCreated, &target).await.map(drop),
            bench.sandbox.advance(&actor, Duration::DAY).await.map(drop),
            bench.sandbox.set_chaos(&actor, &Chaos::default()).await.map(drop),
            bench.sandbox.condition(&actor).await.map(drop),
        ];
        assert!(denied.iter().all(|answer| matches!(answer, Err(Error::Denied(_)))), "{denied:?}");
    }
    bench.finish().await;
}
