//! Telling people: mail. It hears of the other modules by their events, and nobody names it but the wiring.
//!
//! Invariants: an event is told once to each recipient; a mail that is queued is sent or, after three days of trying,
//! given up; what was sent or given up has no content any more, since some of it is secret.
//!
//! A mail is written when its event arrives ([`jobs::QueueMails`]) and leaves in a job of its own
//! ([`jobs::SendMails`]). Without a mail server it is caught: kept for a while, to be read in the browser.
mod caught;
mod error;
pub mod jobs;
mod message;
mod queue;
mod render;
mod send;
mod settings;

use std::sync::Arc;

use async_trait::async_trait;
use identity::Actor;
use platform::outbox::Delivery;
use platform::{Database, Sources};
use tokio::sync::Notify;

pub use caught::{Caught, CaughtMail};
pub use error::Error;
pub use settings::{BadSetting, Settings, Smtp};

/// The tables of this module.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Mail.
#[async_trait]
pub trait Mails: Send + Sync + 'static {
    /// Writes what these events have to tell. Those that were told before are left as they are.
    async fn tell(&self, deliveries: &[&Delivery]) -> Result<(), Error>;

    /// Sends some of the mails that are due; returns how many were sent. Without a mail server none ever is.
    async fn send_due(&self) -> Result<u64, Error>;

    /// Waits until something was queued on this node.
    async fn queued(&self);

    /// The mails that were caught, the latest first. For Souk itself: whoever wires this to a page decides who reads.
    async fn caught(&self, actor: &Actor) -> Result<Vec<Caught>, Error>;

    /// One of them with its content, if it is still there.
    async fn caught_mail(&self, actor: &Actor, id: i64) -> Result<Option<CaughtMail>, Error>;

    /// Forgets what is no longer needed; returns how many mails.
    async fn clean_up(&self) -> Result<u64, Error>;
}

/// The mail of this process.
///
/// # Panics
/// When the texts that are part of the program can not be read, which a test rules out.
pub fn service(database: Database, sources: Sources, settings: Settings) -> Arc<dyn Mails> {
    let renderer = render::Renderer::new(&settings);
    let sender = settings.smtp.clone().map(send::Sender::new);
    Arc::new(Service(Parts { database, sources, settings, renderer, sender, queued: Notify::new() }))
}

pub(crate) struct Parts {
    pub(crate) database: Database,
    pub(crate) sources: Sources,
    pub(crate) settings: Settings,
    pub(crate) renderer: render::Renderer,
    pub(crate) sender: Option<send::Sender>,
    /// Told when there is something to send.
    pub(crate) queued: Notify,
}

struct Service(Parts);

#[async_trait]
impl Mails for Service {
    async fn tell(&self, deliveries: &[&Delivery]) -> Result<(), Error> {
        queue::tell(&self.0, deliveries).await
    }

    async fn send_due(&self) -> Result<u64, Error> {
        send::send_due(&self.0).await
    }

    async fn queued(&self) {
        self.0.queued.notified().await;
    }

    async fn caught(&self, actor: &Actor) -> Result<Vec<Caught>, Error> {
        caught::list(&self.0, actor).await
    }

    async fn caught_mail(&self, actor: &Actor, id: i64) -> Result<Option<CaughtMail>, Error> {
        caught::one(&self.0, actor, id).await
    }

    async fn clean_up(&self) -> Result<u64, Error> {
        queue::clean_up(&self.0).await
    }
}
