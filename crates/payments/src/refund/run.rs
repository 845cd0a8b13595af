//! Giving money back: written, asked, posted.

use platform::{Database, Id, Money, fault};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::row::{self, Row};
use super::{Destination, Refund, RefundState, Refunding, news};
use crate::ledger::{self, Draft, Owners, Rule};
use crate::provider::{Named, Provider, ProviderError, RefundAsked, RefundSaid, RefundStatus};
use crate::sale::{self, Share, processing_fee};
use crate::{Error, PaymentId, PaymentState, RefundId, payment};

/// After this long whoever began a refund is taken to have come to grief.
const DEADLINE: Duration = Duration::seconds(30);

/// Gives money back. Comes back once the provider has taken it on, or could not be reached: then it goes on by itself.
pub(crate) async fn refund(
    database: &Database,
    provider: &dyn Provider,
    refunding: &Refunding,
    now: OffsetDateTime,
) -> Result<Refund, Error> {
    write(database, refunding, false, now).await?;
    fault::point("payments.refund.written");
    carry_on(database, provider, refunding.id, now).await
}

/// Gives back all of a payment that its order can not take: it came too late, or twice. Once per payment.
pub(crate) async fn give_back(
    database: &Database,
    provider: &dyn Provider,
    id: PaymentId,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let payment = payment::find_one(database.pool(), id).await?.ok_or(Error::NotFound)?;
    if payment.state != PaymentState::Succeeded {
        return Err(Error::NotPaid(id));
    }
    let refunding = Refunding {
        id: given_back(id),
        payment: id,
        amount: payment.amount,
        shares: Vec::new(),
        destination: Destination::Original,
    };
    write(database, &refunding, true, now).await?;
    carry_on(database, provider, refunding.id, now).await?;
    Ok(())
}

/// The id of the refund of a payment that no order could take.
fn given_back(payment: PaymentId) -> RefundId {
    Id::derived(OffsetDateTime::UNIX_EPOCH, &["payments.give_back", &payment.to_string()])
}

async fn write(
    database: &Database,
    refunding: &Refunding,
    unallocated: bool,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let mut tx = database.begin().await?;
    let Some(row) = sqlx::query!(
        "SELECT order_id, provider, currency, captured, refunded, fee FROM payments.payments WHERE id = $1 FOR UPDATE",
        refunding.payment.uuid(),
    )
    .fetch_optional(&mut *tx)
    .await?
    else {
        return Err(Error::NotFound);
    };
    if !row::insert(&mut tx, refunding, row.order_id, unallocated, now + DEADLINE, now).await? {
        let there = row::load(&mut tx, refunding.id).await?.refund;
        let same = there.payment == refunding.payment && there.amount == refunding.amount;
        return if same { Ok(()) } else { Err(Error::AmountChanged) };
    }
    let disputed = disputed(&mut tx, refunding.payment).await?;
    let left = row.captured - row.refunded - disputed;
    if refunding.amount.currency.code() != row.currency || refunding.amount.amount > left {
        let currency = row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        return Err(Error::RefundTooLarge { left: Money::new(left, currency) });
    }
    let mut drafts = Vec::new();
    if unallocated {
        drafts.extend(receipt(refunding, &row.provider, row.fee, now));
    } else {
        let sold = sale::shares(&mut tx, row.order_id.ok_or(Error::NotFound)?).await?;
        if sold.is_empty() {
            return Err(Error::NotPosted);
        }
        let before = shares_before(&mut tx, refunding.payment, refunding.id).await?;
        let fitting = fitting(refunding, &sold, &before)?;
        if fitting != refunding.shares {
            row::correct_shares(&mut tx, refunding.id, &fitting).await?;
        }
    }
    sqlx::query!(
        "UPDATE payments.payments SET refunded = refunded + $2, updated_at = $3 WHERE id = $1",
        refunding.payment.uuid(),
        refunding.amount.amount,
        now,
    )
    .execute(&mut *tx)
    .await?;
    ledger::post(&mut tx, drafts, now).await?;
    tx.commit(now).await?;
    Ok(())
}

/// Money that came in and belongs to no order.
fn receipt(refunding: &Refunding, provider: &str, fee: Option<i64>, now: OffsetDateTime) -> Vec<Draft> {
    let Money { amount, currency } = refunding.amount;
    let owners = Owners { provider, ..Owners::default() };
    let receipt = Draft::new("receipt", refunding.payment, currency, now)
        .of_payment(refunding.payment)
        .moving(Rule::Receipt, amount, &owners);
    let fee = fee.map(|fee| processing_fee(refunding.payment, provider, Money::new(fee, currency), now));
    std::iter::once(receipt).chain(fee).collect()
}

/// What a buyer disputes of a payment can not be given back besides.
async fn disputed(tx: &mut platform::Tx, payment: PaymentId) -> Result<i64, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT coalesce(sum(amount), 0)::bigint AS "sum!" FROM payments.disputes
           WHERE payment_id = $1 AND state <> 'won'"#,
        payment.uuid(),
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// What went back of a payment by other refunds that did not fail, and by disputes that were not won.
pub(crate) async fn shares_before(
    tx: &mut platform::Tx,
    payment: PaymentId,
    but: RefundId,
) -> Result<Vec<Share>, Error> {
    let rows = sqlx::query!(
        r#"SELECT store_id AS "store_id!: identity::StoreId", sum(amount)::bigint AS "amount!",
                  sum(commission)::bigint AS "commission!", sum(commission_tax)::bigint AS "commission_tax!"
           FROM (SELECT s.store_id, s.amount, s.commission, s.commission_tax
                 FROM payments.refunds r JOIN payments.refund_shares s ON s.refund_id = r.id
                 WHERE r.payment_id = $1 AND r.id <> $2 AND r.state <> 'failed'
                 UNION ALL
                 SELECT s.store_id, s.amount, s.commission, s.commission_tax
                 FROM payments.disputes d JOIN payments.dispute_shares s ON s.dispute_id = d.id
                 WHERE d.payment_id = $1 AND d.state <> 'won') back
           GROUP BY store_id"#,
        payment.uuid(),
        but.uuid(),
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

/// No store gives back more than it sold; the shares are the whole. Nor does the marketplace give back more than it earned of
/// that: orders round the commission by line and know of no disputes, so that a penny may be gone already.
fn fitting(refunding: &Refunding, sold: &[Share], before: &[Share]) -> Result<Vec<Share>, Error> {
    let whole: i64 = refunding.shares.iter().map(|share| share.amount).sum();
    if whole != refunding.amount.amount {
        return Err(Error::SharesDiffer);
    }
    let fitting = |share: &Share| {
        let sold = sold.iter().find(|sold| sold.store == share.store)?;
        let before = before.iter().find(|before| before.store == share.store);
        let before = before.copied().unwrap_or(Share::none(share.store));
        (share.amount + before.amount <= sold.amount).then(|| Share {
            commission: share.commission.min(sold.commission - before.commission),
            commission_tax: share.commission_tax.min(sold.commission_tax - before.commission_tax),
            ..*share
        })
    };
    refunding.shares.iter().map(|share| fitting(share).ok_or(Error::SharesDiffer)).collect()
}

/// Asks the provider and writes down what it says.
async fn carry_on(
    database: &Database,
    provider: &dyn Provider,
    id: RefundId,
    now: OffsetDateTime,
) -> Result<Refund, Error> {
    let row = {
        let mut tx = database.begin().await?;
        row::load(&mut tx, id).await?
    };
    if row.refund.state != RefundState::Created {
        return Ok(row.refund);
    }
    let said = match ask(provider, &row, now).await {
        Ok(said) => said,
        Err(error) if error.passes() => {
            tracing::warn!(refund = %id, %error, "a refund waits for its provider");
            postpone(database, &row, now).await?;
            return Ok(row.refund);
        }
        Err(error) => {
            RefundSaid { reference: String::new(), status: RefundStatus::Failed(error.to_string()) }
        }
    };
    fault::point("payments.refund.asked");
    let mut tx = database.begin().await?;
    news::apply(&mut tx, id, &said, now).await?;
    let refund = row::load(&mut tx, id).await?.refund;
    fault::point("payments.refund.before_commit");
    tx.commit(now).await?;
    Ok(refund)
}

async fn ask(provider: &dyn Provider, row: &Row, now: OffsetDateTime) -> Result<RefundSaid, ProviderError> {
    if matches!(row.destination, Destination::Credit(_)) {
        return Ok(RefundSaid { reference: String::new(), status: RefundStatus::Succeeded });
    }
    let reference = row.payment_reference.clone().unwrap_or_default();
    provider
        .refund(&RefundAsked {
            id: row.refund.id,
            payment: Named { id: row.refund.payment, reference },
            amount: row.refund.amount,
            at: now,
        })
        .await
}

/// Tried again later: after half a minute, doubling, an hour at most.
async fn postpone(database: &Database, row: &Row, now: OffsetDateTime) -> Result<(), Error> {
    let exponent = u32::try_from(row.attempts.clamp(0, 7)).unwrap_or(0);
    let pause = (DEADLINE * 2_i32.pow(exponent)).min(Duration::HOUR);
    sqlx::query!(
        "UPDATE payments.refunds SET attempts = attempts + 1, due_at = $2 WHERE id = $1 AND state = 'created'",
        row.refund.id.uuid(),
        now + pause,
    )
    .execute(database.pool())
    .await?;
    Ok(())
}

/// Takes up refunds that nobody carries on; returns how many went on.
pub(crate) async fn carry_on_due(
    database: &Database,
    provider: &dyn Provider,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let due: Vec<Uuid> = sqlx::query_scalar!(
        "UPDATE payments.refunds SET due_at = $2
         WHERE id IN (SELECT id FROM payments.refunds WHERE due_at <= $1 ORDER BY due_at LIMIT 100
                      FOR UPDATE SKIP LOCKED)
         RETURNING id",
        now,
        now + DEADLINE,
    )
    .fetch_all(database.pool())
    .await?;
    let mut moved = 0;
    for id in due {
        match carry_on(database, provider, id.into(), now).await {
            Ok(refund) => moved += u64::from(refund.state != RefundState::Created),
            Err(error) => tracing::warn!(refund = %id, %error, "a refund can not be carried on"),
        }
    }
    Ok(moved)
}
