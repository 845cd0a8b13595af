//! Reading the ledger: balances, statements, the end of the chain.

use platform::{Currency, Cursor, CursorRequest, Database, Money, Slice};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Account, AccountKind, Rule};
use crate::Error;

/// Which accounts.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Of these kinds; of all if there are none.
    pub kinds: Vec<AccountKind>,
    /// Of this owner: a provider's name, a store's id, a buyer's id; empty: the marketplace's own.
    pub owner: Option<String>,
}

/// What stands in an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Balance {
    /// What it is for.
    pub account: AccountKind,
    /// Whose it is: a provider's name, a store's id, a buyer's id. Empty: the marketplace's own.
    pub owner: String,
    /// What the owner has, is owed or has earned; below zero, what they owe.
    pub balance: Money,
    /// How many entries led there.
    #[schema(example = 42)]
    pub entries: i64,
}

/// The accounts of a selection.
pub(crate) async fn balances(database: &Database, selection: &Selection) -> Result<Vec<Balance>, Error> {
    let kinds: Vec<&str> = selection.kinds.iter().map(|kind| kind.as_str()).collect();
    let rows = sqlx::query!(
        "SELECT kind, owner, currency, balance, entries FROM payments.ledger_accounts
         WHERE (cardinality($1::text[]) = 0 OR kind = ANY($1)) AND ($2::text IS NULL OR owner = $2)
         ORDER BY kind, owner, currency",
        &kinds as &[&str],
        selection.owner,
    )
    .fetch_all(database.lists())
    .await?;
    rows.into_iter()
        .map(|row| {
            let account = AccountKind::stored(&row.kind)?;
            let balance = Money::new(account.told(row.balance), currency(&row.currency)?);
            Ok(Balance { account, owner: row.owner, balance, entries: row.entries })
        })
        .collect()
}

/// A line of an account's statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StatementLine {
    /// The ledger transaction that it is of.
    #[schema(example = 1234)]
    pub transaction: i64,
    /// Its place in that transaction.
    #[schema(example = 2)]
    pub line: i16,
    /// When it happened.
    #[serde(with = "time::serde::rfc3339")]
    pub occurred_at: OffsetDateTime,
    /// What happened.
    #[schema(example = "sale")]
    pub kind: String,
    /// To what: the id of an order, a payment, a refund, a dispute, a payout or an adjustment.
    pub reference: Uuid,
    /// The payment it has to do with.
    pub payment_id: Option<Uuid>,
    /// The posting rule that moved it.
    pub rule: Rule,
    /// What was added to the balance, or taken from it.
    pub amount: Money,
    /// The balance after it.
    pub balance: Money,
    /// The reason that somebody gave.
    pub memo: Option<String>,
}

/// A place in a statement, with the balance there: a later page needs not add up all that is before it.
#[derive(Serialize, Deserialize)]
struct Place(i64, i16, i64);

/// The currency of a statement: the account's only one, if none is named.
pub(crate) async fn currency_of(
    database: &Database,
    account: &Account,
    named: Option<Currency>,
) -> Result<Currency, Error> {
    if let Some(currency) = named {
        return Ok(currency);
    }
    let codes = sqlx::query_scalar!(
        "SELECT currency FROM payments.ledger_accounts WHERE kind = $1 AND owner = $2 ORDER BY currency",
        account.kind.as_str(),
        account.owner,
    )
    .fetch_all(database.pool())
    .await?;
    match codes.as_slice() {
        [one] => Ok(currency(one)?),
        [] => Err(Error::Invalid {
            field: "currency".to_owned(),
            code: "required",
            message: "nothing was posted to this account yet; say in which currency it is".to_owned(),
        }),
        many => Err(Error::Invalid {
            field: "currency".to_owned(),
            code: "required",
            message: format!("the account is in {}: say which", many.join(", ")),
        }),
    }
}

/// The statement of an account in a currency: what happened from `from` on and before `to`, oldest first.
pub(crate) async fn statement(
    database: &Database,
    account: &Account,
    currency: Currency,
    (from, to): (Option<OffsetDateTime>, Option<OffsetDateTime>),
    slice: &CursorRequest,
) -> Result<Slice<StatementLine>, Error> {
    let after = slice.after.as_ref().map(Cursor::decode::<Place>).transpose()?;
    let Some(id) = sqlx::query_scalar!(
        "SELECT id FROM payments.ledger_accounts WHERE kind = $1 AND owner = $2 AND currency = $3",
        account.kind.as_str(),
        account.owner,
        currency.code(),
    )
    .fetch_optional(database.pool())
    .await?
    else {
        return Ok(Slice::of(Vec::new(), slice.first, |_: &StatementLine| Cursor::encode(&())));
    };
    let Place(seq, line, mut balance) = match after {
        Some(place) => place,
        None => Place(0, 0, opening(database, id, from).await?),
    };
    let rows = sqlx::query!(
        "SELECT e.seq, e.line, e.rule, e.amount, t.kind, t.reference, t.payment_id, t.memo, t.occurred_at
         FROM payments.ledger_entries e JOIN payments.ledger_transactions t ON t.seq = e.seq
         WHERE e.account_id = $1 AND (e.seq, e.line) > ($2, $3)
           AND ($4::timestamptz IS NULL OR t.posted_at >= $4) AND ($5::timestamptz IS NULL OR t.posted_at < $5)
         ORDER BY e.seq, e.line LIMIT $6",
        id,
        seq,
        line,
        from,
        to,
        i64::from(slice.first) + 1,
    )
    .fetch_all(database.lists())
    .await?;
    let lines = rows
        .into_iter()
        .map(|row| {
            balance += row.amount;
            Ok(StatementLine {
                transaction: row.seq,
                line: row.line,
                occurred_at: row.occurred_at,
                kind: row.kind,
                reference: row.reference,
                payment_id: row.payment_id,
                rule: Rule::stored(&row.rule)?,
                amount: Money::new(account.kind.told(row.amount), currency),
                balance: Money::new(account.kind.told(balance), currency),
                memo: row.memo,
            })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let kind = account.kind;
    Ok(Slice::of(lines, slice.first, |last| {
        Cursor::encode(&Place(last.transaction, last.line, kind.told(last.balance.amount)))
    }))
}

/// The balance of an account, debit positive, before this moment.
async fn opening(database: &Database, account: i64, from: Option<OffsetDateTime>) -> Result<i64, Error> {
    let Some(from) = from else { return Ok(0) };
    let sum = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(e.amount), 0)::bigint AS "sum!"
           FROM payments.ledger_entries e JOIN payments.ledger_transactions t ON t.seq = e.seq
           WHERE e.account_id = $1 AND t.posted_at < $2"#,
        account,
        from,
    )
    .fetch_one(database.lists())
    .await?;
    Ok(sum)
}

/// The end of the chain. Kept elsewhere, it shows later that nothing was cut off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LedgerHead {
    /// How many transactions there are.
    #[schema(example = 1234)]
    pub transactions: i64,
    /// The hash of the last one, in hexadecimal.
    #[schema(example = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9")]
    pub hash: String,
}

/// The end of the chain.
pub(crate) async fn head(database: &Database) -> Result<LedgerHead, Error> {
    let row = sqlx::query!("SELECT seq, hash FROM payments.ledger_head").fetch_one(database.pool()).await?;
    let hash = row.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(LedgerHead { transactions: row.seq, hash })
}

pub(super) fn currency(code: &str) -> Result<Currency, sqlx::Error> {
    code.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
