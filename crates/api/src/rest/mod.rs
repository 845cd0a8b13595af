//! The REST API: one file per resource, each endpoint with its documentation beside it.
mod basket;
mod carts;
mod categories;
mod orders;
mod products;
mod shared;
mod stores;
mod view;

use utoipa_axum::router::OpenApiRouter;

pub(crate) use view::{absolute, of_products};

use crate::Api;

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .merge(stores::router())
        .merge(categories::router())
        .merge(products::router())
        .merge(carts::router())
        .merge(basket::router())
        .merge(orders::router())
}
