//! What payment providers tell unasked, and what became of it.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use payments::{Error, WebhookEvent, WebhookFilter, WebhookState};
use platform::{PageRequest, Slice};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::{private, slice};
use crate::auth::Caller;
use crate::extract::{Path, Query, Raw};
use crate::problem::{Problem, ProblemBody};
use crate::{Api, limits};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(receive_webhook))
        .routes(routes!(list_webhook_events))
        .routes(routes!(replay_webhook_event))
}

/// What a provider is told.
#[derive(Serialize, ToSchema)]
struct ReceivedWebhook {
    /// Always true: it is stored, and need not be sent again.
    #[schema(example = true)]
    received: bool,
}

/// Which events.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WebhookQuery {
    /// Those that stand so.
    #[garde(skip)]
    #[param(inline)]
    state: Option<WebhookState>,
    /// Of this provider.
    #[garde(inner(length(max = 255)))]
    #[param(example = "stripe")]
    provider: Option<String>,
    /// Of this payment, by its id, or whatever else they are about.
    #[garde(inner(length(max = 255)))]
    subject: Option<String>,
    /// How many, from 1 to 100.
    #[garde(inner(range(min = 1, max = PageRequest::MAX_PER_PAGE)))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    first: Option<u32>,
    /// The `end_cursor` of the page before.
    #[garde(skip)]
    after: Option<String>,
}

/// Receives an event of a payment provider.
///
/// For the provider, which signs the body; it is taken as it comes, whatever its media type, up to 256 kB. Answered once
/// the event is stored; it takes effect a moment later, once, however often it is sent. Any other answer asks for it to be
/// sent again.
#[utoipa::path(post, path = "/api/v1/payments/webhook/{provider}", tag = "Payments",
    params(("provider" = String, Path, description = "The provider's name", example = "stripe")),
    responses((status = 200, description = "It is stored", body = ReceivedWebhook),
              (status = 401, description = "The signature is not the provider's, or too old", body = ProblemBody),
              (status = 404, description = "There is no such provider", body = ProblemBody),
              (status = 413, body = ProblemBody),
              (status = 422, description = "It is signed, but can not be read", body = ProblemBody),
              (status = 503, description = "It could not be stored", body = ProblemBody)))]
async fn receive_webhook(
    State(api): State<Api>,
    Path(provider): Path<String>,
    raw: Raw,
) -> Result<Response, Problem> {
    match api.inbox.receive(&provider, &raw.headers, &raw.body).await {
        Ok(_) => Ok(private(&ReceivedWebhook { received: true })),
        Err(error) => {
            if matches!(error, Error::BadSignature | Error::UnknownProvider) {
                limits::count_unsigned(&api, &raw.extensions).await?;
            }
            Err(error.into())
        }
    }
}

/// Lists events of payment providers.
///
/// The last received first, those of the last 30 days and what failed before. Their bodies are not shown. Needs
/// `finance:admin`.
#[utoipa::path(get, path = "/api/v1/payments/webhook_events", tag = "Operators", params(WebhookQuery),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "A slice of the list", body = Slice<WebhookEvent>),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn list_webhook_events(
    State(api): State<Api>,
    Caller(actor): Caller,
    Query(query): Query<WebhookQuery>,
) -> Result<Response, Problem> {
    let filter = WebhookFilter { state: query.state, provider: query.provider, subject: query.subject };
    let slice = slice(query.first, query.after.as_deref());
    Ok(private(&api.inbox.events(&actor, &filter, &slice).await?))
}

/// Has an event applied once more.
///
/// From its raw body, also one that is archived. Whatever it brought about before is not done twice. Needs
/// `finance:admin`.
#[utoipa::path(post, path = "/api/v1/payments/webhook_events/{provider}/{event_id}/replay", tag = "Operators",
    params(("provider" = String, Path, description = "The provider's name", example = "stripe"),
           ("event_id" = String, Path, description = "The provider's name for the event")),
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The event, about to be worked on", body = WebhookEvent),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 410, description = "Its body was deleted", body = ProblemBody)))]
async fn replay_webhook_event(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((provider, event_id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    Ok(private(&api.inbox.replay(&actor, &provider, &event_id).await?))
}
