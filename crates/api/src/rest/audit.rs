//! The audit log.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use platform::Slice;
use platform::audit::{Filter, Recorded};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::shared::{private, slice};
use crate::Api;
use crate::auth::Caller;
use crate::extract::Query;
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_entries))
}

/// Which entries.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    /// Done by this user or API key.
    #[garde(skip)]
    actor_id: Option<Uuid>,
    /// Done to this.
    #[garde(skip)]
    target_id: Option<Uuid>,
    /// In this store.
    #[garde(skip)]
    store_id: Option<Uuid>,
    /// This action, or all that begin so.
    #[garde(inner(length(max = 100)))]
    #[param(example = "store.")]
    action: Option<String>,
    /// How many, from 1 to 100.
    #[garde(inner(range(min = 1, max = 100)))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    first: Option<u32>,
    /// The `end_cursor` of the page before.
    #[garde(skip)]
    after: Option<String>,
}

/// Reads the audit log.
///
/// Who did what to what, from where; the newest first. Nothing in it is ever changed.
#[utoipa::path(get, path = "/api/v1/audit_log", tag = "Operators", params(AuditQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "Entries", body = Slice<Recorded>), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn list_entries(
    State(api): State<Api>,
    Caller(actor): Caller,
    Query(query): Query<AuditQuery>,
) -> Result<Response, Problem> {
    let filter = Filter {
        actor_id: query.actor_id,
        target_id: query.target_id,
        store_id: query.store_id,
        action: query.action,
    };
    let slice = slice(query.first, query.after.as_deref());
    Ok(private(&api.identity.audit.entries(&actor, &filter, &slice).await?))
}
