//! A store's payouts and statements.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use catalog::Key;
use garde::Validate;
use identity::{Actor, StoreId};
use payments::{ItemisedPayout, Payout, PayoutId, Statement, StatementFormat};
use platform::Slice;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::{PRIVATE, SliceQuery, private, store_id};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{Path, Query};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_payouts))
        .routes(routes!(show_payout))
        .routes(routes!(show_payout_statement))
        .routes(routes!(show_store_statement))
}

/// In which form.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FormatQuery {
    /// `json`, `csv` or `pdf`.
    #[garde(skip)]
    #[serde(default)]
    #[param(inline, default = "json")]
    format: StatementFormat,
}

/// Of what time, and in which form.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PeriodQuery {
    /// From this moment on (RFC 3339); from the beginning, if it is left out.
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-01T00:00:00Z")]
    from: Option<OffsetDateTime>,
    /// Before this moment (RFC 3339); until now, if it is left out.
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime, example = "2026-12-01T00:00:00Z")]
    to: Option<OffsetDateTime>,
    /// `json`, `csv` or `pdf`.
    #[garde(skip)]
    #[serde(default)]
    #[param(inline, default = "json")]
    format: StatementFormat,
}

/// Statements of a store.
#[derive(Serialize, ToSchema)]
struct Statements {
    /// One for each currency.
    data: Vec<Statement>,
}

/// Lists a store's payouts.
///
/// The latest first. Needs `finance:read`.
#[utoipa::path(get, path = "/api/v1/stores/{id}/payouts", tag = "Payouts",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"), SliceQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "A slice of the list", body = Slice<Payout>), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn list_payouts(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
    Query(query): Query<SliceQuery>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    Ok(private(&api.payouts.payouts(&actor, Some(id), &query.request()).await?))
}

/// Shows a payout with the entries that it is made of.
///
/// Together they come to its amount. Needs `finance:read`.
#[utoipa::path(get, path = "/api/v1/stores/{id}/payouts/{payout_id}", tag = "Payouts",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("payout_id" = PayoutId, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The payout", body = ItemisedPayout), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn show_payout(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, payout)): Path<(String, PayoutId)>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    Ok(private(&api.payouts.payout(&actor, id, payout).await?))
}

/// Gives the statement of a payout.
///
/// Its entries line by line, and what those of each posting rule come to. Needs `finance:read`.
#[utoipa::path(get, path = "/api/v1/stores/{id}/payouts/{payout_id}/statement", tag = "Payouts",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("payout_id" = PayoutId, Path), FormatQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The statement", content((Statement = "application/json"),
                                                                    (String = "text/csv"), (String = "application/pdf"))),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn show_payout_statement(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, payout)): Path<(String, PayoutId)>,
    Query(query): Query<FormatQuery>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    let statement = api.payouts.payout_statement(&actor, id, payout).await?;
    if query.format == StatementFormat::Json {
        return Ok(private(&statement));
    }
    file(&api, &actor, id, query.format, &format!("payout-{payout}"), &[statement]).await
}

/// Gives the statement of a store's account.
///
/// What happened to what it is owed, line by line, by the time of writing: the statement of a time that is over stays as it
/// is. One for each currency, of at most 50,000 lines. Needs `finance:read`.
#[utoipa::path(get, path = "/api/v1/stores/{id}/statement", tag = "Payouts",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"), PeriodQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The statements", content((Statements = "application/json"),
                                                                     (String = "text/csv"), (String = "application/pdf"))),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn show_store_statement(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
    Query(query): Query<PeriodQuery>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    let from = query.from.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let to = query.to.unwrap_or_else(|| api.sources.now());
    let data = api.payouts.statements(&actor, id, (from, to)).await?;
    if query.format == StatementFormat::Json {
        return Ok(private(&Statements { data }));
    }
    let name = format!("statement-{}-{}", from.date(), to.date());
    file(&api, &actor, id, query.format, &name, &data).await
}

/// A file of statements, under the store's name.
async fn file(
    api: &Api,
    actor: &Actor,
    store: StoreId,
    format: StatementFormat,
    name: &str,
    statements: &[Statement],
) -> Result<Response, Problem> {
    let of = api.catalog.store(actor, &Key::Id(store)).await.map(|store| store.name);
    let bytes = api.payouts.render(format, &of.unwrap_or_else(|_| store.to_string()), statements)?;
    let (kind, end) = match format {
        StatementFormat::Pdf => ("application/pdf", "pdf"),
        _ => ("text/csv; charset=utf-8", "csv"),
    };
    let place = format!("attachment; filename=\"{name}.{end}\"");
    let headers = [PRIVATE, (header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, place.as_str())];
    Ok((headers, bytes).into_response())
}
