//! Refresh tokens: each is good once, and one that is shown again ends its session.

use platform::Secret;

use super::open::{new_refresh_token, pair};
use super::{Client, TokenPair, idle_end, revoke_row};
use crate::events::{Notice, SecurityNoticed};
use crate::{Error, Parts, SessionId, UserId, principal};

const PURPOSE: &str = "refresh_token";

pub(super) async fn refresh(parts: &Parts, _: &Client, shown: &Secret) -> Result<TokenPair, Error> {
    let now = parts.sources.now();
    let mut tx = parts.database.begin().await?;
    // The lock makes concurrent refreshes meet here: one is first, the others see what it did.
    let row = sqlx::query!(
        r#"SELECT r.session_id AS "session_id: SessionId", r.used_at, r.successor, s.user_id AS "user_id: UserId",
                  s.revoked_at, s.idle_expires_at, s.expires_at, u.role, u.email, u.name, u.locale
           FROM identity.refresh_tokens r JOIN identity.sessions s ON s.id = r.session_id
           JOIN identity.users u ON u.id = s.user_id
           WHERE r.token_hash = $1 AND u.deleted_at IS NULL FOR UPDATE OF r, s"#,
        shown.hash(),
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::BadCredential)?;
    if row.revoked_at.is_some() || row.idle_expires_at <= now || row.expires_at <= now {
        return Err(Error::BadCredential);
    }
    if let (Some(used_at), Some(sealed)) = (row.used_at, row.successor) {
        let opened = parts.settings.vault.open(PURPOSE, &sealed)?;
        let successor = Secret::presented(&String::from_utf8(opened).map_err(Error::stored)?);
        let in_use = sqlx::query_scalar!(
            r#"SELECT used_at IS NOT NULL AS "in_use!" FROM identity.refresh_tokens WHERE token_hash = $1"#,
            successor.hash(),
        )
        .fetch_optional(&mut *tx)
        .await?;
        if now - used_at <= parts.settings.refresh_grace && in_use == Some(false) {
            // An answer that was lost on the way: the same again.
            return pair(parts, row.user_id, row.session_id, successor).await;
        }
        revoke_row(&mut tx, row.session_id, "refresh_token_reused", now).await?;
        if let Some(email) = row.email {
            let (name, locale) = (row.name, row.locale);
            tx.publish(&SecurityNoticed { email, name, locale, notice: Notice::TokenReused });
        }
        tx.commit(now).await?;
        metrics::counter!("souk_refresh_tokens_reused_total").increment(1);
        tracing::warn!(session = %row.session_id, "a refresh token was shown again; its session was ended");
        return Err(Error::RefreshReused);
    }
    let successor = new_refresh_token(parts, &mut tx, row.session_id, now).await?;
    let sealed = parts.settings.vault.seal(&parts.sources, PURPOSE, successor.expose().as_bytes());
    sqlx::query!(
        "UPDATE identity.refresh_tokens SET used_at = $2, successor = $3 WHERE token_hash = $1",
        shown.hash(),
        now,
        sealed,
    )
    .execute(&mut *tx)
    .await?;
    let operator = principal::role(row.role.as_deref())?.is_some();
    sqlx::query!(
        "UPDATE identity.sessions SET last_seen_at = $2, idle_expires_at = $3 WHERE id = $1",
        row.session_id.uuid(),
        now,
        idle_end(parts, operator).min(row.expires_at),
    )
    .execute(&mut *tx)
    .await?;
    tx.commit(now).await?;
    pair(parts, row.user_id, row.session_id, successor).await
}
