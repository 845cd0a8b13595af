//! Address books.

use platform::database::json;

use super::{AddressBookEntry, AddressId, AddressMark, PutAddress};
use crate::{Actor, Error, Parts, UserId};

/// Addresses that somebody can keep.
const MOST: i64 = 50;

pub(super) async fn list(parts: &Parts, actor: &Actor) -> Result<Vec<AddressBookEntry>, Error> {
    of_user(parts, actor.person()?).await
}

pub(super) async fn of_user(parts: &Parts, user: UserId) -> Result<Vec<AddressBookEntry>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: AddressId", label, address, is_default FROM identity.addresses
           WHERE user_id = $1 ORDER BY is_default DESC, created_at, id"#,
        user.uuid(),
    )
    .fetch_all(parts.database.pool())
    .await?;
    rows.into_iter()
        .map(|row| {
            let address = serde_json::from_value(row.address).map_err(Error::stored)?;
            Ok(AddressBookEntry { id: row.id, label: row.label, address, is_default: row.is_default })
        })
        .collect()
}

pub(super) async fn put(
    parts: &Parts,
    actor: &Actor,
    id: Option<AddressId>,
    put: &PutAddress,
) -> Result<AddressBookEntry, Error> {
    let (user, now) = (actor.person()?, parts.sources.now());
    if put.label.as_ref().is_some_and(|label| label.trim().is_empty() || label.chars().any(char::is_control))
    {
        return Err(Error::invalid("label", "invalid", "a label is something to read, on one line"));
    }
    let mut tx = parts.database.begin().await?;
    // One change of the book at a time.
    sqlx::query!("SELECT id FROM identity.users WHERE id = $1 FOR UPDATE", user.uuid())
        .fetch_one(&mut *tx)
        .await?;
    let kept = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM identity.addresses WHERE user_id = $1 AND id IS DISTINCT FROM $2"#,
        user.uuid(),
        id.map(AddressId::uuid),
    )
    .fetch_one(&mut *tx)
    .await?;
    if id.is_none() && kept >= MOST {
        return Err(Error::Conflict(
            "an address book has at most 50 addresses",
            "identity/address_book_full",
        ));
    }
    // The only one is the default.
    let is_default = put.is_default || kept == 0;
    if is_default {
        sqlx::query!(
            "UPDATE identity.addresses SET is_default = false WHERE user_id = $1 AND is_default",
            user.uuid()
        )
        .execute(&mut *tx)
        .await?;
    }
    let written = match id {
        Some(id) => sqlx::query_scalar!(
            r#"UPDATE identity.addresses SET label = $3, address = $4, is_default = $5, updated_at = $6
               WHERE id = $1 AND user_id = $2 RETURNING id AS "id: AddressId""#,
            id.uuid(),
            user.uuid(),
            put.label,
            json(&put.address),
            is_default,
            now,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound("address"))?,
        None => sqlx::query_scalar!(
            r#"INSERT INTO identity.addresses (id, user_id, label, address, is_default, created_at, updated_at)
               VALUES ($1, $2, $3, $4, $5, $6, $6) RETURNING id AS "id: AddressId""#,
            parts.sources.id::<AddressMark>().uuid(),
            user.uuid(),
            put.label,
            json(&put.address),
            is_default,
            now,
        )
        .fetch_one(&mut *tx)
        .await?,
    };
    keep_a_default(&mut tx, user).await?;
    tx.commit(now).await?;
    Ok(AddressBookEntry { id: written, label: put.label.clone(), address: put.address.clone(), is_default })
}

pub(super) async fn delete(parts: &Parts, actor: &Actor, id: AddressId) -> Result<(), Error> {
    let (user, now) = (actor.person()?, parts.sources.now());
    let mut tx = parts.database.begin().await?;
    sqlx::query!("SELECT id FROM identity.users WHERE id = $1 FOR UPDATE", user.uuid())
        .fetch_one(&mut *tx)
        .await?;
    let gone =
        sqlx::query!("DELETE FROM identity.addresses WHERE id = $1 AND user_id = $2", id.uuid(), user.uuid())
            .execute(&mut *tx)
            .await?;
    if gone.rows_affected() == 0 {
        return Err(Error::NotFound("address"));
    }
    keep_a_default(&mut tx, user).await?;
    tx.commit(now).await?;
    Ok(())
}

/// A book that is not empty has a default: the oldest address, if nobody chose.
async fn keep_a_default(connection: &mut sqlx::PgConnection, user: UserId) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE identity.addresses SET is_default = true
         WHERE id = (SELECT id FROM identity.addresses WHERE user_id = $1 ORDER BY created_at, id LIMIT 1)
           AND NOT EXISTS (SELECT FROM identity.addresses WHERE user_id = $1 AND is_default)",
        user.uuid(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
