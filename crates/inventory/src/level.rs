//! Stock levels: what is on hand and how much of it is reserved.

use std::collections::HashMap;

use catalog::{StoreId, VariantId};
use platform::id::uuids;
use platform::{Database, Tag, Tx};
use sqlx::PgConnection;

use crate::Error;
use crate::events::AvailabilityChanged;

pub(crate) async fn available(
    database: &Database,
    variants: &[VariantId],
) -> Result<HashMap<VariantId, i64>, Error> {
    let rows = sqlx::query!(
        r#"SELECT variant_id AS "variant_id: VariantId", on_hand - reserved AS "available!"
           FROM inventory.stock_levels WHERE variant_id = ANY($1)"#,
        &uuids(variants),
    )
    .fetch_all(database.pool())
    .await?;
    let mut available: HashMap<_, _> = variants.iter().map(|variant| (*variant, 0)).collect();
    available.extend(rows.into_iter().map(|row| (row.variant_id, row.available)));
    Ok(available)
}

/// A level whose row this transaction has locked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Locked {
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
    /// Counts the changes of what is on hand.
    pub(crate) revision: i64,
}

/// Makes sure that each variant has a level. Told whose they are, the levels are theirs.
pub(crate) async fn open(
    tx: &mut Tx,
    variants: &[VariantId],
    stores: &HashMap<VariantId, StoreId>,
) -> Result<(), Error> {
    let stores: Vec<_> = variants.iter().map(|variant| stores.get(variant).map(|id| id.uuid())).collect();
    sqlx::query!(
        "INSERT INTO inventory.stock_levels (variant_id, store_id, on_hand)
         SELECT DISTINCT variant_id, store_id, 0 FROM unnest($1::uuid[], $2::uuid[]) AS wanted (variant_id, store_id)
         ORDER BY 1 ON CONFLICT DO NOTHING",
        &uuids(variants),
        &stores as &[Option<uuid::Uuid>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes down whose these levels and adjustments are, where they are from before anybody did.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    stores: &HashMap<VariantId, StoreId>,
) -> Result<u64, Error> {
    let (variants, stores): (Vec<_>, Vec<_>) =
        stores.iter().map(|(variant, store)| (variant.uuid(), store.uuid())).unzip();
    let claimed = sqlx::query!(
        "WITH whose AS (
             SELECT l.variant_id, w.store_id FROM inventory.stock_levels l
             JOIN unnest($1::uuid[], $2::uuid[]) AS w (variant_id, store_id) ON w.variant_id = l.variant_id
             WHERE l.store_id IS NULL ORDER BY l.variant_id FOR UPDATE OF l),
         history AS (
             UPDATE inventory.stock_adjustments a SET store_id = whose.store_id FROM whose
             WHERE a.variant_id = whose.variant_id AND a.store_id IS NULL)
         UPDATE inventory.stock_levels l SET store_id = whose.store_id FROM whose
         WHERE l.variant_id = whose.variant_id",
        &variants,
        &stores,
    )
    .execute(connection)
    .await?;
    Ok(claimed.rows_affected())
}

struct Row {
    variant_id: VariantId,
    on_hand: i64,
    reserved: i64,
    revision: i64,
}

/// Locks the levels of these variants, everybody in the same order, so that nobody waits in a circle.
pub(crate) async fn lock(tx: &mut Tx, variants: &[VariantId]) -> Result<HashMap<VariantId, Locked>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT variant_id AS "variant_id: VariantId", on_hand, reserved, revision
           FROM inventory.stock_levels WHERE variant_id = ANY($1) ORDER BY variant_id FOR UPDATE"#,
        &uuids(variants),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let Row { on_hand, reserved, revision, .. } = row;
            (row.variant_id, Locked { on_hand, reserved, revision })
        })
        .collect())
}

/// A change to a level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delta {
    pub(crate) variant_id: VariantId,
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
}

/// Applies the changes to locked levels, one per variant. Tells the caches of each, and everybody of
/// each variant that came into stock or sold out.
pub(crate) async fn apply(tx: &mut Tx, deltas: &[Delta]) -> Result<(), Error> {
    let variants: Vec<_> = deltas.iter().map(|delta| delta.variant_id.uuid()).collect();
    let on_hand: Vec<_> = deltas.iter().map(|delta| delta.on_hand).collect();
    let reserved: Vec<_> = deltas.iter().map(|delta| delta.reserved).collect();
    let rows = sqlx::query!(
        r#"UPDATE inventory.stock_levels AS level
           SET on_hand = level.on_hand + delta.on_hand,
               revision = level.revision + (delta.on_hand <> 0)::int,
               reserved = level.reserved + delta.reserved,
               version = level.version + (
                   (level.on_hand > level.reserved)
                       <> (level.on_hand + delta.on_hand > level.reserved + delta.reserved))::int
           FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS delta (variant_id, on_hand, reserved)
           WHERE level.variant_id = delta.variant_id
           RETURNING level.variant_id AS "variant_id: VariantId", level.version,
                     level.on_hand - level.reserved AS "available!",
                     delta.on_hand - delta.reserved AS "change!""#,
        &variants,
        &on_hand,
        &reserved,
    )
    .fetch_all(&mut **tx)
    .await?;
    debug_assert_eq!(rows.len(), deltas.len(), "every delta is of a locked level");
    for row in rows {
        if row.change != 0 {
            tx.touch(Tag::id(row.variant_id));
        }
        let (before, now) = (row.available - row.change > 0, row.available > 0);
        if before != now {
            tx.publish(&AvailabilityChanged {
                variant_id: row.variant_id,
                in_stock: now,
                version: row.version,
            });
        }
    }
    Ok(())
}
