//! Following an order: what happened to it since, read from its journal.
//!
//! Whoever follows orders is woken by [`Tag::id`](platform::Tag::id) of the order, which each transaction that writes
//! events announces, and reads then. A flash sale wakes thousands at once: their reads meet in a queue, so that many
//! share one query.

use async_trait::async_trait;
use identity::{Actor, UserId};
use platform::batch::{Batch, Settings, Work};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::types::Json;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::order::OrderFailure;
use crate::{Error, Failure, OrderEventKind, OrderId, OrderState, Parts};

/// The bounds of the queue of reads. Two at a time, so that one slow read does not hold up everybody.
const READS: Settings = Settings { lanes: 2, ..Settings::named("orders.progress") };

/// Something that happened to an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OrderEvent {
    /// Counts what happened to the order, from 1.
    #[schema(example = 3)]
    pub version: i32,
    /// What happened.
    pub kind: OrderEventKind,
    /// Where the order was after it.
    pub status: OrderState,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub occurred_at: OffsetDateTime,
    /// Why the order ended without payment, or why the attempt to pay failed.
    pub failure: Option<OrderFailure>,
    /// Until when the order holds its stock without being paid.
    #[serde(with = "time::serde::rfc3339::option")]
    pub hold_expires_at: Option<OffsetDateTime>,
}

impl OrderEvent {
    /// Whether nobody needs to wait for more: the order was given up, is done with, or its money went back.
    pub const fn is_last(&self) -> bool {
        use OrderEventKind::{Cancelled, Completed, Expired, Refunded, Rejected};
        matches!(self.kind, Rejected | Expired | Cancelled | Completed | Refunded)
    }
}

/// What an event says besides, as far as buyers are told.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Facts {
    failure: Option<Failure>,
    #[serde(with = "time::serde::rfc3339::option")]
    hold_expires_at: Option<OffsetDateTime>,
}

/// The queue in which reads of journals meet.
pub(crate) type Reads = Batch<Journals>;

/// Opens the queue.
pub(crate) fn reads(pool: PgPool) -> Reads {
    Batch::open(Journals(pool), READS)
}

/// The events of an order after a version, oldest first.
pub(crate) async fn events(
    parts: &Parts,
    actor: &Actor,
    order: OrderId,
    after: i32,
) -> Result<Vec<OrderEvent>, Error> {
    let wanted = Wanted {
        order,
        after,
        token_hash: actor.cart_token_hash(),
        user: actor.user_id().map(UserId::uuid),
        is_system: actor.is_system(),
    };
    parts.reads.call(wanted).await?.ok_or(Error::OrderNotFound)
}

/// The version of an order: that of its last event.
pub(crate) async fn version(parts: &Parts, actor: &Actor, order: OrderId) -> Result<i32, Error> {
    let found = sqlx::query_scalar!(
        "SELECT version FROM orders.orders WHERE id = $1 AND (token_hash = $2 OR user_id = $3 OR $4)",
        order.uuid(),
        actor.cart_token_hash(),
        actor.user_id().map(UserId::uuid),
        actor.is_system(),
    )
    .fetch_optional(parts.database.pool())
    .await?;
    found.ok_or(Error::OrderNotFound)
}

/// A read that waits: of which order, from where on, and by what right.
pub(crate) struct Wanted {
    order: OrderId,
    after: i32,
    token_hash: Option<Vec<u8>>,
    user: Option<Uuid>,
    is_system: bool,
}

/// Reads the journals of many orders at once.
pub(crate) struct Journals(PgPool);

#[async_trait]
impl Work for Journals {
    type Item = Wanted;
    /// `None` where there is no such order, or it is not theirs who ask.
    type Answer = Option<Vec<OrderEvent>>;

    async fn serve(&self, wanted: &[Wanted]) -> Result<Vec<Self::Answer>, sqlx::Error> {
        let rows = sqlx::query!(
            r#"SELECT wanted.place AS "place!", e.version AS "version?", e.kind AS "kind?", e.state AS "state?",
                      e.occurred_at AS "occurred_at?", e.data::jsonb - 'lines' AS "data?: Json<Facts>"
               FROM unnest($1::uuid[], $2::int[], $3::bytea[], $4::uuid[], $5::bool[])
                   WITH ORDINALITY AS wanted (order_id, after, token_hash, user_id, is_system, place)
               JOIN orders.orders o ON o.id = wanted.order_id
                   AND (o.token_hash = wanted.token_hash OR o.user_id = wanted.user_id OR wanted.is_system)
               LEFT JOIN orders.order_events e ON e.order_id = o.id AND e.version > wanted.after
               ORDER BY wanted.place, e.version"#,
            &wanted.iter().map(|one| one.order.uuid()).collect::<Vec<_>>(),
            &wanted.iter().map(|one| one.after).collect::<Vec<_>>(),
            &wanted.iter().map(|one| one.token_hash.clone()).collect::<Vec<_>>() as &[Option<Vec<u8>>],
            &wanted.iter().map(|one| one.user).collect::<Vec<_>>() as &[Option<Uuid>],
            &wanted.iter().map(|one| one.is_system).collect::<Vec<_>>(),
        )
        .fetch_all(&self.0)
        .await?;
        let mut answers: Vec<Self::Answer> = wanted.iter().map(|_| None).collect();
        for row in rows {
            let place = usize::try_from(row.place - 1).ok();
            let Some(answer) = place.and_then(|place| answers.get_mut(place)) else { continue };
            let events = answer.get_or_insert_default();
            let (Some(version), Some(kind), Some(state), Some(occurred_at)) =
                (row.version, row.kind, row.state, row.occurred_at)
            else {
                continue;
            };
            let facts = row.data.map(|data| data.0).unwrap_or_default();
            events.push(OrderEvent {
                version,
                kind: OrderEventKind::stored(&kind)?,
                status: OrderState::stored(&state)?,
                occurred_at,
                failure: facts.failure.map(OrderFailure::from),
                hold_expires_at: facts.hold_expires_at,
            });
        }
        Ok(answers)
    }
}
