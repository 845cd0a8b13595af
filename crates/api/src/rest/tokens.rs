//! Tokens of programs, and the keys that tokens are checked with.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use garde::Validate;
use identity::{ApiKeyId, Jwks, Permission};
use platform::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::private;
use crate::Api;
use crate::extract::Form;
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(service_token)).routes(routes!(jwks))
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
