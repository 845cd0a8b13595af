//! The facts this module publishes. Some carry a secret that is to be mailed: they leave the outbox once they are
//! delivered, and nobody logs them.

use platform::outbox::Event;
use serde::{Deserialize, Serialize};

use crate::{StoreId, StoreRole, UserId};

/// A mailbox has to show that it belongs to whoever registered.
#[derive(Clone, Serialize, Deserialize)]
pub struct EmailToBeVerified {
    /// Whose.
    pub email: String,
    /// How to address them.
    pub name: String,
    /// Their language (BCP 47), if they have chosen one.
    pub locale: Option<String>,
    /// To be mailed, and shown by whoever reads the mailbox.
    pub token: String,
}

/// Somebody registered with an address that has an account already. Its owner is told, and nobody else.
#[derive(Clone, Serialize, Deserialize)]
pub struct RegisteredAgain {
    /// Whose.
    pub email: String,
    /// How to address them.
    pub name: String,
    /// Their language.
    pub locale: Option<String>,
}

/// Somebody asked to reset the password of whoever has this address, if anybody has.
#[derive(Clone, Serialize, Deserialize)]
pub struct PasswordResetRequested {
    /// As it was typed.
    pub email: String,
}

/// Somebody asked for another mail to confirm this address, if it is one that waits for it.
#[derive(Clone, Serialize, Deserialize)]
pub struct VerificationRequested {
    /// As it was typed.
    pub email: String,
}

/// A password may be reset with this secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct PasswordResetReady {
    /// Whose.
    pub email: String,
    /// How to address them.
    pub name: String,
    /// Their language.
    pub locale: Option<String>,
    /// To be mailed.
    pub token: String,
}

/// What somebody is told about their account, so that they notice when it was not them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// The password is a new one.
    PasswordChanged,
    /// The address is another one; this goes to the old one.
    EmailChanged,
    /// Somebody signed in where nobody had before.
    NewDevice,
    /// A second factor was added.
    SecondFactorAdded,
    /// A second factor was removed.
    SecondFactorRemoved,
    /// A recovery code was used.
    RecoveryCodeUsed,
    /// An account elsewhere can sign in.
    ExternalAccountLinked,
    /// A refresh token was used twice, so that its session was ended.
    TokenReused,
    /// The account was deleted.
    AccountDeleted,
}

/// Something happened to an account that its owner should know of.
#[derive(Clone, Serialize, Deserialize)]
pub struct SecurityNoticed {
    /// Where they read it.
    pub email: String,
    /// How to address them.
    pub name: String,
    /// Their language.
    pub locale: Option<String>,
    /// What.
    pub notice: Notice,
}

/// An account shall get this address once the mailbox has shown that it is theirs.
#[derive(Clone, Serialize, Deserialize)]
pub struct EmailChangeRequested {
    /// The new address.
    pub email: String,
    /// How to address them.
    pub name: String,
    /// Their language.
    pub locale: Option<String>,
    /// To be mailed.
    pub token: String,
}

/// Somebody is invited to work for a store.
#[derive(Clone, Serialize, Deserialize)]
pub struct MemberInvited {
    /// Whom.
    pub email: String,
    /// The store.
    pub store_id: StoreId,
    /// Its name.
    pub store_name: String,
    /// As what.
    pub role: StoreRole,
    /// To be mailed.
    pub token: String,
}

/// An account is gone.
#[derive(Clone, Serialize, Deserialize)]
pub struct UserDeleted {
    /// Which.
    pub user_id: UserId,
}

impl Event for EmailToBeVerified {
    const TOPIC: &'static str = "identity.email_to_be_verified.v1";
}
impl Event for RegisteredAgain {
    const TOPIC: &'static str = "identity.registered_again.v1";
}
impl Event for PasswordResetRequested {
    const TOPIC: &'static str = "identity.password_reset_requested.v1";
}
impl Event for VerificationRequested {
    const TOPIC: &'static str = "identity.verification_requested.v1";
}
impl Event for PasswordResetReady {
    const TOPIC: &'static str = "identity.password_reset_ready.v1";
}
impl Event for SecurityNoticed {
    const TOPIC: &'static str = "identity.security_noticed.v1";
}
impl Event for EmailChangeRequested {
    const TOPIC: &'static str = "identity.email_change_requested.v1";
}
impl Event for MemberInvited {
    const TOPIC: &'static str = "identity.member_invited.v1";
}
impl Event for UserDeleted {
    const TOPIC: &'static str = "identity.user_deleted.v1";
}
