//! Commission rules, as operators make them and stores see them.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use catalog::{CategoryId, Key, StoreId};
use garde::Validate;
use identity::Actor;
use payments::{CommissionRule, CommissionRuleChange, CommissionRuleId, CommissionTerms, NewCommissionRule};
use platform::{Currency, Detail, PageRequest, Rate, Slice};
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::fields::one_line;
use super::shared::{PRIVATE, mark_replay, private, slice, versioned};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{IfVersion, Json, MaybeKey, Path, Query};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_commission_rules, create_commission_rule))
        .routes(routes!(show_commission_rule, change_commission_rule, end_commission_rule))
        .routes(routes!(list_store_commission_rules))
}

/// A rule to be made.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateCommissionRule {
    /// Its place: of the rules that fit a line, the one with the lowest decides. Behind all others, if not said.
    #[garde(inner(range(min = 0, max = 1_000_000)))]
    #[schema(minimum = 0, maximum = 1_000_000, example = 10)]
    position: Option<i32>,
    /// What people call it.
    #[garde(length(chars, min = 1, max = 200), custom(one_line))]
    #[schema(min_length = 1, max_length = 200, example = "Teapots")]
    name: String,
    /// The store whose sales it is for; all if not said.
    #[garde(skip)]
    store_id: Option<StoreId>,
    /// The category whose products it is for, those of the categories below included; all if not said.
    #[garde(skip)]
    category_id: Option<CategoryId>,
    /// The currency of the orders that it is for. Rules with amounts demand one.
    #[garde(skip)]
    currency: Option<Currency>,
    /// What it takes.
    #[garde(skip)]
    terms: CommissionTerms,
    /// The tax on the commission, in parts per million of it: 200,000 is 20 %.
    #[garde(skip)]
    #[serde(default)]
    #[schema(value_type = u32, minimum = 0, maximum = 1_000_000, default = 0, example = 200_000)]
    tax_rate_ppm: Rate,
    /// It counts for orders placed from then on: now, if not said.
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    valid_from: Option<OffsetDateTime>,
    /// It counts for orders placed before then; without end, if not said.
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    valid_to: Option<OffsetDateTime>,
}

/// What is to be changed of a rule; what is left out stays. Its terms never change: end it, and make another one.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeCommissionRule {
    /// Its place.
    #[garde(inner(range(min = 0, max = 1_000_000)))]
    #[schema(minimum = 0, maximum = 1_000_000, example = 20)]
    position: Option<i32>,
    /// It counts for orders placed before then; null lets it go on without end.
    #[garde(skip)]
    #[serde(default, deserialize_with = "nullable_time")]
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_to: Option<Option<OffsetDateTime>>,
}

/// Reads a time that may be left out, and that null empties.
fn nullable_time<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<OffsetDateTime>>, D::Error> {
    time::serde::rfc3339::option::deserialize(deserializer).map(Some)
}

/// Which rules.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RulesQuery {
    /// With those that are over.
    #[garde(skip)]
    #[param(default = false)]
    ended: Option<bool>,
    /// How many, from 1 to 100.
    #[garde(inner(range(min = 1, max = PageRequest::MAX_PER_PAGE)))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    first: Option<u32>,
    /// The `end_cursor` of the page before.
    #[garde(skip)]
    after: Option<String>,
}

/// The rules that can fit a store's sales.
#[derive(Serialize, ToSchema)]
struct CommissionRules {
    /// In their order: the first that fits a line decides.
    data: Vec<CommissionRule>,
}

/// Lists the commission rules.
///
/// In their order: of those that fit a line, the first decides. Needs `finance:admin`.
#[utoipa::path(get, path = "/api/v1/commission_rules", tag = "Operators", params(RulesQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "A slice of the list", body = Slice<CommissionRule>),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn list_commission_rules(
    State(api): State<Api>,
    Caller(actor): Caller,
    Query(query): Query<RulesQuery>,
) -> Result<Response, Problem> {
    let request = slice(query.first, query.after.as_deref());
    Ok(private(&api.commission.rules(&actor, query.ended.unwrap_or(false), &request).await?))
}

/// Makes a commission rule.
///
/// It counts for orders that are placed from now on; those that were placed keep what was taken of them. Sent again with
/// the same `Idempotency-Key` it makes one rule. Needs `finance:admin`.
#[utoipa::path(post, path = "/api/v1/commission_rules", tag = "Operators", request_body = CreateCommissionRule,
    params(("Idempotency-Key" = Option<String>, Header)), security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "The rule", body = CommissionRule), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn create_commission_rule(
    State(api): State<Api>,
    Caller(actor): Caller,
    MaybeKey(key): MaybeKey,
    Json(body): Json<CreateCommissionRule>,
) -> Result<Response, Problem> {
    check_places(&api, &actor, &body).await?;
    let new = NewCommissionRule {
        position: body.position,
        name: body.name,
        store_id: body.store_id,
        category_id: body.category_id.map(CategoryId::uuid),
        currency: body.currency,
        terms: body.terms,
        tax_rate_ppm: body.tax_rate_ppm,
        valid_from: body.valid_from,
        valid_to: body.valid_to,
    };
    let key = key.as_ref().map(orders::IdempotencyKey::as_str);
    let made = api.commission.create_rule(&actor, &new, key).await?;
    let location = format!("/api/v1/commission_rules/{}", made.rule.id);
    let etag = format!("\"{}\"", made.rule.version);
    let headers = [PRIVATE, (header::LOCATION, location.as_str()), (header::ETAG, etag.as_str())];
    let mut response = (StatusCode::CREATED, headers, axum::Json(&made.rule)).into_response();
    mark_replay(&mut response, made.replayed);
    Ok(response)
}

/// A rule for a store or a category that is not there would never count, and nobody would notice.
async fn check_places(api: &Api, actor: &Actor, body: &CreateCommissionRule) -> Result<(), Problem> {
    let unknown = |field: &str, what: &str| {
        let detail = Detail::new(field, "unknown", format!("there is no such {what}"));
        Problem::invalid("request/invalid_value", vec![detail])
    };
    if let Some(store) = body.store_id {
        match api.catalog.store(actor, &Key::Id(store)).await {
            Err(catalog::Error::StoreNotFound) => return Err(unknown("store_id", "store")),
            found => drop(found?),
        }
    }
    if let Some(category) = body.category_id {
        match api.catalog.category(actor, category).await {
            Err(catalog::Error::CategoryNotFound) => return Err(unknown("category_id", "category")),
            found => drop(found?),
        }
    }
    Ok(())
}

/// Shows a commission rule.
///
/// With the `ETag` that a change takes as `If-Match`. Needs `finance:admin`.
#[utoipa::path(get, path = "/api/v1/commission_rules/{id}", tag = "Operators", params(("id" = CommissionRuleId, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The rule", body = CommissionRule), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn show_commission_rule(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<CommissionRuleId>,
) -> Result<Response, Problem> {
    let rule = api.commission.rule(&actor, id).await?;
    Ok(versioned(&rule, rule.version))
}

/// Moves a commission rule, or sets its end.
///
/// Nothing else of a rule changes: end it, and make another one. Needs `finance:admin`, and its `ETag` as `If-Match`.
#[utoipa::path(patch, path = "/api/v1/commission_rules/{id}", tag = "Operators", request_body = ChangeCommissionRule,
    params(("id" = CommissionRuleId, Path), ("If-Match" = String, Header)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The rule", body = CommissionRule), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "It is over", body = ProblemBody),
              (status = 412, description = "Changed meanwhile", body = ProblemBody), (status = 422, body = ProblemBody),
              (status = 428, description = "No If-Match", body = ProblemBody)))]
async fn change_commission_rule(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<CommissionRuleId>,
    version: IfVersion,
    Json(body): Json<ChangeCommissionRule>,
) -> Result<Response, Problem> {
    let version = version.required()?;
    let change = CommissionRuleChange { position: body.position, valid_to: body.valid_to };
    let rule = api.commission.change_rule(&actor, id, change, version).await?;
    Ok(versioned(&rule, rule.version))
}

/// Ends a commission rule.
///
/// From now on it counts no more. It stays to be seen, since orders name it. Needs `finance:admin`.
#[utoipa::path(delete, path = "/api/v1/commission_rules/{id}", tag = "Operators",
    params(("id" = CommissionRuleId, Path), ("If-Match" = Option<String>, Header)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The rule as it ended", body = CommissionRule),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 412, description = "Changed meanwhile", body = ProblemBody)))]
async fn end_commission_rule(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<CommissionRuleId>,
    IfVersion(version): IfVersion,
) -> Result<Response, Problem> {
    let rule = api.commission.end_rule(&actor, id, version).await?;
    Ok(versioned(&rule, rule.version))
}

/// Lists the commission rules that can fit a store's sales.
///
/// Those that count now or will, in their order: the first that fits a line decides. Needs `finance:read`.
#[utoipa::path(get, path = "/api/v1/stores/{id}/commission_rules", tag = "Stores",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The rules", body = CommissionRules), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn list_store_commission_rules(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
) -> Result<Response, Problem> {
    let key = store.parse().map_err(|_| catalog::Error::StoreNotFound)?;
    let store = api.catalog.store(&actor, &key).await?;
    let data = api.commission.rules_of_store(&actor, store.id, store.currency).await?;
    Ok(private(&CommissionRules { data }))
}
