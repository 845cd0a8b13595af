//! What is told of which event, and to whom.

use identity::events::{
    EmailChangeRequested, EmailToBeVerified, MemberInvited, Notice, PasswordResetReady, RegisteredAgain,
    SecurityNoticed,
};
use platform::outbox::{Delivery, Event};

/// The events that people are told of.
pub(crate) const TOPICS: [&str; 6] = [
    EmailToBeVerified::TOPIC,
    RegisteredAgain::TOPIC,
    PasswordResetReady::TOPIC,
    SecurityNoticed::TOPIC,
    EmailChangeRequested::TOPIC,
    MemberInvited::TOPIC,
];

/// Something to tell somebody, before it has words.
pub(crate) struct Message {
    /// Whom.
    pub(crate) recipient: String,
    /// How they want to be called; empty if nobody knows.
    pub(crate) name: String,
    /// Their language (BCP 47).
    pub(crate) locale: Option<String>,
    /// Which of the texts.
    pub(crate) kind: &'static str,
    /// Where the button leads: a page of ours, with its secret.
    pub(crate) page: Option<(&'static str, Option<String>)>,
    /// The store it is about, and the role in it.
    pub(crate) store: Option<(String, &'static str)>,
}

impl Message {
    /// What to tell of this event, if anything.
    ///
    /// # Errors
    /// When it is an event of ours by name but not by content.
    pub(crate) fn of(delivery: &Delivery) -> Result<Option<Self>, serde_json::Error> {
        if let Some(event) = delivery.read::<EmailToBeVerified>()? {
            let message = Self::to(event.email, event.name, event.locale, "email_to_be_verified");
            return Ok(Some(message.page("verify", Some(event.token))));
        }
        if let Some(event) = delivery.read::<RegisteredAgain>()? {
            let message = Self::to(event.email, event.name, event.locale, "registered_again");
            return Ok(Some(message.page("reset", None)));
        }
        if let Some(event) = delivery.read::<PasswordResetReady>()? {
            let message = Self::to(event.email, event.name, event.locale, "password_reset_ready");
            return Ok(Some(message.page("reset", Some(event.token))));
        }
        if let Some(event) = delivery.read::<EmailChangeRequested>()? {
            let message = Self::to(event.email, event.name, event.locale, "email_change_requested");
            return Ok(Some(message.page("email", Some(event.token))));
        }
        if let Some(event) = delivery.read::<SecurityNoticed>()? {
            let (kind, helps) = of_notice(event.notice);
            let message = Self::to(event.email, event.name, event.locale, kind);
            return Ok(Some(if helps { message.page("reset", None) } else { message }));
        }
        let Some(event) = delivery.read::<MemberInvited>()? else { return Ok(None) };
        let message = Self::to(event.email, String::new(), None, "member_invited");
        let store = Some((event.store_name, event.role.as_str()));
        Ok(Some(Self { store, ..message.page("invitation", Some(event.token)) }))
    }

    fn to(recipient: String, name: String, locale: Option<String>, kind: &'static str) -> Self {
        Self { recipient, name, locale, kind, page: None, store: None }
    }

    fn page(self, page: &'static str, token: Option<String>) -> Self {
        Self { page: Some((page, token)), ..self }
    }
}

/// The text of a notice, and whether a new password helps whoever did not do it.
pub(crate) const fn of_notice(notice: Notice) -> (&'static str, bool) {
    match notice {
        Notice::PasswordChanged => ("password_changed", true),
        // Their mailbox is not the account's any more.
        Notice::EmailChanged => ("email_changed", false),
        Notice::NewDevice => ("new_device", true),
        Notice::SecondFactorAdded => ("second_factor_added", true),
        Notice::SecondFactorRemoved => ("second_factor_removed", true),
        Notice::RecoveryCodeUsed => ("recovery_code_used", true),
        Notice::ExternalAccountLinked => ("external_account_linked", true),
        Notice::TokenReused => ("token_reused", true),
        Notice::AccountDeleted => ("account_deleted", false),
    }
}
