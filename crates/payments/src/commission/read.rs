//! Reading rules.

use identity::StoreId;
use platform::{Currency, Cursor, CursorRequest, Database, Rate, Slice};
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::rule::CommissionRule;
use super::terms::{CommissionBracket, CommissionTerms};
use crate::{CommissionRuleId, Error};

/// A rule as it is stored.
pub(super) struct Row {
    id: CommissionRuleId,
    position: i32,
    name: String,
    store_id: Option<StoreId>,
    category_id: Option<Uuid>,
    currency: Option<String>,
    kind: String,
    rate_ppm: Option<i32>,
    per_unit: Option<i64>,
    minimum: Option<i64>,
    maximum: Option<i64>,
    brackets: Option<Json<Vec<CommissionBracket>>>,
    tax_rate_ppm: i32,
    valid_from: OffsetDateTime,
    valid_to: Option<OffsetDateTime>,
    ended_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    version: i64,
}

impl Row {
    pub(super) fn rule(self) -> Result<CommissionRule, sqlx::Error> {
        let missing = || sqlx::Error::Decode(format!("{} has no terms of its kind", self.id).into());
        let currency: Option<Currency> = self
            .currency
            .map(|code| code.parse())
            .transpose()
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let terms = match self.kind.as_str() {
            "percentage" => CommissionTerms::Percentage {
                rate_ppm: rate(self.rate_ppm.ok_or_else(missing)?)?,
                per_unit: self.per_unit,
                minimum: self.minimum,
                maximum: self.maximum,
            },
            "fixed" => CommissionTerms::Fixed { per_unit: self.per_unit.ok_or_else(missing)? },
            _ => CommissionTerms::Tiered { brackets: self.brackets.ok_or_else(missing)?.0 },
        };
        Ok(CommissionRule {
            id: self.id,
            position: self.position,
            name: self.name,
            store_id: self.store_id,
            category_id: self.category_id,
            currency,
            terms,
            tax_rate_ppm: rate(self.tax_rate_ppm)?,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            ended_at: self.ended_at,
            created_at: self.created_at,
            version: self.version,
        })
    }
}

/// A constraint of the database keeps it within bounds.
fn rate(stored: i32) -> Result<Rate, sqlx::Error> {
    u32::try_from(stored)
        .ok()
        .and_then(|ppm| Rate::try_from(ppm).ok())
        .ok_or_else(|| sqlx::Error::Decode("a rate out of range".into()))
}

fn rules(rows: Vec<Row>) -> Result<Vec<CommissionRule>, sqlx::Error> {
    rows.into_iter().map(Row::rule).collect()
}

/// Those that were not over at this moment.
pub(super) async fn counting(
    database: &Database,
    at: OffsetDateTime,
) -> Result<Vec<CommissionRule>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: CommissionRuleId", position, name, store_id AS "store_id: StoreId", category_id, currency, kind,
                  rate_ppm, per_unit, minimum, maximum, brackets AS "brackets: Json<Vec<CommissionBracket>>", tax_rate_ppm,
                  valid_from, valid_to, ended_at, created_at, version
           FROM payments.commission_rules WHERE ended_at IS NULL AND (valid_to IS NULL OR valid_to > $1)"#,
        at,
    )
    .fetch_all(database.pool())
    .await?;
    rules(rows)
}

/// One rule; until the transaction ends nobody else changes it.
pub(super) async fn lock(
    connection: &mut PgConnection,
    id: CommissionRuleId,
) -> Result<CommissionRule, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: CommissionRuleId", position, name, store_id AS "store_id: StoreId", category_id, currency, kind,
                  rate_ppm, per_unit, minimum, maximum, brackets AS "brackets: Json<Vec<CommissionBracket>>", tax_rate_ppm,
                  valid_from, valid_to, ended_at, created_at, version
           FROM payments.commission_rules WHERE id = $1 FOR UPDATE"#,
        id.uuid(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.ok_or(Error::CommissionRuleNotFound)?.rule()?)
}

/// One rule.
pub(super) async fn find(
    connection: &mut PgConnection,
    id: CommissionRuleId,
) -> Result<CommissionRule, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: CommissionRuleId", position, name, store_id AS "store_id: StoreId", category_id, currency, kind,
                  rate_ppm, per_unit, minimum, maximum, brackets AS "brackets: Json<Vec<CommissionBracket>>", tax_rate_ppm,
                  valid_from, valid_to, ended_at, created_at, version
           FROM payments.commission_rules WHERE id = $1"#,
        id.uuid(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.ok_or(Error::CommissionRuleNotFound)?.rule()?)
}

/// A slice of the rules in their order, with or without those that are over.
pub(super) async fn list(
    database: &Database,
    now: OffsetDateTime,
    with_ended: bool,
    slice: &CursorRequest,
) -> Result<Slice<CommissionRule>, Error> {
    let after = slice.after.as_ref().map(Cursor::decode::<(i32, CommissionRuleId)>).transpose()?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: CommissionRuleId", position, name, store_id AS "store_id: StoreId", category_id, currency, kind,
                  rate_ppm, per_unit, minimum, maximum, brackets AS "brackets: Json<Vec<CommissionBracket>>", tax_rate_ppm,
                  valid_from, valid_to, ended_at, created_at, version
           FROM payments.commission_rules
           WHERE ($1 OR (ended_at IS NULL AND (valid_to IS NULL OR valid_to > $2)))
             AND ($3::int IS NULL OR (position, id) > ($3, $4))
           ORDER BY position, id LIMIT $5"#,
        with_ended,
        now,
        after.map(|(position, _)| position),
        after.map(|(_, id)| id.uuid()),
        i64::from(slice.first) + 1,
    )
    .fetch_all(database.lists())
    .await?;
    Ok(Slice::of(rules(rows)?, slice.first, |rule| Cursor::encode(&(rule.position, rule.id))))
}

/// The rules that can fit a sale of a store that sells in this currency, now or later, in their order.
pub(super) async fn of_store(
    database: &Database,
    store: StoreId,
    currency: Currency,
    now: OffsetDateTime,
) -> Result<Vec<CommissionRule>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: CommissionRuleId", position, name, store_id AS "store_id: StoreId", category_id, currency, kind,
                  rate_ppm, per_unit, minimum, maximum, brackets AS "brackets: Json<Vec<CommissionBracket>>", tax_rate_ppm,
                  valid_from, valid_to, ended_at, created_at, version
           FROM payments.commission_rules
           WHERE ended_at IS NULL AND (valid_to IS NULL OR valid_to > $1) AND (store_id IS NULL OR store_id = $2)
             AND (currency IS NULL OR currency = $3)
           ORDER BY position, id"#,
        now,
        store.uuid(),
        currency.code(),
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rules(rows)?)
}
