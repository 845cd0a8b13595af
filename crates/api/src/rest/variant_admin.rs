//! Variants and their prices, as a store's team works with them.

use axum::extract::State;
use axum::response::Response;
use catalog::{ProductId, VariantChange, VariantId};
use garde::Validate;
use platform::Money;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::fields::{amount, one_line, picture};
use super::product_admin::{CreateVariant, added, shown};
use super::shared::{nullable, store_id};
use super::view::ProductView;
use crate::Api;
use crate::auth::Caller;
use crate::extract::{IfVersion, Json, Path};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(add_variant)).routes(routes!(change_variant))
}

/// What is to be changed of a variant; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeVariant {
    /// The store's own number for it; null takes it away.
    #[garde(inner(inner(length(chars, max = 100), custom(one_line))))]
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    sku: Option<Option<String>>,
    /// GTIN, EAN, UPC or ISBN; null takes it away.
    #[garde(inner(inner(length(chars, max = 100), custom(one_line))))]
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    barcode: Option<Option<String>>,
    /// One value for each of the product's options, in their order.
    #[garde(inner(length(max = 5), inner(length(chars, max = 100), custom(one_line))))]
    options: Option<Vec<String>>,
    /// What one costs, in the store's currency.
    #[garde(inner(custom(amount)))]
    price: Option<Money>,
    /// What one cost before, or elsewhere; null takes it away.
    #[garde(inner(inner(custom(amount))))]
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Money>)]
    compare_at_price: Option<Option<Money>>,
    /// With packaging, in grams.
    #[garde(inner(range(min = 0, max = 1_000_000_000)))]
    #[schema(minimum = 0)]
    weight_grams: Option<i32>,
    /// Its own picture; null takes it away.
    #[garde(inner(inner(custom(picture))))]
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    image_url: Option<Option<String>>,
}

/// Adds a variant to a product.
///
/// Needs `products:write`. With the product's `ETag` as `If-Match` it is added only to what was read.
#[utoipa::path(post, path = "/api/v1/stores/{id}/products/{product_id}/variants", tag = "Stores",
    request_body = CreateVariant,
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("product_id" = ProductId, Path), ("If-Match" = Option<String>, Header)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "The product with the variant", body = ProductView),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "There is one with these options, or the store was rejected", body = ProblemBody),
              (status = 412, description = "Changed meanwhile", body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn add_variant(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, product)): Path<(String, ProductId)>,
    IfVersion(version): IfVersion,
    Json(body): Json<CreateVariant>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    added(&api, api.catalog.add_variant(&actor, id, product, &body.into(), version).await?).await
}

/// Changes a variant.
///
/// Its price, too. Needs `products:write`, and the product's `ETag` as `If-Match`.
#[utoipa::path(patch, path = "/api/v1/stores/{id}/products/{product_id}/variants/{variant_id}", tag = "Stores",
    request_body = ChangeVariant,
    params(("id" = String, Path, description = "Id or slug of the store", example = "kiln-and-kin"),
           ("product_id" = ProductId, Path), ("variant_id" = VariantId, Path), ("If-Match" = String, Header)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The product", body = ProductView), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "There is one with these options, or the store was rejected", body = ProblemBody),
              (status = 412, description = "Changed meanwhile", body = ProblemBody), (status = 422, body = ProblemBody),
              (status = 428, description = "No If-Match", body = ProblemBody)))]
async fn change_variant(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, product, variant)): Path<(String, ProductId, VariantId)>,
    version: IfVersion,
    Json(body): Json<ChangeVariant>,
) -> Result<Response, Problem> {
    let version = version.required()?;
    let id = store_id(&api, &actor, &store).await?;
    let change = VariantChange {
        sku: body.sku,
        barcode: body.barcode,
        options: body.options,
        price: body.price,
        compare_at_price: body.compare_at_price,
        weight_grams: body.weight_grams,
        image_url: body.image_url,
    };
    let place = (product, variant);
    shown(&api, api.catalog.change_variant(&actor, id, place, &change, Some(version)).await?).await
}
