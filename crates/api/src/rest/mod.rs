//! The REST API: one file per resource, each endpoint with its documentation beside it.
mod addresses;
mod api_keys;
mod audit;
pub(crate) mod auth;
mod basket;
mod carts;
mod categories;
mod commission_preview;
mod commission_rules;
mod factors;
mod federated;
mod fields;
mod ledger;
mod locations;
mod orders;
mod payment_methods;
mod payment_webhooks;
mod payout_admin;
mod payout_settings;
mod payouts;
mod product_admin;
mod products;
mod reconciliation;
mod refunds;
mod registration;
mod second_step;
mod sessions;
mod shared;
mod stock;
mod store_admin;
mod stores;
mod team;
mod tokens;
mod users;
mod v2;
mod variant_admin;
mod view;
mod waiting_room;
mod waiting_room_admin;

use utoipa_axum::router::OpenApiRouter;

pub(crate) use basket::merge_after_login;
pub(crate) use view::{absolute, list_tags, of_products};

use crate::Api;

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .merge(stores::router())
        .merge(categories::router())
        .merge(products::router())
        .merge(store_admin::router())
        .merge(product_admin::router())
        .merge(variant_admin::router())
        .merge(locations::router())
        .merge(stock::router())
        .merge(commission_rules::router())
        .merge(commission_preview::router())
        .merge(payout_settings::router())
        .merge(payouts::router())
        .merge(payout_admin::router())
        .merge(waiting_room_admin::router())
        .merge(waiting_room::router())
        .merge(carts::router())
        .merge(basket::router())
        .merge(orders::router())
        .merge(refunds::router())
        .merge(ledger::router())
        .merge(reconciliation::router())
        .merge(payment_webhooks::router())
        .merge(v2::router())
        .merge(crate::realtime::router())
        .merge(auth::router())
        .merge(registration::router())
        .merge(tokens::router())
        .merge(users::router())
        .merge(addresses::router())
        .merge(payment_methods::router())
        .merge(sessions::router())
        .merge(team::router())
        .merge(api_keys::router())
        .merge(audit::router())
        .merge(factors::router())
        .merge(second_step::router())
        .merge(federated::router())
}
