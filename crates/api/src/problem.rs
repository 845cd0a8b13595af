//! Errors as `application/problem+json` (RFC 9457).

use std::any::Any;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use platform::{Code, Detail, ServiceError};
use serde::Serialize;
use utoipa::ToSchema;

/// Says that an answer is a repetition.
pub(crate) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What went wrong, before it is known in which request.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) details: Vec<Detail>,
    pub(crate) retry_after: Option<u32>,
    /// Whether the same request was answered with this before.
    pub(crate) replayed: bool,
}

/// The body of every answer that is not a success.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// Names the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:souk:problem:inventory/out_of_stock")]
    kind: String,
    /// The status in words.
    #[schema(example = "Conflict")]
    title: &'a str,
    /// The status.
    #[schema(example = 409)]
    status: u16,
    /// For people; the same as `message`.
    #[schema(example = "not enough in stock")]
    detail: &'a str,
    /// What was asked for.
    #[schema(example = "/api/v1/shopping_basket/checkout")]
    instance: &'a str,
    /// Stable; program against this.
    #[schema(example = "inventory/out_of_stock")]
    code: &'a str,
    /// For people.
    #[schema(example = "not enough in stock")]
    message: &'a str,
    /// What exactly is wrong, each with its place.
    details: &'a [Detail],
    /// Names this request in the logs.
    request_id: &'a str,
    /// Names the trace this request is part of (W3C Trace Context).
    trace_id: &'a str,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            details: Vec::new(),
            retry_after: None,
            replayed: false,
        }
    }

    /// Input that can not be read, with the place of what is wrong.
    pub(crate) fn invalid(code: &str, details: Vec<Detail>) -> Self {
        let message = match details.as_slice() {
            [one] if !one.field.is_empty() => format!("{}: {}", one.field, one.message),
            [one] => one.message.clone(),
            many => format!("{} things are wrong with the request", many.len()),
        };
        Self { details, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message) }
    }

    pub(crate) fn route_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "request/route_not_found", "there is nothing at this address")
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "request/method_not_allowed",
            "this address does not take this method",
        )
    }

    /// What a client that was not recognised should show (RFC 6750, 3).
    fn challenge(&self) -> &'static str {
        match self.code.as_str() {
            "identity/bad_credential" => "Bearer realm=\"souk\", error=\"invalid_token\"",
            _ => "Bearer realm=\"souk\"",
        }
    }

    /// Renders the problem as the answer to this request.
    pub(crate) fn render(&self, instance: &str, request_id: &str, trace_id: &str) -> Response {
        let body = ProblemBody {
            kind: format!("urn:souk:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.message,
            instance,
            code: &self.code,
            message: &self.message,
            details: &self.details,
            request_id,
            trace_id,
        };
        let json = serde_json::to_vec(&body).expect("a problem is plain data");
        let mut response = Response::new(Body::from(json));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(self.challenge()));
        }
        if self.replayed {
            headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// The one place where codes become HTTP statuses.
const fn status(code: Code) -> StatusCode {
    match code {
        Code::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::Gone => StatusCode::GONE,
        Code::Conflict => StatusCode::CONFLICT,
        Code::Precondition => StatusCode::PRECONDITION_FAILED,
        Code::PaymentRequired => StatusCode::PAYMENT_REQUIRED,
        Code::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl<E: ServiceError> From<E> for Problem {
    fn from(error: E) -> Self {
        let status = status(error.code());
        if status.is_server_error() {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            tracing::error!(code = error.reason(), %error, cause, "a request failed");
        }
        let message = match status {
            StatusCode::INTERNAL_SERVER_ERROR => "something went wrong on our side".to_owned(),
            _ => error.to_string(),
        };
        Self {
            status,
            code: error.reason().to_owned(),
            message,
            details: error.details(),
            retry_after: error.retry_after(),
            replayed: error.replayed(),
        }
    }
}

/// The problem travels as an extension; [`crate::context`] renders it with the request's ids.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What a client sees of a bug.
#[expect(clippy::needless_pass_by_value, reason = "the shape that the panic layer calls")]
pub(crate) fn of_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = message, "a handler panicked");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong on our side")
        .into_response()
}
