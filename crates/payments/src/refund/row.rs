//! Refunds in rows.

use std::collections::HashMap;

use identity::{StoreId, UserId};
use platform::id::uuids;
use platform::{Currency, Database, Money, Tx};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Destination, Refund, RefundState, Refunding};
use crate::sale::Share;
use crate::{Error, PaymentId, RefundId};

/// A refund with what it takes to carry it on.
pub(super) struct Row {
    pub(super) refund: Refund,
    pub(super) destination: Destination,
    /// Of money that belongs to no order.
    pub(super) unallocated: bool,
    pub(super) attempts: i32,
    /// The provider of its payment.
    pub(super) provider: String,
    /// The provider's name for the payment.
    pub(super) payment_reference: Option<String>,
}

/// Writes a new refund and counts it against its payment; false if it is there already.
pub(super) async fn insert(
    tx: &mut Tx,
    refunding: &Refunding,
    order: Option<Uuid>,
    unallocated: bool,
    due_at: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let (destination, buyer) = match refunding.destination {
        Destination::Original => ("original", None),
        Destination::Credit(buyer) => ("credit", Some(buyer)),
    };
    let written = sqlx::query!(
        "INSERT INTO payments.refunds (id, payment_id, order_id, amount, currency, state, destination, buyer_id,
             unallocated, origin, due_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 'created', $6, $7, $8, 'souk', $9, $10, $10) ON CONFLICT (id) DO NOTHING",
        refunding.id.uuid(),
        refunding.payment.uuid(),
        order,
        refunding.amount.amount,
        refunding.amount.currency.code(),
        destination,
        buyer.map(UserId::uuid),
        unallocated,
        due_at,
        now,
    )
    .execute(&mut **tx)
    .await?;
    if written.rows_affected() == 0 {
        return Ok(false);
    }
    insert_shares(tx, refunding.id, &refunding.shares).await?;
    Ok(true)
}

pub(super) async fn insert_shares(tx: &mut Tx, refund: RefundId, shares: &[Share]) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO payments.refund_shares (refund_id, store_id, amount, commission, commission_tax)
         SELECT $1, * FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[])",
        refund.uuid(),
        &shares.iter().map(|share| share.store.uuid()).collect::<Vec<_>>(),
        &shares.iter().map(|share| share.amount).collect::<Vec<_>>(),
        &shares.iter().map(|share| share.commission).collect::<Vec<_>>(),
        &shares.iter().map(|share| share.commission_tax).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Sets what goes back of the commission.
pub(super) async fn correct_shares(tx: &mut Tx, refund: RefundId, shares: &[Share]) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE payments.refund_shares s SET commission = c.commission, commission_tax = c.commission_tax
         FROM (SELECT * FROM unnest($2::uuid[], $3::bigint[], $4::bigint[]) AS c (store_id, commission, commission_tax)) c
         WHERE s.refund_id = $1 AND s.store_id = c.store_id",
        refund.uuid(),
        &shares.iter().map(|share| share.store.uuid()).collect::<Vec<_>>(),
        &shares.iter().map(|share| share.commission).collect::<Vec<_>>(),
        &shares.iter().map(|share| share.commission_tax).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The refund, locked until the transaction ends. Its payment is locked first: everybody locks in that order.
pub(super) async fn lock(tx: &mut Tx, id: RefundId) -> Result<Row, Error> {
    sqlx::query!(
        "SELECT id FROM payments.payments
         WHERE id = (SELECT payment_id FROM payments.refunds WHERE id = $1) FOR UPDATE",
        id.uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    load(tx, id).await
}

pub(super) async fn load(tx: &mut Tx, id: RefundId) -> Result<Row, Error> {
    let row = sqlx::query!(
        r#"SELECT r.id AS "id: RefundId", r.payment_id AS "payment_id: PaymentId", r.order_id, r.amount, r.currency,
                  r.state, r.destination, r.buyer_id AS "buyer_id: UserId", r.unallocated, r.origin, r.failure,
                  r.attempts, r.created_at, p.provider, p.provider_reference
           FROM payments.refunds r JOIN payments.payments p ON p.id = r.payment_id WHERE r.id = $1"#,
        id.uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    let shares = shares(tx, &[id]).await?.remove(&id).unwrap_or_default();
    let currency: Currency = row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Row {
        destination: match (row.destination.as_str(), row.buyer_id) {
            ("credit", Some(buyer)) => Destination::Credit(buyer),
            _ => Destination::Original,
        },
        unallocated: row.unallocated,
        attempts: row.attempts,
        provider: row.provider,
        payment_reference: row.provider_reference,
        refund: Refund {
            id: row.id,
            payment: row.payment_id,
            order: row.order_id,
            amount: Money::new(row.amount, currency),
            state: RefundState::stored(&row.state)?,
            failure: row.failure,
            external: row.origin == "provider",
            created_at: row.created_at,
            shares,
        },
    })
}

/// Whose money these refunds are of.
pub(super) async fn shares(
    connection: &mut sqlx::PgConnection,
    ids: &[RefundId],
) -> Result<HashMap<RefundId, Vec<Share>>, Error> {
    let rows = sqlx::query!(
        r#"SELECT refund_id AS "refund_id: RefundId", store_id AS "store_id: StoreId", amount, commission, commission_tax
           FROM payments.refund_shares WHERE refund_id = ANY($1) ORDER BY refund_id, store_id"#,
        &uuids(ids),
    )
    .fetch_all(connection)
    .await?;
    let mut found: HashMap<RefundId, Vec<Share>> = HashMap::new();
    for row in rows {
        found.entry(row.refund_id).or_default().push(Share {
            store: row.store_id,
            amount: row.amount,
            commission: row.commission,
            commission_tax: row.commission_tax,
        });
    }
    Ok(found)
}

/// One refund.
pub(crate) async fn find(database: &Database, id: RefundId) -> Result<Refund, Error> {
    let mut tx = database.begin().await?;
    Ok(load(&mut tx, id).await?.refund)
}

/// The refunds of an order's payments, oldest first.
pub(crate) async fn of_order(database: &Database, payment: PaymentId) -> Result<Vec<Refund>, Error> {
    let mut tx = database.begin().await?;
    let ids = sqlx::query_scalar!(
        r#"SELECT id AS "id: RefundId" FROM payments.refunds WHERE payment_id = $1 ORDER BY created_at, id"#,
        payment.uuid(),
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut refunds = Vec::with_capacity(ids.len());
    for id in ids {
        refunds.push(load(&mut tx, id).await?.refund);
    }
    Ok(refunds)
}
