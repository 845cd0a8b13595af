//! Reading requests. Whatever a client sends, it gets a problem with the place of what is wrong.

mod paying;

use std::convert::Infallible;
use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum_extra::extract::CookieJar;
use futures_util::StreamExt;
use garde::Validate;
use orders::IdempotencyKey;
use platform::{Detail, Secret};
use serde::de::DeserializeOwned;

use crate::Api;
use crate::problem::Problem;

pub(crate) use paying::PayingJson;

/// Bytes of a body that are read at most before the connection is given up.
const MOST_TAKEN: u64 = 16 * 1024 * 1024;
/// How long a body may take to come; what is left of a request's time is for its answer.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// A validated JSON body.
pub(crate) struct Json<T>(pub(crate) T);

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        parse(&json_body(request).await?)
    }
}

/// A body that is declared as JSON.
async fn json_body(request: Request) -> Result<Vec<u8>, Problem> {
    if !is_json(request.headers()) {
        let message = "send Content-Type: application/json";
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "request/unsupported_media_type",
            message,
        ));
    }
    read(request, BODY_TIMEOUT).await
}

fn parse<T: DeserializeOwned + Validate<Context = ()>>(bytes: &[u8]) -> Result<Json<T>, Problem> {
    if bytes.trim_ascii_start().first().is_some_and(|first| b"[\"0123456789-tfn".contains(first)) {
        let detail = Detail::new("", "invalid_type", "the body has to be a JSON object");
        return Err(Problem::invalid("request/invalid_type", vec![detail]));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value: T = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| bad_json(&error))?;
    deserializer.end().map_err(|error| malformed(&error))?;
    validate(&value)?;
    Ok(Json(value))
}

/// A body as it came, of whatever type, and what came with it.
pub(crate) struct Raw {
    pub(crate) body: Vec<u8>,
    /// Headers, their names in lower case; those that are no text are left out.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) extensions: Extensions,
}

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let headers = request.headers().iter().filter_map(text).collect();
        let extensions = request.extensions().clone();
        Ok(Self { body: read(request, BODY_TIMEOUT).await?, headers, extensions })
    }
}

/// Reads the body, which has to come `within` this time.
async fn read(request: Request, within: Duration) -> Result<Vec<u8>, Problem> {
    tokio::time::timeout(within, take(request)).await.unwrap_or_else(|_| {
        Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "request/body_timeout",
            "the body did not come in time",
        ))
    })
}

/// Takes the body. Of one that is too large the rest is taken and thrown away, up to a limit: a client that
/// is still sending when the connection closes may never see the answer.
async fn take(request: Request) -> Result<Vec<u8>, Problem> {
    let too_large = || {
        let message = format!("a body has at most {} bytes", crate::MAX_BODY);
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "request/body_too_large", message)
    };
    let declared =
        request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    // Such a client waits for a word before it sends anything (RFC 9110, 10.1.1).
    let asks_first = request.headers().contains_key(header::EXPECT);
    if declared.is_some_and(|bytes: u64| bytes > MOST_TAKEN || asks_first && bytes > crate::MAX_BODY as u64) {
        return Err(too_large());
    }
    let mut chunks = request.into_body().into_data_stream();
    let (mut body, mut taken) = (Vec::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            Problem::new(StatusCode::BAD_REQUEST, "request/body_incomplete", "the body could not be read")
        })?;
        taken += chunk.len() as u64;
        if taken <= crate::MAX_BODY as u64 {
            body.extend_from_slice(&chunk);
        } else if taken > MOST_TAKEN {
            break;
        }
    }
    if taken > crate::MAX_BODY as u64 { Err(too_large()) } else { Ok(body) }
}

/// Whether the body is declared as JSON: `application/json` or a type with the `+json` suffix (RFC 6839).
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn malformed(error: &serde_json::Error) -> Problem {
    let mut problem =
        Problem::new(StatusCode::BAD_REQUEST, "request/malformed_json", format!("not JSON: {error}"));
    problem.details = vec![Detail::new("", "malformed_json", error.to_string())];
    problem
}

fn bad_json(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let inner = error.inner();
    if inner.is_data() {
        let path = error.path().to_string();
        // The position says nothing to people who built the JSON in a program.
        let message = inner.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        bad_value(&path, message)
    } else {
        malformed(inner)
    }
}

/// Sorts serde's words into codes, and completes the path with the field they name.
fn bad_value(path: &str, message: &str) -> Problem {
    let named = message.split('`').nth(1).unwrap_or_default();
    let inside = |name: &str| match path {
        "." | "" => name.to_owned(),
        path if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        path => format!("{path}.{name}"),
    };
    let (code, field) = if message.starts_with("unknown field") {
        ("unknown_field", inside(named))
    } else if message.starts_with("missing field") {
        ("missing_field", inside(named))
    } else if message.starts_with("duplicate field") {
        ("invalid_value", inside(named))
    } else if message.starts_with("invalid type") {
        ("invalid_type", inside_or_self(path))
    } else {
        ("invalid_value", inside_or_self(path))
    };
    Problem::invalid(&format!("request/{code}"), vec![Detail::new(field, code, in_plain_words(message))])
}

/// serde's words without the value, which may be a secret such as a card number, and without Rust's names.
fn in_plain_words(message: &str) -> String {
    let described = message.starts_with("invalid type: ") || message.starts_with("invalid value: ");
    let Some((found, expected)) = message.rsplit_once(", expected ").filter(|_| described) else {
        return message.to_owned();
    };
    let found = found.split(['`', '"']).next().unwrap_or_default().trim_end().replace("map", "object");
    let expected = match expected {
        name if name.starts_with("struct ") => "an object",
        "i64" | "i32" | "u64" | "u32" => "a whole number",
        other => other,
    };
    format!("{found}, expected {expected}")
}

fn inside_or_self(path: &str) -> String {
    if path == "." { String::new() } else { path.to_owned() }
}

fn validate<T: Validate<Context = ()>>(value: &T) -> Result<(), Problem> {
    value.validate().map_err(|report| {
        let details = report
            .iter()
            .map(|(path, error)| Detail::new(path.to_string(), "invalid_value", error.message()))
            .collect();
        Problem::invalid("request/invalid_value", details)
    })
}

/// A validated query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(query.as_bytes()));
        let value: T = serde_path_to_error::deserialize(pairs)
            .map_err(|error| bad_value(&error.path().to_string(), &error.inner().to_string()))?;
        validate(&value)?;
        Ok(Self(value))
    }
}

/// A validated JSON body that may be left out.
pub(crate) struct MaybeJson<T>(pub(crate) T);

impl<T, S> FromRequest<S> for MaybeJson<T>
where
    T: DeserializeOwned + Validate<Context = ()> + Default,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let nothing = request.headers().get(header::CONTENT_TYPE).is_none() && request.body().is_end_stream();
        if nothing {
            return Ok(Self(T::default()));
        }
        Json::from_request(request, state).await.map(|Json(value)| Self(value))
    }
}

/// A validated form (`application/x-www-form-urlencoded`), as OAuth 2 sends it. Unknown fields are read over, which
/// RFC 6749, 3.2 asks for.
pub(crate) struct Form<T>(pub(crate) T);

impl<T, S> FromRequest<S> for Form<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        const FORM: &str = "application/x-www-form-urlencoded";
        let sent = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = sent.and_then(|sent| sent.split(';').next()).map(str::trim);
        if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case(FORM)) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "request/unsupported_media_type",
                format!("send Content-Type: {FORM}"),
            ));
        }
        let bytes = read(request, BODY_TIMEOUT).await?;
        let pairs = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(&bytes));
        let value: T = serde_path_to_error::deserialize(pairs)
            .map_err(|error| bad_value(&error.path().to_string(), &error.inner().to_string()))?;
        validate(&value)?;
        Ok(Self(value))
    }
}

/// What is in the path. What can not be read as an id or slug names nothing that is there.
pub(crate) struct Path<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::new(
                StatusCode::NOT_FOUND,
                "request/not_found",
                "there is nothing under this id",
            )),
        }
    }
}

/// The token in the basket's cookie, of a caller who sent none in `X-Cart-Token`.
pub(crate) struct CookieToken(pub(crate) Option<Secret>);

impl FromRequestParts<Api> for CookieToken {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Infallible> {
        if token_in_header(&parts.headers).is_some() {
            return Ok(Self(None));
        }
        let jar = CookieJar::from_headers(&parts.headers);
        Ok(Self(jar.get(api.cart_cookie()).map(|cookie| Secret::presented(cookie.value()))))
    }
}

fn token_in_header(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-cart-token").and_then(|value| value.to_str().ok())
}

/// The token of the cart that the caller holds, from `X-Cart-Token` or the basket's cookie.
pub(crate) fn cart_token(api: &Api, headers: &HeaderMap) -> Option<Secret> {
    if let Some(token) = token_in_header(headers) {
        return Some(Secret::presented(token));
    }
    let jar = CookieJar::from_headers(headers);
    jar.get(api.cart_cookie()).map(|cookie| Secret::presented(cookie.value()))
}

/// The version in `If-Match`, if there is one (RFC 9110, 13.1.1). What compression put behind it is read over.
pub(crate) struct IfVersion(pub(crate) Option<i64>);

impl<S: Send + Sync> FromRequestParts<S> for IfVersion {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let version = value.to_str().ok().and_then(|text| {
            let quoted = text.trim().strip_prefix('"')?.strip_suffix('"')?;
            quoted.split('-').next()?.parse().ok()
        });
        match version {
            Some(version) => Ok(Self(Some(version))),
            None => Err(Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "request/stale",
                "If-Match names no version of this; read it again and send its ETag",
            )),
        }
    }
}

impl IfVersion {
    /// The version, without which nothing is changed: a change on top of what was not read is a blind one.
    pub(crate) fn required(self) -> Result<i64, Problem> {
        self.0.ok_or_else(|| {
            Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "request/if_match_required",
                "read it first and send its ETag as If-Match",
            )
        })
    }
}

/// An `Idempotency-Key`, if there is one.
pub(crate) struct MaybeKey(pub(crate) Option<IdempotencyKey>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        match value.to_str().ok().and_then(IdempotencyKey::parse) {
            Some(key) => Ok(Self(Some(key))),
            None => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "request/idempotency_key_invalid",
                "an Idempotency-Key is 1 to 255 printable ASCII characters",
            )),
        }
    }
}

/// An `Idempotency-Key`, without which nothing is bought.
pub(crate) struct Key(pub(crate) IdempotencyKey);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        MaybeKey::from_request_parts(parts, state).await?.0.map(Self).ok_or_else(|| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "request/idempotency_key_required",
                "send an Idempotency-Key, new for each purchase and the same for each repetition of it",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, Bytes};

    /// A body that does not come is the client's fault, not ours.
    #[tokio::test]
    async fn a_body_has_to_come_in_time() {
        let begun = futures_util::stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"{"))]);
        let body = Body::from_stream(begun.chain(futures_util::stream::pending()));
        let problem = read(Request::new(body), Duration::from_millis(20)).await.unwrap_err();
        assert_eq!((problem.status.as_u16(), problem.code.as_str()), (408, "request/body_timeout"));
    }
}
