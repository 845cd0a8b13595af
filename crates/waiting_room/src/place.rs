//! Places: joining the line, and how it stands with a place.

use catalog::ProductId;
use identity::Actor;
use platform::Secret;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::buyer::Buyer;
use crate::challenge::{self, Solution};
use crate::join::{Join, Joined};
use crate::line::{Progress, estimate};
use crate::rooms::Entry;
use crate::ticket::Ticket;
use crate::{Error, LineId, Parts};

/// What becomes of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WaitingStatus)]
pub enum Status {
    /// Others are before them.
    Waiting,
    /// They may buy now.
    Admitted,
    /// Their time to buy is over.
    Lapsed,
}

/// How it stands with a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WaitingStanding)]
pub struct Standing {
    /// What becomes of it.
    pub status: Status,
    /// Its number. They are let in in this order.
    #[schema(example = 1_234)]
    pub number: i64,
    /// The last number that was let in.
    #[schema(example = 1_000)]
    pub admitted: i64,
    /// How many are let in until it is their turn, themselves included; 0 once they were.
    #[schema(example = 234)]
    pub position: i64,
    /// In how many seconds that should be, if nothing changes.
    #[schema(example = 5)]
    pub estimated_wait_seconds: i64,
    /// Until when they may buy.
    #[serde(with = "time::serde::rfc3339::option")]
    pub admitted_until: Option<OffsetDateTime>,
}

/// A place in line.
#[derive(Clone, Debug)]
pub struct Place {
    /// Shows whose it is; to be kept.
    pub ticket: Secret,
    /// How it stands with it.
    pub standing: Standing,
}

impl Standing {
    /// How it stands with `number`, which was let in then, if it was.
    pub(crate) fn of(
        number: i64,
        room: &Entry,
        progress: Progress,
        admitted_at: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Self {
        let until = admitted_at.map(|admitted_at| admitted_at + room.window);
        let position = (number - progress.admitted).max(0);
        let status = match until {
            _ if position > 0 => Status::Waiting,
            Some(until) if number > progress.lapsed && now < until => Status::Admitted,
            _ => Status::Lapsed,
        };
        Self {
            status,
            number,
            admitted: progress.admitted,
            position,
            estimated_wait_seconds: if position > 0 {
                estimate(position, room.rate, room.opens_at, now)
            } else {
                0
            },
            admitted_until: until,
        }
    }
}

pub(crate) async fn join(
    parts: &Parts,
    actor: &Actor,
    product: ProductId,
    solution: Option<&Solution>,
) -> Result<Place, Error> {
    let room = parts.rooms.require(product).await?;
    let (buyer, now) = (Buyer::of(actor)?, parts.sources.now());
    let challenge = match solution {
        _ if !challenge::is_needed(actor)? => None,
        Some(solution) => Some(challenge::check(parts, &room, &buyer, solution, now)?),
        // A guest with a place needs none: a tab beside, a retry, a ticket that was lost.
        None => match kept(parts, &room, &buyer, now).await? {
            Some((number, standing)) => return Ok(place(parts, product, &room, &buyer, number, standing)),
            None => return Err(Error::ChallengeNeeded(product)),
        },
    };
    match parts.joins.call(Join { line: room.line, buyer: buyer.clone(), challenge }).await? {
        Joined::Place { number, admitted_at, progress } => {
            let standing = Standing::of(number, &room, progress, admitted_at, now);
            Ok(place(parts, product, &room, &buyer, number, standing))
        }
        Joined::ChallengeSpent => Err(Error::ChallengeSpent),
        Joined::NoRoom => Err(Error::RoomNotFound),
    }
}

fn place(
    parts: &Parts,
    product: ProductId,
    room: &Entry,
    buyer: &Buyer,
    number: i64,
    standing: Standing,
) -> Place {
    let ticket = Ticket { product, line: room.line, number };
    let ticket = ticket.sign(&parts.seal, buyer, parts.sources.now());
    Place { ticket: Secret::presented(&ticket), standing }
}

/// The place that a buyer has already, unless its time is over.
async fn kept(
    parts: &Parts,
    room: &Entry,
    buyer: &Buyer,
    now: OffsetDateTime,
) -> Result<Option<(i64, Standing)>, Error> {
    let number = sqlx::query_scalar!(
        "SELECT number FROM waiting_room.places WHERE line_id = $1 AND buyer = $2",
        room.line.uuid(),
        buyer.as_bytes(),
    )
    .fetch_optional(parts.database.pool())
    .await?;
    let Some(number) = number else { return Ok(None) };
    let standing = of_number(parts, room, number, now).await?;
    Ok((standing.status != Status::Lapsed).then_some((number, standing)))
}

pub(crate) async fn standing(
    parts: &Parts,
    actor: &Actor,
    product: ProductId,
    ticket: &str,
) -> Result<Standing, Error> {
    let room = parts.rooms.require(product).await?;
    let now = parts.sources.now();
    let ticket = Ticket::read(&parts.seal, ticket, product, &Buyer::of(actor)?, now)?;
    if ticket.line != room.line {
        return Err(Error::TicketExpired);
    }
    of_number(parts, &room, ticket.number, now).await
}

/// How it stands with a number: by the board alone while it waits.
pub(crate) async fn of_number(
    parts: &Parts,
    room: &Entry,
    number: i64,
    now: OffsetDateTime,
) -> Result<Standing, Error> {
    let progress = parts.board.look(room.line).await?;
    let admitted_at = match number <= progress.admitted {
        true => admitted_at(parts, room.line, number).await?,
        false => None,
    };
    Ok(Standing::of(number, room, progress, admitted_at, now))
}

/// When a number was let in, while its time is not long over.
async fn admitted_at(parts: &Parts, line: LineId, number: i64) -> Result<Option<OffsetDateTime>, Error> {
    Ok(sqlx::query_scalar!(
        "SELECT at FROM waiting_room.waves WHERE line_id = $1 AND up_to >= $2 ORDER BY up_to LIMIT 1",
        line.uuid(),
        number,
    )
    .fetch_optional(parts.database.pool())
    .await?)
}
