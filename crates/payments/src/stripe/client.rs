//! How Stripe is called: by TLS, soon or not at all, and with the secret key in no log.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response, redirect};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use url::{Host, Url};

use super::failure::Failure;
use super::form::Form;
use super::{StripeSettings, StripeSettingsError};

/// The version of Stripe's interface that this is written for, which Stripe goes on serving. A marketplace's account may
/// stand at another one: calls name theirs. The next release (endive) takes fields of other names for what is paid with.
const VERSION: &str = "2026-02-25.clover";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Shorter than the deadline of the guard, so that one call that hangs does not take the answers of others with it.
const TIMEOUT: Duration = Duration::from_secs(8);
/// Largest answer, in bytes. A hundred balance transactions with what they are of are some hundred thousand.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// Calls at a time. Stripe takes a hundred a second of a live account.
const AT_A_TIME: usize = 32;

pub(super) struct Client {
    http: reqwest::Client,
    settings: StripeSettings,
    room: Semaphore,
}

/// A call to be made.
pub(super) struct Call<'a> {
    client: &'a Client,
    method: Method,
    path: &'a [&'a str],
    form: Form,
    key: Option<String>,
    account: Option<&'a str>,
}

impl Client {
    pub(super) fn new(settings: StripeSettings) -> Result<Self, StripeSettingsError> {
        if !is_safe(&settings.api_base) {
            return Err(StripeSettingsError::Insecure(settings.api_base));
        }
        let key = settings.secret_key.expose();
        if !(key.starts_with("sk_") || key.starts_with("rk_")) || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(StripeSettingsError::NoKey);
        }
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .user_agent("Souk")
            .build()
            .map_err(StripeSettingsError::Client)?;
        Ok(Self { http, settings, room: Semaphore::new(AT_A_TIME) })
    }

    /// Reads.
    pub(super) fn get<'a>(&'a self, path: &'a [&'a str], query: Form) -> Call<'a> {
        Call { client: self, method: Method::GET, path, form: query, key: None, account: None }
    }

    /// Changes something, once per key.
    pub(super) fn post<'a>(&'a self, path: &'a [&'a str], form: Form, key: String) -> Call<'a> {
        Call { client: self, method: Method::POST, path, form, key: Some(key), account: None }
    }

    /// Changes something, each time it is asked.
    pub(super) fn post_anew<'a>(&'a self, path: &'a [&'a str], form: Form) -> Call<'a> {
        Call { client: self, method: Method::POST, path, form, key: None, account: None }
    }

    fn address(&self, path: &[&str]) -> Url {
        let mut address = self.settings.api_base.clone();
        if let Ok(mut segments) = address.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        address
    }
}

impl<'a> Call<'a> {
    /// In the name of a store's account.
    pub(super) fn on(mut self, account: &'a str) -> Self {
        self.account = Some(account);
        self
    }

    /// Makes the call and reads the answer.
    pub(super) async fn send<T: DeserializeOwned>(self) -> Result<T, Failure> {
        let _room = self.client.room.acquire().await.expect("it is never closed");
        let mut address = self.client.address(self.path);
        let form = self.form.encoded();
        let is_get = self.method == Method::GET;
        if is_get {
            address.set_query(Some(&form).filter(|form| !form.is_empty()).map(String::as_str));
        }
        let mut request = self.client.http.request(self.method, address);
        if !is_get {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        }
        if let Some(key) = self.key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(account) = self.account {
            request = request.header("Stripe-Account", account);
        }
        let request =
            request.header("Stripe-Version", VERSION).bearer_auth(self.client.settings.secret_key.expose());
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let body = read(response).await?;
        if !status.is_success() {
            return Err(Failure::read(status.as_u16(), &body));
        }
        // It was done, but it is not known what: asking again with the same key tells.
        serde_json::from_slice(&body)
            .map_err(|error| Failure::Gone(format!("an answer that can not be read: {error}")))
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Failure::Gone(format!("an answer of more than {MAX_BODY} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Without the address, in which there may be names of objects.
#[expect(clippy::needless_pass_by_value, reason = "to be given to map_err")]
fn unreachable(error: reqwest::Error) -> Failure {
    let why = match () {
        () if error.is_timeout() => "it takes too long",
        () if error.is_connect() => "it can not be reached",
        () => "the connection broke",
    };
    Failure::Gone(why.to_owned())
}

/// The key travels by TLS, or does not leave this machine.
fn is_safe(address: &Url) -> bool {
    let is_this_machine = match address.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    address.scheme() == "https" && address.has_host() || address.scheme() == "http" && is_this_machine
}
