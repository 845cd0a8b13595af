//! Address books.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use identity::{AddressBookEntry, AddressId, PutAddress};
use platform::Address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::{PRIVATE, done, private};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{Json, Path};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_addresses, add_address))
        .routes(routes!(replace_address, delete_address))
}

/// An address to be kept.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddressBody {
    /// What its owner calls it.
    #[garde(inner(length(chars, min = 1, max = 50)))]
    #[schema(example = "Home")]
    label: Option<String>,
    /// The address.
    #[garde(dive)]
    address: Address,
    /// Whether it is offered first; the only one always is.
    #[garde(skip)]
    #[serde(default)]
    is_default: bool,
}

impl From<AddressBody> for PutAddress {
    fn from(body: AddressBody) -> Self {
        Self { label: body.label, address: body.address, is_default: body.is_default }
    }
}

/// The addresses of somebody.
#[derive(Serialize, ToSchema)]
struct Addresses {
    /// The default first.
    data: Vec<AddressBookEntry>,
}

/// Lists one's addresses.
#[utoipa::path(get, path = "/api/v1/users/me/addresses", tag = "Accounts",
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The addresses", body = Addresses), (status = 401, body = ProblemBody)))]
async fn list_addresses(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    Ok(private(&Addresses { data: api.identity.accounts.addresses(&actor).await? }))
}

/// Keeps an address.
#[utoipa::path(post, path = "/api/v1/users/me/addresses", tag = "Accounts", request_body = AddressBody,
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "The address", body = AddressBookEntry), (status = 401, body = ProblemBody),
              (status = 409, description = "The book is full", body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn add_address(
    State(api): State<Api>,
    Caller(actor): Caller,
    Json(body): Json<AddressBody>,
) -> Result<Response, Problem> {
    let kept = api.identity.accounts.put_address(&actor, None, &body.into()).await?;
    let location = format!("/api/v1/users/me/addresses/{}", kept.id);
    let headers = [PRIVATE, (header::LOCATION, location.as_str())];
    Ok((StatusCode::CREATED, headers, axum::Json(kept)).into_response())
}

/// Replaces an address.
#[utoipa::path(put, path = "/api/v1/users/me/addresses/{id}", tag = "Accounts", request_body = AddressBody,
    params(("id" = AddressId, Path)), security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The address", body = AddressBookEntry), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn replace_address(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<AddressId>,
    Json(body): Json<AddressBody>,
) -> Result<Response, Problem> {
    Ok(private(&api.identity.accounts.put_address(&actor, Some(id), &body.into()).await?))
}

/// Forgets an address.
#[utoipa::path(delete, path = "/api/v1/users/me/addresses/{id}", tag = "Accounts", params(("id" = AddressId, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "Forgotten"), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody)))]
async fn delete_address(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<AddressId>,
) -> Result<Response, Problem> {
    api.identity.accounts.delete_address(&actor, id).await?;
    Ok(done())
}
