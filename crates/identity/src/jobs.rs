//! Background work: mails that were asked for, and forgetting what is over.

use std::error::Error as StdError;
use std::time::Duration;

use async_trait::async_trait;
use platform::Email;
use platform::outbox::{Delivery, Event, Handler};
use platform::schedule::Recurring;
use time::OffsetDateTime;

use crate::events::{PasswordResetRequested, VerificationRequested};
use crate::{Identity, Parts, accounts, signing, throttle};

/// Looks up who asked for a mail, after the answer to the request has told nothing.
pub struct PrepareMails(pub Identity);

#[async_trait]
impl Handler for PrepareMails {
    fn topics(&self) -> &'static [&'static str] {
        &[PasswordResetRequested::TOPIC, VerificationRequested::TOPIC]
    }

    async fn handle(&self, deliveries: &[&Delivery]) -> Result<(), Box<dyn StdError + Send + Sync>> {
        for delivery in deliveries {
            if let Some(wish) = delivery.read::<PasswordResetRequested>()? {
                if let Ok(email) = wish.email.parse::<Email>() {
                    accounts::prepare_reset(&self.0.parts, &email).await?;
                }
            } else if let Some(wish) = delivery.read::<VerificationRequested>()?
                && let Ok(email) = wish.email.parse::<Email>()
            {
                accounts::wanted(&self.0.parts, &email).await?;
            }
        }
        Ok(())
    }
}

/// Forgets what is over, and rotates the signing key in time.
pub struct CleanUp(pub Identity);

#[async_trait]
impl Recurring for CleanUp {
    fn name(&self) -> &'static str {
        "identity.clean_up"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60 * 60)
    }

    async fn round(&self) -> Result<u64, Box<dyn StdError + Send + Sync>> {
        let parts = &*self.0.parts;
        Ok(signing::tend(parts).await? + forget(parts, parts.sources.now()).await?)
    }
}

/// How long a session that is over stays, for whoever asks what happened.
const KEEP_SESSIONS: time::Duration = time::Duration::days(30);

async fn forget(parts: &Parts, now: OffsetDateTime) -> Result<u64, sqlx::Error> {
    let pool = parts.database.pool();
    let mut forgotten = sqlx::query!("DELETE FROM identity.mailed_tokens WHERE expires_at < $1", now)
        .execute(pool)
        .await?
        .rows_affected();
    forgotten += sqlx::query!("DELETE FROM identity.challenges WHERE expires_at < $1", now)
        .execute(pool)
        .await?
        .rows_affected();
    forgotten +=
        sqlx::query!("DELETE FROM identity.failed_logins WHERE last_at < $1", now - throttle::FORGET)
            .execute(pool)
            .await?
            .rows_affected();
    let over = now - KEEP_SESSIONS;
    // Their addresses are of people who may have no account.
    forgotten += sqlx::query!("DELETE FROM identity.invitations WHERE expires_at < $1", over)
        .execute(pool)
        .await?
        .rows_affected();
    sqlx::query!(
        "DELETE FROM identity.refresh_tokens WHERE session_id IN
           (SELECT id FROM identity.sessions WHERE idle_expires_at < $1 OR revoked_at < $1)",
        over,
    )
    .execute(pool)
    .await?;
    forgotten +=
        sqlx::query!("DELETE FROM identity.sessions WHERE idle_expires_at < $1 OR revoked_at < $1", over)
            .execute(pool)
            .await?
            .rows_affected();
    // Accounts whose mailbox nobody ever showed to be theirs.
    forgotten += sqlx::query!(
        "DELETE FROM identity.users u WHERE email_verified_at IS NULL AND deleted_at IS NULL AND created_at < $1
           AND NOT EXISTS (SELECT FROM identity.mailed_tokens t WHERE t.user_id = u.id)
           AND NOT EXISTS (SELECT FROM identity.sessions s WHERE s.user_id = u.id)
           AND NOT EXISTS (SELECT FROM identity.memberships m WHERE m.user_id = u.id)
           AND NOT EXISTS (SELECT FROM identity.external_accounts e WHERE e.user_id = u.id)
           AND NOT EXISTS (SELECT FROM identity.addresses a WHERE a.user_id = u.id)",
        over,
    )
    .execute(pool)
    .await?
    .rows_affected();
    Ok(forgotten)
}
