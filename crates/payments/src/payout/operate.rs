//! What people of the marketplace do with payouts, each with a reason that is written down.

use identity::Actor;
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::face::Desk;
use super::make::{self, PayoutRun, Wanted};
use super::news::{self, Word};
use super::{Payout, PayoutState, row};
use crate::{Error, PayoutId};

/// What somebody knows of a payout that the provider did not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PayoutMark {
    /// It arrived.
    Paid,
    /// It did not arrive, or came back: the store's money is where it was.
    Failed,
}

/// Calls off a payout that the provider was not asked for.
pub(super) async fn cancel(
    desk: &Desk,
    actor: &Actor,
    id: PayoutId,
    reason: &str,
    now: OffsetDateTime,
) -> Result<Payout, Error> {
    let mut tx = desk.database.begin().await?;
    let (payout, asked) = row::lock(&mut tx, id).await?.ok_or(Error::NotFound)?;
    if asked {
        return Err(Error::PayoutUnderWay(payout.state));
    }
    let moved = news::carry(&mut tx, &payout, &Word::Cancelled, Some(reason), now).await?;
    let moved = moved.ok_or(Error::PayoutUnderWay(payout.state))?;
    let facts = json!({"reason": reason, "amount": moved.amount});
    tx.audit(actor.did("payout.cancelled", "payout", id).in_store(payout.store_id).with_facts(facts));
    tx.commit(now).await?;
    Ok(moved)
}

/// Writes down what somebody knows of a payout. One that the provider was never asked for is called off, not marked.
pub(super) async fn mark(
    desk: &Desk,
    actor: &Actor,
    id: PayoutId,
    (mark, reason): (PayoutMark, &str),
    now: OffsetDateTime,
) -> Result<Payout, Error> {
    let mut tx = desk.database.begin().await?;
    let (payout, asked) = row::lock(&mut tx, id).await?.ok_or(Error::NotFound)?;
    let word = match (mark, payout.state) {
        (PayoutMark::Paid, _) => Word::Paid,
        (PayoutMark::Failed, PayoutState::Created) => Word::Refused(reason),
        (PayoutMark::Failed, _) => Word::Failed(reason),
    };
    if !asked {
        return Err(Error::PayoutUnderWay(payout.state));
    }
    let moved = news::carry(&mut tx, &payout, &word, Some(reason), now).await?;
    let moved = moved.ok_or(Error::PayoutUnderWay(payout.state))?;
    let facts = json!({"reason": reason, "from": payout.state, "to": moved.state});
    tx.audit(actor.did("payout.marked", "payout", id).in_store(payout.store_id).with_facts(facts));
    tx.commit(now).await?;
    Ok(moved)
}

/// Tries a payout again that came to nothing: as another one, of whatever can be paid out of its currency now, which is its
/// own entries unless something happened since. One that the provider was asked for in vain is asked for once more.
pub(super) async fn retry(
    desk: &Desk,
    actor: &Actor,
    id: PayoutId,
    reason: &str,
    now: OffsetDateTime,
) -> Result<Payout, Error> {
    let mut tx = desk.database.begin().await?;
    let (payout, asked) = row::lock(&mut tx, id).await?.ok_or(Error::NotFound)?;
    if payout.state == PayoutState::Created && asked {
        sqlx::query!("UPDATE payments.payouts SET due_at = $2 WHERE id = $1", id.uuid(), now)
            .execute(&mut *tx)
            .await?;
        let facts = json!({"reason": reason});
        tx.audit(actor.did("payout.asked_again", "payout", id).in_store(payout.store_id).with_facts(facts));
        tx.commit(now).await?;
        return Ok(payout);
    }
    let again = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM payments.payouts WHERE retry_of = $1) AS "again!""#,
        id.uuid(),
    )
    .fetch_one(&mut *tx)
    .await?;
    drop(tx);
    if payout.state.is_live() || again {
        return Err(Error::PayoutUnderWay(payout.state));
    }
    let most = Some(platform::Money::new(i64::MAX, payout.amount.currency));
    let run = PayoutRun { store: payout.store_id, most, reason: reason.to_owned() };
    let wanted = Wanted::Manual { actor, run: &run, retry: Some((id, payout.attempt + 1)) };
    let made = make::of_store(desk, payout.store_id, &wanted, now).await?;
    made.into_iter().next().ok_or(Error::NothingToPayOut)
}
