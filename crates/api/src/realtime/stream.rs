//! Server-sent events (WHATWG HTML, 9.2): the progress of one order.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use garde::Validate;
use orders::{OrderEvent, OrderId};
use serde::Deserialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::follow::Follow;
use super::holders;
use super::places::Place;
use crate::Api;
use crate::auth::Caller;
use crate::extract::{Path, Query};
use crate::problem::{Problem, ProblemBody};

/// After how long a browser comes back when the stream has ended or was cut.
const RETRY: Duration = Duration::from_secs(1);
/// How often something is sent, so that nobody on the way takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// After this a stream ends and the client comes back, so that it shows anew who it is.
const LONGEST: Duration = Duration::from_secs(15 * 60);

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(follow_order))
}

/// From where on.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// The `id` of the last event that is known, for clients that can not send `Last-Event-ID`.
    #[garde(inner(range(min = 0)))]
    #[param(minimum = 0, default = 0)]
    after: Option<i32>,
}

/// Follows an order.
///
/// A stream of server-sent events: what has happened to the order, at once, then whatever happens next. `id` counts the
/// order's events, `event` is `order.placed`, `order.paid` and so on, `data` is the event. A client that comes back
/// with `Last-Event-ID`, as browsers do by themselves, misses nothing and sees nothing twice. The stream ends after the
/// order's last event (`order.rejected`, `order.expired`, `order.cancelled`, `order.completed`, `order.refunded`), after
/// 15 minutes, and when the server stops; to who comes back after the last event the answer is 204.
#[utoipa::path(get, path = "/api/v2/orders/{id}/events", tag = "Checkout",
    params(("id" = OrderId, Path), EventsQuery,
           ("Last-Event-ID" = Option<i32>, Header, description = "The `id` of the last event that came")),
    security(("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The stream", body = OrderEvent, content_type = "text/event-stream"),
              (status = 204, description = "Nothing more will happen to the order"),
              (status = 404, body = ProblemBody), (status = 422, body = ProblemBody),
              (status = 429, description = "Too many requests, or open connections", body = ProblemBody),
              (status = 503, description = "Too many streams are open", body = ProblemBody)))]
async fn follow_order(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<OrderId>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    const NO_STORE: (HeaderName, &str) = (header::CACHE_CONTROL, "no-store");
    let after = last_event_id(&headers).or(query.after).unwrap_or(0);
    let holders = holders(&actor, Some(id));
    let (follow, events) = Follow::begin(&api, actor, id, after).await?;
    if follow.has_ended() && events.is_empty() {
        // A browser does not come back after this one.
        return Ok((StatusCode::NO_CONTENT, [NO_STORE]).into_response());
    }
    let place = api.realtime.streams.take(holders)?;
    let state = Underway {
        follow,
        events: events.into(),
        stop: api.realtime.stop.clone(),
        until: Instant::now() + LONGEST,
        _place: place,
    };
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    // nginx and its like are not to hold events back.
    let headers = [NO_STORE, (HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((headers, Sse::new(told(state)).keep_alive(keep_alive)).into_response())
}

/// What the client has seen. Whatever is no number of ours is as good as nothing.
fn last_event_id(headers: &HeaderMap) -> Option<i32> {
    let id: i32 = headers.get("last-event-id")?.to_str().ok()?.trim().parse().ok()?;
    (id >= 0).then_some(id)
}

/// A stream that is under way.
struct Underway {
    follow: Follow,
    /// What is to be sent next.
    events: VecDeque<OrderEvent>,
    stop: CancellationToken,
    until: Instant,
    _place: Place,
}

/// What goes over the wire.
fn told(state: Underway) -> impl Stream<Item = Result<Event, Infallible>> {
    let retry = stream::once(std::future::ready(Ok(Event::default().retry(RETRY))));
    retry.chain(stream::unfold(state, |mut state| async move {
        while state.events.is_empty() {
            if state.follow.has_ended() {
                return None;
            }
            let events = tokio::select! {
                () = state.stop.cancelled() => return None,
                () = tokio::time::sleep_until(state.until) => return None,
                events = state.follow.next() => events,
            };
            // It comes back and is told what is wrong.
            state.events = events.ok()?.into();
        }
        let event = state.events.pop_front()?;
        Some((Ok(as_sent(&event)), state))
    }))
}

fn as_sent(event: &OrderEvent) -> Event {
    Event::default()
        .id(event.version.to_string())
        .event(format!("order.{}", event.kind.as_str()))
        .json_data(event)
        .expect("an event is plain data")
}
