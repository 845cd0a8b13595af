//! How and where a store's money is paid out.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use payments::{PayoutAccount, PayoutSettings, PutPayoutSettings, Schedule, StoreBalance};
use platform::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::fields::prose;
use super::shared::{private, store_id, versioned};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{IfVersion, Json, Path};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(show_payout_settings, put_payout_settings))
        .routes(routes!(pause_payouts))
        .routes(routes!(resume_payouts))
        .routes(routes!(show_payout_account, open_payout_account))
        .routes(routes!(show_store_balance))
}

/// How a store's money is to be paid out.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct PutPayouts {
    /// When it is sent.
    #[garde(skip)]
    schedule: Schedule,
    /// By currency, below how much nothing is sent; a currency that is not named has no minimum.
    #[garde(length(max = 20))]
    #[serde(default)]
    #[schema(max_items = 20)]
    minimum: Vec<Money>,
    /// For how many days a sale waits before it is paid out. Operators alone change it; it stays if it is left out.
    #[garde(inner(range(min = 0, max = 365)))]
    #[schema(minimum = 0, maximum = 365, example = 7)]
    hold_days: Option<i16>,
    /// How much of each sale is kept back, in hundredths of a percent. Operators alone change it; it stays if it is left
    /// out.
    #[garde(inner(range(min = 0, max = 10_000)))]
    #[schema(minimum = 0, maximum = 10_000, example = 500)]
    reserve_basis_points: Option<i16>,
    /// For how many days. Operators alone change it; it stays if it is left out.
    #[garde(inner(range(min = 1, max = 730)))]
    #[schema(minimum = 1, maximum = 730, example = 90)]
    reserve_days: Option<i16>,
}

/// Why something is done.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PayoutReason {
    /// For whoever asks later.
    #[garde(length(chars, min = 1, max = 500), custom(prose))]
    #[schema(min_length = 1, max_length = 500, example = "the bank account is being changed")]
    pub(super) reason: String,
}

/// What a store is owed.
#[derive(Serialize, ToSchema)]
struct StoreBalances {
    /// By currency.
    data: Vec<StoreBalance>,
}

/// Shows how a store's money is paid out.
///
/// A store that has said nothing goes by the marketplace's own settings. Needs `finance:read`.
#[utoipa::path(get, path = "/api/v1/stores/{id}/payout_settings", tag = "Payouts",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The settings", body = PayoutSettings), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn show_payout_settings(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    let settings = api.payouts.settings(&actor, id).await?;
    Ok(versioned(&settings, settings.version))
}

/// Sets how a store's money is paid out.
///
/// It takes the settings' `ETag` as `If-Match`. Stores set their schedule and their minimum, operators how long sales wait
/// and what is kept back besides. Needs `finance:write`.
#[utoipa::path(put, path = "/api/v1/stores/{id}/payout_settings", tag = "Payouts", request_body = PutPayouts,
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("If-Match" = String, Header)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The settings", body = PayoutSettings), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 412, description = "Changed meanwhile", body = ProblemBody), (status = 422, body = ProblemBody),
              (status = 428, description = "No If-Match", body = ProblemBody)))]
async fn put_payout_settings(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
    version: IfVersion,
    Json(body): Json<PutPayouts>,
) -> Result<Response, Problem> {
    let version = version.required()?;
    let id = store_id(&api, &actor, &store).await?;
    let put = PutPayoutSettings {
        schedule: body.schedule,
        minimum: body.minimum,
        hold_days: body.hold_days,
        reserve_basis_points: body.reserve_basis_points,
        reserve_days: body.reserve_days,
    };
    let settings = api.payouts.put_settings(&actor, id, &put, version).await?;
    Ok(versioned(&settings, settings.version))
}

/// Holds the payouts of a store.
///
/// None is made any more, and none sent that the provider was not asked for. For operators.
#[utoipa::path(post, path = "/api/v1/stores/{id}/payout_settings/pause", tag = "Operators",
    request_body = PayoutReason,
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The settings", body = PayoutSettings), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn pause_payouts(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
    Json(body): Json<PayoutReason>,
) -> Result<Response, Problem> {
    pause(&api, &actor, &store, true, &body.reason).await
}

/// Lets the payouts of a store go on.
///
/// For operators.
#[utoipa::path(post, path = "/api/v1/stores/{id}/payout_settings/resume", tag = "Operators",
    request_body = PayoutReason,
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The settings", body = PayoutSettings), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn resume_payouts(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
    Json(body): Json<PayoutReason>,
) -> Result<Response, Problem> {
    pause(&api, &actor, &store, false, &body.reason).await
}

async fn pause(
    api: &Api,
    actor: &identity::Actor,
    store: &str,
    paused: bool,
    reason: &str,
) -> Result<Response, Problem> {
    let id = store_id(api, actor, store).await?;
    let settings = api.payouts.pause(actor, id, paused, reason).await?;
    Ok(versioned(&settings, settings.version))
}

/// Shows where a store's money is sent.
///
/// Needs `finance:read`.
#[utoipa::path(get, path = "/api/v1/stores/{id}/payout_account", tag = "Payouts",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The account", body = PayoutAccount), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, description = "There is none yet", body = ProblemBody)))]
async fn show_payout_account(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    Ok(private(&api.payouts.account(&actor, id).await?))
}

/// Opens the account to which a store's money is sent.
///
/// The answer has the address at the provider where the store says who it is; sent again, how the account stands now, and a
/// fresh address. Needs `finance:write`.
#[utoipa::path(post, path = "/api/v1/stores/{id}/payout_account", tag = "Payouts",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The account", body = PayoutAccount), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "The provider refuses", body = ProblemBody),
              (status = 503, description = "The provider does not answer", body = ProblemBody)))]
async fn open_payout_account(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    let back = api.settings.public_url.as_str();
    Ok(private(&api.payouts.open_account(&actor, id, back).await?))
}

/// Shows what a store is owed, and where that is.
///
/// By currency. Needs `finance:read`.
#[utoipa::path(get, path = "/api/v1/stores/{id}/balance", tag = "Payouts",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The balances", body = StoreBalances), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn show_store_balance(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    Ok(private(&StoreBalances { data: api.payouts.balances(&actor, id).await? }))
}
