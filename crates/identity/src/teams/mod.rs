//! Who works for which store.
mod invitations;
mod members;

use async_trait::async_trait;
use platform::{Email, Secret};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{Actor, Error, InvitationId, Service, StoreId, StoreRole, UserId};

pub(crate) use members::{is_last_owner, lock};

/// Marks ids of invitations.
pub enum InvitationMark {}

/// Somebody who works for a store.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// Their address.
    pub email: Email,
    /// Their name.
    #[schema(example = "Ada Lovelace")]
    pub name: String,
    /// As what.
    pub role: StoreRole,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// Somebody who is asked to work for a store.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Whom.
    pub email: Email,
    /// As what.
    pub role: StoreRole,
    /// Who asked.
    pub invited_by: Option<UserId>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Until when it can be accepted.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// Somebody to be asked.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// Whom.
    pub email: Email,
    /// As what.
    pub role: StoreRole,
    /// The store's name, for the mail.
    pub store_name: String,
}

/// An invitation that was accepted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Invited {
    /// The store.
    #[schema(value_type = uuid::Uuid)]
    pub store_id: StoreId,
    /// The role in it.
    pub role: StoreRole,
}

/// Who works for which store.
#[async_trait]
pub trait Teams: Send + Sync + 'static {
    /// The members of a store, owners first.
    async fn members(&self, actor: &Actor, store: StoreId) -> Result<Vec<Member>, Error>;

    /// Gives a member another role. Nobody gives or takes rights that they do not have; a store keeps an owner.
    async fn set_member_role(
        &self,
        actor: &Actor,
        store: StoreId,
        user: UserId,
        role: StoreRole,
    ) -> Result<Member, Error>;

    /// Lets a member go; everybody may go themselves. A store keeps an owner.
    async fn remove_member(&self, actor: &Actor, store: StoreId, user: UserId) -> Result<(), Error>;

    /// Makes somebody a store's first owner. For whoever opens stores; repeating it changes nothing.
    async fn found(&self, actor: &Actor, store: StoreId, owner: UserId) -> Result<(), Error>;

    /// Ends a store's team, with its invitations and keys. For whoever closes stores; repeating it changes nothing.
    async fn disband(&self, actor: &Actor, store: StoreId) -> Result<(), Error>;

    /// Invitations that wait for an answer, the latest first.
    async fn invitations(&self, actor: &Actor, store: StoreId) -> Result<Vec<Invitation>, Error>;

    /// Asks somebody by mail. Asking the same address again replaces the earlier invitation.
    async fn invite(&self, actor: &Actor, store: StoreId, new: &NewInvitation) -> Result<Invitation, Error>;

    /// Takes an invitation back.
    async fn withdraw(&self, actor: &Actor, store: StoreId, invitation: InvitationId) -> Result<(), Error>;

    /// Accepts an invitation with the secret that was mailed. Only whoever owns the address it went to can.
    async fn accept(&self, actor: &Actor, token: &Secret) -> Result<Invited, Error>;
}

#[async_trait]
impl Teams for Service {
    async fn members(&self, actor: &Actor, store: StoreId) -> Result<Vec<Member>, Error> {
        members::list(&self.0, actor, store).await
    }

    async fn set_member_role(
        &self,
        actor: &Actor,
        store: StoreId,
        user: UserId,
        role: StoreRole,
    ) -> Result<Member, Error> {
        members::set_role(&self.0, actor, store, user, role).await
    }

    async fn remove_member(&self, actor: &Actor, store: StoreId, user: UserId) -> Result<(), Error> {
        members::remove(&self.0, actor, store, user).await
    }

    async fn found(&self, actor: &Actor, store: StoreId, owner: UserId) -> Result<(), Error> {
        members::found(&self.0, actor, store, owner).await
    }

    async fn disband(&self, actor: &Actor, store: StoreId) -> Result<(), Error> {
        members::disband(&self.0, actor, store).await
    }

    async fn invitations(&self, actor: &Actor, store: StoreId) -> Result<Vec<Invitation>, Error> {
        invitations::list(&self.0, actor, store).await
    }

    async fn invite(&self, actor: &Actor, store: StoreId, new: &NewInvitation) -> Result<Invitation, Error> {
        invitations::invite(&self.0, actor, store, new).await
    }

    async fn withdraw(&self, actor: &Actor, store: StoreId, invitation: InvitationId) -> Result<(), Error> {
        invitations::withdraw(&self.0, actor, store, invitation).await
    }

    async fn accept(&self, actor: &Actor, token: &Secret) -> Result<Invited, Error> {
        invitations::accept(&self.0, actor, token).await
    }
}

/// Nobody gives a role that holds rights they do not have, nor takes it from somebody.
fn within_own(actor: &Actor, store: StoreId, role: StoreRole) -> Result<(), Error> {
    let missing = role.permissions().iter().find(|permission| !actor.may(**permission, store));
    match missing {
        Some(permission) => Err(Error::MoreThanOwn(permission.to_string())),
        None => Ok(()),
    }
}
