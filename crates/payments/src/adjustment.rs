//! Adjustments: what people of the marketplace give and take by hand, each with a reason and once per key.

use identity::{Actor, StoreId, Subject, UserId};
use platform::{Database, Id, Money, Sources, Tx};
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Error;
use crate::ledger::{self, Draft, Owners, Rule};

/// The id of an [`Adjustment`].
pub type AdjustmentId = Id<Adjustment>;

/// As much as one adjustment gives or takes, in minor units: whatever people type, no balance overflows.
const MOST: i64 = 1_000_000_000_000;

/// Whose money is adjusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjusted {
    /// What a store is owed.
    Store(StoreId),
    /// What a buyer may still spend.
    Buyer(UserId),
}

/// An adjustment to be made.
#[derive(Clone, Debug)]
pub struct Adjusting {
    /// Whose.
    pub whose: Adjusted,
    /// More of it, or less if it is below zero.
    pub amount: Money,
    /// Why: it stands in the books and on statements.
    pub reason: String,
}

/// An adjustment that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MoneyAdjustment)]
pub struct Adjustment {
    /// Its id.
    pub id: AdjustmentId,
    /// Of what this store is owed.
    pub store_id: Option<StoreId>,
    /// Of what this buyer may still spend.
    pub buyer_id: Option<UserId>,
    /// More of it, or less if it is below zero.
    pub amount: Money,
    /// Why.
    #[schema(example = "the courier lost the parcel")]
    pub reason: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// Makes an adjustment, once per key of the actor; whether it was made before.
pub(crate) async fn make(
    database: &Database,
    sources: &Sources,
    actor: &Actor,
    adjusting: &Adjusting,
    key: &str,
) -> Result<(Adjustment, bool), Error> {
    let Adjusting { whose, amount, reason } = adjusting;
    if amount.amount == 0 {
        return Err(Error::invalid("amount.amount", "zero", "an adjustment gives or takes something"));
    }
    if !(-MOST..=MOST).contains(&amount.amount) {
        return Err(Error::invalid("amount.amount", "out_of_range", "that is too much for one adjustment"));
    }
    let now = sources.now();
    let (store_id, buyer_id) = match whose {
        Adjusted::Store(store) => (Some(*store), None),
        Adjusted::Buyer(buyer) => (None, Some(*buyer)),
    };
    let made = Adjustment {
        id: sources.id(),
        store_id,
        buyer_id,
        amount: *amount,
        reason: reason.clone(),
        created_at: now,
    };
    let mut tx = database.begin().await?;
    if let Some(before) = insert(&mut tx, actor, &made, key).await? {
        let same = (before.store_id, before.buyer_id, before.amount, &before.reason)
            == (made.store_id, made.buyer_id, made.amount, &made.reason);
        return if same { Ok((before, true)) } else { Err(Error::KeyReused) };
    }
    let rule = match (whose, amount.amount > 0) {
        (Adjusted::Store(_), true) => Rule::AdjustmentToStore,
        (Adjusted::Store(_), false) => Rule::AdjustmentFromStore,
        (Adjusted::Buyer(_), true) => Rule::AdjustmentToBuyer,
        (Adjusted::Buyer(_), false) => Rule::AdjustmentFromBuyer,
    };
    let owners = Owners { store: store_id, buyer: buyer_id, ..Owners::default() };
    let draft = Draft::new("adjustment", made.id, amount.currency, now).with_memo(reason.clone()).moving(
        rule,
        amount.amount.abs(),
        &owners,
    );
    ledger::post(&mut tx, vec![draft], now).await?;
    if rule == Rule::AdjustmentFromBuyer {
        enough_credit(&mut tx, &made).await?;
    }
    let facts = json!({"amount": amount, "reason": reason, "buyer_id": buyer_id});
    let entry = actor.did("adjustment.created", "adjustment", made.id).with_facts(facts);
    tx.audit(match store_id {
        Some(store) => entry.in_store(store),
        None => entry,
    });
    tx.commit(now).await?;
    Ok((made, false))
}

/// Writes an adjustment, or gives the one that was made with its key.
async fn insert(
    tx: &mut Tx,
    actor: &Actor,
    made: &Adjustment,
    key: &str,
) -> Result<Option<Adjustment>, Error> {
    let (kind, id): (_, Option<Uuid>) = match actor.principal().map(|who| who.subject) {
        Some(Subject::User(id)) => ("user", Some(id.uuid())),
        Some(Subject::ApiKey(id)) => ("api_key", Some(id.uuid())),
        None => ("system", None),
    };
    let written = sqlx::query!(
        "INSERT INTO payments.adjustments (id, store_id, buyer_id, amount, currency, reason, actor_kind, actor_id,
             idempotency_key, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (idempotency_key, actor_kind, actor_id) DO NOTHING",
        made.id.uuid(),
        made.store_id.map(StoreId::uuid),
        made.buyer_id.map(UserId::uuid),
        made.amount.amount,
        made.amount.currency.code(),
        made.reason,
        kind,
        id,
        key,
        made.created_at,
    )
    .execute(&mut **tx)
    .await?;
    if written.rows_affected() == 1 {
        return Ok(None);
    }
    let row = sqlx::query!(
        r#"SELECT id AS "id: AdjustmentId", store_id AS "store_id: StoreId", buyer_id AS "buyer_id: UserId", amount,
                  currency, reason, created_at
           FROM payments.adjustments
           WHERE idempotency_key = $1 AND actor_kind = $2 AND actor_id IS NOT DISTINCT FROM $3"#,
        key,
        kind,
        id,
    )
    .fetch_one(&mut **tx)
    .await?;
    let currency = row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Some(Adjustment {
        id: row.id,
        store_id: row.store_id,
        buyer_id: row.buyer_id,
        amount: Money::new(row.amount, currency),
        reason: row.reason,
        created_at: row.created_at,
    }))
}

/// A buyer has no debts.
async fn enough_credit(tx: &mut Tx, made: &Adjustment) -> Result<(), Error> {
    let short = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM payments.ledger_accounts
                          WHERE kind = 'buyer_credit' AND owner = $1 AND currency = $2 AND balance > 0) AS "short!""#,
        made.buyer_id.map(|buyer| buyer.to_string()).unwrap_or_default(),
        made.amount.currency.code(),
    )
    .fetch_one(&mut **tx)
    .await?;
    let message = "the buyer has less credit than that";
    if short { Err(Error::invalid("amount.amount", "too_much", message)) } else { Ok(()) }
}
