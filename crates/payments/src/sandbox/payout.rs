//! Payouts: money that goes to the account of a store.

use platform::Money;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::control::{self, Count};
use super::event::{self, Object};
use super::intent::refused;
use super::standing;
use super::task::{self, Task};
use super::{Company, Control, books};
use crate::provider::{LineKind, PayoutAsked, PayoutSaid, PayoutStatus, ProviderError};

/// Why a payout fails or comes back: Stripe's word.
const FAILURE: &str = "account_closed";

struct Payout {
    key: String,
    reference: String,
    payout: Uuid,
    account: String,
    amount: Money,
    status: String,
    reason: Option<String>,
    arrives_at: OffsetDateTime,
}

impl Payout {
    fn said(&self, control: &Control) -> PayoutSaid {
        let status = event::payout_status(&self.status, self.reason.clone()).unwrap_or(PayoutStatus::Sent);
        let arrives_at = (status == PayoutStatus::Sent).then(|| self.arrives_at - control.offset);
        PayoutSaid { reference: self.reference.clone(), status, arrives_at }
    }

    fn object(self) -> Object {
        Object::Payout {
            id: self.reference,
            payout: self.payout,
            account: self.account,
            amount: self.amount.amount,
            currency: self.amount.currency,
            status: self.status,
            failure: self.reason,
        }
    }
}

pub(super) async fn ask(company: &Company, asked: &PayoutAsked) -> Result<PayoutSaid, ProviderError> {
    let control = company.asked().await?;
    let (now, key) = (company.now(&control), format!("{}/{}", asked.id, asked.attempt));
    let mut tx = company.database.begin().await?;
    let account = sqlx::query_scalar!(
        "SELECT state FROM payments.sandbox_accounts WHERE reference = $1 FOR UPDATE",
        asked.account,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let account = account.ok_or_else(|| ProviderError::Unknown(format!("account {}", asked.account)))?;
    if let Some(found) = find(&mut tx, &key).await? {
        let same = found.amount == asked.amount && found.account == asked.account;
        return if same { Ok(found.said(&control)) } else { Err(ProviderError::Changed) };
    }
    if account != "active" {
        return Err(refused("account_not_active", &format!("the account is {account}")));
    }
    if asked.amount.amount <= 0 {
        return Err(refused("amount_too_small", "there is nothing to send"));
    }
    let reference = format!("po_{}_{}", asked.id.uuid().simple(), asked.attempt);
    let arrives_at = now + task::PAYOUT;
    sqlx::query!(
        "INSERT INTO payments.sandbox_payouts (idempotency_key, reference, payout_id, account, amount, currency, status,
             arrives_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, 'sent', $7, $8)",
        key,
        reference,
        asked.id.uuid(),
        asked.account,
        asked.amount.amount,
        asked.amount.currency.code(),
        arrives_at,
        now,
    )
    .execute(&mut *tx)
    .await?;
    let fails = control::take(&mut tx, &control, Count::FailPayouts).await?;
    let task = if fails { Task::FailPayout } else { Task::PayOut };
    task::later(&mut tx, task, &key, arrives_at).await?;
    let out = Money::new(-asked.amount.amount, asked.amount.currency);
    books::note(&mut tx, LineKind::Payout, &reference, Some(asked.id.uuid()), out, 0, now).await?;
    tx.commit(company.sources.now()).await?;
    let arrives_at = Some(arrives_at - control.offset);
    Ok(PayoutSaid { reference, status: PayoutStatus::Sent, arrives_at })
}

async fn find(tx: &mut PgConnection, key: &str) -> Result<Option<Payout>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT idempotency_key, reference, payout_id, account, amount, currency, status, reason, arrives_at
         FROM payments.sandbox_payouts WHERE idempotency_key = $1 FOR UPDATE",
        key,
    )
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Payout {
        amount: Money::new(row.amount, standing::currency(&row.currency)?),
        key: row.idempotency_key,
        reference: row.reference,
        payout: row.payout_id,
        account: row.account,
        status: row.status,
        reason: row.reason,
        arrives_at: row.arrives_at,
    }))
}

/// The key of the latest try of a payout.
pub(super) async fn latest(tx: &mut PgConnection, payout: Uuid) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT idempotency_key FROM payments.sandbox_payouts WHERE payout_id = $1 ORDER BY created_at DESC, reference DESC LIMIT 1",
        payout,
    )
    .fetch_optional(tx)
    .await
}

/// A payout arrives; none if there is no such payout, false if something else became of it.
pub(super) async fn arrive(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    key: &str,
) -> Result<Option<bool>, sqlx::Error> {
    moved(tx, company, control, key, "sent", "paid").await
}

/// A payout fails on its way; none if there is no such payout, false if something else became of it.
pub(super) async fn fail(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    key: &str,
) -> Result<Option<bool>, sqlx::Error> {
    moved(tx, company, control, key, "sent", "failed").await
}

/// A payout that had arrived comes back; none if there is no such payout, false if it had not arrived.
pub(super) async fn come_back(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    key: &str,
) -> Result<Option<bool>, sqlx::Error> {
    moved(tx, company, control, key, "paid", "returned").await
}

async fn moved(
    tx: &mut PgConnection,
    company: &Company,
    control: &Control,
    key: &str,
    from: &str,
    to: &str,
) -> Result<Option<bool>, sqlx::Error> {
    let Some(mut payout) = find(tx, key).await? else { return Ok(None) };
    if payout.status == to {
        // Told once more.
        event::write(tx, company, control, &format!("payout.{to}"), payout.object()).await?;
        return Ok(Some(true));
    }
    if payout.status != from {
        return Ok(Some(false));
    }
    payout.status = to.to_owned();
    payout.reason = (to != "paid").then(|| FAILURE.to_owned());
    sqlx::query!(
        "UPDATE payments.sandbox_payouts SET status = $2, reason = $3 WHERE idempotency_key = $1",
        payout.key,
        payout.status,
        payout.reason,
    )
    .execute(&mut *tx)
    .await?;
    if to != "paid" {
        let now = company.now(control);
        books::note(
            tx,
            LineKind::PayoutFailed,
            &payout.reference,
            Some(payout.payout),
            payout.amount,
            0,
            now,
        )
        .await?;
    }
    event::write(tx, company, control, &format!("payout.{to}"), payout.object()).await?;
    Ok(Some(true))
}
