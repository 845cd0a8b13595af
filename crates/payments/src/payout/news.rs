//! What becomes of payouts: the provider's answer, its notices, and what people say of them. Each comes at any time and
//! any number of times.

use platform::Tx;
use time::OffsetDateTime;

use super::posting::{self, Step};
use super::{Payout, PayoutState, row};
use crate::events::PayoutMoved;
use crate::payment::Applied;
use crate::provider::{PayoutSaid, PayoutStatus};
use crate::{Error, PayoutId, ledger};

/// What is said of a payout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// The provider has it.
    Sent,
    /// It arrived.
    Paid,
    /// The provider had it, and could not send it.
    Failed(&'a str),
    /// It had arrived, and came back.
    Returned(&'a str),
    /// The provider never took it.
    Refused(&'a str),
    /// Somebody called it off before the provider was asked.
    Cancelled,
}

/// Where a payout goes by a word, and what is posted of that; none if the word is old, or of no use.
pub(super) const fn follow(state: PayoutState, word: &Word<'_>) -> Option<(PayoutState, &'static [Step])> {
    use PayoutState::{Cancelled, Created, Failed, Paid, Returned, Sent};
    Some(match (state, word) {
        (Created, Word::Sent) => (Sent, &[Step::Sent]),
        (Created, Word::Paid) => (Paid, &[Step::Sent]),
        (Created, Word::Failed(_)) => (Failed, &[Step::Sent, Step::Returned]),
        (Created, Word::Returned(_)) => (Returned, &[Step::Sent, Step::Returned]),
        (Created, Word::Refused(_)) => (Failed, &[Step::Cancelled]),
        (Created, Word::Cancelled) => (Cancelled, &[Step::Cancelled]),
        (Sent, Word::Paid) => (Paid, &[]),
        (Sent, Word::Failed(_)) => (Failed, &[Step::Returned]),
        // Its arrival is still to be told; by then it is of no use.
        (Sent, Word::Returned(_)) | (Paid, Word::Failed(_) | Word::Returned(_)) => {
            (Returned, &[Step::Returned])
        }
        _ => return None,
    })
}

/// Writes down what a provider says of a payout, as part of a transaction, and posts what that moves.
pub(crate) async fn apply(
    tx: &mut Tx,
    provider: &str,
    id: Option<PayoutId>,
    said: &PayoutSaid,
    now: OffsetDateTime,
) -> Result<Applied, Error> {
    let id = match id {
        Some(id) => id,
        None => match named(tx, provider, &said.reference).await? {
            Some(id) => id,
            // Made at the provider, past Souk: reconciliation tells of it.
            None => return Ok(Applied::Ignored),
        },
    };
    let Some((payout, _)) = row::lock(tx, id).await? else {
        return Ok(Applied::Waits(format!("there is no payout {id} yet")));
    };
    let other = payout.provider_reference.as_ref().is_some_and(|reference| *reference != said.reference);
    if payout.provider != provider || other {
        return Ok(Applied::Ignored);
    }
    let word = match &said.status {
        PayoutStatus::Sent => Word::Sent,
        PayoutStatus::Paid => Word::Paid,
        PayoutStatus::Failed(why) => Word::Failed(why),
        PayoutStatus::Returned(why) => Word::Returned(why),
    };
    sqlx::query!(
        "UPDATE payments.payouts SET provider_reference = coalesce(provider_reference, nullif($2, '')),
             arrives_at = coalesce($3, arrives_at)
         WHERE id = $1 AND (provider_reference IS NULL OR $3::timestamptz IS NOT NULL)",
        id.uuid(),
        said.reference,
        said.arrives_at,
    )
    .execute(&mut **tx)
    .await?;
    let moved = carry(tx, &payout, &word, None, now).await?;
    if moved.is_none() && !payout.state.is_live() && matches!(word, Word::Sent | Word::Paid) {
        tracing::warn!(payout = %id, state = payout.state.as_str(), "the provider sends a payout that came to nothing");
    }
    Ok(if moved.is_some() { Applied::Done } else { Applied::Ignored })
}

/// Moves a locked payout by a word, if that moves it.
pub(super) async fn carry(
    tx: &mut Tx,
    payout: &Payout,
    word: &Word<'_>,
    note: Option<&str>,
    now: OffsetDateTime,
) -> Result<Option<Payout>, Error> {
    let Some((after, steps)) = follow(payout.state, word) else { return Ok(None) };
    let failure = match word {
        Word::Failed(why) | Word::Returned(why) | Word::Refused(why) => Some(*why),
        Word::Sent | Word::Paid | Word::Cancelled => None,
    };
    let left = steps.contains(&Step::Sent);
    // What came back may lie in the store's account at the provider: asked once more, it takes it from there.
    let back = steps.contains(&Step::Returned);
    let ended = !matches!(after, PayoutState::Created | PayoutState::Sent);
    sqlx::query!(
        "UPDATE payments.payouts SET state = $2, failure = $3, note = coalesce($4, note),
             due_at = CASE WHEN $8 THEN $7::timestamptz END, sent_at = CASE WHEN $5 THEN $7 ELSE sent_at END, ended_at = CASE WHEN $6 THEN $7::timestamptz END
         WHERE id = $1",
        payout.id.uuid(),
        after.as_str(),
        failure,
        note,
        left,
        ended,
        now,
        back,
    )
    .execute(&mut **tx)
    .await?;
    if !after.is_live() {
        sqlx::query!("UPDATE payments.payout_items SET live = false WHERE payout_id = $1", payout.id.uuid())
            .execute(&mut **tx)
            .await?;
    }
    let moved = row::load(tx, payout.id).await?.ok_or(Error::NotFound)?;
    tx.publish(&PayoutMoved::of(&moved));
    let whose = (payout.store_id, payout.provider.as_str());
    let drafts =
        steps.iter().map(|step| posting::draft(*step, payout.id, whose, payout.amount, now)).collect();
    ledger::post(tx, drafts, now).await?;
    Ok(Some(moved))
}

/// The payout of this name.
async fn named(tx: &mut Tx, provider: &str, reference: &str) -> Result<Option<PayoutId>, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: PayoutId" FROM payments.payouts WHERE provider = $1 AND provider_reference = $2"#,
        provider,
        reference,
    )
    .fetch_optional(&mut **tx)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In whatever order the words of a payout come, and however often: what is posted is each step once at most, nothing
    /// comes back that had not left, and the store's money is in it or where it was.
    #[test]
    fn words_come_in_any_order() {
        let words = [
            Word::Sent,
            Word::Paid,
            Word::Failed("x"),
            Word::Returned("x"),
            Word::Refused("x"),
            Word::Cancelled,
        ];
        for number in 0..6_usize.pow(5) {
            let (mut state, mut posted) = (PayoutState::Created, vec![Step::Made]);
            for place in 0..5 {
                let word = &words[number / 6_usize.pow(place) % 6];
                if let Some((after, steps)) = follow(state, word) {
                    assert_ne!(after, state);
                    assert!(state.is_live(), "what came to nothing stays so");
                    state = after;
                    posted.extend_from_slice(steps);
                }
            }
            let mut once = posted.clone();
            once.dedup();
            assert_eq!(once, posted);
            let has = |step| posted.contains(&step);
            assert!(has(Step::Sent) || !has(Step::Returned));
            assert!(!(has(Step::Cancelled) && has(Step::Sent)));
            assert_eq!(state.is_live(), !has(Step::Cancelled) && !has(Step::Returned), "{posted:?}");
            assert_eq!(state == PayoutState::Created, posted.len() == 1);
        }
    }
}
