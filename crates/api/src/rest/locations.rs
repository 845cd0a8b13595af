//! Where a store keeps its stock.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use inventory::{Location, LocationChange, NewLocation};
use platform::Slug;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::fields::{country_code, one_line};
use super::shared::{PRIVATE, nullable, private, store_id};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{Json, Path};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_locations, create_location)).routes(routes!(change_location))
}

/// The locations of a store.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StockLocations)]
struct Locations {
    /// The first first.
    data: Vec<Location>,
}

/// A location to be made.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateLocation {
    /// Its name in addresses, unique in the store.
    #[garde(custom(short))]
    #[schema(value_type = String, max_length = 50, example = "york")]
    code: Slug,
    /// Its name.
    #[garde(length(chars, min = 1, max = 200), custom(one_line))]
    #[schema(min_length = 1, max_length = 200, example = "Warehouse York")]
    name: String,
    /// Where it is, ISO 3166-1 alpha-2: orders to this country are served from here first.
    #[garde(inner(custom(country_code)))]
    #[schema(example = "GB")]
    country: Option<String>,
}

/// What is to be changed of a location; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeLocation {
    /// Its name.
    #[garde(inner(length(chars, min = 1, max = 200), custom(one_line)))]
    name: Option<String>,
    /// Where it is, ISO 3166-1 alpha-2; null takes it away.
    #[garde(inner(inner(custom(country_code))))]
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, example = "GB")]
    country: Option<Option<String>>,
    /// The least comes first.
    #[garde(inner(range(min = 0, max = 1_000_000)))]
    #[schema(minimum = 0, maximum = 1_000_000)]
    position: Option<i32>,
    /// Whether orders are served from here. What is at one that is not is not for sale; what was reserved stays so.
    #[garde(skip)]
    active: Option<bool>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that garde calls")]
fn short(code: &Slug, (): &()) -> garde::Result {
    if code.as_str().len() <= 50 { Ok(()) } else { Err(garde::Error::new("at most 50 characters")) }
}

/// Lists a store's locations.
///
/// In the order in which orders are served from them, those in the country of the delivery first. Every store has
/// `main`. Needs `stock:read`.
#[utoipa::path(get, path = "/api/v1/stores/{id}/locations", tag = "Stores",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "All of them", body = Locations), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn list_locations(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    Ok(private(&Locations { data: api.stock_keeping.locations(&actor, id).await? }))
}

/// Adds a location.
///
/// Behind the others; it has no stock yet. Needs `stock:write`.
#[utoipa::path(post, path = "/api/v1/stores/{id}/locations", tag = "Stores", request_body = CreateLocation,
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "The location", body = Location), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "The store has one of this code", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn create_location(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
    Json(body): Json<CreateLocation>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    let new = NewLocation { code: body.code, name: body.name, country: body.country };
    let made = api.stock_keeping.create_location(&actor, id, &new).await?;
    let place = format!("/api/v1/stores/{id}/locations");
    Ok((StatusCode::CREATED, [PRIVATE, (header::LOCATION, &place)], axum::Json(&made)).into_response())
}

/// Changes a location.
///
/// Renames it, moves it, puts it into another place in the order, or switches it on or off. Needs `stock:write`.
#[utoipa::path(patch, path = "/api/v1/stores/{id}/locations/{code}", tag = "Stores", request_body = ChangeLocation,
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("code" = String, Path, description = "Code of the location", example = "york")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The location", body = Location), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn change_location(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, code)): Path<(String, String)>,
    Json(body): Json<ChangeLocation>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    let change = LocationChange {
        name: body.name,
        country: body.country,
        position: body.position,
        active: body.active,
    };
    Ok(private(&api.stock_keeping.change_location(&actor, id, &code, &change).await?))
}
