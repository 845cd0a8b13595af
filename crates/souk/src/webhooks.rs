//! `souk webhooks`: what payment providers told, and what became of it.

use anyhow::ensure;
use clap::{Args, Subcommand};
use identity::Actor;
use payments::{WebhookEvent, WebhookFilter, WebhookState};
use platform::{Cursor, CursorRequest, PageRequest};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::app::App;

#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// List events, the last received first
    List(List),
    /// Have events applied once more; what they brought about before is not done twice
    Replay(Replay),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Those that stand so: received, waiting, processed, ignored or failed
    #[arg(long)]
    state: Option<WebhookState>,
    /// Of this provider, such as `stripe`
    #[arg(long)]
    provider: Option<String>,
    /// Of this payment, by its id, or whatever else they are about
    #[arg(long)]
    subject: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    first: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The provider's name
    #[arg(required_unless_present = "failed_since", conflicts_with = "failed_since")]
    provider: Option<String>,
    /// The provider's name for the event
    #[arg(required_unless_present = "failed_since", conflicts_with = "failed_since")]
    event: Option<String>,
    /// All that failed and were received since then, such as 2026-11-21T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    failed_since: Option<OffsetDateTime>,
}

fn time(text: &str) -> Result<OffsetDateTime, time::error::Parse> {
    OffsetDateTime::parse(text, &Rfc3339)
}

pub(crate) async fn webhooks(app: &App, command: WebhooksCommand) -> anyhow::Result<()> {
    match command {
        WebhooksCommand::List(list) => {
            let filter = WebhookFilter { state: list.state, provider: list.provider, subject: list.subject };
            for event in events(app, &filter, list.first).await? {
                println!("{}", line(&event)?);
            }
        }
        WebhooksCommand::Replay(Replay { failed_since: Some(since), .. }) => {
            let opened = app.inbox.replay_failed(&Actor::system(), since).await?;
            println!("{opened} events are applied once more.");
            while app.inbox.process_due().await? > 0 {}
            let failed = WebhookFilter { state: Some(WebhookState::Failed), ..WebhookFilter::default() };
            let left = events(app, &failed, u32::MAX).await?;
            let left = left.iter().filter(|event| event.received_at >= since).count();
            ensure!(left == 0, "{left} of them failed again");
        }
        WebhooksCommand::Replay(replay) => {
            let (provider, name) = (replay.provider.unwrap_or_default(), replay.event.unwrap_or_default());
            let event = app.inbox.replay(&Actor::system(), &provider, &name).await?;
            while app.inbox.process_due().await? > 0 {}
            let filter =
                WebhookFilter { state: None, provider: Some(provider), subject: Some(event.subject) };
            let now = events(app, &filter, u32::MAX).await?.into_iter().find(|one| one.id == event.id);
            if let Some(event) = now {
                println!("{}", line(&event)?);
            }
        }
    }
    Ok(())
}

/// At most this many of the events that fit.
async fn events(app: &App, filter: &WebhookFilter, most: u32) -> anyhow::Result<Vec<WebhookEvent>> {
    let (mut events, mut after) = (Vec::new(), None);
    while let left @ 1.. = most.saturating_sub(u32::try_from(events.len())?) {
        let slice = CursorRequest { first: left.min(PageRequest::MAX_PER_PAGE), after };
        let page = app.inbox.events(&Actor::system(), filter, &slice).await?;
        events.extend(page.data);
        after = page.page_info.end_cursor.as_deref().map(Cursor::presented);
        if !page.page_info.has_next_page {
            break;
        }
    }
    Ok(events)
}

fn line(event: &WebhookEvent) -> anyhow::Result<String> {
    let (at, state) = (event.received_at.format(&Rfc3339)?, event.state.as_str());
    let why = event.last_error.as_deref().map(|error| format!("  {error}")).unwrap_or_default();
    let WebhookEvent { provider, event_id, kind, subject, .. } = event;
    Ok(format!("{at}  {state:9}  {provider}  {event_id}  {kind}  {subject}{why}"))
}
