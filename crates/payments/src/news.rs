//! What providers tell, put into effect: each notice goes to what it is about.

use platform::Tx;
use time::OffsetDateTime;

use crate::payment::{self, Applied};
use crate::provider::{Change, Incoming, PayoutSaid, RefundSaid};
use crate::refund::External;
use crate::{Error, PaymentId, dispute, payout, refund};

/// Puts a notice into effect, as part of the transaction that marks it processed. Idempotent.
pub(crate) async fn apply(
    tx: &mut Tx,
    provider: &str,
    incoming: &Incoming,
    now: OffsetDateTime,
) -> Result<Applied, Error> {
    match &incoming.change {
        Change::Payment { id, amount, said } => {
            let id = match id {
                Some(id) => *id,
                None => match named(tx, provider, &said.reference).await? {
                    Some(id) => id,
                    // Made at the provider, past Souk: reconciliation tells of it.
                    None => return Ok(Applied::Ignored),
                },
            };
            payment::apply(tx, id, Some(*amount), said, now).await
        }
        Change::Refund { id: Some(id), reference, status, .. } => {
            let said = RefundSaid { reference: reference.clone(), status: status.clone() };
            refund::apply(tx, *id, &said, now).await
        }
        Change::Refund { id: None, payment, reference, amount, status } => {
            let said = RefundSaid { reference: reference.clone(), status: status.clone() };
            refund::external(tx, &External { provider, payment, amount: *amount, said: &said }, now).await
        }
        Change::Dispute { reference, payment, amount, fee, reason, answer_by, won } => {
            let news = dispute::News {
                provider,
                reference,
                payment,
                amount: *amount,
                fee: *fee,
                reason,
                answer_by: *answer_by,
                won: *won,
                at: incoming.at,
            };
            dispute::apply(tx, &news, now).await
        }
        Change::Payout { id, reference, status } => {
            let said = PayoutSaid { reference: reference.clone(), status: status.clone(), arrives_at: None };
            payout::apply(tx, provider, *id, &said, now).await
        }
        Change::Account { reference, state } => {
            payout::account_moved(tx, provider, reference, *state, now).await
        }
        Change::None => Ok(Applied::Ignored),
    }
}

/// The payment of this name.
async fn named(tx: &mut Tx, provider: &str, reference: &str) -> Result<Option<PaymentId>, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: PaymentId" FROM payments.payments WHERE provider = $1 AND provider_reference = $2"#,
        provider,
        reference,
    )
    .fetch_optional(&mut **tx)
    .await?)
}
