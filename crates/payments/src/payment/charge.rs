//! Charging tokens, many at a time: the queue "payments.charge".

use std::sync::Arc;

use async_trait::async_trait;
use platform::batch::Work;
use platform::{Database, Money, fault};

use super::{Payment, PaymentState, row};
use crate::provider::{Asked, Named, Provider, ProviderError, Said, Status};
use crate::{DeclineCode, Error, method};

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
        let mut kept = Vec::new();
        for (asked, said) in asked.iter().zip(self.provider.charge(asked).await) {
            let said = self.captured(asked, said).await;
            if let Ok(Said { status: Status::Succeeded, method: Some(method), .. }) = &said
                && asked.keep_for.is_some()
            {
                kept.push((asked, method.clone()));
            }
            answers.push(said.map(|said| told(self.provider.name(), asked, said)));
        }
        fault::point("payments.charged");
        let told =
            answers.iter().zip(asked).filter_map(|(answer, asked)| Some((answer.as_ref().ok()?, asked)));
        row::record(&self.database, told).await?;
        fault::point("payments.recorded");
        for (asked, method) in kept {
            let mut connection = self.database.pool().acquire().await?;
            method::keep(&mut connection, asked.id, &method, asked.at).await?;
        }
        Ok(answers)
    }
}

impl Charging {
    /// Money that was set aside is taken at once: the stock is held.
    async fn captured(&self, asked: &Asked, said: Result<Said, ProviderError>) -> Result<Said, Error> {
        let said = match said {
            Ok(said) if said.status == Status::Authorized => {
                let named = Named { id: asked.id, reference: said.reference };
                match self.provider.capture(&named, asked.amount).await {
                    // It stands otherwise by now. What was not taken is let go.
                    Err(ProviderError::Refused { .. }) => self.provider.void(&named).await,
                    captured => captured,
                }
            }
            said => said,
        };
        match said {
            Err(ProviderError::UnknownToken) => Ok(declined(asked, DeclineCode::PaymentMethodNotAvailable)),
            // It will not take it another time either: whoever waits for their order hears so now.
            Err(error @ (ProviderError::Refused { .. } | ProviderError::Unknown(_))) => {
                tracing::warn!(payment = %asked.id, %error, "the provider refuses a charge");
                Ok(declined(asked, DeclineCode::ProcessingError))
            }
            said => Ok(said?),
        }
    }
}

/// What the provider has made nothing of has our name alone.
fn declined(asked: &Asked, code: DeclineCode) -> Said {
    Said { reference: asked.id.to_string(), status: Status::Declined(code), fee: None, method: None }
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
