//! Who somebody from elsewhere is here.
//!
//! An account that is there already is never linked because of its address: a provider may be mistaken about addresses,
//! and they change hands. Its owner signs in and links.

use platform::audit::Origin;
use platform::{Email, Slug, Tx};

use super::{ExternalAccount, Person};
use crate::accounts::{self, UserMark, email_key};
use crate::events::{Notice, SecurityNoticed};
use crate::{Actor, Error, Parts, UserId};

/// Longest name that is taken over, in characters.
const LONGEST_NAME: usize = 200;

/// The user that this person signs in as: the one whose account elsewhere it is, or a new one.
pub(super) async fn sign_in(
    parts: &Parts,
    origin: &Origin,
    provider: &str,
    person: &Person,
) -> Result<UserId, Error> {
    let now = parts.sources.now();
    let actor = Actor::stranger().from(origin.clone());
    let facts = serde_json::json!({"provider": provider});
    let mut tx = parts.database.begin().await?;
    meet(&mut tx, person).await?;
    let known = sqlx::query_scalar!(
        r#"UPDATE identity.external_accounts SET last_used_at = $3, email = $4 WHERE issuer = $1 AND subject = $2
           RETURNING user_id AS "user_id: UserId""#,
        person.issuer,
        person.subject,
        now,
        person.email.as_ref().map(Email::as_str),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let user = match known {
        Some(user) => {
            tx.audit(actor.did("external_account.used", "user", user).with_facts(facts));
            user
        }
        None => {
            let user = open_account(parts, &mut tx, person).await?;
            keep(parts, &mut tx, user, provider, person).await?;
            tx.audit(actor.did("user.registered", "user", user).with_facts(facts.clone()));
            tx.audit(actor.did("external_account.linked", "user", user).with_facts(facts));
            user
        }
    };
    tx.commit(now).await?;
    Ok(user)
}

/// Two logins of the same person at once meet here: the second one finds what the first one made.
async fn meet(tx: &mut Tx, person: &Person) -> Result<(), Error> {
    let name = format!("{} {}", person.issuer, person.subject);
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name).execute(&mut **tx).await?;
    Ok(())
}

/// Opens an account for somebody whose address the provider has verified and nobody has here.
async fn open_account(parts: &Parts, tx: &mut Tx, person: &Person) -> Result<UserId, Error> {
    let now = parts.sources.now();
    let email = person.email.as_ref().filter(|_| person.email_verified).ok_or(Error::Conflict(
        "the login provider has not verified your email address; verify it there, or register with a password",
        "identity/email_not_verified",
    ))?;
    let there = sqlx::query!(
        r#"SELECT id AS "id: UserId", email_verified_at IS NOT NULL AS "verified!" FROM identity.users
           WHERE email_key = $1 FOR UPDATE"#,
        email_key(email),
    )
    .fetch_optional(&mut **tx)
    .await?;
    match there {
        Some(user) if user.verified => return Err(account_exists()),
        // Whoever opened it never showed the mailbox to be theirs; this person has.
        Some(user) => accounts::wipe(tx, user.id, now).await?,
        None => {}
    }
    let id = parts.sources.id::<UserMark>();
    let inserted = sqlx::query!(
        "INSERT INTO identity.users (id, email, email_key, email_verified_at, name, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $4, $4) ON CONFLICT (email_key) DO NOTHING",
        id.uuid(),
        email.as_str(),
        email_key(email),
        now,
        name(person.name.as_deref(), email),
    )
    .execute(&mut **tx)
    .await?;
    // Somebody opened one in this moment.
    if inserted.rows_affected() == 0 { Err(account_exists()) } else { Ok(id) }
}

const fn account_exists() -> Error {
    Error::Conflict(
        "there is an account with your email address: sign in to it as you usually do, then link this login",
        "identity/account_exists",
    )
}

/// A name as it may be kept, made of what the provider says.
fn name(told: Option<&str>, email: &Email) -> String {
    let plain = |text: &str| -> String {
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        text.trim().chars().take(LONGEST_NAME).collect()
    };
    let told = told.map(plain).filter(|name| !name.is_empty());
    told.unwrap_or_else(|| plain(email.as_str().split('@').next().unwrap_or_default()))
}

/// Writes that this account elsewhere signs in as this user.
async fn keep(
    parts: &Parts,
    tx: &mut Tx,
    user: UserId,
    provider: &str,
    person: &Person,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO identity.external_accounts (issuer, subject, user_id, provider, email, created_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
        person.issuer,
        person.subject,
        user.uuid(),
        provider,
        person.email.as_ref().map(Email::as_str),
        parts.sources.now(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Links this person's account elsewhere to the account of a user who asked for it. Once it is linked, nothing happens.
pub(super) async fn link(
    parts: &Parts,
    actor: &Actor,
    user: UserId,
    provider: &str,
    person: &Person,
) -> Result<(), Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    meet(&mut tx, person).await?;
    lock(&mut tx, user).await?;
    let holder = sqlx::query_scalar!(
        r#"SELECT user_id AS "user_id: UserId" FROM identity.external_accounts WHERE issuer = $1 AND subject = $2"#,
        person.issuer,
        person.subject,
    )
    .fetch_optional(&mut *tx)
    .await?;
    match holder {
        Some(holder) if holder == user => return Ok(()),
        Some(_) => {
            let message = "this account elsewhere signs in to another account here";
            return Err(Error::Conflict(message, "identity/external_account_taken"));
        }
        None => {}
    }
    let another = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM identity.external_accounts WHERE user_id = $1 AND provider = $2) AS "another!""#,
        user.uuid(),
        provider,
    )
    .fetch_one(&mut *tx)
    .await?;
    if another {
        let message = "another account of this provider is linked already; unlink it first";
        return Err(Error::Conflict(message, "identity/provider_linked"));
    }
    keep(parts, &mut tx, user, provider, person).await?;
    let owner = accounts::load(&mut tx, user).await?;
    tx.publish(&SecurityNoticed {
        email: owner.email.as_str().to_owned(),
        name: owner.name,
        locale: owner.locale,
        notice: Notice::ExternalAccountLinked,
    });
    let facts = serde_json::json!({"provider": provider});
    tx.audit(actor.did("external_account.linked", "user", user).with_facts(facts));
    tx.commit(now).await?;
    Ok(())
}

/// Makes changes to what a user signs in with follow each other. Tells whether they have a password.
async fn lock(tx: &mut Tx, user: UserId) -> Result<bool, Error> {
    sqlx::query_scalar!(
        r#"SELECT password_hash IS NOT NULL AS "has_password!" FROM identity.users
           WHERE id = $1 AND deleted_at IS NULL FOR UPDATE"#,
        user.uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::UserNotFound)
}

pub(super) async fn unlink(parts: &Parts, actor: &Actor, provider: &str) -> Result<(), Error> {
    let (user, now) = (actor.person()?, parts.sources.now());
    let missing = || Error::NotFound("linked account");
    let provider: Slug = provider.parse().map_err(|_| missing())?;
    let mut tx = parts.database.begin().await?;
    let has_password = lock(&mut tx, user).await?;
    let unlinked = sqlx::query!(
        "DELETE FROM identity.external_accounts WHERE user_id = $1 AND provider = $2",
        user.uuid(),
        provider.as_str(),
    )
    .execute(&mut *tx)
    .await?;
    if unlinked.rows_affected() == 0 {
        return Err(missing());
    }
    // One at a provider that is gone from the settings signs nobody in.
    let usable: Vec<String> = parts.settings.providers.iter().map(|provider| provider.name.clone()).collect();
    let left = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM identity.external_accounts WHERE user_id = $1 AND provider = ANY($2)) AS "left!""#,
        user.uuid(),
        &usable,
    )
    .fetch_one(&mut *tx)
    .await?;
    if !has_password && !left {
        let message = "nothing would be left to sign in with: set a password first, or link another account";
        return Err(Error::Conflict(message, "identity/last_sign_in"));
    }
    let facts = serde_json::json!({"provider": provider});
    tx.audit(actor.did("external_account.unlinked", "user", user).with_facts(facts));
    tx.commit(now).await?;
    Ok(())
}

pub(super) async fn list(parts: &Parts, actor: &Actor) -> Result<Vec<ExternalAccount>, Error> {
    let user = actor.person()?;
    Ok(sqlx::query_as!(
        ExternalAccount,
        "SELECT provider, email, created_at, last_used_at FROM identity.external_accounts WHERE user_id = $1
         ORDER BY created_at, provider",
        user.uuid(),
    )
    .fetch_all(parts.database.pool())
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_what_is_told() {
        let email: Email = "ada@example.com".parse().unwrap();
        assert_eq!(name(Some(" Ada\u{0}\n Lovelace "), &email), "Ada Lovelace");
        assert_eq!(name(Some(" \t"), &email), "ada");
        assert_eq!(name(None, &email), "ada");
        assert_eq!(name(Some(&"é".repeat(300)), &email).chars().count(), 200);
    }
}
