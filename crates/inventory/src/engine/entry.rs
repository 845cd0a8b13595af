//! Reservations as the engine has them in hand: read, decided, written.

use catalog::{ProductId, VariantId};
use platform::Tx;
use platform::id::uuids;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::route::Part;
use super::{Answer, Refusal};
use crate::level::MAIN;
use crate::{BuyerKey, Excess, ReservationId, ReservationState, Shortage};

/// A reservation: its row as it is or will be.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: ReservationId,
    pub(crate) state: ReservationState,
    pub(crate) parts: Vec<Part>,
    /// Units that count against limits, and for whom.
    pub(crate) limited: Vec<(ProductId, i64)>,
    pub(crate) buyers: Vec<BuyerKey>,
    pub(crate) shortages: Vec<Shortage>,
    pub(crate) excesses: Vec<Excess>,
    pub(crate) expires_at: Option<OffsetDateTime>,
    /// What stood in the row when it was read; nothing if it is new.
    pub(crate) stored: Option<Stored>,
}

/// What can change in a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) state: ReservationState,
    pub(crate) expires_at: Option<OffsetDateTime>,
}

impl Entry {
    /// One that is to be made.
    pub(crate) const fn new(id: ReservationId, state: ReservationState) -> Self {
        Self {
            id,
            state,
            parts: Vec::new(),
            limited: Vec::new(),
            buyers: Vec::new(),
            shortages: Vec::new(),
            excesses: Vec::new(),
            expires_at: None,
            stored: None,
        }
    }

    /// The answer to the request that made it.
    pub(crate) fn answer(&self) -> Answer {
        match self.state {
            ReservationState::Held | ReservationState::Sold => Ok(()),
            ReservationState::Released => Err(Refusal::Released),
            ReservationState::Refused if self.shortages.is_empty() => {
                Err(Refusal::PurchaseLimit(self.excesses.clone()))
            }
            ReservationState::Refused => Err(Refusal::OutOfStock(self.shortages.clone())),
        }
    }

    fn is_changed(&self) -> bool {
        let now = Stored { state: self.state, expires_at: self.expires_at };
        self.stored.as_ref().is_some_and(|stored| *stored != now)
    }
}

/// Reads those of these reservations that are there. They are not locked: see [`settle`].
pub(crate) async fn read(tx: &mut Tx, ids: &[ReservationId]) -> Result<Vec<Entry>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: ReservationId", state, variant_ids AS "variants: Vec<VariantId>", quantities, locations,
                  limited AS "limited: Vec<ProductId>", limited_quantities, buyers,
                  shortages AS "shortages: Json<Vec<Shortage>>", excesses AS "excesses: Json<Vec<Excess>>", expires_at
           FROM inventory.reservations WHERE id = ANY($1)"#,
        &uuids(ids),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let state = ReservationState::of(&row.state);
            let mut locations = row.locations.unwrap_or_default().into_iter();
            let mut location = || locations.next().unwrap_or_else(|| MAIN.to_owned());
            let parts = row.variants.into_iter().zip(row.quantities);
            let limited = row.limited.into_iter().flatten();
            Entry {
                id: row.id,
                state,
                parts: parts
                    .map(|(variant_id, quantity)| Part { variant_id, location: location(), quantity })
                    .collect(),
                limited: limited.zip(row.limited_quantities.into_iter().flatten()).collect(),
                buyers: row.buyers.into_iter().flatten().map(BuyerKey::of).collect(),
                shortages: row.shortages.map(|shortages| shortages.0).unwrap_or_default(),
                excesses: row.excesses.map(|excesses| excesses.0).unwrap_or_default(),
                expires_at: row.expires_at,
                stored: Some(Stored { state, expires_at: row.expires_at }),
            }
        })
        .collect())
}

/// Lists of different lengths, one after the other: SQL has no arrays of such lists.
struct Lists<T> {
    all: Vec<T>,
    /// The place of the first and of the last element of each, from 1.
    first: Vec<i32>,
    last: Vec<i32>,
}

impl<T> Lists<T> {
    const fn new() -> Self {
        Self { all: Vec::new(), first: Vec::new(), last: Vec::new() }
    }

    fn push(&mut self, list: impl Iterator<Item = T>) {
        let place = |length: usize| i32::try_from(length).unwrap_or(i32::MAX);
        self.first.push(place(self.all.len()).saturating_add(1));
        self.all.extend(list);
        self.last.push(place(self.all.len()));
    }
}

/// Writes the new ones. Says whether all of them were new: otherwise another node has made one meanwhile.
pub(crate) async fn insert<'a>(
    tx: &mut Tx,
    entries: impl Iterator<Item = &'a Entry>,
    now: OffsetDateTime,
) -> Result<bool, sqlx::Error> {
    let (mut ids, mut states, mut expiries) = (Vec::new(), Vec::new(), Vec::new());
    let (mut shortages, mut excesses) = (Vec::new(), Vec::new());
    let (mut parts, mut limits, mut buyers) = (Lists::new(), Lists::new(), Lists::new());
    for entry in entries.filter(|entry| entry.stored.is_none()) {
        ids.push(entry.id.uuid());
        states.push(entry.state.as_str());
        expiries.push(entry.expires_at);
        shortages.push((!entry.shortages.is_empty()).then(|| platform::database::json(&entry.shortages)));
        excesses.push((!entry.excesses.is_empty()).then(|| platform::database::json(&entry.excesses)));
        parts.push(entry.parts.iter());
        limits.push(entry.limited.iter());
        buyers.push(entry.buyers.iter().map(|buyer| buyer.uuid()));
    }
    if ids.is_empty() {
        return Ok(true);
    }
    let variants: Vec<Uuid> = parts.all.iter().map(|part| part.variant_id.uuid()).collect();
    let quantities: Vec<i64> = parts.all.iter().map(|part| part.quantity).collect();
    let elsewhere = parts.all.iter().any(|part| part.location != MAIN);
    let locations: Option<Vec<String>> =
        elsewhere.then(|| parts.all.iter().map(|part| part.location.clone()).collect());
    let (products, limited): (Vec<Uuid>, Vec<i64>) =
        limits.all.iter().map(|(product, units)| (product.uuid(), *units)).unzip();
    let inserted = sqlx::query!(
        "INSERT INTO inventory.reservations (id, state, variant_ids, quantities, locations, limited, limited_quantities,
                                             buyers, shortages, excesses, expires_at, created_at, updated_at)
         SELECT id, state, ($1::uuid[])[part:part_end], ($2::bigint[])[part:part_end], ($3::text[])[part:part_end],
                CASE WHEN limit_end >= limit_at THEN ($4::uuid[])[limit_at:limit_end] END,
                CASE WHEN limit_end >= limit_at THEN ($5::bigint[])[limit_at:limit_end] END,
                CASE WHEN buyer_end >= buyer THEN ($6::uuid[])[buyer:buyer_end] END,
                shortages, excesses, expires_at, $7, $7
         FROM unnest($8::uuid[], $9::text[], $10::int[], $11::int[], $12::int[], $13::int[], $14::int[], $15::int[],
                     $16::jsonb[], $17::jsonb[], $18::timestamptz[])
             AS new (id, state, part, part_end, limit_at, limit_end, buyer, buyer_end, shortages, excesses, expires_at)
         ORDER BY id ON CONFLICT DO NOTHING",
        &variants,
        &quantities,
        locations.as_deref(),
        &products,
        &limited,
        &buyers.all,
        now,
        &ids,
        &states as &[&str],
        &parts.first,
        &parts.last,
        &limits.first,
        &limits.last,
        &buyers.first,
        &buyers.last,
        &shortages as &[Option<serde_json::Value>],
        &excesses as &[Option<serde_json::Value>],
        &expiries as &[Option<OffsetDateTime>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected() == ids.len() as u64)
}

/// Writes what became of those that were there. Says whether all of them still were as they were read: otherwise another
/// node has settled one meanwhile.
pub(crate) async fn settle<'a>(
    tx: &mut Tx,
    entries: impl Iterator<Item = &'a Entry>,
    now: OffsetDateTime,
) -> Result<bool, sqlx::Error> {
    let (mut ids, mut states) = (Vec::new(), Vec::new());
    let (mut expiries, mut were) = (Vec::new(), Vec::new());
    for entry in entries.filter(|entry| entry.is_changed()) {
        ids.push(entry.id.uuid());
        states.push(entry.state.as_str());
        expiries.push(entry.expires_at);
        were.push(entry.stored.as_ref().and_then(|stored| stored.expires_at));
    }
    if ids.is_empty() {
        return Ok(true);
    }
    let settled = sqlx::query!(
        "UPDATE inventory.reservations AS reservation
         SET state = now.state, expires_at = now.expires_at, updated_at = $5
         FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[]) AS now (id, state, expires_at, was)
         WHERE reservation.id = ANY($1) AND reservation.id = now.id AND reservation.state = 'held'
           AND reservation.expires_at IS NOT DISTINCT FROM now.was",
        &ids,
        &states as &[&str],
        &expiries as &[Option<OffsetDateTime>],
        &were as &[Option<OffsetDateTime>],
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(settled.rows_affected() == ids.len() as u64)
}
