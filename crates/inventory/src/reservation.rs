//! Reservations: units that are spoken for, until they are sold or given back.

use std::collections::HashMap;

use platform::Database;
use platform::id::uuids;

use crate::{Error, ReservationId};

/// Marks ids of reservations.
pub enum Reservation {}

/// Where a reservation is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservationState {
    /// The units are spoken for.
    Held,
    /// The units were sold.
    Sold,
    /// The units were given back, or may not be reserved any more.
    Released,
    /// There was too little, or the buyer has had enough.
    Refused,
}

impl ReservationState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Sold => "sold",
            Self::Released => "released",
            Self::Refused => "refused",
        }
    }

    pub(crate) fn of(text: &str) -> Self {
        match text {
            "held" => Self::Held,
            "sold" => Self::Sold,
            "refused" => Self::Refused,
            _ => Self::Released,
        }
    }
}

pub(crate) async fn states(
    database: &Database,
    ids: &[ReservationId],
) -> Result<HashMap<ReservationId, ReservationState>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: ReservationId", state FROM inventory.reservations WHERE id = ANY($1)"#,
        &uuids(ids),
    )
    .fetch_all(database.pool())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, ReservationState::of(&row.state))).collect())
}

/// No index depends on the state, so this reads past all that are not held: it is for verification.
pub(crate) async fn held(
    database: &Database,
    after: Option<ReservationId>,
    limit: i64,
) -> Result<Vec<ReservationId>, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: ReservationId" FROM inventory.reservations
           WHERE state = 'held' AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2"#,
        after.map(ReservationId::uuid),
        limit,
    )
    .fetch_all(database.lists())
    .await?)
}
