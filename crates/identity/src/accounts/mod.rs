//! Accounts and what belongs to them.
mod addresses;
mod directory;
mod email;
mod erase;
mod password;
mod profile;
mod register;

use async_trait::async_trait;
use platform::audit::Origin;
use platform::{Address, Currency, CursorRequest, Email, Id, Secret, Slice};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    Actor, Credentials, Error, ExternalAccount, PlatformRole, Service, Session, StoreId, StoreRole, UserId,
};

pub(crate) use email::{send_verification, wanted};
pub(crate) use erase::wipe;
pub(crate) use password::prepare_reset;
pub(crate) use profile::load;

/// Marks ids of users.
pub enum UserMark {}
/// Marks ids of addresses.
pub enum AddressMark {}
/// The id of an address in somebody's book.
pub type AddressId = Id<AddressMark>;

/// Somebody with an account.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Where they are written to.
    pub email: Email,
    /// Whether they have shown that the mailbox is theirs.
    pub email_verified: bool,
    /// How they want to be called.
    #[schema(example = "Ada Lovelace")]
    pub name: String,
    /// Their language (BCP 47); the marketplace's own if they chose none.
    #[schema(example = "en-GB")]
    pub locale: Option<String>,
    /// The currency they think in.
    pub currency: Option<Currency>,
    /// What they want to be told.
    pub preferences: Preferences,
    /// What they are to the marketplace.
    pub role: Option<PlatformRole>,
    /// What they are to stores.
    pub memberships: Vec<Membership>,
    /// Whether they can sign in with a password.
    pub has_password: bool,
    /// Whether they have a second factor.
    pub has_second_factor: bool,
    /// When they came.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the account was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Counts the changes; the entity tag.
    #[serde(skip)]
    pub version: i64,
}

/// What somebody is to a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Membership {
    /// The store.
    #[schema(value_type = uuid::Uuid)]
    pub store_id: StoreId,
    /// Their role in it.
    pub role: StoreRole,
}

/// What somebody wants to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Preferences {
    /// News of their orders, by mail.
    pub order_email: bool,
    /// Offers and news, by mail. Nobody is told who did not ask.
    pub marketing_email: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { order_email: true, marketing_email: false }
    }
}

/// Somebody who wants an account.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Where they are written to.
    pub email: Email,
    /// Their password.
    pub password: Secret,
    /// How they want to be called.
    pub name: String,
    /// Their language.
    pub locale: Option<String>,
}

/// What is to be changed of a profile; what is not named stays.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    /// How they want to be called.
    pub name: Option<String>,
    /// Their language; `Some(None)` takes the marketplace's own.
    pub locale: Option<Option<String>>,
    /// Their currency; `Some(None)` takes the marketplace's own.
    pub currency: Option<Option<Currency>>,
    /// What they want to be told.
    pub preferences: Option<Preferences>,
    /// The version that was read; a change on top of another one is refused.
    pub if_version: Option<i64>,
}

/// An address to be kept.
#[derive(Clone, Debug)]
pub struct PutAddress {
    /// What its owner calls it.
    pub label: Option<String>,
    /// The address.
    pub address: Address,
    /// Whether it is the one to be offered first.
    pub is_default: bool,
}

/// An address in somebody's book.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AddressBookEntry {
    /// Its id.
    pub id: AddressId,
    /// What its owner calls it.
    #[schema(example = "Home")]
    pub label: Option<String>,
    /// The address.
    pub address: Address,
    /// Whether it is offered first.
    pub is_default: bool,
}

/// Everything this module knows of somebody (GDPR, Article 15 and 20).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Exported {
    /// The account.
    pub user: User,
    /// Their addresses.
    pub addresses: Vec<AddressBookEntry>,
    /// Where they are signed in.
    pub sessions: Vec<Session>,
    /// With which accounts elsewhere they can sign in.
    pub external_accounts: Vec<ExternalAccount>,
    /// What they did, as the audit log has it.
    pub activity: Vec<platform::audit::Recorded>,
}

/// Whom to look for.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Part of a name, or the beginning of an address; or an id.
    pub query: Option<String>,
    /// With this role in the marketplace.
    pub role: Option<PlatformRole>,
}

/// Accounts and what belongs to them.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// Opens an account, or tells the owner of the one that has this address already. Nobody else learns which.
    async fn register(&self, origin: &Origin, account: &NewAccount) -> Result<(), Error>;

    /// Takes the secret that was mailed, and the password of the registration: the mailbox and the registration are of
    /// the same person, who can sign in now.
    async fn verify_email(&self, origin: &Origin, token: &Secret, password: &Secret) -> Result<(), Error>;

    /// Mails the secret again, if the address waits for it. Nobody learns whether it does.
    async fn resend_verification(&self, email: &Email) -> Result<(), Error>;

    /// Mails a secret with which the password can be reset, if anybody has this address. Nobody learns whether.
    async fn request_password_reset(&self, email: &Email) -> Result<(), Error>;

    /// Sets a new password with the secret that was mailed, and ends all sessions.
    async fn reset_password(&self, origin: &Origin, token: &Secret, password: &Secret) -> Result<(), Error>;

    /// Sets a new password; all other sessions end, and this one gets a new cookie.
    async fn change_password(
        &self,
        actor: &Actor,
        current: &Secret,
        new: &Secret,
    ) -> Result<Option<Credentials>, Error>;

    /// Mails a secret to a new address; with it the address becomes the account's.
    async fn request_email_change(
        &self,
        actor: &Actor,
        password: &Secret,
        email: &Email,
    ) -> Result<(), Error>;

    /// Takes the secret that was mailed to the new address, from whoever asked for the change.
    async fn confirm_email_change(&self, actor: &Actor, token: &Secret) -> Result<(), Error>;

    /// Whoever asks.
    async fn me(&self, actor: &Actor) -> Result<User, Error>;

    /// Changes the profile of whoever asks.
    async fn change_profile(&self, actor: &Actor, change: &ProfileChange) -> Result<User, Error>;

    /// The addresses of whoever asks, the default first.
    async fn addresses(&self, actor: &Actor) -> Result<Vec<AddressBookEntry>, Error>;

    /// Keeps an address, new or in place of the one with this id.
    async fn put_address(
        &self,
        actor: &Actor,
        id: Option<AddressId>,
        put: &PutAddress,
    ) -> Result<AddressBookEntry, Error>;

    /// Forgets an address.
    async fn delete_address(&self, actor: &Actor, id: AddressId) -> Result<(), Error>;

    /// All that is known of whoever asks.
    async fn export(&self, actor: &Actor) -> Result<Exported, Error>;

    /// Deletes the account of whoever asks, who confirms it with their password (or, without one, with a session that
    /// began within the last 10 minutes). What they did stays in the books; who they were does not.
    async fn delete(&self, actor: &Actor, password: Option<&Secret>) -> Result<(), Error>;

    /// Accounts, by address.
    async fn users(
        &self,
        actor: &Actor,
        who: &Directory,
        slice: &CursorRequest,
    ) -> Result<Slice<User>, Error>;

    /// One account.
    async fn user(&self, actor: &Actor, user: UserId) -> Result<User, Error>;

    /// One account, by its address.
    async fn user_by_email(&self, actor: &Actor, email: &Email) -> Result<User, Error>;

    /// Gives a role in the marketplace, or takes it away; their sessions end.
    async fn set_role(&self, actor: &Actor, user: UserId, role: Option<PlatformRole>) -> Result<User, Error>;

    /// Opens an account whose address is taken as confirmed. At the server's own shell only.
    async fn create(&self, actor: &Actor, account: &NewAccount) -> Result<User, Error>;

    /// Makes a secret with which a password can be reset, for whoever helps its owner, and takes away second factors
    /// if asked to. At the server's own shell only.
    async fn reset(&self, actor: &Actor, user: UserId, second_factors: bool) -> Result<Secret, Error>;
}

#[async_trait]
impl Accounts for Service {
    async fn register(&self, origin: &Origin, account: &NewAccount) -> Result<(), Error> {
        register::register(&self.0, origin, account).await
    }

    async fn verify_email(&self, origin: &Origin, token: &Secret, password: &Secret) -> Result<(), Error> {
        email::verify(&self.0, origin, token, password).await
    }

    async fn resend_verification(&self, email: &Email) -> Result<(), Error> {
        email::resend(&self.0, email).await
    }

    async fn request_password_reset(&self, email: &Email) -> Result<(), Error> {
        password::request_reset(&self.0, email).await
    }

    async fn reset_password(&self, origin: &Origin, token: &Secret, password: &Secret) -> Result<(), Error> {
        password::reset(&self.0, origin, token, password).await
    }

    async fn change_password(
        &self,
        actor: &Actor,
        current: &Secret,
        new: &Secret,
    ) -> Result<Option<Credentials>, Error> {
        password::change(&self.0, actor, current, new).await
    }

    async fn request_email_change(
        &self,
        actor: &Actor,
        password: &Secret,
        email: &Email,
    ) -> Result<(), Error> {
        email::request_change(&self.0, actor, password, email).await
    }

    async fn confirm_email_change(&self, actor: &Actor, token: &Secret) -> Result<(), Error> {
        email::confirm_change(&self.0, actor, token).await
    }

    async fn me(&self, actor: &Actor) -> Result<User, Error> {
        profile::me(&self.0, actor).await
    }

    async fn change_profile(&self, actor: &Actor, change: &ProfileChange) -> Result<User, Error> {
        profile::change(&self.0, actor, change).await
    }

    async fn addresses(&self, actor: &Actor) -> Result<Vec<AddressBookEntry>, Error> {
        addresses::list(&self.0, actor).await
    }

    async fn put_address(
        &self,
        actor: &Actor,
        id: Option<AddressId>,
        put: &PutAddress,
    ) -> Result<AddressBookEntry, Error> {
        addresses::put(&self.0, actor, id, put).await
    }

    async fn delete_address(&self, actor: &Actor, id: AddressId) -> Result<(), Error> {
        addresses::delete(&self.0, actor, id).await
    }

    async fn export(&self, actor: &Actor) -> Result<Exported, Error> {
        erase::export(self, actor).await
    }

    async fn delete(&self, actor: &Actor, password: Option<&Secret>) -> Result<(), Error> {
        erase::delete(&self.0, actor, password).await
    }

    async fn users(
        &self,
        actor: &Actor,
        who: &Directory,
        slice: &CursorRequest,
    ) -> Result<Slice<User>, Error> {
        directory::users(&self.0, actor, who, slice).await
    }

    async fn user(&self, actor: &Actor, user: UserId) -> Result<User, Error> {
        directory::user(&self.0, actor, user).await
    }

    async fn user_by_email(&self, actor: &Actor, email: &Email) -> Result<User, Error> {
        directory::by_email(&self.0, actor, email).await
    }

    async fn set_role(&self, actor: &Actor, user: UserId, role: Option<PlatformRole>) -> Result<User, Error> {
        directory::set_role(&self.0, actor, user, role).await
    }

    async fn create(&self, actor: &Actor, account: &NewAccount) -> Result<User, Error> {
        register::create(&self.0, actor, account).await
    }

    async fn reset(&self, actor: &Actor, user: UserId, second_factors: bool) -> Result<Secret, Error> {
        password::reset_by_shell(&self.0, actor, user, second_factors).await
    }
}

/// What tells accounts apart: the address in lower case.
pub(crate) fn email_key(email: &Email) -> String {
    email.as_str().to_lowercase()
}

/// A name as it may be kept: something to read, on one line.
fn check_name(name: &str) -> Result<(), Error> {
    let length = name.chars().count();
    if name.trim().is_empty() || length > 200 || name.chars().any(char::is_control) {
        return Err(Error::invalid("name", "invalid", "a name is 1 to 200 characters on one line"));
    }
    Ok(())
}

/// A language tag, as far as its form tells (BCP 47).
fn check_locale(locale: Option<&str>) -> Result<(), Error> {
    let fine = |tag: &str| {
        let mut parts = tag.split('-');
        let language = parts.next().is_some_and(|part| {
            (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_lowercase())
        });
        language
            && tag.len() <= 35
            && parts
                .all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    match locale {
        Some(tag) if !fine(tag) => {
            Err(Error::invalid("locale", "invalid", "a locale is a language tag such as en-GB"))
        }
        _ => Ok(()),
    }
}
