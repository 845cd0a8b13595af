//! What endpoints share: reading pages, and the headers that answers carry.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use orders::Answer;
use platform::PageRequest;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::problem::IDEMPOTENT_REPLAYED;

/// Told on every answer about a person's own things.
pub(crate) const PRIVATE: (HeaderName, &str) = (header::CACHE_CONTROL, "private, no-store");

/// No parameters: an unknown one is refused, as everywhere.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoQuery {}

/// Which numbered page.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// From 1.
    #[garde(inner(range(min = 1, max = 1_000_000)))]
    #[param(minimum = 1, default = 1)]
    page: Option<u32>,
    /// From 1 to 100.
    #[garde(inner(range(min = 1, max = PageRequest::MAX_PER_PAGE)))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    per_page: Option<u32>,
}

impl PageQuery {
    pub(crate) fn request(&self) -> PageRequest {
        PageRequest {
            page: self.page.unwrap_or(1),
            per_page: self.per_page.unwrap_or(PageRequest::DEFAULT_PER_PAGE),
        }
    }
}

/// Serializes plain data.
pub(crate) fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("answers are plain data")
}

/// Says that the answer is a repetition.
pub(crate) fn mark_replay(response: &mut Response, replayed: bool) {
    if replayed {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
}

/// The answer to a purchase.
pub(crate) fn created(answer: &Answer) -> Response {
    let location = format!("/api/v1/orders/{}", answer.order.id);
    let headers = [PRIVATE, (header::LOCATION, location.as_str())];
    let mut response = (StatusCode::CREATED, headers, axum::Json(&answer.order)).into_response();
    mark_replay(&mut response, answer.replayed);
    response
}
