//! What a store's team does with its stock: looks at it, adjusts it with a reason, counts it.

use std::collections::HashMap;

use async_trait::async_trait;
use catalog::{StoreId, VariantId};
use identity::{Actor, Permission};
use platform::id::uuids;
use platform::{Cursor, CursorRequest, Slice, Tx};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::adjustment::{self, Adjustment, Origin, Reason, StockAdjustment};
use crate::{AdjustmentId, Error, Service, level};

/// How much there is of a variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StockLevel {
    /// The variant.
    pub variant_id: VariantId,
    /// Units in the store's hands.
    #[schema(example = 10)]
    pub on_hand: i64,
    /// Units of these that buyers are about to buy.
    #[schema(example = 2)]
    pub reserved: i64,
    /// Units that can be sold: on hand less reserved.
    #[schema(example = 8)]
    pub available: i64,
    /// Counts the changes of what is on hand; the `ETag` of the level.
    #[schema(example = 3)]
    pub version: i64,
}

/// A change of what is on hand.
#[derive(Clone, Debug)]
pub struct StockChange {
    /// Units, more or fewer.
    pub quantity: i64,
    /// Why.
    pub reason: Reason,
    /// For whoever asks later.
    pub note: Option<String>,
}

/// A number of units that somebody counted.
#[derive(Clone, Debug)]
pub struct Count {
    /// Units in the store's hands.
    pub on_hand: i64,
    /// Why they are not as many as were thought.
    pub reason: Reason,
    /// For whoever asks later.
    pub note: Option<String>,
}

/// What became of a request to adjust.
#[derive(Clone, Debug)]
pub struct Adjusted {
    /// The adjustment.
    pub adjustment: StockAdjustment,
    /// Whether it was made before, by the same key.
    pub replayed: bool,
}

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
        let StockChange { quantity, reason, note } = change.clone();
        let wanted = Adjustment { variant_id: variant, quantity, reason, note };
        let made = self.make(&mut tx, actor, &stores, &wanted, key).await?;
        let Some(adjustment) = made else {
            // The key is used, and by now whoever used it has committed.
            let adjustment = by_key(&mut tx, store, key.unwrap_or_default()).await?;
            return adjustment
                .filter(|made| {
                    (made.variant_id, made.quantity, made.reason, &made.note)
                        == (variant, wanted.quantity, wanted.reason, &wanted.note)
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
        level::open(&mut tx, &[variant], &stores).await?;
        let before =
            level::lock(&mut tx, &[variant]).await?.remove(&variant).ok_or(Error::VariantNotFound)?;
        if before.revision != version {
            return Err(Error::Stale);
        }
        let quantity = count.on_hand.checked_sub(before.on_hand).ok_or(Error::TooLittle(variant))?;
        let Count { reason, note, .. } = count.clone();
        let wanted = Adjustment { variant_id: variant, quantity, reason, note };
        self.make(&mut tx, actor, &stores, &wanted, None).await?;
        tx.commit(self.sources.now()).await?;
        Ok(StockLevel {
            variant_id: variant,
            on_hand: count.on_hand,
            reserved: before.reserved,
            available: count.on_hand - before.reserved,
            version: version + i64::from(quantity != 0),
        })
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
            r#"SELECT id AS "id: AdjustmentId", variant_id AS "variant_id: VariantId", quantity, reason, note, on_hand,
                      actor_kind, actor_id, created_at
               FROM inventory.stock_adjustments
               WHERE variant_id = $1 AND store_id = $2 AND ($3::uuid IS NULL OR id < $3)
               ORDER BY id DESC LIMIT $4"#,
            variant.uuid(),
            store.uuid(),
            after.map(AdjustmentId::uuid),
            i64::from(slice.first) + 1,
        )
        .fetch_all(&mut *tx)
        .await?;
        let made = rows.into_iter().map(StockAdjustment::try_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Slice::of(made, slice.first, |adjustment| Cursor::encode(&adjustment.id)))
    }

    async fn owners(&self, after: Option<VariantId>, limit: i64) -> Result<Vec<(VariantId, StoreId)>, Error> {
        let rows = sqlx::query!(
            r#"SELECT variant_id AS "variant_id: VariantId", store_id AS "store_id!: StoreId"
               FROM inventory.stock_levels WHERE store_id IS NOT NULL AND ($1::uuid IS NULL OR variant_id > $1)
               ORDER BY variant_id LIMIT $2"#,
            after.map(VariantId::uuid),
            limit,
        )
        .fetch_all(self.database.pool())
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
        actor: &Actor,
        stores: &HashMap<VariantId, StoreId>,
        wanted: &Adjustment,
        key: Option<&str>,
    ) -> Result<Option<StockAdjustment>, Error> {
        let origin = Origin { actor, stores, key };
        let wanted = std::slice::from_ref(wanted);
        let made = adjustment::make(tx, &self.sources, &origin, wanted).await?.pop();
        if let Some(made) = &made
            && let Some(store) = stores.get(&made.variant_id)
        {
            let facts = json!({"quantity": made.quantity, "reason": made.reason, "on_hand": made.on_hand});
            let entry = actor.did("stock.adjusted", "variant", made.variant_id);
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
        let nothing =
            |variant_id| StockLevel { variant_id, on_hand: 0, reserved: 0, available: 0, version: 0 };
        Ok(variants.iter().map(|id| levels.remove(id).unwrap_or_else(|| nothing(*id))).collect())
    }

    async fn read_once(
        &self,
        store: StoreId,
        variants: &[VariantId],
    ) -> Result<HashMap<VariantId, StockLevel>, Error> {
        let mut tx = self.database.begin_within(store).await?;
        let rows = sqlx::query_as!(
            StockLevel,
            r#"SELECT variant_id AS "variant_id: VariantId", on_hand, reserved, on_hand - reserved AS "available!",
                      revision AS version
               FROM inventory.stock_levels WHERE variant_id = ANY($1) AND store_id = $2"#,
            &uuids(variants),
            store.uuid(),
        )
        .fetch_all(&mut *tx)
        .await?;
        Ok(rows.into_iter().map(|level| (level.variant_id, level)).collect())
    }
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
        r#"SELECT id AS "id: AdjustmentId", variant_id AS "variant_id: VariantId", quantity, reason, note, on_hand,
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
