//! Notices as the sandbox writes them, and the other end of it: JSON of Stripe's shape and the sandbox's own words.

use platform::{Currency, Money};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::control::{self, Count};
use super::{Company, Control};
use crate::provider::{
    AccountState, Change, Incoming, Method, Notice, PayoutStatus, ProviderError, RefundStatus, Said, Status,
    signature,
};
use crate::{DeclineCode, Error};

/// Where the signature stands.
pub(super) const HEADER: &str = "Souk-Sandbox-Signature";

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) created: OffsetDateTime,
    pub(super) data: Data,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Data {
    pub(super) object: Object,
}

/// What a notice is about, as it stands now.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "object", rename_all = "snake_case")]
pub(super) enum Object {
    Payment {
        id: String,
        /// Souk's id, if Souk asked for it.
        payment: Option<Uuid>,
        amount: i64,
        currency: Currency,
        status: String,
        decline_code: Option<DeclineCode>,
        url: Option<String>,
        fee: Option<i64>,
        method: Option<Card>,
    },
    Refund {
        id: String,
        /// Souk's id; none if it was made here.
        refund: Option<Uuid>,
        charge: String,
        payment: Option<Uuid>,
        amount: i64,
        currency: Currency,
        status: String,
        failure: Option<String>,
    },
    Dispute {
        id: String,
        charge: String,
        payment: Option<Uuid>,
        amount: i64,
        currency: Currency,
        fee: i64,
        reason: String,
        #[serde(with = "time::serde::rfc3339")]
        answer_by: OffsetDateTime,
        won: Option<bool>,
    },
    Payout {
        id: String,
        payout: Uuid,
        account: String,
        amount: i64,
        currency: Currency,
        status: String,
        failure: Option<String>,
    },
    Account {
        id: String,
        status: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Card {
    brand: String,
    last4: String,
    exp_month: Option<u8>,
    exp_year: Option<u16>,
    kept_as: Option<String>,
}

impl From<Method> for Card {
    fn from(method: Method) -> Self {
        let Method { brand, last4, expires, kept_as } = method;
        let (exp_month, exp_year) = expires.unzip();
        Self { brand, last4, exp_month, exp_year, kept_as }
    }
}

impl From<Card> for Method {
    fn from(card: Card) -> Self {
        let Card { brand, last4, exp_month, exp_year, kept_as } = card;
        Self { brand, last4, expires: exp_month.zip(exp_year), kept_as }
    }
}

impl Object {
    /// A payment of which the sandbox says this.
    pub(super) fn payment(payment: Option<Uuid>, amount: Money, said: Said) -> Self {
        let Said { reference, status, fee, method } = said;
        let (status, decline_code, url) = match status {
            Status::RequiresAction(url) => ("requires_action", None, Some(url)),
            Status::Processing => ("processing", None, None),
            Status::Authorized => ("authorized", None, None),
            Status::Succeeded => ("succeeded", None, None),
            Status::Declined(code) => ("declined", Some(code), None),
            Status::Voided => ("voided", None, None),
        };
        Self::Payment {
            id: reference,
            payment,
            amount: amount.amount,
            currency: amount.currency,
            status: status.to_owned(),
            decline_code,
            url,
            fee,
            method: method.map(Card::from),
        }
    }

    /// What must be told of one after the other.
    fn subject(&self) -> Option<String> {
        match self {
            Self::Payment { id, payment, .. }
            | Self::Refund { charge: id, payment, .. }
            | Self::Dispute { charge: id, payment, .. } => {
                Some(payment.map_or_else(|| id.clone(), |payment| payment.to_string()))
            }
            Self::Payout { payout, .. } => Some(payout.to_string()),
            Self::Account { id, .. } => Some(id.clone()),
            Self::Other => None,
        }
    }

    fn change(self) -> Option<Change> {
        Some(match self {
            Self::Payment { id, payment, amount, currency, status, decline_code, url, fee, method } => {
                let status = match status.as_str() {
                    "requires_action" => Status::RequiresAction(url?),
                    "processing" => Status::Processing,
                    "authorized" => Status::Authorized,
                    "succeeded" => Status::Succeeded,
                    "declined" => Status::Declined(decline_code?),
                    "voided" => Status::Voided,
                    _ => return None,
                };
                let said = Said { reference: id, status, fee, method: method.map(Method::from) };
                Change::Payment { id: payment.map(Into::into), amount: Money::new(amount, currency), said }
            }
            Self::Refund { id, refund, charge, amount, currency, status, failure, .. } => Change::Refund {
                id: refund.map(Into::into),
                payment: charge,
                reference: id,
                amount: Money::new(amount, currency),
                status: refund_status(&status, failure)?,
            },
            Self::Dispute { id, charge, amount, currency, fee, reason, answer_by, won, .. } => {
                Change::Dispute {
                    reference: id,
                    payment: charge,
                    amount: Money::new(amount, currency),
                    fee,
                    reason,
                    answer_by: won.is_none().then_some(answer_by),
                    won,
                }
            }
            Self::Payout { id, payout, status, failure, .. } => Change::Payout {
                id: Some(payout.into()),
                reference: id,
                status: payout_status(&status, failure)?,
            },
            Self::Account { id, status } => Change::Account { reference: id, state: account_state(&status)? },
            Self::Other => Change::None,
        })
    }
}

/// How a refund stands, by the word in its row.
pub(super) fn refund_status(word: &str, failure: Option<String>) -> Option<RefundStatus> {
    Some(match word {
        "pending" => RefundStatus::Pending,
        "succeeded" => RefundStatus::Succeeded,
        "failed" => RefundStatus::Failed(failure.unwrap_or_default()),
        _ => return None,
    })
}

/// How a payout stands, by the word in its row.
pub(super) fn payout_status(word: &str, failure: Option<String>) -> Option<PayoutStatus> {
    Some(match word {
        "sent" => PayoutStatus::Sent,
        "paid" => PayoutStatus::Paid,
        "failed" => PayoutStatus::Failed(failure.unwrap_or_default()),
        "returned" => PayoutStatus::Returned(failure.unwrap_or_default()),
        _ => return None,
    })
}

/// How an account stands, by the word in its row.
pub(super) fn account_state(word: &str) -> Option<AccountState> {
    Some(match word {
        "onboarding" => AccountState::Onboarding,
        "active" => AccountState::Active,
        "restricted" => AccountState::Restricted,
        _ => return None,
    })
}

/// Checks a notice that came in and reads its head.
pub(super) fn verify(
    secret: &[u8],
    headers: &[(String, String)],
    body: &[u8],
    now: OffsetDateTime,
) -> Result<Notice, Error> {
    let mut signatures = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(HEADER));
    let (_, header) = signatures.next().ok_or(Error::BadSignature)?;
    signature::check(&[secret], header, body, now)?;
    let event: Event = serde_json::from_slice(body).map_err(|_| Error::BadNotice)?;
    let subject = event.data.object.subject().unwrap_or_else(|| event.id.clone());
    Ok(Notice { id: event.id, kind: event.kind, at: event.created, subject })
}

/// What a notice says.
pub(super) fn read(body: &[u8]) -> Result<Incoming, ProviderError> {
    let unreadable = |message: String| ProviderError::Refused { code: "bad_notice".to_owned(), message };
    let event: Event = serde_json::from_slice(body).map_err(|error| unreadable(error.to_string()))?;
    let change = event.data.object.change();
    let change = change.ok_or_else(|| unreadable(format!("{} in words that are none", event.kind)))?;
    Ok(Incoming { at: event.created, change })
}

/// Writes a notice, to be sent when it is due.
pub(super) async fn write(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    kind: &str,
    object: Object,
) -> Result<(), sqlx::Error> {
    let created = company.now(control);
    let id = company.name("evt");
    let event = Event { id, kind: kind.to_owned(), created, data: Data { object } };
    let body = platform::database::json_text(&event);
    let lost = control::take(&mut *tx, control, Count::Lose).await?;
    let due = (!lost).then(|| created + company.delay(control));
    sqlx::query!(
        "INSERT INTO payments.sandbox_events (id, kind, body, created_at, due_at, copies) VALUES ($1, $2, $3, $4, $5, $6)",
        event.id,
        event.kind,
        body,
        created,
        due,
        i32::try_from(control.chaos.copies).unwrap_or(1),
    )
    .execute(tx)
    .await?;
    Ok(())
}
