//! Accounts: one's own, and those that operators look up.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use garde::Validate;
use identity::{Directory, Exported, PlatformRole, Preferences, ProfileChange, User, UserId};
use orders::Order;
use payments::PaymentMethod;
use platform::{Currency, Email, Secret, Slice};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::{Accepted, accepted, done, nullable, private, slice, versioned};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{IfVersion, Json, Path, Query};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(show_me, change_me))
        .routes(routes!(change_password))
        .routes(routes!(change_email))
        .routes(routes!(export_me))
        .routes(routes!(delete_me))
        .routes(routes!(list_users))
        .routes(routes!(show_user))
        .routes(routes!(set_role))
}

/// What is to be changed of a profile; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeProfile {
    /// How they want to be called.
    #[garde(skip)]
    name: Option<String>,
    /// Their language (BCP 47); null takes the marketplace's own.
    #[garde(skip)]
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, example = "en-GB")]
    locale: Option<Option<String>>,
    /// Their currency; null takes the marketplace's own.
    #[garde(skip)]
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, example = "GBP")]
    currency: Option<Option<Currency>>,
    /// What they want to be told.
    #[garde(skip)]
    preferences: Option<Preferences>,
}

/// A new password.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangePassword {
    /// The password of now.
    #[garde(skip)]
    current_password: Secret,
    /// 8 to 128 characters that are not easy to guess.
    #[garde(skip)]
    new_password: Secret,
}

/// A new address.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeEmail {
    /// The new address.
    #[garde(skip)]
    email: Email,
    /// The password.
    #[garde(skip)]
    password: Secret,
}

/// An account to be deleted.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeleteAccount {
    /// The password. Whoever has none signs in anew and sends null.
    #[garde(skip)]
    password: Option<Secret>,
}

/// Shows one's own account.
#[utoipa::path(get, path = "/api/v1/users/me", tag = "Accounts", security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The account", body = User), (status = 401, body = ProblemBody)))]
async fn show_me(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    let user = api.identity.accounts.me(&actor).await?;
    Ok(versioned(&user, user.version))
}

/// Changes one's own profile.
///
/// With `If-Match` (the `ETag` that was read) a change on top of somebody else's is refused.
#[utoipa::path(patch, path = "/api/v1/users/me", tag = "Accounts", request_body = ChangeProfile,
    params(("If-Match" = Option<String>, Header)), security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The account", body = User), (status = 401, body = ProblemBody),
              (status = 412, description = "It was changed meanwhile", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn change_me(
    State(api): State<Api>,
    Caller(actor): Caller,
    IfVersion(if_version): IfVersion,
    Json(body): Json<ChangeProfile>,
) -> Result<Response, Problem> {
    let change = ProfileChange {
        name: body.name,
        locale: body.locale,
        currency: body.currency,
        preferences: body.preferences,
        if_version,
    };
    let user = api.identity.accounts.change_profile(&actor, &change).await?;
    Ok(versioned(&user, user.version))
}

/// Changes one's password.
///
/// All other logins end; a browser gets a new cookie.
#[utoipa::path(post, path = "/api/v1/users/me/password", tag = "Accounts", request_body = ChangePassword,
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "Changed"), (status = 401, body = ProblemBody),
              (status = 403, description = "The password of now is wrong", body = ProblemBody),
              (status = 422, description = "The new one is weak", body = ProblemBody)))]
async fn change_password(
    State(api): State<Api>,
    Caller(actor): Caller,
    Json(body): Json<ChangePassword>,
) -> Result<Response, Problem> {
    let accounts = &api.identity.accounts;
    let renewed = accounts.change_password(&actor, &body.current_password, &body.new_password).await?;
    Ok((api.renewed(CookieJar::new(), renewed.as_ref()), done()).into_response())
}

/// Moves one's account to a new address.
///
/// A mail with a secret goes to the new address; it counts once the secret is sent to
/// `/api/v1/auth/email_change/confirm`. The old address is told.
#[utoipa::path(post, path = "/api/v1/users/me/email", tag = "Accounts", request_body = ChangeEmail,
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 202, description = "A mail is on its way", body = Accepted), (status = 401, body = ProblemBody),
              (status = 403, description = "The password is wrong", body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn change_email(
    State(api): State<Api>,
    Caller(actor): Caller,
    Json(body): Json<ChangeEmail>,
) -> Result<Response, Problem> {
    api.identity.accounts.request_email_change(&actor, &body.password, &body.email).await?;
    Ok(accepted())
}

/// All that Souk knows of somebody.
#[derive(Serialize, ToSchema)]
struct ExportBody {
    /// The account and what belongs to it.
    #[serde(flatten)]
    account: Exported,
    /// What is kept to pay with.
    payment_methods: Vec<PaymentMethod>,
    /// The orders, the latest first.
    orders: Vec<Order>,
}

/// Takes one's data along.
///
/// Everything that is known of whoever asks (GDPR, Articles 15 and 20).
#[utoipa::path(get, path = "/api/v1/users/me/export", tag = "Accounts",
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The data", body = ExportBody), (status = 401, body = ProblemBody)))]
async fn export_me(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    let account = api.identity.accounts.export(&actor).await?;
    let payment_methods = api.payment_methods.list(&actor).await?;
    let orders = api.orders.export(&actor).await?;
    let name = [("content-disposition", "attachment; filename=\"souk-export.json\"")];
    Ok((name, private(&ExportBody { account, payment_methods, orders })).into_response())
}

/// Deletes one's account.
///
/// At once and for good: logins end, and what says who somebody was goes. Orders stay in the books without a name. The
/// only owner of a store finds another owner first.
#[utoipa::path(post, path = "/api/v1/users/me/delete", tag = "Accounts", request_body = DeleteAccount,
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "Deleted"), (status = 401, body = ProblemBody),
              (status = 403, description = "The password is wrong", body = ProblemBody),
              (status = 409, description = "The only owner of a store, or the last operator", body = ProblemBody)))]
async fn delete_me(
    State(api): State<Api>,
    Caller(actor): Caller,
    Json(body): Json<DeleteAccount>,
) -> Result<Response, Problem> {
    api.identity.accounts.delete(&actor, body.password.as_ref()).await?;
    Ok((CookieJar::new().add(api.expired(api.session_cookie())), done()).into_response())
}

/// Whom to look for.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UsersQuery {
    /// Part of a name, the beginning of an address, or an id.
    #[garde(inner(length(max = 254)))]
    q: Option<String>,
    /// With this role in the marketplace.
    #[garde(skip)]
    #[param(inline)]
    role: Option<PlatformRole>,
    /// How many, from 1 to 100.
    #[garde(inner(range(min = 1, max = 100)))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    first: Option<u32>,
    /// The `end_cursor` of the page before.
    #[garde(skip)]
    after: Option<String>,
}

/// Looks up accounts.
///
/// For operators and support, who have shown a second factor.
#[utoipa::path(get, path = "/api/v1/users", tag = "Operators", params(UsersQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "Accounts by address", body = Slice<User>), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn list_users(
    State(api): State<Api>,
    Caller(actor): Caller,
    Query(query): Query<UsersQuery>,
) -> Result<Response, Problem> {
    let who = Directory { query: query.q, role: query.role };
    let slice = slice(query.first, query.after.as_deref());
    Ok(private(&api.identity.accounts.users(&actor, &who, &slice).await?))
}

/// Shows an account.
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "Operators", params(("id" = UserId, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The account", body = User), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn show_user(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<UserId>,
) -> Result<Response, Problem> {
    Ok(private(&api.identity.accounts.user(&actor, id).await?))
}

/// A role in the marketplace.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetRole {
    /// The role; null takes it away.
    #[garde(skip)]
    role: Option<PlatformRole>,
}

/// Gives a role in the marketplace, or takes it away.
///
/// All their logins end. A marketplace keeps an operator.
#[utoipa::path(put, path = "/api/v1/users/{id}/role", tag = "Operators", params(("id" = UserId, Path)),
    request_body = SetRole, security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The account", body = User), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "The last operator", body = ProblemBody)))]
async fn set_role(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<UserId>,
    Json(body): Json<SetRole>,
) -> Result<Response, Problem> {
    Ok(private(&api.identity.accounts.set_role(&actor, id, body.role).await?))
}
