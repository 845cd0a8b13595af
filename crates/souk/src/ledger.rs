//! `souk ledger`: reading and proving the books from the server's own shell.

use std::process::ExitCode;

use anyhow::{Context, bail};
use catalog::Key;
use clap::{Args, Subcommand};
use identity::Actor;
use payments::{Account, AccountKind, LedgerHead, POSTING_RULES, Selection};
use platform::{Currency, Cursor, CursorRequest, PageRequest, Slug};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::app::App;
use crate::verify;

/// Reading and proving the books.
#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Walk the whole chain and add up every account; exits with 1 when something is wrong
    Verify {
        /// An end of the chain that `souk ledger head` printed earlier: shows besides that nothing was cut off
        #[arg(long, value_name = "NUMBER:HASH", value_parser = kept)]
        head: Option<Kept>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what stands in the accounts
    Balance {
        /// Only those of this store
        #[arg(long, value_name = "SLUG")]
        store: Option<Slug>,
    },
    /// Print what happened in an account
    Statement(Statement),
    /// Post the sales of paid orders that are not in the books, such as those from before there was a ledger
    Post,
    /// Print the end of the chain, to be kept elsewhere
    Head,
    /// Print the posting rules: which account each debits and credits
    Rules,
}

/// Which account's statement.
#[derive(Debug, Args)]
pub(crate) struct Statement {
    /// The kind of account, such as store_payable, provider or commission
    #[arg(value_parser = account_kind)]
    account: AccountKind,
    /// Currency of the account
    #[arg(long, default_value = "GBP", value_parser = currency)]
    currency: Currency,
    /// Of this store, if it is a store's account
    #[arg(long, value_name = "SLUG", conflicts_with = "owner")]
    store: Option<Slug>,
    /// Whose it is otherwise: a provider's name or a buyer's id
    #[arg(long, default_value = "")]
    owner: String,
    /// From this moment on, such as 2026-11-01T00:00:00Z
    #[arg(long, value_parser = moment)]
    from: Option<OffsetDateTime>,
    /// Before this moment
    #[arg(long, value_parser = moment)]
    to: Option<OffsetDateTime>,
}

/// An end of the chain that was kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept(LedgerHead);

fn kept(text: &str) -> Result<Kept, String> {
    let (number, hash) =
        text.split_once(':').ok_or("write it as souk ledger head prints it: 1234:b94d27…")?;
    let transactions = number.parse().map_err(|_| "before the colon comes a number".to_owned())?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hash {
        return Err("behind the colon come 64 hexadecimal digits".to_owned());
    }
    Ok(Kept(LedgerHead { transactions, hash: hash.to_lowercase() }))
}

fn account_kind(text: &str) -> Result<AccountKind, String> {
    AccountKind::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
        let kinds: Vec<_> = AccountKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("one of {}", kinds.join(", "))
    })
}

fn currency(code: &str) -> Result<Currency, platform::money::UnknownCurrency> {
    code.parse()
}

fn moment(text: &str) -> Result<OffsetDateTime, time::error::Parse> {
    OffsetDateTime::parse(text, &Rfc3339)
}

/// Runs a command.
pub(crate) async fn run(app: &App, command: LedgerCommand) -> anyhow::Result<ExitCode> {
    match command {
        LedgerCommand::Verify { head, json } => {
            let violations = app.ledger.verify(head.as_ref().map(|kept| &kept.0)).await?;
            return verify::report(&violations, json);
        }
        LedgerCommand::Balance { store } => balance(app, store).await?,
        LedgerCommand::Statement(statement) => print_statement(app, statement).await?,
        LedgerCommand::Post => {
            let posted = post(app).await?;
            println!("{posted} sales posted");
        }
        LedgerCommand::Head => {
            let head = app.ledger.head(&Actor::system()).await?;
            println!("{}:{}", head.transactions, head.hash);
        }
        LedgerCommand::Rules => {
            println!("{:24}{:20}{:20}", "rule", "debits", "credits");
            for (_, rule, debit, credit) in POSTING_RULES {
                println!("{rule:24}{:20}{:20}", debit.as_str(), credit.as_str());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Posts the sales that the ledger has not got; returns how many. Those whose turn is still to come may be among them: a
/// sale is posted once, whoever comes first.
async fn post(app: &App) -> anyhow::Result<usize> {
    let (mut posted, mut after) = (0, None);
    loop {
        let orders = app.orders.settlements(after, verify::BATCH).await?;
        let Some(last) = orders.last() else { return Ok(posted) };
        after = Some(last.order_id);
        let ids: Vec<_> = orders.iter().map(|order| order.order_id).collect();
        let known = app.payments.posted_sales(&ids.iter().map(|id| id.uuid()).collect::<Vec<_>>()).await?;
        let mut sales = app.orders.sales(&ids).await?;
        sales.retain(|sale| !known.contains_key(&sale.order));
        app.payments.post_sales(&sales).await?;
        posted += sales.len();
    }
}

async fn balance(app: &App, store: Option<Slug>) -> anyhow::Result<()> {
    let owner = match store {
        Some(slug) => Some(store_id(app, &slug).await?),
        None => None,
    };
    let selection = Selection { kinds: Vec::new(), owner };
    let balances = app.ledger.balances(&Actor::system(), &selection).await?;
    if balances.is_empty() {
        println!("Nothing has been posted yet.");
    }
    for one in balances {
        println!(
            "{:20}{:38}{:>20}  {:>9} entries",
            one.account.as_str(),
            one.owner,
            one.balance.to_string(),
            one.entries
        );
    }
    Ok(())
}

async fn print_statement(app: &App, statement: Statement) -> anyhow::Result<()> {
    let owner = match &statement.store {
        Some(slug) => store_id(app, slug).await?,
        None => statement.owner,
    };
    let account = Account { kind: statement.account, owner };
    let between = (statement.from, statement.to);
    let mut after = None;
    loop {
        let slice = CursorRequest { first: PageRequest::MAX_PER_PAGE, after };
        let page = app
            .ledger
            .statement(&Actor::system(), &account, Some(statement.currency), between, &slice)
            .await?;
        for line in &page.data {
            let at = line.occurred_at.replace_nanosecond(0)?.format(&Rfc3339)?;
            println!(
                "{at}  {:>8}  {:22}{:22}{:>20}{:>20}  {}",
                line.transaction,
                line.kind,
                line.rule.as_str(),
                line.amount.to_string(),
                line.balance.to_string(),
                line.memo.as_deref().unwrap_or_default()
            );
        }
        match page.page_info.end_cursor.filter(|_| page.page_info.has_next_page) {
            Some(cursor) => after = Some(Cursor::presented(&cursor)),
            None if page.data.is_empty() => {
                bail!("nothing was posted to {account} in {} then", statement.currency)
            }
            None => return Ok(()),
        }
    }
}

async fn store_id(app: &App, slug: &Slug) -> anyhow::Result<String> {
    let store = app.catalog.store(&Actor::system(), &Key::Slug(slug.clone())).await;
    Ok(store.with_context(|| format!("the store {slug}"))?.id.to_string())
}
