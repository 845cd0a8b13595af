//! Mail, as the API sees it.

use std::sync::Arc;

use api::mail_catcher::{Mail, MailHead, Mailbox, MailboxError};
use async_trait::async_trait;
use identity::Actor;
use notifications::{Caught, Mails};

/// The mails that were caught, for the pages of a demo.
pub(crate) struct Catcher(pub(crate) Arc<dyn Mails>);

#[async_trait]
impl Mailbox for Catcher {
    async fn list(&self) -> Result<Vec<MailHead>, MailboxError> {
        Ok(self.0.caught(&Actor::system()).await?.into_iter().map(head).collect())
    }

    async fn mail(&self, id: i64) -> Result<Option<Mail>, MailboxError> {
        let found = self.0.caught_mail(&Actor::system(), id).await?;
        Ok(found.map(|mail| Mail { head: head(mail.head), text: mail.text, html: mail.html }))
    }
}

fn head(caught: Caught) -> MailHead {
    MailHead { id: caught.id, to: caught.recipient, subject: caught.subject, at: caught.at }
}
