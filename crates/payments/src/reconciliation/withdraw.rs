//! Withdrawals: what the marketplace takes out of a provider, or puts in. Nobody asks Souk for them, so that the provider's
//! line is what makes the posting.

use platform::{Currency, Database, Money};
use time::OffsetDateTime;

use super::movement::{self, DEPOSIT, WITHDRAWAL};
use crate::Error;
use crate::ledger::{self, Draft, Owners, Rule};

/// Posted in one transaction.
const PORTION: i64 = 100;

/// Posts the withdrawals of which the ledger knows nothing yet, each once.
pub(super) async fn post(database: &Database, provider: &str, now: OffsetDateTime) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let rows = sqlx::query!(
            "SELECT r.reference, b.amount, b.fee, b.currency, b.at
             FROM payments.reconciled_lines r JOIN payments.balance_lines b USING (provider, reference)
             WHERE r.provider = $1 AND r.movement = 'withdrawal' AND r.state = 'pending' AND r.reference > $2
             ORDER BY r.reference LIMIT $3",
            provider,
            after,
            PORTION,
        )
        .fetch_all(database.lists())
        .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after.clone_from(&last.reference);
        let drafts = rows
            .iter()
            .map(|row| {
                let currency: Currency =
                    row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
                Ok(draft(provider, &row.reference, Money::new(row.amount, currency), row.fee, row.at))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let mut tx = database.begin().await?;
        ledger::post(&mut tx, drafts, now).await?;
        tx.commit(now).await?;
    }
}

/// A fee that the provider gave back has no rule: it stays a difference.
fn draft(provider: &str, line: &str, amount: Money, fee: i64, at: OffsetDateTime) -> Draft {
    let owners = Owners { provider, ..Owners::default() };
    let (kind, rule) =
        if amount.amount < 0 { (WITHDRAWAL, Rule::Withdrawal) } else { (DEPOSIT, Rule::Deposit) };
    Draft::new(kind, movement::withdrawal(provider, line), amount.currency, at)
        .with_memo(line.to_owned())
        .moving(rule, amount.amount.saturating_abs(), &owners)
        .moving(Rule::ProcessingFee, fee.max(0), &owners)
}
