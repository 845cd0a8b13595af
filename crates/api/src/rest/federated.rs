//! Signing in with an account elsewhere: the way there and back is the browser's, so most answers are redirects.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::Cookie;
use garde::Validate;
use identity::{
    Begin, Begun, CameBack, Error as IdentityError, ExternalAccount, Finished, ProviderInfo, Returned,
    SessionKind, SignIn,
};
use platform::{Secret, ServiceError};
use serde::{Deserialize, Serialize};
use url::Url;
use url::form_urlencoded::{self, Serializer};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::merge_after_login;
use super::shared::PRIVATE;
use crate::Api;
use crate::auth::{Caller, SignInFrom};
use crate::extract::{Json, Path, Query};
use crate::problem::{Problem, ProblemBody};

/// How long a browser keeps what it has to show when it comes back: as long as a flow may take.
const BINDING_LIFETIME: time::Duration = time::Duration::minutes(10);

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_providers))
        .routes(routes!(begin_sign_in))
        .routes(routes!(come_back, post_back))
        .routes(routes!(list_external_accounts))
        .routes(routes!(begin_link, unlink))
}

/// Where people can sign in besides.
#[derive(Serialize, ToSchema)]
struct Providers {
    /// In the order of the settings.
    data: Vec<ProviderInfo>,
}

/// Accounts elsewhere that can sign in here.
#[derive(Serialize, ToSchema)]
struct ExternalAccounts {
    /// The oldest first.
    data: Vec<ExternalAccount>,
}

/// Where to go on.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BeginQuery {
    /// Where the browser goes in the end: a path of this site, without a fragment. `/` if not given.
    #[garde(skip)]
    #[param(example = "/account")]
    return_to: Option<String>,
}

/// An account elsewhere to be linked.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct BeginLink {
    /// Where the browser goes in the end: a path of this site, without a fragment. `/` if not given.
    #[garde(skip)]
    #[schema(example = "/account")]
    return_to: Option<String>,
}

/// A login that goes on elsewhere.
#[derive(Serialize, ToSchema)]
struct GoOn {
    /// Where to send the browser.
    #[schema(value_type = String)]
    address: Url,
}

/// What a provider has the browser bring back (RFC 6749, 4.1.2). Providers add what they like.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct Answer {
    /// Names the login.
    #[garde(skip)]
    state: Option<String>,
    /// Good for what the provider says of whoever signs in.
    #[garde(skip)]
    code: Option<String>,
    /// Why there is no code.
    #[garde(skip)]
    error: Option<String>,
    /// Who the provider is (RFC 9207).
    #[garde(skip)]
    iss: Option<String>,
}

impl Api {
    /// The cookie that binds a login elsewhere to the browser that began it.
    fn binding_cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-souk_login" } else { "souk_login" }
    }

    fn binding(&self, jar: &CookieJar) -> Option<Secret> {
        jar.get(self.binding_cookie()).map(|cookie| Secret::presented(cookie.value()))
    }

    fn of_binding(&self, begun: &Begun) -> Cookie<'static> {
        self.cookie(self.binding_cookie(), &begun.binding, BINDING_LIFETIME)
    }

    fn wish(&self, provider: &str, return_to: Option<String>, link: bool, jar: &CookieJar) -> Begin {
        let mut callback = self.settings.public_url.clone();
        callback.set_path(&callback_path(provider));
        let return_to = return_to.unwrap_or_else(|| "/".to_owned());
        Begin { callback, return_to, link, binding: self.binding(jar) }
    }
}

fn callback_path(provider: &str) -> String {
    format!("/api/v1/auth/providers/{provider}/callback")
}

/// Sends the browser on, with its next request a GET.
fn go_to(address: &str) -> Response {
    (StatusCode::SEE_OTHER, [PRIVATE, (header::LOCATION, address)]).into_response()
}

/// Lists where people can sign in besides.
#[utoipa::path(get, path = "/api/v1/auth/providers", tag = "Authentication",
    responses((status = 200, description = "The login providers", body = Providers)))]
async fn list_providers(State(api): State<Api>) -> Response {
    axum::Json(Providers { data: api.identity.federation.providers() }).into_response()
}

/// Sends the browser to a login provider.
///
/// To be opened by a browser, not called by a script. The browser comes back to `return_to`: signed in, or with
/// `#second_factor=<challenge>&methods=<comma-separated>` if a second factor is to be shown, or with
/// `#login_error=<code>` if it did not work.
#[utoipa::path(get, path = "/api/v1/auth/providers/{provider}/begin", tag = "Authentication",
    params(("provider" = String, Path, example = "google"), BeginQuery),
    responses((status = 303, description = "To the provider"), (status = 404, description = "No such provider", body = ProblemBody),
              (status = 422, description = "`return_to` is no path of this site", body = ProblemBody)))]
async fn begin_sign_in(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(provider): Path<String>,
    Query(query): Query<BeginQuery>,
    jar: CookieJar,
) -> Result<Response, Problem> {
    let wish = api.wish(&provider, query.return_to, false, &jar);
    match api.identity.federation.begin(&actor, &provider, &wish).await {
        Ok(begun) => {
            let jar = CookieJar::new().add(api.of_binding(&begun));
            Ok((jar, go_to(begun.address.as_str())).into_response())
        }
        Err(error) => {
            // The path was looked at before the provider was asked. People read pages, not problems.
            let may_return =
                matches!(error, IdentityError::ProviderUnavailable(_)) && wish.return_to.is_ascii();
            let problem = Problem::from(error);
            if may_return { Ok(go_to(&failed(&wish.return_to, &problem.code))) } else { Err(problem) }
        }
    }
}

fn failed(return_to: &str, reason: &str) -> String {
    format!("{return_to}#login_error={reason}")
}

/// Takes the browser back from a login provider.
///
/// Registered at the provider; only the browser that began the login can end it, within ten minutes and once.
#[utoipa::path(get, path = "/api/v1/auth/providers/{provider}/callback", tag = "Authentication",
    params(("provider" = String, Path, example = "google"), Answer),
    responses((status = 303, description = "To the page that the login was begun for")))]
async fn come_back(
    State(api): State<Api>,
    Caller(actor): Caller,
    from: SignInFrom,
    Path(provider): Path<String>,
    Query(answer): Query<Answer>,
    headers: HeaderMap,
    jar: CookieJar,
) -> Response {
    let back = CameBack {
        state: answer.state.as_deref().map(Secret::presented),
        code: answer.code.as_deref().map(Secret::presented),
        error: answer.error,
        issuer: answer.iss,
        binding: api.binding(&jar),
    };
    let client = from.client(SessionKind::Browser);
    let Returned { return_to, outcome } =
        api.identity.federation.finish(&actor, &client, &provider, &back).await;
    let jar = CookieJar::new();
    match outcome {
        Ok(Finished::SignIn(SignIn::Done(signed_in))) => {
            let mut jar =
                api.renewed(jar, Some(&signed_in.credentials)).add(api.of_device(&signed_in.device));
            if merge_after_login(&api, &signed_in, &headers).await.clear_cookie {
                jar = jar.add(api.expired(api.cart_cookie()));
            }
            (jar.add(api.expired(api.binding_cookie())), go_to(&return_to)).into_response()
        }
        // Behind `#`, which is sent to no server and so stands in no log.
        Ok(Finished::SignIn(SignIn::SecondFactor { challenge, methods })) => {
            let methods: Vec<String> = methods.iter().filter_map(word).collect();
            let address =
                format!("{return_to}#second_factor={}&methods={}", challenge.expose(), methods.join(","));
            (jar.add(api.expired(api.binding_cookie())), go_to(&address)).into_response()
        }
        Ok(Finished::Linked) => {
            let address = format!("{return_to}#linked={provider}");
            (jar.add(api.expired(api.binding_cookie())), go_to(&address)).into_response()
        }
        Err(error) => go_to(&failed(&return_to, error.reason())),
    }
}

/// A unit variant as JSON writes it.
fn word<T: Serialize>(variant: &T) -> Option<String> {
    serde_json::to_value(variant).ok()?.as_str().map(str::to_owned)
}

/// Takes a posted answer of a login provider.
///
/// Apple has the browser post its answer from its own site, without our cookies. The browser is sent on to the same
/// address by GET, with them.
#[utoipa::path(post, path = "/api/v1/auth/providers/{provider}/callback", tag = "Authentication",
    params(("provider" = String, Path, example = "apple")),
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "To the same address by GET")))]
async fn post_back(Path(provider): Path<String>, body: Bytes) -> Response {
    let mut query = Serializer::new(String::new());
    for name in ["state", "code", "error", "iss"] {
        if let Some((_, value)) = form_urlencoded::parse(&body).find(|(key, _)| key == name) {
            query.append_pair(name, &value);
        }
    }
    let provider: String = form_urlencoded::byte_serialize(provider.as_bytes()).collect();
    go_to(&format!("{}?{}", callback_path(&provider), query.finish()))
}

/// Lists the linked accounts.
///
/// Accounts elsewhere with which whoever asks can sign in.
#[utoipa::path(get, path = "/api/v1/users/me/external_accounts", tag = "Authentication",
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The accounts", body = ExternalAccounts), (status = 401, body = ProblemBody)))]
async fn list_external_accounts(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    let data = api.identity.federation.external_accounts(&actor).await?;
    Ok(([PRIVATE], axum::Json(ExternalAccounts { data })).into_response())
}

/// Begins to link an account elsewhere.
///
/// Send the browser to `address`; whoever asks has to be signed in still when it comes back. It comes back to
/// `return_to` with `#linked=<provider>`, or with `#login_error=<code>` if it did not work. The body may be `{}`.
#[utoipa::path(post, path = "/api/v1/users/me/external_accounts/{provider}", tag = "Authentication", request_body = BeginLink,
    params(("provider" = String, Path, example = "google")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "Where the browser goes", body = GoOn), (status = 401, body = ProblemBody),
              (status = 404, description = "No such provider", body = ProblemBody), (status = 422, body = ProblemBody),
              (status = 503, description = "The provider does not answer", body = ProblemBody)))]
async fn begin_link(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(provider): Path<String>,
    jar: CookieJar,
    Json(body): Json<BeginLink>,
) -> Result<Response, Problem> {
    let wish = api.wish(&provider, body.return_to, true, &jar);
    let begun = api.identity.federation.begin(&actor, &provider, &wish).await?;
    let jar = CookieJar::new().add(api.of_binding(&begun));
    Ok((jar, [PRIVATE], axum::Json(GoOn { address: begun.address })).into_response())
}

/// Unlinks an account elsewhere.
///
/// Refused if nothing would be left to sign in with.
#[utoipa::path(delete, path = "/api/v1/users/me/external_accounts/{provider}", tag = "Authentication",
    params(("provider" = String, Path, example = "google")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "It signs in here no more"), (status = 401, body = ProblemBody),
              (status = 404, description = "None of this provider is linked", body = ProblemBody),
              (status = 409, description = "Nothing else is left to sign in with", body = ProblemBody)))]
async fn unlink(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(provider): Path<String>,
) -> Result<StatusCode, Problem> {
    api.identity.federation.unlink(&actor, &provider).await?;
    Ok(StatusCode::NO_CONTENT)
}
