//! Showing a second factor: to sign in, and in a session that is there.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use identity::Proof;
use platform::{Detail, Secret};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::{ClientKind, SignInAnswer, signed_in};
use super::factors::{PasskeyChallenge, cookies, started};
use super::shared::PRIVATE;
use crate::Api;
use crate::auth::{Caller, SignInFrom};
use crate::extract::Json;
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(complete_login))
        .routes(routes!(begin_login_passkey))
        .routes(routes!(begin_passkey_login))
        .routes(routes!(passkey_login))
        .routes(routes!(step_up))
        .routes(routes!(begin_step_up_passkey))
}

/// What a passkey answered.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasskeyAnswer {
    /// Of the beginning.
    #[garde(length(chars, min = 1, max = 100))]
    challenge: String,
    /// What `navigator.credentials.get` gave, by its `toJSON`.
    #[garde(skip)]
    #[schema(value_type = Object)]
    credential: Value,
}

/// The second step of a login: the challenge, and one of the three.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct CompleteLogin {
    /// Of the first step.
    #[garde(length(chars, min = 1, max = 100))]
    challenge: String,
    /// Six digits of the authenticator app.
    #[garde(length(chars, min = 1, max = 40))]
    totp: Option<String>,
    /// A recovery code.
    #[garde(length(chars, min = 1, max = 40))]
    recovery_code: Option<String>,
    /// What a passkey answered.
    #[garde(dive)]
    passkey: Option<PasskeyAnswer>,
    /// With what kind of client; an app if nothing is said.
    #[serde(default)]
    #[garde(skip)]
    session: ClientKind,
}

/// A login that waits for its second step.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoginChallenge {
    /// Of the first step.
    #[garde(length(chars, min = 1, max = 100))]
    challenge: String,
}

/// A login with a passkey alone.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasskeyLogin {
    /// Of the beginning.
    #[garde(length(chars, min = 1, max = 100))]
    challenge: String,
    /// What `navigator.credentials.get` gave, by its `toJSON`.
    #[garde(skip)]
    #[schema(value_type = Object)]
    credential: Value,
    /// With what kind of client; an app if nothing is said.
    #[serde(default)]
    #[garde(skip)]
    session: ClientKind,
}

/// A second factor: one of the three.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct StepUp {
    /// Six digits of the authenticator app.
    #[garde(length(chars, min = 1, max = 40))]
    totp: Option<String>,
    /// A recovery code.
    #[garde(length(chars, min = 1, max = 40))]
    recovery_code: Option<String>,
    /// What a passkey answered.
    #[garde(dive)]
    passkey: Option<PasskeyAnswer>,
}

/// The one that is shown of the three.
fn proof(
    totp: Option<String>,
    recovery_code: Option<String>,
    passkey: Option<PasskeyAnswer>,
) -> Result<Proof, Problem> {
    match (totp, recovery_code, passkey) {
        (Some(code), None, None) => Ok(Proof::Totp(Secret::presented(&code))),
        (None, Some(code), None) => Ok(Proof::RecoveryCode(Secret::presented(&code))),
        (None, None, Some(PasskeyAnswer { challenge, credential })) => {
            Ok(Proof::Passkey { challenge: Secret::presented(&challenge), response: credential })
        }
        (None, None, None) => {
            let detail = Detail::new("totp", "missing_field", "send totp, recovery_code or passkey");
            Err(Problem::invalid("request/missing_field", vec![detail]))
        }
        _ => {
            let detail =
                Detail::new("totp", "invalid_value", "send only one of totp, recovery_code and passkey");
            Err(Problem::invalid("request/invalid_value", vec![detail]))
        }
    }
}

/// Ends a login with a second factor.
///
/// One challenge gives one session, and bears five wrong answers within five minutes.
#[utoipa::path(post, path = "/api/v1/auth/login/second_factor", tag = "Second factors", request_body = CompleteLogin,
    responses((status = 200, description = "Signed in", body = SignInAnswer),
              (status = 403, description = "The second factor is wrong", body = ProblemBody),
              (status = 410, description = "The challenge was used, or is too old", body = ProblemBody),
              (status = 422, body = ProblemBody), (status = 429, body = ProblemBody)))]
async fn complete_login(
    State(api): State<Api>,
    from: SignInFrom,
    headers: HeaderMap,
    Json(body): Json<CompleteLogin>,
) -> Result<Response, Problem> {
    let proof = proof(body.totp, body.recovery_code, body.passkey)?;
    let client = from.client(body.session.into());
    let challenge = Secret::presented(&body.challenge);
    let done = api.identity.factors.complete(&client, &challenge, &proof).await?;
    Ok(signed_in(&api, &headers, done).await)
}

/// Begins to show a passkey as the second step of a login.
#[utoipa::path(post, path = "/api/v1/auth/login/second_factor/passkey", tag = "Second factors",
    request_body = LoginChallenge,
    responses((status = 200, description = "For `navigator.credentials.get`", body = PasskeyChallenge),
              (status = 404, description = "The account has no passkey", body = ProblemBody),
              (status = 409, body = ProblemBody), (status = 410, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn begin_login_passkey(
    State(api): State<Api>,
    Json(body): Json<LoginChallenge>,
) -> Result<Response, Problem> {
    let login = Secret::presented(&body.challenge);
    Ok(started(api.identity.factors.begin_login_passkey(&login).await?))
}

/// Begins a login with a passkey alone.
#[utoipa::path(post, path = "/api/v1/auth/passkey/begin", tag = "Second factors",
    responses((status = 200, description = "For `navigator.credentials.get`", body = PasskeyChallenge),
              (status = 409, description = "The marketplace's address can not have passkeys", body = ProblemBody)))]
async fn begin_passkey_login(State(api): State<Api>) -> Result<Response, Problem> {
    Ok(started(api.identity.factors.begin_passkey_login().await?))
}

/// Signs in with a passkey alone.
///
/// It counts as both factors: an authenticator shows that it knows who holds it.
#[utoipa::path(post, path = "/api/v1/auth/passkey", tag = "Second factors", request_body = PasskeyLogin,
    responses((status = 200, description = "Signed in", body = SignInAnswer),
              (status = 401, description = "The passkey is not known, or its answer is wrong", body = ProblemBody),
              (status = 409, body = ProblemBody),
              (status = 410, description = "The challenge was used, or is too old", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn passkey_login(
    State(api): State<Api>,
    from: SignInFrom,
    headers: HeaderMap,
    Json(body): Json<PasskeyLogin>,
) -> Result<Response, Problem> {
    let client = from.client(body.session.into());
    let challenge = Secret::presented(&body.challenge);
    let done = api.identity.factors.finish_passkey_login(&client, &challenge, &body.credential).await?;
    Ok(signed_in(&api, &headers, done).await)
}

/// Shows a second factor in a session that is there.
///
/// Operators need this to see money and roles, and everybody to change their second factors. A browser's session
/// gets a new cookie.
#[utoipa::path(post, path = "/api/v1/auth/step_up", tag = "Second factors", request_body = StepUp,
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "It was shown"), (status = 401, body = ProblemBody),
              (status = 403, description = "It is wrong", body = ProblemBody), (status = 410, body = ProblemBody),
              (status = 422, body = ProblemBody), (status = 429, body = ProblemBody)))]
async fn step_up(
    State(api): State<Api>,
    Caller(actor): Caller,
    Json(body): Json<StepUp>,
) -> Result<Response, Problem> {
    let proof = proof(body.totp, body.recovery_code, body.passkey)?;
    let renewed = api.identity.factors.step_up(&actor, &proof).await?;
    Ok((StatusCode::NO_CONTENT, [PRIVATE], cookies(&api, renewed.as_ref())).into_response())
}

/// Begins to show a passkey in a session that is there.
#[utoipa::path(post, path = "/api/v1/auth/step_up/passkey", tag = "Second factors",
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "For `navigator.credentials.get`", body = PasskeyChallenge),
              (status = 401, body = ProblemBody), (status = 403, description = "For people only", body = ProblemBody),
              (status = 404, description = "The account has no passkey", body = ProblemBody),
              (status = 409, body = ProblemBody)))]
async fn begin_step_up_passkey(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    Ok(started(api.identity.factors.begin_step_up_passkey(&actor).await?))
}
