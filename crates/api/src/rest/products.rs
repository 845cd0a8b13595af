//! Products: one by one, in numbered pages (v1), and by cursor with filters and sorts (v2).

use axum::extract::State;
use axum::response::Response;
use catalog::{Error as CatalogError, ProductFilter, ProductSort};
use garde::Validate;
use identity::Actor;
use platform::{Currency, Cursor, CursorRequest, Page, PageRequest, Slice};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::{NoQuery, PageQuery, json};
use super::view::{self, ProductView};
use crate::Api;
use crate::cache::{self, Asked, JSON, Made};
use crate::extract::{Path, Query};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_products))
        .routes(routes!(show_product))
        .routes(routes!(list_store_products))
        .routes(routes!(browse_products))
}

/// Lists products.
///
/// The newest first, in numbered pages. For filters, sorts and long lists take `/api/v2/products`.
#[utoipa::path(get, path = "/api/v1/products", tag = "Catalogue", params(PageQuery),
    responses((status = 200, description = "A page of products", body = Page<ProductView>),
              (status = 422, body = ProblemBody)))]
async fn list_products(
    State(api): State<Api>,
    Query(query): Query<PageQuery>,
    asked: Asked,
) -> Result<Response, Problem> {
    page(&api, &asked, ProductFilter::default(), query.request()).await
}

/// Lists a store's products.
///
/// The newest first, in numbered pages.
#[utoipa::path(get, path = "/api/v1/stores/{id}/products", tag = "Catalogue",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"), PageQuery),
    responses((status = 200, description = "A page of products", body = Page<ProductView>),
              (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn list_store_products(
    State(api): State<Api>,
    Path(store): Path<String>,
    Query(query): Query<PageQuery>,
    asked: Asked,
) -> Result<Response, Problem> {
    let store = store.parse().map_err(|_| CatalogError::StoreNotFound)?;
    page(&api, &asked, ProductFilter { store: Some(store), ..ProductFilter::default() }, query.request())
        .await
}

async fn page(
    api: &Api,
    asked: &Asked,
    filter: ProductFilter,
    page: PageRequest,
) -> Result<Response, Problem> {
    let key = format!("products {filter:?} {page:?}");
    cache::answer(api, asked, key, || async move {
        let found = api.catalog.product_page(&Actor::stranger(), &filter, page).await?;
        let (page, per_page, total) = (found.page, found.per_page, found.total);
        let data = view::of_products(api, found.data).await?;
        let (tags, surrogate_key) = view::list_tags(&data);
        Ok(Made {
            body: json(&Page { data, page, per_page, total }),
            content_type: JSON,
            tags,
            surrogate_key,
            link: None,
        })
    })
    .await
}

/// Shows a product.
#[utoipa::path(get, path = "/api/v1/products/{id}", tag = "Catalogue",
    params(("id" = String, Path, description = "Id or slug", example = "last-ten-teapot")),
    responses((status = 200, description = "The product", body = ProductView), (status = 404, body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn show_product(
    State(api): State<Api>,
    Path(key): Path<String>,
    _none: Query<NoQuery>,
    asked: Asked,
) -> Result<Response, Problem> {
    cache::answer(&api, &asked, format!("product {key}"), || async {
        let key = key.parse().map_err(|_| CatalogError::ProductNotFound)?;
        let product = api.catalog.product(&Actor::stranger(), &key).await?;
        let shown = view::of_products(&api, vec![product]).await?;
        let (tags, surrogate_key) = view::tags(&shown);
        Ok(Made { body: json(&shown[0]), content_type: JSON, tags, surrogate_key, link: None })
    })
    .await
}

/// Filters, sort and place of a list.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BrowseQuery {
    /// How many, from 1 to 100.
    #[garde(inner(range(min = 1, max = PageRequest::MAX_PER_PAGE)))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    first: Option<u32>,
    /// The `end_cursor` of the page before.
    #[garde(skip)]
    after: Option<String>,
    /// Of this store: id or slug.
    #[garde(skip)]
    #[param(example = "kiln-and-kin")]
    store: Option<String>,
    /// In this category or one below it: id or slug.
    #[garde(skip)]
    category: Option<String>,
    /// The cheapest variant costs at least this, in minor units.
    #[garde(inner(range(min = 0)))]
    #[param(minimum = 0, example = 1000)]
    min_price: Option<i64>,
    /// The cheapest variant costs at most this, in minor units.
    #[garde(inner(range(min = 0)))]
    #[param(minimum = 0, example = 5000)]
    max_price: Option<i64>,
    /// Sold in this currency.
    #[garde(skip)]
    #[param(example = "GBP")]
    currency: Option<Currency>,
    /// With something to sell, or with nothing.
    #[garde(skip)]
    in_stock: Option<bool>,
    /// `newest` (the default), `price`, `-price`, `title` or `-title`.
    #[garde(skip)]
    #[param(inline)]
    sort: Option<ProductSort>,
}

/// Browses products.
///
/// Filtered and sorted, by cursor: each page costs the same, however deep. Follow `page_info.end_cursor`
/// or the `Link` header.
#[utoipa::path(get, path = "/api/v2/products", tag = "Catalogue", params(BrowseQuery),
    responses((status = 200, description = "A slice of the list", body = Slice<ProductView>),
              (status = 404, description = "No such store or category", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn browse_products(
    State(api): State<Api>,
    Query(query): Query<BrowseQuery>,
    asked: Asked,
) -> Result<Response, Problem> {
    let filter = ProductFilter {
        store: query.store.map(|key| key.parse().map_err(|_| CatalogError::StoreNotFound)).transpose()?,
        category: query
            .category
            .map(|key| key.parse().map_err(|_| CatalogError::CategoryNotFound))
            .transpose()?,
        min_price: query.min_price,
        max_price: query.max_price,
        currency: query.currency,
        in_stock: query.in_stock,
    };
    let slice = CursorRequest {
        first: query.first.unwrap_or(PageRequest::DEFAULT_PER_PAGE),
        after: query.after.as_deref().map(Cursor::presented),
    };
    let sort = query.sort.unwrap_or_default();
    let uri = asked.uri.clone();
    let key = format!("browse {filter:?} {sort:?} {slice:?}");
    cache::answer(&api, &asked, key, || async {
        let found = api.catalog.products(&Actor::stranger(), &filter, sort, &slice).await?;
        let page_info = found.page_info.clone();
        let data = view::of_products(&api, found.data).await?;
        let (tags, surrogate_key) = view::list_tags(&data);
        let link = page_info
            .end_cursor
            .as_deref()
            .filter(|_| page_info.has_next_page)
            .map(|cursor| next_link(uri.path(), uri.query().unwrap_or_default(), cursor));
        Ok(Made { body: json(&Slice { data, page_info }), content_type: JSON, tags, surrogate_key, link })
    })
    .await
}

/// The address of the next page (RFC 8288): this one with another `after`.
fn next_link(path: &str, query: &str, cursor: &str) -> String {
    let kept = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "after");
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .append_pair("after", cursor)
        .finish();
    format!("<{path}?{query}>; rel=\"next\"")
}
