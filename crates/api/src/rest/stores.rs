//! Stores.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use catalog::{Error as CatalogError, STORES, Store};
use identity::Actor;
use platform::{Page, Tag};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::{NoQuery, PageQuery, json};
use super::store_admin;
use super::view::absolute;
use crate::Api;
use crate::auth::Caller;
use crate::cache::{self, Asked, JSON, Made};
use crate::extract::{Path, Query};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_stores)).routes(routes!(show_store))
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
    let request = query.request();
    cache::answer(&api, &asked, format!("stores {request:?}"), || async {
        let page = api.catalog.stores(&Actor::stranger(), request).await?;
        let page = page.map(|store| with_address(&api, store));
        let tags = page.data.iter().map(|store| Tag::id(store.id)).chain([STORES]).collect();
        Ok(Made {
            body: json(&page),
            content_type: JSON,
            tags,
            surrogate_key: "stores".to_owned(),
            link: None,
        })
    })
    .await
}

/// Shows a store.
///
/// Guests see active stores. A store's team and the operators see it whatever its status, and `review` besides; that answer
/// is theirs alone, and its `ETag` is the one to be sent as `If-Match`.
#[utoipa::path(get, path = "/api/v1/stores/{id}", tag = "Catalogue",
    params(("id" = String, Path, description = "Id or slug", example = "kiln-and-kin")),
    security((), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The store", body = Store), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn show_store(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(key): Path<String>,
    _none: Query<NoQuery>,
    asked: Asked,
) -> Result<Response, Problem> {
    let mut response = match for_its_team(&api, &actor, &key).await? {
        Some(store) => store_admin::shown(&api, store),
        None => for_everybody(&api, &asked, key).await?,
    };
    // One address, two answers: a cache on the way tells them apart (RFC 9110, 12.5.5).
    response.headers_mut().append(header::VARY, HeaderValue::from_static("authorization, cookie"));
    Ok(response)
}

/// The store as only its team and the operators see it. Guests are not looked up at all.
async fn for_its_team(api: &Api, actor: &Actor, key: &str) -> Result<Option<Store>, Problem> {
    if actor.principal().is_none() {
        return Ok(None);
    }
    let key = key.parse().map_err(|_| CatalogError::StoreNotFound)?;
    let store = api.catalog.store(actor, &key).await?;
    Ok(store.review.is_some().then_some(store))
}

/// The answer that is the same for everybody, and so kept.
async fn for_everybody(api: &Api, asked: &Asked, key: String) -> Result<Response, Problem> {
    cache::answer(api, asked, format!("store {key}"), || async {
        let key = key.parse().map_err(|_| CatalogError::StoreNotFound)?;
        let store = with_address(api, api.catalog.store(&Actor::stranger(), &key).await?);
        let surrogate_key = format!("store-{}", store.id);
        Ok(Made {
            body: json(&store),
            content_type: JSON,
            tags: vec![Tag::id(store.id), STORES],
            surrogate_key,
            link: None,
        })
    })
    .await
}

/// The store as clients see it: its picture with its whole address.
pub(crate) fn with_address(api: &Api, store: Store) -> Store {
    let image_url = store.image_url.as_deref().map(|url| absolute(&api.settings.public_url, url));
    Store { image_url, ..store }
}
