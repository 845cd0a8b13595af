//! Money that is given back.

use super::form::Form;
use super::payment::is_forgotten;
use super::wire::{self, List, Refund};
use super::{Stripe, amount};
use crate::provider::{ProviderError, RefundAsked, RefundSaid, RefundStatus};

impl Stripe {
    pub(super) async fn give_back(&self, asked: &RefundAsked) -> Result<RefundSaid, ProviderError> {
        let intent = self.intent_of(&asked.payment).await?;
        if is_forgotten(asked.id, asked.at)
            && let Some(refund) = self.refund_before(asked, &intent).await?
        {
            return Ok(refund.said());
        }
        let form = Form::new()
            .with("payment_intent", intent)
            .with("amount", amount::to_stripe(asked.amount)?)
            .metadata(wire::REFUND, asked.id)
            .metadata(wire::PAYMENT, asked.payment.id);
        let refund: Refund = self.client.post(&["refunds"], form, asked.id.to_string()).send().await?;
        Ok(refund.said())
    }

    async fn refund_before(
        &self,
        asked: &RefundAsked,
        intent: &str,
    ) -> Result<Option<Refund>, ProviderError> {
        let query = Form::new().with("payment_intent", intent).with("limit", 100);
        let made: List<Refund> = self.client.get(&["refunds"], query).send().await?;
        let refund = made.data.into_iter().find(|refund| refund.metadata.id(wire::REFUND) == Some(asked.id));
        match refund {
            Some(refund) if amount::from_stripe(refund.amount, &refund.currency)? != asked.amount => {
                Err(ProviderError::Changed)
            }
            refund => Ok(refund),
        }
    }
}

impl Refund {
    /// Refunds of cards succeed at once; the bank may fail them later.
    pub(super) fn status(&self) -> RefundStatus {
        match self.status.as_deref() {
            Some("succeeded") => RefundStatus::Succeeded,
            Some(failed @ ("failed" | "canceled")) => {
                RefundStatus::Failed(self.failure_reason.as_deref().unwrap_or(failed).to_owned())
            }
            _ => RefundStatus::Pending,
        }
    }

    fn said(&self) -> RefundSaid {
        RefundSaid { reference: self.id.clone(), status: self.status() }
    }
}
