//! Adjustments: every change of what is on hand that is not a sale, with its reason.

use std::collections::{HashMap, HashSet};

use catalog::{StoreId, VariantId};
use identity::{Actor, Subject};
use platform::{Sources, Tx};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::level::{self, Level};
use crate::{AdjustmentId, Error};

/// Why what is on hand changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StockReason)]
pub enum Reason {
    /// It was there when the variant came to Souk. Once per variant.
    Opening,
    /// Goods came in.
    Received,
    /// Somebody counted.
    Counted,
    /// Broken.
    Damaged,
    /// Not to be found.
    Lost,
    /// A buyer sent it back.
    Returned,
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Received => "received",
            Self::Counted => "counted",
            Self::Damaged => "damaged",
            Self::Lost => "lost",
            Self::Returned => "returned",
        }
    }
}

impl std::str::FromStr for Reason {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Opening, Self::Received, Self::Counted, Self::Damaged, Self::Lost, Self::Returned];
        let found = all.into_iter().find(|reason| reason.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no reason to adjust stock"))
    }
}

/// A change of what is on hand at the location `main`.
#[derive(Clone, Debug)]
pub struct Adjustment {
    /// Of this variant.
    pub variant_id: VariantId,
    /// Units, more or fewer.
    pub quantity: i64,
    /// Why.
    pub reason: Reason,
    /// For whoever asks later.
    pub note: Option<String>,
}

/// Units that a buyer sent back.
#[derive(Clone, Debug)]
pub struct Returned {
    /// Of this variant.
    pub variant_id: VariantId,
    /// How many.
    pub quantity: i64,
    /// Names the occasion: they are added once for it.
    pub key: String,
}

impl Returned {
    pub(crate) fn adjustment(&self) -> Adjustment {
        let (variant_id, quantity) = (self.variant_id, self.quantity);
        Adjustment { variant_id, quantity, reason: Reason::Returned, note: None }
    }
}

/// An adjustment that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StockAdjustment {
    /// Its id.
    pub id: AdjustmentId,
    /// Of this variant.
    pub variant_id: VariantId,
    /// Where.
    #[schema(example = "main")]
    pub location: String,
    /// Units, more or fewer.
    #[schema(example = -2)]
    pub quantity: i64,
    /// Why.
    pub reason: Reason,
    /// For whoever asks later.
    #[schema(example = "fell off the shelf")]
    pub note: Option<String>,
    /// What was on hand there after it, if that was written down.
    #[schema(example = 8)]
    pub on_hand: Option<i64>,
    /// Who made it: `user`, `api_key` or `system`, if that was written down.
    #[schema(example = "user")]
    pub actor_kind: Option<String>,
    /// Which user or key.
    pub actor_id: Option<Uuid>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// For whom, and as what, adjustments are written.
pub(crate) struct Origin<'a> {
    pub(crate) actor: &'a Actor,
    /// Whose the variants are, as far as the catalogue knows them.
    pub(crate) stores: &'a HashMap<VariantId, StoreId>,
    pub(crate) key: Option<&'a str>,
    /// Where.
    pub(crate) location: &'a str,
}

/// Which user or key it is, for the books.
fn doer(actor: &Actor) -> (&'static str, Option<Uuid>) {
    match actor.principal().map(|who| who.subject) {
        Some(Subject::User(id)) => ("user", Some(id.uuid())),
        Some(Subject::ApiKey(id)) => ("api_key", Some(id.uuid())),
        None => ("system", None),
    }
}

/// Makes adjustments in this transaction. Gives those that were made; the others were passed over.
pub(crate) async fn make(
    tx: &mut Tx,
    sources: &Sources,
    origin: &Origin<'_>,
    adjustments: &[Adjustment],
) -> Result<Vec<StockAdjustment>, Error> {
    let variants: Vec<VariantId> = adjustments.iter().map(|adjustment| adjustment.variant_id).collect();
    level::open(tx, &variants, origin.stores, origin.location).await?;
    let mut levels = level::lock(tx, &variants).await?;
    let untouched = untouched(tx, adjustments).await?;
    let mut made = Vec::new();
    let counts = |adjustment: &&Adjustment| {
        let opening = adjustment.reason == Reason::Opening;
        adjustment.quantity != 0 && (!opening || untouched.contains(&adjustment.variant_id))
    };
    for adjustment in adjustments.iter().filter(counts) {
        let variant = adjustment.variant_id;
        let on_hand = levels
            .at(variant, origin.location)
            .ok_or_else(no_such_location)?
            .on_hand
            .checked_add(adjustment.quantity)
            .ok_or(Error::TooLittle(variant))?;
        if let Some(written) = insert(tx, sources, origin, adjustment, on_hand).await? {
            made.push(written);
            levels.change(variant, origin.location, adjustment.quantity, 0);
        }
    }
    let short = |variant: &&VariantId| levels.at(**variant, origin.location).is_some_and(Level::is_short);
    if let Some(variant) = variants.iter().find(short) {
        return Err(Error::TooLittle(*variant));
    }
    levels.write(tx).await?;
    Ok(made)
}

/// The location was named in what was sent.
pub(crate) const fn no_such_location() -> Error {
    Error::Invalid { field: "location", code: "unknown", message: "the store has no such location" }
}

/// Those to be opened to which nothing has happened: what came with none can still be opened with some. Without an
/// adjustment there was nothing to reserve either.
async fn untouched(tx: &mut Tx, adjustments: &[Adjustment]) -> Result<HashSet<VariantId>, Error> {
    let openings: Vec<VariantId> = adjustments
        .iter()
        .filter(|adjustment| adjustment.reason == Reason::Opening)
        .map(|adjustment| adjustment.variant_id)
        .collect();
    if openings.is_empty() {
        return Ok(HashSet::new());
    }
    let untouched = sqlx::query_scalar!(
        r#"SELECT variant_id AS "variant_id!: VariantId" FROM unnest($1::uuid[]) AS wanted (variant_id)
           WHERE NOT EXISTS (SELECT FROM inventory.stock_adjustments a WHERE a.variant_id = wanted.variant_id)"#,
        &platform::id::uuids(&openings),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(untouched.into_iter().collect())
}

/// Writes an adjustment, unless its key is used or its variant was opened already.
async fn insert(
    tx: &mut Tx,
    sources: &Sources,
    origin: &Origin<'_>,
    adjustment: &Adjustment,
    on_hand: i64,
) -> Result<Option<StockAdjustment>, Error> {
    let (kind, actor_id) = doer(origin.actor);
    let written = StockAdjustment {
        id: sources.id::<Adjustment>(),
        variant_id: adjustment.variant_id,
        location: origin.location.to_owned(),
        quantity: adjustment.quantity,
        reason: adjustment.reason,
        note: adjustment.note.clone(),
        on_hand: Some(on_hand),
        actor_kind: Some(kind.to_owned()),
        actor_id,
        created_at: sources.now(),
    };
    let inserted = sqlx::query!(
        "INSERT INTO inventory.stock_adjustments (id, variant_id, store_id, quantity, reason, note, on_hand, actor_kind,
                                                  actor_id, idempotency_key, created_at, location)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING",
        written.id.uuid(),
        written.variant_id.uuid(),
        origin.stores.get(&written.variant_id).map(|store| store.uuid()),
        written.quantity,
        written.reason.as_str(),
        written.note,
        on_hand,
        kind,
        actor_id,
        origin.key,
        written.created_at,
        written.location,
    )
    .execute(&mut **tx)
    .await?;
    Ok((inserted.rows_affected() == 1).then_some(written))
}
