//! Waiting rooms, as buyers meet them.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use catalog::ProductId;
use futures_util::stream;
use garde::Validate;
use platform::ServiceError;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waiting_room::{Challenge, Error, Listener, Place, Solution, Standing, Status};

use super::fields::one_line;
use super::shared::{PRIVATE, private};
use crate::Api;
use crate::auth::Caller;
use crate::extract::{MaybeJson, Path, Query};
use crate::problem::{Problem, ProblemBody};

/// Where a client shows its ticket.
const TICKET: &str = "waiting-ticket";
/// A comment is sent after such a silence, so that nothing on the way takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(request_challenge))
        .routes(routes!(join_line))
        .routes(routes!(show_place))
        .routes(routes!(follow_place))
}

/// A challenge that a guest has solved.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct JoinLine {
    /// As it was given.
    #[garde(inner(length(chars, max = 500), custom(one_line)))]
    #[serde(default)]
    challenge: Option<String>,
    /// A text with which `SHA-256(challenge ":" solution)` begins with as many zero bits as were asked for.
    #[garde(inner(length(chars, max = 100), custom(one_line)))]
    #[serde(default)]
    #[schema(example = "173204")]
    solution: Option<String>,
}

/// A place in line.
#[derive(Serialize, ToSchema)]
#[schema(as = WaitingPlace)]
struct PlaceView {
    /// Signed. Shows whose place it is; send it as `Waiting-Ticket`.
    ticket: String,
    #[serde(flatten)]
    standing: Standing,
}

impl From<Place> for PlaceView {
    fn from(place: Place) -> Self {
        Self { ticket: place.ticket.expose().to_owned(), standing: place.standing }
    }
}

/// A ticket, where no header can be sent.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TicketQuery {
    /// The ticket: browsers' `EventSource` sends no headers.
    #[garde(skip)]
    ticket: Option<String>,
}

/// The ticket in the header, if there is one.
struct ShownTicket(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for ShownTicket {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let shown = parts.headers.get(TICKET).and_then(|value| value.to_str().ok());
        Ok(Self(shown.map(str::to_owned)))
    }
}

/// Gives a guest something to solve.
///
/// A proof of work, so that places can not be had by the thousand. It is for the basket that is shown and for this
/// product, is good for five minutes and gives one place. Whoever has signed in needs none.
#[utoipa::path(post, path = "/api/v1/products/{id}/waiting_room/challenges", tag = "Waiting rooms",
    params(("id" = ProductId, Path, description = "Id of the product")),
    security((), ("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The challenge", body = Challenge),
              (status = 403, description = "Programs do not stand in line", body = ProblemBody),
              (status = 404, description = "The product has no waiting room", body = ProblemBody),
              (status = 409, description = "A guest needs a basket first", body = ProblemBody)))]
async fn request_challenge(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(product): Path<ProductId>,
) -> Result<Response, Problem> {
    Ok(private(&api.waiting_room.challenge(&actor, product).await?))
}

/// Takes a place in line.
///
/// A buyer has one place: sent again, from whatever tab, it answers with the same number. Whose time to buy is over gets
/// a new one at the end. While fewer come than are let in, one is let in at once.
#[utoipa::path(post, path = "/api/v1/products/{id}/waiting_room/places", tag = "Waiting rooms",
    request_body = JoinLine,
    params(("id" = ProductId, Path, description = "Id of the product")),
    security((), ("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The place and its ticket", body = PlaceView),
              (status = 403, description = "Programs do not stand in line", body = ProblemBody),
              (status = 404, description = "The product has no waiting room", body = ProblemBody),
              (status = 409, description = "A guest needs a basket and a challenge first", body = ProblemBody),
              (status = 410, description = "The challenge has expired", body = ProblemBody),
              (status = 422, description = "The challenge is not solved", body = ProblemBody),
              (status = 503, description = "Too many join at this moment", body = ProblemBody)))]
async fn join_line(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(product): Path<ProductId>,
    MaybeJson(body): MaybeJson<JoinLine>,
) -> Result<Response, Problem> {
    let solution = match (body.challenge, body.solution) {
        (None, None) => None,
        (challenge, solution) => Some(Solution {
            challenge: challenge.unwrap_or_default(),
            solution: solution.unwrap_or_default(),
        }),
    };
    let place = api.waiting_room.join(&actor, product, solution.as_ref()).await?;
    Ok(private(&PlaceView::from(place)))
}

/// Shows how it stands with the caller's place.
#[utoipa::path(get, path = "/api/v1/products/{id}/waiting_room/places/me", tag = "Waiting rooms",
    params(("id" = ProductId, Path, description = "Id of the product"),
           ("Waiting-Ticket" = String, Header, description = "The ticket of the place")),
    security((), ("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "How it stands", body = Standing),
              (status = 403, description = "The ticket was given to another buyer", body = ProblemBody),
              (status = 404, description = "The product has no waiting room", body = ProblemBody),
              (status = 409, description = "A guest shows their basket, too", body = ProblemBody),
              (status = 410, description = "The ticket has expired; join again", body = ProblemBody),
              (status = 422, description = "No ticket of ours", body = ProblemBody)))]
async fn show_place(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(product): Path<ProductId>,
    ShownTicket(ticket): ShownTicket,
) -> Result<Response, Problem> {
    let ticket = ticket.ok_or(Error::TicketNeeded)?;
    Ok(private(&api.waiting_room.standing(&actor, product, &ticket).await?))
}

/// Follows the caller's place by server-sent events.
///
/// An event `waiting` each time the line moves, at most one a second; then `admitted` (or `lapsed`, or `closed` if the
/// room was taken away), with which the stream ends. The data is as of the place. Where too many listen, ask for the
/// place instead.
#[utoipa::path(get, path = "/api/v1/products/{id}/waiting_room/events", tag = "Waiting rooms",
    params(("id" = ProductId, Path, description = "Id of the product"), TicketQuery,
           ("Waiting-Ticket" = Option<String>, Header, description = "The ticket, instead of in the query")),
    security((), ("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "The events", body = String, content_type = "text/event-stream",
               example = json!("event: waiting\ndata: {\"status\":\"waiting\",\"number\":1234,\"admitted\":1000,\"position\":234,\"estimated_wait_seconds\":5,\"admitted_until\":null}\n\n")),
              (status = 403, description = "The ticket was given to another buyer", body = ProblemBody),
              (status = 404, description = "The product has no waiting room", body = ProblemBody),
              (status = 409, description = "A guest shows their basket, too", body = ProblemBody),
              (status = 410, description = "The ticket has expired; join again", body = ProblemBody),
              (status = 422, description = "No ticket of ours", body = ProblemBody),
              (status = 503, description = "Too many listen at this moment", body = ProblemBody)))]
async fn follow_place(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(product): Path<ProductId>,
    ShownTicket(shown): ShownTicket,
    Query(query): Query<TicketQuery>,
) -> Result<Response, Problem> {
    let ticket = query.ticket.or(shown).ok_or(Error::TicketNeeded)?;
    let listener = api.waiting_room.listen(&actor, product, &ticket).await?;
    let events = stream::unfold(listener, |mut listener: Listener| async move {
        let news = listener.next().await?;
        Some((Ok::<_, Infallible>(event(news)), listener))
    });
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    Ok(([PRIVATE], events).into_response())
}

fn event(news: Result<Standing, Error>) -> Event {
    match news {
        Ok(standing) => {
            let name = match standing.status {
                Status::Waiting => "waiting",
                Status::Admitted => "admitted",
                Status::Lapsed => "lapsed",
            };
            Event::default().event(name).json_data(standing).expect("a standing is plain data")
        }
        Err(error) => {
            let data = serde_json::json!({"code": error.reason(), "message": error.to_string()});
            Event::default().event("closed").json_data(data).expect("it is plain data")
        }
    }
}
