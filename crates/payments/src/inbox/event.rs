//! Events as operators see them.

use std::str::FromStr;

use platform::{Cursor, CursorRequest, Database, Id, Slice};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Error;

/// The id of a [`WebhookEvent`], ours.
pub type WebhookEventId = Id<WebhookEvent>;

/// How an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookState {
    /// It is stored, and about to be worked on, or worked on again after an error.
    Received,
    /// It overtook what it is about, and is tried again.
    Waiting,
    /// It took effect.
    Processed,
    /// There was nothing to do.
    Ignored,
    /// It was given up, and somebody has to look at it.
    Failed,
}

impl WebhookState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Received, Self::Waiting, Self::Processed, Self::Ignored, Self::Failed];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Waiting => "waiting",
            Self::Processed => "processed",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for WebhookState {
    type Err = UnknownState;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// The text names no state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no state {0:?}; there are received, waiting, processed, ignored and failed")]
pub struct UnknownState(String);

/// Something that a provider told unasked. Its body is not shown: it may hold personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WebhookEvent {
    /// Its id, ours.
    pub id: WebhookEventId,
    /// Who told it.
    #[schema(example = "stripe")]
    pub provider: String,
    /// The provider's name for it.
    #[schema(example = "evt_1NG8Du2eZvKYlo2CUI79vXWy")]
    pub event_id: String,
    /// What happened, in the provider's words.
    #[schema(example = "payment_intent.succeeded")]
    pub kind: String,
    /// To what: a payment's id, or the provider's name of what it is about. Events of the same subject are worked on one
    /// after the other.
    #[schema(example = "01a1fa97-51ad-7a33-82e0-aac648a145b8")]
    pub subject: String,
    /// When it happened, by the provider's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub occurred_at: OffsetDateTime,
    /// When it came first.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    /// How often it came.
    #[schema(example = 1)]
    pub deliveries: i32,
    /// How it stands.
    pub state: WebhookState,
    /// How often it was tried since its state is what it is.
    #[schema(example = 1)]
    pub attempts: i32,
    /// When it is tried next.
    #[serde(with = "time::serde::rfc3339::option")]
    pub due_at: Option<OffsetDateTime>,
    /// When it took effect, or was found to have none.
    #[serde(with = "time::serde::rfc3339::option")]
    pub processed_at: Option<OffsetDateTime>,
    /// Why it has not, or did not at the last try.
    pub last_error: Option<String>,
}

/// Which events.
#[derive(Clone, Debug, Default)]
pub struct WebhookFilter {
    /// Those that stand so.
    pub state: Option<WebhookState>,
    /// Of this provider.
    pub provider: Option<String>,
    /// Of this subject.
    pub subject: Option<String>,
}

pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) provider: String,
    pub(super) event_id: String,
    pub(super) kind: String,
    pub(super) subject: String,
    pub(super) occurred_at: OffsetDateTime,
    pub(super) received_at: OffsetDateTime,
    pub(super) deliveries: i32,
    pub(super) state: String,
    pub(super) attempts: i32,
    pub(super) due_at: Option<OffsetDateTime>,
    pub(super) processed_at: Option<OffsetDateTime>,
    pub(super) last_error: Option<String>,
}

impl TryFrom<Row> for WebhookEvent {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id.into(),
            provider: row.provider,
            event_id: row.event_id,
            kind: row.kind,
            subject: row.subject,
            occurred_at: row.occurred_at,
            received_at: row.received_at,
            deliveries: row.deliveries,
            state: row.state.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            attempts: row.attempts,
            due_at: row.due_at,
            processed_at: row.processed_at,
            last_error: row.last_error,
        })
    }
}

/// A place in the list: when the event was received, in microseconds, and its id.
type Place = (i64, Uuid);

pub(super) async fn list(
    database: &Database,
    filter: &WebhookFilter,
    slice: &CursorRequest,
) -> Result<Slice<WebhookEvent>, Error> {
    let after = slice.after.as_ref().map(Cursor::decode::<Place>).transpose()?;
    let named = [filter.provider.as_deref(), filter.subject.as_deref()];
    if named.into_iter().flatten().any(|name| name.contains('\0')) {
        return Ok(Slice::of(Vec::new(), slice.first, place));
    }
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, provider, event_id, kind, subject, occurred_at, received_at, deliveries, state, attempts, due_at,
             processed_at, last_error
         FROM payments.webhook_events
         WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR provider = $2)
             AND ($3::text IS NULL OR subject = $3)
             AND ($4::timestamptz IS NULL OR (received_at, id) < ($4, $5))
         ORDER BY received_at DESC, id DESC LIMIT $6",
        filter.state.map(WebhookState::as_str),
        filter.provider,
        filter.subject,
        after.map(|(micros, _)| time_of(micros)).transpose()?,
        after.map(|(_, id)| id),
        i64::from(slice.first) + 1,
    )
    .fetch_all(database.lists())
    .await?;
    let events = rows.into_iter().map(WebhookEvent::try_from).collect::<Result<_, _>>()?;
    Ok(Slice::of(events, slice.first, place))
}

fn place(event: &WebhookEvent) -> Cursor {
    let micros = event.received_at.unix_timestamp_nanos() / 1_000;
    Cursor::encode(&(i64::try_from(micros).unwrap_or_default(), event.id.uuid()))
}

fn time_of(micros: i64) -> Result<OffsetDateTime, Error> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
        .map_err(|_| platform::page::BadCursor.into())
}
