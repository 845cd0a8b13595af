//! Disputes: buyers who ask their bank for their money back. The provider takes it at once; until it is decided the stores
//! can not have their part, and afterwards it is theirs again or the buyer's.
mod posting;

use identity::StoreId;
use platform::{Currency, Cursor, CursorRequest, Database, Id, Money, Slice, Tx};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::events::DisputeMoved;
use crate::payment::Applied;
use crate::refund::shares_before;
use crate::sale::{self, Share};
use crate::share::taken;
use crate::{DisputeId, Error, PaymentId, ledger};

/// A payment that a buyer disputes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Dispute {
    /// Its id.
    pub id: DisputeId,
    /// The payment.
    pub payment_id: PaymentId,
    /// The order that was paid.
    pub order_id: Option<Uuid>,
    /// What the provider took until it is decided.
    pub amount: Money,
    /// What the provider keeps for it.
    pub fee: Money,
    /// The provider's word for why, such as `fraudulent`.
    #[schema(example = "fraudulent")]
    pub reason: String,
    /// `open`, `won` or `lost`.
    #[schema(example = "open")]
    pub state: String,
    /// Until when it may be answered.
    #[serde(with = "time::serde::rfc3339::option")]
    pub answer_by: Option<OffsetDateTime>,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub opened_at: OffsetDateTime,
    /// When it was decided.
    #[serde(with = "time::serde::rfc3339::option")]
    pub decided_at: Option<OffsetDateTime>,
}

/// What a notice tells of a dispute.
#[derive(Clone, Debug)]
pub(crate) struct News<'a> {
    /// The provider's name.
    pub(crate) provider: &'a str,
    /// The provider's name for the dispute.
    pub(crate) reference: &'a str,
    /// The provider's name for the payment.
    pub(crate) payment: &'a str,
    pub(crate) amount: Money,
    pub(crate) fee: i64,
    pub(crate) reason: &'a str,
    pub(crate) answer_by: Option<OffsetDateTime>,
    /// None while it is not decided.
    pub(crate) won: Option<bool>,
    /// When it happened.
    pub(crate) at: OffsetDateTime,
}

/// Writes down how a dispute stands, as part of a transaction, and posts what that moves.
pub(crate) async fn apply(tx: &mut Tx, news: &News<'_>, now: OffsetDateTime) -> Result<Applied, Error> {
    let Some(payment) = sqlx::query!(
        r#"SELECT id AS "id: PaymentId", order_id FROM payments.payments
           WHERE provider = $1 AND provider_reference = $2 FOR UPDATE"#,
        news.provider,
        news.payment,
    )
    .fetch_optional(&mut **tx)
    .await?
    else {
        return Ok(Applied::Waits(format!("there is no payment {} yet", news.payment)));
    };
    let id: DisputeId =
        Id::derived(OffsetDateTime::UNIX_EPOCH, &["payments.dispute", news.provider, news.reference]);
    let before = sqlx::query_scalar!("SELECT state FROM payments.disputes WHERE id = $1", id.uuid())
        .fetch_optional(&mut **tx)
        .await?;
    let after = match news.won {
        None => "open",
        Some(true) => "won",
        Some(false) => "lost",
    };
    let opened = match before.as_deref() {
        None => {
            let Some(order) = payment.order_id else { return Err(Error::NotFound) };
            let sold = sale::shares(tx, order).await?;
            if sold.is_empty() {
                return Ok(Applied::Waits(format!("the sale of order {order} is not posted yet")));
            }
            let back = shares_before(tx, payment.id, Id::from(Uuid::nil())).await?;
            let shares = taken(news.amount.amount, &sold, &back).ok_or(Error::SharesDiffer)?;
            insert(tx, id, payment.id, payment.order_id, news, &shares).await?;
            let draft = posting::opened(id, payment.id, news, &shares, now);
            ledger::post(tx, vec![draft], now).await?;
            true
        }
        Some("open") => false,
        Some(_) => return Ok(Applied::Ignored),
    };
    if after == "open" && !opened {
        return Ok(Applied::Ignored);
    }
    if let Some(won) = news.won {
        sqlx::query!(
            "UPDATE payments.disputes SET state = $2, decided_at = $3 WHERE id = $1",
            id.uuid(),
            after,
            now,
        )
        .execute(&mut **tx)
        .await?;
        let shares = shares(tx, id).await?;
        ledger::post(tx, vec![posting::decided(id, payment.id, news, &shares, won, now)], now).await?;
    }
    tx.publish(&DisputeMoved {
        dispute_id: id,
        payment_id: payment.id,
        order_id: payment.order_id,
        state: after.to_owned(),
    });
    Ok(Applied::Done)
}

async fn insert(
    tx: &mut Tx,
    id: DisputeId,
    payment: PaymentId,
    order: Option<Uuid>,
    news: &News<'_>,
    shares: &[Share],
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO payments.disputes (id, payment_id, order_id, provider, provider_reference, amount, currency, fee,
             reason, state, answer_by, opened_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open', $10, $11)",
        id.uuid(),
        payment.uuid(),
        order,
        news.provider,
        news.reference,
        news.amount.amount,
        news.amount.currency.code(),
        news.fee,
        news.reason,
        news.answer_by,
        news.at,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "INSERT INTO payments.dispute_shares (dispute_id, store_id, amount, commission, commission_tax)
         SELECT $1, * FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[])",
        id.uuid(),
        &shares.iter().map(|share| share.store.uuid()).collect::<Vec<_>>(),
        &shares.iter().map(|share| share.amount).collect::<Vec<_>>(),
        &shares.iter().map(|share| share.commission).collect::<Vec<_>>(),
        &shares.iter().map(|share| share.commission_tax).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn shares(tx: &mut Tx, id: DisputeId) -> Result<Vec<Share>, Error> {
    let rows = sqlx::query!(
        r#"SELECT store_id AS "store_id: StoreId", amount, commission, commission_tax
           FROM payments.dispute_shares WHERE dispute_id = $1 ORDER BY store_id"#,
        id.uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Share {
            store: row.store_id,
            amount: row.amount,
            commission: row.commission,
            commission_tax: row.commission_tax,
        })
        .collect())
}

/// Disputes over a store's sales, or all of them; the latest first.
pub(crate) async fn list(
    database: &Database,
    store: Option<StoreId>,
    slice: &CursorRequest,
) -> Result<Slice<Dispute>, Error> {
    let after = slice.after.as_ref().map(Cursor::decode::<(OffsetDateTime, DisputeId)>).transpose()?;
    let (at, id) = after.unzip();
    let rows = sqlx::query!(
        r#"SELECT id AS "id: DisputeId", payment_id AS "payment_id: PaymentId", order_id, amount, currency, fee, reason,
                  state, answer_by, opened_at, decided_at
           FROM payments.disputes d
           WHERE ($1::uuid IS NULL OR EXISTS (SELECT FROM payments.dispute_shares s
                                              WHERE s.dispute_id = d.id AND s.store_id = $1))
             AND ($2::timestamptz IS NULL OR (opened_at, id) < ($2, $3))
           ORDER BY opened_at DESC, id DESC LIMIT $4"#,
        store.map(StoreId::uuid),
        at,
        id.map(DisputeId::uuid),
        i64::from(slice.first) + 1,
    )
    .fetch_all(database.lists())
    .await?;
    let disputes = rows
        .into_iter()
        .map(|row| {
            let currency: Currency =
                row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            Ok(Dispute {
                id: row.id,
                payment_id: row.payment_id,
                order_id: row.order_id,
                amount: Money::new(row.amount, currency),
                fee: Money::new(row.fee, currency),
                reason: row.reason,
                state: row.state,
                answer_by: row.answer_by,
                opened_at: row.opened_at,
                decided_at: row.decided_at,
            })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(Slice::of(disputes, slice.first, |last| Cursor::encode(&(last.opened_at, last.id))))
}
