//! People and programs: who they are, how they show it, and what they may do.
//!
//! Invariants: secrets are kept as hashes or sealed; an account that is deleted has no session, key or membership; a
//! store has an owner; a refresh token is good once, and one that is shown again ends its session; nobody gives a
//! right that they do not have.
//!
//! The face is in parts, one for each thing that others come for: [`Access`] (who is asking), [`Accounts`],
//! [`Sessions`], [`SecondFactors`], [`Federation`], [`ApiKeys`], [`Teams`] and [`AuditLog`].
mod access;
mod accounts;
mod actor;
mod api_keys;
mod audit_log;
mod challenge;
mod error;
pub mod events;
mod factors;
mod federation;
pub mod jobs;
mod passwords;
mod permission;
mod principal;
mod sessions;
mod settings;
mod signing;
mod teams;
mod throttle;
mod verify;

use std::sync::Arc;

use platform::{Database, Id, Sources, Tag, Violation};

pub use access::{Access, Authenticated, Jwk, Jwks, Presented};
pub use accounts::{
    Accounts, AddressBookEntry, AddressId, AddressMark, Directory, Exported, Membership, NewAccount,
    Preferences, ProfileChange, PutAddress, User, UserMark,
};
pub use actor::{Actor, Credential, Denied, Principal, Subject};
pub use api_keys::{ApiKey, ApiKeyKind, ApiKeys, NewApiKey};
pub use audit_log::AuditLog;
pub use error::Error;
pub use factors::{
    EnrolledPasskey, EnrolledTotp, FactorMethod, PasskeyInfo, PasskeyMark, PasskeyStart, Proof,
    SecondFactorStatus, SecondFactors, TotpEnrolment,
};
pub use federation::{Begin, Begun, CameBack, ExternalAccount, Federation, Finished, ProviderInfo, Returned};
pub use permission::{Permission, PlatformRole, StoreRole};
pub use sessions::{
    Client, Credentials, LogIn, Session, SessionKind, SessionMark, Sessions, SignIn, SignedIn, TokenPair,
};
pub use settings::{AppleKey, Provider, ProviderKind, Settings};
pub use teams::{Invitation, InvitationMark, Invited, Member, NewInvitation, Teams};

/// The tables of this module.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Marks ids of stores. A store is what people are members of; what it sells is the catalogue's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreMark {}

/// The id of a store.
pub type StoreId = Id<StoreMark>;
/// The id of a [`User`].
pub type UserId = Id<UserMark>;
/// The id of a [`Session`].
pub type SessionId = Id<SessionMark>;
/// The id of an [`ApiKey`].
pub type ApiKeyId = Id<ApiKey>;
/// The id of an [`Invitation`].
pub type InvitationId = Id<InvitationMark>;
/// The id of a passkey.
pub type PasskeyId = Id<PasskeyMark>;

/// Touched when the keys that sign access tokens changed.
pub(crate) const SIGNING_KEYS: Tag = Tag::topic("identity/signing_keys");

/// The whole face. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    /// Who is asking.
    pub access: Arc<dyn Access>,
    /// Accounts and what belongs to them.
    pub accounts: Arc<dyn Accounts>,
    /// Signing in and out.
    pub sessions: Arc<dyn Sessions>,
    /// TOTP, recovery codes and passkeys.
    pub factors: Arc<dyn SecondFactors>,
    /// Signing in with an account elsewhere.
    pub federation: Arc<dyn Federation>,
    /// Keys of programs.
    pub api_keys: Arc<dyn ApiKeys>,
    /// Who works for which store.
    pub teams: Arc<dyn Teams>,
    /// Who did what.
    pub audit: Arc<dyn AuditLog>,
    parts: Arc<Parts>,
}

/// The identity module in this process.
pub fn service(database: Database, sources: Sources, settings: Settings) -> Identity {
    let service = Arc::new(Service(Arc::new(Parts::new(database, sources, settings))));
    Identity {
        access: Arc::clone(&service) as _,
        accounts: Arc::clone(&service) as _,
        sessions: Arc::clone(&service) as _,
        factors: Arc::clone(&service) as _,
        federation: Arc::clone(&service) as _,
        api_keys: Arc::clone(&service) as _,
        teams: Arc::clone(&service) as _,
        audit: Arc::clone(&service) as _,
        parts: Arc::clone(&service.0),
    }
}

impl Identity {
    /// Looks for broken invariants.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn verify(&self) -> Result<Vec<Violation>, Error> {
        verify::violations(&self.parts.database).await
    }

    /// The stores that people are members of, keys belong to, or invitations are for, after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stores(&self, after: Option<StoreId>, limit: i64) -> Result<Vec<StoreId>, Error> {
        verify::stores(&self.parts.database, after, limit).await
    }
}

pub(crate) struct Service(pub(crate) Arc<Parts>);

/// What everything here works with.
pub(crate) struct Parts {
    pub(crate) database: Database,
    pub(crate) sources: Sources,
    pub(crate) settings: Settings,
    pub(crate) passwords: passwords::Passwords,
    pub(crate) signing: signing::Cache,
    pub(crate) factors: factors::Tools,
    pub(crate) federation: federation::Tools,
}

impl Parts {
    fn new(database: Database, sources: Sources, settings: Settings) -> Self {
        Self {
            passwords: passwords::Passwords::new(sources.clone()),
            signing: signing::Cache::default(),
            factors: factors::Tools::new(&settings),
            federation: federation::Tools::default(),
            database,
            sources,
            settings,
        }
    }
}
