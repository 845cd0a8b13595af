//! Mails that did not leave because there is no mail server.

use identity::Actor;
use time::OffsetDateTime;

use crate::{Error, Parts};

/// A mail that was caught, as a list shows it.
#[derive(Clone, Debug)]
pub struct Caught {
    /// Its number.
    pub id: i64,
    /// To whom it would have gone.
    pub recipient: String,
    /// What it is about.
    pub subject: String,
    /// When it was written.
    pub at: OffsetDateTime,
}

/// A mail that was caught, whole. `Debug` hides its content, which may be secret.
#[derive(Clone)]
pub struct CaughtMail {
    /// What the list shows of it.
    pub head: Caught,
    /// As plain text.
    pub text: String,
    /// As HTML.
    pub html: String,
}

impl std::fmt::Debug for CaughtMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaughtMail").field("head", &self.head).finish_non_exhaustive()
    }
}

fn authorize(actor: &Actor) -> Result<(), Error> {
    if actor.is_system() { Ok(()) } else { Err(Error::Forbidden) }
}

pub(crate) async fn list(parts: &Parts, actor: &Actor) -> Result<Vec<Caught>, Error> {
    authorize(actor)?;
    Ok(sqlx::query_as!(
        Caught,
        "SELECT id, recipient, subject, created_at AS at FROM notifications.mails WHERE state = 'caught'
         ORDER BY id DESC",
    )
    .fetch_all(parts.database.pool())
    .await?)
}

pub(crate) async fn one(parts: &Parts, actor: &Actor, id: i64) -> Result<Option<CaughtMail>, Error> {
    authorize(actor)?;
    let row = sqlx::query!(
        "SELECT recipient, subject, created_at, text, html FROM notifications.mails WHERE id = $1 AND state = 'caught'",
        id,
    )
    .fetch_optional(parts.database.pool())
    .await?;
    Ok(row.map(|row| CaughtMail {
        head: Caught { id, recipient: row.recipient, subject: row.subject, at: row.created_at },
        text: row.text,
        html: row.html,
    }))
}
