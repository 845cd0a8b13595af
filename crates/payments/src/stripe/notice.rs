//! Notices: Stripe's events, as its webhook brings them (<https://docs.stripe.com/webhooks>).

use platform::Secret;
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::OffsetDateTime;

use super::amount;
use super::wire::{self, Account, Charge, Dispute, Event, Intent, IntentStatus, Payout, Refund, Session};
use crate::provider::{Change, Incoming, Notice, PayoutStatus, ProviderError, Status, signature};
use crate::{DeclineCode, Error};

const SIGNATURE: &str = "stripe-signature";

/// Checks who signed, and reads what it takes to store the notice.
pub(super) fn verify(
    secrets: &[Secret],
    headers: &[(String, String)],
    body: &[u8],
    now: OffsetDateTime,
) -> Result<Notice, Error> {
    let header = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(SIGNATURE));
    let (_, header) = header.ok_or(Error::BadSignature)?;
    let secrets: Vec<&str> = secrets.iter().map(Secret::expose).filter(|secret| !secret.is_empty()).collect();
    signature::check(&secrets, header, body, now)?;
    let event: Event = serde_json::from_slice(body).map_err(|_| Error::BadNotice)?;
    let at = OffsetDateTime::from_unix_timestamp(event.created).map_err(|_| Error::BadNotice)?;
    let subject = subject(&event.data.object).unwrap_or_else(|| event.id.clone());
    Ok(Notice { id: event.id, kind: event.kind, at, subject })
}

/// Our id of the payment or the payout, else Stripe's name of the payment, else of the object itself.
fn subject(object: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    // An id, or the object with that id.
    let named = |value: &Value| text(value).or_else(|| text(&value["id"]));
    [wire::PAYMENT, wire::PAYOUT]
        .iter()
        .find_map(|key| text(&object["metadata"][key]))
        .or_else(|| named(&object["payment_intent"]))
        .or_else(|| named(&object["charge"]))
        .or_else(|| text(&object["id"]))
}

/// What a stored notice says.
pub(super) fn read(body: &[u8]) -> Result<Incoming, ProviderError> {
    let event: Event = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let at = OffsetDateTime::from_unix_timestamp(event.created).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (kind, data) = (event.kind.as_str(), event.data);
    let change = match kind {
        // A payment that is only made tells nothing yet.
        "payment_intent.created" | "payment_intent.partially_funded" => Change::None,
        _ if kind.starts_with("payment_intent.") => of_payment(&object(data.object)?)?,
        _ if kind.starts_with("checkout.session.") => of_page(kind, &object(data.object)?)?,
        "charge.refunded" => of_refunded(&object(data.object)?)?,
        "charge.refund.updated" => of_refund(&object(data.object)?)?,
        _ if kind.starts_with("refund.") => of_refund(&object(data.object)?)?,
        _ if kind.starts_with("charge.dispute.") => of_dispute(&object(data.object)?)?,
        _ if kind.starts_with("payout.") => {
            let was_paid = data.previous_attributes.is_some_and(|before| before["status"] == "paid");
            of_payout(&object(data.object)?, was_paid)
        }
        "account.updated" => {
            let account: Account = object(data.object)?;
            Change::Account { state: account.state(), reference: account.id }
        }
        _ => Change::None,
    };
    Ok(Incoming { at, change })
}

fn object<T: DeserializeOwned>(object: Value) -> Result<T, ProviderError> {
    serde_json::from_value(object).map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_json::Error) -> ProviderError {
    ProviderError::Refused { code: "unreadable_notice".to_owned(), message: error.to_string() }
}

fn of_payment(intent: &Intent) -> Result<Change, ProviderError> {
    // At a page the buyer may try again; that the page is closed is told of the page.
    if intent.is_at_page() || intent.status == IntentStatus::RequiresConfirmation {
        return Ok(Change::None);
    }
    let (id, amount, said) = (intent.id_of_ours(), intent.money()?, intent.said()?);
    Ok(Change::Payment { id, amount, said })
}

fn of_page(kind: &str, session: &Session) -> Result<Change, ProviderError> {
    let mut said = session.said()?;
    match kind {
        "checkout.session.completed"
        | "checkout.session.async_payment_succeeded"
        | "checkout.session.expired" => {}
        // The page is over: it is not tried again there.
        "checkout.session.async_payment_failed" => said.status = Status::Declined(DeclineCode::CardDeclined),
        _ => return Ok(Change::None),
    }
    Ok(Change::Payment { id: session.metadata.id(wire::PAYMENT), amount: session.money()?, said })
}

/// Older accounts' notices have the refunds with them. To the others Stripe tells of the refund itself besides.
fn of_refunded(charge: &Charge) -> Result<Change, ProviderError> {
    match charge.refunds.as_ref().and_then(|refunds| refunds.data.first()) {
        Some(latest) => of_refund(latest),
        None => Ok(Change::None),
    }
}

fn of_refund(refund: &Refund) -> Result<Change, ProviderError> {
    let Some(payment) = refund.payment() else { return Ok(Change::None) };
    Ok(Change::Refund {
        id: refund.metadata.id(wire::REFUND),
        payment: payment.to_owned(),
        reference: refund.id.clone(),
        amount: amount::from_stripe(refund.amount, &refund.currency)?,
        status: refund.status(),
    })
}

fn of_dispute(dispute: &Dispute) -> Result<Change, ProviderError> {
    let won = match dispute.status.as_str() {
        "won" => Some(true),
        "lost" => Some(false),
        "needs_response" | "under_review" => None,
        // The bank asks only, or the dispute was headed off: no money was taken. When it is, the status is another.
        _ => return Ok(Change::None),
    };
    // The fee stands beside what is taken, in the lines of the balance.
    let fees = dispute.balance_transactions.iter().filter(|line| line.currency == dispute.currency);
    let fee = fees.map(|line| line.fee).sum();
    let due_by = dispute.evidence_details.as_ref().and_then(|details| details.due_by);
    Ok(Change::Dispute {
        reference: dispute.id.clone(),
        payment: dispute.payment().to_owned(),
        amount: amount::from_stripe(dispute.amount, &dispute.currency)?,
        fee: amount::from_stripe(fee, &dispute.currency)?.amount,
        reason: dispute.reason.clone(),
        answer_by: due_by.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok()),
        won,
    })
}

/// A payout that is none of Souk's is the marketplace's own, or made by hand: it is seen in the balance.
fn of_payout(payout: &Payout, was_paid: bool) -> Change {
    let (Some(id), Some(reference)) = (payout.metadata.id(wire::PAYOUT), payout.metadata.get(wire::TRANSFER))
    else {
        return Change::None;
    };
    let status = match payout.status() {
        PayoutStatus::Failed(why) if was_paid => PayoutStatus::Returned(why),
        status => status,
    };
    Change::Payout { id: Some(id), reference: reference.to_owned(), status }
}
