//! Adjustments: every change of what is on hand that is not a sale, with its reason.

use std::collections::{BTreeMap, HashSet};

use catalog::VariantId;
use platform::{Database, Sources};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::level::{self, Delta};

/// Why what is on hand changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// A change of what is on hand.
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

pub(crate) async fn make(
    database: &Database,
    sources: &Sources,
    adjustments: &[Adjustment],
) -> Result<u64, Error> {
    let now = sources.now();
    let variants: Vec<VariantId> = adjustments.iter().map(|adjustment| adjustment.variant_id).collect();
    let mut tx = database.begin().await?;
    sqlx::query!(
        "INSERT INTO inventory.stock_levels (variant_id, on_hand)
         SELECT DISTINCT variant_id, 0 FROM unnest($1::uuid[]) AS wanted (variant_id) ORDER BY 1 ON CONFLICT DO NOTHING",
        &platform::id::uuids(&variants),
    )
    .execute(&mut *tx)
    .await?;
    let levels = level::lock(&mut tx, &variants).await?;
    // An opening counts as long as nothing has happened: what came with none can still be opened with some.
    let untouched: HashSet<VariantId> = sqlx::query_scalar!(
        r#"SELECT variant_id AS "variant_id!: VariantId" FROM unnest($1::uuid[]) AS wanted (variant_id)
           WHERE NOT EXISTS (SELECT FROM inventory.stock_adjustments a WHERE a.variant_id = wanted.variant_id)
             AND NOT EXISTS (SELECT FROM inventory.reservation_lines l WHERE l.variant_id = wanted.variant_id)"#,
        &platform::id::uuids(&variants),
    )
    .fetch_all(&mut *tx)
    .await?
    .into_iter()
    .collect();
    let mut changes: BTreeMap<VariantId, i64> = BTreeMap::new();
    let mut made = 0;
    let counts = |adjustment: &&Adjustment| {
        let opening = adjustment.reason == Reason::Opening;
        adjustment.quantity != 0 && (!opening || untouched.contains(&adjustment.variant_id))
    };
    for adjustment in adjustments.iter().filter(counts) {
        let inserted = sqlx::query!(
            "INSERT INTO inventory.stock_adjustments (id, variant_id, quantity, reason, note, created_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            sources.id::<Adjustment>().uuid(),
            adjustment.variant_id.uuid(),
            adjustment.quantity,
            adjustment.reason.as_str(),
            adjustment.note,
            now,
        )
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() == 1 {
            let change = changes.entry(adjustment.variant_id).or_default();
            *change =
                change.checked_add(adjustment.quantity).ok_or(Error::TooLittle(adjustment.variant_id))?;
            made += 1;
        }
    }
    for (variant, change) in &changes {
        let free = levels.get(variant).map_or(0, |level| level.on_hand - level.reserved);
        if free.checked_add(*change).is_none_or(|left| left < 0) {
            return Err(Error::TooLittle(*variant));
        }
    }
    let deltas: Vec<Delta> =
        changes.into_iter().map(|(variant_id, on_hand)| Delta { variant_id, on_hand, reserved: 0 }).collect();
    level::apply(&mut tx, &deltas).await?;
    tx.commit(now).await?;
    Ok(made)
}
