//! Keys of programs: of a store, and of the marketplace.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use identity::{Actor, ApiKey, ApiKeyId, ApiKeyKind, NewApiKey, Permission, StoreId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::{PRIVATE, done, private, store_id};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{Json, Path};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_store_keys, create_store_key))
        .routes(routes!(revoke_store_key))
        .routes(routes!(list_keys, create_key))
        .routes(routes!(revoke_key))
}

/// A key to be made.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateApiKey {
    /// `publishable` keys (`pk_`) say which shop asks, `secret` ones (`sk_`) act within their scopes.
    #[garde(skip)]
    kind: ApiKeyKind,
    /// What its owner calls it.
    #[garde(skip)]
    #[schema(example = "Stock sync")]
    name: String,
    /// What a secret key may do: no more than whoever makes it.
    #[garde(length(max = 50))]
    #[serde(default)]
    scopes: Vec<Permission>,
    /// When it ends by itself.
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
}

/// A new key and its secret.
#[derive(Serialize, ToSchema)]
struct CreatedApiKey {
    /// The key itself. It is told only once.
    key: String,
    /// What is kept of it.
    #[serde(flatten)]
    api_key: ApiKey,
}

/// Keys.
#[derive(Serialize, ToSchema)]
struct ApiKeyList {
    /// The latest first.
    data: Vec<ApiKey>,
}

async fn create(
    api: &Api,
    actor: &Actor,
    store: Option<StoreId>,
    body: CreateApiKey,
) -> Result<Response, Problem> {
    let new = NewApiKey {
        kind: body.kind,
        name: body.name,
        store,
        scopes: body.scopes,
        expires_at: body.expires_at,
    };
    let (api_key, secret) = api.identity.api_keys.create(actor, &new).await?;
    let location = match store {
        Some(store) => format!("/api/v1/stores/{store}/api_keys/{}", api_key.id),
        None => format!("/api/v1/api_keys/{}", api_key.id),
    };
    let headers = [PRIVATE, (header::LOCATION, location.as_str())];
    let body = CreatedApiKey { key: secret.expose().to_owned(), api_key };
    Ok((StatusCode::CREATED, headers, axum::Json(body)).into_response())
}

/// Lists a store's API keys.
#[utoipa::path(get, path = "/api/v1/stores/{id}/api_keys", tag = "Stores", params(("id" = String, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The keys, without their secrets", body = ApiKeyList),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn list_store_keys(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
) -> Result<Response, Problem> {
    let store = store_id(&api, &actor, &store).await?;
    Ok(private(&ApiKeyList { data: api.identity.api_keys.keys(&actor, Some(store)).await? }))
}

/// Makes an API key of a store.
///
/// The key itself is told once. It may do no more than whoever makes it.
#[utoipa::path(post, path = "/api/v1/stores/{id}/api_keys", tag = "Stores", request_body = CreateApiKey,
    params(("id" = String, Path)), security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "The key", body = CreatedApiKey), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn create_store_key(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
    Json(body): Json<CreateApiKey>,
) -> Result<Response, Problem> {
    let store = store_id(&api, &actor, &store).await?;
    create(&api, &actor, Some(store), body).await
}

/// Revokes an API key of a store.
///
/// It ends at once, and with it the service tokens that were got for it.
#[utoipa::path(delete, path = "/api/v1/stores/{id}/api_keys/{key_id}", tag = "Stores",
    params(("id" = String, Path), ("key_id" = ApiKeyId, Path)), security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "Revoked"), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn revoke_store_key(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, key)): Path<(String, ApiKeyId)>,
) -> Result<Response, Problem> {
    let store = store_id(&api, &actor, &store).await?;
    api.identity.api_keys.revoke(&actor, Some(store), key).await?;
    Ok(done())
}

/// Lists the marketplace's API keys.
#[utoipa::path(get, path = "/api/v1/api_keys", tag = "Operators", security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The keys, without their secrets", body = ApiKeyList),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody)))]
async fn list_keys(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    Ok(private(&ApiKeyList { data: api.identity.api_keys.keys(&actor, None).await? }))
}

/// Makes an API key of the marketplace.
///
/// For bots and services of the operator. The key itself is told once.
#[utoipa::path(post, path = "/api/v1/api_keys", tag = "Operators", request_body = CreateApiKey,
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "The key", body = CreatedApiKey), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn create_key(
    State(api): State<Api>,
    Caller(actor): Caller,
    Json(body): Json<CreateApiKey>,
) -> Result<Response, Problem> {
    create(&api, &actor, None, body).await
}

/// Revokes an API key of the marketplace.
#[utoipa::path(delete, path = "/api/v1/api_keys/{key_id}", tag = "Operators", params(("key_id" = ApiKeyId, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "Revoked"), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn revoke_key(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(key): Path<ApiKeyId>,
) -> Result<Response, Problem> {
    api.identity.api_keys.revoke(&actor, None, key).await?;
    Ok(done())
}
