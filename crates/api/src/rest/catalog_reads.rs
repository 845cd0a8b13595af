//! Stores and categories.

use axum::extract::State;
use axum::response::Response;
use catalog::{CATEGORIES, CategoryNode, Error as CatalogError, STORES, Store};
use garde::Validate;
use platform::{Actor, Page, PageRequest, Tag};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::view::absolute;
use crate::Api;
use crate::cache::{self, Asked, Made};
use crate::extract::{Path, Query};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_stores))
        .routes(routes!(show_store))
        .routes(routes!(list_categories))
}

/// Which numbered page.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// From 1.
    #[garde(inner(range(min = 1, max = 1_000_000)))]
    #[param(minimum = 1, default = 1)]
    page: Option<u32>,
    /// From 1 to 100.
    #[garde(inner(range(min = 1, max = PageRequest::MAX_PER_PAGE)))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    per_page: Option<u32>,
}

impl PageQuery {
    pub(crate) fn request(&self) -> PageRequest {
        PageRequest {
            page: self.page.unwrap_or(1),
            per_page: self.per_page.unwrap_or(PageRequest::DEFAULT_PER_PAGE),
        }
    }
}

/// Serializes plain data.
pub(crate) fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("answers are plain data")
}

/// Lists the stores.
///
/// By name, in numbered pages.
#[utoipa::path(get, path = "/api/v1/stores", tag = "Catalogue", params(PageQuery),
    responses((status = 200, description = "A page of stores", body = Page<Store>), (status = 422, body = ProblemBody)))]
async fn list_stores(
    State(api): State<Api>,
    Query(query): Query<PageQuery>,
    asked: Asked,
) -> Result<Response, Problem> {
    cache::answer(&api, &asked, || async {
        let page = api.catalog.stores(&Actor::stranger(), query.request()).await?;
        let page = page.map(|store| with_address(&api, store));
        let tags = page.data.iter().map(|store| Tag::id(store.id)).chain([STORES]).collect();
        Ok(Made { json: json(&page), tags, surrogate_key: "stores".to_owned(), link: None })
    })
    .await
}

/// Shows a store.
#[utoipa::path(get, path = "/api/v1/stores/{id}", tag = "Catalogue",
    params(("id" = String, Path, description = "Id or slug", example = "kiln-and-kin")),
    responses((status = 200, description = "The store", body = Store), (status = 404, body = ProblemBody)))]
async fn show_store(
    State(api): State<Api>,
    Path(key): Path<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    cache::answer(&api, &asked, || async {
        let key = key.parse().map_err(|_| CatalogError::StoreNotFound)?;
        let store = with_address(&api, api.catalog.store(&Actor::stranger(), &key).await?);
        let surrogate_key = format!("store-{}", store.id);
        Ok(Made { json: json(&store), tags: vec![Tag::id(store.id), STORES], surrogate_key, link: None })
    })
    .await
}

fn with_address(api: &Api, store: Store) -> Store {
    let image_url = store.image_url.as_deref().map(|url| absolute(&api.settings.public_url, url));
    Store { image_url, ..store }
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
    responses((status = 200, description = "All categories", body = Categories)))]
async fn list_categories(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    cache::answer(&api, &asked, || async {
        let data = api.catalog.categories(&Actor::stranger()).await?;
        let surrogate_key = "categories".to_owned();
        Ok(Made { json: json(&Categories { data }), tags: vec![CATEGORIES], surrogate_key, link: None })
    })
    .await
}
