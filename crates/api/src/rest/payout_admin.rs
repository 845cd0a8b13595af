//! What operators do with stores' money. Each with a reason, which stands in the audit log.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use garde::Validate;
use identity::{StoreId, UserId};
use payments::{Adjusted, Adjusting, Adjustment, Payout, PayoutId, PayoutMark, PayoutRun};
use platform::{Detail, Money, Slice};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::fields::prose;
use super::payout_settings::PayoutReason;
use super::shared::{PRIVATE, SliceQuery, mark_replay, private};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{Json, Key, Path, Query};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_all_payouts, run_payouts))
        .routes(routes!(cancel_payout))
        .routes(routes!(retry_payout))
        .routes(routes!(mark_payout))
        .routes(routes!(adjust_money))
}

/// Payouts that were made.
#[derive(Serialize, ToSchema)]
struct MadePayouts {
    /// One for each currency.
    data: Vec<Payout>,
}

/// Payouts to be made now.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct RunPayouts {
    /// Of this store.
    #[garde(skip)]
    store_id: StoreId,
    /// In this currency and no more than this; of all that can be paid out, if it is left out.
    #[garde(skip)]
    most: Option<Money>,
    /// For whoever asks later.
    #[garde(length(chars, min = 1, max = 500), custom(prose))]
    #[schema(min_length = 1, max_length = 500, example = "asked for by telephone")]
    reason: String,
}

/// What is known of a payout.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct MarkPayout {
    /// `paid`, or `failed`: it did not arrive, or came back.
    #[garde(skip)]
    #[schema(inline)]
    state: PayoutMark,
    /// For whoever asks later.
    #[garde(length(chars, min = 1, max = 500), custom(prose))]
    #[schema(min_length = 1, max_length = 500, example = "the bank says that it arrived")]
    reason: String,
}

/// Money that is given or taken by hand.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct AdjustMoney {
    /// Of what this store is owed; either this or `buyer_id`.
    #[garde(skip)]
    store_id: Option<StoreId>,
    /// Of what this buyer may still spend.
    #[garde(skip)]
    buyer_id: Option<UserId>,
    /// More of it, or less if it is below zero.
    #[garde(skip)]
    amount: Money,
    /// Why: it stands in the books and on the store's statements.
    #[garde(length(chars, min = 1, max = 500), custom(prose))]
    #[schema(min_length = 1, max_length = 500, example = "the courier lost the parcel")]
    reason: String,
}

/// Lists the payouts of all stores.
///
/// The latest first. For operators.
#[utoipa::path(get, path = "/api/v1/payouts", tag = "Operators", params(SliceQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "A slice of the list", body = Slice<Payout>), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn list_all_payouts(
    State(api): State<Api>,
    Caller(actor): Caller,
    Query(query): Query<SliceQuery>,
) -> Result<Response, Problem> {
    Ok(private(&api.payouts.payouts(&actor, None, &query.request()).await?))
}

/// Makes the payouts of a store now.
///
/// Whatever its schedule and its minimum say; sales that wait for their time stay where they are. Sent again it finds
/// nothing left to pay. They are sent within a minute, and until then can be called off. For operators.
#[utoipa::path(post, path = "/api/v1/payouts", tag = "Operators", request_body = RunPayouts,
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "The payouts", body = MadePayouts), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "Nothing can be paid out, nowhere to send it, or payouts are held",
               body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn run_payouts(
    State(api): State<Api>,
    Caller(actor): Caller,
    Json(body): Json<RunPayouts>,
) -> Result<Response, Problem> {
    api.catalog.store(&actor, &catalog::Key::Id(body.store_id)).await?;
    let run = PayoutRun { store: body.store_id, most: body.most, reason: body.reason };
    let data = api.payouts.run(&actor, &run).await?;
    Ok((StatusCode::CREATED, [PRIVATE], axum::Json(MadePayouts { data })).into_response())
}

/// Calls a payout off.
///
/// As long as the provider was not asked for it. The store's money is where it was. For operators.
#[utoipa::path(post, path = "/api/v1/payouts/{id}/cancel", tag = "Operators", request_body = PayoutReason,
    params(("id" = PayoutId, Path)), security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The payout", body = Payout), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "It is under way, or past that", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn cancel_payout(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<PayoutId>,
    Json(body): Json<PayoutReason>,
) -> Result<Response, Problem> {
    Ok(private(&api.payouts.cancel(&actor, id, &body.reason).await?))
}

/// Tries a payout again.
///
/// One that came to nothing is tried as another payout, of what can be paid out now; one that the provider was asked for in
/// vain is asked for once more. For operators.
#[utoipa::path(post, path = "/api/v1/payouts/{id}/retry", tag = "Operators", request_body = PayoutReason,
    params(("id" = PayoutId, Path)), security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The payout that is tried now", body = Payout),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "It is under way, arrived, or was tried again before", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn retry_payout(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<PayoutId>,
    Json(body): Json<PayoutReason>,
) -> Result<Response, Problem> {
    Ok(private(&api.payouts.retry(&actor, id, &body.reason).await?))
}

/// Writes down what the provider did not tell of a payout.
///
/// For operators.
#[utoipa::path(post, path = "/api/v1/payouts/{id}/mark", tag = "Operators", request_body = MarkPayout,
    params(("id" = PayoutId, Path)), security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The payout", body = Payout), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "The provider was not asked for it, or it is past that", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn mark_payout(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<PayoutId>,
    Json(body): Json<MarkPayout>,
) -> Result<Response, Problem> {
    Ok(private(&api.payouts.mark(&actor, id, body.state, &body.reason).await?))
}

/// Gives a store or a buyer money, or takes it.
///
/// Sent again with the same `Idempotency-Key` it is done once and answered the same. For operators.
#[utoipa::path(post, path = "/api/v1/adjustments", tag = "Operators", request_body = AdjustMoney,
    params(("Idempotency-Key" = String, Header)), security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "The adjustment", body = Adjustment), (status = 400, body = ProblemBody),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn adjust_money(
    State(api): State<Api>,
    Caller(actor): Caller,
    Key(key): Key,
    Json(body): Json<AdjustMoney>,
) -> Result<Response, Problem> {
    let whose = match (body.store_id, body.buyer_id) {
        (Some(store), None) => Adjusted::Store(store),
        (None, Some(buyer)) => Adjusted::Buyer(buyer),
        _ => {
            let detail = Detail::new("store_id", "one_of", "name either a store or a buyer");
            return Err(Problem::invalid("request/invalid_value", vec![detail]));
        }
    };
    if let Adjusted::Store(store) = whose {
        api.catalog.store(&actor, &catalog::Key::Id(store)).await?;
    }
    let adjusting = Adjusting { whose, amount: body.amount, reason: body.reason };
    let (adjustment, replayed) = api.payouts.adjust(&actor, &adjusting, key.as_str()).await?;
    let mut response = (StatusCode::CREATED, [PRIVATE], axum::Json(&adjustment)).into_response();
    mark_replay(&mut response, replayed);
    Ok(response)
}
