//! The sandbox provider: a payment company in a table, for demos, tests and development.
//!
//! It knows the test tokens that Stripe documents (<https://docs.stripe.com/testing>).

use async_trait::async_trait;
use platform::{Database, Money, Sources};

use crate::provider::{Charge, PaymentToken, Provider};
use crate::{DeclineCode, Error};

pub(crate) struct Sandbox {
    database: Database,
    sources: Sources,
}

impl Sandbox {
    pub(crate) const fn new(database: Database, sources: Sources) -> Self {
        Self { database, sources }
    }
}

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

    async fn charge(
        &self,
        idempotency_key: &str,
        amount: Money,
        token: &PaymentToken,
    ) -> Result<Charge, Error> {
        let declined = behaviour(token).ok_or(Error::UnknownToken)?.err();
        let reference = format!("ch_{}", self.sources.id::<Charge>().uuid().simple());
        sqlx::query!(
            "INSERT INTO payments.sandbox_charges (idempotency_key, reference, amount, currency, token, decline_code, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (idempotency_key) DO NOTHING",
            idempotency_key,
            reference,
            amount.amount,
            amount.currency.code(),
            token.as_str(),
            declined.map(DeclineCode::as_str),
            self.sources.now(),
        )
        .execute(self.database.pool())
        .await?;
        let kept = sqlx::query!(
            "SELECT reference, decline_code FROM payments.sandbox_charges WHERE idempotency_key = $1",
            idempotency_key,
        )
        .fetch_one(self.database.pool())
        .await?;
        Ok(Charge { reference: kept.reference, declined: kept.decline_code.as_deref().map(DeclineCode::of) })
    }
}
