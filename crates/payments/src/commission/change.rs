//! Making, moving and ending rules: the operators' business.

use aws_lc_rs::digest::{SHA256, digest};
use identity::{Actor, Permission, StoreId};
use platform::{Currency, Database, Rate, Sources, Tx, database};
use serde_json::json;

use super::known::RULES;
use super::read;
use super::rule::{
    CommissionRule, CommissionRuleChange, LAST_POSITION, MadeCommissionRule, NewCommissionRule, check_end,
    check_position,
};
use super::terms::CommissionTerms;
use crate::{CommissionRuleId, Error};

/// How far behind the last rule another one is put, so that one fits between.
const STEP: i32 = 10;

pub(super) async fn create(
    db: &Database,
    sources: &Sources,
    actor: &Actor,
    new: &NewCommissionRule,
    key: Option<&str>,
) -> Result<MadeCommissionRule, Error> {
    actor.require_platform(Permission::FinanceAdmin)?;
    let now = sources.now();
    let fingerprint = digest(&SHA256, database::json_text(new).as_bytes());
    let mut tx = db.begin().await?;
    if let Some(rule) = made_before(&mut tx, key, fingerprint.as_ref()).await? {
        return Ok(MadeCommissionRule { rule, replayed: true });
    }
    let valid_from = new.check(now)?;
    let id = sources.id::<CommissionRule>();
    let parts = Parts::of(&new.terms);
    let inserted = sqlx::query!(
        "INSERT INTO payments.commission_rules (id, position, name, store_id, category_id, currency, kind, rate_ppm, per_unit,
             minimum, maximum, brackets, tax_rate_ppm, valid_from, valid_to, created_at, idempotency_key, fingerprint)
         VALUES ($1, coalesce($2, (SELECT least(coalesce(max(position), 0) + $3, $4) FROM payments.commission_rules
                                   WHERE ended_at IS NULL)),
             $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
         ON CONFLICT (idempotency_key) DO NOTHING",
        id.uuid(),
        new.position,
        STEP,
        LAST_POSITION,
        new.name,
        new.store_id.map(StoreId::uuid),
        new.category_id,
        new.currency.map(Currency::code),
        new.terms.kind(),
        parts.rate_ppm,
        parts.per_unit,
        parts.minimum,
        parts.maximum,
        parts.brackets,
        ppm(new.tax_rate_ppm),
        valid_from,
        new.valid_to,
        now,
        key,
        fingerprint.as_ref(),
    )
    .execute(&mut *tx)
    .await?;
    if inserted.rows_affected() == 0 {
        // Somebody with the same key was quicker.
        let rule = made_before(&mut tx, key, fingerprint.as_ref()).await?;
        let rule = rule.ok_or(Error::CommissionRuleNotFound)?;
        return Ok(MadeCommissionRule { rule, replayed: true });
    }
    let rule = read::find(&mut tx, id).await?;
    tx.touch(RULES);
    tx.audit(actor.did("commission_rule.created", "commission_rule", id).with_facts(database::json(&rule)));
    tx.commit(now).await?;
    Ok(MadeCommissionRule { rule, replayed: false })
}

/// The rule that a request with this key made.
async fn made_before(
    tx: &mut Tx,
    key: Option<&str>,
    fingerprint: &[u8],
) -> Result<Option<CommissionRule>, Error> {
    let Some(key) = key else { return Ok(None) };
    let made = sqlx::query!(
        r#"SELECT id AS "id: CommissionRuleId", fingerprint FROM payments.commission_rules WHERE idempotency_key = $1"#,
        key,
    )
    .fetch_optional(&mut **tx)
    .await?;
    match made {
        Some(made) if made.fingerprint == fingerprint => Ok(Some(read::find(tx, made.id).await?)),
        Some(_) => Err(Error::KeyReused),
        None => Ok(None),
    }
}

pub(super) async fn change(
    db: &Database,
    sources: &Sources,
    actor: &Actor,
    id: CommissionRuleId,
    change: CommissionRuleChange,
    version: i64,
) -> Result<CommissionRule, Error> {
    actor.require_platform(Permission::FinanceAdmin)?;
    let now = sources.now();
    let mut tx = db.begin().await?;
    let before = lock(&mut tx, id, Some(version)).await?;
    if before.is_over(now) {
        return Err(Error::CommissionRuleEnded);
    }
    check_position(change.position)?;
    let after = CommissionRule {
        position: change.position.unwrap_or(before.position),
        valid_to: change.valid_to.unwrap_or(before.valid_to),
        ..before.clone()
    };
    check_end(after.valid_to, after.valid_from, now)?;
    let facts = |rule: &CommissionRule| {
        let shown = database::json(rule);
        json!({"position": shown["position"], "valid_to": shown["valid_to"]})
    };
    let facts = json!({"before": facts(&before), "after": facts(&after)});
    tx.audit(actor.did("commission_rule.changed", "commission_rule", id).with_facts(facts));
    write(tx, sources, after).await
}

/// Ends a rule; one that is over stays as it is.
pub(super) async fn end(
    db: &Database,
    sources: &Sources,
    actor: &Actor,
    id: CommissionRuleId,
    version: Option<i64>,
) -> Result<CommissionRule, Error> {
    actor.require_platform(Permission::FinanceAdmin)?;
    let now = sources.now();
    let mut tx = db.begin().await?;
    let rule = lock(&mut tx, id, version).await?;
    if rule.is_over(now) {
        return Ok(rule);
    }
    tx.audit(
        actor.did("commission_rule.ended", "commission_rule", id).with_facts(json!({"name": rule.name})),
    );
    write(tx, sources, CommissionRule { ended_at: Some(now), ..rule }).await
}

/// The rule at the version that was read.
async fn lock(tx: &mut Tx, id: CommissionRuleId, version: Option<i64>) -> Result<CommissionRule, Error> {
    let rule = read::lock(tx, id).await?;
    if version.is_some_and(|version| version != rule.version) { Err(Error::Stale) } else { Ok(rule) }
}

/// Writes what may change of a rule that is locked.
async fn write(mut tx: Tx, sources: &Sources, rule: CommissionRule) -> Result<CommissionRule, Error> {
    let rule = CommissionRule { version: rule.version + 1, ..rule };
    let written = sqlx::query!(
        "UPDATE payments.commission_rules SET position = $2, valid_to = $3, ended_at = $4, version = $5 WHERE id = $1",
        rule.id.uuid(),
        rule.position,
        rule.valid_to,
        rule.ended_at,
        rule.version,
    )
    .execute(&mut *tx)
    .await?;
    if written.rows_affected() != 1 {
        return Err(Error::CommissionRuleNotFound);
    }
    tx.touch(RULES);
    tx.commit(sources.now()).await?;
    Ok(rule)
}

/// Terms in columns.
#[derive(Default)]
struct Parts {
    rate_ppm: Option<i32>,
    per_unit: Option<i64>,
    minimum: Option<i64>,
    maximum: Option<i64>,
    brackets: Option<serde_json::Value>,
}

impl Parts {
    fn of(terms: &CommissionTerms) -> Self {
        match terms {
            CommissionTerms::Percentage { rate_ppm, per_unit, minimum, maximum } => Self {
                rate_ppm: Some(ppm(*rate_ppm)),
                per_unit: *per_unit,
                minimum: *minimum,
                maximum: *maximum,
                brackets: None,
            },
            CommissionTerms::Fixed { per_unit } => Self { per_unit: Some(*per_unit), ..Self::default() },
            CommissionTerms::Tiered { brackets } => {
                Self { brackets: Some(database::json(brackets)), ..Self::default() }
            }
        }
    }
}

/// A rate as it is stored.
fn ppm(rate: Rate) -> i32 {
    i32::try_from(rate.ppm()).expect("a rate is at most a million")
}
