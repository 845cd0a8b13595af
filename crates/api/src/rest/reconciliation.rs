//! Payment providers' books against the ledger, for operators.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use payments::{
    ExceptionFilter, ExceptionKind, ExceptionState, ReconciliationException, ReconciliationExceptionId,
    ReconciliationRun, ReconciliationSummary,
};
use platform::{PageRequest, Slice};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::fields::prose;
use super::shared::{private, slice};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{Json, Path, Query};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(show_reconciliation))
        .routes(routes!(run_reconciliation))
        .routes(routes!(list_exceptions))
        .routes(routes!(show_exception))
        .routes(routes!(resolve_exception))
}

/// How the books stand to one another.
#[derive(Serialize, ToSchema)]
struct ReconciliationSummaries {
    /// By provider and currency.
    data: Vec<ReconciliationSummary>,
}

/// What comparing the books came to.
#[derive(Serialize, ToSchema)]
struct ReconciliationRuns {
    /// By provider.
    data: Vec<ReconciliationRun>,
}

/// Which differences.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExceptionsQuery {
    /// In this state.
    #[garde(skip)]
    #[param(inline)]
    state: Option<ExceptionState>,
    /// Of this kind.
    #[garde(skip)]
    #[param(inline)]
    kind: Option<ExceptionKind>,
    /// How many, from 1 to 100.
    #[garde(inner(range(min = 1, max = PageRequest::MAX_PER_PAGE)))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    first: Option<u32>,
    /// The `end_cursor` of the page before.
    #[garde(skip)]
    after: Option<String>,
}

/// Why the books differ.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResolveException {
    /// For whoever asks later: it stands in the ledger.
    #[garde(length(chars, min = 1, max = 500), custom(prose))]
    #[schema(min_length = 1, max_length = 500, example = "the provider's monthly bill")]
    reason: String,
}

/// Shows how providers' books and the ledger stand to one another.
///
/// By provider and currency. What the balances differ by is on its way or in open exceptions. For operators.
#[utoipa::path(get, path = "/api/v1/reconciliation", tag = "Operators", security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "How they stand", body = ReconciliationSummaries),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody)))]
async fn show_reconciliation(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    Ok(private(&ReconciliationSummaries { data: api.reconciliation.summary(&actor).await? }))
}

/// Compares providers' books with the ledger now.
///
/// It is done once an hour by itself, too. Each line is read and matched once, however often this is asked. For operators.
#[utoipa::path(post, path = "/api/v1/reconciliation/run", tag = "Operators", security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "What it came to", body = ReconciliationRuns), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody),
              (status = 503, description = "A provider's books can not be read", body = ProblemBody)))]
async fn run_reconciliation(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    Ok(private(&ReconciliationRuns { data: api.reconciliation.run(&actor).await? }))
}

/// Lists differences between providers' books and the ledger.
///
/// The latest first. For operators.
#[utoipa::path(get, path = "/api/v1/reconciliation/exceptions", tag = "Operators", params(ExceptionsQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "A slice of the list", body = Slice<ReconciliationException>),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn list_exceptions(
    State(api): State<Api>,
    Caller(actor): Caller,
    Query(query): Query<ExceptionsQuery>,
) -> Result<Response, Problem> {
    let filter = ExceptionFilter { state: query.state, kind: query.kind };
    let slice = slice(query.first, query.after.as_deref());
    Ok(private(&api.reconciliation.exceptions(&actor, &filter, &slice).await?))
}

/// Shows a difference between a provider's books and the ledger.
///
/// With what both say, and what to do about it. For operators.
#[utoipa::path(get, path = "/api/v1/reconciliation/exceptions/{id}", tag = "Operators",
    params(("id" = ReconciliationExceptionId, Path)), security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The difference", body = ReconciliationException),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn show_exception(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<ReconciliationExceptionId>,
) -> Result<Response, Problem> {
    Ok(private(&api.reconciliation.exception(&actor, id).await?))
}

/// Resolves a difference.
///
/// The ledger is corrected by it, in a posting that bears the reason: afterwards both balances agree about it. For
/// operators.
#[utoipa::path(post, path = "/api/v1/reconciliation/exceptions/{id}/resolve", tag = "Operators",
    request_body = ResolveException, params(("id" = ReconciliationExceptionId, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The difference", body = ReconciliationException),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "It is settled or resolved already", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn resolve_exception(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<ReconciliationExceptionId>,
    Json(body): Json<ResolveException>,
) -> Result<Response, Problem> {
    Ok(private(&api.reconciliation.resolve(&actor, id, &body.reason).await?))
}
