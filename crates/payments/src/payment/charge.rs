//! Charging tokens, many at a time: the queue "payments.charge".

use std::sync::Arc;

use async_trait::async_trait;
use platform::batch::Work;
use platform::{Database, Money, fault};

use super::{Payment, PaymentState, row};
use crate::Error;
use crate::provider::{Asked, Named, Provider, Said, Status};

/// Asks the provider and writes down what it said. A payment's id is its idempotency key and stands in the order before
/// anybody is asked: a crash in between loses nothing, since asking again gives the same answer.
pub(crate) struct Charging {
    pub(crate) database: Database,
    pub(crate) provider: Arc<dyn Provider>,
}

#[async_trait]
impl Work for Charging {
    type Item = Asked;
    type Answer = Result<Payment, Error>;

    async fn serve(&self, asked: &[Asked]) -> Result<Vec<Self::Answer>, sqlx::Error> {
        let mut answers = Vec::with_capacity(asked.len());
        for (asked, said) in asked.iter().zip(self.provider.charge(asked).await) {
            answers.push(self.answer(asked, said.map_err(Error::from)).await);
        }
        fault::point("payments.charged");
        let told =
            answers.iter().zip(asked).filter_map(|(answer, asked)| Some((answer.as_ref().ok()?, asked.at)));
        row::record(&self.database, told).await?;
        fault::point("payments.recorded");
        Ok(answers)
    }
}

impl Charging {
    /// Money that was set aside is taken at once: the stock is held.
    async fn answer(&self, asked: &Asked, said: Result<Said, Error>) -> Result<Payment, Error> {
        let mut said = said?;
        if said.status == Status::Authorized {
            let named = Named { id: asked.id, reference: said.reference.clone() };
            said = self.provider.capture(&named, asked.amount).await?;
        }
        Ok(told(self.provider.name(), asked, said))
    }
}

/// The payment that was asked for, as the provider says it stands.
fn told(provider: &str, asked: &Asked, said: Said) -> Payment {
    let state = PaymentState::from(&said.status);
    let Money { amount, currency } = asked.amount;
    Payment {
        id: asked.id,
        order: Some(asked.order),
        provider: provider.to_owned(),
        amount: Money::new(amount, currency),
        state,
        reference: Some(said.reference),
        action_url: match said.status {
            Status::RequiresAction(url) => Some(url),
            _ => None,
        },
        expires_at: None,
        fee: said.fee,
        refunded: 0,
    }
}
