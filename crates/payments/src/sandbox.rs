//! The sandbox provider: a payment company in a table, for demos, tests and development.
//!
//! It knows the test tokens that Stripe documents (<https://docs.stripe.com/testing>).

use std::collections::HashMap;

use async_trait::async_trait;
use platform::batch::{Batch, Settings, Work};
use platform::{Database, Money, Sources};
use time::OffsetDateTime;

use crate::provider::{PaymentToken, Provider, Said};
use crate::{DeclineCode, Error, PaymentId};

pub(crate) struct Sandbox {
    sources: Sources,
    charges: Batch<Charges>,
}

impl Sandbox {
    pub(crate) fn new(database: Database, sources: Sources) -> Self {
        Self { sources, charges: Batch::open(Charges(database), Settings::named("sandbox.charge")) }
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

    async fn charge(&self, id: PaymentId, amount: Money, token: &PaymentToken) -> Result<Said, Error> {
        let declined = behaviour(token).ok_or(Error::UnknownToken)?.err();
        let request = Request { id, amount, token: token.clone(), declined, at: self.sources.now() };
        self.charges.call_in_turn(request).await?
    }
}

/// A charge that the sandbox was asked for.
struct Request {
    id: PaymentId,
    amount: Money,
    token: PaymentToken,
    declined: Option<DeclineCode>,
    at: OffsetDateTime,
}

impl Request {
    fn reference(&self) -> String {
        format!("ch_{}", self.id.uuid().simple())
    }
}

/// The sandbox's books, many charges in one transaction.
struct Charges(Database);

#[async_trait]
impl Work for Charges {
    type Item = Request;
    type Answer = Result<Said, Error>;

    async fn serve(&self, requests: &[Request]) -> Result<Vec<Self::Answer>, sqlx::Error> {
        let mut sorted: Vec<&Request> = requests.iter().collect();
        sorted.sort_by_key(|request| request.id);
        let keys: Vec<_> = sorted.iter().map(|request| request.id.to_string()).collect();
        let made = sqlx::query_scalar!(
            "INSERT INTO payments.sandbox_charges (idempotency_key, reference, amount, currency, token, decline_code, created_at)
             SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
             ON CONFLICT (idempotency_key) DO NOTHING RETURNING idempotency_key",
            &keys,
            &sorted.iter().map(|request| request.reference()).collect::<Vec<_>>(),
            &sorted.iter().map(|request| request.amount.amount).collect::<Vec<_>>(),
            &sorted.iter().map(|request| request.amount.currency.code().to_owned()).collect::<Vec<_>>(),
            &sorted.iter().map(|request| request.token.as_str().to_owned()).collect::<Vec<_>>(),
            &sorted
                .iter()
                .map(|request| request.declined.map(|code| code.as_str().to_owned()))
                .collect::<Vec<_>>() as &[Option<String>],
            &sorted.iter().map(|request| request.at).collect::<Vec<_>>(),
        )
        .fetch_all(self.0.pool())
        .await?;
        if made.len() == requests.len() {
            return Ok(requests
                .iter()
                .map(|request| Ok(Said { reference: request.reference(), declined: request.declined }))
                .collect());
        }
        // Somebody asked before: they get the answer of then.
        let kept = sqlx::query!(
            "SELECT idempotency_key, reference, amount, currency, decline_code FROM payments.sandbox_charges
             WHERE idempotency_key = ANY($1)",
            &keys,
        )
        .fetch_all(self.0.pool())
        .await?;
        let kept: HashMap<_, _> = kept.into_iter().map(|row| (row.idempotency_key.clone(), row)).collect();
        requests
            .iter()
            .map(|request| {
                let row = kept.get(&request.id.to_string()).ok_or(sqlx::Error::RowNotFound)?;
                if (row.amount, row.currency.as_str())
                    != (request.amount.amount, request.amount.currency.code())
                {
                    return Ok(Err(Error::AmountChanged));
                }
                let declined = row.decline_code.as_deref().map(DeclineCode::of);
                Ok(Ok(Said { reference: row.reference.clone(), declined }))
            })
            .collect()
    }
}
