//! Reservations: units that are spoken for, until they are sold or given back.

use std::collections::{BTreeMap, HashMap};

use catalog::VariantId;
use platform::id::uuids;
use platform::{Database, Quantity, Sources, Tx};
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::level::{self, Delta};
use crate::{Error, ReservationId, Shortage};

/// Marks ids of reservations.
pub enum Reservation {}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The variant.
    pub variant_id: VariantId,
    /// How many units.
    pub quantity: Quantity,
}

/// Where a reservation is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservationState {
    /// The units are spoken for.
    Held,
    /// The units were sold.
    Sold,
    /// The units were given back, or may not be reserved any more.
    Released,
    /// There was too little.
    Refused,
}

impl ReservationState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Sold => "sold",
            Self::Released => "released",
            Self::Refused => "refused",
        }
    }

    fn of(text: &str) -> Self {
        match text {
            "held" => Self::Held,
            "sold" => Self::Sold,
            "refused" => Self::Refused,
            _ => Self::Released,
        }
    }
}

pub(crate) async fn reserve(
    database: &Database,
    sources: &Sources,
    id: ReservationId,
    lines: &[Line],
) -> Result<(), Error> {
    let now = sources.now();
    let mut wanted: BTreeMap<VariantId, (usize, i64)> = BTreeMap::new();
    for (place, line) in lines.iter().enumerate() {
        wanted.entry(line.variant_id).or_insert((place, 0)).1 += i64::from(line.quantity.get());
    }
    let variants: Vec<VariantId> = wanted.keys().copied().collect();
    let mut tx = database.begin().await?;
    let levels = level::lock(&mut tx, &variants).await?;
    // Asked only now: a duplicate that came at the same time has committed before it let go of the rows.
    if let Some(kept) = find(&mut tx, id).await? {
        return kept.answer();
    }
    let mut shortages: Vec<Shortage> = wanted
        .iter()
        .filter_map(|(variant_id, (line, requested))| {
            let available = levels.get(variant_id).map_or(0, |level| level.on_hand - level.reserved);
            (available < *requested).then_some(Shortage {
                line: *line,
                variant_id: *variant_id,
                requested: *requested,
                available,
            })
        })
        .collect();
    shortages.sort_by_key(|shortage| shortage.line);
    let state = if shortages.is_empty() { ReservationState::Held } else { ReservationState::Refused };
    if !insert(&mut tx, id, state, &shortages, now).await? {
        // Only possible when no row was there to lock: a duplicate has refused.
        return find(&mut tx, id).await?.map_or(Err(Error::ReservationNotFound), Kept::answer);
    }
    if state == ReservationState::Held {
        let quantities: Vec<i64> = wanted.values().map(|(_, quantity)| *quantity).collect();
        sqlx::query!(
            "INSERT INTO inventory.reservation_lines (reservation_id, variant_id, quantity)
             SELECT $1, variant_id, quantity::int FROM unnest($2::uuid[], $3::bigint[]) AS line (variant_id, quantity)",
            id.uuid(),
            &uuids(&variants),
            &quantities,
        )
        .execute(&mut *tx)
        .await?;
        let deltas: Vec<Delta> = wanted
            .iter()
            .map(|(variant_id, (_, quantity))| Delta {
                variant_id: *variant_id,
                on_hand: 0,
                reserved: *quantity,
            })
            .collect();
        level::apply(&mut tx, &deltas).await?;
    }
    tx.commit(now).await?;
    if shortages.is_empty() { Ok(()) } else { Err(Error::OutOfStock(shortages)) }
}

/// Ends a held reservation as sold or released. Releasing one that is not there keeps it from being made.
pub(crate) async fn settle(
    database: &Database,
    sources: &Sources,
    id: ReservationId,
    to: ReservationState,
) -> Result<(), Error> {
    let now = sources.now();
    let mut tx = database.begin().await?;
    if to == ReservationState::Released && insert(&mut tx, id, to, &[], now).await? {
        tx.commit(now).await?;
        return Ok(());
    }
    // The lines of a reservation never change, so they can be read before the levels are locked.
    let lines = sqlx::query!(
        r#"SELECT variant_id AS "variant_id: VariantId", quantity FROM inventory.reservation_lines WHERE reservation_id = $1"#,
        id.uuid(),
    )
    .fetch_all(&mut *tx)
    .await?;
    let variants: Vec<VariantId> = lines.iter().map(|line| line.variant_id).collect();
    level::lock(&mut tx, &variants).await?;
    match (find(&mut tx, id).await?.map(|kept| kept.state), to) {
        (Some(ReservationState::Held), _) => {}
        (None, _) => return Err(Error::ReservationNotFound),
        (Some(ReservationState::Released | ReservationState::Refused), ReservationState::Sold) => {
            return Err(Error::Released);
        }
        // Given back, refused or sold already: nothing is left to do.
        _ => return Ok(()),
    }
    sqlx::query!(
        "UPDATE inventory.reservations SET state = $2, updated_at = $3 WHERE id = $1 AND state = 'held'",
        id.uuid(),
        to.as_str(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    let deltas: Vec<Delta> = lines
        .iter()
        .map(|line| {
            let quantity = i64::from(line.quantity);
            let on_hand = if to == ReservationState::Sold { -quantity } else { 0 };
            Delta { variant_id: line.variant_id, on_hand, reserved: -quantity }
        })
        .collect();
    level::apply(&mut tx, &deltas).await?;
    tx.commit(now).await?;
    Ok(())
}

/// What became of a request to reserve.
struct Kept {
    state: ReservationState,
    shortages: Vec<Shortage>,
}

impl Kept {
    /// The answer that the first request got.
    fn answer(self) -> Result<(), Error> {
        match self.state {
            ReservationState::Held | ReservationState::Sold => Ok(()),
            ReservationState::Released => Err(Error::Released),
            ReservationState::Refused => Err(Error::OutOfStock(self.shortages)),
        }
    }
}

async fn find(tx: &mut Tx, id: ReservationId) -> Result<Option<Kept>, Error> {
    let row = sqlx::query!(
        r#"SELECT state, shortages AS "shortages: Json<Vec<Shortage>>" FROM inventory.reservations WHERE id = $1"#,
        id.uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| Kept {
        state: ReservationState::of(&row.state),
        shortages: row.shortages.map(|shortages| shortages.0).unwrap_or_default(),
    }))
}

/// Writes what becomes of a request, unless something is written; a duplicate that is about to write is
/// waited for.
async fn insert(
    tx: &mut Tx,
    id: ReservationId,
    state: ReservationState,
    shortages: &[Shortage],
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let inserted = sqlx::query!(
        "INSERT INTO inventory.reservations (id, state, shortages, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $4) ON CONFLICT DO NOTHING",
        id.uuid(),
        state.as_str(),
        (state == ReservationState::Refused).then(|| platform::database::json(shortages)),
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
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
    .fetch_all(database.pool())
    .await?)
}
