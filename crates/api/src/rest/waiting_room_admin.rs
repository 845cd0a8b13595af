//! Waiting rooms, as a store's team runs them.

use axum::extract::State;
use axum::response::Response;
use catalog::ProductId;
use garde::Validate;
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waiting_room::{PutRoom, Room};

use super::shared::{done, private, store_id};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{Json, Path};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(put_waiting_room, show_waiting_room, remove_waiting_room))
}

/// How a waiting room is to be.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct PutWaitingRoom {
    /// Whether buyers meet it. Switched off it keeps its line, for when it is switched on again.
    #[garde(skip)]
    #[serde(default = "yes")]
    #[schema(default = true)]
    enabled: bool,
    /// How many buyers are let in each second.
    #[garde(range(min = 1, max = 10_000))]
    #[schema(minimum = 1, maximum = 10_000, example = 50)]
    admissions_per_second: i32,
    /// For how many seconds a buyer who was let in may buy.
    #[garde(range(min = 30, max = 86_400))]
    #[serde(default = "ten_minutes")]
    #[schema(minimum = 30, maximum = 86_400, default = 600)]
    window_seconds: i32,
    /// How much work a guest's browser has to do for a place: each bit doubles it.
    #[garde(range(min = 8, max = 26))]
    #[serde(default = "usual_difficulty")]
    #[schema(minimum = 8, maximum = 26, default = 18)]
    challenge_difficulty: i32,
    /// Before this time nobody is let in, though places are given. At once, if not said.
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    opens_at: Option<OffsetDateTime>,
}

const fn yes() -> bool {
    true
}

const fn ten_minutes() -> i32 {
    600
}

const fn usual_difficulty() -> i32 {
    18
}

/// Gives a product a waiting room, or changes it.
///
/// From now on it can be bought by those alone whom the room has let in. Needs `products:write`.
#[utoipa::path(put, path = "/api/v1/stores/{id}/products/{product_id}/waiting_room", tag = "Stores",
    request_body = PutWaitingRoom,
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("product_id" = ProductId, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The room", body = Room), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn put_waiting_room(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, product)): Path<(String, ProductId)>,
    Json(body): Json<PutWaitingRoom>,
) -> Result<Response, Problem> {
    let store = store_id(&api, &actor, &store).await?;
    let put = PutRoom {
        enabled: body.enabled,
        admissions_per_second: body.admissions_per_second,
        window_seconds: body.window_seconds,
        challenge_difficulty: body.challenge_difficulty,
        opens_at: body.opens_at,
    };
    Ok(private(&api.waiting_room.put_room(&actor, store, product, &put).await?))
}

/// Shows a product's waiting room to its store's team.
///
/// With how many joined, were let in, and wait. Needs `products:read`.
#[utoipa::path(get, path = "/api/v1/stores/{id}/products/{product_id}/waiting_room", tag = "Stores",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("product_id" = ProductId, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The room", body = Room), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn show_waiting_room(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, product)): Path<(String, ProductId)>,
) -> Result<Response, Problem> {
    let store = store_id(&api, &actor, &store).await?;
    Ok(private(&api.waiting_room.room(&actor, store, product).await?))
}

/// Takes a product's waiting room away.
///
/// Everybody may buy it; places are forgotten, and a new room begins with an empty line. Needs `products:write`.
#[utoipa::path(delete, path = "/api/v1/stores/{id}/products/{product_id}/waiting_room", tag = "Stores",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("product_id" = ProductId, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "There is no waiting room"), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn remove_waiting_room(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, product)): Path<(String, ProductId)>,
) -> Result<Response, Problem> {
    let store = store_id(&api, &actor, &store).await?;
    api.waiting_room.remove_room(&actor, store, product).await?;
    Ok(done())
}
