//! Charges that are not answered at once, and what becomes of them.

use platform::Money;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::event::{self, Object};
use super::standing::{self, Standing, State};
use super::task::{self, Task};
use super::token::Behaviour;
use super::{Company, Control};
use crate::DeclineCode;
use crate::provider::{Named, ProviderError, Said};

/// A charge with what its pages need.
pub(super) struct Intent {
    pub(super) standing: Standing,
    pub(super) order: Option<Uuid>,
    pub(super) hosted: bool,
    pub(super) description: String,
    pub(super) return_url: Option<String>,
    pub(super) cancel_url: Option<String>,
    /// By the sandbox's clock.
    pub(super) expires_at: Option<OffsetDateTime>,
    pub(super) settled_at: Option<OffsetDateTime>,
}

/// Writes a new one down, if its key was not used before; whether it was new.
pub(super) async fn insert(
    tx: &mut PgConnection,
    intent: &Intent,
    at: OffsetDateTime,
) -> Result<bool, sqlx::Error> {
    let Standing { key, reference, amount, token, .. } = &intent.standing;
    let made = sqlx::query!(
        "INSERT INTO payments.sandbox_charges (idempotency_key, reference, amount, currency, token, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (idempotency_key) DO NOTHING",
        key,
        reference,
        amount.amount,
        amount.currency.code(),
        token,
        at,
    )
    .execute(&mut *tx)
    .await?;
    if made.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO payments.sandbox_intents (idempotency_key, state, order_id, session, hosted, description, return_url,
             cancel_url, expires_at, exp_month, exp_year)
         VALUES ($1, 'requires_action', $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        key,
        intent.order,
        intent.standing.session,
        intent.hosted,
        intent.description,
        intent.return_url,
        intent.cancel_url,
        intent.expires_at,
        i16::from(intent.standing.expires.0),
        i16::try_from(intent.standing.expires.1).unwrap_or(i16::MAX),
    )
    .execute(tx)
    .await?;
    Ok(true)
}

/// Takes hold of one: nobody else changes it, or what it leads to, until the transaction ends. Both rows are locked: whoever
/// waited for one alone would read the other as it was before.
pub(super) async fn lock(tx: &mut PgConnection, key: &str) -> Result<Option<Intent>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT c.reference, c.amount, c.currency, c.token, i.state, i.decline_code, i.order_id, i.session, i.hosted,
             i.challenged, i.description, i.return_url, i.cancel_url, i.expires_at, i.kept_as, i.exp_month, i.exp_year,
             i.captured, i.settled_at
         FROM payments.sandbox_charges c JOIN payments.sandbox_intents i USING (idempotency_key)
         WHERE c.idempotency_key = $1 FOR UPDATE OF c, i",
        key,
    )
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Intent {
        standing: Standing {
            key: key.to_owned(),
            reference: row.reference,
            amount: Money::new(row.amount, standing::currency(&row.currency)?),
            token: row.token,
            state: State::of(&row.state)?,
            decline: row.decline_code.as_deref().map(DeclineCode::of),
            session: Some(row.session),
            challenged: row.challenged,
            kept_as: row.kept_as,
            expires: standing::expiry(Some(row.exp_month), Some(row.exp_year)),
            captured: row.captured,
        },
        order: row.order_id,
        hosted: row.hosted,
        description: row.description,
        return_url: row.return_url,
        cancel_url: row.cancel_url,
        expires_at: row.expires_at,
        settled_at: row.settled_at,
    }))
}

/// Writes down how it stands now.
async fn save(tx: &mut PgConnection, intent: &Intent) -> Result<(), sqlx::Error> {
    let standing = &intent.standing;
    sqlx::query!(
        "WITH charge AS (UPDATE payments.sandbox_charges SET token = $9 WHERE idempotency_key = $1 AND token <> $9)
         UPDATE payments.sandbox_intents SET state = $2, decline_code = $3, challenged = $4, kept_as = $5, exp_month = $6,
             exp_year = $7, captured = $8, settled_at = $10
         WHERE idempotency_key = $1",
        standing.key,
        standing.state.as_str(),
        standing.decline.map(DeclineCode::as_str),
        standing.challenged,
        standing.kept_as,
        i16::from(standing.expires.0),
        i16::try_from(standing.expires.1).unwrap_or(i16::MAX),
        standing.captured,
        standing.token,
        intent.settled_at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Does with a charge as its card would have it.
pub(super) async fn give(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    intent: &mut Intent,
    behaviour: Behaviour,
) -> Result<(), sqlx::Error> {
    let now = company.now(control);
    let key = intent.standing.key.clone();
    intent.standing.challenged = false;
    match behaviour {
        Behaviour::Succeeds | Behaviour::Outage(_) => intent.take(intent.standing.amount.amount, now),
        Behaviour::Disputed => {
            intent.take(intent.standing.amount.amount, now);
            task::later(tx, Task::Dispute, &key, now + task::DISPUTED).await?;
        }
        Behaviour::Declines(code) => {
            intent.standing.state = State::Declined;
            intent.standing.decline = Some(code);
        }
        Behaviour::Challenges(_) => intent.standing.challenged = true,
        Behaviour::Processes => {
            intent.standing.state = State::Processing;
            task::later(tx, Task::Succeed, &key, now + task::PROCESSING).await?;
        }
        Behaviour::Authorizes => {
            intent.standing.state = State::Authorized;
            task::later(tx, Task::Expire, &key, now + task::AUTHORIZED).await?;
        }
    }
    save(tx, intent).await
}

impl Intent {
    fn take(&mut self, amount: i64, at: OffsetDateTime) {
        self.standing.state = State::Succeeded;
        self.standing.captured = amount;
        self.settled_at = Some(at);
    }
}

/// Moves a charge on to where nothing more becomes of it, and tells of it. Only one of which something could become still
/// moves; whether it did.
pub(super) async fn end(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    intent: &mut Intent,
    ending: Ending,
) -> Result<bool, sqlx::Error> {
    if intent.standing.state.is_final() {
        return Ok(false);
    }
    intent.standing.challenged = false;
    match ending {
        Ending::Taken(amount) => intent.take(amount, company.now(control)),
        Ending::Declined(code) => {
            intent.standing.state = State::Declined;
            intent.standing.decline = Some(code);
        }
        Ending::Voided => intent.standing.state = State::Voided,
    }
    save(tx, intent).await?;
    tell(tx, company, control, &intent.standing).await?;
    Ok(true)
}

/// The challenge of a page's card was not passed: the buyer may give another card.
pub(super) async fn reopen(tx: &mut PgConnection, intent: &mut Intent) -> Result<(), sqlx::Error> {
    intent.standing.challenged = false;
    save(tx, intent).await
}

/// How a charge may end.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// So many minor units were taken.
    Taken(i64),
    /// It was refused.
    Declined(DeclineCode),
    /// It was called off.
    Voided,
}

/// Tells Souk how a charge stands.
pub(super) async fn tell(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    standing: &Standing,
) -> Result<(), sqlx::Error> {
    let kind = format!("payment.{}", standing.state.as_str());
    let payment = standing.payment().map(platform::Id::uuid);
    let object = Object::payment(payment, standing.amount, standing.said(company));
    event::write(tx, company, control, &kind, object).await
}

/// What was under way succeeds.
pub(super) async fn finish(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    key: &str,
) -> Result<(), sqlx::Error> {
    if let Some(mut intent) = lock(tx, key).await?.filter(|intent| intent.standing.state == State::Processing)
    {
        let all = Ending::Taken(intent.standing.amount.amount);
        end(tx, company, control, &mut intent, all).await?;
    }
    Ok(())
}

/// What nobody finished in time is over.
pub(super) async fn expire(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    key: &str,
) -> Result<(), sqlx::Error> {
    let waits = |intent: &Intent| matches!(intent.standing.state, State::RequiresAction | State::Authorized);
    if let Some(mut intent) = lock(tx, key).await?.filter(waits) {
        end(tx, company, control, &mut intent, Ending::Voided).await?;
    }
    Ok(())
}

/// The charge that Souk names.
async fn named(company: &Company, payment: &Named) -> Result<Standing, ProviderError> {
    let found = standing::find(company, &[payment.id.to_string()]).await?.pop();
    found.ok_or_else(|| ProviderError::Unknown(format!("payment {}", payment.reference)))
}

pub(super) async fn look(company: &Company, payment: &Named) -> Result<Said, ProviderError> {
    Ok(named(company, payment).await?.said(company))
}

pub(super) async fn capture(
    company: &Company,
    payment: &Named,
    amount: Money,
) -> Result<Said, ProviderError> {
    let control = company.asked().await?;
    let mut tx = company.database.begin().await?;
    let Some(mut intent) = lock(&mut tx, &payment.id.to_string()).await? else {
        return match named(company, payment).await? {
            standing if standing.state == State::Succeeded && standing.taken() == amount => {
                Ok(standing.said(company))
            }
            _ => Err(refused("not_authorized", "it was charged at once")),
        };
    };
    let standing = &intent.standing;
    match standing.state {
        State::Succeeded if standing.taken() == amount => return Ok(standing.said(company)),
        State::Authorized => {}
        other => return Err(refused("not_authorized", &format!("it is {}", other.as_str()))),
    }
    if amount.currency != standing.amount.currency || !(1..=standing.amount.amount).contains(&amount.amount) {
        return Err(refused("amount_too_large", &format!("{} is authorized", standing.amount)));
    }
    end(&mut tx, company, &control, &mut intent, Ending::Taken(amount.amount)).await?;
    tx.commit(company.sources.now()).await?;
    Ok(intent.standing.said(company))
}

pub(super) async fn void(company: &Company, payment: &Named) -> Result<Said, ProviderError> {
    let control = company.asked().await?;
    let mut tx = company.database.begin().await?;
    let Some(mut intent) = lock(&mut tx, &payment.id.to_string()).await? else {
        return look(company, payment).await;
    };
    end(&mut tx, company, &control, &mut intent, Ending::Voided).await?;
    tx.commit(company.sources.now()).await?;
    Ok(intent.standing.said(company))
}

/// A refusal, with a word for it.
pub(super) fn refused(code: &str, message: &str) -> ProviderError {
    ProviderError::Refused { code: code.to_owned(), message: message.to_owned() }
}
