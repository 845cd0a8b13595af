//! Categories.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use catalog::{CATEGORIES, CategoryChange, CategoryEntry, CategoryId, CategoryNode, PutCategory};
use garde::Validate;
use identity::Actor;
use platform::Slug;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::fields::one_line;
use super::shared::{NoQuery, PRIVATE, json, nullable, private, versioned};
use crate::Api;
use crate::auth::Caller;
use crate::cache::{self, Asked, JSON, Made};
use crate::extract::{IfVersion, Json, Path, Query};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_categories, create_category)).routes(routes!(
        show_category,
        change_category,
        delete_category
    ))
}

/// All categories.
#[derive(Serialize, ToSchema)]
struct Categories {
    /// The top of each tree.
    data: Vec<CategoryNode>,
}

/// Lists the categories.
///
/// As trees: each carries those below it in `children`.
#[utoipa::path(get, path = "/api/v1/categories", tag = "Catalogue",
    responses((status = 200, description = "All categories", body = Categories),
              (status = 422, body = ProblemBody)))]
async fn list_categories(
    State(api): State<Api>,
    _none: Query<NoQuery>,
    asked: Asked,
) -> Result<Response, Problem> {
    cache::answer(&api, &asked, "categories".to_owned(), || async {
        let data = api.catalog.categories(&Actor::stranger()).await?;
        let surrogate_key = "categories".to_owned();
        Ok(Made {
            body: json(&Categories { data }),
            content_type: JSON,
            tags: vec![CATEGORIES],
            surrogate_key,
            link: None,
        })
    })
    .await
}

/// A category to be made.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateCategory {
    /// Its name in addresses, unique. Without it one is made of its name.
    #[garde(skip)]
    slug: Option<Slug>,
    /// Its name.
    #[garde(length(chars, min = 1, max = 120), custom(one_line))]
    #[schema(min_length = 1, max_length = 120, example = "Teapots")]
    name: String,
    /// The category above it.
    #[garde(skip)]
    parent_id: Option<CategoryId>,
    /// Its place among its siblings.
    #[garde(skip)]
    #[serde(default)]
    position: i32,
}

/// What is to be changed of a category; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeCategory {
    /// Its name in addresses.
    #[garde(skip)]
    slug: Option<Slug>,
    /// Its name.
    #[garde(inner(length(chars, min = 1, max = 120), custom(one_line)))]
    name: Option<String>,
    /// The category above it; null puts it at the top.
    #[garde(skip)]
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<CategoryId>)]
    parent_id: Option<Option<CategoryId>>,
    /// Its place among its siblings.
    #[garde(skip)]
    position: Option<i32>,
}

/// Makes a category.
///
/// Needs `categories:write`. The slug makes it safe to send this again: the second time it is taken.
#[utoipa::path(post, path = "/api/v1/categories", tag = "Operators", request_body = CreateCategory,
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "The category", body = CategoryEntry), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 409, description = "The slug is taken", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn create_category(
    State(api): State<Api>,
    Caller(actor): Caller,
    Json(body): Json<CreateCategory>,
) -> Result<Response, Problem> {
    let CreateCategory { slug, name, parent_id, position } = body;
    let slug = slug.unwrap_or_else(|| Slug::from_text(&name));
    let category =
        api.catalog.create_category(&actor, PutCategory { slug, name, parent_id, position }).await?;
    let headers = [
        PRIVATE,
        (header::LOCATION, &format!("/api/v1/categories/{}", category.id)),
        (header::ETAG, &format!("\"{}\"", category.version)),
    ];
    Ok((StatusCode::CREATED, headers, axum::Json(category)).into_response())
}

/// Shows a category by itself.
///
/// With the `ETag` that a change takes as `If-Match`. For showing a shop take the list.
#[utoipa::path(get, path = "/api/v1/categories/{id}", tag = "Operators", params(("id" = CategoryId, Path)),
    responses((status = 200, description = "The category", body = CategoryEntry), (status = 404, body = ProblemBody)))]
async fn show_category(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<CategoryId>,
) -> Result<Response, Problem> {
    let category = api.catalog.category(&actor, id).await?;
    Ok(versioned(&category, category.version))
}

/// Changes a category, or moves it.
///
/// Needs `categories:write`, and its `ETag` as `If-Match`.
#[utoipa::path(patch, path = "/api/v1/categories/{id}", tag = "Operators", request_body = ChangeCategory,
    params(("id" = CategoryId, Path), ("If-Match" = String, Header)), security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The category", body = CategoryEntry), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "The slug is taken", body = ProblemBody),
              (status = 412, description = "Changed meanwhile", body = ProblemBody), (status = 422, body = ProblemBody),
              (status = 428, description = "No If-Match", body = ProblemBody)))]
async fn change_category(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<CategoryId>,
    version: IfVersion,
    Json(body): Json<ChangeCategory>,
) -> Result<Response, Problem> {
    let version = version.required()?;
    let ChangeCategory { slug, name, parent_id, position } = body;
    let change = CategoryChange { slug, name, parent_id, position };
    let category = api.catalog.change_category(&actor, id, change, version).await?;
    Ok(versioned(&category, category.version))
}

/// Removes a category.
///
/// Only one that has no products and no categories below it. Answers what it was. Needs `categories:write`.
#[utoipa::path(delete, path = "/api/v1/categories/{id}", tag = "Operators",
    params(("id" = CategoryId, Path), ("If-Match" = Option<String>, Header)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The category as it was", body = CategoryEntry),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "Something is in it; `facts` count", body = ProblemBody),
              (status = 412, description = "Changed meanwhile", body = ProblemBody)))]
async fn delete_category(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<CategoryId>,
    IfVersion(version): IfVersion,
) -> Result<Response, Problem> {
    Ok(private(&api.catalog.delete_category(&actor, id, version).await?))
}
