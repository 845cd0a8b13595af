//! Refunds of orders.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use orders::{OrderId, OrderRefund, RefundLineRequest, RefundReason, RefundRequest, RefundTo};
use platform::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::{PRIVATE, mark_replay, private};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{Key, Path, PayingJson};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_refunds, create_refund))
}

/// What is to go back. Lines; or an amount, spread over the lines by what is left of them; or, if neither is sent, all
/// that is left.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateRefund {
    /// Which lines.
    #[garde(length(max = 1_000), dive)]
    #[serde(default)]
    lines: Vec<CreateRefundLine>,
    /// How much, instead of lines.
    #[garde(custom(instead_of_lines(&self.lines)), inner(custom(above_zero)))]
    amount: Option<Money>,
    /// Why.
    #[garde(skip)]
    reason: RefundReason,
    /// For whoever asks later; the buyer does not see it.
    #[garde(inner(length(chars, min = 1, max = 1_000)))]
    note: Option<String>,
    /// Whether the units that go back are in stock again.
    #[garde(skip)]
    #[serde(default)]
    restock: bool,
    /// Where the money goes.
    #[garde(skip)]
    #[serde(default)]
    destination: RefundTo,
}

/// A line that goes back, or a part of it: units, whose price goes back with them, or an amount, or both. All that is left
/// of it if neither is sent.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateRefundLine {
    /// The line's place in the order.
    #[garde(range(min = 1))]
    #[schema(example = 1)]
    position: i32,
    /// Units that go back.
    #[garde(inner(range(min = 1)))]
    #[schema(example = 1)]
    quantity: Option<i32>,
    /// How much goes back, in minor units of the order's currency.
    #[garde(inner(range(min = 1)))]
    #[schema(example = 500)]
    amount: Option<i64>,
}

fn instead_of_lines(lines: &[CreateRefundLine]) -> impl FnOnce(&Option<Money>, &()) -> garde::Result {
    let both = !lines.is_empty();
    move |amount, ()| {
        if both && amount.is_some() {
            return Err(garde::Error::new("send lines or an amount, not both"));
        }
        Ok(())
    }
}

fn above_zero(amount: &Money, _: &()) -> garde::Result {
    if amount.amount > 0 { Ok(()) } else { Err(garde::Error::new("has to be above zero")) }
}

/// The refunds of an order.
#[derive(Serialize, ToSchema)]
struct Refunds {
    /// Oldest first.
    data: Vec<OrderRefund>,
}

/// Lists the refunds of an order.
///
/// To whoever bought it; to a store the part that it sold, with the commission that came back to it.
#[utoipa::path(get, path = "/api/v1/orders/{id}/refunds", tag = "Refunds", params(("id" = OrderId, Path)),
    security(("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The refunds", body = Refunds), (status = 404, body = ProblemBody)))]
async fn list_refunds(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<OrderId>,
) -> Result<Response, Problem> {
    Ok(private(&Refunds { data: api.orders.refunds(&actor, id).await? }))
}

/// Gives money of an order back.
///
/// A store gives back of its own lines (`finance:write`), an operator of all. The marketplace gives its commission on it
/// back to the store. Never more goes back than was paid, also when several people refund at the same time. If the provider
/// does not answer, the refund is `created` and goes on by itself; one that the provider works on is `pending`.
#[utoipa::path(post, path = "/api/v1/orders/{id}/refunds", tag = "Refunds", request_body = CreateRefund,
    params(("id" = OrderId, Path),
           ("Idempotency-Key" = String, Header, description = "New for each refund, the same for each repetition of it")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "The refund", body = OrderRefund),
              (status = 400, description = "No Idempotency-Key, or no JSON", body = ProblemBody),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "More than is left, or the order was not paid", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn create_refund(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<OrderId>,
    Key(key): Key,
    PayingJson(body): PayingJson<CreateRefund>,
) -> Result<Response, Problem> {
    let lines = body.lines.iter().map(|line| RefundLineRequest {
        position: line.position,
        quantity: line.quantity,
        amount: line.amount,
    });
    let request = RefundRequest {
        lines: lines.collect(),
        amount: body.amount,
        reason: body.reason,
        note: body.note,
        restock: body.restock,
        to: body.destination,
    };
    let answer = api.orders.refund(&actor, id, &key, request).await?;
    let location = format!("/api/v1/orders/{id}/refunds");
    let headers = [PRIVATE, (header::LOCATION, location.as_str())];
    let mut response = (StatusCode::CREATED, headers, axum::Json(&answer.refund)).into_response();
    mark_replay(&mut response, answer.replayed);
    Ok(response)
}
