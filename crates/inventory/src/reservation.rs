//! Reservations: units that are spoken for, until they are sold or given back.

use std::collections::{BTreeMap, HashMap};

use catalog::VariantId;
use platform::id::uuids;
use platform::{Database, Quantity, Sources, Tx};

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
    /// The units were given back.
    Released,
}

impl ReservationState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Sold => "sold",
            Self::Released => "released",
        }
    }

    fn of(text: &str) -> Self {
        match text {
            "held" => Self::Held,
            "sold" => Self::Sold,
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
    match state_of(&mut tx, id).await? {
        Some(ReservationState::Held | ReservationState::Sold) => return Ok(()),
        Some(ReservationState::Released) => return Err(Error::Released),
        None => {}
    }
    let shortages: Vec<Shortage> = wanted
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
    if !shortages.is_empty() {
        return Err(Error::OutOfStock(shortages));
    }
    let quantities: Vec<i64> = wanted.values().map(|(_, quantity)| *quantity).collect();
    sqlx::query!(
        "INSERT INTO inventory.reservations (reservation_id, variant_id, quantity, state, created_at, updated_at)
         SELECT $1, variant_id, quantity::int, 'held', $4, $4
         FROM unnest($2::uuid[], $3::bigint[]) AS line (variant_id, quantity)",
        id.uuid(),
        &uuids(&variants),
        &quantities,
        now,
    )
    .execute(&mut *tx)
    .await?;
    let deltas: Vec<Delta> = wanted
        .iter()
        .map(|(variant_id, (_, quantity))| Delta { variant_id: *variant_id, on_hand: 0, reserved: *quantity })
        .collect();
    level::apply(&mut tx, &deltas).await?;
    tx.commit(now).await?;
    Ok(())
}

/// Ends a held reservation as sold or released.
pub(crate) async fn settle(
    database: &Database,
    sources: &Sources,
    id: ReservationId,
    to: ReservationState,
) -> Result<(), Error> {
    let now = sources.now();
    let mut tx = database.begin().await?;
    // The lines of a reservation never change, so they can be read before the levels are locked.
    let lines = sqlx::query!(
        r#"SELECT variant_id AS "variant_id: VariantId", quantity FROM inventory.reservations WHERE reservation_id = $1"#,
        id.uuid(),
    )
    .fetch_all(&mut *tx)
    .await?;
    let variants: Vec<VariantId> = lines.iter().map(|line| line.variant_id).collect();
    level::lock(&mut tx, &variants).await?;
    match (state_of(&mut tx, id).await?, to) {
        (Some(ReservationState::Held), _) => {}
        (None, ReservationState::Sold) => return Err(Error::ReservationNotFound),
        (Some(ReservationState::Released), ReservationState::Sold) => return Err(Error::Released),
        // Given back already, sold already, or never there: nothing is left to do.
        _ => return Ok(()),
    }
    let updated = sqlx::query!(
        "UPDATE inventory.reservations SET state = $2, updated_at = $3 WHERE reservation_id = $1 AND state = 'held'",
        id.uuid(),
        to.as_str(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    debug_assert_eq!(
        updated.rows_affected(),
        lines.len() as u64,
        "all lines of a reservation share its state"
    );
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

async fn state_of(tx: &mut Tx, id: ReservationId) -> Result<Option<ReservationState>, Error> {
    let state = sqlx::query_scalar!(
        "SELECT state FROM inventory.reservations WHERE reservation_id = $1 LIMIT 1",
        id.uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(state.map(|state| ReservationState::of(&state)))
}

pub(crate) async fn states(
    database: &Database,
    ids: &[ReservationId],
) -> Result<HashMap<ReservationId, ReservationState>, Error> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT reservation_id AS "id: ReservationId", state FROM inventory.reservations
           WHERE reservation_id = ANY($1)"#,
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
        r#"SELECT DISTINCT reservation_id AS "id: ReservationId" FROM inventory.reservations
           WHERE state = 'held' AND ($1::uuid IS NULL OR reservation_id > $1) ORDER BY 1 LIMIT $2"#,
        after.map(ReservationId::uuid),
        limit,
    )
    .fetch_all(database.pool())
    .await?)
}
