//! The invariants that no constraint holds.

use platform::{Database, Violation};

use crate::Error;

/// Compares each payment with the sandbox's own books.
pub(crate) async fn violations(database: &Database) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        r#"SELECT p.id, p.state, p.amount, p.currency, c.amount AS "charged?", c.currency AS "charged_currency?",
                  c.state AS "stands?"
           FROM payments.payments p LEFT JOIN payments.sandbox_payments c ON c.idempotency_key = p.id::text
           WHERE p.provider = 'sandbox' AND p.state IN ('succeeded', 'declined', 'voided')
             AND (c.idempotency_key IS NULL AND p.state <> 'voided'
                  OR c.amount <> p.amount OR c.currency <> p.currency OR c.state <> p.state)
           ORDER BY p.id"#
    )
    .fetch_all(database.lists())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let message = match (row.charged, row.charged_currency) {
                (Some(amount), Some(currency)) => format!(
                    "{} {} {}, but the provider's books say {} {amount} {currency}",
                    row.state,
                    row.amount,
                    row.currency,
                    row.stands.as_deref().unwrap_or("nothing of")
                ),
                _ => format!("{}, but the provider knows nothing of it", row.state),
            };
            Violation::new("payments/provider_agrees", row.id, message)
        })
        .collect())
}
