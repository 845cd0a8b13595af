//! Asking people to work for a store.

use std::time::Duration;

use platform::Secret;
use serde_json::json;

use super::{Invitation, InvitationMark, Invited, NewInvitation, members, within_own};
use crate::accounts::email_key;
use crate::events::MemberInvited;
use crate::{Actor, Error, InvitationId, Parts, Permission, StoreId, StoreRole, UserId};

/// How long somebody may take to accept.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pub(super) async fn list(parts: &Parts, actor: &Actor, store: StoreId) -> Result<Vec<Invitation>, Error> {
    actor.require(Permission::TeamRead, store)?;
    let mut tx = parts.database.begin_within(store).await?;
    let rows = sqlx::query!(
        r#"SELECT id AS "id: InvitationId", email, role, invited_by AS "invited_by: UserId", created_at, expires_at
           FROM identity.invitations
           WHERE store_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $2
           ORDER BY created_at DESC, id DESC"#,
        store.uuid(),
        parts.sources.now(),
    )
    .fetch_all(&mut *tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Invitation {
                id: row.id,
                email: row.email.parse().map_err(Error::stored)?,
                role: row.role.parse().map_err(Error::stored)?,
                invited_by: row.invited_by,
                created_at: row.created_at,
                expires_at: row.expires_at,
            })
        })
        .collect()
}

pub(super) async fn invite(
    parts: &Parts,
    actor: &Actor,
    store: StoreId,
    new: &NewInvitation,
) -> Result<Invitation, Error> {
    actor.require(Permission::TeamWrite, store)?;
    within_own(actor, store, new.role)?;
    let (token, now, key) = (parts.sources.secret(), parts.sources.now(), email_key(&new.email));
    let invitation = Invitation {
        id: parts.sources.id::<InvitationMark>(),
        email: new.email.clone(),
        role: new.role,
        invited_by: actor.user_id(),
        created_at: now,
        expires_at: now + LIFETIME,
    };
    let mut tx = parts.database.begin_within(store).await?;
    members::lock(&mut tx, store).await?;
    let member = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM identity.memberships m JOIN identity.users u ON u.id = m.user_id
                          WHERE m.store_id = $1 AND u.email_key = $2) AS "member!""#,
        store.uuid(),
        key,
    )
    .fetch_one(&mut *tx)
    .await?;
    if member {
        return Err(already_member());
    }
    sqlx::query!(
        "UPDATE identity.invitations SET revoked_at = $3
         WHERE store_id = $1 AND email_key = $2 AND accepted_at IS NULL AND revoked_at IS NULL",
        store.uuid(),
        key,
        now,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "INSERT INTO identity.invitations (id, store_id, email, email_key, role, token_hash, invited_by, created_at,
                                           expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        invitation.id.uuid(),
        store.uuid(),
        new.email.as_str(),
        key,
        new.role.as_str(),
        token.hash(),
        invitation.invited_by.map(UserId::uuid),
        now,
        invitation.expires_at,
    )
    .execute(&mut *tx)
    .await?;
    tx.publish(&MemberInvited {
        email: new.email.as_str().to_owned(),
        store_id: store,
        store_name: new.store_name.clone(),
        role: new.role,
        token: token.expose().to_owned(),
    });
    let facts = json!({"role": new.role});
    tx.audit(actor.did("member.invited", "invitation", invitation.id).in_store(store).with_facts(facts));
    tx.commit(now).await?;
    Ok(invitation)
}

const fn already_member() -> Error {
    Error::Conflict("this person is a member already", "identity/already_member")
}

pub(super) async fn withdraw(
    parts: &Parts,
    actor: &Actor,
    store: StoreId,
    invitation: InvitationId,
) -> Result<(), Error> {
    actor.require(Permission::TeamWrite, store)?;
    let now = parts.sources.now();
    let mut tx = parts.database.begin_within(store).await?;
    let withdrawn = sqlx::query!(
        "UPDATE identity.invitations SET revoked_at = $3
         WHERE id = $1 AND store_id = $2 AND accepted_at IS NULL AND revoked_at IS NULL",
        invitation.uuid(),
        store.uuid(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    if withdrawn.rows_affected() == 0 {
        return Err(Error::NotFound("invitation"));
    }
    tx.audit(actor.did("member.invitation_withdrawn", "invitation", invitation).in_store(store));
    tx.commit(now).await?;
    Ok(())
}

pub(super) async fn accept(parts: &Parts, actor: &Actor, token: &Secret) -> Result<Invited, Error> {
    let (user, now) = (actor.person()?, parts.sources.now());
    // Which store it is for is known only by the secret, so this one look is not within a store.
    let store = sqlx::query_scalar!(
        r#"SELECT store_id AS "store_id: StoreId" FROM identity.invitations WHERE token_hash = $1"#,
        token.hash(),
    )
    .fetch_optional(parts.database.pool())
    .await?
    .ok_or(Error::BadToken)?;
    let mut tx = parts.database.begin_within(store).await?;
    members::lock(&mut tx, store).await?;
    // Whoever finds the mail of somebody else can not use it.
    let row = sqlx::query!(
        r#"UPDATE identity.invitations i SET accepted_at = $2, accepted_by = $3
           FROM identity.users u
           WHERE i.token_hash = $1 AND u.id = $3 AND u.email_key = i.email_key
             AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > $2
           RETURNING i.id AS "id: InvitationId", i.role, i.invited_by AS "invited_by: UserId""#,
        token.hash(),
        now,
        user.uuid(),
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::BadToken)?;
    // Who came to have the address it went to may be one by another: their role is changed by others, not by this.
    if members::is_one(&mut tx, store, user).await? {
        return Err(already_member());
    }
    let role: StoreRole = row.role.parse().map_err(Error::stored)?;
    members::write(&mut tx, store, user, role, now).await?;
    members::there_still(&mut tx, user).await?;
    let facts = json!({"role": role, "invited_by": row.invited_by});
    tx.audit(actor.did("member.joined", "user", user).in_store(store).with_facts(facts));
    tx.commit(now).await?;
    Ok(Invited { store_id: store, role })
}
