//! What every request gets: ids, a log line, metrics, and problems rendered with its ids.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tracing::Instrument;

use crate::auth::{self, ClientIp, RequestId};
use crate::problem::Problem;
use crate::{Api, forwarded, headers, limits};

const REQUEST_ID: &str = "x-request-id";
const TRACEPARENT: &str = "traceparent";
/// Headers that an answer keeps when a problem takes its place.
const KEPT: [HeaderName; 4] =
    [header::SET_COOKIE, header::ALLOW, limits::RATE_LIMIT_POLICY, limits::RATE_LIMIT];

pub(crate) async fn wrap(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = request_id(request.headers()).unwrap_or_else(|| api.sources.id::<()>().to_string());
    let trace = Trace::of(request.headers(), api.sources.random::<16>(), api.sources.random::<8>());
    let method = request.method().clone();
    let known = known(&method);
    let instance = request.uri().path().to_owned();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());

    request.extensions_mut().insert(RequestId(request_id.clone()));
    if let Some(peer) = auth::peer(request.extensions()) {
        let client = forwarded::client(peer, request.headers(), &api.settings.trusted_proxies);
        request.extensions_mut().insert(ClientIp(client));
    }
    let span = tracing::info_span!("request", request_id, trace_id = trace.trace_id);
    let mut response = next.run(request).instrument(span.clone()).await;
    let failed = is_error(&response) && !is_page(&response);
    let problem =
        response.extensions_mut().remove::<Problem>().or_else(|| failed.then(|| foreign(&response)));
    if let Some(problem) = problem {
        let rendered = problem.render(&instance, &request_id, &trace.trace_id);
        let kept = std::mem::replace(&mut response, rendered);
        for name in KEPT {
            for value in kept.headers().get_all(&name) {
                response.headers_mut().append(&name, value.clone());
            }
        }
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, value);
    }
    if let Ok(value) = HeaderValue::from_str(&trace.parent()) {
        headers.insert(TRACEPARENT, value);
    }
    headers::secure(headers, &instance, api.is_secure());

    let status = response.status().as_u16();
    let elapsed = started.elapsed();
    let labels = [("method", known.to_owned()), ("route", route.clone()), ("status", status.to_string())];
    metrics::counter!("souk_http_requests_total", &labels).increment(1);
    metrics::histogram!("souk_http_request_seconds", "method" => known, "route" => route)
        .record(elapsed.as_secs_f64());
    let milliseconds = elapsed.as_micros() as f64 / 1_000.0;
    span.in_scope(|| tracing::info!(%method, path = instance, status, milliseconds, "answered"));
    response
}

fn is_error(response: &Response) -> bool {
    response.status().is_client_error() || response.status().is_server_error()
}

/// Whether it is a page for people, which says itself what went wrong.
fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// The method as a label of metrics: a client may send any word, and each would be a series of its own.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| method == known).unwrap_or("OTHER")
}

/// An error that did not come from a handler of ours, in our words.
fn foreign(response: &Response) -> Problem {
    let status = response.status();
    let code = match status.as_u16() {
        404 => "request/route_not_found",
        405 => "request/method_not_allowed",
        413 => "request/body_too_large",
        416 => "request/range_not_satisfiable",
        503 => "request/timeout",
        500.. => "internal",
        _ => "request/invalid",
    };
    Problem::new(status, code, status.canonical_reason().unwrap_or("the request failed").to_lowercase())
}

/// A client's request id, if it is sane: 1 to 128 letters, digits, `-`, `_`, `.`.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let sane = (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    sane.then(|| id.to_owned())
}

/// The request's place in a trace (W3C Trace Context, level 1).
struct Trace {
    trace_id: String,
    span_id: String,
    flags: String,
}

impl Trace {
    /// Joins the client's trace or begins one.
    fn of(headers: &HeaderMap, new_trace: [u8; 16], new_span: [u8; 8]) -> Self {
        let joined =
            headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()).and_then(parse_traceparent);
        let (trace_id, flags) = joined.unwrap_or_else(|| (hex(&new_trace), "01".to_owned()));
        Self { trace_id, span_id: hex(&new_span), flags }
    }

    fn parent(&self) -> String {
        format!("00-{}-{}-{}", self.trace_id, self.span_id, self.flags)
    }
}

/// The trace id and flags of a valid `traceparent`.
fn parse_traceparent(text: &str) -> Option<(String, String)> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let not_zero = |part: &str| part.bytes().any(|b| b != b'0');
    let valid = is_hex(version, 2)
        && version != "ff"
        && (version != "00" || parts.next().is_none())
        && is_hex(trace, 32)
        && not_zero(trace)
        && is_hex(span, 16)
        && not_zero(span)
        && is_hex(flags, 2);
    valid.then(|| (trace.to_owned(), flags.to_owned()))
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_method_is_no_series_of_its_own() {
        assert_eq!(known(&Method::PATCH), "PATCH");
        for made_up in ["BREW", "get", "TRACE", "X-1"] {
            assert_eq!(known(&made_up.parse().unwrap()), "OTHER", "{made_up}");
        }
    }

    #[test]
    fn joins_only_valid_traces() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(parse_traceparent(good).unwrap().0, "4bf92f3577b34da6a3ce929d0e0e4736");
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(parse_traceparent(bad), None, "{bad}");
        }
    }
}
