//! Who is asking. Every data method of every module takes the actor and authorizes first.

use std::sync::Arc;

use platform::audit::{Doer, Entry, Origin};
use platform::{Code, Detail, Id, Secret, ServiceError};
use time::OffsetDateTime;

use crate::permission::{Permission, PlatformRole, StoreRole};
use crate::{ApiKeyId, SessionId, StoreId, UserId};

/// The one on whose behalf something is done.
#[derive(Clone, Debug)]
pub struct Actor {
    who: Who,
    cart_token: Option<Secret>,
    origin: Arc<Origin>,
}

#[derive(Clone, Debug)]
enum Who {
    /// Somebody without an account. What they may touch is what their secrets open.
    Guest,
    /// Somebody, or something, that has shown who it is.
    Known(Arc<Principal>),
    /// Souk itself: background jobs and commands given at the server's own shell.
    System,
}

/// Somebody, or something, that has shown who it is, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Who.
    pub subject: Subject,
    /// By what they have shown it.
    pub credential: Credential,
    /// Their role in the marketplace.
    pub role: Option<PlatformRole>,
    /// Their roles in stores.
    pub memberships: Vec<(StoreId, StoreRole)>,
    /// What the credential is limited to; nothing limits a person's own.
    pub scopes: Option<Vec<Permission>>,
    /// When a second factor was last shown with this credential.
    pub second_factor_at: Option<OffsetDateTime>,
}

/// Whom a credential stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A person.
    User(UserId),
    /// A program, by its API key.
    ApiKey(ApiKeyId),
}

/// By what somebody has shown who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A browser's cookie, or an access token of the same login.
    Session(SessionId),
    /// A secret key, or a service token got for it.
    ApiKey(ApiKeyId),
}

impl Actor {
    /// A guest who holds nothing yet.
    pub fn stranger() -> Self {
        Self::of(Who::Guest)
    }

    /// A guest who holds a cart.
    pub fn holder(cart_token: Secret) -> Self {
        Self::stranger().with_cart(Some(cart_token))
    }

    /// Somebody who has shown who they are.
    pub fn known(principal: Principal) -> Self {
        Self::of(Who::Known(Arc::new(principal)))
    }

    /// Souk itself.
    pub fn system() -> Self {
        Self::of(Who::System)
    }

    fn of(who: Who) -> Self {
        Self { who, cart_token: None, origin: Arc::new(Origin::default()) }
    }

    /// The same actor, holding the token of a cart besides.
    #[must_use]
    pub fn with_cart(self, cart_token: Option<Secret>) -> Self {
        Self { cart_token, ..self }
    }

    /// The same actor, asking from there.
    #[must_use]
    pub fn from(self, origin: Origin) -> Self {
        Self { origin: Arc::new(origin), ..self }
    }

    /// Where the request came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Who they have shown to be.
    pub fn principal(&self) -> Option<&Principal> {
        match &self.who {
            Who::Known(principal) => Some(principal),
            Who::Guest | Who::System => None,
        }
    }

    /// Whether Souk itself is asking.
    pub const fn is_system(&self) -> bool {
        matches!(self.who, Who::System)
    }

    /// The hash of the cart token they hold.
    pub fn cart_token_hash(&self) -> Option<Vec<u8>> {
        self.cart_token.as_ref().map(Secret::hash)
    }

    /// The person, if it is one who has signed in.
    pub fn user_id(&self) -> Option<UserId> {
        match self.principal()?.subject {
            Subject::User(user) => Some(user),
            Subject::ApiKey(_) => None,
        }
    }

    /// The person.
    ///
    /// # Errors
    /// When nobody has signed in, or a program asks.
    pub fn person(&self) -> Result<UserId, Denied> {
        match &self.who {
            Who::Known(_) => self.user_id().ok_or(Denied::PeopleOnly),
            Who::Guest => Err(Denied::Unauthenticated),
            Who::System => Err(Denied::PeopleOnly),
        }
    }

    /// Demands a right in one store.
    ///
    /// # Errors
    /// When the actor does not have it.
    pub fn require(&self, permission: Permission, store: StoreId) -> Result<(), Denied> {
        let principal = match &self.who {
            Who::System => return Ok(()),
            Who::Guest => return Err(Denied::Unauthenticated),
            Who::Known(principal) => principal,
        };
        principal.in_scope(permission)?;
        let member = principal.memberships.iter().find(|(of, _)| *of == store);
        if member.is_some_and(|(_, role)| role.permissions().contains(&permission)) {
            return Ok(());
        }
        principal.by_platform_role(permission)
    }

    /// Demands a right over the marketplace.
    ///
    /// # Errors
    /// When the actor does not have it.
    pub fn require_platform(&self, permission: Permission) -> Result<(), Denied> {
        match &self.who {
            Who::System => Ok(()),
            Who::Guest => Err(Denied::Unauthenticated),
            Who::Known(principal) => {
                principal.in_scope(permission)?;
                principal.by_platform_role(permission)
            }
        }
    }

    /// Whether the actor has this right in this store.
    pub fn may(&self, permission: Permission, store: StoreId) -> bool {
        self.require(permission, store).is_ok()
    }

    /// An entry of the audit log: this actor did `action` to `target`.
    pub fn did<K>(&self, action: &'static str, kind: &'static str, target: Id<K>) -> Entry {
        Entry::new(self.doer(), (*self.origin).clone(), action, kind, target.uuid())
    }

    fn doer(&self) -> Doer {
        match &self.who {
            Who::Guest => Doer { kind: "guest", id: None },
            Who::System => Doer { kind: "system", id: None },
            Who::Known(principal) => match principal.subject {
                Subject::User(id) => Doer { kind: "user", id: Some(id.uuid()) },
                Subject::ApiKey(id) => Doer { kind: "api_key", id: Some(id.uuid()) },
            },
        }
    }
}

impl Principal {
    fn in_scope(&self, permission: Permission) -> Result<(), Denied> {
        match &self.scopes {
            Some(scopes) if !scopes.contains(&permission) => Err(Denied::Scope(permission)),
            _ => Ok(()),
        }
    }

    fn by_platform_role(&self, permission: Permission) -> Result<(), Denied> {
        if !self.role.is_some_and(|role| role.permissions().contains(&permission)) {
            return Err(Denied::Forbidden(permission));
        }
        let person = matches!(self.subject, Subject::User(_));
        if person && permission.is_sensitive() && self.second_factor_at.is_none() {
            return Err(Denied::SecondFactor);
        }
        Ok(())
    }
}

/// Why an actor may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nobody is known to be asking.
    #[error("sign in first")]
    Unauthenticated,
    /// The actor's roles do not give this right.
    #[error("this needs the permission {0}")]
    Forbidden(Permission),
    /// The credential is limited to other things.
    #[error("this key is not made for {0}")]
    Scope(Permission),
    /// A person has to show a second factor first.
    #[error("show a second factor first: money and roles are behind one")]
    SecondFactor,
    /// A program can not do this.
    #[error("only a person who has signed in can do this")]
    PeopleOnly,
}

impl ServiceError for Denied {
    fn code(&self) -> Code {
        match self {
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Forbidden(_) | Self::Scope(_) | Self::SecondFactor | Self::PeopleOnly => Code::Forbidden,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Unauthenticated => "identity/unauthenticated",
            Self::Forbidden(_) => "identity/forbidden",
            Self::Scope(_) => "identity/scope_missing",
            Self::SecondFactor => "identity/second_factor_required",
            Self::PeopleOnly => "identity/people_only",
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::Forbidden(permission) | Self::Scope(permission) => {
                let facts = serde_json::json!({"permission": permission});
                vec![Detail::new("", "permission", self.to_string()).with_facts(facts)]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn user(role: Option<PlatformRole>, memberships: Vec<(StoreId, StoreRole)>) -> Principal {
        Principal {
            subject: Subject::User(id(1)),
            credential: Credential::Session(id(2)),
            role,
            memberships,
            scopes: None,
            second_factor_at: None,
        }
    }

    fn id<K>(number: u8) -> Id<K> {
        Id::new(datetime!(2026-06-01 12:00 UTC), &[number; 10])
    }

    #[test]
    fn a_role_counts_in_its_own_store() {
        let staff = Actor::known(user(None, vec![(id(7), StoreRole::Staff)]));
        assert_eq!(staff.require(Permission::ProductsWrite, id(7)), Ok(()));
        let forbidden = Err(Denied::Forbidden(Permission::ProductsWrite));
        assert_eq!(staff.require(Permission::ProductsWrite, id(8)), forbidden);
        assert!(staff.require(Permission::FinanceRead, id(7)).is_err());
        assert!(staff.require_platform(Permission::StoresReview).is_err());
    }

    #[test]
    fn operators_see_money_and_roles_with_a_second_factor() {
        let mut operator = user(Some(PlatformRole::Operator), Vec::new());
        let may =
            |principal: &Principal, permission| Actor::known(principal.clone()).require_platform(permission);
        assert_eq!(may(&operator, Permission::StoresReview), Ok(()));
        assert_eq!(may(&operator, Permission::FinanceRead), Err(Denied::SecondFactor));
        assert_eq!(may(&operator, Permission::RolesWrite), Err(Denied::SecondFactor));
        operator.second_factor_at = Some(datetime!(2026-06-01 12:00 UTC));
        assert_eq!(may(&operator, Permission::RolesWrite), Ok(()));
    }

    #[test]
    fn scopes_limit_a_key() {
        let key = Principal {
            subject: Subject::ApiKey(id(3)),
            credential: Credential::ApiKey(id(3)),
            scopes: Some(vec![Permission::StockWrite]),
            ..user(None, vec![(id(7), StoreRole::Owner)])
        };
        let key = Actor::known(key);
        assert_eq!(key.require(Permission::StockWrite, id(7)), Ok(()));
        let missing = Err(Denied::Scope(Permission::ProductsWrite));
        assert_eq!(key.require(Permission::ProductsWrite, id(7)), missing);
        assert_eq!(key.person(), Err(Denied::PeopleOnly));
    }

    #[test]
    fn guests_sign_in_and_the_system_may() {
        let permission = Permission::StoreWrite;
        assert_eq!(Actor::stranger().require(permission, id(7)), Err(Denied::Unauthenticated));
        assert_eq!(Actor::system().require(permission, id(7)), Ok(()));
    }
}
