//! Sending payouts: the provider is asked under the payout's id, again until it answers. What failed on its way is asked
//! for once more: then the provider takes it back from the store's account.

use platform::{Money, Tx};
use time::{Duration, OffsetDateTime};

use super::face::Desk;
use super::news::{self, Word};
use super::row;
use crate::provider::PayoutAsked;
use crate::{Error, PayoutId};

/// After this long whoever asked is taken to have come to grief.
const DEADLINE: Duration = Duration::seconds(30);
/// The provider is asked again by itself for so long. Providers forget idempotency keys after a day (Stripe: "at least 24
/// hours"), and asking then might send the money twice: from here on a person decides.
const PATIENCE: Duration = Duration::hours(20);
/// Payouts sent in one round.
pub(super) const PORTION: i64 = 100;

/// A payout that the provider is to be asked for.
struct Due {
    asked: PayoutAsked,
    asks: i32,
    /// Since when the provider may have it; none if it is known to have failed.
    since: Option<OffsetDateTime>,
}

/// Asks for payouts that wait; gives how many moved. Those of a store that is paused wait on, unless the provider may have
/// them already.
pub(super) async fn send_due(desk: &Desk, now: OffsetDateTime) -> Result<u64, Error> {
    let rows = sqlx::query!(
        r#"UPDATE payments.payouts SET due_at = $3, asked_at = coalesce(asked_at, $1), asks = asks + 1
           WHERE id IN (SELECT p.id FROM payments.payouts p
                        WHERE p.due_at <= $1 AND p.provider = $2
                          AND (p.asked_at IS NOT NULL OR NOT EXISTS (
                              SELECT FROM payments.payout_settings s
                              WHERE s.store_id = p.store_id AND s.paused IS NOT NULL))
                        ORDER BY p.due_at LIMIT $4 FOR UPDATE SKIP LOCKED)
           RETURNING id AS "id: PayoutId", account, amount, currency, attempt, asks, asked_at,
                     state = 'created' AS "waits!""#,
        now,
        desk.provider.name(),
        now + DEADLINE,
        PORTION,
    )
    .fetch_all(desk.database.pool())
    .await?;
    let mut moved = 0;
    for row in rows {
        let amount = Money::new(row.amount, row::currency(&row.currency)?);
        let asked = PayoutAsked { id: row.id, attempt: row.attempt, account: row.account, amount };
        let due = Due { asked, asks: row.asks, since: row.asked_at.filter(|_| row.waits) };
        match send(desk, &due, now).await {
            Ok(sent) => moved += u64::from(sent),
            Err(error) => tracing::warn!(payout = %row.id, %error, "a payout can not be carried on"),
        }
    }
    Ok(moved)
}

async fn send(desk: &Desk, due: &Due, now: OffsetDateTime) -> Result<bool, Error> {
    let id = due.asked.id;
    match desk.provider.pay_out(&due.asked).await {
        Ok(said) => {
            let mut tx = desk.database.begin().await?;
            news::apply(&mut tx, desk.provider.name(), Some(id), &said, now).await?;
            if due.since.is_none() {
                done(&mut tx, id).await?;
            }
            tx.commit(now).await?;
            Ok(true)
        }
        Err(error) if error.passes() => {
            tracing::warn!(payout = %id, %error, "a payout waits for its provider");
            postpone(desk, due, now).await?;
            Ok(false)
        }
        Err(error) => {
            let mut tx = desk.database.begin().await?;
            let Some((payout, _)) = row::lock(&mut tx, id).await? else { return Err(Error::NotFound) };
            news::carry(&mut tx, &payout, &Word::Refused(&error.to_string()), None, now).await?;
            if due.since.is_none() {
                tracing::warn!(payout = %id, %error, "what failed can not be taken back from the store's account");
                done(&mut tx, id).await?;
            }
            tx.commit(now).await?;
            Ok(true)
        }
    }
}

/// Tried again later: after half a minute, doubling, an hour at most; by a person's word alone once the provider may have
/// forgotten that it was asked before.
async fn postpone(desk: &Desk, due: &Due, now: OffsetDateTime) -> Result<(), Error> {
    let exponent = u32::try_from((due.asks - 1).clamp(0, 7)).unwrap_or(0);
    let next = now + (DEADLINE * 2_i32.pow(exponent)).min(Duration::HOUR);
    let next = due.since.is_none_or(|since| next - since < PATIENCE).then_some(next);
    sqlx::query!(
        "UPDATE payments.payouts SET due_at = $2 WHERE id = $1 AND due_at IS NOT NULL",
        due.asked.id.uuid(),
        next,
    )
    .execute(desk.database.pool())
    .await?;
    Ok(())
}

/// What failed is the marketplace's again at the provider too.
async fn done(tx: &mut Tx, id: PayoutId) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE payments.payouts SET due_at = NULL WHERE id = $1 AND state IN ('failed', 'returned')",
        id.uuid(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
