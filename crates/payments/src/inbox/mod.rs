//! The inbox: what providers tell unasked.
//!
//! An event is stored as it came before the provider is told that it was received; from then on it is Souk's to lose.
//! Its effect and the mark that it was processed are one transaction, so it takes effect once, however often and to however
//! many nodes it is delivered. Events of one subject are worked on one after the other, oldest first. The provider's
//! name for an event outlives the event, in the archive.
mod archive;
mod effect;
mod event;
mod jobs;
mod process;
mod receive;
mod replay;
#[cfg(test)]
mod tests;
mod turn;
mod verify;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use identity::{Actor, Permission};
use platform::changes::Watch;
use platform::{CursorRequest, Database, Slice, Sources, Tag, Violation};
use time::OffsetDateTime;
use tokio::sync::Mutex;

use crate::Error;
use crate::provider::Provider;

pub(crate) use effect::{Effect, News};
pub use event::{WebhookEvent, WebhookEventId, WebhookFilter, WebhookState};
pub use jobs::{ArchiveWebhooks, ProcessWebhooks};

/// What is needed to look at events and to replay them.
const ADMINISTERS: Permission = Permission::FinanceAdmin;

/// Announced when there is something to do.
const NEWS: Tag = Tag::topic("payments.webhooks");

/// Whether an event was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It came for the first time.
    New,
    /// It came before, and is not worked on again.
    Repeated,
}

/// Receives what providers tell unasked.
#[async_trait]
pub trait Inbox: Send + Sync + 'static {
    /// Checks the signature over the raw body, and stores the event. Once this has answered, it is not lost. It takes
    /// effect a moment later. Header names are in lower case.
    ///
    /// # Errors
    /// [`Error::UnknownProvider`], [`Error::BadSignature`] and [`Error::BadNotice`], and when it could not be stored: then
    /// the provider has to send it again.
    async fn receive(
        &self,
        provider: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Received, Error>;

    /// Works on what is due, a bounded number of events; returns how many it tried. Any number of nodes may do so at
    /// once.
    async fn process_due(&self) -> Result<u64, Error>;

    /// Comes back when there may be something to do, received by this node or another. One may wait at a time.
    async fn news(&self);

    /// Archives a portion of what is old, and takes the bodies of a portion of what is very old; returns how many.
    async fn archive(&self) -> Result<u64, Error>;

    /// Events that are not archived, the last received first.
    async fn events(
        &self,
        actor: &Actor,
        filter: &WebhookFilter,
        slice: &CursorRequest,
    ) -> Result<Slice<WebhookEvent>, Error>;

    /// Has an event worked on once more, from its raw body, also one that is archived.
    ///
    /// # Errors
    /// [`Error::WebhookNotFound`], and [`Error::WebhookGone`] when its body is.
    async fn replay(&self, actor: &Actor, provider: &str, event_id: &str) -> Result<WebhookEvent, Error>;

    /// Has the failed events that were received at or after `since` worked on once more; returns how many.
    async fn replay_failed(&self, actor: &Actor, since: OffsetDateTime) -> Result<u64, Error>;

    /// Looks for events that did not take effect and will not by themselves.
    async fn verify(&self) -> Result<Vec<Violation>, Error>;
}

/// The inbox of these providers, in this process.
pub(crate) fn service(
    database: Database,
    sources: Sources,
    providers: Vec<Arc<dyn Provider>>,
    effect: Arc<dyn Effect>,
) -> Arc<dyn Inbox> {
    let news = Mutex::new(database.changes().watch(NEWS));
    let providers = providers.into_iter().map(|provider| (provider.name(), provider)).collect();
    Arc::new(Service { parts: Arc::new(Parts { database, sources, providers, effect }), news })
}

/// What it works with.
struct Parts {
    database: Database,
    sources: Sources,
    providers: HashMap<&'static str, Arc<dyn Provider>>,
    effect: Arc<dyn Effect>,
}

struct Service {
    parts: Arc<Parts>,
    news: Mutex<Watch>,
}

#[async_trait]
impl Inbox for Service {
    async fn receive(
        &self,
        provider: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Received, Error> {
        receive::receive(&self.parts, provider, headers, body).await
    }

    async fn process_due(&self) -> Result<u64, Error> {
        process::due(&self.parts).await
    }

    async fn news(&self) {
        self.news.lock().await.changed().await;
    }

    async fn archive(&self) -> Result<u64, Error> {
        archive::archive(&self.parts).await
    }

    async fn events(
        &self,
        actor: &Actor,
        filter: &WebhookFilter,
        slice: &CursorRequest,
    ) -> Result<Slice<WebhookEvent>, Error> {
        actor.require_platform(ADMINISTERS)?;
        event::list(&self.parts.database, filter, slice).await
    }

    async fn replay(&self, actor: &Actor, provider: &str, event_id: &str) -> Result<WebhookEvent, Error> {
        actor.require_platform(ADMINISTERS)?;
        replay::one(&self.parts, actor, provider, event_id).await
    }

    async fn replay_failed(&self, actor: &Actor, since: OffsetDateTime) -> Result<u64, Error> {
        actor.require_platform(ADMINISTERS)?;
        replay::failed(&self.parts, actor, since).await
    }

    async fn verify(&self) -> Result<Vec<Violation>, Error> {
        verify::violations(&self.parts).await
    }
}
