//! A store's products, as its team works with them.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use catalog::{
    CategoryId, Image, MadeProduct, NewProduct, Product, ProductChange, ProductId, ProductStatus, PutVariant,
};
use garde::Validate;
use platform::{Money, PageRequest, Quantity, Slice, Slug};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::fields::{amount, one_line, picture, prose};
use super::shared::{PRIVATE, mark_replay, nullable, private, slice, store_id, versioned};
use super::view::{self, ProductView};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{IfVersion, Json, MaybeKey, Path, Query};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_own_products)).routes(routes!(create_product)).routes(routes!(
        show_own_product,
        change_product,
        archive_product
    ))
}

/// A picture of a product.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct PutImage {
    /// An http or https address, or a path below Souk's own.
    #[garde(custom(picture))]
    #[schema(example = "/media/demo/last-ten-teapot.svg")]
    url: String,
    /// What it shows, for those who do not see it.
    #[garde(length(chars, max = 500), custom(prose))]
    #[serde(default)]
    #[schema(example = "A round teapot")]
    alt: String,
}

impl From<PutImage> for Image {
    fn from(image: PutImage) -> Self {
        Self { url: image.url, alt: image.alt }
    }
}

/// A variant to be made.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateVariant {
    /// The store's own number for it.
    #[garde(inner(length(chars, max = 100), custom(one_line)))]
    #[schema(example = "KK-TEA-10")]
    sku: Option<String>,
    /// GTIN, EAN, UPC or ISBN.
    #[garde(inner(length(chars, max = 100), custom(one_line)))]
    barcode: Option<String>,
    /// One value for each of the product's options, in their order.
    #[garde(length(max = 5), inner(length(chars, max = 100), custom(one_line)))]
    #[serde(default)]
    #[schema(example = json!(["Large"]))]
    options: Vec<String>,
    /// What one costs, in the store's currency.
    #[garde(custom(amount))]
    price: Money,
    /// What one cost before, or elsewhere.
    #[garde(inner(custom(amount)))]
    compare_at_price: Option<Money>,
    /// With packaging, in grams.
    #[garde(range(min = 0, max = 1_000_000_000))]
    #[serde(default)]
    #[schema(minimum = 0, example = 900)]
    weight_grams: i32,
    /// Its own picture.
    #[garde(inner(custom(picture)))]
    image_url: Option<String>,
}

impl From<CreateVariant> for PutVariant {
    fn from(variant: CreateVariant) -> Self {
        Self {
            sku: variant.sku,
            barcode: variant.barcode,
            options: variant.options,
            price: variant.price,
            compare_at_price: variant.compare_at_price,
            weight_grams: variant.weight_grams,
            image_url: variant.image_url,
        }
    }
}

/// A product to be made.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateProduct {
    /// The wanted name in addresses, if not one made of the title. When another product has it, something is put
    /// behind it.
    #[garde(skip)]
    slug: Option<Slug>,
    /// Its name.
    #[garde(length(chars, min = 1, max = 200), custom(one_line))]
    #[schema(min_length = 1, max_length = 200, example = "Teapot 'Last Ten'")]
    title: String,
    /// Plain text or simple HTML.
    #[garde(length(chars, max = 20_000), custom(prose))]
    #[serde(default)]
    #[schema(max_length = 20_000)]
    description: String,
    /// Who made it.
    #[garde(inner(length(chars, max = 200), custom(one_line)))]
    vendor: Option<String>,
    /// Words to find it by.
    #[garde(length(max = 50), inner(length(chars, max = 60), custom(one_line)))]
    #[serde(default)]
    tags: Vec<String>,
    /// `draft` unless something else is said.
    #[garde(skip)]
    status: Option<ProductStatus>,
    /// The names of what it comes in. Their values are those of the variants.
    #[garde(length(max = 5), inner(length(chars, max = 60), custom(one_line)))]
    #[serde(default)]
    #[schema(example = json!(["Size"]))]
    options: Vec<String>,
    /// Pictures, the main one first.
    #[garde(length(max = 50), dive)]
    #[serde(default)]
    images: Vec<PutImage>,
    /// Where it is found.
    #[garde(length(max = 20))]
    #[serde(default)]
    categories: Vec<CategoryId>,
    /// Each combination of options that is sold; at least one.
    #[garde(length(min = 1, max = 250), dive)]
    variants: Vec<CreateVariant>,
    /// Units that one buyer may have, over all their orders.
    #[garde(skip)]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000, example = 2)]
    purchase_limit: Option<Quantity>,
}

/// What is to be changed of a product; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeProduct {
    /// Its name.
    #[garde(inner(length(chars, min = 1, max = 200), custom(one_line)))]
    title: Option<String>,
    /// Plain text or simple HTML.
    #[garde(inner(length(chars, max = 20_000), custom(prose)))]
    description: Option<String>,
    /// Who made it; null takes it away.
    #[garde(inner(inner(length(chars, max = 200), custom(one_line))))]
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    vendor: Option<Option<String>>,
    /// Words to find it by, all of them.
    #[garde(inner(length(max = 50), inner(length(chars, max = 60), custom(one_line))))]
    tags: Option<Vec<String>>,
    /// Where it is in its life.
    #[garde(skip)]
    status: Option<ProductStatus>,
    /// Pictures, all of them, the main one first.
    #[garde(length(max = 50), dive)]
    images: Option<Vec<PutImage>>,
    /// Where it is found, all of them.
    #[garde(inner(length(max = 20)))]
    categories: Option<Vec<CategoryId>>,
    /// Units that one buyer may have, over all their orders; null takes the limit away.
    #[garde(skip)]
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000, example = 2)]
    purchase_limit: Option<Option<Quantity>>,
}

/// The product as its team sees it, with the version to change it on top of.
pub(crate) async fn shown(api: &Api, product: Product) -> Result<Response, Problem> {
    let version = product.version;
    let shown = view::of_products(api, vec![product]).await?;
    Ok(versioned(&shown[0], version))
}

/// The same, when something new came of it.
pub(crate) async fn added(api: &Api, product: Product) -> Result<Response, Problem> {
    let (location, version) = (location(&product), product.version);
    let shown = view::of_products(api, vec![product]).await?;
    Ok(created(&location, version, &shown[0]))
}

/// The same, when it was made by this request or by an earlier one under its key.
fn made(api: &Api, MadeProduct { product, replayed }: MadeProduct) -> Response {
    let (location, version) = (location(&product), product.version);
    let mut response = created(&location, version, &view::of_new(api, product));
    mark_replay(&mut response, replayed);
    response
}

fn location(product: &Product) -> String {
    format!("/api/v1/stores/{}/products/{}", product.store.id, product.id)
}

fn created(location: &str, version: i64, product: &ProductView) -> Response {
    let etag = format!("\"{version}\"");
    let headers = [PRIVATE, (header::LOCATION, location), (header::ETAG, &etag)];
    (StatusCode::CREATED, headers, axum::Json(product)).into_response()
}

/// Which of a store's products.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OwnProductsQuery {
    /// Those of this status.
    #[garde(skip)]
    #[param(inline)]
    status: Option<ProductStatus>,
    /// How many, from 1 to 100.
    #[garde(inner(range(min = 1, max = PageRequest::MAX_PER_PAGE)))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    first: Option<u32>,
    /// The `end_cursor` of the page before.
    #[garde(skip)]
    after: Option<String>,
}

/// Lists all products of a store.
///
/// Drafts and archived ones too, the latest first. Needs `products:read`.
#[utoipa::path(get, path = "/api/v1/stores/{id}/admin/products", tag = "Stores",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"), OwnProductsQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "A slice of the list", body = Slice<ProductView>),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn list_own_products(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
    Query(query): Query<OwnProductsQuery>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    let request = slice(query.first, query.after.as_deref());
    let Slice { data, page_info } = api.catalog.own_products(&actor, id, query.status, &request).await?;
    Ok(private(&Slice { data: view::of_products(&api, data).await?, page_info }))
}

/// Makes a product.
///
/// A draft, unless its status says otherwise. Its stock is adjusted by itself. Sent again with the same `Idempotency-Key` it
/// is made once and answered the same. Needs `products:write`.
#[utoipa::path(post, path = "/api/v1/stores/{id}/products", tag = "Stores", request_body = CreateProduct,
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("Idempotency-Key" = Option<String>, Header)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "The product; its `ETag` is the version to change it on top of", body = ProductView),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "The store was rejected", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn create_product(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
    MaybeKey(key): MaybeKey,
    Json(body): Json<CreateProduct>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    let new = NewProduct {
        slug: body.slug,
        title: body.title,
        description: body.description,
        vendor: body.vendor,
        tags: body.tags,
        status: body.status.unwrap_or(ProductStatus::Draft),
        options: body.options,
        images: body.images.into_iter().map(Image::from).collect(),
        categories: body.categories,
        variants: body.variants.into_iter().map(PutVariant::from).collect(),
        purchase_limit: body.purchase_limit,
    };
    let key = key.as_ref().map(orders::IdempotencyKey::as_str);
    Ok(made(&api, api.catalog.create_product(&actor, id, new, key).await?))
}

/// Shows a product to its store's team.
///
/// Whatever its status. Needs `products:read`.
#[utoipa::path(get, path = "/api/v1/stores/{id}/products/{product_id}", tag = "Stores",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("product_id" = ProductId, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The product; its `ETag` is the version to change it on top of", body = ProductView),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn show_own_product(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, product)): Path<(String, ProductId)>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    shown(&api, api.catalog.own_product(&actor, id, product).await?).await
}

/// Changes a product.
///
/// Needs `products:write`, and the product's `ETag` as `If-Match`.
#[utoipa::path(patch, path = "/api/v1/stores/{id}/products/{product_id}", tag = "Stores", request_body = ChangeProduct,
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("product_id" = ProductId, Path), ("If-Match" = String, Header)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The product", body = ProductView), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "The store was rejected", body = ProblemBody),
              (status = 412, description = "Changed meanwhile", body = ProblemBody), (status = 422, body = ProblemBody),
              (status = 428, description = "No If-Match", body = ProblemBody)))]
async fn change_product(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, product)): Path<(String, ProductId)>,
    version: IfVersion,
    Json(body): Json<ChangeProduct>,
) -> Result<Response, Problem> {
    let version = version.required()?;
    let id = store_id(&api, &actor, &store).await?;
    let change = ProductChange {
        title: body.title,
        description: body.description,
        vendor: body.vendor,
        tags: body.tags,
        status: body.status,
        images: body.images.map(|images| images.into_iter().map(Image::from).collect()),
        categories: body.categories,
        purchase_limit: body.purchase_limit,
    };
    shown(&api, api.catalog.change_product(&actor, id, product, &change, Some(version)).await?).await
}

/// Archives a product.
///
/// It is shown to its store's team alone and can not be bought; orders and stock keep it. Needs `products:write`.
#[utoipa::path(delete, path = "/api/v1/stores/{id}/products/{product_id}", tag = "Stores",
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("product_id" = ProductId, Path), ("If-Match" = Option<String>, Header)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The product, archived", body = ProductView), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "The store was rejected", body = ProblemBody),
              (status = 412, description = "Changed meanwhile", body = ProblemBody)))]
async fn archive_product(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, product)): Path<(String, ProductId)>,
    IfVersion(version): IfVersion,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    let change = ProductChange { status: Some(ProductStatus::Archived), ..ProductChange::default() };
    shown(&api, api.catalog.change_product(&actor, id, product, &change, version).await?).await
}
