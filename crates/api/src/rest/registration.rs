//! What leads up to signing in: opening an account, showing that a mailbox is theirs, a password that was forgotten.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use identity::NewAccount;
use platform::{Email, Secret};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::{Accepted, accepted, done};
use crate::Api;
use crate::auth::{Caller, SignInFrom};
use crate::extract::Json;
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(verify_email))
        .routes(routes!(resend_verification))
        .routes(routes!(request_password_reset))
        .routes(routes!(reset_password))
        .routes(routes!(confirm_email_change))
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

/// A secret that came by mail, and the password that goes with it.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct VerifyEmail {
    /// The secret.
    #[garde(skip)]
    token: Secret,
    /// The password of the registration.
    #[garde(skip)]
    password: Secret,
}

/// A secret that came by mail.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MailedToken {
    /// The secret.
    #[garde(skip)]
    pub(crate) token: Secret,
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

/// Opens an account.
///
/// A mail with a secret goes to the address; with it the account can be used. The answer is the same whether or not
/// the address has an account already; if it has, its owner is told by mail.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "Accounts", request_body = Register,
    responses((status = 202, description = "Look into the mailbox", body = Accepted),
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
///
/// With the password of the registration besides: whoever registered with somebody else's address gets nothing by a
/// click of its owner.
#[utoipa::path(post, path = "/api/v1/auth/verify_email", tag = "Accounts", request_body = VerifyEmail,
    responses((status = 204, description = "Now sign in"),
              (status = 403, description = "Not the password of this registration", body = ProblemBody),
              (status = 410, description = "Used already, or too old", body = ProblemBody)))]
async fn verify_email(
    State(api): State<Api>,
    from: SignInFrom,
    Json(body): Json<VerifyEmail>,
) -> Result<Response, Problem> {
    api.identity.accounts.verify_email(&from.origin, &body.token, &body.password).await?;
    Ok(done())
}

/// Mails the secret again.
#[utoipa::path(post, path = "/api/v1/auth/verify_email/resend", tag = "Accounts", request_body = EmailBody,
    responses((status = 202, description = "If the address waits for it, a mail is on its way", body = Accepted),
              (status = 422, body = ProblemBody)))]
async fn resend_verification(
    State(api): State<Api>,
    Json(body): Json<EmailBody>,
) -> Result<Response, Problem> {
    api.identity.accounts.resend_verification(&body.email).await?;
    Ok(accepted())
}

/// Asks for a mail with which the password can be reset.
///
/// The answer is the same whether or not the address has an account.
#[utoipa::path(post, path = "/api/v1/auth/password_reset", tag = "Accounts", request_body = EmailBody,
    responses((status = 202, description = "If the address has an account, a mail is on its way", body = Accepted),
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
///
/// By whoever asked for the change.
#[utoipa::path(post, path = "/api/v1/auth/email_change/confirm", tag = "Accounts", request_body = MailedToken,
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "The account has the new address"), (status = 401, body = ProblemBody),
              (status = 409, description = "Another account has it", body = ProblemBody),
              (status = 410, description = "Used already, or too old", body = ProblemBody)))]
async fn confirm_email_change(
    State(api): State<Api>,
    Caller(actor): Caller,
    Json(body): Json<MailedToken>,
) -> Result<Response, Problem> {
    api.identity.accounts.confirm_email_change(&actor, &body.token).await?;
    Ok(done())
}
