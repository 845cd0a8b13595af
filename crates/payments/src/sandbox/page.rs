//! The hosted page: the buyer gives a card, and passes a challenge if the card asks for one.

use platform::Money;
use time::OffsetDateTime;
use uuid::Uuid;

use super::card::{self, Card, Field, Wrong};
use super::intent::{self, Ending, Intent};
use super::standing::{Standing, State};
use super::task::{self, Task};
use super::token::{self, Behaviour};
use super::{Company, Control, Error};
use crate::DeclineCode;
use crate::provider::{self, Opened, ProviderError};

/// What a page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentPage {
    /// What is paid, such as an order's number; may be empty.
    pub description: String,
    /// How much.
    pub amount: Money,
    /// What the buyer is to do.
    pub step: Step,
    /// Where the buyer comes from, and goes back to.
    pub return_url: Option<String>,
    /// Where they go if they change their mind.
    pub cancel_url: Option<String>,
}

/// What comes next for the buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Give a card; what was wrong with the last one.
    Card(Vec<Wrong>),
    /// Pass the challenge of the card's bank.
    Challenge,
    /// Go back to the shop: all is done here.
    Return,
    /// Nothing: the page was closed before anything was paid.
    Closed,
}

/// What the key of a charge begins with that Souk did not ask for.
pub(super) const TRIAL: &str = "trial";

/// What was asked about a page that is to be opened.
pub(super) struct Draft<'a> {
    pub(super) key: String,
    pub(super) reference: String,
    pub(super) order: Option<Uuid>,
    pub(super) description: &'a str,
    pub(super) amount: Money,
    pub(super) return_url: &'a str,
    pub(super) cancel_url: &'a str,
    /// By the sandbox's clock.
    pub(super) expires_at: OffsetDateTime,
}

pub(super) async fn open(company: &Company, page: &provider::Page) -> Result<Opened, ProviderError> {
    let control = company.asked().await?;
    let draft = Draft {
        key: page.id.to_string(),
        reference: super::charge::reference(page.id),
        order: Some(page.order),
        description: &page.description,
        amount: page.amount,
        return_url: &page.return_url,
        cancel_url: &page.cancel_url,
        expires_at: control.at(page.expires_at),
    };
    open_new(company, &control, draft).await
}

/// Opens a page, or gives the one that is there.
pub(super) async fn open_new(
    company: &Company,
    control: &Control,
    draft: Draft<'_>,
) -> Result<Opened, ProviderError> {
    let session = company.name("cs_sandbox");
    let intent = Intent {
        standing: Standing {
            key: draft.key,
            reference: draft.reference,
            amount: draft.amount,
            token: String::new(),
            state: State::RequiresAction,
            decline: None,
            session: Some(session.clone()),
            challenged: false,
            kept_as: None,
            expires: token::EXPIRES,
            captured: 0,
        },
        order: draft.order,
        hosted: true,
        description: draft.description.to_owned(),
        return_url: Some(draft.return_url.to_owned()),
        cancel_url: Some(draft.cancel_url.to_owned()),
        expires_at: Some(draft.expires_at),
        settled_at: None,
    };
    let Standing { key, reference, amount, .. } = &intent.standing;
    let mut tx = company.database.begin().await?;
    if intent::insert(&mut tx, &intent, company.now(control)).await? {
        task::later(&mut tx, Task::Expire, key, draft.expires_at).await?;
        tx.commit(company.sources.now()).await?;
        return Ok(opened(company, control, reference, &session, draft.expires_at));
    }
    let found = intent::lock(&mut tx, key).await?.filter(|found| found.hosted);
    let found = found.ok_or_else(|| intent::refused("already_charged", "a token was charged for it"))?;
    if found.standing.amount != *amount {
        return Err(ProviderError::Changed);
    }
    let session = found.standing.session.unwrap_or_default();
    Ok(opened(company, control, reference, &session, found.expires_at.unwrap_or(draft.expires_at)))
}

fn opened(
    company: &Company,
    control: &Control,
    reference: &str,
    session: &str,
    expires_at: OffsetDateTime,
) -> Opened {
    Opened {
        reference: reference.to_owned(),
        url: company.page(session, false),
        expires_at: expires_at - control.offset,
    }
}

async fn find(company: &Company, tx: &mut platform::Tx, session: &str) -> Result<Intent, Error> {
    if !Company::is_name(session) {
        return Err(Error::Unknown("page"));
    }
    let key = sqlx::query_scalar!(
        "SELECT idempotency_key FROM payments.sandbox_intents WHERE session = $1",
        session,
    )
    .fetch_optional(company.database.pool())
    .await?;
    let key = key.ok_or(Error::Unknown("page"))?;
    intent::lock(tx, &key).await?.ok_or(Error::Unknown("page"))
}

/// What is next for the buyer, as things stand.
fn step(intent: &Intent, now: OffsetDateTime) -> Step {
    let open = intent.expires_at.is_none_or(|expires| now < expires);
    match intent.standing.state {
        State::RequiresAction if !open => Step::Closed,
        State::RequiresAction if intent.standing.challenged => Step::Challenge,
        State::RequiresAction => Step::Card(Vec::new()),
        State::Voided => Step::Closed,
        State::Processing | State::Authorized | State::Succeeded | State::Declined => Step::Return,
    }
}

fn shown(intent: Intent, step: Step) -> PaymentPage {
    PaymentPage {
        description: intent.description,
        amount: intent.standing.amount,
        step,
        return_url: intent.return_url,
        cancel_url: intent.cancel_url,
    }
}

pub(super) async fn show(company: &Company, session: &str) -> Result<PaymentPage, Error> {
    let control = company.control().await?;
    let mut tx = company.database.begin().await?;
    let intent = find(company, &mut tx, session).await?;
    let step = step(&intent, company.now(&control));
    Ok(shown(intent, step))
}

pub(super) async fn submit(company: &Company, session: &str, card: &Card) -> Result<PaymentPage, Error> {
    let control = company.asked().await?;
    let now = company.now(&control);
    let mut tx = company.database.begin().await?;
    let mut intent = find(company, &mut tx, session).await?;
    let as_it_is = step(&intent, now);
    if !matches!(as_it_is, Step::Card(_)) {
        return Ok(shown(intent, as_it_is));
    }
    let (card, expires) = match card::read(card, now) {
        Ok(read) => read,
        Err(wrong) => return Ok(shown(intent, Step::Card(wrong))),
    };
    if let Behaviour::Declines(code) = card.behaviour {
        return Ok(shown(intent, Step::Card(vec![declined(code)])));
    }
    intent.standing.token = card.token.to_owned();
    intent.standing.expires = expires;
    intent::give(&mut tx, company, &control, &mut intent, card.behaviour).await?;
    if intent.standing.state != State::RequiresAction {
        intent::tell(&mut tx, company, &control, &intent.standing).await?;
    }
    tx.commit(company.sources.now()).await?;
    let step = step(&intent, now);
    Ok(shown(intent, step))
}

/// What the page says of a card that was declined: the buyer may try another one.
fn declined(code: DeclineCode) -> Wrong {
    match code {
        DeclineCode::CardDeclined | DeclineCode::PaymentMethodNotAvailable => {
            Wrong::new(Field::Number, "The card was declined. Try another one.")
        }
        DeclineCode::InsufficientFunds => {
            Wrong::new(Field::Number, "The card has insufficient funds. Try another one.")
        }
        DeclineCode::ExpiredCard => Wrong::new(Field::Expiry, "The card has expired. Try another one."),
        DeclineCode::IncorrectCvc => Wrong::new(Field::Cvc, "The security code is wrong."),
        DeclineCode::ProcessingError => {
            Wrong::new(Field::Number, "The card could not be processed. Try again in a moment.")
        }
    }
}

pub(super) async fn answer(company: &Company, session: &str, approve: bool) -> Result<PaymentPage, Error> {
    let control = company.asked().await?;
    let now = company.now(&control);
    let mut tx = company.database.begin().await?;
    let mut intent = find(company, &mut tx, session).await?;
    let as_it_is = step(&intent, now);
    if as_it_is != Step::Challenge {
        return Ok(shown(intent, as_it_is));
    }
    let behaviour = match token::by_token(&intent.standing.token).map(|card| card.behaviour) {
        Some(Behaviour::Challenges(then)) if approve => token::by_token(then).map(|card| card.behaviour),
        _ => None,
    };
    let behaviour = behaviour.unwrap_or(Behaviour::Declines(DeclineCode::CardDeclined));
    if let Behaviour::Declines(code) = behaviour {
        if intent.hosted {
            intent::reopen(&mut tx, &mut intent).await?;
            tx.commit(company.sources.now()).await?;
            let wrong = if approve {
                declined(code)
            } else {
                Wrong::new(
                    Field::Number,
                    "The bank could not confirm that it is you. Try again, or another card.",
                )
            };
            return Ok(shown(intent, Step::Card(vec![wrong])));
        }
        intent::end(&mut tx, company, &control, &mut intent, Ending::Declined(code)).await?;
    } else {
        intent::give(&mut tx, company, &control, &mut intent, behaviour).await?;
        intent::tell(&mut tx, company, &control, &intent.standing).await?;
    }
    tx.commit(company.sources.now()).await?;
    Ok(shown(intent, Step::Return))
}

pub(super) async fn cancel(company: &Company, session: &str) -> Result<PaymentPage, Error> {
    let control = company.asked().await?;
    let mut tx = company.database.begin().await?;
    let mut intent = find(company, &mut tx, session).await?;
    if intent.standing.state == State::RequiresAction && intent.hosted {
        intent::end(&mut tx, company, &control, &mut intent, Ending::Voided).await?;
        tx.commit(company.sources.now()).await?;
    }
    let step = step(&intent, company.now(&control));
    Ok(shown(intent, step))
}
