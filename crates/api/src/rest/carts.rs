//! Carts by id: for clients that keep the token themselves.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use catalog::VariantId;
use garde::Validate;
use orders::{Cart, CartId, CartLineId};
use platform::{Currency, Quantity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::absolute;
use super::shared::{PRIVATE, mark_replay};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{Json, MaybeKey, Path};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(create_cart))
        .routes(routes!(show_cart))
        .routes(routes!(add_item))
        .routes(routes!(change_item, remove_item))
}

/// The cart as clients see it: pictures with their whole address.
pub(crate) fn shown(api: &Api, mut cart: Cart) -> Cart {
    for line in &mut cart.lines {
        line.image_url = line.image_url.take().map(|url| absolute(&api.settings.public_url, &url));
    }
    cart
}

/// A cart to be opened.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateCart {
    /// The currency of all its lines. Without it the first line decides.
    #[garde(skip)]
    currency: Option<Currency>,
}

/// A new cart and the secret that opens it.
#[derive(Serialize, ToSchema)]
struct CreatedCart {
    /// Keep it and send it as `X-Cart-Token`. It is told only once.
    token: String,
    /// The cart.
    #[serde(flatten)]
    cart: Cart,
}

/// Units of a variant to be put into a cart.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddItem {
    /// What.
    #[garde(skip)]
    pub(crate) variant_id: VariantId,
    /// How many; 1 if nothing is said.
    #[garde(skip)]
    #[serde(default = "one")]
    pub(crate) quantity: Quantity,
}

fn one() -> Quantity {
    Quantity::try_from(1).expect("1 is a quantity")
}

/// A new quantity.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeItem {
    /// How many.
    #[garde(skip)]
    quantity: Quantity,
}

/// Opens a cart.
///
/// The body may be `{}`. An `Idempotency-Key` is not looked at: each request opens a cart of its own, and one that is
/// not used costs nothing and is forgotten.
#[utoipa::path(post, path = "/api/v1/carts", tag = "Cart", request_body = CreateCart,
    responses((status = 201, description = "The cart and its token", body = CreatedCart), (status = 422, body = ProblemBody)))]
async fn create_cart(
    State(api): State<Api>,
    Caller(actor): Caller,
    Json(body): Json<CreateCart>,
) -> Result<Response, Problem> {
    let (cart, token) = api.orders.create_cart(&actor, body.currency).await?;
    let location = format!("/api/v1/carts/{}", cart.id);
    let headers = [PRIVATE, (axum::http::header::LOCATION, location.as_str())];
    let created = CreatedCart { token: token.expose().to_owned(), cart };
    Ok((StatusCode::CREATED, headers, axum::Json(created)).into_response())
}

/// Shows a cart.
///
/// Lines whose price or stock is not what the buyer was shown carry `notes`.
#[utoipa::path(get, path = "/api/v1/carts/{id}", tag = "Cart", params(("id" = CartId, Path)),
    security(("cart_token" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The cart", body = Cart), (status = 404, body = ProblemBody),
              (status = 410, description = "It has expired", body = ProblemBody)))]
async fn show_cart(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<CartId>,
) -> Result<Response, Problem> {
    Ok(([PRIVATE], axum::Json(shown(&api, api.orders.cart(&actor, id).await?))).into_response())
}

/// Puts an item into a cart.
///
/// Units of a variant that is in the cart already are added to it, at the price of now. With an
/// `Idempotency-Key`, repeating the request adds them once and answers with the cart as it is by then.
#[utoipa::path(post, path = "/api/v1/carts/{id}/items", tag = "Cart", request_body = AddItem,
    params(("id" = CartId, Path), ("Idempotency-Key" = Option<String>, Header)),
    security(("cart_token" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The cart", body = Cart), (status = 404, body = ProblemBody),
              (status = 409, description = "Not enough in stock", body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn add_item(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<CartId>,
    MaybeKey(key): MaybeKey,
    Json(body): Json<AddItem>,
) -> Result<Response, Problem> {
    let added = api.orders.add_item(&actor, id, body.variant_id, body.quantity, key).await?;
    let mut response = ([PRIVATE], axum::Json(shown(&api, added.cart))).into_response();
    mark_replay(&mut response, added.replayed);
    Ok(response)
}

/// Changes how many of an item are in a cart.
///
/// The line takes the price of now: this is how a buyer accepts a changed price.
#[utoipa::path(patch, path = "/api/v1/carts/{id}/items/{line_id}", tag = "Cart", request_body = ChangeItem,
    params(("id" = CartId, Path), ("line_id" = CartLineId, Path)),
    security(("cart_token" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The cart", body = Cart), (status = 404, body = ProblemBody),
              (status = 409, description = "Not enough in stock", body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn change_item(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((id, line)): Path<(CartId, CartLineId)>,
    Json(body): Json<ChangeItem>,
) -> Result<Response, Problem> {
    let cart = api.orders.change_item(&actor, id, line, body.quantity).await?;
    Ok(([PRIVATE], axum::Json(shown(&api, cart))).into_response())
}

/// Takes an item out of a cart.
#[utoipa::path(delete, path = "/api/v1/carts/{id}/items/{line_id}", tag = "Cart",
    params(("id" = CartId, Path), ("line_id" = CartLineId, Path)),
    security(("cart_token" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The cart", body = Cart), (status = 404, body = ProblemBody)))]
async fn remove_item(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((id, line)): Path<(CartId, CartLineId)>,
) -> Result<Response, Problem> {
    Ok(([PRIVATE], axum::Json(shown(&api, api.orders.remove_item(&actor, id, line).await?))).into_response())
}
