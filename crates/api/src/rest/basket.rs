//! The basket of the caller: their account's cart, or one whose token lives in a cookie or in `X-Cart-Token`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use garde::Validate;
use identity::SignedIn;
use orders::{Address, Cart, CartId, CartLine, Checkout};
use platform::{Currency, Detail, Email, Money, Secret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::carts::{AddItem, shown};
use super::payment_methods::PaymentBody;
use super::shared::{PRIVATE, created, mark_replay};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{CookieToken, Json, Key, MaybeKey, PayingJson, cart_token};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(show_basket)).routes(routes!(add_product)).routes(routes!(checkout))
}

/// The caller's basket; `id` is null while there is none.
#[derive(Serialize, ToSchema)]
struct Basket {
    /// The id of the cart behind it.
    id: Option<CartId>,
    /// The currency of all its lines.
    currency: Option<Currency>,
    /// What is in it.
    lines: Vec<CartLine>,
    /// The sum of the lines.
    subtotal: Option<Money>,
    /// When it is forgotten if nothing happens.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<time::OffsetDateTime>,
}

impl Basket {
    const EMPTY: Self =
        Self { id: None, currency: None, lines: Vec::new(), subtotal: None, expires_at: None };
}

impl From<Cart> for Basket {
    fn from(cart: Cart) -> Self {
        Self {
            id: Some(cart.id),
            currency: cart.currency,
            lines: cart.lines,
            subtotal: cart.subtotal,
            expires_at: Some(cart.expires_at),
        }
    }
}

/// A basket to be bought.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct CheckoutBody {
    /// Whom to write to.
    #[garde(skip)]
    email: Email,
    /// Where it goes.
    #[garde(dive)]
    shipping_address: Address,
    /// Who is billed, if not the same.
    #[garde(dive)]
    billing_address: Option<Address>,
    /// How it is paid.
    #[garde(dive)]
    payment: PaymentBody,
}

/// What became of the basket that somebody had before they signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct MergedBasket {
    /// The account's basket as it is now.
    basket: Basket,
    /// What is not as the buyer last saw it: `quantity_reduced` and `price_changed` at lines of the basket, and for
    /// what did not come into it `unavailable`, `out_of_stock`, `cart_full` or `currency_mismatch`.
    pub(crate) notes: Vec<Detail>,
}

/// How [`merge_after_login`] went.
pub(crate) struct AfterLogin {
    /// For the answer to the login; none if there was nothing to merge.
    pub(crate) basket: Option<MergedBasket>,
    /// Whether the cookie of the guest's basket opens nothing any more.
    pub(crate) clear_cookie: bool,
}

/// Puts the basket that somebody had as a guest, by the cookie or the header of this request, into the one of the
/// account they have just signed in to. A login does not fail for it: what can not be merged now stays the guest's.
pub(crate) async fn merge_after_login(api: &Api, done: &SignedIn, headers: &HeaderMap) -> AfterLogin {
    let nothing = AfterLogin { basket: None, clear_cookie: false };
    let Some(token) = cart_token(api, headers) else { return nothing };
    if let Err(error) = api.waiting_room.carry_over(&done.actor(), &token).await {
        tracing::warn!(%error, "a guest's places in line could not be carried over");
    }
    match api.orders.merge(&done.actor(), &token).await {
        Ok(Some(merged)) => {
            let basket = shown(api, merged.cart).into();
            AfterLogin { basket: Some(MergedBasket { basket, notes: merged.notes }), clear_cookie: true }
        }
        Ok(None) => nothing,
        Err(error) => {
            tracing::warn!(%error, "a guest's basket could not be merged");
            nothing
        }
    }
}

/// Shows the caller's basket.
#[utoipa::path(get, path = "/api/v1/shopping_basket", tag = "Cart",
    security((), ("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The basket, empty if there is none", body = Basket)))]
async fn show_basket(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    let basket = match api.orders.basket(&actor, None).await? {
        Some(id) => shown(&api, api.orders.cart(&actor, id).await?).into(),
        None => Basket::EMPTY,
    };
    Ok(([PRIVATE], axum::Json(basket)).into_response())
}

/// Puts a product into the caller's basket.
///
/// A guest who has none gets a new one: its token comes in a cookie and in `X-Cart-Token`. A cookie that was sent is set
/// again, so that it lives as long as the basket. Whoever has signed in has one basket with their account and needs no
/// token.
#[utoipa::path(post, path = "/api/v1/shopping_basket/products", tag = "Cart", request_body = AddItem,
    params(("Idempotency-Key" = Option<String>, Header)),
    security((), ("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The basket", body = Basket), (status = 404, body = ProblemBody),
              (status = 409, description = "Not enough in stock", body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn add_product(
    State(api): State<Api>,
    Caller(actor): Caller,
    MaybeKey(key): MaybeKey,
    CookieToken(known): CookieToken,
    Json(body): Json<AddItem>,
) -> Result<Response, Problem> {
    if let Some(id) = api.orders.basket(&actor, None).await? {
        let added = api.orders.add_item(&actor, id, body.variant_id, body.quantity, key).await?;
        let mut response = ([PRIVATE], axum::Json(Basket::from(shown(&api, added.cart)))).into_response();
        mark_replay(&mut response, added.replayed);
        // It lives as long as the cart, which has just begun its life anew.
        let renewed = known
            .filter(|_| actor.user_id().is_none())
            .map(|token| CookieJar::new().add(cookie(&api, &token)));
        return Ok((renewed, response).into_response());
    }
    let (cart, token) = api.orders.start_cart(&actor, body.variant_id, body.quantity, key).await?;
    let response = ([PRIVATE], axum::Json(Basket::from(shown(&api, cart)))).into_response();
    let Some(token) = token else { return Ok(response) };
    let jar = CookieJar::new().add(cookie(&api, &token));
    let header = [(axum::http::HeaderName::from_static("x-cart-token"), token.expose())];
    Ok((jar, header, response).into_response())
}

fn cookie(api: &Api, token: &Secret) -> Cookie<'static> {
    Cookie::build((api.cart_cookie(), token.expose().to_owned()))
        .path("/")
        .http_only(true)
        .secure(api.is_secure())
        .same_site(SameSite::Lax)
        .max_age(time::Duration::days(30))
        .build()
}

/// Buys the caller's basket.
///
/// Waits until the purchase has come to an end. Nothing is charged that the buyer was not shown: if a price
/// or the stock has changed the answer is 409 and says what. Sent again with the same `Idempotency-Key`
/// and body it answers the same, with `Idempotent-Replayed: true`.
#[utoipa::path(post, path = "/api/v1/shopping_basket/checkout", tag = "Checkout", request_body = CheckoutBody,
    params(("Idempotency-Key" = String, Header, description = "New for each purchase, the same for each repetition of it")),
    security(("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "The paid order", body = orders::Order),
              (status = 400, description = "No Idempotency-Key, or no JSON", body = ProblemBody),
              (status = 402, description = "The payment was declined; the stock is free again", body = ProblemBody),
              (status = 404, description = "There is no basket", body = ProblemBody),
              (status = 409, description = "Out of stock, price changed, or checked out already", body = ProblemBody),
              (status = 422, body = ProblemBody),
              (status = 503, description = "The order is safe and goes on by itself", body = ProblemBody)))]
async fn checkout(
    State(api): State<Api>,
    Caller(actor): Caller,
    Key(key): Key,
    PayingJson(body): PayingJson<CheckoutBody>,
) -> Result<Response, Problem> {
    let means = body.payment.means(&actor, "payment.")?;
    let checkout = Checkout {
        cart_id: None,
        key,
        email: body.email,
        shipping_address: body.shipping_address,
        billing_address: body.billing_address,
        means: Some(means),
    };
    Ok(created(&api.orders.checkout(&actor, checkout).await?))
}
