//! Statements: what happened to a store's money, line by line, for people and for spreadsheets.
mod csv;
mod pdf;

use std::collections::BTreeMap;

use identity::StoreId;
use platform::{Currency, Database, Money};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{ItemisedPayout, Payout, row};
use crate::Error;
use crate::ledger::{Rule, StatementLine};

/// Lines that the statements of a period may have.
const MOST: i64 = 50_000;

/// The form of a statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatementFormat {
    /// For programs.
    #[default]
    Json,
    /// For spreadsheets (RFC 4180).
    Csv,
    /// For people: A4.
    Pdf,
}

/// What the lines of one posting rule come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StatementTotal {
    /// The posting rule.
    pub rule: Rule,
    /// How many lines.
    #[schema(example = 12)]
    pub lines: usize,
    /// What they come to.
    pub amount: Money,
}

/// What happened to a store's money in one currency: in a period, or in one payout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PayoutStatement)]
pub struct Statement {
    /// The store.
    pub store_id: StoreId,
    /// The payout, if it is of one.
    pub payout: Option<Payout>,
    /// From when on.
    #[serde(with = "time::serde::rfc3339::option")]
    pub from: Option<OffsetDateTime>,
    /// Before when.
    #[serde(with = "time::serde::rfc3339::option")]
    pub to: Option<OffsetDateTime>,
    /// What the store was owed before it; nothing, of a payout.
    pub opening: Money,
    /// Line by line, in the order of the books.
    pub lines: Vec<StatementLine>,
    /// By posting rule.
    pub totals: Vec<StatementTotal>,
    /// What the store is owed after it; of a payout, its amount.
    pub closing: Money,
    /// When it was made out.
    #[serde(with = "time::serde::rfc3339")]
    pub made_at: OffsetDateTime,
}

impl Statement {
    fn of(
        store_id: StoreId,
        payout: Option<Payout>,
        (from, to): (Option<OffsetDateTime>, Option<OffsetDateTime>),
        opening: Money,
        lines: Vec<StatementLine>,
        made_at: OffsetDateTime,
    ) -> Self {
        let mut by_rule: BTreeMap<Rule, (usize, i64)> = BTreeMap::new();
        for line in &lines {
            let (count, sum) = by_rule.entry(line.rule).or_default();
            (*count, *sum) = (*count + 1, *sum + line.amount.amount);
        }
        let currency = opening.currency;
        let total = |(rule, (lines, sum))| StatementTotal { rule, lines, amount: Money::new(sum, currency) };
        let totals = by_rule.into_iter().map(total).collect();
        let closing = lines.last().map_or(opening, |line| line.balance);
        Self { store_id, payout, from, to, opening, lines, totals, closing, made_at }
    }

    /// The statement of a payout.
    pub(super) fn of_payout(itemised: ItemisedPayout, made_at: OffsetDateTime) -> Self {
        let ItemisedPayout { payout, items } = itemised;
        let opening = Money::zero(payout.amount.currency);
        let mut balance = 0;
        let lines = items
            .into_iter()
            .map(|item| {
                balance += item.amount.amount;
                StatementLine {
                    transaction: item.transaction,
                    line: item.line,
                    occurred_at: item.occurred_at,
                    kind: item.kind,
                    reference: item.reference,
                    payment_id: None,
                    rule: item.rule,
                    amount: item.amount,
                    balance: Money::new(balance, opening.currency),
                    memo: None,
                }
            })
            .collect();
        Self::of(payout.store_id, Some(payout), (None, None), opening, lines, made_at)
    }
}

/// Statements as a file in this form, under the store's name.
///
/// # Errors
/// When a PDF can not be made of them.
pub(super) fn render(
    format: StatementFormat,
    name: &str,
    statements: &[Statement],
) -> Result<Vec<u8>, Error> {
    match format {
        StatementFormat::Json => Ok(serde_json::to_vec(statements).unwrap_or_default()),
        StatementFormat::Csv => csv::render(statements),
        StatementFormat::Pdf => pdf::render(name, statements),
    }
}

/// An amount as people write it, without its currency.
fn decimal(money: Money) -> String {
    let text = money.to_string();
    text.rsplit_once(' ').map_or(text.clone(), |(amount, _)| amount.to_owned())
}

/// The statements of a store in a period, by the time of writing, so that one of a time that is over stays as it is; one
/// for each currency.
pub(super) async fn of_period(
    database: &Database,
    store: StoreId,
    (from, to): (OffsetDateTime, OffsetDateTime),
    now: OffsetDateTime,
) -> Result<Vec<Statement>, Error> {
    let accounts = sqlx::query!(
        r#"SELECT a.id, a.currency,
                  (SELECT coalesce(-sum(e.amount), 0) FROM payments.ledger_entries e
                   JOIN payments.ledger_transactions t ON t.seq = e.seq
                   WHERE e.account_id = a.id AND t.posted_at < $2)::bigint AS "opening!"
           FROM payments.ledger_accounts a WHERE a.kind = 'store_payable' AND a.owner = $1 ORDER BY a.currency"#,
        store.to_string(),
        from,
    )
    .fetch_all(database.lists())
    .await?;
    let mut statements = Vec::with_capacity(accounts.len());
    for account in accounts {
        let currency = row::currency(&account.currency)?;
        let lines = lines(database, account.id, currency, account.opening, (from, to)).await?;
        let opening = Money::new(account.opening, currency);
        statements.push(Statement::of(store, None, (Some(from), Some(to)), opening, lines, now));
    }
    Ok(statements)
}

async fn lines(
    database: &Database,
    account: i64,
    currency: Currency,
    mut balance: i64,
    (from, to): (OffsetDateTime, OffsetDateTime),
) -> Result<Vec<StatementLine>, Error> {
    let rows = sqlx::query!(
        "SELECT e.seq, e.line, e.rule, e.amount, t.kind, t.reference, t.payment_id, t.memo, t.occurred_at
         FROM payments.ledger_entries e JOIN payments.ledger_transactions t ON t.seq = e.seq
         WHERE e.account_id = $1 AND t.posted_at >= $2 AND t.posted_at < $3
         ORDER BY e.seq, e.line LIMIT $4",
        account,
        from,
        to,
        MOST + 1,
    )
    .fetch_all(database.lists())
    .await?;
    if rows.len() as i64 > MOST {
        return Err(Error::invalid("to", "too_many", "that is more than 50000 lines; take a shorter time"));
    }
    rows.into_iter()
        .map(|row| {
            balance -= row.amount;
            Ok(StatementLine {
                transaction: row.seq,
                line: row.line,
                occurred_at: row.occurred_at,
                kind: row.kind,
                reference: row.reference,
                payment_id: row.payment_id,
                rule: Rule::stored(&row.rule)?,
                amount: Money::new(-row.amount, currency),
                balance: Money::new(balance, currency),
                memo: row.memo,
            })
        })
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use platform::Id;
    use time::macros::datetime;
    use uuid::Uuid;

    /// A statement of a few lines.
    pub(in crate::payout) fn example(currency: &str, lines: &[(Rule, i64)]) -> Statement {
        let currency: Currency = currency.parse().unwrap();
        let opening = Money::new(250, currency);
        let mut balance = opening.amount;
        let lines = (1..)
            .zip(lines)
            .map(|(seq, (rule, amount))| {
                balance += amount;
                StatementLine {
                    transaction: seq,
                    line: 1,
                    occurred_at: datetime!(2026-03-02 10:00 UTC) + time::Duration::hours(seq),
                    kind: rule.as_str().to_owned(),
                    reference: Uuid::from_u128(0x019a_9c2e_5d10_7c6e_9a41_0f4b_8a2d_7c11),
                    payment_id: None,
                    rule: *rule,
                    amount: Money::new(*amount, currency),
                    balance: Money::new(balance, currency),
                    memo: (*rule == Rule::AdjustmentToStore).then(|| "=goodwill, for \"Łódź\"".to_owned()),
                }
            })
            .collect();
        let between = (Some(datetime!(2026-03-01 00:00 UTC)), Some(datetime!(2026-04-01 00:00 UTC)));
        let store = Id::from(Uuid::from_u128(7));
        Statement::of(store, None, between, opening, lines, datetime!(2026-04-02 08:00 UTC))
    }

    #[test]
    fn a_statement_adds_up() {
        let lines = [(Rule::Sale, 1000), (Rule::Commission, -100), (Rule::Sale, 500), (Rule::Payout, -900)];
        let statement = example("GBP", &lines);
        let sum: i64 = statement.totals.iter().map(|total| total.amount.amount).sum();
        assert_eq!(statement.closing.amount, statement.opening.amount + sum);
        assert_eq!(
            statement.totals[0],
            StatementTotal { rule: Rule::Sale, lines: 2, amount: Money::new(1500, Currency::GBP) }
        );
        assert_eq!(example("GBP", &[]).closing, statement.opening);
    }

    #[test]
    fn amounts_have_the_decimals_of_their_currency() {
        let shown = |amount, code: &str| decimal(Money::new(amount, code.parse().unwrap()));
        assert_eq!(shown(-123_456, "GBP"), "-1234.56");
        assert_eq!(shown(1500, "JPY"), "1500");
        assert_eq!(shown(1, "KWD"), "0.001");
    }
}
