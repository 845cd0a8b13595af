//! `souk reconcile`: payment providers' books and the ledger, from the server's own shell.

use anyhow::ensure;
use clap::Subcommand;
use identity::Actor;
use payments::{
    ExceptionFilter, ExceptionKind, ExceptionState, ReconciliationException, ReconciliationExceptionId,
    ReconciliationSummary,
};
use platform::{Cursor, CursorRequest, Money, PageRequest};

use crate::app::App;

/// Comparing payment providers' books with the ledger.
#[derive(Debug, Subcommand)]
pub(crate) enum ReconcileCommand {
    /// Read what is new in both books and compare it
    Run,
    /// Print how the books stand to one another
    Summary,
    /// Print differences, the latest first
    List {
        /// Only those in this state: open, settled or resolved
        #[arg(long, default_value = "open")]
        state: ExceptionState,
        /// Only those of this kind, such as amount_differs
        #[arg(long)]
        kind: Option<ExceptionKind>,
        /// How many at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        first: u32,
    },
    /// Print all about a difference, and what to do about it
    Show {
        /// Its id
        id: ReconciliationExceptionId,
    },
    /// Say why the books differ: the ledger is corrected by the difference
    Resolve {
        /// Its id
        id: ReconciliationExceptionId,
        /// Why, for whoever asks later
        #[arg(long)]
        reason: String,
    },
}

/// Runs one of them.
pub(crate) async fn run(app: &App, command: ReconcileCommand) -> anyhow::Result<()> {
    let (desk, actor) = (&app.reconciliation, Actor::system());
    match command {
        ReconcileCommand::Run => {
            for run in desk.run(&actor).await? {
                println!(
                    "{}: {} lines and {} ledger entries are new; {} lines matched, {} exceptions opened, {} settled.",
                    run.provider, run.lines, run.entries, run.matched, run.opened, run.settled
                );
            }
            desk.summary(&actor).await?.iter().for_each(print_summary);
        }
        ReconcileCommand::Summary => desk.summary(&actor).await?.iter().for_each(print_summary),
        ReconcileCommand::List { state, kind, first } => {
            list(app, &ExceptionFilter { state: Some(state), kind }, first).await?;
        }
        ReconcileCommand::Show { id } => show(&desk.exception(&actor, id).await?),
        ReconcileCommand::Resolve { id, reason } => {
            ensure!(!reason.trim().is_empty(), "say why");
            show(&desk.resolve(&actor, id, reason.trim()).await?);
        }
    }
    Ok(())
}

async fn list(app: &App, filter: &ExceptionFilter, first: u32) -> anyhow::Result<()> {
    let (mut left, mut after) = (first, None);
    loop {
        let slice = CursorRequest { first: left.min(PageRequest::MAX_PER_PAGE), after };
        let page = app.reconciliation.exceptions(&Actor::system(), filter, &slice).await?;
        page.data.iter().for_each(print);
        left -= u32::try_from(page.data.len()).unwrap_or(left).min(left);
        match page.page_info.end_cursor.filter(|_| page.page_info.has_next_page && left > 0) {
            Some(cursor) => after = Some(Cursor::presented(&cursor)),
            None => return Ok(()),
        }
    }
}

fn print_summary(one: &ReconciliationSummary) {
    println!(
        "{} {}: {} there, {} in the ledger; {} of {} lines matched, {} wait, {} exceptions open; \
         the difference is {} ({} on its way, {} in exceptions).",
        one.provider,
        one.difference.currency,
        one.provider_balance,
        one.ledger_balance,
        one.matched,
        one.lines,
        one.waiting,
        one.open,
        one.difference,
        one.in_transit,
        one.in_exceptions,
    );
}

fn print(one: &ReconciliationException) {
    println!(
        "{}  {}  {:8}  {:21}  expected {:>14}  actual {:>14}  {}",
        one.id,
        one.opened_at.date(),
        one.state.as_str(),
        one.kind.as_str(),
        money(one.expected),
        money(one.actual),
        one.subject_id.map_or_else(String::new, |id| format!("{} {id}", one.movement)),
    );
}

fn money(money: Option<Money>) -> String {
    money.map_or_else(|| "nothing".to_owned(), |money| money.to_string())
}

fn show(one: &ReconciliationException) {
    print(one);
    println!("{}", one.explanation);
    match &one.outcome {
        Some(outcome) => {
            println!("{} on {}: {outcome}", one.state.as_str(), one.ended_at.unwrap_or(one.opened_at).date());
        }
        None => println!("What to do: {}.", one.advice),
    }
}
