//! `souk sandbox`: what is asked of the sandbox provider for the sake of a test.

use std::sync::Arc;

use anyhow::{Context, bail};
use catalog::Key;
use clap::{ArgAction, Args, Subcommand};
use identity::{Actor, StoreId};
use payments::sandbox::{Condition, Sandbox, Target, Trial, Trigger};
use payments::{PaymentId, PayoutId, RefundId};
use platform::{Currency, Money, Slug};
use time::Duration;
use time::format_description::well_known::Rfc3339;
use url::Url;

use crate::app::App;

#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// Make something happen, such as `payment.succeeded`; a running `souk serve` is told of it within a second
    Trigger(Pull),
    /// Look at the sandbox's clock, or move it on
    #[command(subcommand)]
    Clock(ClockCommand),
    /// Look at what goes wrong on demand, or change it
    Chaos(Changes),
    /// Open a payment page for a try and print its address
    Page {
        /// How much, in minor units
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
        amount: i64,
        /// Of which currency
        #[arg(long, default_value = "GBP", value_parser = crate::cli::currency)]
        currency: Currency,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// The event: `payment.succeeded|declined|processing|voided`, `refund.succeeded|failed`, `dispute.created|won|lost`,
    /// `payout.paid|failed|returned` or `account.updated`
    event: Trigger,
    /// The payment it happens to; a refund or a dispute is of it
    #[arg(long)]
    payment: Option<PaymentId>,
    /// The refund it happens to
    #[arg(long)]
    refund: Option<RefundId>,
    /// The payout it happens to
    #[arg(long)]
    payout: Option<PayoutId>,
    /// Slug of the store to whose account it happens
    #[arg(long)]
    store: Option<Slug>,
    /// How much of a payment goes back or is disputed, in minor units; all that is left without it
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
    amount: Option<i64>,
    /// Restrict the account, or make it active
    #[arg(long, value_name = "true|false")]
    restricted: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClockCommand {
    /// Print the time by the sandbox's clock
    Show,
    /// Move the clock on; what is due by then happens within a second
    Advance {
        /// How far, such as `10s`, `30m`, `12h` or `3d`
        #[arg(value_parser = duration)]
        by: Duration,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Changes {
    /// Nothing goes wrong any more
    #[arg(long)]
    reset: bool,
    /// How long each notice waits before it is sent, such as `30s`
    #[arg(long, value_parser = duration)]
    delay: Option<Duration>,
    /// How often each notice arrives
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    copies: Option<u32>,
    /// Send notices in any order
    #[arg(long, action = ArgAction::Set, value_name = "true|false")]
    shuffle: Option<bool>,
    /// Lose so many of the next notices
    #[arg(long)]
    lose: Option<u32>,
    /// Send notices of charges that were answered at once, too
    #[arg(long, action = ArgAction::Set, value_name = "true|false")]
    tell_charges: Option<bool>,
    /// Answer nobody
    #[arg(long, action = ArgAction::Set, value_name = "true|false")]
    outage: Option<bool>,
    /// Have so many of the next refunds fail later
    #[arg(long)]
    fail_refunds: Option<u32>,
    /// Have so many of the next payouts fail
    #[arg(long)]
    fail_payouts: Option<u32>,
    /// Have accounts of stores active at once
    #[arg(long, action = ArgAction::Set, value_name = "true|false")]
    activate_accounts: Option<bool>,
}

/// A time such as `3d`.
fn duration(text: &str) -> Result<Duration, String> {
    let at = text.len() - text.chars().next_back().map_or(0, char::len_utf8);
    let (number, unit) = text.split_at(at);
    let help = || "say a number of seconds, minutes, hours or days: 10s, 30m, 12h, 3d".to_owned();
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(help()),
    };
    let number: u32 = number.parse().map_err(|_| help())?;
    Ok(Duration::seconds(i64::from(number) * seconds))
}

pub(crate) async fn run(app: &App, public_url: &Url, command: SandboxCommand) -> anyhow::Result<()> {
    let Some(sandbox) = &app.sandbox else { bail!("the sandbox is not the provider of this marketplace") };
    let system = Actor::system();
    match command {
        SandboxCommand::Trigger(pull) => {
            let target = Target {
                payment: pull.payment,
                refund: pull.refund,
                payout: pull.payout,
                store: store(app, pull.store).await?,
                amount: pull.amount,
                restricted: pull.restricted,
            };
            println!("{}", sandbox.trigger(&system, pull.event, &target).await?);
        }
        SandboxCommand::Clock(ClockCommand::Show) => clock(&sandbox.condition(&system).await?),
        SandboxCommand::Clock(ClockCommand::Advance { by }) => clock(&sandbox.advance(&system, by).await?),
        SandboxCommand::Chaos(changes) => chaos(sandbox, changes).await?,
        SandboxCommand::Page { amount, currency } => {
            let trial = Trial {
                description: "A try of the sandbox".to_owned(),
                amount: Money::new(amount, currency),
                return_url: public_url.to_string(),
                cancel_url: public_url.to_string(),
            };
            println!("{}", sandbox.open(&system, &trial).await?);
        }
    }
    Ok(())
}

fn clock(condition: &Condition) {
    let now = condition.now.replace_nanosecond(0).unwrap_or(condition.now);
    println!("{}  {} ahead", now.format(&Rfc3339).unwrap_or_default(), condition.ahead);
}

async fn chaos(sandbox: &Arc<dyn Sandbox>, changes: Changes) -> anyhow::Result<()> {
    let system = Actor::system();
    let mut chaos = match changes.reset {
        true => payments::sandbox::Chaos::default(),
        false => sandbox.condition(&system).await?.chaos,
    };
    let Changes { delay, copies, shuffle, lose, tell_charges, outage, .. } = changes;
    chaos.delay = delay.unwrap_or(chaos.delay);
    chaos.copies = copies.unwrap_or(chaos.copies);
    chaos.shuffle = shuffle.unwrap_or(chaos.shuffle);
    chaos.lose = lose.unwrap_or(chaos.lose);
    chaos.tell_charges = tell_charges.unwrap_or(chaos.tell_charges);
    chaos.outage = outage.unwrap_or(chaos.outage);
    chaos.fail_refunds = changes.fail_refunds.unwrap_or(chaos.fail_refunds);
    chaos.fail_payouts = changes.fail_payouts.unwrap_or(chaos.fail_payouts);
    chaos.activate_accounts = changes.activate_accounts.unwrap_or(chaos.activate_accounts);
    let chaos = sandbox.set_chaos(&system, &chaos).await?.chaos;
    println!("delay              {}", chaos.delay);
    println!("copies             {}", chaos.copies);
    println!("shuffle            {}", chaos.shuffle);
    println!("lose               {}", chaos.lose);
    println!("tell-charges       {}", chaos.tell_charges);
    println!("outage             {}", chaos.outage);
    println!("fail-refunds       {}", chaos.fail_refunds);
    println!("fail-payouts       {}", chaos.fail_payouts);
    println!("activate-accounts  {}", chaos.activate_accounts);
    Ok(())
}

async fn store(app: &App, slug: Option<Slug>) -> anyhow::Result<Option<StoreId>> {
    let Some(slug) = slug else { return Ok(None) };
    let name = slug.to_string();
    let found = app.catalog.store(&Actor::system(), &Key::Slug(slug)).await;
    Ok(Some(found.with_context(|| format!("there is no store {name}"))?.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times() {
        assert_eq!(duration("3d"), Ok(Duration::days(3)));
        assert_eq!(duration("90s"), Ok(Duration::seconds(90)));
        for text in ["", "3", "d", "-1d", "1.5h", "3w", "3µ"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
