//! Second factors: setting them up. Showing them is in `second_step.rs`.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use garde::Validate;
use identity::{Credentials, PasskeyId, PasskeyInfo, PasskeyStart, SecondFactorStatus};
use platform::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::PRIVATE;
use crate::Api;
use crate::auth::Caller;
use crate::extract::{Json, Path};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(show_second_factors))
        .routes(routes!(begin_totp))
        .routes(routes!(confirm_totp))
        .routes(routes!(remove_totp))
        .routes(routes!(renew_recovery_codes))
        .routes(routes!(begin_passkey))
        .routes(routes!(create_passkey))
        .routes(routes!(rename_passkey, remove_passkey))
}

/// A new secret for an authenticator app.
#[derive(Serialize, ToSchema)]
struct TotpSecret {
    /// To be typed into the app.
    secret: String,
    /// To be shown as a QR code.
    otpauth_uri: String,
}

/// A code.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct TotpCode {
    /// Six digits.
    #[garde(length(chars, min = 1, max = 40))]
    code: String,
}

/// A code, if the session has not shown a second factor in the last 15 minutes.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct RemoveTotp {
    /// Six digits of the app, or a recovery code.
    #[serde(default)]
    #[garde(length(chars, min = 1, max = 40))]
    code: Option<String>,
}

/// Codes for whoever loses their second factor.
#[derive(Serialize, ToSchema)]
struct RecoveryCodes {
    /// Shown only now; each is good once. Empty when those before are still good.
    recovery_codes: Vec<String>,
}

/// The beginning of a ceremony with a passkey.
#[derive(Serialize, ToSchema)]
pub(super) struct PasskeyChallenge {
    /// To be sent along with the authenticator's answer, within five minutes.
    challenge: String,
    /// What `navigator.credentials` is called with; `PublicKeyCredential.parseCreationOptionsFromJSON` and
    /// `parseRequestOptionsFromJSON` read its `publicKey`.
    #[schema(value_type = Object)]
    options: Value,
}

/// A passkey that was made.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPasskey {
    /// Of the beginning.
    #[garde(length(chars, min = 1, max = 100))]
    challenge: String,
    /// What its owner calls it.
    #[garde(length(chars, min = 1, max = 100))]
    name: String,
    /// What `navigator.credentials.create` gave, by its `toJSON`.
    #[garde(skip)]
    #[schema(value_type = Object)]
    credential: Value,
}

/// A passkey that is kept now.
#[derive(Serialize, ToSchema)]
struct CreatedPasskey {
    /// It.
    passkey: PasskeyInfo,
    /// Shown only now; each is good once. Empty when those before are still good.
    recovery_codes: Vec<String>,
}

/// Another name.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct RenamePasskey {
    /// What its owner calls it.
    #[garde(length(chars, min = 1, max = 100))]
    name: String,
}

pub(super) fn started(start: PasskeyStart) -> Response {
    let body = PasskeyChallenge { challenge: start.challenge.expose().to_owned(), options: start.options };
    ([PRIVATE], axum::Json(body)).into_response()
}

/// Codes as they are shown.
fn shown(codes: &[Secret]) -> Vec<String> {
    codes.iter().map(|code| code.expose().to_owned()).collect()
}

/// The cookie that a change of rights renewed.
pub(super) fn cookies(api: &Api, renewed: Option<&Credentials>) -> CookieJar {
    api.renewed(CookieJar::new(), renewed)
}

/// Shows the caller's second factors.
#[utoipa::path(get, path = "/api/v1/users/me/second_factors", tag = "Second factors",
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "What there is", body = SecondFactorStatus),
              (status = 401, body = ProblemBody), (status = 403, description = "For people only", body = ProblemBody)))]
async fn show_second_factors(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    Ok(([PRIVATE], axum::Json(api.identity.factors.status(&actor).await?)).into_response())
}

/// Makes the secret of an authenticator app.
///
/// It counts once a first code was confirmed; until then each request makes another one.
#[utoipa::path(post, path = "/api/v1/users/me/second_factors/totp", tag = "Second factors",
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "For the app; told only once", body = TotpSecret),
              (status = 401, body = ProblemBody),
              (status = 403, description = "Show the second factor that is there first", body = ProblemBody),
              (status = 409, description = "There is an app already", body = ProblemBody)))]
async fn begin_totp(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    let begun = api.identity.factors.begin_totp(&actor).await?;
    let body =
        TotpSecret { secret: begun.secret.expose().to_owned(), otpauth_uri: begun.uri.expose().to_owned() };
    Ok(([PRIVATE], axum::Json(body)).into_response())
}

/// Confirms an authenticator app with its first code.
///
/// From now on a login has two steps. The session that asks has shown its second factor by this; a browser's gets a
/// new cookie.
#[utoipa::path(post, path = "/api/v1/users/me/second_factors/totp/confirm", tag = "Second factors",
    request_body = TotpCode,
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The recovery codes", body = RecoveryCodes),
              (status = 401, body = ProblemBody), (status = 403, description = "The code is wrong", body = ProblemBody),
              (status = 409, body = ProblemBody), (status = 422, body = ProblemBody), (status = 429, body = ProblemBody)))]
async fn confirm_totp(
    State(api): State<Api>,
    Caller(actor): Caller,
    Json(body): Json<TotpCode>,
) -> Result<Response, Problem> {
    let enrolled = api.identity.factors.confirm_totp(&actor, &Secret::presented(&body.code)).await?;
    let jar = cookies(&api, enrolled.renewed.as_ref());
    let codes = RecoveryCodes { recovery_codes: shown(&enrolled.recovery_codes) };
    Ok(([PRIVATE], jar, axum::Json(codes)).into_response())
}

/// Removes the authenticator app.
///
/// With the last second factor the recovery codes go too.
#[utoipa::path(post, path = "/api/v1/users/me/second_factors/totp/remove", tag = "Second factors",
    request_body = RemoveTotp,
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "It is gone"), (status = 401, body = ProblemBody),
              (status = 403, description = "The code is wrong, or none was shown lately", body = ProblemBody),
              (status = 404, body = ProblemBody), (status = 422, body = ProblemBody), (status = 429, body = ProblemBody)))]
async fn remove_totp(
    State(api): State<Api>,
    Caller(actor): Caller,
    Json(body): Json<RemoveTotp>,
) -> Result<Response, Problem> {
    let code = body.code.as_deref().map(Secret::presented);
    let renewed = api.identity.factors.remove_totp(&actor, code.as_ref()).await?;
    Ok((StatusCode::NO_CONTENT, [PRIVATE], cookies(&api, renewed.as_ref())).into_response())
}

/// Makes new recovery codes.
///
/// Those before are void.
#[utoipa::path(post, path = "/api/v1/users/me/second_factors/recovery_codes", tag = "Second factors",
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The codes", body = RecoveryCodes), (status = 401, body = ProblemBody),
              (status = 403, description = "Show a second factor first", body = ProblemBody),
              (status = 409, description = "There is no second factor to recover", body = ProblemBody)))]
async fn renew_recovery_codes(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    let codes = api.identity.factors.new_recovery_codes(&actor).await?;
    Ok(([PRIVATE], axum::Json(RecoveryCodes { recovery_codes: shown(&codes) })).into_response())
}

/// Begins to make a passkey.
#[utoipa::path(post, path = "/api/v1/users/me/second_factors/passkeys/begin", tag = "Second factors",
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "For `navigator.credentials.create`", body = PasskeyChallenge),
              (status = 401, body = ProblemBody),
              (status = 403, description = "Show the second factor that is there first", body = ProblemBody),
              (status = 409, description = "The marketplace's address can not have passkeys", body = ProblemBody)))]
async fn begin_passkey(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    Ok(started(api.identity.factors.begin_passkey(&actor).await?))
}

/// Keeps a passkey that was made.
///
/// The session that asks has shown its second factor by this; a browser's gets a new cookie. An `Idempotency-Key` is
/// not looked at: a challenge is good once.
#[utoipa::path(post, path = "/api/v1/users/me/second_factors/passkeys", tag = "Second factors",
    request_body = NewPasskey,
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "It is kept", body = CreatedPasskey), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 409, body = ProblemBody),
              (status = 410, description = "The challenge was used, or is too old", body = ProblemBody),
              (status = 422, body = ProblemBody)))]
async fn create_passkey(
    State(api): State<Api>,
    Caller(actor): Caller,
    Json(body): Json<NewPasskey>,
) -> Result<Response, Problem> {
    let challenge = Secret::presented(&body.challenge);
    let made = api.identity.factors.finish_passkey(&actor, &challenge, &body.name, &body.credential).await?;
    let location = format!("/api/v1/users/me/second_factors/passkeys/{}", made.passkey.id);
    let jar = cookies(&api, made.renewed.as_ref());
    let recovery_codes = shown(&made.recovery_codes);
    let created = CreatedPasskey { passkey: made.passkey, recovery_codes };
    let headers = [PRIVATE, (header::LOCATION, location.as_str())];
    Ok((StatusCode::CREATED, headers, jar, axum::Json(created)).into_response())
}

/// Renames a passkey.
#[utoipa::path(patch, path = "/api/v1/users/me/second_factors/passkeys/{id}", tag = "Second factors",
    params(("id" = PasskeyId, Path)), request_body = RenamePasskey,
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The passkey", body = PasskeyInfo), (status = 401, body = ProblemBody),
              (status = 403, description = "For people only", body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn rename_passkey(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<PasskeyId>,
    Json(body): Json<RenamePasskey>,
) -> Result<Response, Problem> {
    let passkey = api.identity.factors.rename_passkey(&actor, id, &body.name).await?;
    Ok(([PRIVATE], axum::Json(passkey)).into_response())
}

/// Removes a passkey.
///
/// With the last second factor the recovery codes go too.
#[utoipa::path(delete, path = "/api/v1/users/me/second_factors/passkeys/{id}", tag = "Second factors",
    params(("id" = PasskeyId, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "It is gone"), (status = 401, body = ProblemBody),
              (status = 403, description = "Show a second factor first", body = ProblemBody),
              (status = 404, body = ProblemBody)))]
async fn remove_passkey(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<PasskeyId>,
) -> Result<Response, Problem> {
    let renewed = api.identity.factors.remove_passkey(&actor, id).await?;
    Ok((StatusCode::NO_CONTENT, [PRIVATE], cookies(&api, renewed.as_ref())).into_response())
}
