//! The switch: a store's team gives a product a waiting room, changes it, and takes it away.

use catalog::{ProductId, StoreId};
use identity::{Actor, Permission};
use platform::Tag;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::rooms::ROOMS;
use crate::{Error, LineMark, Parts};

/// How a waiting room is to be.
#[derive(Clone, Debug)]
pub struct PutRoom {
    /// Whether buyers meet it. Switched off it keeps its line, for when it is switched on again.
    pub enabled: bool,
    /// How many are let in each second, from 1 to 10,000.
    pub admissions_per_second: i32,
    /// For how many seconds somebody who was let in may buy, from 30 to a day.
    pub window_seconds: i32,
    /// How much work a guest has to do for a place, in bits: from 8 to 26.
    pub challenge_difficulty: i32,
    /// Before this time nobody is let in.
    pub opens_at: Option<OffsetDateTime>,
}

/// A product's waiting room, as its store's team sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WaitingRoom)]
pub struct Room {
    /// The product.
    pub product_id: ProductId,
    /// Whether buyers meet it.
    pub enabled: bool,
    /// How many are let in each second.
    #[schema(example = 50)]
    pub admissions_per_second: i32,
    /// For how many seconds somebody who was let in may buy.
    #[schema(example = 600)]
    pub window_seconds: i32,
    /// How much work a guest has to do for a place: bits.
    #[schema(example = 18)]
    pub challenge_difficulty: i32,
    /// Before this time nobody is let in.
    #[serde(with = "time::serde::rfc3339::option")]
    pub opens_at: Option<OffsetDateTime>,
    /// Places given so far.
    #[schema(example = 12_000)]
    pub joined: i64,
    /// Buyers let in so far.
    #[schema(example = 2_500)]
    pub admitted: i64,
    /// Buyers who wait now, those included who have gone away.
    #[schema(example = 9_500)]
    pub waiting: i64,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// Demands a right in the store, and that the product is the store's.
async fn authorize(
    parts: &Parts,
    actor: &Actor,
    permission: Permission,
    store: StoreId,
    product: ProductId,
) -> Result<(), Error> {
    parts.catalog.require(actor, permission, store).await?;
    parts.catalog.own_product(&Actor::system(), store, product).await?;
    Ok(())
}

pub(crate) async fn put(
    parts: &Parts,
    actor: &Actor,
    store: StoreId,
    product: ProductId,
    put: &PutRoom,
) -> Result<Room, Error> {
    authorize(parts, actor, Permission::ProductsWrite, store, product).await?;
    put.check()?;
    let now = parts.sources.now();
    let mut tx = parts.database.begin_within(store).await?;
    sqlx::query!(
        "INSERT INTO waiting_room.rooms (product_id, store_id, line_id, enabled, admissions_per_second, window_seconds,
             challenge_difficulty, opens_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
         ON CONFLICT (product_id) DO UPDATE SET enabled = excluded.enabled, window_seconds = excluded.window_seconds,
             admissions_per_second = excluded.admissions_per_second, opens_at = excluded.opens_at,
             challenge_difficulty = excluded.challenge_difficulty, updated_at = excluded.updated_at",
        product.uuid(),
        store.uuid(),
        parts.sources.id::<LineMark>().uuid(),
        put.enabled,
        put.admissions_per_second,
        put.window_seconds,
        put.challenge_difficulty,
        put.opens_at,
        now,
    )
    .execute(&mut *tx)
    .await?;
    let facts = json!({
        "enabled": put.enabled, "admissions_per_second": put.admissions_per_second,
        "window_seconds": put.window_seconds, "challenge_difficulty": put.challenge_difficulty,
    });
    tx.audit(actor.did("waiting_room.put", "product", product).in_store(store).with_facts(facts));
    tx.touch(ROOMS);
    tx.touch(Tag::id(product));
    tx.commit(now).await?;
    find(parts, store, product).await
}

pub(crate) async fn show(
    parts: &Parts,
    actor: &Actor,
    store: StoreId,
    product: ProductId,
) -> Result<Room, Error> {
    authorize(parts, actor, Permission::ProductsRead, store, product).await?;
    find(parts, store, product).await
}

pub(crate) async fn remove(
    parts: &Parts,
    actor: &Actor,
    store: StoreId,
    product: ProductId,
) -> Result<(), Error> {
    authorize(parts, actor, Permission::ProductsWrite, store, product).await?;
    let mut tx = parts.database.begin_within(store).await?;
    let removed = sqlx::query!(
        "DELETE FROM waiting_room.rooms WHERE product_id = $1 AND store_id = $2",
        product.uuid(),
        store.uuid(),
    )
    .execute(&mut *tx)
    .await?;
    if removed.rows_affected() > 0 {
        tx.audit(actor.did("waiting_room.removed", "product", product).in_store(store));
        tx.touch(ROOMS);
        tx.touch(Tag::id(product));
    }
    tx.commit(parts.sources.now()).await?;
    Ok(())
}

async fn find(parts: &Parts, store: StoreId, product: ProductId) -> Result<Room, Error> {
    sqlx::query_as!(
        Room,
        r#"SELECT r.product_id AS "product_id: ProductId", r.enabled, r.admissions_per_second, r.window_seconds,
                  r.challenge_difficulty, r.opens_at, coalesce(l.issued, 0) AS "joined!",
                  coalesce(l.admitted, 0) AS "admitted!", coalesce(l.issued - l.admitted, 0) AS "waiting!", r.updated_at
           FROM waiting_room.rooms r LEFT JOIN waiting_room.lines l ON l.id = r.line_id
           WHERE r.product_id = $1 AND r.store_id = $2"#,
        product.uuid(),
        store.uuid(),
    )
    .fetch_optional(parts.database.pool())
    .await?
    .ok_or(Error::RoomNotFound)
}

impl PutRoom {
    /// Refuses what no room can be.
    fn check(&self) -> Result<(), Error> {
        for (field, value, range, message) in [
            ("admissions_per_second", self.admissions_per_second, 1..=10_000, "from 1 to 10,000"),
            ("window_seconds", self.window_seconds, 30..=86_400, "from 30 to 86,400"),
            ("challenge_difficulty", self.challenge_difficulty, 8..=26, "from 8 to 26"),
        ] {
            if !range.contains(&value) {
                return Err(Error::Invalid { field, message });
            }
        }
        Ok(())
    }
}
