//! Stripe held against what others wrote: its published example objects, its official SDK, a fake of it, and scripted
//! answers in its documented forms.
mod balance;
mod connect;
mod fixtures;
mod localstripe;
mod notices;
mod pages;
mod payments;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::provider::Status;
use crate::{PaymentId, PayoutId, RefundId};
use platform::Currency;

const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
const SECRET_KEY: &str = "sk_test_souk";

/// The fields that each call may have, from the types of Stripe's official SDK: see tests/stripe/golden.py.
static GOLDEN: LazyLock<Golden> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../tests/stripe/fields.json")).unwrap());

#[derive(serde::Deserialize)]
struct Golden {
    version: String,
    calls: BTreeMap<String, BTreeSet<String>>,
}

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

fn settings(api_base: &str) -> StripeSettings {
    StripeSettings {
        secret_key: Secret::presented(SECRET_KEY),
        webhook_secrets: vec![Secret::presented("whsec_old"), Secret::presented("whsec_new")],
        api_base: api_base.parse().unwrap(),
    }
}

fn pounds(amount: i64) -> Money {
    Money::new(amount, Currency::GBP)
}

fn payment_id() -> PaymentId {
    PaymentId::new(NOW, &[1; 10])
}

fn refund_id() -> RefundId {
    RefundId::new(NOW, &[2; 10])
}

fn payout_id() -> PayoutId {
    PayoutId::new(NOW, &[3; 10])
}

fn asked(token: &str) -> Asked {
    Asked {
        id: payment_id(),
        order: uuid::Uuid::from_u128(7),
        amount: pounds(1999),
        token: PaymentToken::presented(token),
        keep_for: None,
        return_url: None,
        at: NOW,
    }
}

fn named(reference: &str) -> Named {
    Named { id: payment_id(), reference: reference.to_owned() }
}

fn intent(status: &str) -> Value {
    json!({
        "id": "pi_1", "object": "payment_intent", "amount": 1999, "currency": "gbp", "status": status,
        "metadata": {"souk_payment_id": payment_id(), "souk_order_id": "o"},
    })
}

fn merged(mut object: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

/// A Stripe that answers as scripted.
struct Scripted {
    server: MockServer,
    stripe: Stripe,
}

/// What was sent to it.
#[derive(Debug)]
struct Sent {
    /// Such as `POST /v1/refunds`.
    call: String,
    fields: BTreeMap<String, String>,
    key: Option<String>,
    account: Option<String>,
}

impl Sent {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

impl Scripted {
    async fn start() -> Self {
        let server = MockServer::start().await;
        let stripe = Stripe::new(settings(&server.uri())).unwrap();
        Self { server, stripe }
    }

    /// Answers one call like this, after those that were said before.
    async fn says(&self, call: &str, status: u16, body: &Value) {
        let (verb, at) = call.split_once(' ').unwrap();
        Mock::given(method(verb))
            .and(path(format!("/v1/{at}")))
            .respond_with(ResponseTemplate::new(status).set_body_json(body))
            .up_to_n_times(1)
            .mount(&self.server)
            .await;
    }

    /// What was sent since the last time. Whatever it is, it is as Stripe documents it.
    async fn sent(&self) -> Vec<Sent> {
        let requests = self.server.received_requests().await.unwrap();
        self.server.reset().await;
        requests.iter().map(read).collect()
    }
}

fn read(request: &Request) -> Sent {
    let header = |name: &str| Some(request.headers.get(name)?.to_str().unwrap().to_owned());
    let verb = request.method.to_string();
    let is_get = verb == "GET";
    let form = if is_get { request.url.query().unwrap_or_default().as_bytes() } else { &request.body };
    let fields: BTreeMap<String, String> = url::form_urlencoded::parse(form).into_owned().collect();
    let path = request.url.path().strip_prefix("/v1/").unwrap();
    assert_eq!(header("stripe-version"), Some(GOLDEN.version.clone()));
    assert_eq!(header("authorization"), Some(format!("Bearer {SECRET_KEY}")));
    let sent = Sent {
        call: format!("{verb} {path}"),
        fields,
        key: header("idempotency-key"),
        account: header("stripe-account"),
    };
    assert_eq!(sent.key.is_some(), !is_get && path != "account_links", "{sent:?}");
    if !is_get {
        assert_eq!(header("content-type").unwrap(), "application/x-www-form-urlencoded");
    }
    let known = known_fields(is_get, path);
    for name in sent.fields.keys() {
        assert!(known.contains(documented(name).as_str()), "{name} is no field of {}", sent.call);
    }
    sent
}

fn known_fields(is_get: bool, path: &str) -> BTreeSet<&'static str> {
    let is_id = |part: &&str| {
        ["pi_", "cs_", "tr_", "acct_", "ch_", "po_", "re_"].iter().any(|id| part.starts_with(id))
    };
    let mut call: Vec<&str> = path.split('/').filter(|part| !is_id(part)).collect();
    let is_of_one = path.split('/').next_back().is_some_and(|last| is_id(&last));
    match (is_get, is_of_one) {
        (true, true) => return BTreeSet::from(["expand"]),
        (true, false) if !call.contains(&"search") => call.push("list"),
        (false, true) => call.push("update"),
        _ => {}
    }
    let call = call.join("/");
    let known = GOLDEN.calls.get(&call).unwrap_or_else(|| panic!("no fields of {call} are known"));
    let mut known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    if call == "payment_intents" {
        // Not among the SDK's types, since cards are not to be sent like this; that tokens are, stands in
        // <https://docs.stripe.com/payments/payment-intents/migration/charges>.
        known.insert("payment_method_data[card][token]");
    }
    known
}

/// A field's name as the SDK has it: metadata is a field, and whatever place in a list is `[]`.
fn documented(name: &str) -> String {
    let name = name.replace("[0]", "[]");
    match name.find("metadata]") {
        Some(at) => name[..at + "metadata]".len()].to_owned(),
        None if name.starts_with("metadata[") => "metadata".to_owned(),
        None => name.strip_suffix("[]").unwrap_or(&name).to_owned(),
    }
}
