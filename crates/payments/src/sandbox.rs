//! The sandbox provider: a payment company in a table, for demos, tests and development.
//!
//! It knows the test tokens that Stripe documents (<https://docs.stripe.com/testing>).

use std::collections::HashMap;

use async_trait::async_trait;
use platform::Database;

use crate::provider::{Asked, PaymentToken, Provider, Said};
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

    async fn charge(&self, asked: &[Asked]) -> Result<Vec<Result<Said, Error>>, sqlx::Error> {
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
            return Ok(asked
                .iter()
                .map(|one| Ok(Said { reference: reference(one), declined: declined(&one.token) }))
                .collect());
        }
        self.said_before(asked, &keys).await
    }
}

fn declined(token: &PaymentToken) -> Option<DeclineCode> {
    behaviour(token)?.err()
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
    ) -> Result<Vec<Result<Said, Error>>, sqlx::Error> {
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
                let row = kept.get(&one.id.to_string()).ok_or(Error::UnknownToken)?;
                if (row.amount, row.currency.as_str()) != (one.amount.amount, one.amount.currency.code()) {
                    return Err(Error::AmountChanged);
                }
                let declined = row.decline_code.as_deref().map(DeclineCode::of);
                Ok(Said { reference: row.reference.clone(), declined })
            })
            .collect())
    }
}
