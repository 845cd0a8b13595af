//! Stores, by those who look after them: people apply, teams change, operators decide.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use catalog::{Decision, NewStore, Store, StoreChange, StoreReview, StoreStatus};
use garde::Validate;
use identity::{Actor, StoreRole};
use platform::{Currency, PageRequest, Slice, Slug};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::fields::{one_line, picture, prose};
use super::shared::{NoQuery, PRIVATE, done, nullable, private, slice, store_id, versioned};
use super::stores::with_address;
use crate::Api;
use crate::auth::Caller;
use crate::extract::{IfVersion, Json, Path, Query};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(apply_for_store))
        .routes(routes!(list_my_stores))
        .routes(routes!(change_store, withdraw_store))
        .routes(routes!(approve_store))
        .routes(routes!(reject_store))
        .routes(routes!(suspend_store))
        .routes(routes!(reinstate_store))
        .routes(routes!(list_stores_to_review))
}

/// A store that somebody wants to open.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ApplyForStore {
    /// Its name in addresses, unique over the marketplace.
    #[garde(skip)]
    slug: Slug,
    /// Its name.
    #[garde(length(chars, min = 1, max = 120), custom(one_line))]
    #[schema(min_length = 1, max_length = 120)]
    name: String,
    /// What it says of itself.
    #[garde(length(chars, max = 5_000), custom(prose))]
    #[serde(default)]
    #[schema(max_length = 5_000)]
    description: String,
    /// The currency of all its prices. It stays.
    #[garde(skip)]
    currency: Currency,
    /// Its picture.
    #[garde(inner(custom(picture)))]
    image_url: Option<String>,
}

/// What is to be changed of a store; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeStore {
    /// Its name.
    #[garde(inner(length(chars, min = 1, max = 120), custom(one_line)))]
    name: Option<String>,
    /// What it says of itself.
    #[garde(inner(length(chars, max = 5_000), custom(prose)))]
    description: Option<String>,
    /// Its picture; null takes it away.
    #[garde(inner(inner(custom(picture))))]
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    image_url: Option<Option<String>>,
}

/// Why an operator decides so.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct DecisionReason {
    /// For the store's team; the public is not told.
    #[garde(length(chars, min = 1, max = 1_000), custom(prose))]
    #[schema(min_length = 1, max_length = 1_000)]
    reason: String,
}

/// A store as its team and the operators see it.
#[derive(Serialize, ToSchema)]
struct TeamStore {
    /// What everybody would see.
    #[serde(flatten)]
    store: Store,
    /// How it came to be what it is.
    review: Option<StoreReview>,
}

/// A store that somebody works for.
#[derive(Serialize, ToSchema)]
struct OwnStore {
    /// As what.
    role: StoreRole,
    /// The store, whatever its status.
    store: TeamStore,
}

/// The stores that somebody works for.
#[derive(Serialize, ToSchema)]
struct OwnStores {
    /// By name.
    data: Vec<OwnStore>,
}

fn for_team(api: &Api, store: Store) -> TeamStore {
    TeamStore { review: store.review.clone(), store: with_address(api, store) }
}

/// The answer about a store, to those who may change it.
pub(crate) fn shown(api: &Api, store: Store) -> Response {
    let version = store.version;
    versioned(&for_team(api, store), version)
}

/// Applies for a store.
///
/// Whoever does becomes its owner and can fill its shelves; it is shown once an operator has approved it. A person may
/// have three applications open at a time. The slug makes it safe to send this again: the second time it is taken.
#[utoipa::path(post, path = "/api/v1/stores", tag = "Stores", request_body = ApplyForStore,
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "The store, pending", body = TeamStore), (status = 401, body = ProblemBody),
              (status = 403, description = "A program asks", body = ProblemBody),
              (status = 409, description = "The slug is taken, or too many applications are open", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn apply_for_store(
    State(api): State<Api>,
    Caller(actor): Caller,
    Json(body): Json<ApplyForStore>,
) -> Result<Response, Problem> {
    let ApplyForStore { slug, name, description, currency, image_url } = body;
    let new = NewStore { slug, name, description, currency, image_url };
    let store = api.catalog.apply(&actor, &new).await?;
    let headers = [
        PRIVATE,
        (header::LOCATION, &format!("/api/v1/stores/{}", store.id)),
        (header::ETAG, &format!("\"{}\"", store.version)),
    ];
    Ok((StatusCode::CREATED, headers, axum::Json(for_team(&api, store))).into_response())
}

/// Lists the stores one works for.
///
/// Whatever their status, with one's role in each.
#[utoipa::path(get, path = "/api/v1/users/me/stores", tag = "Stores",
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "One's stores", body = OwnStores), (status = 401, body = ProblemBody),
              (status = 403, description = "A program asks", body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn list_my_stores(
    State(api): State<Api>,
    Caller(actor): Caller,
    _none: Query<NoQuery>,
) -> Result<Response, Problem> {
    let data = api.catalog.own_stores(&actor).await?;
    let data =
        data.into_iter().map(|own| OwnStore { role: own.role, store: for_team(&api, own.store) }).collect();
    Ok(private(&OwnStores { data }))
}

/// Changes a store.
///
/// Needs `store:write`, and as `If-Match` the `ETag` that the store's team gets from `GET /api/v1/stores/{id}`.
#[utoipa::path(patch, path = "/api/v1/stores/{id}", tag = "Stores", request_body = ChangeStore,
    params(("id" = String, Path, description = "Id or slug", example = "kiln-and-kin"), ("If-Match" = String, Header)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The store", body = TeamStore), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "The store was rejected", body = ProblemBody),
              (status = 412, description = "Changed meanwhile", body = ProblemBody), (status = 422, body = ProblemBody),
              (status = 428, description = "No If-Match", body = ProblemBody)))]
async fn change_store(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
    version: IfVersion,
    Json(body): Json<ChangeStore>,
) -> Result<Response, Problem> {
    let version = version.required()?;
    let id = store_id(&api, &actor, &store).await?;
    let change = StoreChange { name: body.name, description: body.description, image_url: body.image_url };
    Ok(shown(&api, api.catalog.change_store(&actor, id, &change, version).await?))
}

/// Withdraws a store that never traded.
///
/// For its owners, while it waits or after it was rejected: its team goes with its invitations and keys, and the slug is
/// free again. There is no way back.
#[utoipa::path(delete, path = "/api/v1/stores/{id}", tag = "Stores",
    params(("id" = String, Path, description = "Id or slug", example = "kiln-and-kin")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "Withdrawn"), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "It was approved once; `facts` has its status", body = ProblemBody)))]
async fn withdraw_store(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    api.catalog.withdraw(&actor, id).await?;
    Ok(done())
}

async fn decide(api: &Api, actor: &Actor, store: &str, decision: Decision) -> Result<Response, Problem> {
    let id = store_id(api, actor, store).await?;
    Ok(shown(api, api.catalog.decide(actor, id, &decision).await?))
}

/// Approves a store.
///
/// One that waits, or one that was rejected before. Needs `stores:review`.
#[utoipa::path(post, path = "/api/v1/stores/{id}/approve", tag = "Operators",
    params(("id" = String, Path, description = "Id or slug", example = "kiln-and-kin")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The store, active", body = TeamStore), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "`facts` has its status", body = ProblemBody)))]
async fn approve_store(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
) -> Result<Response, Problem> {
    decide(&api, &actor, &store, Decision::Approve).await
}

/// Rejects a store that waits.
///
/// Needs `stores:review`.
#[utoipa::path(post, path = "/api/v1/stores/{id}/reject", tag = "Operators", request_body = DecisionReason,
    params(("id" = String, Path, description = "Id or slug", example = "kiln-and-kin")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The store, rejected", body = TeamStore), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "`facts` has its status", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn reject_store(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
    Json(body): Json<DecisionReason>,
) -> Result<Response, Problem> {
    decide(&api, &actor, &store, Decision::Reject(body.reason)).await
}

/// Suspends a store.
///
/// It and its products are shown to nobody but its team, and can not be bought, until it is reinstated. Needs
/// `stores:review`.
#[utoipa::path(post, path = "/api/v1/stores/{id}/suspend", tag = "Operators", request_body = DecisionReason,
    params(("id" = String, Path, description = "Id or slug", example = "kiln-and-kin")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The store, suspended", body = TeamStore), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "`facts` has its status", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn suspend_store(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
    Json(body): Json<DecisionReason>,
) -> Result<Response, Problem> {
    decide(&api, &actor, &store, Decision::Suspend(body.reason)).await
}

/// Reinstates a suspended store.
///
/// Needs `stores:review`.
#[utoipa::path(post, path = "/api/v1/stores/{id}/reinstate", tag = "Operators",
    params(("id" = String, Path, description = "Id or slug", example = "kiln-and-kin")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The store, active", body = TeamStore), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "`facts` has its status", body = ProblemBody)))]
async fn reinstate_store(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
) -> Result<Response, Problem> {
    decide(&api, &actor, &store, Decision::Reinstate).await
}

/// Which stores an operator looks at.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ReviewQuery {
    /// Those of this status.
    #[garde(skip)]
    #[param(inline)]
    status: Option<StoreStatus>,
    /// How many, from 1 to 100.
    #[garde(inner(range(min = 1, max = PageRequest::MAX_PER_PAGE)))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    first: Option<u32>,
    /// The `end_cursor` of the page before.
    #[garde(skip)]
    after: Option<String>,
}

/// Lists stores to decide about.
///
/// Of any status, the latest first. Needs `stores:review`.
#[utoipa::path(get, path = "/api/v1/admin/stores", tag = "Operators", params(ReviewQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "A slice of the list", body = Slice<TeamStore>), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn list_stores_to_review(
    State(api): State<Api>,
    Caller(actor): Caller,
    Query(query): Query<ReviewQuery>,
) -> Result<Response, Problem> {
    let request = slice(query.first, query.after.as_deref());
    let Slice { data, page_info } = api.catalog.review_queue(&actor, query.status, &request).await?;
    let data = data.into_iter().map(|store| for_team(&api, store)).collect();
    Ok(private(&Slice::<TeamStore> { data, page_info }))
}
