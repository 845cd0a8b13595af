//! Disputes: a buyer asks their bank for the money back.

use platform::Money;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::event::{self, Object};
use super::refund::{self, Left};
use super::standing::{self, State};
use super::task::{self, Task};
use super::{Company, Control, books, fee};
use crate::PaymentId;
use crate::provider::LineKind;

/// Why buyers of the sandbox dispute: Stripe's word.
const REASON: &str = "fraudulent";

struct Dispute {
    reference: String,
    charge_key: String,
    charge: String,
    amount: Money,
    fee: i64,
    reason: String,
    answer_by: OffsetDateTime,
    won: Option<bool>,
}

impl Dispute {
    fn kind(&self) -> &'static str {
        match self.won {
            None => "dispute.created",
            Some(true) => "dispute.won",
            Some(false) => "dispute.lost",
        }
    }

    fn object(self) -> Object {
        Object::Dispute {
            id: self.reference,
            charge: self.charge,
            payment: self.charge_key.parse::<PaymentId>().ok().map(platform::Id::uuid),
            amount: self.amount.amount,
            currency: self.amount.currency,
            fee: self.fee,
            reason: self.reason,
            answer_by: self.answer_by,
            won: self.won,
        }
    }
}

/// A charge that is to be disputed is.
pub(super) async fn open_due(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    charge: &str,
) -> Result<(), sqlx::Error> {
    let left = refund::left(tx, charge).await?;
    if let Some(left) = left.filter(|left| left.state == State::Succeeded && left.amount.amount > 0) {
        let amount = left.amount;
        open(tx, company, control, charge, &left, amount).await?;
    }
    Ok(())
}

/// Opens a dispute over so much of a charge, of which so much is left; gives its name.
pub(super) async fn open(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    charge: &str,
    left: &Left,
    amount: Money,
) -> Result<String, sqlx::Error> {
    let now = company.now(control);
    let dispute = Dispute {
        reference: company.name("dp"),
        charge_key: charge.to_owned(),
        charge: left.reference.clone(),
        amount,
        fee: fee::DISPUTE_FEE,
        reason: REASON.to_owned(),
        answer_by: now + task::ANSWER,
        won: None,
    };
    sqlx::query!(
        "INSERT INTO payments.sandbox_disputes (reference, charge_key, amount, fee, reason, answer_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        dispute.reference,
        charge,
        amount.amount,
        dispute.fee,
        dispute.reason,
        dispute.answer_by,
        now,
    )
    .execute(&mut *tx)
    .await?;
    task::later(tx, Task::LoseDispute, &dispute.reference, dispute.answer_by).await?;
    let out = Money::new(-amount.amount, amount.currency);
    books::note(tx, LineKind::Dispute, &dispute.reference, None, out, dispute.fee, now).await?;
    let reference = dispute.reference.clone();
    event::write(tx, company, control, dispute.kind(), dispute.object()).await?;
    Ok(reference)
}

async fn find(tx: &mut PgConnection, reference: &str) -> Result<Option<Dispute>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT d.reference, d.charge_key, c.reference AS charge, d.amount, c.currency, d.fee, d.reason, d.answer_by, d.won
         FROM payments.sandbox_disputes d JOIN payments.sandbox_charges c ON c.idempotency_key = d.charge_key
         WHERE d.reference = $1 FOR UPDATE OF d",
        reference,
    )
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Dispute {
        amount: Money::new(row.amount, standing::currency(&row.currency)?),
        reference: row.reference,
        charge_key: row.charge_key,
        charge: row.charge,
        fee: row.fee,
        reason: row.reason,
        answer_by: row.answer_by,
        won: row.won,
    }))
}

/// Decides a dispute; none if there is no such dispute, false if it was decided before.
pub(super) async fn decide(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    reference: &str,
    won: bool,
) -> Result<Option<bool>, sqlx::Error> {
    let Some(mut dispute) = find(tx, reference).await? else { return Ok(None) };
    if dispute.won.is_some() {
        return Ok(Some(false));
    }
    dispute.won = Some(won);
    sqlx::query!("UPDATE payments.sandbox_disputes SET won = $2 WHERE reference = $1", reference, won)
        .execute(&mut *tx)
        .await?;
    if won {
        let now = company.now(control);
        books::note(tx, LineKind::DisputeReversed, reference, None, dispute.amount, 0, now).await?;
    }
    event::write(tx, company, control, dispute.kind(), dispute.object()).await?;
    Ok(Some(true))
}

/// Tells Souk how a dispute stands.
pub(super) async fn tell(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    reference: &str,
) -> Result<bool, sqlx::Error> {
    let Some(dispute) = find(tx, reference).await? else { return Ok(false) };
    event::write(tx, company, control, dispute.kind(), dispute.object()).await?;
    Ok(true)
}

/// The latest dispute over a charge.
pub(super) async fn of_charge(tx: &mut PgConnection, charge: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT reference FROM payments.sandbox_disputes WHERE charge_key = $1 ORDER BY created_at DESC, reference LIMIT 1",
        charge,
    )
    .fetch_optional(tx)
    .await
}
