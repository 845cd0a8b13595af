//! Members of stores.

use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Member, within_own};
use crate::{Actor, Error, Parts, Permission, StoreId, StoreRole, UserId};

pub(super) async fn list(parts: &Parts, actor: &Actor, store: StoreId) -> Result<Vec<Member>, Error> {
    actor.require(Permission::TeamRead, store)?;
    let mut tx = parts.database.begin_within(store).await?;
    let mut members = load(&mut tx, store, None).await?;
    members.sort_by_key(|member| (member.role, member.created_at, member.user_id));
    Ok(members)
}

async fn load(
    connection: &mut PgConnection,
    store: StoreId,
    user: Option<UserId>,
) -> Result<Vec<Member>, Error> {
    let rows = sqlx::query!(
        r#"SELECT m.user_id AS "user_id: UserId", u.email AS "email!", u.name, m.role, m.created_at
           FROM identity.memberships m JOIN identity.users u ON u.id = m.user_id
           WHERE m.store_id = $1 AND ($2::uuid IS NULL OR m.user_id = $2)"#,
        store.uuid(),
        user.map(UserId::uuid),
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Member {
                user_id: row.user_id,
                email: row.email.parse().map_err(Error::stored)?,
                name: row.name,
                role: row.role.parse().map_err(Error::stored)?,
                created_at: row.created_at,
            })
        })
        .collect()
}

async fn one(connection: &mut PgConnection, store: StoreId, user: UserId) -> Result<Member, Error> {
    load(connection, store, Some(user)).await?.pop().ok_or(Error::NotFound("member"))
}

/// Whether somebody works for a store.
pub(super) async fn is_one(
    connection: &mut PgConnection,
    store: StoreId,
    user: UserId,
) -> Result<bool, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM identity.memberships WHERE store_id = $1 AND user_id = $2) AS "is_one!""#,
        store.uuid(),
        user.uuid(),
    )
    .fetch_one(connection)
    .await?)
}

/// Makes changes of a store's team wait for each other.
pub(crate) async fn lock(connection: &mut PgConnection, store: StoreId) -> Result<(), Error> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", format!("identity/team/{store}"))
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether a store would be without an owner if this one went.
pub(crate) async fn is_last_owner(
    connection: &mut PgConnection,
    store: StoreId,
    user: UserId,
) -> Result<bool, Error> {
    let owners = sqlx::query_scalar!(
        r#"SELECT user_id AS "user_id: UserId" FROM identity.memberships WHERE store_id = $1 AND role = 'owner'"#,
        store.uuid(),
    )
    .fetch_all(connection)
    .await?;
    Ok(owners == [user])
}

pub(super) async fn set_role(
    parts: &Parts,
    actor: &Actor,
    store: StoreId,
    user: UserId,
    role: StoreRole,
) -> Result<Member, Error> {
    actor.require(Permission::TeamWrite, store)?;
    within_own(actor, store, role)?;
    let now = parts.sources.now();
    let mut tx = parts.database.begin_within(store).await?;
    lock(&mut tx, store).await?;
    let before = one(&mut tx, store, user).await?;
    within_own(actor, store, before.role)?;
    if before.role == role {
        return Ok(before);
    }
    if is_last_owner(&mut tx, store, user).await? {
        return Err(Error::LastOwner);
    }
    write(&mut tx, store, user, role, now).await?;
    // What the new role may not give, the old one gave no more.
    end_gifts(&mut tx, store, user, now).await?;
    let facts = json!({"before": before.role, "after": role});
    tx.audit(actor.did("member.role_changed", "user", user).in_store(store).with_facts(facts));
    tx.commit(now).await?;
    Ok(Member { role, ..before })
}

/// Makes somebody a member, or gives them another role.
pub(super) async fn write(
    connection: &mut PgConnection,
    store: StoreId,
    user: UserId,
    role: StoreRole,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO identity.memberships (store_id, user_id, role, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (store_id, user_id) DO UPDATE SET role = $3, updated_at = $4",
        store.uuid(),
        user.uuid(),
        role.as_str(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Refuses somebody whose account was deleted meanwhile.
pub(super) async fn there_still(connection: &mut PgConnection, user: UserId) -> Result<(), Error> {
    let gone = sqlx::query_scalar!(
        r#"SELECT deleted_at IS NOT NULL AS "gone!" FROM identity.users WHERE id = $1"#,
        user.uuid(),
    )
    .fetch_optional(connection)
    .await?;
    if gone == Some(false) { Ok(()) } else { Err(Error::UserNotFound) }
}

/// Ends what somebody gave others to act for the store: invitations that are open, and keys.
async fn end_gifts(
    connection: &mut PgConnection,
    store: StoreId,
    user: UserId,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE identity.invitations SET revoked_at = $3
         WHERE store_id = $1 AND invited_by = $2 AND accepted_at IS NULL AND revoked_at IS NULL",
        store.uuid(),
        user.uuid(),
        now,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "UPDATE identity.api_keys SET revoked_at = $3
         WHERE store_id = $1 AND created_by = $2 AND revoked_at IS NULL",
        store.uuid(),
        user.uuid(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn remove(parts: &Parts, actor: &Actor, store: StoreId, user: UserId) -> Result<(), Error> {
    let themselves = actor.user_id() == Some(user);
    if !themselves {
        actor.require(Permission::TeamWrite, store)?;
    }
    let now = parts.sources.now();
    let mut tx = parts.database.begin_within(store).await?;
    lock(&mut tx, store).await?;
    let member = one(&mut tx, store, user).await?;
    if !themselves {
        within_own(actor, store, member.role)?;
    }
    if is_last_owner(&mut tx, store, user).await? {
        return Err(Error::LastOwner);
    }
    let gone = sqlx::query!(
        "DELETE FROM identity.memberships WHERE store_id = $1 AND user_id = $2",
        store.uuid(),
        user.uuid(),
    )
    .execute(&mut *tx)
    .await?;
    if gone.rows_affected() != 1 {
        return Err(Error::NotFound("member"));
    }
    end_gifts(&mut tx, store, user, now).await?;
    let facts = json!({"role": member.role});
    tx.audit(actor.did("member.removed", "user", user).in_store(store).with_facts(facts));
    tx.commit(now).await?;
    Ok(())
}

pub(super) async fn found(parts: &Parts, actor: &Actor, store: StoreId, owner: UserId) -> Result<(), Error> {
    if !actor.is_system() {
        return Err(crate::Denied::PeopleOnly.into());
    }
    let now = parts.sources.now();
    let mut tx = parts.database.begin_within(store).await?;
    lock(&mut tx, store).await?;
    let there = load(&mut tx, store, None).await?;
    if there.iter().any(|member| member.user_id == owner) {
        return Ok(());
    }
    write(&mut tx, store, owner, StoreRole::Owner, now).await?;
    there_still(&mut tx, owner).await?;
    tx.audit(actor.did("store.founded", "user", owner).in_store(store));
    tx.commit(now).await?;
    Ok(())
}

pub(super) async fn disband(parts: &Parts, actor: &Actor, store: StoreId) -> Result<(), Error> {
    if !actor.is_system() {
        return Err(crate::Denied::PeopleOnly.into());
    }
    let now = parts.sources.now();
    let mut tx = parts.database.begin_within(store).await?;
    lock(&mut tx, store).await?;
    let gone = sqlx::query_scalar!(
        r#"DELETE FROM identity.memberships WHERE store_id = $1 RETURNING user_id AS "user_id: UserId""#,
        store.uuid(),
    )
    .fetch_all(&mut *tx)
    .await?;
    // Nobody is left who could look at the addresses in them.
    sqlx::query!("DELETE FROM identity.invitations WHERE store_id = $1", store.uuid())
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "UPDATE identity.api_keys SET revoked_at = $2 WHERE store_id = $1 AND revoked_at IS NULL",
        store.uuid(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    for user in gone {
        tx.audit(actor.did("member.removed", "user", user).in_store(store));
    }
    tx.commit(now).await?;
    Ok(())
}
