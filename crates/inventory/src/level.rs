//! Stock levels: what is on hand at each location and how much of it is reserved.
//!
//! Every variant that inventory knows has a row of the location `main`. Whoever changes any row of a variant has
//! locked that one first, and everybody locks variants in the order of their ids: so nobody waits in a circle, and what
//! is decided about a variant is decided with all its rows in hand.

use std::collections::{BTreeMap, HashMap};

use catalog::{StoreId, VariantId};
use platform::id::uuids;
use platform::{Database, Tag, Tx};
use sqlx::PgConnection;

use crate::events::AvailabilityChanged;

/// The location that every store has.
pub(crate) const MAIN: &str = "main";

pub(crate) async fn available(
    database: &Database,
    variants: &[VariantId],
) -> Result<HashMap<VariantId, i64>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT variant_id AS "variant_id: VariantId", sum(on_hand - reserved)::bigint AS "available!"
           FROM inventory.stock_levels WHERE variant_id = ANY($1) AND active GROUP BY variant_id"#,
        &uuids(variants),
    )
    .fetch_all(database.pool())
    .await?;
    let mut available: HashMap<_, _> = variants.iter().map(|variant| (*variant, 0)).collect();
    available.extend(rows.into_iter().map(|row| (row.variant_id, row.available)));
    Ok(available)
}

/// A row that this transaction has locked, and what is to become of it.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub(crate) location: String,
    pub(crate) store: Option<StoreId>,
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
    /// Whether its location is active: only then is it for sale.
    pub(crate) active: bool,
    /// Counts the changes of what is on hand.
    pub(crate) revision: i64,
    /// Counts the times the variant came into stock or sold out; those of its rows add up.
    version: i64,
    was_active: bool,
    added: i64,
    spoken_for: i64,
}

impl Level {
    /// A row nobody has changed yet.
    #[cfg(test)]
    pub(crate) fn of_test(location: &str, store: Option<StoreId>, on_hand: i64) -> Self {
        let (location, active, was_active) = (location.to_owned(), true, true);
        let (reserved, revision, version, added, spoken_for) = (0, 0, 0, 0, 0);
        Self { location, store, on_hand, reserved, active, revision, version, was_active, added, spoken_for }
    }

    /// Units that can be had here, as things stand now.
    pub(crate) const fn free(&self) -> i64 {
        if self.active { self.on_hand - self.reserved } else { 0 }
    }

    /// Units that could be had here before.
    const fn free_before(&self) -> i64 {
        if self.was_active { self.on_hand - self.added - (self.reserved - self.spoken_for) } else { 0 }
    }

    /// Whether more is reserved here than there is.
    pub(crate) const fn is_short(&self) -> bool {
        self.on_hand < self.reserved
    }

    const fn is_changed(&self) -> bool {
        self.added != 0 || self.spoken_for != 0 || self.active != self.was_active
    }
}

/// The rows of some variants, locked, with what is to become of them.
#[derive(Debug, Default)]
pub(crate) struct Levels(pub(crate) BTreeMap<VariantId, Vec<Level>>);

impl Levels {
    /// The rows of a variant, that of `main` first; none if inventory does not know it.
    pub(crate) fn of(&self, variant: VariantId) -> &[Level] {
        self.0.get(&variant).map_or(&[], Vec::as_slice)
    }

    /// The row of a variant at a location.
    pub(crate) fn at(&self, variant: VariantId, location: &str) -> Option<&Level> {
        self.of(variant).iter().find(|level| level.location == location)
    }

    /// Units of a variant that can be had, as things stand now.
    pub(crate) fn available(&self, variant: VariantId) -> i64 {
        self.of(variant).iter().map(Level::free).sum()
    }

    /// Changes a row.
    pub(crate) fn change(&mut self, variant: VariantId, location: &str, on_hand: i64, reserved: i64) {
        let rows = self.0.get_mut(&variant).into_iter().flatten();
        let row = rows.into_iter().find(|level| level.location == location);
        debug_assert!(row.is_some(), "only locked rows are changed");
        if let Some(level) = row {
            level.on_hand += on_hand;
            level.added += on_hand;
            level.reserved += reserved;
            level.spoken_for += reserved;
        }
    }

    /// Switches a location on or off.
    pub(crate) fn switch(&mut self, location: &str, active: bool) {
        for level in self.0.values_mut().flatten().filter(|level| level.location == location) {
            level.active = active;
        }
    }

    /// Writes the changes. Tells the caches of each variant of which there is more or less to be had, and everybody of
    /// each that came into stock or sold out.
    pub(crate) async fn write(&self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        let (mut variants, mut locations) = (Vec::new(), Vec::new());
        let (mut on_hand, mut reserved) = (Vec::new(), Vec::new());
        let (mut active, mut flips) = (Vec::new(), Vec::new());
        for (variant, rows) in &self.0 {
            let mut flipped = self.tell(tx, *variant, rows);
            for row in rows.iter().filter(|row| row.is_changed()) {
                variants.push(variant.uuid());
                locations.push(row.location.clone());
                on_hand.push(row.added);
                reserved.push(row.spoken_for);
                active.push(row.active);
                // One row counts it for the variant.
                flips.push(i64::from(std::mem::take(&mut flipped)));
            }
        }
        if variants.is_empty() {
            return Ok(());
        }
        let written = sqlx::query!(
            "UPDATE inventory.stock_levels AS level
             SET on_hand = level.on_hand + change.on_hand, reserved = level.reserved + change.reserved,
                 revision = level.revision + (change.on_hand <> 0)::int, version = level.version + change.flips,
                 active = change.active
             FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bool[])
                 AS change (variant_id, location, on_hand, reserved, flips, active)
             WHERE level.variant_id = ANY($1) AND level.variant_id = change.variant_id
               AND level.location = change.location",
            &variants,
            &locations,
            &on_hand,
            &reserved,
            &flips,
            &active,
        )
        .execute(&mut **tx)
        .await?;
        let expected = u64::try_from(variants.len()).unwrap_or(u64::MAX);
        if written.rows_affected() == expected { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
    }

    /// Says what changed about a variant; gives whether it came into stock or sold out.
    fn tell(&self, tx: &mut Tx, variant_id: VariantId, rows: &[Level]) -> bool {
        let before: i64 = rows.iter().map(Level::free_before).sum();
        let now = self.available(variant_id);
        if before != now {
            tx.touch(Tag::id(variant_id));
        }
        let flipped = (before > 0) != (now > 0);
        if flipped {
            let version = rows.iter().map(|row| row.version).sum::<i64>() + 1;
            tx.publish(&AvailabilityChanged { variant_id, in_stock: now > 0, version });
        }
        flipped
    }
}

/// Makes sure that each variant has a row at the location. Told whose they are, the rows are theirs.
pub(crate) async fn open(
    tx: &mut Tx,
    variants: &[VariantId],
    stores: &HashMap<VariantId, StoreId>,
    location: &str,
) -> Result<(), sqlx::Error> {
    let stores: Vec<_> = variants.iter().map(|variant| stores.get(variant).map(|id| id.uuid())).collect();
    // Nobody switches a location on or off meanwhile.
    sqlx::query!(
        "SELECT pg_advisory_xact_lock_shared(hashtextextended('inventory.locations ' || store_id, 0))
         FROM (SELECT DISTINCT store_id FROM unnest($1::uuid[]) AS of (store_id) ORDER BY 1) stores",
        &stores as &[Option<uuid::Uuid>],
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "INSERT INTO inventory.stock_levels (variant_id, store_id, on_hand, active)
         SELECT DISTINCT wanted.variant_id, wanted.store_id, 0, coalesce(main.active, true)
         FROM unnest($1::uuid[], $2::uuid[]) AS wanted (variant_id, store_id)
         LEFT JOIN inventory.locations main ON main.store_id = wanted.store_id AND main.code = 'main'
         ORDER BY 1 ON CONFLICT DO NOTHING",
        &uuids(variants),
        &stores as &[Option<uuid::Uuid>],
    )
    .execute(&mut **tx)
    .await?;
    if location != MAIN {
        open_beside(tx, variants, location).await?;
    }
    Ok(())
}

/// Adds rows of a location beside those of `main`, which count them.
async fn open_beside(tx: &mut Tx, variants: &[VariantId], location: &str) -> Result<(), sqlx::Error> {
    let levels = lock(tx, variants).await?;
    let missing: Vec<VariantId> =
        levels.0.keys().copied().filter(|variant| levels.at(*variant, location).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO inventory.stock_levels (variant_id, location, store_id, on_hand, active)
         SELECT main.variant_id, $2, main.store_id, 0, place.active FROM inventory.stock_levels main
         JOIN inventory.locations place ON place.store_id = main.store_id AND place.code = $2
         WHERE main.variant_id = ANY($1) AND main.location = 'main' ORDER BY 1",
        &uuids(&missing),
        location,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "UPDATE inventory.stock_levels SET places = places + 1 WHERE variant_id = ANY($1) AND location = 'main'",
        &uuids(&missing),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes down whose these levels and adjustments are, where they are from before anybody did.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    stores: &HashMap<VariantId, StoreId>,
) -> Result<u64, sqlx::Error> {
    let (variants, stores): (Vec<_>, Vec<_>) =
        stores.iter().map(|(variant, store)| (variant.uuid(), store.uuid())).unzip();
    let claimed = sqlx::query!(
        "WITH whose AS (
             SELECT l.variant_id, w.store_id FROM inventory.stock_levels l
             JOIN unnest($1::uuid[], $2::uuid[]) AS w (variant_id, store_id) ON w.variant_id = l.variant_id
             WHERE l.store_id IS NULL ORDER BY l.variant_id, l.location <> 'main' FOR UPDATE OF l),
         history AS (
             UPDATE inventory.stock_adjustments a SET store_id = whose.store_id FROM whose
             WHERE a.variant_id = whose.variant_id AND a.store_id IS NULL)
         UPDATE inventory.stock_levels l
         SET store_id = whose.store_id, active = coalesce((
                 SELECT place.active FROM inventory.locations place
                 WHERE place.store_id = whose.store_id AND place.code = l.location), l.active)
         FROM whose WHERE l.variant_id = whose.variant_id",
        &variants,
        &stores,
    )
    .execute(connection)
    .await?;
    Ok(claimed.rows_affected())
}

/// Locks all rows of these variants.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    variants: &[VariantId],
) -> Result<Levels, sqlx::Error> {
    let mut wanted = uuids(variants);
    let mut again = false;
    loop {
        let rows = sqlx::query!(
            r#"SELECT variant_id AS "variant_id: VariantId", location, store_id AS "store_id: StoreId", on_hand, reserved,
                      active, revision, version, places
               FROM inventory.stock_levels WHERE variant_id = ANY($1)
               ORDER BY variant_id, location <> 'main', location FOR UPDATE"#,
            &wanted,
        )
        .fetch_all(&mut *connection)
        .await?;
        let (mut levels, mut places) = (Levels::default(), 0);
        let found = rows.len();
        for row in rows {
            if row.location == MAIN {
                places += usize::try_from(row.places).unwrap_or(0);
            }
            levels.0.entry(row.variant_id).or_default().push(Level {
                location: row.location,
                store: row.store_id,
                on_hand: row.on_hand,
                reserved: row.reserved,
                active: row.active,
                was_active: row.active,
                revision: row.revision,
                version: row.version,
                added: 0,
                spoken_for: 0,
            });
        }
        if found == places || again {
            return Ok(levels);
        }
        // While this waited, somebody added a row of another location: it is not among them. The rows of `main` are
        // held by now, so that it happens once; and no variant comes in that would be locked out of turn.
        again = true;
        wanted = levels.0.keys().map(|variant| variant.uuid()).collect();
    }
}
