//! Reserves: what is kept back of a store's sales for a while, against refunds and disputes to come.
//!
//! It is kept whole for its time and then released whole, whatever was refunded meanwhile: what a refund takes, it takes
//! of what the store is owed, and if that is too little the reserve makes it good once it is released.
mod verify;

use std::collections::HashSet;

use identity::StoreId;
use platform::{Currency, Database, Id, Money, Tx};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::ledger::{self, Draft, Owners, Rule};
use crate::payout::{PayoutDefaults, settings_of};
use crate::sale::{SALE, Sale, Share};
use crate::{Error, PaymentId};

pub(crate) use verify::violations;

/// The name in the ledger of what is kept back of an order.
pub(crate) const KEPT: &str = "reserve";
/// The name of its release.
const RELEASED: &str = "reserve_release";
/// Released in one transaction.
const PORTION: i64 = 500;

/// A part of a sale that is kept back.
struct Part {
    order: Uuid,
    store: StoreId,
    payment: PaymentId,
    amount: Money,
    at: OffsetDateTime,
    release_at: OffsetDateTime,
}

/// Keeps back of these sales what their stores' settings say, as part of the transaction that wrote them: of those alone
/// that were written now.
pub(crate) async fn keep(
    tx: &mut Tx,
    defaults: &PayoutDefaults,
    sales: &[Sale],
    written: &HashSet<(&'static str, Uuid)>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let fresh: Vec<&Sale> = sales.iter().filter(|sale| written.contains(&(SALE, sale.order))).collect();
    let stores: HashSet<StoreId> =
        fresh.iter().flat_map(|sale| sale.shares.iter().map(|share| share.store)).collect();
    if stores.is_empty() {
        return Ok(());
    }
    let settings = settings_of(tx, defaults, &stores.into_iter().collect::<Vec<_>>()).await?;
    let (mut parts, mut drafts) = (Vec::new(), Vec::new());
    for sale in fresh {
        let mut draft =
            Draft::new(KEPT, Id::<Sale>::from(sale.order), sale.currency, sale.at).of_payment(sale.payment);
        for share in &sale.shares {
            let Some(settings) = settings.get(&share.store) else { continue };
            let amount = kept_of(share, settings.reserve_basis_points);
            if amount > 0 {
                let owners = Owners { store: Some(share.store), ..Owners::default() };
                draft = draft.moving(Rule::Reserve, amount, &owners);
                parts.push(Part {
                    order: sale.order,
                    store: share.store,
                    payment: sale.payment,
                    amount: Money::new(amount, sale.currency),
                    at: sale.at,
                    release_at: sale.at + Duration::days(settings.reserve_days.into()),
                });
            }
        }
        drafts.push(draft);
    }
    ledger::post(tx, drafts, now).await?;
    insert(tx, &parts).await
}

/// The rate of what a store gets of a sale, half up.
fn kept_of(share: &Share, basis_points: i16) -> i64 {
    let net = i128::from(share.amount) - i128::from(share.commission) - i128::from(share.commission_tax);
    let kept = (net.max(0) * i128::from(basis_points) + 5_000) / 10_000;
    i64::try_from(kept).unwrap_or(0)
}

async fn insert(tx: &mut Tx, parts: &[Part]) -> Result<(), Error> {
    if parts.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO payments.reserves (order_id, store_id, payment_id, amount, currency, kept_at, release_at)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::timestamptz[],
                              $7::timestamptz[])",
        &parts.iter().map(|part| part.order).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.store.uuid()).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.payment.uuid()).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.amount.amount).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.amount.currency.code()).collect::<Vec<_>>() as &[&str],
        &parts.iter().map(|part| part.at).collect::<Vec<_>>(),
        &parts.iter().map(|part| part.release_at).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Gives stores what was kept back and whose time is over; gives how many parts of sales.
pub(crate) async fn release_due(database: &Database, now: OffsetDateTime) -> Result<u64, Error> {
    let mut tx = database.begin().await?;
    let rows = sqlx::query!(
        r#"UPDATE payments.reserves r SET released_at = $1
           FROM (SELECT order_id, store_id FROM payments.reserves
                 WHERE released_at IS NULL AND release_at <= $1 ORDER BY release_at LIMIT $2
                 FOR UPDATE SKIP LOCKED) due
           WHERE r.order_id = due.order_id AND r.store_id = due.store_id
           RETURNING r.order_id, r.store_id AS "store_id: StoreId", r.payment_id AS "payment_id: PaymentId", r.amount,
                     r.currency"#,
        now,
        PORTION,
    )
    .fetch_all(&mut *tx)
    .await?;
    let drafts = rows
        .iter()
        .map(|row| {
            let currency: Currency =
                row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            let owners = Owners { store: Some(row.store_id), ..Owners::default() };
            Ok(Draft::new(RELEASED, release(row.order_id, row.store_id), currency, now)
                .of_payment(row.payment_id)
                .moving(Rule::ReserveRelease, row.amount, &owners))
        })
        .collect::<Result<Vec<_>, Error>>()?;
    ledger::post(&mut tx, drafts, now).await?;
    tx.commit(now).await?;
    Ok(rows.len() as u64)
}

/// What the release of a store's part of an order goes by: an order may have several.
fn release(order: Uuid, store: StoreId) -> Id<Part> {
    let facts = ["payments.reserve_release", &order.to_string(), &store.to_string()];
    Id::derived(OffsetDateTime::UNIX_EPOCH, &facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_part_of_what_the_store_gets() {
        let share = |amount, commission, commission_tax| Share {
            commission,
            commission_tax,
            amount,
            store: Id::from(Uuid::nil()),
        };
        assert_eq!(kept_of(&share(1000, 100, 20), 1000), 88);
        assert_eq!(kept_of(&share(5, 0, 0), 1000), 1, "half up");
        assert_eq!(kept_of(&share(4, 0, 0), 1000), 0);
        assert_eq!(kept_of(&share(1000, 100, 20), 10_000), 880);
        assert_eq!(kept_of(&share(1000, 100, 20), 0), 0);
        assert_eq!(kept_of(&share(10, 12, 0), 1000), 0, "nothing of less than nothing");
        assert_eq!(kept_of(&share(i64::MAX, 0, 0), 10_000), i64::MAX);
    }
}
