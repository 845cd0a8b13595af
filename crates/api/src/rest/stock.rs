//! A store's stock, as its team works with it.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use catalog::VariantId;
use garde::Validate;
use inventory::{Count, Reason, StockAdjustment, StockChange, StockLevel};
use platform::{PageRequest, Slice, Slug};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::fields::prose;
use super::shared::{PRIVATE, SliceQuery, mark_replay, private, slice, store_id, versioned};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{IfVersion, Json, MaybeKey, Path, Query};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_stock))
        .routes(routes!(show_stock, count_stock))
        .routes(routes!(list_adjustments, adjust_stock))
}

/// A change of what is on hand.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct AdjustStock {
    /// Units that came (7) or went (-2).
    #[garde(range(min = -1_000_000_000, max = 1_000_000_000))]
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000, example = -2)]
    quantity: i64,
    /// Why. `opening` is for imports.
    #[garde(skip)]
    #[schema(inline)]
    reason: Reason,
    /// For whoever asks later.
    #[garde(inner(length(chars, max = 500), custom(prose)))]
    #[schema(example = "fell off the shelf")]
    note: Option<String>,
    /// The code of the location; `main` if none is named.
    #[garde(skip)]
    #[schema(example = "york")]
    location: Option<Slug>,
}

/// What somebody counted.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct CountStock {
    /// Units in the store's hands at the location, those included that buyers are about to buy.
    #[garde(range(min = 0, max = 1_000_000_000))]
    #[schema(minimum = 0, maximum = 1_000_000_000, example = 12)]
    on_hand: i64,
    /// Why they are not as many as were thought. `opening` is for imports.
    #[garde(skip)]
    #[schema(inline)]
    reason: Reason,
    /// For whoever asks later.
    #[garde(inner(length(chars, max = 500), custom(prose)))]
    note: Option<String>,
    /// The code of the location at which was counted; `main` if none is named.
    #[garde(skip)]
    #[schema(example = "york")]
    location: Option<Slug>,
}

/// Which of a store's stock.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StockQuery {
    /// Of this variant alone.
    #[garde(skip)]
    variant_id: Option<VariantId>,
    /// How many, from 1 to 100.
    #[garde(inner(range(min = 1, max = PageRequest::MAX_PER_PAGE)))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    first: Option<u32>,
    /// The `end_cursor` of the page before.
    #[garde(skip)]
    after: Option<String>,
}

/// Lists a store's stock.
///
/// Of all its variants, in the order of their ids. Needs `stock:read`.
#[utoipa::path(get, path = "/api/v1/stores/{id}/stock", tag = "Stores",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"), StockQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "A slice of the list", body = Slice<StockLevel>),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn list_stock(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
    Query(query): Query<StockQuery>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    let request = slice(query.first, query.after.as_deref());
    Ok(private(&api.stock_keeping.levels(&actor, id, query.variant_id, &request).await?))
}

/// Shows the stock of a variant.
///
/// The `ETag` names what is on hand; what buyers reserve does not change it. Needs `stock:read`.
#[utoipa::path(get, path = "/api/v1/stores/{id}/stock/{variant_id}", tag = "Stores",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("variant_id" = VariantId, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The level", body = StockLevel), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn show_stock(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, variant)): Path<(String, VariantId)>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    let level = api.stock_keeping.level(&actor, id, variant).await?;
    Ok(versioned(&level, level.version))
}

/// Sets the stock of a variant to what was counted.
///
/// Never a blind set: it takes the level's `ETag` as `If-Match`, and is refused when units were sold or adjusted since.
/// The difference is written down as an adjustment. Needs `stock:write`.
#[utoipa::path(put, path = "/api/v1/stores/{id}/stock/{variant_id}", tag = "Stores", request_body = CountStock,
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("variant_id" = VariantId, Path), ("If-Match" = String, Header)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The level", body = StockLevel), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "More is reserved than that", body = ProblemBody),
              (status = 412, description = "Changed meanwhile", body = ProblemBody), (status = 422, body = ProblemBody),
              (status = 428, description = "No If-Match", body = ProblemBody)))]
async fn count_stock(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, variant)): Path<(String, VariantId)>,
    version: IfVersion,
    Json(body): Json<CountStock>,
) -> Result<Response, Problem> {
    let version = version.required()?;
    let id = store_id(&api, &actor, &store).await?;
    let location = body.location.map(|code| code.as_str().to_owned());
    let count = Count { on_hand: body.on_hand, reason: body.reason, note: body.note, location };
    let level = api.stock_keeping.count(&actor, id, variant, &count, version).await?;
    Ok(versioned(&level, level.version))
}

/// Adjusts the stock of a variant.
///
/// Sent again with the same `Idempotency-Key` it is applied once and answered the same. Needs `stock:write`.
#[utoipa::path(post, path = "/api/v1/stores/{id}/stock/{variant_id}/adjustments", tag = "Stores",
    request_body = AdjustStock,
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("variant_id" = VariantId, Path), ("Idempotency-Key" = Option<String>, Header)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "The adjustment", body = StockAdjustment), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "Less is there that is not reserved", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn adjust_stock(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, variant)): Path<(String, VariantId)>,
    MaybeKey(key): MaybeKey,
    Json(body): Json<AdjustStock>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    let location = body.location.map(|code| code.as_str().to_owned());
    let change = StockChange { quantity: body.quantity, reason: body.reason, note: body.note, location };
    let key = key.as_ref().map(orders::IdempotencyKey::as_str);
    let adjusted = api.stock_keeping.adjust_stock(&actor, id, variant, &change, key).await?;
    let location = format!("/api/v1/stores/{id}/stock/{variant}/adjustments");
    let headers = [PRIVATE, (header::LOCATION, location.as_str())];
    let mut response = (StatusCode::CREATED, headers, axum::Json(&adjusted.adjustment)).into_response();
    mark_replay(&mut response, adjusted.replayed);
    Ok(response)
}

/// Lists the adjustments of a variant's stock.
///
/// The latest first, with who made them. Sales are not among them. Needs `stock:read`.
#[utoipa::path(get, path = "/api/v1/stores/{id}/stock/{variant_id}/adjustments", tag = "Stores",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("variant_id" = VariantId, Path), SliceQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "A slice of the list", body = Slice<StockAdjustment>),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn list_adjustments(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, variant)): Path<(String, VariantId)>,
    Query(query): Query<SliceQuery>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    Ok(private(&api.stock_keeping.adjustments(&actor, id, variant, &query.request()).await?))
}
