//! Opening accounts.

use platform::audit::Origin;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{NewAccount, User, UserMark, check_locale, check_name, email_key, load, send_verification};
use crate::events::RegisteredAgain;
use crate::{Actor, Error, Parts, UserId, passwords};

fn check(account: &NewAccount) -> Result<(), Error> {
    check_name(&account.name)?;
    check_locale(account.locale.as_deref())?;
    passwords::check(&account.password, &[account.email.as_str(), &account.name])
}

/// Does the same work whether or not there is an account: one password hashed, one transaction with one event.
pub(super) async fn register(parts: &Parts, origin: &Origin, account: &NewAccount) -> Result<(), Error> {
    check(account)?;
    let hash = parts.passwords.hash(&account.password).await;
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    let there = sqlx::query!(
        r#"SELECT id AS "id: UserId", name, locale, email_verified_at IS NOT NULL AS "verified!"
           FROM identity.users WHERE email_key = $1 FOR UPDATE"#,
        email_key(&account.email),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let actor = Actor::stranger().from(origin.clone());
    match there {
        Some(user) if user.verified => {
            let email = account.email.as_str().to_owned();
            tx.publish(&RegisteredAgain { email, name: user.name, locale: user.locale });
            tx.audit(actor.did("user.registered_again", "user", user.id));
        }
        // Nobody has shown that the mailbox is theirs: whoever confirms, with the password of their own registration,
        // decides which one counts.
        Some(user) => {
            send_verification(parts, &mut tx, user.id, account, &hash).await?;
            tx.audit(actor.did("user.registered", "user", user.id));
        }
        None => {
            let id = parts.sources.id::<UserMark>();
            // Another registration of the same address may be first; then this one was as good as not sent.
            if insert(&mut tx, id, account, &hash, None, now).await? {
                send_verification(parts, &mut tx, id, account, &hash).await?;
                tx.audit(actor.did("user.registered", "user", id));
            }
        }
    }
    tx.commit(now).await?;
    Ok(())
}

pub(super) async fn create(parts: &Parts, actor: &Actor, account: &NewAccount) -> Result<User, Error> {
    if !actor.is_system() {
        return Err(crate::Denied::PeopleOnly.into());
    }
    check(account)?;
    let hash = parts.passwords.hash(&account.password).await;
    let (id, now) = (parts.sources.id::<UserMark>(), parts.sources.now());
    let mut tx = parts.database.begin().await?;
    if !insert(&mut tx, id, account, &hash, Some(now), now).await? {
        return Err(Error::EmailTaken);
    }
    tx.audit(actor.did("user.created", "user", id));
    let user = load(&mut tx, id).await?;
    tx.commit(now).await?;
    Ok(user)
}

/// Writes an account; false if the address has one.
async fn insert(
    connection: &mut PgConnection,
    id: UserId,
    account: &NewAccount,
    hash: &str,
    verified_at: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let inserted = sqlx::query!(
        "INSERT INTO identity.users (id, email, email_key, email_verified_at, password_hash, name, locale, created_at,
                                     updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT (email_key) DO NOTHING",
        id.uuid(),
        account.email.as_str(),
        email_key(&account.email),
        verified_at,
        hash,
        account.name,
        account.locale,
        now,
    )
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}
