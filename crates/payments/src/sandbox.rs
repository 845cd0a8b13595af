//! The sandbox provider: a payment company in a table, for demos, tests and development.
//!
//! It knows the test tokens that Stripe documents (<https://docs.stripe.com/testing>).

use std::collections::HashMap;

use async_trait::async_trait;
use identity::StoreId;
use platform::{Database, Money};
use time::OffsetDateTime;

use crate::provider::{
    AccountSaid, Asked, BalanceLines, Incoming, Named, Notice, Opened, Page, PaymentToken, PayoutAsked,
    PayoutSaid, Provider, ProviderError, RefundAsked, RefundSaid, Said, Status,
};
use crate::{DeclineCode, Error};

pub(crate) struct Sandbox(pub(crate) Database);

/// What the sandbox does with a token; `None` when it does not know it.
fn behaviour(token: &PaymentToken) -> Option<Result<(), DeclineCode>> {
    match token.as_str() {
        "tok_visa"
        | "tok_visa_debit"
        | "tok_mastercard"
        | "tok_mastercard_debit"
        | "tok_amex"
        | "tok_discover"
        | "tok_diners"
        | "tok_jcb"
        | "tok_unionpay" => Some(Ok(())),
        "tok_chargeDeclined" | "tok_visa_chargeDeclined" => Some(Err(DeclineCode::CardDeclined)),
        "tok_chargeDeclinedInsufficientFunds" | "tok_visa_chargeDeclinedInsufficientFunds" => {
            Some(Err(DeclineCode::InsufficientFunds))
        }
        "tok_chargeDeclinedExpiredCard" => Some(Err(DeclineCode::ExpiredCard)),
        "tok_chargeDeclinedIncorrectCvc" => Some(Err(DeclineCode::IncorrectCvc)),
        "tok_chargeDeclinedProcessingError" => Some(Err(DeclineCode::ProcessingError)),
        _ => None,
    }
}

#[async_trait]
impl Provider for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn check(&self, token: &PaymentToken) -> Result<(), Error> {
        if token.looks_like_card_number() {
            return Err(Error::CardNumber);
        }
        behaviour(token).map(|_| ()).ok_or(Error::UnknownToken)
    }

    async fn charge(&self, asked: &[Asked]) -> Vec<Result<Said, ProviderError>> {
        match self.charge_all(asked).await {
            Ok(said) => said,
            Err(error) => asked.iter().map(|_| Err(ProviderError::Unavailable(error.to_string()))).collect(),
        }
    }
    async fn open_page(&self, _: &Page) -> Result<Opened, ProviderError> {
        Err(not_yet())
    }
    async fn look(&self, _: &Named) -> Result<Said, ProviderError> {
        Err(not_yet())
    }
    async fn capture(&self, _: &Named, _: Money) -> Result<Said, ProviderError> {
        Err(not_yet())
    }
    async fn void(&self, _: &Named) -> Result<Said, ProviderError> {
        Err(not_yet())
    }
    async fn refund(&self, _: &RefundAsked) -> Result<RefundSaid, ProviderError> {
        Err(not_yet())
    }
    async fn open_account(&self, _: StoreId, _: Option<&str>, _: &str) -> Result<AccountSaid, ProviderError> {
        Err(not_yet())
    }
    async fn pay_out(&self, _: &PayoutAsked) -> Result<PayoutSaid, ProviderError> {
        Err(not_yet())
    }
    async fn balance_lines(&self, _: Option<&str>, _: u32) -> Result<BalanceLines, ProviderError> {
        Err(not_yet())
    }
    fn verify(&self, _: &[(String, String)], _: &[u8], _: OffsetDateTime) -> Result<Notice, Error> {
        Err(Error::BadNotice)
    }
    fn read(&self, _: &[u8]) -> Result<Incoming, ProviderError> {
        Err(not_yet())
    }
}

fn not_yet() -> ProviderError {
    ProviderError::Unavailable("the sandbox does not do this yet".to_owned())
}

impl Sandbox {
    async fn charge_all(&self, asked: &[Asked]) -> Result<Vec<Result<Said, ProviderError>>, sqlx::Error> {
        let mut known: Vec<&Asked> = asked.iter().filter(|one| behaviour(&one.token).is_some()).collect();
        known.sort_by_key(|one| one.id);
        let keys: Vec<_> = known.iter().map(|one| one.id.to_string()).collect();
        let made = sqlx::query_scalar!(
            "INSERT INTO payments.sandbox_charges (idempotency_key, reference, amount, currency, token, decline_code, created_at)
             SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
             ON CONFLICT (idempotency_key) DO NOTHING RETURNING idempotency_key",
            &keys,
            &known.iter().map(|one| reference(one)).collect::<Vec<_>>(),
            &known.iter().map(|one| one.amount.amount).collect::<Vec<_>>(),
            &known.iter().map(|one| one.amount.currency.code()).collect::<Vec<_>>() as &[&str],
            &known.iter().map(|one| one.token.as_str()).collect::<Vec<_>>() as &[&str],
            &known
                .iter()
                .map(|one| declined(&one.token).map(DeclineCode::as_str))
                .collect::<Vec<_>>() as &[Option<&str>],
            &known.iter().map(|one| one.at).collect::<Vec<_>>(),
        )
        .fetch_all(self.0.pool())
        .await?;
        if made.len() == asked.len() {
            return Ok(asked.iter().map(|one| Ok(said(reference(one), declined(&one.token)))).collect());
        }
        self.said_before(asked, &keys).await
    }
}

fn declined(token: &PaymentToken) -> Option<DeclineCode> {
    behaviour(token)?.err()
}

fn said(reference: String, declined: Option<DeclineCode>) -> Said {
    Said { reference, status: declined.map_or(Status::Succeeded, Status::Declined), fee: None, method: None }
}

fn reference(asked: &Asked) -> String {
    format!("ch_{}", asked.id.uuid().simple())
}

impl Sandbox {
    /// Whoever asked before gets the answer of then.
    async fn said_before(
        &self,
        asked: &[Asked],
        keys: &[String],
    ) -> Result<Vec<Result<Said, ProviderError>>, sqlx::Error> {
        let kept = sqlx::query!(
            "SELECT idempotency_key, reference, amount, currency, decline_code FROM payments.sandbox_charges
             WHERE idempotency_key = ANY($1)",
            keys,
        )
        .fetch_all(self.0.pool())
        .await?;
        let kept: HashMap<_, _> = kept.into_iter().map(|row| (row.idempotency_key.clone(), row)).collect();
        Ok(asked
            .iter()
            .map(|one| {
                let row = kept.get(&one.id.to_string()).ok_or(ProviderError::UnknownToken)?;
                if (row.amount, row.currency.as_str()) != (one.amount.amount, one.amount.currency.code()) {
                    return Err(ProviderError::Changed);
                }
                let declined = row.decline_code.as_deref().map(DeclineCode::of);
                Ok(said(row.reference.clone(), declined))
            })
            .collect())
    }
}
