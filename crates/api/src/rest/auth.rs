//! Signing in and out, and what leads up to it.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use garde::Validate;
use identity::{
    ApiKeyId, Credentials, FactorMethod, Jwks, LogIn, NewAccount, Permission, PlatformRole, SessionId,
    SessionKind, SignIn, SignedIn, Subject, TokenPair, User,
};
use platform::{Email, Secret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::basket::{AfterLogin, MergedBasket, merge_after_login};
use super::shared::{accepted, done, private};
use crate::Api;
use crate::auth::{Caller, SignInFrom};
use crate::extract::{Form, Json, MaybeJson};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(verify_email))
        .routes(routes!(resend_verification))
        .routes(routes!(log_in))
        .routes(routes!(refresh))
        .routes(routes!(log_out))
        .routes(routes!(validate))
        .routes(routes!(request_password_reset))
        .routes(routes!(reset_password))
        .routes(routes!(confirm_email_change))
        .routes(routes!(service_token))
        .routes(routes!(jwks))
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

/// Somebody who wants an account.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Register {
    /// Where they are written to.
    #[garde(skip)]
    email: Email,
    /// 8 to 128 characters that are not easy to guess.
    #[garde(skip)]
    password: Secret,
    /// How they want to be called.
    #[garde(skip)]
    name: String,
    /// Their language (BCP 47).
    #[garde(skip)]
    locale: Option<String>,
}

/// An address.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct EmailBody {
    /// The address.
    #[garde(skip)]
    email: Email,
}

/// A secret that came by mail.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MailedToken {
    /// The secret.
    #[garde(skip)]
    pub(crate) token: Secret,
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

/// A new password.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResetBody {
    /// The secret that came by mail.
    #[garde(skip)]
    token: Secret,
    /// The new password.
    #[garde(skip)]
    password: Secret,
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
    /// Of an app.
    #[serde(flatten)]
    tokens: Option<TokensBody>,
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
    let (user, session_id) = (done.user, done.session_id);
    let mut jar = CookieJar::new();
    if clear_cookie {
        jar = jar.add(api.expired(api.cart_cookie()));
    }
    let body = match done.credentials {
        Credentials::Cookie { token, expires_at } => {
            jar = jar.add(api.of_session(&token, expires_at)).add(api.of_device(&done.device));
            SignedInBody { user, session_id, device_token: None, tokens: None, basket }
        }
        Credentials::Tokens(pair) => {
            let device_token = Some(done.device.expose().to_owned());
            SignedInBody { user, session_id, device_token, tokens: Some(pair.into()), basket }
        }
    };
    (jar, private(&SignInAnswer::SignedIn(body))).into_response()
}

/// Opens an account.
///
/// A mail with a secret goes to the address; with it the account can be used. The answer is the same whether or not
/// the address has an account already; if it has, its owner is told by mail.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "Accounts", request_body = Register,
    responses((status = 202, description = "Look into the mailbox"),
              (status = 422, description = "The password is weak, or a field is wrong", body = ProblemBody)))]
async fn register(
    State(api): State<Api>,
    from: SignInFrom,
    Json(body): Json<Register>,
) -> Result<Response, Problem> {
    let account =
        NewAccount { email: body.email, password: body.password, name: body.name, locale: body.locale };
    api.identity.accounts.register(&from.origin, &account).await?;
    Ok(accepted())
}

/// Confirms an address with the secret that was mailed.
#[utoipa::path(post, path = "/api/v1/auth/verify_email", tag = "Accounts", request_body = MailedToken,
    responses((status = 204, description = "Now sign in"),
              (status = 410, description = "Used already, or too old", body = ProblemBody)))]
async fn verify_email(
    State(api): State<Api>,
    from: SignInFrom,
    Json(body): Json<MailedToken>,
) -> Result<Response, Problem> {
    api.identity.accounts.verify_email(&from.origin, &body.token).await?;
    Ok(done())
}

/// Mails the secret again.
#[utoipa::path(post, path = "/api/v1/auth/verify_email/resend", tag = "Accounts", request_body = EmailBody,
    responses((status = 202, description = "If the address waits for it, a mail is on its way"),
              (status = 422, body = ProblemBody)))]
async fn resend_verification(
    State(api): State<Api>,
    Json(body): Json<EmailBody>,
) -> Result<Response, Problem> {
    api.identity.accounts.resend_verification(&body.email).await?;
    Ok(accepted())
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

/// Asks for a mail with which the password can be reset.
///
/// The answer is the same whether or not the address has an account.
#[utoipa::path(post, path = "/api/v1/auth/password_reset", tag = "Accounts", request_body = EmailBody,
    responses((status = 202, description = "If the address has an account, a mail is on its way"),
              (status = 422, body = ProblemBody)))]
async fn request_password_reset(
    State(api): State<Api>,
    Json(body): Json<EmailBody>,
) -> Result<Response, Problem> {
    api.identity.accounts.request_password_reset(&body.email).await?;
    Ok(accepted())
}

/// Sets a new password with the secret that was mailed.
///
/// All logins end.
#[utoipa::path(post, path = "/api/v1/auth/password_reset/confirm", tag = "Accounts", request_body = ResetBody,
    responses((status = 204, description = "Now sign in"),
              (status = 410, description = "Used already, or too old", body = ProblemBody),
              (status = 422, description = "The password is weak", body = ProblemBody)))]
async fn reset_password(
    State(api): State<Api>,
    from: SignInFrom,
    Json(body): Json<ResetBody>,
) -> Result<Response, Problem> {
    api.identity.accounts.reset_password(&from.origin, &body.token, &body.password).await?;
    Ok(done())
}

/// Moves an account to a new address with the secret that was mailed there.
#[utoipa::path(post, path = "/api/v1/auth/email_change/confirm", tag = "Accounts", request_body = MailedToken,
    responses((status = 204, description = "The account has the new address"),
              (status = 409, description = "Another account has it", body = ProblemBody),
              (status = 410, description = "Used already, or too old", body = ProblemBody)))]
async fn confirm_email_change(
    State(api): State<Api>,
    from: SignInFrom,
    Json(body): Json<MailedToken>,
) -> Result<Response, Problem> {
    api.identity.accounts.confirm_email_change(&from.origin, &body.token).await?;
    Ok(done())
}

/// What a program sends for a service token (RFC 6749, 4.4.2).
#[derive(Debug, Deserialize, Validate, ToSchema)]
struct ServiceTokenForm {
    /// `client_credentials`.
    #[garde(skip)]
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// The id of the API key, unless it comes by `Authorization: Basic`.
    #[garde(skip)]
    client_id: Option<String>,
    /// The API key itself.
    #[garde(skip)]
    client_secret: Option<Secret>,
    /// Some of the key's scopes, with spaces between them; all of them if nothing is said.
    #[garde(skip)]
    #[schema(example = "stock:read stock:write")]
    scope: Option<String>,
}

/// A service token (RFC 6749, 4.4.3).
#[derive(Serialize, ToSchema)]
struct ServiceToken {
    /// Goes with each request, behind `Bearer`.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds until it expires.
    #[schema(example = 900)]
    expires_in: u64,
    /// What it may do.
    #[schema(example = "stock:read stock:write")]
    scope: String,
}

/// Gets a service token for an API key.
///
/// OAuth 2's client credentials grant, form-encoded: `client_id` is the id of a secret API key and `client_secret` the
/// key itself; `Authorization: Basic` works too. For programs that do not want to send their key with each request.
#[utoipa::path(post, path = "/api/v1/auth/token", tag = "Accounts",
    request_body(content = ServiceTokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token", body = ServiceToken),
              (status = 401, description = "There is no such key", body = ProblemBody),
              (status = 403, description = "The key does not have this scope", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn service_token(
    State(api): State<Api>,
    headers: HeaderMap,
    Form(form): Form<ServiceTokenForm>,
) -> Result<Response, Problem> {
    let wrong = |field: &str, code: &str, message: &str| {
        Problem::invalid("request/invalid_value", vec![platform::Detail::new(field, code, message)])
    };
    if form.grant_type != "client_credentials" {
        return Err(wrong("grant_type", "unsupported", "the only grant is client_credentials"));
    }
    let (id, secret) = match (basic(&headers), form.client_id, form.client_secret) {
        (Some(pair), ..) => pair,
        (None, Some(id), Some(secret)) => (id, secret),
        (None, ..) => return Err(identity::Error::BadCredential.into()),
    };
    let id: ApiKeyId = id.parse().map_err(|_| identity::Error::BadCredential)?;
    let scopes = match form.scope.as_deref().map(str::trim).filter(|scope| !scope.is_empty()) {
        None => None,
        Some(scope) => {
            let named: Result<Vec<Permission>, _> = scope.split_whitespace().map(str::parse).collect();
            Some(named.map_err(|error| wrong("scope", "unknown", &error.to_string()))?)
        }
    };
    let (token, expires_in, scopes) =
        api.identity.api_keys.service_token(id, &secret, scopes.as_deref()).await?;
    Ok(private(&ServiceToken {
        access_token: token.expose().to_owned(),
        token_type: "Bearer",
        expires_in,
        scope: scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" "),
    }))
}

/// A name and a password of `Authorization: Basic` (RFC 7617; RFC 6749, 2.3.1).
fn basic(headers: &HeaderMap) -> Option<(String, Secret)> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| (name.to_owned(), Secret::presented(password)))
}

/// The public keys that access tokens are signed with.
///
/// For services that check tokens themselves (RFC 7517). A new key is listed an hour before it signs.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "Accounts",
    responses((status = 200, description = "The keys", body = Jwks)))]
async fn jwks(State(api): State<Api>) -> Result<Response, Problem> {
    let keys = api.identity.access.jwks().await?;
    let headers = [(header::CACHE_CONTROL, "public, max-age=300")];
    Ok((StatusCode::OK, headers, axum::Json(keys)).into_response())
}
