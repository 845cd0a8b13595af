//! Looking up accounts, and giving roles of the marketplace.

use platform::{Cursor, CursorRequest, Email, Slice};
use serde_json::json;
use sqlx::PgConnection;

use super::profile::{hold, load_all};
use super::{Directory, User, email_key, load};
use crate::sessions::end_all;
use crate::{Actor, Error, Parts, Permission, PlatformRole, UserId};

pub(super) async fn users(
    parts: &Parts,
    actor: &Actor,
    who: &Directory,
    slice: &CursorRequest,
) -> Result<Slice<User>, Error> {
    actor.require_platform(Permission::UsersRead)?;
    let after = slice.after.as_ref().map(Cursor::decode::<String>).transpose()?;
    if after.as_deref().is_some_and(|after| after.contains('\0')) {
        return Err(platform::page::BadCursor.into());
    }
    let query =
        who.query.as_deref().map(|query| query.trim().to_lowercase()).filter(|query| !query.is_empty());
    // PostgreSQL's text has no place for it, so nobody has it in their name.
    if query.as_deref().is_some_and(|query| query.contains('\0')) {
        return Err(Error::invalid("q", "invalid", "no address and no name has such a character"));
    }
    let id = query.as_deref().and_then(|query| query.parse::<UserId>().ok());
    let ids = sqlx::query_scalar!(
        r#"SELECT id AS "id: UserId" FROM identity.users
           WHERE deleted_at IS NULL AND ($1::text IS NULL OR id = $2 OR starts_with(email_key, $1)
                                         OR strpos(lower(name), $1) > 0)
             AND ($3::text IS NULL OR role = $3) AND ($4::text IS NULL OR email_key > $4)
           ORDER BY email_key LIMIT $5"#,
        query,
        id.map(UserId::uuid),
        who.role.map(PlatformRole::as_str),
        after,
        i64::from(slice.first) + 1,
    )
    .fetch_all(parts.database.lists())
    .await?;
    let found = load_all(&mut *parts.database.pool().acquire().await?, &ids).await?;
    Ok(Slice::of(found, slice.first, |user| Cursor::encode(&email_key(&user.email))))
}

pub(super) async fn user(parts: &Parts, actor: &Actor, id: UserId) -> Result<User, Error> {
    actor.require_platform(Permission::UsersRead)?;
    load(&mut *parts.database.pool().acquire().await?, id).await
}

pub(super) async fn by_email(parts: &Parts, actor: &Actor, email: &Email) -> Result<User, Error> {
    actor.require_platform(Permission::UsersRead)?;
    let id = sqlx::query_scalar!(
        r#"SELECT id AS "id: UserId" FROM identity.users WHERE email_key = $1"#,
        email_key(email)
    )
    .fetch_optional(parts.database.pool())
    .await?
    .ok_or(Error::UserNotFound)?;
    load(&mut *parts.database.pool().acquire().await?, id).await
}

pub(super) async fn set_role(
    parts: &Parts,
    actor: &Actor,
    id: UserId,
    role: Option<PlatformRole>,
) -> Result<User, Error> {
    actor.require_platform(Permission::RolesWrite)?;
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let before = hold(&mut tx, id).await?;
    if before.role == role {
        return Ok(before);
    }
    if before.role == Some(PlatformRole::Operator) {
        keep_an_operator(&mut tx, id).await?;
    }
    sqlx::query!(
        "UPDATE identity.users SET role = $2, updated_at = $3, version = version + 1 WHERE id = $1",
        id.uuid(),
        role.map(PlatformRole::as_str),
        now,
    )
    .execute(&mut *tx)
    .await?;
    end_gifts(&mut tx, id, now).await?;
    // Whoever holds one of their sessions holds no more, and no less, than they signed in for.
    end_all(&mut tx, id, None, "role_changed", now).await?;
    tx.audit(
        actor.did("user.role_changed", "user", id).with_facts(json!({"before": before.role, "after": role})),
    );
    let user = load(&mut tx, id).await?;
    tx.commit(now).await?;
    Ok(user)
}

/// Ends what somebody gave others to act by their role in the marketplace: keys, and invitations that are open. What
/// they gave for a store of their own stays.
async fn end_gifts(
    connection: &mut PgConnection,
    user: UserId,
    now: time::OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE identity.api_keys k SET revoked_at = $2
         WHERE created_by = $1 AND revoked_at IS NULL
           AND NOT EXISTS (SELECT FROM identity.memberships m
                           WHERE m.store_id = k.store_id AND m.user_id = $1 AND m.role = 'owner')",
        user.uuid(),
        now,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "UPDATE identity.invitations i SET revoked_at = $2
         WHERE invited_by = $1 AND accepted_at IS NULL AND revoked_at IS NULL
           AND NOT EXISTS (SELECT FROM identity.memberships m
                           WHERE m.store_id = i.store_id AND m.user_id = $1 AND m.role = 'owner')",
        user.uuid(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Refuses to let the last operator go.
pub(super) async fn keep_an_operator(connection: &mut PgConnection, but: UserId) -> Result<(), Error> {
    // One at a time: two who go at once would each see the other.
    sqlx::query!("SELECT id FROM identity.users WHERE role = 'operator' ORDER BY id FOR UPDATE")
        .fetch_all(&mut *connection)
        .await?;
    let others = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM identity.users WHERE role = 'operator' AND id <> $1) AS "others!""#,
        but.uuid(),
    )
    .fetch_one(connection)
    .await?;
    if others { Ok(()) } else { Err(Error::LastOperator) }
}
