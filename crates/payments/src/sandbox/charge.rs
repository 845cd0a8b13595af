//! Charges of tokens. Those that are answered at once, thousands a second, are one statement for all.

use std::collections::HashMap;

use super::intent::{self, Intent};
use super::standing::{self, Standing, State};
use super::task::{self, Task};
use super::token::{self, Behaviour, Known};
use super::{Company, Control};
use crate::provider::{Asked, ProviderError, Said};
use crate::{DeclineCode, PaymentId};

type Answer = Result<Said, ProviderError>;

/// A charge, and the card that it is of.
struct Given<'a> {
    asked: &'a Asked,
    card: &'static Known,
    expires: (u8, u16),
    /// The method's name, if it is one that is kept.
    kept_as: Option<String>,
}

impl Given<'_> {
    /// Whether it is answered at once and leaves nothing to be done.
    fn at_once(&self) -> Option<Option<DeclineCode>> {
        match self.card.behaviour {
            _ if self.asked.keep_for.is_some() || self.kept_as.is_some() => None,
            Behaviour::Succeeds | Behaviour::Outage(_) => Some(None),
            Behaviour::Declines(code) => Some(Some(code)),
            _ => None,
        }
    }
}

/// Answers each at its place.
pub(super) async fn all(company: &Company, asked: &[Asked]) -> Result<Vec<Answer>, sqlx::Error> {
    let control = company.control().await?;
    if control.chaos.outage {
        return Ok(asked.iter().map(|_| Err(gone())).collect());
    }
    let kept = kept(company, asked).await?;
    let mut answers: Vec<Option<Answer>> = asked.iter().map(|_| None).collect();
    let mut at_once = Vec::with_capacity(asked.len());
    for (place, asked) in asked.iter().enumerate() {
        let Some(given) = given(asked, &kept) else {
            answers[place] = Some(Err(ProviderError::UnknownToken));
            continue;
        };
        if given.card.outages() > 0 && is_out(company, &given).await? {
            answers[place] = Some(Err(gone()));
        } else if let Some(declined) = given.at_once() {
            at_once.push((place, given, declined));
        } else {
            answers[place] = Some(slowly(company, &control, &given).await?);
        }
    }
    for (place, answer) in charge_at_once(company, &control, at_once).await? {
        answers[place] = Some(answer);
    }
    Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(gone()))).collect())
}

fn gone() -> ProviderError {
    ProviderError::Unavailable("the sandbox was told not to answer".to_owned())
}

fn given<'a>(asked: &'a Asked, kept: &HashMap<String, (String, (u8, u16))>) -> Option<Given<'a>> {
    match kept.get(asked.token.as_str()) {
        Some((token, expires)) => Some(Given {
            asked,
            card: token::by_token(token)?,
            expires: *expires,
            kept_as: Some(asked.token.as_str().to_owned()),
        }),
        None => {
            let card = token::by_token(asked.token.as_str())?;
            Some(Given { asked, card, expires: token::EXPIRES, kept_as: None })
        }
    }
}

/// What the kept methods among the tokens stand for.
async fn kept(
    company: &Company,
    asked: &[Asked],
) -> Result<HashMap<String, (String, (u8, u16))>, sqlx::Error> {
    let names = asked.iter().map(|one| one.token.as_str()).filter(|token| token::is_kept(token));
    let names: Vec<String> = names.map(str::to_owned).collect();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        "SELECT reference, token, exp_month, exp_year FROM payments.sandbox_methods WHERE reference = ANY($1)",
        &names,
    )
    .fetch_all(company.database.pool())
    .await?;
    let card = |month, year| standing::expiry(Some(month), Some(year));
    Ok(rows.into_iter().map(|row| (row.reference, (row.token, card(row.exp_month, row.exp_year)))).collect())
}

/// Counts that a charge is asked for; whether it is not answered yet.
async fn is_out(company: &Company, given: &Given<'_>) -> Result<bool, sqlx::Error> {
    let attempts = sqlx::query_scalar!(
        "INSERT INTO payments.sandbox_outages (idempotency_key, attempts) VALUES ($1, 1)
         ON CONFLICT (idempotency_key) DO UPDATE SET attempts = sandbox_outages.attempts + 1 RETURNING attempts",
        given.asked.id.to_string(),
    )
    .fetch_one(company.database.pool())
    .await?;
    Ok(u32::try_from(attempts).unwrap_or(u32::MAX) <= given.card.outages())
}

/// The sandbox's name for a charge.
pub(super) fn reference(id: PaymentId) -> String {
    format!("ch_{}", id.uuid().simple())
}

fn answered(given: &Given<'_>, declined: Option<DeclineCode>) -> Standing {
    let Asked { id, amount, .. } = given.asked;
    Standing {
        key: id.to_string(),
        reference: reference(*id),
        amount: *amount,
        token: given.card.token.to_owned(),
        state: if declined.is_some() { State::Declined } else { State::Succeeded },
        decline: declined,
        session: None,
        challenged: false,
        kept_as: None,
        expires: given.expires,
        captured: if declined.is_some() { 0 } else { amount.amount },
    }
}

async fn charge_at_once(
    company: &Company,
    control: &Control,
    mut given: Vec<(usize, Given<'_>, Option<DeclineCode>)>,
) -> Result<Vec<(usize, Answer)>, sqlx::Error> {
    if given.is_empty() {
        return Ok(Vec::new());
    }
    given.sort_by_key(|(_, one, _)| one.asked.id);
    let keys: Vec<_> = given.iter().map(|(_, one, _)| one.asked.id.to_string()).collect();
    let made = sqlx::query_scalar!(
        "INSERT INTO payments.sandbox_charges (idempotency_key, reference, amount, currency, token, decline_code, created_at)
         SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
         ON CONFLICT (idempotency_key) DO NOTHING RETURNING idempotency_key",
        &keys,
        &given.iter().map(|(_, one, _)| reference(one.asked.id)).collect::<Vec<_>>(),
        &given.iter().map(|(_, one, _)| one.asked.amount.amount).collect::<Vec<_>>(),
        &given.iter().map(|(_, one, _)| one.asked.amount.currency.code()).collect::<Vec<_>>() as &[&str],
        &given.iter().map(|(_, one, _)| one.card.token).collect::<Vec<_>>() as &[&str],
        &given.iter().map(|(.., declined)| declined.map(DeclineCode::as_str)).collect::<Vec<_>>() as &[Option<&str>],
        &given.iter().map(|(_, one, _)| control.at(one.asked.at)).collect::<Vec<_>>(),
    )
    .fetch_all(company.database.pool())
    .await?;
    if control.chaos.tell_charges {
        let made: Vec<_> =
            given.iter().filter(|(_, one, _)| made.contains(&one.asked.id.to_string())).collect();
        let mut tx = company.database.begin().await?;
        for (_, one, declined) in made {
            intent::tell(&mut tx, company, control, &answered(one, *declined)).await?;
        }
        tx.commit(company.sources.now()).await?;
    }
    if made.len() == given.len() {
        return Ok(given
            .iter()
            .map(|(at, one, declined)| (*at, Ok(answered(one, *declined).said(company))))
            .collect());
    }
    let kept = said_before(company, &keys).await?;
    Ok(given.iter().map(|(at, one, _)| (*at, of_then(company, one.asked, &kept))).collect())
}

/// Whoever asked before gets the answer of then.
async fn said_before(company: &Company, keys: &[String]) -> Result<HashMap<String, Standing>, sqlx::Error> {
    let found = standing::find(company, keys).await?;
    Ok(found.into_iter().map(|standing| (standing.key.clone(), standing)).collect())
}

fn of_then(company: &Company, asked: &Asked, kept: &HashMap<String, Standing>) -> Answer {
    let standing = kept.get(&asked.id.to_string()).ok_or_else(gone)?;
    if standing.amount != asked.amount {
        return Err(ProviderError::Changed);
    }
    Ok(standing.said(company))
}

/// A charge that leaves something to be done, or a method to be kept.
async fn slowly(company: &Company, control: &Control, given: &Given<'_>) -> Result<Answer, sqlx::Error> {
    let Asked { id, order, return_url, at, .. } = given.asked;
    let now = control.at(*at);
    let mut tx = company.database.begin().await?;
    let kept_as = match (&given.kept_as, given.asked.keep_for.is_some()) {
        (None, true) => Some(format!("{}{}", token::KEPT, id.uuid().simple())),
        (kept_as, _) => kept_as.clone(),
    };
    let mut intent = Intent {
        standing: Standing {
            session: Some(company.name("cs_sandbox")),
            state: State::RequiresAction,
            kept_as: kept_as.clone(),
            captured: 0,
            ..answered(given, None)
        },
        order: Some(*order),
        hosted: false,
        description: String::new(),
        return_url: return_url.clone(),
        cancel_url: None,
        expires_at: None,
        settled_at: None,
    };
    let expires_at = now + task::CHALLENGED;
    if matches!(given.card.behaviour, Behaviour::Challenges(_)) {
        intent.expires_at = Some(expires_at);
    }
    if !intent::insert(&mut tx, &intent, now).await? {
        drop(tx);
        let kept = said_before(company, &[id.to_string()]).await?;
        return Ok(of_then(company, given.asked, &kept));
    }
    if intent.expires_at.is_some() {
        task::later(&mut tx, Task::Expire, &intent.standing.key, expires_at).await?;
    }
    intent::give(&mut tx, company, control, &mut intent, given.card.behaviour).await?;
    if given.asked.keep_for.is_some()
        && intent.standing.state != State::Declined
        && let Some(name) = &kept_as
    {
        keep(&mut tx, name, given, now).await?;
    }
    tx.commit(company.sources.now()).await?;
    Ok(Ok(intent.standing.said(company)))
}

/// Keeps a method for the buyer's next purchase.
async fn keep(
    tx: &mut sqlx::PgConnection,
    name: &str,
    given: &Given<'_>,
    at: time::OffsetDateTime,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO payments.sandbox_methods (reference, token, exp_month, exp_year, created_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (reference) DO NOTHING",
        name,
        given.card.token,
        i16::from(given.expires.0),
        i16::try_from(given.expires.1).unwrap_or(i16::MAX),
        at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets a method that was kept.
pub(super) async fn forget(company: &Company, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM payments.sandbox_methods WHERE reference = $1", name)
        .execute(company.database.pool())
        .await?;
    Ok(())
}
