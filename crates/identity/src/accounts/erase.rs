//! Taking one's data along, and leaving (GDPR, Articles 15, 17 and 20).

use platform::audit::{self, Filter};
use platform::{Secret, Tx};
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::profile::hold;
use super::{Exported, addresses, password};
use crate::events::{Notice, SecurityNoticed, UserDeleted};
use crate::sessions::end_all;
use crate::{Accounts, Actor, Credential, Error, Federation, Parts, Service, Sessions, StoreId, UserId};

/// Entries of the audit log in an export.
const MOST_ACTIVITY: i64 = 10_000;
/// How fresh a login has to be that stands for a password.
const FRESH: Duration = Duration::minutes(10);

pub(super) async fn export(service: &Service, actor: &Actor) -> Result<Exported, Error> {
    let user = service.me(actor).await?;
    let filter = Filter { actor_id: Some(user.id.uuid()), ..Filter::default() };
    Ok(Exported {
        addresses: addresses::of_user(&service.0, user.id).await?,
        sessions: service.sessions(actor).await?,
        external_accounts: service.external_accounts(actor).await?,
        activity: audit::entries(&service.0.database, &filter, None, MOST_ACTIVITY).await?,
        user,
    })
}

pub(super) async fn delete(parts: &Parts, actor: &Actor, password: Option<&Secret>) -> Result<(), Error> {
    let id = match password {
        Some(password) => password::confirm(parts, actor, password).await?,
        None => fresh(parts, actor).await?,
    };
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let user = hold(&mut tx, id).await?;
    if user.role == Some(crate::PlatformRole::Operator) {
        super::directory::keep_an_operator(&mut tx, id).await?;
    }
    // In the order of their ids, so that two who leave do not wait for each other.
    let stores: Vec<StoreId> = user.memberships.iter().map(|membership| membership.store_id).collect();
    for store in stores {
        crate::teams::lock(&mut tx, store).await?;
        if crate::teams::is_last_owner(&mut tx, store, id).await? {
            return Err(Error::OwnsStores);
        }
    }
    tx.publish(&SecurityNoticed {
        email: user.email.as_str().to_owned(),
        name: user.name,
        locale: user.locale,
        notice: Notice::AccountDeleted,
    });
    wipe(&mut tx, id, now).await?;
    tx.audit(actor.did("user.deleted", "user", id));
    tx.commit(now).await?;
    Ok(())
}

/// Whoever has no password confirms with a login that has just begun.
async fn fresh(parts: &Parts, actor: &Actor) -> Result<UserId, Error> {
    let user = actor.person()?;
    let Some(Credential::Session(session)) = actor.principal().map(|principal| principal.credential) else {
        return Err(Error::WrongPassword);
    };
    let fresh = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM identity.sessions s JOIN identity.users u ON u.id = s.user_id
                          WHERE s.id = $1 AND s.created_at > $2 AND u.password_hash IS NULL) AS "fresh!""#,
        session.uuid(),
        parts.sources.now() - FRESH,
    )
    .fetch_one(parts.database.pool())
    .await?;
    if fresh { Ok(user) } else { Err(Error::WrongPassword) }
}

/// Takes everything that says who somebody was; the row stays, so that what they did has somebody who did it.
pub(crate) async fn wipe(tx: &mut Tx, user: UserId, now: OffsetDateTime) -> Result<(), Error> {
    end_all(tx, user, None, "account_deleted", now).await?;
    let connection: &mut PgConnection = tx;
    // Of all stores: what they gave others to act, and where their address stands.
    sqlx::query!(
        "UPDATE identity.api_keys SET revoked_at = $2 WHERE created_by = $1 AND revoked_at IS NULL",
        user.uuid(),
        now,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "DELETE FROM identity.invitations WHERE accepted_by = $1
           OR email_key = (SELECT email_key FROM identity.users WHERE id = $1)
           OR (invited_by = $1 AND accepted_at IS NULL)",
        user.uuid(),
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("UPDATE identity.sessions SET ip = NULL, user_agent = NULL WHERE user_id = $1", user.uuid())
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM identity.mailed_tokens WHERE user_id = $1", user.uuid())
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM identity.addresses WHERE user_id = $1", user.uuid())
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM identity.memberships WHERE user_id = $1", user.uuid())
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM identity.challenges WHERE user_id = $1", user.uuid())
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM identity.external_accounts WHERE user_id = $1", user.uuid())
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM identity.known_devices WHERE user_id = $1", user.uuid())
        .execute(&mut *connection)
        .await?;
    crate::factors::remove_all(tx, user).await?;
    sqlx::query!(
        "UPDATE identity.users
         SET email = NULL, email_key = NULL, email_verified_at = NULL, password_hash = NULL, name = '', locale = NULL,
             currency = NULL, preferences = '{}', role = NULL, deleted_at = $2, updated_at = $2, version = version + 1
         WHERE id = $1 AND deleted_at IS NULL",
        user.uuid(),
        now,
    )
    .execute(&mut **tx)
    .await?;
    tx.publish(&UserDeleted { user_id: user });
    Ok(())
}
