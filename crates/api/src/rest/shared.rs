//! What endpoints share: reading pages, and the headers that answers carry.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use catalog::{Error as CatalogError, Key};
use garde::Validate;
use identity::{Actor, StoreId};
use orders::Answer;
use platform::{Cursor, CursorRequest, PageRequest};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::cache::JSON;
use crate::problem::{IDEMPOTENT_REPLAYED, Problem};

/// Told on every answer about a person's own things.
pub(crate) const PRIVATE: (HeaderName, &str) = (header::CACHE_CONTROL, "private, no-store");

/// What the bytes of [`json`] are.
const IS_JSON: (HeaderName, &str) = (header::CONTENT_TYPE, JSON);

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

/// Which slice of a list.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SliceQuery {
    /// How many, from 1 to 100.
    #[garde(inner(range(min = 1, max = PageRequest::MAX_PER_PAGE)))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    first: Option<u32>,
    /// The `end_cursor` of the page before.
    #[garde(skip)]
    after: Option<String>,
}

impl SliceQuery {
    pub(crate) fn request(&self) -> CursorRequest {
        slice(self.first, self.after.as_deref())
    }
}

/// The slice that a query asks for.
pub(crate) fn slice(first: Option<u32>, after: Option<&str>) -> CursorRequest {
    CursorRequest {
        first: first.unwrap_or(PageRequest::DEFAULT_PER_PAGE),
        after: after.map(Cursor::presented),
    }
}

/// Reads a field that may be left out, and that null empties.
pub(crate) fn nullable<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// An answer about a person's own things.
pub(crate) fn private<T: Serialize>(value: &T) -> Response {
    ([PRIVATE, IS_JSON], json(value)).into_response()
}

/// An answer about a thing that counts its versions.
pub(crate) fn versioned<T: Serialize>(value: &T, version: i64) -> Response {
    ([PRIVATE, IS_JSON, (header::ETAG, format!("\"{version}\"").as_str())], json(value)).into_response()
}

/// There is nothing to say but that it was done.
pub(crate) fn done() -> Response {
    (StatusCode::NO_CONTENT, [PRIVATE]).into_response()
}

/// A wish that was taken; what comes of it is not told.
#[derive(Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// `accepted`.
    #[schema(example = "accepted")]
    status: &'static str,
}

/// The answer to a wish of which nobody learns what comes of it.
pub(crate) fn accepted() -> Response {
    (StatusCode::ACCEPTED, [PRIVATE, IS_JSON], json(&Accepted { status: "accepted" })).into_response()
}

/// The id of a store that is named by its id or slug, as far as the actor may see it.
pub(crate) async fn store_id(api: &Api, actor: &Actor, named: &str) -> Result<StoreId, Problem> {
    let key = named.parse().map_err(|_| CatalogError::StoreNotFound)?;
    match key {
        Key::Id(id) => Ok(id),
        Key::Slug(_) => Ok(api.catalog.store(actor, &key).await?.id),
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
    let headers = [PRIVATE, IS_JSON, (header::LOCATION, location.as_str())];
    let mut response = (StatusCode::CREATED, headers, json(&answer.order)).into_response();
    mark_replay(&mut response, answer.replayed);
    response
}
