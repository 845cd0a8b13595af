//! Recovery codes: for whoever lost their second factor. Each is good once.

use platform::{Secret, Tx};

use super::account::{self, hold};
use crate::events::Notice;
use crate::{Actor, Error, Parts, UserId};

/// Codes of a list.
const CODES: usize = 10;
/// Crockford's base32, in small letters: nothing in it looks like something else.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of a code, of 5 bits each: 80 bits, so that a plain hash is enough at rest.
const CHARACTERS: usize = 16;
/// Characters between two hyphens.
const GROUP: usize = 4;

/// Makes new codes in place of those that are there.
pub(super) async fn renew(parts: &Parts, actor: &Actor) -> Result<Vec<Secret>, Error> {
    let mut tx = parts.database.begin().await?;
    let owner = hold(parts, &mut tx, actor).await?;
    if !account::has_any(&mut tx, owner.user).await? {
        return Err(Error::Conflict("set up a second factor first", "identity/no_second_factor"));
    }
    let codes = make(parts, &mut tx, owner.user).await?;
    tx.audit(actor.did("second_factor.codes_renewed", "user", owner.user));
    tx.commit(parts.sources.now()).await?;
    Ok(codes)
}

/// Makes codes for somebody who has none left.
pub(super) async fn make_if_none(parts: &Parts, tx: &mut Tx, user: UserId) -> Result<Vec<Secret>, Error> {
    let left = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM identity.recovery_codes WHERE user_id = $1 AND used_at IS NULL) AS "left!""#,
        user.uuid(),
    )
    .fetch_one(&mut **tx)
    .await?;
    if left { Ok(Vec::new()) } else { make(parts, tx, user).await }
}

async fn make(parts: &Parts, tx: &mut Tx, user: UserId) -> Result<Vec<Secret>, Error> {
    forget(tx, user).await?;
    let codes: Vec<String> = (0..CODES).map(|_| code(parts.sources.random())).collect();
    let hashes: Vec<Vec<u8>> = codes.iter().map(|code| read(code).hash()).collect();
    sqlx::query!(
        "INSERT INTO identity.recovery_codes (user_id, code_hash) SELECT $1, unnest($2::bytea[])",
        user.uuid(),
        &hashes,
    )
    .execute(&mut **tx)
    .await?;
    Ok(codes.iter().map(|code| Secret::presented(code)).collect())
}

/// Takes all codes of somebody away.
pub(super) async fn forget(tx: &mut Tx, user: UserId) -> Result<(), Error> {
    sqlx::query!("DELETE FROM identity.recovery_codes WHERE user_id = $1", user.uuid())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Takes a code, which is good once, and tells its owner.
pub(super) async fn take(parts: &Parts, tx: &mut Tx, user: UserId, code: &Secret) -> Result<(), Error> {
    let taken = sqlx::query!(
        "UPDATE identity.recovery_codes SET used_at = $3 WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL",
        user.uuid(),
        read(code.expose()).hash(),
        parts.sources.now(),
    )
    .execute(&mut **tx)
    .await?;
    if taken.rows_affected() == 0 {
        return Err(Error::WrongCode);
    }
    account::tell(tx, user, Notice::RecoveryCodeUsed).await
}

/// A new code, such as `7k2m-q0zx-41vd-hn8p`.
fn code(random: [u8; CHARACTERS]) -> String {
    let mut code = String::new();
    for (place, byte) in random.into_iter().enumerate() {
        if place > 0 && place % GROUP == 0 {
            code.push('-');
        }
        // 256 is a multiple of 32: each character is as likely as any other.
        code.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    code
}

/// A code as it is hashed, however it was typed.
fn read(typed: &str) -> Secret {
    let plain = |letter: char| match letter.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    };
    let code: String =
        typed.chars().filter(|letter| *letter != '-' && !letter.is_whitespace()).map(plain).collect();
    Secret::presented(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_people_type_them() {
        let code = code([0, 1, 9, 10, 11, 31, 32, 33, 63, 64, 100, 128, 200, 254, 255, 18]);
        assert_eq!(code, "019a-bz01-z040-8yzj");
        let sloppy =
            format!(" {} ", code.to_uppercase().replace('-', " ").replace('0', "O").replace('1', "l"));
        assert_eq!(read(&sloppy).hash(), read(&code).hash());
    }
}
