//! What is heard of refunds: the provider's answer, and its notices; also of those that were made at the provider.

use platform::{Id, Money, Tx};
use time::OffsetDateTime;

use super::{RefundState, posting, row, run};
use crate::events::RefundMoved;
use crate::ledger;
use crate::payment::Applied;
use crate::provider::{RefundSaid, RefundStatus};
use crate::sale::{self, Share};
use crate::share::taken;
use crate::{Error, PaymentId, RefundId};

/// Writes down how a refund stands, as part of a transaction, and posts what that moves.
pub(crate) async fn apply(
    tx: &mut Tx,
    id: RefundId,
    said: &RefundSaid,
    now: OffsetDateTime,
) -> Result<Applied, Error> {
    let there = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM payments.refunds WHERE id = $1) AS "there!""#,
        id.uuid(),
    )
    .fetch_one(&mut **tx)
    .await?;
    if !there {
        return Ok(Applied::Waits(format!("there is no refund {id} yet")));
    }
    let row = row::lock(tx, id).await?;
    let before = row.refund.state;
    let (after, failure) = match (&said.status, before) {
        (_, RefundState::Failed) => return Ok(Applied::Ignored),
        (RefundStatus::Failed(why), _) => (RefundState::Failed, Some(why.as_str())),
        (RefundStatus::Succeeded, RefundState::Created | RefundState::Pending) => {
            (RefundState::Succeeded, None)
        }
        (RefundStatus::Pending, RefundState::Created) => (RefundState::Pending, None),
        _ => return Ok(Applied::Ignored),
    };
    sqlx::query!(
        "UPDATE payments.refunds SET state = $2, failure = $3, due_at = NULL, updated_at = $5,
             provider_reference = coalesce(provider_reference, nullif($4, ''))
         WHERE id = $1",
        id.uuid(),
        after.as_str(),
        failure,
        said.reference,
        now,
    )
    .execute(&mut **tx)
    .await?;
    if after == RefundState::Failed {
        sqlx::query!(
            "UPDATE payments.payments SET refunded = refunded - $2, updated_at = $3 WHERE id = $1",
            row.refund.payment.uuid(),
            row.refund.amount.amount,
            now,
        )
        .execute(&mut **tx)
        .await?;
    }
    tx.publish(&RefundMoved {
        refund_id: id,
        payment_id: row.refund.payment,
        order_id: row.refund.order,
        state: after.as_str().to_owned(),
    });
    let drafts = match (before, after) {
        (RefundState::Created, RefundState::Failed) => Vec::new(),
        (_, RefundState::Failed) => vec![posting::failed(&row, now)],
        (RefundState::Created, _) => vec![posting::given(&row, now)],
        _ => Vec::new(),
    };
    ledger::post(tx, drafts, now).await?;
    Ok(Applied::Done)
}

/// A refund that somebody made at the provider, past Souk.
#[derive(Clone, Debug)]
pub(crate) struct External<'a> {
    /// The provider's name.
    pub(crate) provider: &'a str,
    /// The provider's name for the payment.
    pub(crate) payment: &'a str,
    /// What was given back.
    pub(crate) amount: Money,
    /// How it stands.
    pub(crate) said: &'a RefundSaid,
}

/// Writes down a refund that was made at the provider: each store's part goes by what is left of its sale.
pub(crate) async fn external(
    tx: &mut Tx,
    news: &External<'_>,
    now: OffsetDateTime,
) -> Result<Applied, Error> {
    let reference = &news.said.reference;
    let id: RefundId = known(tx, reference).await?.unwrap_or_else(|| {
        Id::derived(OffsetDateTime::UNIX_EPOCH, &["payments.external_refund", news.provider, reference])
    });
    let Some(payment) = sqlx::query!(
        r#"SELECT id AS "id: PaymentId", order_id, captured, refunded FROM payments.payments
           WHERE provider = $1 AND provider_reference = $2 FOR UPDATE"#,
        news.provider,
        news.payment,
    )
    .fetch_optional(&mut **tx)
    .await?
    else {
        return Ok(Applied::Waits(format!("there is no payment {} yet", news.payment)));
    };
    let Money { amount, currency } = news.amount;
    let written = sqlx::query!(
        "INSERT INTO payments.refunds (id, payment_id, order_id, amount, currency, state, destination, unallocated,
             origin, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 'created', 'original', false, 'provider', $6, $6) ON CONFLICT (id) DO NOTHING",
        id.uuid(),
        payment.id.uuid(),
        payment.order_id,
        amount,
        currency.code(),
        now,
    )
    .execute(&mut **tx)
    .await?;
    if written.rows_affected() > 0 {
        let Some(order) = payment.order_id else { return Err(Error::NotFound) };
        let sold = sale::shares(tx, order).await?;
        if sold.is_empty() {
            return Ok(Applied::Waits(format!("the sale of order {order} is not posted yet")));
        }
        let before = run::shares_before(tx, payment.id, id).await?;
        let shares: Vec<Share> = taken(amount, &sold, &before).ok_or(Error::SharesDiffer)?;
        row::insert_shares(tx, id, &shares).await?;
        sqlx::query!(
            "UPDATE payments.payments SET refunded = refunded + $2, updated_at = $3 WHERE id = $1",
            payment.id.uuid(),
            amount,
            now,
        )
        .execute(&mut **tx)
        .await?;
    }
    apply(tx, id, news.said, now).await
}

async fn known(tx: &mut Tx, reference: &str) -> Result<Option<RefundId>, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: RefundId" FROM payments.refunds WHERE provider_reference = $1"#,
        reference,
    )
    .fetch_optional(&mut **tx)
    .await?)
}
