//! Refunds: money that goes back to the buyer, never more than was taken.

use platform::Money;
use sqlx::PgConnection;
use uuid::Uuid;

use super::control::{self, Count};
use super::event::{self, Object};
use super::intent::refused;
use super::standing::{self, State};
use super::task::{self, Task};
use super::{Company, Control, books};
use crate::PaymentId;
use crate::provider::{LineKind, ProviderError, RefundAsked, RefundSaid, RefundStatus};

/// Why a refund comes back that was made to: Stripe's word.
const FAILURE: &str = "expired_or_canceled_card";

/// A refund that is to be made.
pub(super) struct Draft<'a> {
    /// Souk's id of it, as text; another if it is made here.
    pub(super) key: String,
    pub(super) reference: String,
    pub(super) charge: &'a str,
    /// How much; all that is left without it.
    pub(super) amount: Option<Money>,
}

struct Refund {
    key: String,
    reference: String,
    charge_key: String,
    charge: String,
    amount: Money,
    status: String,
    reason: Option<String>,
}

impl Refund {
    fn said(&self) -> RefundSaid {
        let status = event::refund_status(&self.status, self.reason.clone());
        RefundSaid { reference: self.reference.clone(), status: status.unwrap_or(RefundStatus::Pending) }
    }

    fn object(self) -> Object {
        Object::Refund {
            id: self.reference,
            refund: self.key.parse().ok(),
            charge: self.charge,
            payment: self.charge_key.parse::<PaymentId>().ok().map(platform::Id::uuid),
            amount: self.amount.amount,
            currency: self.amount.currency,
            status: self.status,
            failure: self.reason,
        }
    }
}

pub(super) async fn ask(company: &Company, asked: &RefundAsked) -> Result<RefundSaid, ProviderError> {
    let control = company.asked().await?;
    let charge = asked.payment.id.to_string();
    let draft = Draft {
        key: asked.id.to_string(),
        reference: format!("re_{}", asked.id.uuid().simple()),
        charge: &charge,
        amount: Some(asked.amount),
    };
    let mut tx = company.database.begin().await?;
    let said = make(&mut tx, company, &control, draft).await?;
    tx.commit(company.sources.now()).await?;
    Ok(said)
}

/// Makes a refund, or says how the one stands that is there.
pub(super) async fn make(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    draft: Draft<'_>,
) -> Result<RefundSaid, ProviderError> {
    let left = left(tx, draft.charge).await?;
    let left = left.ok_or_else(|| ProviderError::Unknown(format!("payment {}", draft.charge)))?;
    if let Some(found) = find(tx, &draft.key).await? {
        let same =
            found.charge_key == draft.charge && draft.amount.is_none_or(|amount| amount == found.amount);
        return if same { Ok(found.said()) } else { Err(ProviderError::Changed) };
    }
    let amount = draft.amount.unwrap_or(left.amount);
    if left.state != State::Succeeded {
        return Err(refused("charge_not_succeeded", &format!("the charge is {}", left.state.as_str())));
    }
    if amount.currency != left.amount.currency {
        return Err(refused("currency_mismatch", &format!("the charge is in {}", left.amount.currency)));
    }
    if amount.amount <= 0 || amount.amount > left.amount.amount {
        return Err(refused("amount_too_large", &format!("{} of the charge is left", left.amount)));
    }
    let now = company.now(control);
    let fails = left.token == "tok_refundFail" || control::take(tx, control, Count::FailRefunds).await?;
    let status = if left.token == "tok_pendingRefund" { "pending" } else { "succeeded" };
    sqlx::query!(
        "INSERT INTO payments.sandbox_refunds (idempotency_key, reference, charge_key, amount, status, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        draft.key,
        draft.reference,
        draft.charge,
        amount.amount,
        status,
        now,
    )
    .execute(&mut *tx)
    .await?;
    if fails {
        task::later(tx, Task::FailRefund, &draft.key, now + task::REFUND).await?;
    } else if status == "pending" {
        task::later(tx, Task::Refund, &draft.key, now + task::REFUND).await?;
    }
    let ours = draft.key.parse::<Uuid>().ok();
    let out = Money::new(-amount.amount, amount.currency);
    books::note(tx, LineKind::Refund, &draft.reference, ours, out, 0, now).await?;
    let status = if status == "pending" { RefundStatus::Pending } else { RefundStatus::Succeeded };
    Ok(RefundSaid { reference: draft.reference, status })
}

/// What is left of a charge.
pub(super) struct Left {
    pub(super) reference: String,
    pub(super) state: State,
    pub(super) token: String,
    /// What was taken, less what went back or is disputed.
    pub(super) amount: Money,
}

/// What is left of a charge. Nobody else takes of it until the transaction ends.
pub(super) async fn left(tx: &mut PgConnection, charge: &str) -> Result<Option<Left>, sqlx::Error> {
    let locked = sqlx::query!(
        "SELECT reference, token FROM payments.sandbox_charges WHERE idempotency_key = $1 FOR UPDATE",
        charge,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(locked) = locked else { return Ok(None) };
    // A statement of its own: it sees what was committed by whoever had the lock before.
    let row = sqlx::query!(
        r#"SELECT state AS "state!", currency AS "currency!",
               (captured - coalesce((SELECT sum(amount) FROM payments.sandbox_refunds r
                                     WHERE r.charge_key = p.idempotency_key AND r.status <> 'failed'), 0)
                         - coalesce((SELECT sum(amount) FROM payments.sandbox_disputes d
                                     WHERE d.charge_key = p.idempotency_key AND d.won IS NOT TRUE), 0))::bigint AS "amount!"
           FROM payments.sandbox_payments p WHERE idempotency_key = $1"#,
        charge,
    )
    .fetch_one(tx)
    .await?;
    Ok(Some(Left {
        reference: locked.reference,
        state: State::of(&row.state)?,
        token: locked.token,
        amount: Money::new(row.amount, standing::currency(&row.currency)?),
    }))
}

async fn find(tx: &mut PgConnection, key: &str) -> Result<Option<Refund>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT r.idempotency_key, r.reference, r.charge_key, c.reference AS charge, r.amount, c.currency, r.status, r.reason
         FROM payments.sandbox_refunds r JOIN payments.sandbox_charges c ON c.idempotency_key = r.charge_key
         WHERE r.idempotency_key = $1 FOR UPDATE OF r",
        key,
    )
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Refund {
        amount: Money::new(row.amount, standing::currency(&row.currency)?),
        key: row.idempotency_key,
        reference: row.reference,
        charge_key: row.charge_key,
        charge: row.charge,
        status: row.status,
        reason: row.reason,
    }))
}

/// A refund is through; none if there is no such refund, false if it is not on its way.
pub(super) async fn arrive(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    key: &str,
) -> Result<Option<bool>, sqlx::Error> {
    let Some(refund) = find(tx, key).await? else { return Ok(None) };
    if refund.status == "failed" {
        return Ok(Some(false));
    }
    moved(tx, company, control, refund, "succeeded", None).await?;
    Ok(Some(true))
}

/// A refund comes back; none if there is no such refund, false if it came back before.
pub(super) async fn fail(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    key: &str,
) -> Result<Option<bool>, sqlx::Error> {
    let Some(refund) = find(tx, key).await? else { return Ok(None) };
    if refund.status == "failed" {
        return Ok(Some(false));
    }
    let ours = refund.key.parse::<Uuid>().ok();
    books::note(tx, LineKind::RefundFailed, &refund.reference, ours, refund.amount, 0, company.now(control))
        .await?;
    moved(tx, company, control, refund, "failed", Some(FAILURE)).await?;
    Ok(Some(true))
}

async fn moved(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    mut refund: Refund,
    status: &str,
    reason: Option<&str>,
) -> Result<(), sqlx::Error> {
    refund.status = status.to_owned();
    refund.reason = reason.map(str::to_owned);
    sqlx::query!(
        "UPDATE payments.sandbox_refunds SET status = $2, reason = $3 WHERE idempotency_key = $1",
        refund.key,
        status,
        reason,
    )
    .execute(&mut *tx)
    .await?;
    event::write(tx, company, control, &format!("refund.{status}"), refund.object()).await
}

/// Tells Souk how a refund stands.
pub(super) async fn tell(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    key: &str,
) -> Result<bool, sqlx::Error> {
    let Some(refund) = find(tx, key).await? else { return Ok(false) };
    let kind = format!("refund.{}", refund.status);
    event::write(tx, company, control, &kind, refund.object()).await?;
    Ok(true)
}
