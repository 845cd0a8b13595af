//! The audit log: who did what to what, from where. Written in the transaction that did it, and never changed.

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Database, Id};

/// Where a request came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address of the client, behind trusted proxies.
    pub ip: Option<std::net::IpAddr>,
    /// What the client says it is, shortened.
    pub user_agent: Option<String>,
    /// Names the request in the logs.
    pub request_id: Option<String>,
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doer {
    /// `user`, `api_key`, `guest` or `system`.
    pub kind: &'static str,
    /// Which user or key.
    pub id: Option<Uuid>,
}

/// Something that was done. Holds no secrets, and of personal data only the address it came from.
#[derive(Clone, Debug)]
pub struct Entry {
    doer: Doer,
    origin: Origin,
    action: &'static str,
    target_kind: &'static str,
    target_id: Uuid,
    store_id: Option<Uuid>,
    facts: serde_json::Value,
}

impl Entry {
    /// `doer` did `action`, such as `store.suspended`, to a thing of this kind.
    pub const fn new(
        doer: Doer,
        origin: Origin,
        action: &'static str,
        target_kind: &'static str,
        target_id: Uuid,
    ) -> Self {
        let facts = serde_json::Value::Null;
        Self { doer, origin, action, target_kind, target_id, store_id: None, facts }
    }

    /// In which store.
    #[must_use]
    pub fn in_store<K>(self, store: Id<K>) -> Self {
        Self { store_id: Some(store.uuid()), ..self }
    }

    /// What exactly: ids, old and new values; never a secret or somebody's data.
    #[must_use]
    pub fn with_facts(self, facts: serde_json::Value) -> Self {
        Self { facts, ..self }
    }
}

/// Writes entries. Modules call [`crate::Tx::audit`].
pub(crate) async fn insert(
    connection: &mut PgConnection,
    entries: &[Entry],
    now: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    for entry in entries {
        sqlx::query!(
            "INSERT INTO platform.audit_log (at, actor_kind, actor_id, action, target_kind, target_id, store_id, ip,
                                             user_agent, request_id, facts)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            now,
            entry.doer.kind,
            entry.doer.id,
            entry.action,
            entry.target_kind,
            entry.target_id,
            entry.store_id,
            entry.origin.ip.map(|ip| ip.to_string()),
            entry.origin.user_agent,
            entry.origin.request_id,
            entry.facts,
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// An entry as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Recorded {
    /// Its number, in the order of writing.
    pub id: i64,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who: `user`, `api_key`, `guest` or `system`.
    #[schema(example = "user")]
    pub actor_kind: String,
    /// Which user or key.
    pub actor_id: Option<Uuid>,
    /// What.
    #[schema(example = "store.suspended")]
    pub action: String,
    /// To what kind of thing.
    #[schema(example = "store")]
    pub target_kind: String,
    /// To which.
    pub target_id: Uuid,
    /// In which store.
    pub store_id: Option<Uuid>,
    /// From which address.
    #[schema(example = "203.0.113.7")]
    pub ip: Option<String>,
    /// By what client.
    pub user_agent: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// What exactly.
    #[schema(value_type = Object)]
    pub facts: serde_json::Value,
}

/// Which entries.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Done by this user or key.
    pub actor_id: Option<Uuid>,
    /// Done to this.
    pub target_id: Option<Uuid>,
    /// In this store.
    pub store_id: Option<Uuid>,
    /// This action, or all that begin so: `store.` finds `store.suspended`.
    pub action: Option<String>,
}

/// At most `limit` entries that fit, the newest first, older than `before`. Whoever calls has authorized the
/// reader.
///
/// # Errors
/// When the database fails.
pub async fn entries(
    database: &Database,
    filter: &Filter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Recorded>, sqlx::Error> {
    sqlx::query_as!(
        Recorded,
        "SELECT id, at, actor_kind, actor_id, action, target_kind, target_id, store_id, ip, user_agent, request_id,
                facts
         FROM platform.audit_log
         WHERE ($1::uuid IS NULL OR actor_id = $1) AND ($2::uuid IS NULL OR target_id = $2)
           AND ($3::uuid IS NULL OR store_id = $3) AND ($4::text IS NULL OR starts_with(action, $4))
           AND ($5::bigint IS NULL OR id < $5)
         ORDER BY id DESC LIMIT $6",
        filter.actor_id,
        filter.target_id,
        filter.store_id,
        filter.action,
        before,
        limit,
    )
    .fetch_all(database.lists())
    .await
}
