//! `souk payouts`: sending stores their money from the server's own shell.

use anyhow::Context;
use catalog::Key;
use clap::Subcommand;
use identity::{Actor, StoreId};
use payments::{Payout, PayoutRun};
use platform::{Currency, Cursor, CursorRequest, Money, PageRequest, Slug};

use crate::app::App;

/// Sending stores their money.
#[derive(Debug, Subcommand)]
pub(crate) enum PayoutsCommand {
    /// Send payouts that wait, and make those of stores whose time has come
    Run {
        /// Make the payouts of this store instead, whatever its schedule says
        #[arg(long, value_name = "SLUG", requires = "reason")]
        store: Option<Slug>,
        /// No more than this, in minor units of the currency
        #[arg(long, requires = "currency", requires = "store", value_parser = clap::value_parser!(i64).range(1..))]
        most: Option<i64>,
        /// In this currency alone
        #[arg(long, requires = "most", value_parser = currency)]
        currency: Option<Currency>,
        /// Why, for whoever asks later
        #[arg(long, requires = "store")]
        reason: Option<String>,
    },
    /// Print payouts, the latest first
    List {
        /// Only those of this store
        #[arg(long, value_name = "SLUG")]
        store: Option<Slug>,
        /// How many at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        first: u32,
    },
}

fn currency(code: &str) -> Result<Currency, platform::money::UnknownCurrency> {
    code.parse()
}

/// Runs one of them.
pub(crate) async fn run(app: &App, command: PayoutsCommand) -> anyhow::Result<()> {
    match command {
        PayoutsCommand::Run { store: Some(store), most, currency, reason } => {
            let most = most.zip(currency).map(|(amount, currency)| Money::new(amount, currency));
            let store = find(app, &store).await?;
            let run = PayoutRun { store, most, reason: reason.unwrap_or_default() };
            app.payouts.run(&Actor::system(), &run).await?.iter().for_each(print);
        }
        PayoutsCommand::Run { store: None, .. } => {
            let moved = app.payouts.carry_on(&Actor::system()).await?;
            println!("{moved} payouts and reserves went on.");
        }
        PayoutsCommand::List { store, first } => list(app, store.as_ref(), first).await?,
    }
    Ok(())
}

async fn list(app: &App, store: Option<&Slug>, first: u32) -> anyhow::Result<()> {
    let store = match store {
        Some(slug) => Some(find(app, slug).await?),
        None => None,
    };
    let (mut left, mut after) = (first, None);
    loop {
        let slice = CursorRequest { first: left.min(PageRequest::MAX_PER_PAGE), after };
        let page = app.payouts.payouts(&Actor::system(), store, &slice).await?;
        page.data.iter().for_each(print);
        left -= u32::try_from(page.data.len()).unwrap_or(left).min(left);
        match page.page_info.end_cursor.filter(|_| page.page_info.has_next_page && left > 0) {
            Some(cursor) => after = Some(Cursor::presented(&cursor)),
            None => return Ok(()),
        }
    }
}

fn print(payout: &Payout) {
    let failure = payout.failure.as_deref().map(|why| format!("  {why}")).unwrap_or_default();
    println!(
        "{}  {}  {:>16}  {:9}  {}{failure}",
        payout.id,
        payout.created_at.date(),
        payout.amount.to_string(),
        payout.state.as_str(),
        payout.store_id,
    );
}

async fn find(app: &App, slug: &Slug) -> anyhow::Result<StoreId> {
    let store = app.catalog.store(&Actor::system(), &Key::Slug(slug.clone())).await;
    Ok(store.with_context(|| format!("the store {slug}"))?.id)
}
