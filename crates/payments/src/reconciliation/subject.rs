//! Of which payment, refund, dispute or payout a line is: by Souk's id if the provider was told, and by the provider's name
//! for it. If the two are those of different things, the line says so.

use std::collections::HashMap;

use platform::Tx;
use uuid::Uuid;

use crate::Error;

/// What a line is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) id: Uuid,
    /// Whether its other name is that of something else.
    pub(super) conflicting: bool,
}

/// The next lines of which nobody knows what they are, in the order of their names; not what was told and will stay so.
pub(super) async fn unknown(
    tx: &mut Tx,
    provider: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar!(
        "SELECT reference FROM payments.reconciled_lines
         WHERE provider = $1 AND subject IS NULL AND state IN ('pending', 'open') AND reference > $2
           AND NOT (movement = 'other' AND state = 'open')
         ORDER BY reference LIMIT $3",
        provider,
        after,
        limit,
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Looks up what these lines are of, and writes it down; gives those that Souk knows by now.
pub(super) async fn find(
    tx: &mut Tx,
    provider: &str,
    lines: &[String],
) -> Result<HashMap<String, Subject>, Error> {
    let rows = sqlx::query!(
        r#"SELECT b.reference, b.ours,
               CASE WHEN b.kind = 'charge' THEN
                   (SELECT id FROM payments.payments WHERE id = b.ours AND provider = $1)
               WHEN b.kind IN ('refund', 'refund_failed') THEN
                   (SELECT r.id FROM payments.refunds r JOIN payments.payments p ON p.id = r.payment_id
                    WHERE r.id = b.ours AND p.provider = $1)
               WHEN b.kind IN ('dispute', 'dispute_reversed') THEN
                   (SELECT id FROM payments.disputes WHERE id = b.ours AND provider = $1)
               WHEN b.kind IN ('payout', 'payout_failed') THEN
                   (SELECT id FROM payments.payouts WHERE id = b.ours AND provider = $1)
               END AS by_ours,
               CASE WHEN b.kind = 'charge' THEN
                   (SELECT id FROM payments.payments WHERE provider = $1 AND provider_reference = b.source)
               WHEN b.kind IN ('refund', 'refund_failed') THEN
                   (SELECT r.id FROM payments.refunds r JOIN payments.payments p ON p.id = r.payment_id
                    WHERE r.provider_reference = b.source AND p.provider = $1)
               WHEN b.kind IN ('dispute', 'dispute_reversed') THEN
                   (SELECT id FROM payments.disputes WHERE provider = $1 AND provider_reference = b.source)
               WHEN b.kind IN ('payout', 'payout_failed') THEN
                   (SELECT id FROM payments.payouts WHERE provider = $1 AND provider_reference = b.source)
               END AS by_source
           FROM unnest($2::text[]) AS l (reference)
           JOIN payments.balance_lines b ON b.provider = $1 AND b.reference = l.reference"#,
        provider,
        lines,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut found = HashMap::new();
    for row in rows {
        if let Some(id) = row.by_ours.or(row.by_source) {
            let conflicting =
                matches!((row.ours, row.by_source), (Some(ours), Some(source)) if ours != source);
            found.insert(row.reference, Subject { id, conflicting });
        }
    }
    write(tx, provider, &found).await?;
    Ok(found)
}

async fn write(tx: &mut Tx, provider: &str, found: &HashMap<String, Subject>) -> Result<(), Error> {
    let (references, subjects): (Vec<&str>, Vec<Subject>) =
        found.iter().map(|(reference, subject)| (reference.as_str(), *subject)).unzip();
    sqlx::query!(
        "UPDATE payments.reconciled_lines r SET subject = f.subject, conflicting = f.conflicting
         FROM unnest($2::text[], $3::uuid[], $4::boolean[]) AS f (reference, subject, conflicting)
         WHERE r.provider = $1 AND r.reference = f.reference",
        provider,
        &references as &[&str],
        &subjects.iter().map(|subject| subject.id).collect::<Vec<_>>(),
        &subjects.iter().map(|subject| subject.conflicting).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
