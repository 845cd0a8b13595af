//! Categories.

use axum::extract::State;
use axum::response::Response;
use catalog::{CATEGORIES, CategoryNode};
use identity::Actor;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::{NoQuery, json};
use crate::Api;
use crate::cache::{self, Asked, Made};
use crate::extract::Query;
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_categories))
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
        Ok(Made { json: json(&Categories { data }), tags: vec![CATEGORIES], surrogate_key, link: None })
    })
    .await
}
