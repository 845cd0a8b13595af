//! How many requests are answered: per address, per user, per API key, with buckets of their own for what is worth
//! guarding. Told in `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).
//!
//! Who shows no credential is counted by address, before anything is done for them. Who shows one is counted by what
//! it stands for, once that is known, so that many may work behind one address and a program may do more than a
//! person; until then a wide bucket keeps the address from flooding us with credentials that are none.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use identity::{Actor, Subject};
use platform::limits::{Decision, Limiter, Policy};

use crate::Api;
use crate::auth::{self, ClientIp};
use crate::problem::Problem;

/// How large a full bucket is, and after how long (draft-ietf-httpapi-ratelimit-headers-10, 3).
pub(crate) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left in it, and after how many seconds it is full again.
pub(crate) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// By address: whatever has no bucket of its own. Many may sit behind one address.
static GENERAL: Policy = Policy::per_minute("general", 600);
/// By address: reads of the catalogue and files, which cost next to nothing.
static BROWSE: Policy = Policy::per_minute("browse", 6_000);
/// By address: requests that show a credential.
static ADDRESS: Policy = Policy::per_minute("address", 12_000);
/// By address: passwords and second factors. Guesses at one account are counted by `identity` besides.
static LOGIN: Policy = Policy::per_minute("login", 30);
/// By address: new accounts. A classroom fits in.
static REGISTER: Policy = Policy::per_hour("register", 40);
/// By address: whatever has mails sent.
static RESET: Policy = Policy::per_hour("reset", 30);
/// By user, API key, or else address: purchases, which is where stolen cards are tried. Calling an order off is none: it
/// tries no card and gives stock back, which whoever has bought too often should not be kept from; and there are no more
/// orders to call off than were placed, each of which was counted.
static CHECKOUT: Policy = Policy::per_minute("checkout", 30);
/// By address: places in line, and the challenges for them.
static JOIN: Policy = Policy::per_minute("join", 60);
/// By address: what payment providers tell. One sends for all buyers, from few addresses, and tells what it could not soon
/// again.
static WEBHOOK: Policy = Policy::per_minute("webhook", 60_000);
/// By address: what a payment provider has not signed.
static UNSIGNED: Policy = Policy::per_minute("unsigned", 60);
/// By user.
static USER: Policy = Policy::per_minute("user", 1_200);
/// By API key.
static API_KEY: Policy = Policy::per_minute("api_key", 6_000);

/// Which requests have a bucket of their own, by method and route; a `*` stands for whatever follows.
static BUCKETS: [(Method, &str, &Policy); 37] = [
    (Method::POST, "/api/v1/auth/login*", &LOGIN),
    (Method::POST, "/api/v1/auth/passkey*", &LOGIN),
    (Method::POST, "/api/v1/auth/register*", &REGISTER),
    (Method::POST, "/api/v1/auth/password_reset*", &RESET),
    (Method::POST, "/api/v1/auth/verify_email/resend", &RESET),
    (Method::POST, "/api/v1/auth/verify_email", &LOGIN),
    (Method::POST, "/api/v1/auth/token", &LOGIN),
    (Method::POST, "/api/v1/auth/step_up*", &LOGIN),
    (Method::POST, "/api/v1/users/me/password", &LOGIN),
    (Method::POST, "/api/v1/users/me/delete", &LOGIN),
    (Method::POST, "/api/v1/users/me/email", &RESET),
    (Method::POST, "/api/v1/stores/{id}/invitations", &RESET),
    (Method::POST, "/account/login", &LOGIN),
    (Method::POST, "/account/verify", &LOGIN),
    (Method::POST, "/account/forgot", &RESET),
    (Method::POST, "/account/resend", &RESET),
    (Method::POST, "/account/reset", &RESET),
    (Method::POST, "/api/v1/shopping_basket/checkout", &CHECKOUT),
    (Method::POST, "/api/v2/shopping_basket/checkout", &CHECKOUT),
    (Method::POST, "/api/v1/orders", &CHECKOUT),
    (Method::POST, "/api/v1/orders/{id}/payment", &CHECKOUT),
    (Method::POST, "/api/v1/payments/webhook/{provider}", &WEBHOOK),
    (Method::POST, "/api/v1/products/{id}/waiting_room/challenges", &JOIN),
    (Method::POST, "/api/v1/products/{id}/waiting_room/places", &JOIN),
    (Method::GET, "/api/v1/products/{id}/waiting_room/places/me", &BROWSE),
    (Method::GET, "/api/v1/products/{id}/waiting_room/events", &BROWSE),
    (Method::GET, "/api/v1/products", &BROWSE),
    (Method::GET, "/api/v1/products/{id}", &BROWSE),
    (Method::GET, "/api/v2/products", &BROWSE),
    (Method::GET, "/api/v1/categories", &BROWSE),
    (Method::GET, "/api/v1/stores", &BROWSE),
    (Method::GET, "/api/v1/stores/{id}", &BROWSE),
    (Method::GET, "/api/v1/stores/{id}/products", &BROWSE),
    (Method::GET, "/assets/*", &BROWSE),
    (Method::GET, "/media*", &BROWSE),
    (Method::GET, "/docs", &BROWSE),
    (Method::GET, "/openapi.json", &BROWSE),
];

/// The bucket of a request.
fn bucket(method: &Method, route: &str) -> &'static Policy {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let is_meant = |pattern: &str| match pattern.strip_suffix('*') {
        Some(beginning) => route.starts_with(beginning),
        None => route == pattern,
    };
    let own = BUCKETS.iter().find(|(of, pattern, _)| of == method && is_meant(pattern));
    own.map_or(&GENERAL, |(.., policy)| policy)
}

/// What was counted for a request; the handler's extractors add to it.
#[derive(Clone)]
struct Tally(Arc<Mutex<Vec<(&'static Policy, Decision)>>>);

/// What is known of a request before its caller is.
#[derive(Clone)]
struct Counted {
    tally: Tally,
    bucket: &'static Policy,
    /// The key of the client's address.
    address: Arc<str>,
    /// Whether a credential was shown, so that the address was not counted as a stranger's.
    shown: bool,
}

/// Counts a request by its address, and tells in the answer what is left.
pub(crate) async fn count(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let address = request.extensions().get::<ClientIp>().map(|client| key_of(client.0));
    let (Some(limiter), Some(address)) = (api.settings.limiter.clone(), address) else {
        return next.run(request).await;
    };
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let bucket = bucket(request.method(), route);
    let shown = auth::shows_credential(&api, request.headers());
    // Purchases are counted by who buys, so their address only as any other.
    let by_address = match bucket {
        own if *own != CHECKOUT && *own != GENERAL => own,
        _ if shown => &ADDRESS,
        _ => &GENERAL,
    };
    let tally = Tally(Arc::default());
    let mut response = match tally.take(&*limiter, by_address, &address).await {
        Ok(()) => {
            let counted = Counted { tally: tally.clone(), bucket, address: address.into(), shown };
            request.extensions_mut().insert(counted.clone());
            let response = next.run(request).await;
            // A credential that nobody looked at may be none: who shows one counts as a stranger until it is known.
            let unseen = counted.shown && *by_address == ADDRESS && tally.taken() == 1;
            match unseen {
                true => tally
                    .take(&*limiter, &GENERAL, &counted.address)
                    .await
                    .map_or_else(Problem::into_response, |()| response),
                false => response,
            }
        }
        Err(problem) => problem.into_response(),
    };
    tally.tell(response.headers_mut());
    response
}

/// Counts a request by its caller, once that is known; without one the credential was none.
///
/// # Errors
/// When the caller has to wait.
pub(crate) async fn count_caller(
    api: &Api,
    extensions: &Extensions,
    caller: Option<&Actor>,
) -> Result<(), Problem> {
    let (Some(limiter), Some(counted)) = (&api.settings.limiter, extensions.get::<Counted>()) else {
        return Ok(());
    };
    let (own, key) = match caller.and_then(Actor::principal).map(|principal| principal.subject) {
        Some(Subject::User(user)) => (&USER, Some(format!("user:{user}"))),
        Some(Subject::ApiKey(id)) => (&API_KEY, Some(format!("api_key:{id}"))),
        None => (&GENERAL, None),
    };
    let known = key.is_some();
    let key = key.as_deref().unwrap_or(&counted.address);
    if known || counted.shown {
        counted.tally.take(&**limiter, own, key).await?;
    }
    if *counted.bucket == CHECKOUT {
        counted.tally.take(&**limiter, &CHECKOUT, key).await?;
    }
    Ok(())
}

/// Counts what came as a payment provider's and is not. What is signed is not counted with it, also from the same address.
///
/// # Errors
/// When the sender has to wait.
pub(crate) async fn count_unsigned(api: &Api, extensions: &Extensions) -> Result<(), Problem> {
    let (Some(limiter), Some(counted)) = (&api.settings.limiter, extensions.get::<Counted>()) else {
        return Ok(());
    };
    counted.tally.take(&**limiter, &UNSIGNED, &counted.address).await
}

impl Tally {
    async fn take(&self, limiter: &dyn Limiter, policy: &'static Policy, key: &str) -> Result<(), Problem> {
        // Nobody is turned away because we can not count.
        let Ok(decision) = limiter.take(policy, key, 1).await else { return Ok(()) };
        self.0.lock().expect("no holder panics").push((policy, decision));
        if decision.allowed {
            return Ok(());
        }
        metrics::counter!("souk_rate_limited_total", "bucket" => policy.name).increment(1);
        let seconds = seconds(decision.retry_after).max(1);
        let message = format!("too many requests; try again in {seconds} s");
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "request/too_many_requests", message);
        Err(Problem { retry_after: Some(seconds), ..problem })
    }

    /// How often something was taken.
    fn taken(&self) -> usize {
        self.0.lock().expect("no holder panics").len()
    }

    /// Tells of the bucket that is empty first.
    fn tell(&self, headers: &mut HeaderMap) {
        let taken = self.0.lock().expect("no holder panics");
        let Some((policy, decision)) = taken.iter().min_by_key(|(_, decision)| decision.remaining) else {
            return;
        };
        let (name, window, reset) = (policy.name, policy.window.as_secs(), seconds(decision.reset_after));
        for (header, value) in [
            (RATE_LIMIT_POLICY, format!("\"{name}\";q={};w={window}", decision.limit)),
            (RATE_LIMIT, format!("\"{name}\";r={};t={reset}", decision.remaining)),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(header, value);
            }
        }
    }
}

/// Whole seconds, none of them too few.
fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}

/// Whom an address stands for: the customer of a network gets a whole /64 of IPv6 (RFC 6177), so that is one.
fn key_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("ip:{address}"),
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            format!("ip:{}/64", Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worth_guarding_has_its_own_bucket() {
        for (method, route, name) in [
            (Method::POST, "/api/v1/auth/login", "login"),
            (Method::POST, "/api/v1/auth/login/second_factor", "login"),
            (Method::POST, "/api/v1/auth/passkey", "login"),
            (Method::POST, "/api/v1/auth/refresh", "general"),
            (Method::POST, "/api/v1/auth/register", "register"),
            (Method::POST, "/api/v1/auth/password_reset/confirm", "reset"),
            (Method::POST, "/api/v1/auth/verify_email/resend", "reset"),
            (Method::POST, "/api/v1/orders/{id}/payment", "checkout"),
            (Method::POST, "/api/v1/orders/{id}/cancel", "general"),
            (Method::POST, "/api/v1/payments/webhook/{provider}", "webhook"),
            (Method::POST, "/api/v1/products/{id}/waiting_room/places", "join"),
            (Method::GET, "/api/v1/orders/{id}", "general"),
            (Method::POST, "/api/v1/orders/{id}", "general"),
            (Method::HEAD, "/api/v1/products", "browse"),
            (Method::POST, "/api/v1/products", "general"),
            (Method::GET, "/media/{*path}", "browse"),
            (Method::GET, "", "general"),
        ] {
            assert_eq!(bucket(&method, route).name, name, "{method} {route}");
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let key = |address: &str| key_of(address.parse().unwrap());
        assert_eq!(key("2001:db8:1:2:3:4:5:6"), "ip:2001:db8:1:2::/64");
        assert_eq!(key("2001:db8:1:2::"), key("2001:db8:1:2:ffff::1"));
        assert_ne!(key("2001:db8:1:2::"), key("2001:db8:1:3::"));
        assert_eq!(key("203.0.113.9"), "ip:203.0.113.9");
    }
}
