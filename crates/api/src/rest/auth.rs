//! Signing in and out.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use garde::Validate;
use identity::{
    Credentials, FactorMethod, LogIn, Permission, PlatformRole, SessionId, SessionKind, SignIn, SignedIn,
    Subject, TokenPair, User,
};
use platform::{Email, Secret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::basket::{AfterLogin, MergedBasket, merge_after_login};
use super::shared::{done, private};
use crate::Api;
use crate::auth::{Caller, SignInFrom};
use crate::extract::{Json, MaybeJson};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(log_in))
        .routes(routes!(refresh))
        .routes(routes!(log_out))
        .routes(routes!(validate))
}

/// What kind of client signs in.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientKind {
    /// A browser: the login is kept in a cookie that scripts can not read.
    Browser,
    /// An app: it gets an access token and a refresh token.
    #[default]
    Tokens,
}

impl From<ClientKind> for SessionKind {
    fn from(kind: ClientKind) -> Self {
        match kind {
            ClientKind::Browser => Self::Browser,
            ClientKind::Tokens => Self::Tokens,
        }
    }
}

/// Somebody who signs in.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogInBody {
    /// Whose account.
    #[garde(skip)]
    email: Email,
    /// Their password.
    #[garde(skip)]
    password: Secret,
    /// What kind of client; `tokens` if nothing is said.
    #[garde(skip)]
    #[serde(default)]
    session: ClientKind,
}

/// A refresh token.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefreshBody {
    /// Good once.
    #[garde(skip)]
    refresh_token: Secret,
}

/// A login to be ended.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogOutBody {
    /// Of an app whose access token has expired.
    #[garde(skip)]
    refresh_token: Option<Secret>,
}

/// How far somebody has come in signing in.
#[derive(Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "it lives for one answer")]
pub(crate) enum SignInAnswer {
    /// They are in.
    SignedIn(SignedInBody),
    /// They have to show a second factor, within five minutes, at `/api/v1/auth/login/second_factor`.
    SecondFactorRequired {
        /// To be sent along with it.
        challenge: String,
        /// What they have.
        methods: Vec<FactorMethod>,
    },
}

/// Somebody who has signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignedInBody {
    /// Who.
    user: User,
    /// The login.
    session_id: SessionId,
    /// Of an app: to be kept and sent as `X-Device-Token` with later logins, so that guesses made elsewhere do not
    /// slow down this device. A browser gets it as a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_token: Option<String>,
    /// Of an app: goes with each request, behind `Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// Of an app: `Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    /// Of an app: seconds until the access token expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 900)]
    expires_in: Option<u64>,
    /// Of an app: good once, for the next pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// What became of the basket that they had as a guest.
    #[serde(skip_serializing_if = "Option::is_none")]
    basket: Option<MergedBasket>,
}

/// Tokens of an app (RFC 6749, 5.1).
#[derive(Serialize, ToSchema)]
pub(crate) struct TokensBody {
    /// Goes with each request, behind `Bearer`.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds until the access token expires.
    #[schema(example = 900)]
    expires_in: u64,
    /// Good once, for the next pair.
    refresh_token: String,
}

impl From<TokenPair> for TokensBody {
    fn from(pair: TokenPair) -> Self {
        Self {
            access_token: pair.access_token.expose().to_owned(),
            token_type: "Bearer",
            expires_in: pair.expires_in,
            refresh_token: pair.refresh_token.expose().to_owned(),
        }
    }
}

/// The answer to a login, however it went on.
async fn signed_in_or_challenged(api: &Api, headers: &HeaderMap, outcome: SignIn) -> Response {
    match outcome {
        SignIn::Done(done) => signed_in(api, headers, *done).await,
        SignIn::SecondFactor { challenge, methods } => {
            let challenge = challenge.expose().to_owned();
            private(&SignInAnswer::SecondFactorRequired { challenge, methods })
        }
    }
}

/// The answer to whoever has signed in: cookies for a browser, tokens for an app. The basket they had as a guest goes
/// into the account's.
pub(crate) async fn signed_in(api: &Api, headers: &HeaderMap, done: SignedIn) -> Response {
    let AfterLogin { basket, clear_cookie } = merge_after_login(api, &done, headers).await;
    let mut jar = CookieJar::new();
    if clear_cookie {
        jar = jar.add(api.expired(api.cart_cookie()));
    }
    let mut body = SignedInBody {
        user: done.user,
        session_id: done.session_id,
        device_token: None,
        access_token: None,
        token_type: None,
        expires_in: None,
        refresh_token: None,
        basket,
    };
    match done.credentials {
        Credentials::Cookie { token, expires_at } => {
            jar = jar.add(api.of_session(&token, expires_at)).add(api.of_device(&done.device));
        }
        Credentials::Tokens(pair) => {
            body.device_token = Some(done.device.expose().to_owned());
            body.access_token = Some(pair.access_token.expose().to_owned());
            body.token_type = Some("Bearer");
            body.expires_in = Some(pair.expires_in);
            body.refresh_token = Some(pair.refresh_token.expose().to_owned());
        }
    }
    (jar, private(&SignInAnswer::SignedIn(body))).into_response()
}

/// Signs in.
///
/// A browser gets cookies, an app tokens. Whoever has a second factor gets a challenge instead. A guest's basket (by its
/// cookie or `X-Cart-Token`) goes into the account's, and `basket` says what changed. The answer to a wrong
/// password, an unknown address and an unconfirmed one is the same, and takes as long.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "Accounts", request_body = LogInBody,
    params(("X-Device-Token" = Option<String>, Header, description = "Of an app that has signed in before")),
    responses((status = 200, description = "Signed in, or on the way to it", body = SignInAnswer),
              (status = 401, description = "Wrong address or password", body = ProblemBody),
              (status = 422, body = ProblemBody),
              (status = 429, description = "Too many wrong guesses; see Retry-After", body = ProblemBody)))]
async fn log_in(
    State(api): State<Api>,
    from: SignInFrom,
    headers: HeaderMap,
    Json(body): Json<LogInBody>,
) -> Result<Response, Problem> {
    let client = from.client(body.session.into());
    let login = LogIn { email: body.email, password: body.password };
    let outcome = api.identity.sessions.log_in(&client, &login).await?;
    Ok(signed_in_or_challenged(&api, &headers, outcome).await)
}

/// Gets a new pair of tokens.
///
/// Each refresh token is good once. Sent again within 30 seconds it gives the same pair, in case the answer was lost;
/// after that the login is ended, since somebody else may have the token.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "Accounts", request_body = RefreshBody,
    responses((status = 200, description = "The next pair", body = TokensBody),
              (status = 401, description = "Not valid, or used before", body = ProblemBody)))]
async fn refresh(
    State(api): State<Api>,
    from: SignInFrom,
    Json(body): Json<RefreshBody>,
) -> Result<Response, Problem> {
    let client = from.client(SessionKind::Tokens);
    let pair = api.identity.sessions.refresh(&client, &body.refresh_token).await?;
    Ok(private(&TokensBody::from(pair)))
}

/// Signs out.
///
/// Ends the login that asks, or the one of the refresh token. A browser forgets its cookie.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "Accounts", request_body = LogOutBody,
    security((), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "Signed out")))]
async fn log_out(
    State(api): State<Api>,
    caller: Result<Caller, Problem>,
    MaybeJson(body): MaybeJson<LogOutBody>,
) -> Result<Response, Problem> {
    // An access token that has expired is no reason to keep the login.
    let actor = caller.map_or_else(|_| identity::Actor::stranger(), |Caller(actor)| actor);
    api.identity.sessions.log_out(&actor, body.refresh_token.as_ref()).await?;
    Ok((CookieJar::new().add(api.expired(api.session_cookie())), done()).into_response())
}

/// Who is asking, and what they may do.
#[derive(Serialize, ToSchema)]
struct Whoami {
    /// `user` or `api_key`.
    #[schema(example = "user")]
    kind: &'static str,
    /// The user, or the key.
    id: Uuid,
    /// Their role in the marketplace.
    role: Option<PlatformRole>,
    /// Their roles in stores.
    memberships: Vec<MembershipBody>,
    /// What a key is limited to.
    scopes: Option<Vec<Permission>>,
    /// Whether a second factor was shown with this login.
    second_factor: bool,
}

/// A role in a store.
#[derive(Serialize, ToSchema)]
struct MembershipBody {
    /// The store.
    store_id: Uuid,
    /// The role.
    role: identity::StoreRole,
}

/// Says who is asking.
///
/// For gateways and for clients that want to know whether what they hold is still good.
#[utoipa::path(get, path = "/api/v1/auth/validate", tag = "Accounts",
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "Who is asking", body = Whoami), (status = 401, body = ProblemBody)))]
async fn validate(Caller(actor): Caller) -> Result<Response, Problem> {
    let principal = actor.principal().ok_or(identity::Denied::Unauthenticated)?;
    let (kind, id) = match principal.subject {
        Subject::User(id) => ("user", id.uuid()),
        Subject::ApiKey(id) => ("api_key", id.uuid()),
    };
    let memberships = principal.memberships.iter();
    Ok(private(&Whoami {
        kind,
        id,
        role: principal.role,
        memberships: memberships
            .map(|(store, role)| MembershipBody { store_id: store.uuid(), role: *role })
            .collect(),
        scopes: principal.scopes.clone(),
        second_factor: principal.second_factor_at.is_some(),
    }))
}
