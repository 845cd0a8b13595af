//! Resolving exceptions: somebody says why the books differ. The provider's books are what happened to the money, so the
//! ledger is corrected by the difference, in a posting that bears the reason: afterwards both balances agree about it.

use identity::{Actor, Subject};
use platform::{Database, Money, Tx};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::exception::ExceptionState;
use super::movement::{CORRECTION, Part, REVERSAL};
use super::{ReconciliationException, ReconciliationExceptionId, exception, fetch};
use crate::Error;
use crate::ledger::{self, AccountKind, Draft, Owners, Rule};
use crate::provider::LineKind;

/// Resolves an open exception.
pub(super) async fn resolve(
    database: &Database,
    actor: &Actor,
    id: ReconciliationExceptionId,
    reason: &str,
    now: OffsetDateTime,
) -> Result<ReconciliationException, Error> {
    let mut tx = database.begin().await?;
    let found = exception::find(&mut *tx, id).await?;
    if found.state != ExceptionState::Open {
        return Err(Error::ExceptionEnded(found.state));
    }
    fetch::lock(&mut tx, &found.provider).await?;
    let (kind, by): (_, Option<Uuid>) = match actor.principal().map(|who| who.subject) {
        Some(Subject::User(id)) => ("user", Some(id.uuid())),
        Some(Subject::ApiKey(id)) => ("api_key", Some(id.uuid())),
        None => ("system", None),
    };
    let moved = sqlx::query!(
        "UPDATE payments.reconciliation_exceptions
         SET state = 'resolved', ended_at = $2, outcome = $3, actor_kind = $4, actor_id = $5
         WHERE id = $1 AND state = 'open'",
        id.uuid(),
        now,
        reason,
        kind,
        by,
    )
    .execute(&mut *tx)
    .await?;
    let resolved = exception::find(&mut *tx, id).await?;
    if moved.rows_affected() == 0 {
        return Err(Error::ExceptionEnded(resolved.state));
    }
    sqlx::query!(
        "UPDATE payments.reconciled_lines SET state = 'resolved' WHERE exception_id = $1 AND state = 'open'",
        id.uuid(),
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE payments.reconciled_entries SET state = 'resolved' WHERE exception_id = $1 AND state = 'open'",
        id.uuid(),
    )
    .execute(&mut *tx)
    .await?;
    let facts = json!({
        "kind": resolved.kind, "reason": reason, "expected": resolved.expected, "actual": resolved.actual,
    });
    tx.audit(actor.did("reconciliation.resolved", "reconciliation_exception", id).with_facts(facts));
    correct(&mut tx, &resolved, reason, now).await?;
    tx.commit(now).await?;
    Ok(resolved)
}

/// Posts the difference, and follows its entries: they are of the exception, and of no line.
async fn correct(
    tx: &mut Tx,
    resolved: &ReconciliationException,
    reason: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let owners = Owners { provider: &resolved.provider, ..Owners::default() };
    let drafts = corrections(resolved)
        .into_iter()
        .map(|(kind, Money { amount, currency })| {
            let rule = match amount > 0 {
                true => Rule::AdjustmentToProvider,
                false => Rule::AdjustmentFromProvider,
            };
            Draft::new(kind, resolved.id, currency, now).with_memo(reason.to_owned()).moving(
                rule,
                amount.saturating_abs(),
                &owners,
            )
        })
        .collect();
    ledger::post(tx, drafts, now).await?;
    sqlx::query!(
        "INSERT INTO payments.reconciled_entries (seq, line, provider, movement, subject, part, amount, currency, posted_at,
             state, exception_id)
         SELECT e.seq, e.line, $2, $3, $1, $4, e.amount, a.currency, t.posted_at, 'resolved', $1
         FROM payments.ledger_transactions t
         JOIN payments.ledger_entries e ON e.seq = t.seq
         JOIN payments.ledger_accounts a ON a.id = e.account_id
         WHERE t.reference = $1 AND t.kind IN ($5, $6) AND a.kind = $7 AND a.owner = $2",
        resolved.id.uuid(),
        resolved.provider,
        LineKind::Other.as_str(),
        Part::Correction.as_str(),
        CORRECTION,
        REVERSAL,
        AccountKind::Provider.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What the ledger lacks: the provider's movement in place of its own. In different currencies these are two.
fn corrections(resolved: &ReconciliationException) -> Vec<(&'static str, Money)> {
    match (resolved.actual, resolved.expected) {
        (Some(actual), Some(expected)) if actual.currency == expected.currency => {
            let amount = actual.amount.saturating_sub(expected.amount);
            vec![(CORRECTION, Money::new(amount, actual.currency))]
        }
        (actual, expected) => {
            let back =
                expected.map(|money| (REVERSAL, Money::new(money.amount.saturating_neg(), money.currency)));
            actual.map(|money| (CORRECTION, money)).into_iter().chain(back).collect()
        }
    }
}
