//! Checkout that answers at once, and orders to be asked for again and again.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use orders::{Accepted, Address, Checkout, Order, OrderId};
use platform::Email;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::payment_methods::PaymentBody;
use super::shared::{PRIVATE, mark_replay};
use crate::Api;
use crate::auth::Caller;
use crate::cache::named;
use crate::extract::{Key, Path, PayingJson};
use crate::problem::{Problem, ProblemBody};

/// Seconds after which asking for an order that is pending makes sense again.
const ASK_AGAIN: &str = "1";

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(start_checkout)).routes(routes!(show_order_version))
}

/// A basket to be bought.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct StartCheckout {
    /// Whom to write to.
    #[garde(skip)]
    email: Email,
    /// Where it goes.
    #[garde(dive)]
    shipping_address: Address,
    /// Who is billed, if not the same.
    #[garde(dive)]
    billing_address: Option<Address>,
    /// How it is paid. Without it the order awaits payment and holds its stock until `hold_expires_at`.
    #[garde(dive)]
    payment: Option<PaymentBody>,
}

/// An order that is written and goes on by itself.
#[derive(Serialize, ToSchema)]
struct AcceptedOrder {
    /// Its id.
    order_id: OrderId,
    /// Where it can be asked for; relative to this address.
    #[schema(example = "/api/v2/orders/01a1fa97-51ad-7a33-82e0-aac648a145b8")]
    status_url: String,
    /// Where it tells of itself as it happens; relative to this address.
    #[schema(example = "/api/v2/orders/01a1fa97-51ad-7a33-82e0-aac648a145b8/events")]
    events_url: String,
}

/// Buys the caller's basket, without waiting for the end of it.
///
/// Answers as soon as the order is written: from then on it goes on by itself, whatever happens to client or server.
/// `events_url` tells how it goes on. What is not as the buyer was shown is refused with 409 and no order is written;
/// whether there is stock for it, and whether the payment goes through, is told by the order's events. Sent again with
/// the same `Idempotency-Key` and body it answers the same, with `Idempotent-Replayed: true`.
#[utoipa::path(post, path = "/api/v2/shopping_basket/checkout", tag = "Checkout", request_body = StartCheckout,
    params(("Idempotency-Key" = String, Header, description = "New for each purchase, the same for each repetition of it")),
    security(("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 202, description = "The order is written", body = AcceptedOrder),
              (status = 400, description = "No Idempotency-Key, or no JSON", body = ProblemBody),
              (status = 404, description = "There is no basket", body = ProblemBody),
              (status = 409, description = "Out of stock, price changed, or checked out already", body = ProblemBody),
              (status = 410, description = "The cart has expired", body = ProblemBody),
              (status = 422, body = ProblemBody),
              (status = 503, description = "Nothing was written; send it again", body = ProblemBody)))]
async fn start_checkout(
    State(api): State<Api>,
    Caller(actor): Caller,
    Key(key): Key,
    PayingJson(body): PayingJson<StartCheckout>,
) -> Result<Response, Problem> {
    let means = body.payment.map(|payment| payment.means(&actor, "payment.")).transpose()?;
    let checkout = Checkout {
        cart_id: None,
        key,
        email: body.email,
        shipping_address: body.shipping_address,
        billing_address: body.billing_address,
        means,
    };
    let Accepted { order_id, replayed } = api.orders.accept(&actor, checkout).await?;
    let status_url = format!("/api/v2/orders/{order_id}");
    let headers = [PRIVATE, (header::LOCATION, status_url.as_str()), (header::RETRY_AFTER, ASK_AGAIN)];
    let accepted = AcceptedOrder {
        order_id,
        events_url: format!("{status_url}/events"),
        status_url: status_url.clone(),
    };
    let mut response = (StatusCode::ACCEPTED, headers, axum::Json(accepted)).into_response();
    mark_replay(&mut response, replayed);
    Ok(response)
}

/// Shows an order, or says that it is as it was.
///
/// To whoever bought it: with their account, or as the holder of the token of the cart it came from. To be asked for
/// again and again: send the `ETag` back as `If-None-Match`, and the answer is 304 at next to no cost until something
/// happens to the order. While it is pending `Retry-After` says when to ask again.
#[utoipa::path(get, path = "/api/v2/orders/{id}", tag = "Checkout",
    params(("id" = OrderId, Path),
           ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the order as it is known")),
    security(("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The order", body = Order),
              (status = 304, description = "Nothing has happened to it"), (status = 404, body = ProblemBody)))]
async fn show_order_version(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<OrderId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // Read before the order: if something happens in between, the next answer is a whole one.
    let version = api.orders.version(&actor, id).await?;
    let etag = HeaderValue::from_str(&format!("\"{version}\"")).expect("digits and quotes");
    if let Some(known) = headers.get(header::IF_NONE_MATCH).and_then(|known| named(known, &etag)) {
        return Ok((StatusCode::NOT_MODIFIED, [PRIVATE], [(header::ETAG, known)]).into_response());
    }
    let order = api.orders.order(&actor, id).await?;
    let pending = order.status.is_under_way();
    let mut response = ([PRIVATE], [(header::ETAG, etag)], axum::Json(order)).into_response();
    if pending {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(ASK_AGAIN));
    }
    Ok(response)
}
