//! Who somebody is, as they see it themselves.

use platform::database::json;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Membership, ProfileChange, User, check_locale, check_name};
use crate::{Actor, Error, Parts, StoreId, UserId, principal};

pub(super) struct Row {
    id: UserId,
    email: String,
    email_verified_at: Option<OffsetDateTime>,
    has_password: bool,
    has_second_factor: bool,
    name: String,
    locale: Option<String>,
    currency: Option<String>,
    preferences: serde_json::Value,
    role: Option<String>,
    stores: Vec<StoreId>,
    roles: Vec<String>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i64,
}

impl TryFrom<Row> for User {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        let memberships = principal::memberships(&row.stores, &row.roles)?;
        Ok(Self {
            id: row.id,
            email: row.email.parse().map_err(Error::stored)?,
            email_verified: row.email_verified_at.is_some(),
            name: row.name,
            locale: row.locale,
            currency: row.currency.map(|code| code.parse()).transpose().map_err(Error::stored)?,
            preferences: serde_json::from_value(row.preferences).map_err(Error::stored)?,
            role: principal::role(row.role.as_deref())?,
            memberships: memberships
                .into_iter()
                .map(|(store_id, role)| Membership { store_id, role })
                .collect(),
            has_password: row.has_password,
            has_second_factor: row.has_second_factor,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}

/// Accounts by their ids; those that are gone are left out.
pub(super) async fn load_all(connection: &mut PgConnection, ids: &[UserId]) -> Result<Vec<User>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT u.id AS "id: UserId", u.email AS "email!", u.email_verified_at,
                  u.password_hash IS NOT NULL AS "has_password!",
                  (EXISTS (SELECT FROM identity.totp t WHERE t.user_id = u.id AND t.confirmed_at IS NOT NULL)
                   OR EXISTS (SELECT FROM identity.passkeys p WHERE p.user_id = u.id)) AS "has_second_factor!",
                  u.name, u.locale, u.currency, u.preferences, u.role,
                  ARRAY(SELECT m.store_id FROM identity.memberships m WHERE m.user_id = u.id ORDER BY m.store_id)
                    AS "stores!: Vec<StoreId>",
                  ARRAY(SELECT m.role FROM identity.memberships m WHERE m.user_id = u.id ORDER BY m.store_id) AS "roles!",
                  u.created_at, u.updated_at, u.version
           FROM identity.users u JOIN unnest($1::uuid[]) WITH ORDINALITY AS wanted (id, place) USING (id)
           WHERE u.deleted_at IS NULL ORDER BY wanted.place"#,
        &platform::id::uuids(ids),
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(User::try_from).collect()
}

/// One account.
pub(crate) async fn load(connection: &mut PgConnection, id: UserId) -> Result<User, Error> {
    load_all(connection, &[id]).await?.pop().ok_or(Error::UserNotFound)
}

/// Makes changes of an account wait for each other, and whatever refers to it wait for them: a login that is opened
/// while the account is deleted sees that it is gone.
pub(super) async fn hold(connection: &mut PgConnection, id: UserId) -> Result<User, Error> {
    sqlx::query!("SELECT id FROM identity.users WHERE id = $1 FOR UPDATE", id.uuid())
        .fetch_optional(&mut *connection)
        .await?;
    load(connection, id).await
}

pub(super) async fn me(parts: &Parts, actor: &Actor) -> Result<User, Error> {
    let user = actor.person()?;
    load(&mut *parts.database.pool().acquire().await?, user).await
}

pub(super) async fn change(parts: &Parts, actor: &Actor, change: &ProfileChange) -> Result<User, Error> {
    let (user, now) = (actor.person()?, parts.sources.now());
    if let Some(name) = &change.name {
        check_name(name)?;
    }
    check_locale(change.locale.as_ref().and_then(|locale| locale.as_deref()))?;
    let mut tx = parts.database.begin().await?;
    let changed = sqlx::query!(
        "UPDATE identity.users
         SET name = COALESCE($2, name), locale = CASE WHEN $3 THEN $4 ELSE locale END,
             currency = CASE WHEN $5 THEN $6 ELSE currency END, preferences = COALESCE($7, preferences),
             updated_at = $8, version = version + 1
         WHERE id = $1 AND deleted_at IS NULL AND ($9::bigint IS NULL OR version = $9)",
        user.uuid(),
        change.name,
        change.locale.is_some(),
        change.locale.clone().flatten(),
        change.currency.is_some(),
        change.currency.flatten().map(platform::Currency::code),
        change.preferences.as_ref().map(json),
        now,
        change.if_version,
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 0 {
        load(&mut tx, user).await?;
        return Err(Error::Stale);
    }
    let user = load(&mut tx, user).await?;
    tx.audit(actor.did("user.profile_changed", "user", user.id));
    tx.commit(now).await?;
    Ok(user)
}
