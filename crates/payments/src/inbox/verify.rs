//! The invariants that no constraint holds.

use platform::Violation;
use time::Duration;

use super::{Parts, process};
use crate::Error;

/// How much later than it should have ended a wait counts as forgotten.
const SLACK: Duration = Duration::days(1);

/// Every event takes effect: names those that failed, and those that nobody works on.
pub(super) async fn violations(parts: &Parts) -> Result<Vec<Violation>, Error> {
    let rows = sqlx::query!(
        "SELECT provider, event_id, kind, state, last_error FROM payments.webhook_events
         WHERE state = 'failed' OR due_at < $1 ORDER BY received_at, id",
        parts.sources.now() - process::PATIENCE - SLACK,
    )
    .fetch_all(parts.database.lists())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let message = match row.state.as_str() {
                "failed" => format!("was given up: {}", row.last_error.unwrap_or_default()),
                _ => "nobody works on it".to_owned(),
            };
            let message = format!("{} {message}", row.kind);
            Violation::new(
                "payments/webhooks_processed",
                format!("{}/{}", row.provider, row.event_id),
                message,
            )
        })
        .collect())
}
