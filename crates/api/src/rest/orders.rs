//! Orders.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use garde::Validate;
use orders::{Address, Back, CartId, Checkout, Order, OrderId, PaymentPage};
use platform::{Cursor, CursorRequest, Email, PageRequest, Slice};
use serde::Deserialize;
use url::Url;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::payment_methods::PaymentBody;
use super::shared::{PRIVATE, created, mark_replay};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{Key, Path, PayingJson, Query};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_orders, create_order))
        .routes(routes!(show_order))
        .routes(routes!(pay_order))
        .routes(routes!(open_payment_page))
        .routes(routes!(cancel_order))
}

/// A cart to be bought.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateOrder {
    /// The cart: the account's, or one whose token comes in `X-Cart-Token`.
    #[garde(skip)]
    cart_id: CartId,
    /// Whom to write to.
    #[garde(skip)]
    email: Email,
    /// Who is billed.
    #[garde(dive)]
    billing: Option<Address>,
    /// Where it goes.
    #[garde(dive)]
    shipping: Address,
    /// How it is paid. Without it the order awaits payment and holds its stock until `hold_expires_at`.
    #[garde(dive)]
    payment: Option<PaymentBody>,
}

/// Buys a cart by its id.
///
/// As the checkout of a basket. Without `payment` the order awaits payment: pay it under
/// `/api/v1/orders/{id}/payment` before `hold_expires_at`.
#[utoipa::path(post, path = "/api/v1/orders", tag = "Checkout", request_body = CreateOrder,
    params(("Idempotency-Key" = String, Header, description = "New for each purchase, the same for each repetition of it")),
    security(("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "The order", body = Order),
              (status = 400, description = "No Idempotency-Key, or no JSON", body = ProblemBody),
              (status = 402, description = "The payment was declined; the stock is free again", body = ProblemBody),
              (status = 404, description = "There is no such cart", body = ProblemBody),
              (status = 409, description = "Out of stock, price changed, or checked out already", body = ProblemBody),
              (status = 410, description = "The cart has expired", body = ProblemBody),
              (status = 422, body = ProblemBody),
              (status = 503, description = "The order is safe and goes on by itself", body = ProblemBody)))]
async fn create_order(
    State(api): State<Api>,
    Caller(actor): Caller,
    Key(key): Key,
    PayingJson(body): PayingJson<CreateOrder>,
) -> Result<Response, Problem> {
    let means = body.payment.map(|payment| payment.means(&actor, "payment.")).transpose()?;
    let checkout = Checkout {
        cart_id: Some(body.cart_id),
        key,
        email: body.email,
        shipping_address: body.shipping,
        billing_address: body.billing,
        means,
    };
    Ok(created(&api.orders.checkout(&actor, checkout).await?))
}

/// Which part of a list.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OrdersQuery {
    /// How many, from 1 to 100.
    #[garde(inner(range(min = 1, max = PageRequest::MAX_PER_PAGE)))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    first: Option<u32>,
    /// The `end_cursor` of the page before.
    #[garde(skip)]
    after: Option<String>,
}

/// Lists the caller's orders.
///
/// The orders that were bought with the account, the latest first. Those that were bought as a guest are not among them,
/// whatever their e-mail address.
#[utoipa::path(get, path = "/api/v1/orders", tag = "Checkout", params(OrdersQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The orders", body = Slice<Order>),
              (status = 401, description = "Nobody has signed in", body = ProblemBody),
              (status = 403, description = "A program asks", body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn list_orders(
    State(api): State<Api>,
    Caller(actor): Caller,
    Query(query): Query<OrdersQuery>,
) -> Result<Response, Problem> {
    let slice = CursorRequest {
        first: query.first.unwrap_or(PageRequest::DEFAULT_PER_PAGE),
        after: query.after.as_deref().map(Cursor::presented),
    };
    Ok(([PRIVATE], axum::Json(api.orders.orders(&actor, &slice).await?)).into_response())
}

/// Shows an order.
///
/// To whoever bought it: with their account, or as the holder of the token of the cart it came from.
#[utoipa::path(get, path = "/api/v1/orders/{id}", tag = "Checkout", params(("id" = OrderId, Path)),
    security(("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The order", body = Order), (status = 404, body = ProblemBody)))]
async fn show_order(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<OrderId>,
) -> Result<Response, Problem> {
    Ok(([PRIVATE], axum::Json(api.orders.order(&actor, id).await?)).into_response())
}

/// Pays an order that awaits payment.
///
/// If the payment is declined the order goes on waiting until `hold_expires_at`; try another token under a
/// new `Idempotency-Key`.
#[utoipa::path(post, path = "/api/v1/orders/{id}/payment", tag = "Checkout", request_body = PaymentBody,
    params(("id" = OrderId, Path), ("Idempotency-Key" = String, Header)),
    security(("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The paid order", body = Order),
              (status = 400, description = "No Idempotency-Key, or no JSON", body = ProblemBody),
              (status = 402, description = "The payment was declined", body = ProblemBody),
              (status = 404, body = ProblemBody),
              (status = 409, description = "The order does not await payment", body = ProblemBody),
              (status = 422, body = ProblemBody),
              (status = 503, description = "The order is safe and goes on by itself", body = ProblemBody)))]
async fn pay_order(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<OrderId>,
    Key(key): Key,
    PayingJson(body): PayingJson<PaymentBody>,
) -> Result<Response, Problem> {
    let answer = api.orders.pay(&actor, id, key, body.means(&actor, "")?).await?;
    let mut response = ([PRIVATE], axum::Json(&answer.order)).into_response();
    mark_replay(&mut response, answer.replayed);
    Ok(response)
}

/// Where the buyer comes back to.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct OpenPaymentPage {
    /// Where they come back to once they have paid; the marketplace's own page if not said.
    #[garde(inner(custom(web_address)))]
    #[schema(value_type = Option<String>, example = "https://shop.example/thanks")]
    return_url: Option<Url>,
    /// Where they come back to if they change their mind; `return_url` if not said.
    #[garde(inner(custom(web_address)))]
    #[schema(value_type = Option<String>, example = "https://shop.example/basket")]
    cancel_url: Option<Url>,
}

fn web_address(url: &Url, _: &()) -> garde::Result {
    if ["http", "https"].contains(&url.scheme()) && url.as_str().len() <= 2_000 {
        return Ok(());
    }
    Err(garde::Error::new("an address that begins with https:// and has at most 2000 characters"))
}

/// Opens a page of the payment provider on which an order is paid.
///
/// Send the buyer to `url`; card data is entered there and never reaches the marketplace. The order goes on by itself when
/// the provider tells that it was paid: follow its events. Asked again while the page is open, the answer is the same page.
/// The page closes with the order's hold, or as soon as the order is paid otherwise or called off.
#[utoipa::path(post, path = "/api/v1/orders/{id}/payment_page", tag = "Checkout", request_body = OpenPaymentPage,
    params(("id" = OrderId, Path)),
    security(("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "The page", body = PaymentPage), (status = 404, body = ProblemBody),
              (status = 409, description = "The order does not await payment", body = ProblemBody),
              (status = 422, body = ProblemBody),
              (status = 503, description = "The provider does not answer; the order is safe", body = ProblemBody)))]
async fn open_payment_page(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<OrderId>,
    PayingJson(body): PayingJson<OpenPaymentPage>,
) -> Result<Response, Problem> {
    let return_url = body.return_url.unwrap_or_else(|| api.settings.public_url.clone());
    let cancel_url = body.cancel_url.unwrap_or_else(|| return_url.clone());
    let back = Back { return_url: return_url.into(), cancel_url: cancel_url.into() };
    let page = api.orders.open_payment_page(&actor, id, back).await?;
    Ok((StatusCode::CREATED, [PRIVATE], axum::Json(page)).into_response())
}

/// Calls off an order that awaits payment.
///
/// Its stock is free again, and its cart can be bought anew. An order that is cancelled stays so: asking again is answered
/// the same.
#[utoipa::path(post, path = "/api/v1/orders/{id}/cancel", tag = "Checkout", params(("id" = OrderId, Path)),
    security(("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The cancelled order", body = Order), (status = 404, body = ProblemBody),
              (status = 409, description = "The order does not await payment", body = ProblemBody)))]
async fn cancel_order(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<OrderId>,
) -> Result<Response, Problem> {
    Ok(([PRIVATE], axum::Json(api.orders.cancel(&actor, id).await?)).into_response())
}
