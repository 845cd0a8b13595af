//! Who is asking: reads cookies and the `Authorization` header, and keeps other sites from using a browser's cookies.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use identity::{Actor, Authenticated, Client, Credentials, Presented, SessionKind};
use platform::Secret;
use platform::audit::Origin;
use time::OffsetDateTime;

use crate::extract::cart_token;
use crate::problem::Problem;
use crate::{Api, limits};

/// Longest user agent that is kept, in characters.
const LONGEST_AGENT: usize = 255;
/// How long a browser keeps the mark of a device that is known: as long as browsers allow (RFC 6265bis, 5.5).
const DEVICE_LIFETIME: time::Duration = time::Duration::days(400);
/// Where an app that keeps no cookies sends the mark of its device.
const DEVICE_HEADER: &str = "x-device-token";

/// The id of the request, for whoever writes it down.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

impl Api {
    /// The cookie that carries a login. See [`Api::cart_cookie`] for the prefix.
    pub(crate) fn session_cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-souk_session" } else { "souk_session" }
    }

    /// The cookie that marks a device in which somebody has signed in before.
    pub(crate) fn device_cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-souk_device" } else { "souk_device" }
    }

    /// A cookie that scripts can not read and other sites can not have sent along.
    pub(crate) fn cookie(&self, name: &'static str, secret: &Secret, age: time::Duration) -> Cookie<'static> {
        Cookie::build((name, secret.expose().to_owned()))
            .path("/")
            .http_only(true)
            .secure(self.is_secure())
            .same_site(SameSite::Lax)
            .max_age(age)
            .build()
    }

    /// What makes a browser forget a cookie.
    pub(crate) fn expired(&self, name: &'static str) -> Cookie<'static> {
        self.cookie(name, &Secret::presented(""), time::Duration::ZERO)
    }

    /// The cookie of a login.
    pub(crate) fn of_session(&self, token: &Secret, expires_at: OffsetDateTime) -> Cookie<'static> {
        self.cookie(self.session_cookie(), token, expires_at - self.sources.now())
    }

    /// Adds the cookie that a change of rights renewed, if there is one.
    pub(crate) fn renewed(&self, jar: CookieJar, renewed: Option<&Credentials>) -> CookieJar {
        match renewed {
            Some(Credentials::Cookie { token, expires_at }) => jar.add(self.of_session(token, *expires_at)),
            _ => jar,
        }
    }

    /// The cookie of a device.
    pub(crate) fn of_device(&self, device: &Secret) -> Cookie<'static> {
        self.cookie(self.device_cookie(), device, DEVICE_LIFETIME)
    }
}

/// Where a request comes from, for the audit log and for lists of devices.
pub(crate) fn origin(headers: &HeaderMap, extensions: &Extensions) -> Origin {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Origin {
        ip: extensions.get::<ClientIp>().map(|ip| ip.0).or_else(|| peer(extensions)),
        user_agent: agent.map(|agent| agent.chars().take(LONGEST_AGENT).collect()),
        request_id: extensions.get::<RequestId>().map(|id| id.0.clone()),
    }
}

/// The address of the client, behind the proxies that are trusted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientIp(pub(crate) IpAddr);

/// The other end of the connection.
pub(crate) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
}

/// What a client shows of itself, if it shows anything.
fn presented(api: &Api, headers: &HeaderMap) -> Option<Presented> {
    if let Some(bearer) = bearer(headers) {
        return Some(Presented::Bearer(bearer));
    }
    let jar = CookieJar::from_headers(headers);
    jar.get(api.session_cookie()).map(|cookie| Presented::Cookie(Secret::presented(cookie.value())))
}

/// Whether a client shows something of itself, good or not.
pub(crate) fn shows_credential(api: &Api, headers: &HeaderMap) -> bool {
    presented(api, headers).is_some()
}

/// What stands behind `Bearer` (RFC 6750, 2.1); the scheme is read in any case (RFC 9110, 11.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::presented(token.trim()))
}

/// Who is asking.
pub(crate) async fn actor(api: &Api, headers: &HeaderMap, extensions: &Extensions) -> Result<Actor, Problem> {
    let actor = match presented(api, headers) {
        None => Actor::stranger(),
        Some(presented) => match api.identity.access.authenticate(&presented).await {
            Ok(Authenticated::Principal(principal)) => Actor::known(principal),
            Ok(Authenticated::Publishable(_)) => Actor::stranger(),
            // A cookie that has outlived its session makes a guest, who may go on and sign in again.
            Err(identity::Error::BadCredential) if matches!(presented, Presented::Cookie(_)) => {
                Actor::stranger()
            }
            Err(error) => return Err(error.into()),
        },
    };
    Ok(actor.with_cart(cart_token(api, headers)).from(origin(headers, extensions)))
}

/// Who is asking: a guest, somebody who has signed in, or a program with its key; and the cart they hold.
pub(crate) struct Caller(pub(crate) Actor);

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        if let Some(known) = parts.extensions.get::<Actor>() {
            return Ok(Self(known.clone()));
        }
        let actor = actor(api, &parts.headers, &parts.extensions).await;
        limits::count_caller(api, &parts.extensions, actor.as_ref().ok()).await?;
        let actor = actor?;
        parts.extensions.insert(actor.clone());
        Ok(Self(actor))
    }
}

/// From where somebody signs in, before it is known with what kind of client.
pub(crate) struct SignInFrom {
    device: Option<Secret>,
    /// From where.
    pub(crate) origin: Origin,
}

impl SignInFrom {
    /// A client of this kind.
    pub(crate) fn client(self, kind: SessionKind) -> Client {
        Client { kind, device: self.device, origin: self.origin }
    }
}

impl FromRequestParts<Api> for SignInFrom {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Self::Rejection> {
        let in_header = parts.headers.get(DEVICE_HEADER).and_then(|value| value.to_str().ok());
        let jar = CookieJar::from_headers(&parts.headers);
        let in_cookie = jar.get(api.device_cookie()).map(Cookie::value);
        let device = in_header.or(in_cookie).map(Secret::presented);
        Ok(Self { device, origin: origin(&parts.headers, &parts.extensions) })
    }
}

/// Refuses unsafe requests that another site has a browser send with our cookies (cross-site request forgery). A
/// browser tells where a request comes from, in `Origin` or `Sec-Fetch-Site`; one that uses a login has to.
pub(crate) async fn refuse_other_sites(
    State(api): State<Api>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let safe = is_safe(request.method()) && !opens_a_socket(&request) || is_posted_answer(&request);
    if !safe && !comes_from_us(&api, request.headers()) {
        let message = "this request uses a browser's cookies and does not come from one of our own pages";
        return Err(Problem::new(StatusCode::FORBIDDEN, "request/cross_site", message));
    }
    Ok(next.run(request).await)
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a WebSocket is asked for. It is by GET, but what follows is neither safe nor held to the page's own site by
/// browsers: they connect from any page, and send cookies along (cross-site WebSocket hijacking).
fn opens_a_socket(request: &Request) -> bool {
    request.headers().contains_key(header::SEC_WEBSOCKET_KEY)
}

/// Whether a login provider has the browser post its answer. That request uses no cookie: it sends the browser on to the
/// same address by GET, where the one that began the login is told from others.
fn is_posted_answer(request: &Request) -> bool {
    let path = request.uri().path();
    let provider =
        path.strip_prefix("/api/v1/auth/providers/").and_then(|rest| rest.strip_suffix("/callback"));
    request.method() == Method::POST && provider.is_some_and(|name| !name.contains('/'))
}

fn comes_from_us(api: &Api, headers: &HeaderMap) -> bool {
    // Who shows a key or a token knows it: a browser does not send those by itself.
    if bearer(headers).is_some() {
        return true;
    }
    let jar = CookieJar::from_headers(headers);
    let login = jar.get(api.session_cookie()).is_some();
    if !login && jar.get(api.cart_cookie()).is_none() && jar.get(api.device_cookie()).is_none() {
        return true;
    }
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text("origin"), text("sec-fetch-site")) {
        (Some(origin), _) => origin == api.settings.public_url.origin().ascii_serialization(),
        (None, Some(site)) => matches!(site, "same-origin" | "none"),
        // No browser of today. A basket may be used; a login may not.
        (None, None) => !login,
    }
}
