//! Who works for a store.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use garde::Validate;
use identity::{Invitation, InvitationId, Invited, Member, NewInvitation, StoreRole, UserId};
use platform::Email;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::registration::MailedToken;
use super::shared::{PRIVATE, done, private, store_id};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{Json, Path};
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_members))
        .routes(routes!(change_member, remove_member))
        .routes(routes!(list_invitations, invite))
        .routes(routes!(withdraw_invitation))
        .routes(routes!(accept_invitation))
}

/// The members of a store.
#[derive(Serialize, ToSchema)]
struct MemberList {
    /// Owners first.
    data: Vec<Member>,
}

/// Invitations that wait for an answer.
#[derive(Serialize, ToSchema)]
struct InvitationList {
    /// The latest first.
    data: Vec<Invitation>,
}

/// Another role.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeMember {
    /// The role.
    #[garde(skip)]
    role: StoreRole,
}

/// Somebody to be asked.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Invite {
    /// Whom.
    #[garde(skip)]
    email: Email,
    /// As what.
    #[garde(skip)]
    role: StoreRole,
}

/// Lists the members of a store.
#[utoipa::path(get, path = "/api/v1/stores/{id}/members", tag = "Stores", params(("id" = String, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The members", body = MemberList), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn list_members(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
) -> Result<Response, Problem> {
    let store = store_id(&api, &actor, &store).await?;
    Ok(private(&MemberList { data: api.identity.teams.members(&actor, store).await? }))
}

/// Gives a member another role.
///
/// Nobody gives or takes rights that they do not have; a store keeps an owner.
#[utoipa::path(patch, path = "/api/v1/stores/{id}/members/{user_id}", tag = "Stores", request_body = ChangeMember,
    params(("id" = String, Path), ("user_id" = UserId, Path)), security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The member", body = Member), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "The last owner", body = ProblemBody)))]
async fn change_member(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, user)): Path<(String, UserId)>,
    Json(body): Json<ChangeMember>,
) -> Result<Response, Problem> {
    let store = store_id(&api, &actor, &store).await?;
    Ok(private(&api.identity.teams.set_member_role(&actor, store, user, body.role).await?))
}

/// Lets a member go.
///
/// Everybody may go themselves; a store keeps an owner.
#[utoipa::path(delete, path = "/api/v1/stores/{id}/members/{user_id}", tag = "Stores",
    params(("id" = String, Path), ("user_id" = UserId, Path)), security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "Gone"), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "The last owner", body = ProblemBody)))]
async fn remove_member(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, user)): Path<(String, UserId)>,
) -> Result<Response, Problem> {
    let store = store_id(&api, &actor, &store).await?;
    api.identity.teams.remove_member(&actor, store, user).await?;
    Ok(done())
}

/// Lists invitations that wait for an answer.
#[utoipa::path(get, path = "/api/v1/stores/{id}/invitations", tag = "Stores", params(("id" = String, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The invitations", body = InvitationList), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn list_invitations(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
) -> Result<Response, Problem> {
    let store = store_id(&api, &actor, &store).await?;
    Ok(private(&InvitationList { data: api.identity.teams.invitations(&actor, store).await? }))
}

/// Asks somebody by mail to work for a store.
///
/// Asking the same address again replaces the earlier invitation. It can be accepted within a week.
#[utoipa::path(post, path = "/api/v1/stores/{id}/invitations", tag = "Stores", request_body = Invite,
    params(("id" = String, Path)), security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 201, description = "A mail is on its way", body = Invitation), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, description = "A member already, or the store does not trade", body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn invite(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(store): Path<String>,
    Json(body): Json<Invite>,
) -> Result<Response, Problem> {
    let id = store_id(&api, &actor, &store).await?;
    actor.require(identity::Permission::TeamWrite, id)?;
    let store = api.catalog.sender(&actor, id).await?;
    let new = NewInvitation { email: body.email, role: body.role, store_name: store.name };
    let invitation = api.identity.teams.invite(&actor, id, &new).await?;
    Ok((StatusCode::CREATED, [PRIVATE], axum::Json(invitation)).into_response())
}

/// Takes an invitation back.
#[utoipa::path(delete, path = "/api/v1/stores/{id}/invitations/{invitation_id}", tag = "Stores",
    params(("id" = String, Path), ("invitation_id" = InvitationId, Path)),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "Taken back"), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn withdraw_invitation(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((store, invitation)): Path<(String, InvitationId)>,
) -> Result<Response, Problem> {
    let store = store_id(&api, &actor, &store).await?;
    api.identity.teams.withdraw(&actor, store, invitation).await?;
    Ok(done())
}

/// Accepts an invitation with the secret that was mailed.
///
/// Only the account that has the address it went to can.
#[utoipa::path(post, path = "/api/v1/invitations/accept", tag = "Stores", request_body = MailedToken,
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "A member now", body = Invited), (status = 401, body = ProblemBody),
              (status = 410, description = "Used already, too old, or for somebody else", body = ProblemBody)))]
async fn accept_invitation(
    State(api): State<Api>,
    Caller(actor): Caller,
    Json(body): Json<MailedToken>,
) -> Result<Response, Problem> {
    Ok(private(&api.identity.teams.accept(&actor, &body.token).await?))
}
