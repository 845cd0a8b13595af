//! Where somebody is signed in.

use axum::extract::State;
use axum::response::Response;
use identity::{Session, SessionId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::{done, private};
use crate::Api;
use crate::auth::Caller;
use crate::extract::Path;
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_sessions, revoke_others)).routes(routes!(revoke_session))
}

/// The logins of somebody.
#[derive(Serialize, ToSchema)]
struct SessionList {
    /// The latest first.
    data: Vec<Session>,
}

/// How many logins were ended.
#[derive(Serialize, ToSchema)]
struct Revoked {
    /// How many.
    #[schema(example = 2)]
    revoked: u64,
}

/// Lists where one is signed in.
#[utoipa::path(get, path = "/api/v1/users/me/sessions", tag = "Accounts",
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The logins", body = SessionList), (status = 401, body = ProblemBody)))]
async fn list_sessions(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    Ok(private(&SessionList { data: api.identity.sessions.sessions(&actor).await? }))
}

/// Signs out everywhere else.
#[utoipa::path(delete, path = "/api/v1/users/me/sessions", tag = "Accounts",
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "How many logins ended", body = Revoked), (status = 401, body = ProblemBody)))]
async fn revoke_others(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    Ok(private(&Revoked { revoked: api.identity.sessions.revoke_others(&actor).await? }))
}

/// Ends a login.
#[utoipa::path(delete, path = "/api/v1/users/me/sessions/{id}", tag = "Accounts", params(("id" = SessionId, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "Ended"), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody)))]
async fn revoke_session(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<SessionId>,
) -> Result<Response, Problem> {
    api.identity.sessions.revoke(&actor, id).await?;
    Ok(done())
}
