//! Sending what is due.
//!
//! A mail is claimed by pushing its `due_at` ahead, like a lease, so that no transaction is open while the server is
//! spoken to. Whoever crashes in between leaves a mail that is due again when the lease ends: it may go out twice, with
//! the same Message-ID, and is never lost.

use std::sync::OnceLock;
use std::time::SystemTime;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use time::{Duration, OffsetDateTime};

use crate::{Error, Parts, Smtp};

/// Mails that one round claims. With [`LONGEST`] for each they are done within the lease.
const BATCH: i64 = 10;
const LEASE: Duration = Duration::minutes(10);
/// How long one mail may take.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(45);
/// After this time a mail that could not be sent is given up (RFC 5321, 4.5.4.1: at least 4 to 5 days between servers;
/// this is the way to our own, and what it carries is void by then).
const GIVE_UP: Duration = Duration::days(3);
/// A server that refuses for good may only be set up wrongly, so it is asked some more times, over hours.
const MOST_REFUSALS: i32 = 6;

/// The way to the mail server.
pub(crate) struct Sender {
    smtp: Smtp,
    transport: OnceLock<AsyncSmtpTransport<Tokio1Executor>>,
}

/// Why a mail did not go out.
enum Failed {
    /// It can never be sent.
    Unsendable(String),
    /// The server refuses this mail for good.
    Refused(String),
    /// The server does not want it now.
    Later(String),
    /// The server is not there: the others need not be tried now.
    Unreachable(String),
}

struct Claimed {
    id: i64,
    message_id: String,
    recipient: String,
    subject: String,
    text: String,
    html: String,
    attempts: i32,
    created_at: OffsetDateTime,
}

impl Sender {
    pub(crate) const fn new(smtp: Smtp) -> Self {
        Self { smtp, transport: OnceLock::new() }
    }

    async fn send(&self, message: Message) -> Result<(), Failed> {
        let transport = match self.transport.get() {
            Some(transport) => transport,
            None => {
                // Not in `new`: it starts a task, for which a runtime has to be there.
                let made = self.smtp.transport().map_err(|error| Failed::Unreachable(error.to_string()))?;
                self.transport.get_or_init(|| made)
            }
        };
        match tokio::time::timeout(LONGEST, transport.send(message)).await {
            Err(_) => Err(Failed::Unreachable("the mail server is too slow".to_owned())),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                let words = in_words(&error);
                Err(match error {
                    error if error.is_permanent() => Failed::Refused(words),
                    error if error.is_transient() => Failed::Later(words),
                    error if error.is_client() => Failed::Unsendable(words),
                    _ => Failed::Unreachable(words),
                })
            }
        }
    }
}

/// The error and its causes. lettre names the server's words, never the password.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = inner.source();
    }
    words
}

pub(crate) async fn send_due(parts: &Parts) -> Result<u64, Error> {
    let Some(sender) = &parts.sender else { return Ok(0) };
    let claimed = claim(parts).await?;
    let full = i64::try_from(claimed.len()).is_ok_and(|claimed| claimed == BATCH);
    let mut sent = 0;
    let mut unreachable = None;
    for mail in claimed {
        let outcome = match (&unreachable, message(parts, &mail)) {
            (Some(why), _) => Err(Failed::Unreachable(String::clone(why))),
            (None, Err(why)) => Err(Failed::Unsendable(why)),
            (None, Ok(message)) => sender.send(message).await,
        };
        match outcome {
            Ok(()) => {
                note_sent(parts, &mail).await?;
                sent += 1;
            }
            Err(failed) => {
                if let Failed::Unreachable(why) = &failed {
                    unreachable = Some(why.clone());
                }
                note_failed(parts, &mail, &failed).await?;
            }
        }
    }
    if full && unreachable.is_none() {
        // There may be more; the next round need not wait.
        parts.queued.notify_one();
    }
    Ok(sent)
}

/// Takes some mails that are due; nobody else takes them until the lease ends.
async fn claim(parts: &Parts) -> Result<Vec<Claimed>, Error> {
    let now = parts.sources.now();
    let mut claimed = sqlx::query_as!(
        Claimed,
        "UPDATE notifications.mails SET due_at = $2, attempts = attempts + 1 WHERE id IN (
             SELECT id FROM notifications.mails WHERE state = 'queued' AND due_at <= $1
             ORDER BY due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)
         RETURNING id, message_id, recipient, subject, text, html, attempts, created_at",
        now,
        now + LEASE,
        BATCH,
    )
    .fetch_all(parts.database.pool())
    .await?;
    claimed.sort_by_key(|mail| mail.id);
    Ok(claimed)
}

/// The mail as it goes out (RFC 5322), or why it can not be made.
fn message(parts: &Parts, mail: &Claimed) -> Result<Message, String> {
    let to: Address =
        mail.recipient.parse().map_err(|error| format!("the address can not be used: {error}"))?;
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    Message::builder()
        .from(parts.settings.from.clone())
        .to(Mailbox::new(None, to))
        .subject(mail.subject.clone())
        .date(SystemTime::from(mail.created_at))
        .message_id(Some(mail.message_id.clone()))
        // So that no holiday notice answers (RFC 3834, 5).
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
        .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
        .map_err(|error| error.to_string())
}

async fn note_sent(parts: &Parts, mail: &Claimed) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE notifications.mails
         SET state = 'sent', sent_at = $2, due_at = NULL, last_error = NULL, text = '', html = ''
         WHERE id = $1 AND state = 'queued'",
        mail.id,
        parts.sources.now(),
    )
    .execute(parts.database.pool())
    .await?;
    metrics::counter!("souk_mails_total", "outcome" => "sent").increment(1);
    Ok(())
}

async fn note_failed(parts: &Parts, mail: &Claimed, failed: &Failed) -> Result<(), Error> {
    let now = parts.sources.now();
    let (why, for_good) = match failed {
        Failed::Unsendable(why) => (why, true),
        Failed::Refused(why) => (why, mail.attempts >= MOST_REFUSALS),
        Failed::Later(why) | Failed::Unreachable(why) => (why, false),
    };
    let due = now + backoff(mail.attempts);
    let due = (!for_good && due < mail.created_at + GIVE_UP).then_some(due);
    sqlx::query!(
        "UPDATE notifications.mails
         SET due_at = $2, last_error = $3, state = CASE WHEN $2::timestamptz IS NULL THEN 'failed' ELSE 'queued' END,
             text = CASE WHEN $2::timestamptz IS NULL THEN '' ELSE text END,
             html = CASE WHEN $2::timestamptz IS NULL THEN '' ELSE html END
         WHERE id = $1 AND state = 'queued' AND attempts = $4",
        mail.id,
        due,
        why.chars().take(500).collect::<String>(),
        mail.attempts,
    )
    .execute(parts.database.pool())
    .await?;
    // A server's words may name the reader's address, which is not logged; they stand in `last_error`.
    let error = match failed {
        Failed::Unsendable(_) => "it can not be sent",
        Failed::Refused(_) => "the mail server refuses it",
        Failed::Later(_) => "the mail server does not want it now",
        Failed::Unreachable(why) => why,
    };
    let (id, attempts) = (mail.id, mail.attempts);
    if due.is_some() {
        metrics::counter!("souk_mails_total", "outcome" => "delayed").increment(1);
        tracing::warn!(mail = id, attempts, error, "a mail could not be sent; it is tried again");
    } else {
        metrics::counter!("souk_mails_total", "outcome" => "failed").increment(1);
        tracing::error!(mail = id, attempts, error, "a mail was given up");
    }
    Ok(())
}

/// Half a minute, doubling, at most four hours.
fn backoff(attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts.clamp(1, 11) - 1).unwrap_or(0);
    Duration::seconds(30 * i64::from(2_u32.pow(doublings))).min(Duration::hours(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_grow_and_stay_bounded() {
        let pauses: Vec<i64> = (1..=12).map(|attempts| backoff(attempts).whole_seconds()).collect();
        assert_eq!(pauses[..4], [30, 60, 120, 240]);
        assert!(pauses.is_sorted());
        assert_eq!(pauses[11], 4 * 60 * 60);
    }
}
