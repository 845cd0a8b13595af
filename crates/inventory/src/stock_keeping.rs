//! What a store's team does with its stock: looks at it, adjusts it with a reason, counts it.

use std::collections::HashMap;

use async_trait::async_trait;
use catalog::{StoreId, VariantId};
use identity::{Actor, Permission};
use platform::id::uuids;
use platform::{Cursor, CursorRequest, Slice, Tx};
use serde_json::json;
use uuid::Uuid;

use crate::adjustment::{self, Adjustment, Origin, Reason, StockAdjustment};
use crate::level::{self, Level, MAIN};
use crate::location::{self, Location, LocationChange, NewLocation};
use crate::stock::{Adjusted, Count, LevelAt, StockChange, StockLevel};
use crate::{AdjustmentId, Error, Service};

/// What a store's team does with its stock.
#[async_trait]
pub trait StockKeeping: Send + Sync + 'static {
    /// How much there is of one variant of the store, or of all, in the order of their ids.
    async fn levels(
        &self,
        actor: &Actor,
        store: StoreId,
        variant: Option<VariantId>,
        slice: &CursorRequest,
    ) -> Result<Slice<StockLevel>, Error>;

    /// How much there is of a variant of the store.
    async fn level(&self, actor: &Actor, store: StoreId, variant: VariantId) -> Result<StockLevel, Error>;

    /// Adds to, or takes from, what is on hand. With the same key it is applied once.
    async fn adjust_stock(
        &self,
        actor: &Actor,
        store: StoreId,
        variant: VariantId,
        change: &StockChange,
        key: Option<&str>,
    ) -> Result<Adjusted, Error>;

    /// Brings what is on hand to what was counted, on top of the version that was read. The difference is written
    /// down as an adjustment.
    async fn count(
        &self,
        actor: &Actor,
        store: StoreId,
        variant: VariantId,
        count: &Count,
        version: i64,
    ) -> Result<StockLevel, Error>;

    /// The adjustments of a variant of the store, the latest first.
    async fn adjustments(
        &self,
        actor: &Actor,
        store: StoreId,
        variant: VariantId,
        slice: &CursorRequest,
    ) -> Result<Slice<StockAdjustment>, Error>;

    /// Where the store keeps its stock, the first location first.
    async fn locations(&self, actor: &Actor, store: StoreId) -> Result<Vec<Location>, Error>;

    /// Adds a location, behind the others.
    async fn create_location(
        &self,
        actor: &Actor,
        store: StoreId,
        location: &NewLocation,
    ) -> Result<Location, Error>;

    /// Changes a location. From one that is switched off nothing is sold any more; what was reserved there stays so.
    async fn change_location(
        &self,
        actor: &Actor,
        store: StoreId,
        code: &str,
        change: &LocationChange,
    ) -> Result<Location, Error>;

    /// Whose each level is written down to be, in the order of the variants' ids, after `after`. Levels of which it is
    /// not known yet are left out.
    async fn owners(&self, after: Option<VariantId>, limit: i64) -> Result<Vec<(VariantId, StoreId)>, Error>;
}

#[async_trait]
impl StockKeeping for Service {
    async fn levels(
        &self,
        actor: &Actor,
        store: StoreId,
        variant: Option<VariantId>,
        slice: &CursorRequest,
    ) -> Result<Slice<StockLevel>, Error> {
        self.catalog.require(actor, Permission::StockRead, store).await?;
        let after: Option<VariantId> = slice.after.as_ref().map(Cursor::decode).transpose()?;
        let variants = match variant {
            Some(variant) => self.own(store, variant).await.map(|_| vec![variant])?,
            None => {
                let limit = i64::from(slice.first) + 1;
                self.catalog.own_variants(&Actor::system(), store, after, limit).await?
            }
        };
        let variants = Slice::of(variants, slice.first, Cursor::encode);
        Ok(Slice { data: self.read(store, &variants.data).await?, page_info: variants.page_info })
    }

    async fn level(&self, actor: &Actor, store: StoreId, variant: VariantId) -> Result<StockLevel, Error> {
        self.catalog.require(actor, Permission::StockRead, store).await?;
        self.own(store, variant).await?;
        self.read(store, &[variant]).await?.pop().ok_or(Error::VariantNotFound)
    }

    async fn adjust_stock(
        &self,
        actor: &Actor,
        store: StoreId,
        variant: VariantId,
        change: &StockChange,
        key: Option<&str>,
    ) -> Result<Adjusted, Error> {
        self.catalog.require(actor, Permission::StockWrite, store).await?;
        check(change.reason)?;
        if change.quantity == 0 {
            let message = "an adjustment changes something";
            return Err(Error::Invalid { field: "quantity", code: "zero", message });
        }
        let stores = self.own(store, variant).await?;
        let mut tx = self.begin(store, &stores).await?;
        let StockChange { quantity, reason, note, location } = change.clone();
        let wanted = Adjustment { variant_id: variant, quantity, reason, note };
        let location = location.as_deref().unwrap_or(MAIN);
        let origin = Origin { actor, stores: &stores, key, location };
        let made = self.make(&mut tx, &origin, &wanted).await?;
        let Some(adjustment) = made else {
            // The key is used, and by now whoever used it has committed.
            let adjustment = by_key(&mut tx, store, key.unwrap_or_default()).await?;
            return adjustment
                .filter(|made| {
                    (made.variant_id, made.location.as_str(), made.quantity, made.reason, &made.note)
                        == (variant, location, wanted.quantity, wanted.reason, &wanted.note)
                })
                .map(|adjustment| Adjusted { adjustment, replayed: true })
                .ok_or(Error::KeyReused);
        };
        tx.commit(self.sources.now()).await?;
        Ok(Adjusted { adjustment, replayed: false })
    }

    async fn count(
        &self,
        actor: &Actor,
        store: StoreId,
        variant: VariantId,
        count: &Count,
        version: i64,
    ) -> Result<StockLevel, Error> {
        self.catalog.require(actor, Permission::StockWrite, store).await?;
        check(count.reason)?;
        let stores = self.own(store, variant).await?;
        let mut tx = self.begin(store, &stores).await?;
        let location = count.location.as_deref().unwrap_or(MAIN);
        level::open(&mut tx, &[variant], &stores, location).await?;
        let before = level::lock(&mut tx, &[variant]).await?;
        let rows = before.of(variant);
        if rows.iter().map(|level| level.revision).sum::<i64>() != version {
            return Err(Error::Stale);
        }
        let there = before.at(variant, location).ok_or_else(adjustment::no_such_location)?;
        let quantity = count.on_hand.checked_sub(there.on_hand).ok_or(Error::TooLittle(variant))?;
        let Count { reason, note, .. } = count.clone();
        let wanted = Adjustment { variant_id: variant, quantity, reason, note };
        let origin = Origin { actor, stores: &stores, key: None, location };
        self.make(&mut tx, &origin, &wanted).await?;
        let after = level::lock(&mut tx, &[variant]).await?;
        tx.commit(self.sources.now()).await?;
        Ok(StockLevel::of(variant, after.of(variant).iter().map(shown)))
    }

    async fn adjustments(
        &self,
        actor: &Actor,
        store: StoreId,
        variant: VariantId,
        slice: &CursorRequest,
    ) -> Result<Slice<StockAdjustment>, Error> {
        self.catalog.require(actor, Permission::StockRead, store).await?;
        let after: Option<AdjustmentId> = slice.after.as_ref().map(Cursor::decode).transpose()?;
        let stores = self.own(store, variant).await?;
        let mut tx = self.begin(store, &stores).await?;
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT id AS "id: AdjustmentId", variant_id AS "variant_id: VariantId", location, quantity, reason, note, on_hand,
                      actor_kind, actor_id, created_at
               FROM inventory.stock_adjustments
               WHERE variant_id = $1 AND store_id = $2 AND id < $3
               ORDER BY id DESC LIMIT $4"#,
            variant.uuid(),
            store.uuid(),
            after.map_or(Uuid::max(), AdjustmentId::uuid),
            i64::from(slice.first) + 1,
        )
        .fetch_all(&mut *tx)
        .await?;
        let made = rows.into_iter().map(StockAdjustment::try_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Slice::of(made, slice.first, |adjustment| Cursor::encode(&adjustment.id)))
    }

    async fn locations(&self, actor: &Actor, store: StoreId) -> Result<Vec<Location>, Error> {
        self.catalog.require(actor, Permission::StockRead, store).await?;
        location::list(&mut self.database.begin_within(store).await?, store).await
    }

    async fn create_location(
        &self,
        actor: &Actor,
        store: StoreId,
        location: &NewLocation,
    ) -> Result<Location, Error> {
        self.catalog.require(actor, Permission::StockWrite, store).await?;
        let mut tx = self.database.begin_within(store).await?;
        let made = location::create(&mut tx, &self.sources, actor, store, location).await?;
        tx.commit(self.sources.now()).await?;
        Ok(made)
    }

    async fn change_location(
        &self,
        actor: &Actor,
        store: StoreId,
        code: &str,
        change: &LocationChange,
    ) -> Result<Location, Error> {
        self.catalog.require(actor, Permission::StockWrite, store).await?;
        let mut tx = self.database.begin_within(store).await?;
        let changed = location::change(&mut tx, &self.sources, actor, store, code, change).await?;
        tx.commit(self.sources.now()).await?;
        Ok(changed)
    }

    async fn owners(&self, after: Option<VariantId>, limit: i64) -> Result<Vec<(VariantId, StoreId)>, Error> {
        let rows = sqlx::query!(
            r#"SELECT variant_id AS "variant_id: VariantId", store_id AS "store_id!: StoreId"
               FROM inventory.stock_levels
               WHERE store_id IS NOT NULL AND location = 'main' AND ($1::uuid IS NULL OR variant_id > $1)
               ORDER BY variant_id LIMIT $2"#,
            after.map(VariantId::uuid),
            limit,
        )
        .fetch_all(self.database.lists())
        .await?;
        Ok(rows.into_iter().map(|row| (row.variant_id, row.store_id)).collect())
    }
}

impl Service {
    /// A variant of this store; anybody else's is none.
    async fn own(&self, store: StoreId, variant: VariantId) -> Result<HashMap<VariantId, StoreId>, Error> {
        let stores = self.stores_of(&[variant]).await?;
        if stores.get(&variant) == Some(&store) { Ok(stores) } else { Err(Error::VariantNotFound) }
    }

    /// Opens a transaction of the store, once what it is about is known to be the store's.
    async fn begin(&self, store: StoreId, stores: &HashMap<VariantId, StoreId>) -> Result<Tx, Error> {
        level::claim(&mut *self.database.pool().acquire().await?, stores).await?;
        Ok(self.database.begin_within(store).await?)
    }

    async fn make(
        &self,
        tx: &mut Tx,
        origin: &Origin<'_>,
        wanted: &Adjustment,
    ) -> Result<Option<StockAdjustment>, Error> {
        let wanted = std::slice::from_ref(wanted);
        let made = adjustment::make(tx, &self.sources, origin, wanted).await?.pop();
        if let Some(made) = &made
            && let Some(store) = origin.stores.get(&made.variant_id)
        {
            let facts = json!({"location": made.location, "quantity": made.quantity, "reason": made.reason,
                               "on_hand": made.on_hand});
            let entry = origin.actor.did("stock.adjusted", "variant", made.variant_id);
            tx.audit(entry.in_store(*store).with_facts(facts));
        }
        Ok(made)
    }

    /// The levels of these variants of the store, in this order. A variant without one has none.
    async fn read(&self, store: StoreId, variants: &[VariantId]) -> Result<Vec<StockLevel>, Error> {
        let mut levels = self.read_once(store, variants).await?;
        let missing: HashMap<VariantId, StoreId> =
            variants.iter().filter(|id| !levels.contains_key(id)).map(|id| (*id, store)).collect();
        // Levels from before have no store yet, so that the store does not see them.
        if !missing.is_empty()
            && level::claim(&mut *self.database.pool().acquire().await?, &missing).await? > 0
        {
            levels = self.read_once(store, variants).await?;
        }
        let nothing = |variant_id| StockLevel::of(variant_id, std::iter::empty());
        Ok(variants.iter().map(|id| levels.remove(id).unwrap_or_else(|| nothing(*id))).collect())
    }

    async fn read_once(
        &self,
        store: StoreId,
        variants: &[VariantId],
    ) -> Result<HashMap<VariantId, StockLevel>, Error> {
        let mut tx = self.database.begin_within(store).await?;
        let rows = sqlx::query!(
            r#"SELECT variant_id AS "variant_id: VariantId", location, on_hand, reserved,
                      CASE WHEN active THEN on_hand - reserved ELSE 0 END AS "available!", revision
               FROM inventory.stock_levels WHERE variant_id = ANY($1) AND store_id = $2
               ORDER BY variant_id, location <> 'main', location"#,
            &uuids(variants),
            store.uuid(),
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut levels: HashMap<VariantId, Vec<(LevelAt, i64)>> = HashMap::new();
        for row in rows {
            let (location, on_hand, reserved, available) =
                (row.location, row.on_hand, row.reserved, row.available);
            let at = LevelAt { location, on_hand, reserved, available };
            levels.entry(row.variant_id).or_default().push((at, row.revision));
        }
        Ok(levels
            .into_iter()
            .map(|(variant, rows)| (variant, StockLevel::of(variant, rows.into_iter())))
            .collect())
    }
}

/// A row as its store sees it.
fn shown(level: &Level) -> (LevelAt, i64) {
    let (location, on_hand, reserved) = (level.location.clone(), level.on_hand, level.reserved);
    (LevelAt { location, on_hand, reserved, available: level.free() }, level.revision)
}

/// What was there at the beginning is told by whoever brings a store to Souk, once.
fn check(reason: Reason) -> Result<(), Error> {
    if reason == Reason::Opening {
        let message = "opening stock comes with an import; take received or counted";
        return Err(Error::Invalid { field: "reason", code: "opening", message });
    }
    Ok(())
}

async fn by_key(tx: &mut Tx, store: StoreId, key: &str) -> Result<Option<StockAdjustment>, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: AdjustmentId", variant_id AS "variant_id: VariantId", location, quantity, reason, note, on_hand,
                  actor_kind, actor_id, created_at
           FROM inventory.stock_adjustments WHERE store_id = $1 AND idempotency_key = $2"#,
        store.uuid(),
        key,
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(StockAdjustment::try_from).transpose()
}

struct Row {
    id: AdjustmentId,
    variant_id: VariantId,
    location: String,
    quantity: i64,
    reason: String,
    note: Option<String>,
    on_hand: Option<i64>,
    actor_kind: Option<String>,
    actor_id: Option<uuid::Uuid>,
    created_at: time::OffsetDateTime,
}

impl TryFrom<Row> for StockAdjustment {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        let reason = row.reason.parse().map_err(|error: String| sqlx::Error::Decode(error.into()))?;
        Ok(Self {
            id: row.id,
            variant_id: row.variant_id,
            location: row.location,
            quantity: row.quantity,
            reason,
            note: row.note,
            on_hand: row.on_hand,
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            created_at: row.created_at,
        })
    }
}
