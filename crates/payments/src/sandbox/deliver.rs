//! Sending notices to Souk's webhook until they arrive.
//!
//! A notice is claimed by pushing its time ahead, like a lease, so that no transaction is open while Souk is spoken to:
//! whoever crashes in between leaves it due again. It may arrive twice; that is for the other end to bear.

use std::sync::OnceLock;
use std::time::Duration as Timeout;

use time::Duration;

use super::event::HEADER;
use super::{Company, Control, task};
use crate::provider::signature;

/// Notices that one round sends.
pub(super) const BATCH: i64 = 100;
const LEASE: Duration = Duration::minutes(15);
const CONNECT_TIMEOUT: Timeout = Timeout::from_secs(2);
const TIMEOUT: Timeout = Timeout::from_secs(5);

/// The client that all calls share, made for the first one.
#[derive(Default)]
pub(super) struct Http(OnceLock<Result<reqwest::Client, String>>);

struct Claimed {
    seq: i64,
    id: String,
    body: String,
    attempts: i32,
    copies: i32,
}

/// Does what is due and sends the notices that are; returns how many things it did.
pub(super) async fn round(company: &Company) -> Result<u64, sqlx::Error> {
    let control = company.read_control().await?;
    let mut done = 0;
    while done < BATCH.unsigned_abs() && task::next(company, &control).await? {
        done += 1;
    }
    let mut unreachable = None;
    for notice in claim(company, &control).await? {
        let sent = match &unreachable {
            Some(why) => Err(String::clone(why)),
            None => send(company, &notice).await,
        };
        match sent {
            Ok(status) if (200..300).contains(&status) => {
                arrived(company, &control, &notice).await?;
                done += 1;
            }
            Ok(status) => failed(company, &control, &notice, &format!("Souk answered {status}")).await?,
            Err(why) => {
                failed(company, &control, &notice, &why).await?;
                unreachable = Some(why);
            }
        }
    }
    Ok(done)
}

/// Takes some notices that are due, oldest first, or in any order; nobody else takes them until the lease ends.
async fn claim(company: &Company, control: &Control) -> Result<Vec<Claimed>, sqlx::Error> {
    let now = company.now(control);
    let mut claimed = sqlx::query_as!(
        Claimed,
        r#"UPDATE payments.sandbox_events SET due_at = $2, attempts = attempts + 1 WHERE id IN (
             SELECT id FROM payments.sandbox_events WHERE due_at <= $1
             ORDER BY due_at, seq LIMIT $3 FOR UPDATE SKIP LOCKED)
         RETURNING seq AS "seq!", id, body, attempts, copies"#,
        now,
        now + LEASE,
        BATCH,
    )
    .fetch_all(company.database.pool())
    .await?;
    if control.chaos.shuffle {
        // Their names are made of chance.
        claimed.sort_by(|one, other| one.id.cmp(&other.id));
    } else {
        claimed.sort_by_key(|notice| notice.seq);
    }
    Ok(claimed)
}

/// Sends a notice; the status of the answer, or why there is none.
async fn send(company: &Company, notice: &Claimed) -> Result<u16, String> {
    let client = company.http.0.get_or_init(|| {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .user_agent("Souk-Sandbox")
            .build()
            .map_err(|error| error.to_string())
    });
    let client = client.as_ref().map_err(Clone::clone)?;
    // The signature tells the real time: the test clock is the sandbox's alone.
    let signature = signature::sign(&company.secret, notice.body.as_bytes(), company.sources.now());
    let answer = client
        .post(company.address("/api/v1/payments/webhook/sandbox"))
        .header("Content-Type", "application/json")
        .header(HEADER, signature)
        .body(notice.body.clone())
        .send()
        .await
        .map_err(|error| format!("Souk does not answer: {error}"))?;
    Ok(answer.status().as_u16())
}

async fn arrived(company: &Company, control: &Control, notice: &Claimed) -> Result<(), sqlx::Error> {
    let now = company.now(control);
    sqlx::query!(
        "UPDATE payments.sandbox_events SET copies = $2, delivered_at = $3::timestamptz, last_error = NULL, attempts = 0,
             due_at = CASE WHEN $2 > 0 THEN $3::timestamptz END
         WHERE id = $1",
        notice.id,
        notice.copies - 1,
        now,
    )
    .execute(company.database.pool())
    .await?;
    Ok(())
}

async fn failed(
    company: &Company,
    control: &Control,
    notice: &Claimed,
    why: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE payments.sandbox_events SET due_at = $2, last_error = $3 WHERE id = $1",
        notice.id,
        company.now(control) + backoff(notice.attempts),
        why.chars().take(500).collect::<String>(),
    )
    .execute(company.database.pool())
    .await?;
    let (id, attempts) = (&notice.id, notice.attempts);
    tracing::warn!(
        event = id,
        attempts,
        error = why,
        "a notice of the sandbox did not arrive; it is sent again"
    );
    Ok(())
}

/// Two seconds, doubling, at most an hour.
fn backoff(attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts.clamp(1, 12) - 1).unwrap_or(0);
    Duration::seconds(2 * 2_i64.pow(doublings)).min(Duration::hours(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_grow_and_stay_bounded() {
        let pauses: Vec<i64> = (1..=13).map(|attempts| backoff(attempts).whole_seconds()).collect();
        assert_eq!(pauses[..4], [2, 4, 8, 16]);
        assert!(pauses.is_sorted());
        assert_eq!(pauses[12], 60 * 60);
    }
}
