//! Exceptions: differences between the two books, for people.

use std::collections::HashMap;
use std::str::FromStr;

use platform::{Currency, Cursor, CursorRequest, Database, Money, Slice, Tx};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ExceptionKind, ReconciliationExceptionId};
use crate::Error;

/// Where an exception is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionState {
    /// The books differ.
    Open,
    /// Both books agree by now: it was only late.
    Settled,
    /// Somebody said why they differ, and the ledger was corrected by the difference.
    Resolved,
}

impl ExceptionState {
    const ALL: [Self; 3] = [Self::Open, Self::Settled, Self::Resolved];

    /// The state as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Settled => "settled",
            Self::Resolved => "resolved",
        }
    }
}

/// No state has this name.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no state of an exception")]
pub struct UnknownExceptionState(String);

impl FromStr for ExceptionState {
    type Err = UnknownExceptionState;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| UnknownExceptionState(text.to_owned()))
    }
}

/// A line of the provider's books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProviderLine {
    /// The provider's name for it.
    #[schema(example = "txn_1")]
    pub reference: String,
    /// The provider's name for what it is of.
    #[schema(example = "ch_1")]
    pub source: String,
    /// What came in, or went out if it is below zero, before the fee.
    pub amount: Money,
    /// What the provider kept.
    pub fee: Money,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// A difference between the books of a provider and the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReconciliationException {
    /// Its id.
    pub id: ReconciliationExceptionId,
    /// The provider.
    #[schema(example = "sandbox")]
    pub provider: String,
    /// How the books differ.
    pub kind: ExceptionKind,
    /// Where it is in its life.
    pub state: ExceptionState,
    /// What was moved: `charge`, `refund`, `refund_failed`, `dispute`, `dispute_reversed`, `payout`, `payout_failed`,
    /// `withdrawal` or `other`.
    #[schema(example = "charge")]
    pub movement: String,
    /// The id of the payment, refund, dispute or payout, if Souk knows it.
    pub subject_id: Option<Uuid>,
    /// The provider's line, if there is one.
    pub line: Option<ProviderLine>,
    /// The ledger transaction, if there is one.
    #[schema(example = 1234)]
    pub transaction: Option<i64>,
    /// What the ledger moved of the balance, after fees; none if it moved nothing.
    pub expected: Option<Money>,
    /// What the provider moved of it, after fees; none if it moved nothing.
    pub actual: Option<Money>,
    /// What both books say.
    pub explanation: String,
    /// What to do about it.
    pub advice: String,
    /// When it was found.
    #[serde(with = "time::serde::rfc3339")]
    pub opened_at: OffsetDateTime,
    /// When it was settled or resolved.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// How it settled, or what somebody said who resolved it.
    pub outcome: Option<String>,
    /// Who resolved it: a user's id, or that of an API key; none if it was done from the server's own shell.
    pub resolved_by: Option<Uuid>,
}

/// Which exceptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExceptionFilter {
    /// In this state.
    pub state: Option<ExceptionState>,
    /// Of this kind.
    pub kind: Option<ExceptionKind>,
}

/// What comparing says of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) kind: ExceptionKind,
    pub(super) movement: String,
    pub(super) subject: Option<Uuid>,
    pub(super) line_reference: Option<String>,
    pub(super) seq: Option<i64>,
    pub(super) expected: Option<Money>,
    pub(super) actual: Option<Money>,
    pub(super) explanation: String,
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

pub(super) fn money(amount: Option<i64>, currency: Option<String>) -> Result<Option<Money>, sqlx::Error> {
    let Some((amount, currency)) = amount.zip(currency) else { return Ok(None) };
    let currency: Currency = currency.parse().map_err(decode)?;
    Ok(Some(Money::new(amount, currency)))
}

/// Those of these exceptions that are open, as they were told.
pub(super) async fn open(tx: &mut Tx, ids: &[Uuid]) -> Result<HashMap<Uuid, Difference>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        "SELECT id, kind, movement, subject, line_reference, seq, expected, expected_currency, actual, actual_currency,
                explanation
         FROM payments.reconciliation_exceptions WHERE id = ANY($1) AND state = 'open'",
        ids,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let told = Difference {
                kind: row.kind.parse().map_err(decode)?,
                movement: row.movement,
                subject: row.subject,
                line_reference: row.line_reference,
                seq: row.seq,
                expected: money(row.expected, row.expected_currency)?,
                actual: money(row.actual, row.actual_currency)?,
                explanation: row.explanation,
            };
            Ok((row.id, told))
        })
        .collect()
}

/// Opens exceptions.
pub(super) async fn insert(
    tx: &mut Tx,
    provider: &str,
    opened: &[(Uuid, Difference)],
    now: OffsetDateTime,
) -> Result<(), Error> {
    for (id, told) in opened {
        sqlx::query!(
            "INSERT INTO payments.reconciliation_exceptions (id, provider, kind, state, movement, subject, line_reference, seq,
                 expected, expected_currency, actual, actual_currency, explanation, opened_at)
             VALUES ($1, $2, $3, 'open', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            id,
            provider,
            told.kind.as_str(),
            told.movement,
            told.subject,
            told.line_reference,
            told.seq,
            told.expected.map(|money| money.amount),
            told.expected.map(|money| money.currency.code()),
            told.actual.map(|money| money.amount),
            told.actual.map(|money| money.currency.code()),
            told.explanation,
            now,
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Tells open exceptions otherwise: more is known of them.
pub(super) async fn change(tx: &mut Tx, changed: &[(Uuid, Difference)]) -> Result<(), Error> {
    for (id, told) in changed {
        sqlx::query!(
            "UPDATE payments.reconciliation_exceptions SET kind = $2, movement = $3, subject = $4, line_reference = $5, seq = $6,
                 expected = $7, expected_currency = $8, actual = $9, actual_currency = $10, explanation = $11
             WHERE id = $1 AND state = 'open'",
            id,
            told.kind.as_str(),
            told.movement,
            told.subject,
            told.line_reference,
            told.seq,
            told.expected.map(|money| money.amount),
            told.expected.map(|money| money.currency.code()),
            told.actual.map(|money| money.amount),
            told.actual.map(|money| money.currency.code()),
            told.explanation,
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Settles exceptions, each with how that came.
pub(super) async fn settle(
    tx: &mut Tx,
    settled: &[(Uuid, String)],
    now: OffsetDateTime,
) -> Result<(), Error> {
    for (id, outcome) in settled {
        sqlx::query!(
            "UPDATE payments.reconciliation_exceptions SET state = 'settled', ended_at = $2, outcome = $3
             WHERE id = $1 AND state = 'open'",
            id,
            now,
            outcome,
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// An exception with its line, as it stands in rows.
struct Stored {
    id: ReconciliationExceptionId,
    provider: String,
    kind: String,
    state: String,
    movement: String,
    subject: Option<Uuid>,
    line_reference: Option<String>,
    source: Option<String>,
    amount: Option<i64>,
    fee: Option<i64>,
    currency: Option<String>,
    at: Option<OffsetDateTime>,
    seq: Option<i64>,
    expected: Option<i64>,
    expected_currency: Option<String>,
    actual: Option<i64>,
    actual_currency: Option<String>,
    explanation: String,
    opened_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
    outcome: Option<String>,
    actor_id: Option<Uuid>,
}

impl TryFrom<Stored> for ReconciliationException {
    type Error = Error;
    fn try_from(row: Stored) -> Result<Self, Error> {
        let kind: ExceptionKind = row.kind.parse().map_err(decode)?;
        let amount = money(row.amount, row.currency.clone())?;
        let fee = money(row.fee, row.currency)?;
        let line = match (row.line_reference, row.source, amount, fee, row.at) {
            (Some(reference), Some(source), Some(amount), Some(fee), Some(at)) => {
                Some(ProviderLine { reference, source, amount, fee, at })
            }
            _ => None,
        };
        Ok(Self {
            id: row.id,
            provider: row.provider,
            kind,
            state: row.state.parse().map_err(decode)?,
            movement: row.movement,
            subject_id: row.subject,
            line,
            transaction: row.seq,
            expected: money(row.expected, row.expected_currency)?,
            actual: money(row.actual, row.actual_currency)?,
            explanation: row.explanation,
            advice: kind.advice().to_owned(),
            opened_at: row.opened_at,
            ended_at: row.ended_at,
            outcome: row.outcome,
            resolved_by: row.actor_id,
        })
    }
}

/// Exceptions, the latest first.
pub(super) async fn list(
    database: &Database,
    filter: &ExceptionFilter,
    slice: &CursorRequest,
) -> Result<Slice<ReconciliationException>, Error> {
    let after: Option<(i128, ReconciliationExceptionId)> =
        slice.after.as_ref().map(Cursor::decode).transpose()?;
    let (at, id) = after.unzip();
    let at = at.map(OffsetDateTime::from_unix_timestamp_nanos).transpose();
    let at = at.map_err(|_| platform::page::BadCursor)?;
    let rows = sqlx::query_as!(
        Stored,
        r#"SELECT x.id AS "id: ReconciliationExceptionId", x.provider, x.kind, x.state, x.movement, x.subject,
                  x.line_reference, b.source AS "source?", b.amount AS "amount?", b.fee AS "fee?",
                  b.currency AS "currency?", b.at AS "at?", x.seq, x.expected, x.expected_currency, x.actual,
                  x.actual_currency, x.explanation, x.opened_at, x.ended_at, x.outcome, x.actor_id
           FROM payments.reconciliation_exceptions x
           LEFT JOIN payments.balance_lines b ON b.provider = x.provider AND b.reference = x.line_reference
           WHERE ($1::text IS NULL OR x.state = $1) AND ($2::text IS NULL OR x.kind = $2)
             AND ($3::timestamptz IS NULL OR (x.opened_at, x.id) < ($3, $4))
           ORDER BY x.opened_at DESC, x.id DESC LIMIT $5"#,
        filter.state.map(ExceptionState::as_str),
        filter.kind.map(ExceptionKind::as_str),
        at,
        id.map(ReconciliationExceptionId::uuid),
        i64::from(slice.first) + 1,
    )
    .fetch_all(database.lists())
    .await?;
    let found = rows.into_iter().map(ReconciliationException::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Slice::of(found, slice.first, |last| {
        Cursor::encode(&(last.opened_at.unix_timestamp_nanos(), last.id))
    }))
}

/// An exception.
pub(super) async fn find(
    executor: impl sqlx::PgExecutor<'_>,
    id: ReconciliationExceptionId,
) -> Result<ReconciliationException, Error> {
    let row = sqlx::query_as!(
        Stored,
        r#"SELECT x.id AS "id: ReconciliationExceptionId", x.provider, x.kind, x.state, x.movement, x.subject,
                  x.line_reference, b.source AS "source?", b.amount AS "amount?", b.fee AS "fee?",
                  b.currency AS "currency?", b.at AS "at?", x.seq, x.expected, x.expected_currency, x.actual,
                  x.actual_currency, x.explanation, x.opened_at, x.ended_at, x.outcome, x.actor_id
           FROM payments.reconciliation_exceptions x
           LEFT JOIN payments.balance_lines b ON b.provider = x.provider AND b.reference = x.line_reference
           WHERE x.id = $1"#,
        id.uuid(),
    )
    .fetch_optional(executor)
    .await?;
    row.ok_or(Error::NotFound)?.try_into()
}
