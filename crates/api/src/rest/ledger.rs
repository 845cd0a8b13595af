//! The books: what stands in the accounts, what happened in them, and where the chain ends.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use payments::{Account, AccountKind, Balance, Dispute, LedgerHead, Selection, StatementLine};
use platform::{Currency, PageRequest, Slice};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::{SliceQuery, private, slice, store_id};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{Path, Query};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_accounts))
        .routes(routes!(show_statement))
        .routes(routes!(show_head))
        .routes(routes!(list_disputes))
        .routes(routes!(list_disputes_of_store))
}

/// Which accounts.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AccountsQuery {
    /// Of this kind.
    #[garde(skip)]
    kind: Option<AccountKind>,
    /// Of this owner: a provider's name, a store's id or a buyer's id; empty for the marketplace's own.
    #[garde(inner(length(max = 100)))]
    owner: Option<String>,
}

/// The accounts of the ledger.
#[derive(Serialize, ToSchema)]
struct Accounts {
    /// By kind, owner and currency.
    data: Vec<Balance>,
}

/// Lists accounts and what stands in them.
///
/// Operators see all; whoever may see a store's money sees its accounts by `kind` and `owner`.
#[utoipa::path(get, path = "/api/v1/ledger/accounts", tag = "Finance", params(AccountsQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The accounts", body = Accounts), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn list_accounts(
    State(api): State<Api>,
    Caller(actor): Caller,
    Query(query): Query<AccountsQuery>,
) -> Result<Response, Problem> {
    let selection = Selection { kinds: query.kind.into_iter().collect(), owner: query.owner };
    Ok(private(&Accounts { data: api.ledger.balances(&actor, &selection).await? }))
}

/// Which part of an account's statement.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StatementQuery {
    /// Whose it is: a provider's name, a store's id or a buyer's id; left out for the marketplace's own.
    #[garde(length(max = 100))]
    #[serde(default)]
    owner: String,
    /// In this currency; the account's only one if not said.
    #[garde(skip)]
    #[param(value_type = Option<String>, example = "GBP")]
    currency: Option<Currency>,
    /// Posted from this moment on (RFC 3339).
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<OffsetDateTime>,
    /// Posted before this moment (RFC 3339).
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<OffsetDateTime>,
    /// How many, from 1 to 100.
    #[garde(inner(range(min = 1, max = PageRequest::MAX_PER_PAGE)))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    first: Option<u32>,
    /// The `end_cursor` of the page before.
    #[garde(skip)]
    after: Option<String>,
}

/// Shows what happened in an account.
///
/// Oldest first, each line with the balance after it. To operators, and to whoever may see the store's money.
#[utoipa::path(get, path = "/api/v1/ledger/accounts/{kind}/statement", tag = "Finance",
    params(("kind" = AccountKind, Path), StatementQuery), security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The lines", body = Slice<StatementLine>), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn show_statement(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(kind): Path<AccountKind>,
    Query(query): Query<StatementQuery>,
) -> Result<Response, Problem> {
    let account = Account { kind, owner: query.owner };
    let page = slice(query.first, query.after.as_deref());
    let between = (query.from, query.to);
    Ok(private(&api.ledger.statement(&actor, &account, query.currency, between, &page).await?))
}

/// Shows the end of the chain.
///
/// Each transaction's hash covers all before it. Keep number and hash elsewhere: `souk ledger verify --head` shows later
/// whether what was there is there still.
#[utoipa::path(get, path = "/api/v1/ledger/head", tag = "Finance", security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The end of the chain", body = LedgerHead),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody)))]
async fn show_head(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    Ok(private(&api.ledger.head(&actor).await?))
}

/// Lists what buyers dispute.
///
/// The latest first. While a dispute is open the provider holds the money, and the stores can not have their part of it.
#[utoipa::path(get, path = "/api/v1/disputes", tag = "Finance", params(SliceQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "Disputes", body = Slice<Dispute>), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn list_disputes(
    State(api): State<Api>,
    Caller(actor): Caller,
    Query(query): Query<SliceQuery>,
) -> Result<Response, Problem> {
    Ok(private(&api.ledger.disputes(&actor, None, &query.request()).await?))
}

/// Lists what buyers dispute of a store's sales.
///
/// The latest first. To whoever may see the store's money.
#[utoipa::path(get, path = "/api/v1/stores/{id}/disputes", tag = "Finance",
    params(("id" = String, Path, description = "Id or slug of the store"), SliceQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "Disputes", body = Slice<Dispute>), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn list_disputes_of_store(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(named): Path<String>,
    Query(query): Query<SliceQuery>,
) -> Result<Response, Problem> {
    let store = store_id(&api, &actor, &named).await?;
    Ok(private(&api.ledger.disputes(&actor, Some(store), &query.request()).await?))
}
