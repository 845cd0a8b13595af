//! Payouts in rows.

use identity::StoreId;
use platform::{Currency, Cursor, CursorRequest, Database, Money, Slice, Tx};
use time::OffsetDateTime;

use super::{ItemisedPayout, Payout, PayoutItem, PayoutOrigin, PayoutState};
use crate::ledger::Rule;
use crate::{Error, PayoutId};

/// A payout as it stands in its row.
struct Stored {
    id: PayoutId,
    store_id: StoreId,
    amount: i64,
    currency: String,
    state: String,
    origin: String,
    attempt: i32,
    retry_of: Option<PayoutId>,
    provider: String,
    provider_reference: Option<String>,
    failure: Option<String>,
    note: Option<String>,
    arrives_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    sent_at: Option<OffsetDateTime>,
    ended_at: Option<OffsetDateTime>,
}

impl TryFrom<Stored> for Payout {
    type Error = Error;
    fn try_from(row: Stored) -> Result<Self, Error> {
        let origin = if row.origin == "manual" { PayoutOrigin::Manual } else { PayoutOrigin::Schedule };
        Ok(Self {
            id: row.id,
            store_id: row.store_id,
            amount: Money::new(row.amount, currency(&row.currency)?),
            state: PayoutState::stored(&row.state)?,
            origin,
            attempt: row.attempt,
            retry_of: row.retry_of,
            provider: row.provider,
            provider_reference: row.provider_reference,
            failure: row.failure,
            note: row.note,
            arrives_at: row.arrives_at,
            created_at: row.created_at,
            sent_at: row.sent_at,
            ended_at: row.ended_at,
        })
    }
}

pub(super) fn currency(code: &str) -> Result<Currency, sqlx::Error> {
    code.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// A payout, which nobody else moves until the transaction ends; with whether the provider was asked.
pub(super) async fn lock(tx: &mut Tx, id: PayoutId) -> Result<Option<(Payout, bool)>, Error> {
    let asked = sqlx::query_scalar!(
        r#"SELECT asked_at IS NOT NULL AS "asked!" FROM payments.payouts WHERE id = $1 FOR UPDATE"#,
        id.uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(asked) = asked else { return Ok(None) };
    Ok(Some((load(tx, id).await?.ok_or(Error::NotFound)?, asked)))
}

/// A payout.
pub(super) async fn load(connection: &mut sqlx::PgConnection, id: PayoutId) -> Result<Option<Payout>, Error> {
    sqlx::query_as!(
        Stored,
        r#"SELECT id AS "id: PayoutId", store_id AS "store_id: StoreId", amount, currency, state, origin, attempt,
                  retry_of AS "retry_of: PayoutId", provider, provider_reference, failure, note, arrives_at, created_at,
                  sent_at, ended_at
           FROM payments.payouts WHERE id = $1"#,
        id.uuid(),
    )
    .fetch_optional(connection)
    .await?
    .map(Payout::try_from)
    .transpose()
}

/// A payout with what it is made of.
pub(super) async fn itemised(database: &Database, id: PayoutId) -> Result<ItemisedPayout, Error> {
    let mut connection = database.pool().acquire().await.map_err(Error::Database)?;
    let payout = load(&mut connection, id).await?.ok_or(Error::NotFound)?;
    let rows = sqlx::query!(
        "SELECT i.seq, i.line, i.amount, e.rule, t.kind, t.reference, t.occurred_at
         FROM payments.payout_items i
         JOIN payments.ledger_entries e ON e.seq = i.seq AND e.line = i.line
         JOIN payments.ledger_transactions t ON t.seq = i.seq
         WHERE i.payout_id = $1 ORDER BY i.seq, i.line",
        id.uuid(),
    )
    .fetch_all(&mut *connection)
    .await?;
    let items = rows
        .into_iter()
        .map(|row| {
            Ok(PayoutItem {
                transaction: row.seq,
                line: row.line,
                occurred_at: row.occurred_at,
                kind: row.kind,
                reference: row.reference,
                rule: Rule::stored(&row.rule)?,
                amount: Money::new(row.amount, payout.amount.currency),
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(ItemisedPayout { payout, items })
}

/// Payouts of a store, or of all; the latest first.
pub(super) async fn list(
    database: &Database,
    store: Option<StoreId>,
    slice: &CursorRequest,
) -> Result<Slice<Payout>, Error> {
    let after: Option<(i128, PayoutId)> = slice.after.as_ref().map(Cursor::decode).transpose()?;
    let (at, id) = after.unzip();
    let at = at.map(OffsetDateTime::from_unix_timestamp_nanos).transpose();
    let at = at.map_err(|_| platform::page::BadCursor)?;
    let rows = sqlx::query_as!(
        Stored,
        r#"SELECT id AS "id: PayoutId", store_id AS "store_id: StoreId", amount, currency, state, origin, attempt,
                  retry_of AS "retry_of: PayoutId", provider, provider_reference, failure, note, arrives_at, created_at,
                  sent_at, ended_at
           FROM payments.payouts
           WHERE ($1::uuid IS NULL OR store_id = $1) AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3))
           ORDER BY created_at DESC, id DESC LIMIT $4"#,
        store.map(StoreId::uuid),
        at,
        id.map(PayoutId::uuid),
        i64::from(slice.first) + 1,
    )
    .fetch_all(database.lists())
    .await?;
    let payouts = rows.into_iter().map(Payout::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Slice::of(payouts, slice.first, |last| {
        Cursor::encode(&(last.created_at.unix_timestamp_nanos(), last.id))
    }))
}
